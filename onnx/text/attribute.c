/* Attributes: `name: type = value`, always with the type. A node with graphs inside has them behind its
 * operands, each attribute on lines of its own; any other has all in one line in front. */
#include "onnx/text/writer.h"

static const char *type_name(int32_t type)
{
    static const char *const names[] = {"undefined",      "float",      "int",        "string",
                                        "tensor",         "graph",      "floats",     "ints",
                                        "strings",        "tensors",    "graphs",     "sparse_tensor",
                                        "sparse_tensors", "type_proto", "type_protos"};
    return type >= 0 && (size_t)type < sizeof names / sizeof names[0] ? names[type] : names[0];
}

/* Early files do not say the type: it is the one whose field is there. */
static int32_t type_of(const Onnx__AttributeProto *attribute)
{
    if (attribute->has_type && attribute->type != ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED)
        return (int32_t)attribute->type;
    const struct {
        bool there;
        int32_t type;
    } fields[] = {
        {attribute->has_f, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT},
        {attribute->has_i, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT},
        {attribute->has_s, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING},
        {attribute->t != NULL, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR},
        {attribute->g != NULL, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH},
        {attribute->n_floats != 0, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS},
        {attribute->n_ints != 0, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS},
        {attribute->n_strings != 0, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS},
        {attribute->n_tensors != 0, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSORS},
        {attribute->n_graphs != 0, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPHS},
        {attribute->sparse_tensor != NULL, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__SPARSE_TENSOR},
        {attribute->n_sparse_tensors != 0, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__SPARSE_TENSORS},
        {attribute->tp != NULL, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TYPE_PROTO},
        {attribute->n_type_protos != 0, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TYPE_PROTOS},
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (fields[i].there)
            return fields[i].type;
    return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED;
}

/* ---- values ---- */

static void write_subgraph(cnx_writer *out, const cnx_node *node, const Onnx__AttributeProto *attribute,
                           uint32_t position)
{
    for (uint32_t i = 0; node != NULL && i < node->subgraph_count; i++) {
        const cnx_subgraph *subgraph = &node->subgraphs[i];
        if (subgraph->attribute == attribute && subgraph->position == position) {
            cnx_write_graph(out, subgraph->graph);
            return;
        }
    }
}

/* One value, or one of a list. */
static void write_item(cnx_writer *out, const cnx_node *node, const Onnx__AttributeProto *attribute,
                       int32_t type, size_t i)
{
    switch (type) {
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT:
        cnx_write_float(out, attribute->f);
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT:
        cnx_write_format(out, "%lld", (long long)attribute->i);
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING:
        cnx_write_string(out, attribute->s.data, attribute->s.len);
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR:
        if (attribute->t != NULL)
            cnx_write_tensor(out, attribute->t, NULL);
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__SPARSE_TENSOR:
        if (attribute->sparse_tensor != NULL)
            cnx_write_sparse(out, attribute->sparse_tensor);
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TYPE_PROTO:
        if (attribute->tp != NULL)
            cnx_write_type(out, attribute->tp);
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH:
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPHS:
        write_subgraph(out, node, attribute, (uint32_t)i);
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS:
        cnx_write_float(out, attribute->floats[i]);
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS:
        cnx_write_format(out, "%lld", (long long)attribute->ints[i]);
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS:
        cnx_write_string(out, attribute->strings[i].data, attribute->strings[i].len);
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSORS:
        cnx_write_tensor(out, attribute->tensors[i], NULL);
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__SPARSE_TENSORS:
        cnx_write_sparse(out, attribute->sparse_tensors[i]);
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TYPE_PROTOS:
        cnx_write_type(out, attribute->type_protos[i]);
        break;
    default:
        break;
    }
}

/* How many values a list has; 0 and *single for what is no list. */
static size_t count_items(const Onnx__AttributeProto *attribute, int32_t type, bool *single)
{
    *single = false;
    switch (type) {
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS:
        return attribute->n_floats;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS:
        return attribute->n_ints;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS:
        return attribute->n_strings;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSORS:
        return attribute->n_tensors;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPHS:
        return attribute->n_graphs;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__SPARSE_TENSORS:
        return attribute->n_sparse_tensors;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TYPE_PROTOS:
        return attribute->n_type_protos;
    default:
        *single = true;
        return 0;
    }
}

void cnx_write_attribute(cnx_writer *out, const cnx_node *node, const Onnx__AttributeProto *attribute)
{
    int32_t type = type_of(attribute);
    bool single;
    size_t count = count_items(attribute, type, &single);
    cnx_write_name(out, attribute->name);
    cnx_write(out, ": ");
    cnx_write(out, type_name(type));
    cnx_write(out, " = ");
    cnx_note_documentation(out, attribute->doc_string);
    if (attribute->ref_attr_name != NULL && attribute->ref_attr_name[0] != '\0') {
        cnx_write(out, "@");
        cnx_write_name(out, attribute->ref_attr_name);
        return;
    }
    if (single) {
        write_item(out, node, attribute, type, 0);
        return;
    }
    cnx_write(out, "[");
    for (size_t i = 0; i < count; i++) {
        cnx_write(out, i == 0 ? "" : ", ");
        write_item(out, node, attribute, type, i);
    }
    cnx_write(out, "]");
}

void cnx_write_attributes(cnx_writer *out, const cnx_node *node)
{
    const Onnx__NodeProto *proto = node->proto;
    bool lines = node->subgraph_count != 0;
    cnx_write(out, "<");
    out->depth++;
    for (size_t i = 0; i < proto->n_attribute; i++) {
        if (lines) {
            cnx_end_line(out);
            cnx_begin_line(out);
        }
        cnx_write_attribute(out, node, proto->attribute[i]);
        cnx_write(out, i + 1 == proto->n_attribute ? "" : lines ? "," : ", ");
    }
    out->depth--;
    if (lines) {
        cnx_end_line(out);
        cnx_begin_line(out);
    }
    cnx_write(out, ">");
}
