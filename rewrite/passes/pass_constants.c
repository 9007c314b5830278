/* A Constant node and an initializer say the same; the initializer is the form that later passes know.
 * Sparse constants stay nodes. So do constants in functions, which cannot have initializers, and in models
 * before IR version 4, where an initializer would have to become an input; there numbers and strings that are
 * attributes become tensors, so that they have one spelling. */
#include "rewrite/edit.h"

/* The header of a tensor of rank 0, or (`list`) of rank 1 with `count` elements. */
static Onnx__TensorProto *make_header(cnx_model *model, int32_t type, bool list, size_t count)
{
    Onnx__TensorProto *proto = CNX_NEW(model->arena, Onnx__TensorProto);
    onnx__tensor_proto__init(proto);
    proto->has_data_type = true;
    proto->data_type = type;
    if (list) {
        proto->n_dims = 1;
        proto->dims = CNX_NEW(model->arena, int64_t);
        proto->dims[0] = (int64_t)count;
    }
    return proto;
}

/* `bytes` is borrowed. */
static cnx_tensor *make_numbers(cnx_model *model, int32_t type, bool list, size_t count, const void *bytes,
                                size_t size)
{
    Onnx__TensorProto *proto = make_header(model, type, list, count);
    proto->has_raw_data = size != 0;
    proto->raw_data = (ProtobufCBinaryData){.len = size, .data = (uint8_t *)(uintptr_t)bytes};
    return cnx_tensor_register(model, proto);
}

static cnx_tensor *make_strings(cnx_model *model, bool list, size_t count, ProtobufCBinaryData *strings)
{
    Onnx__TensorProto *proto = make_header(model, CNX_TYPE_STRING, list, count);
    proto->n_string_data = count;
    proto->string_data = strings;
    return cnx_tensor_register(model, proto);
}

/* The tensor that a Constant's attribute stands for, or NULL when it has no dense form. */
static cnx_tensor *constant_tensor(cnx_model *model, Onnx__AttributeProto *attribute)
{
    const char *name = attribute->name;
    if (attribute->ref_attr_name != NULL && attribute->ref_attr_name[0] != '\0')
        return NULL;
    if (strcmp(name, "value") == 0 && attribute->t != NULL)
        return cnx_tensor_of(model, attribute->t);
    if (strcmp(name, "value_float") == 0)
        return make_numbers(model, CNX_TYPE_FLOAT, false, 1, &attribute->f, sizeof attribute->f);
    if (strcmp(name, "value_floats") == 0)
        return make_numbers(model, CNX_TYPE_FLOAT, true, attribute->n_floats, attribute->floats,
                            attribute->n_floats * sizeof *attribute->floats);
    if (strcmp(name, "value_int") == 0)
        return make_numbers(model, CNX_TYPE_INT64, false, 1, &attribute->i, sizeof attribute->i);
    if (strcmp(name, "value_ints") == 0)
        return make_numbers(model, CNX_TYPE_INT64, true, attribute->n_ints, attribute->ints,
                            attribute->n_ints * sizeof *attribute->ints);
    if (strcmp(name, "value_string") == 0)
        return make_strings(model, false, 1, &attribute->s);
    if (strcmp(name, "value_strings") == 0)
        return make_strings(model, true, attribute->n_strings, attribute->strings);
    return NULL;
}

/* The tensor of a Constant node, or NULL when there is no dense one. */
static cnx_tensor *tensor_of_node(cnx_model *model, const cnx_node *node)
{
    bool plain = cnx_node_is(node, "Constant") && node->output_count == 1 && node->outputs[0] != CNX_NONE &&
                 node->proto->n_attribute == 1 && node->proto->attribute[0]->name != NULL;
    return plain ? constant_tensor(model, node->proto->attribute[0]) : NULL;
}

static size_t convert_graph(cnx_rewrite *rewrite, cnx_graph *graph)
{
    cnx_edits *edits = cnx_edits_begin(rewrite, graph);
    for (uint32_t i = 0; i < graph->order_count; i++) {
        cnx_tensor *tensor = tensor_of_node(graph->model, &graph->nodes[graph->order[i]]);
        if (tensor != NULL)
            cnx_edit_constant(edits, graph->order[i], tensor);
    }
    return cnx_edits_apply(edits);
}

/* The nodes stay, and hold tensors. */
static size_t spell_graph(cnx_graph *graph)
{
    size_t changed = 0;
    for (uint32_t i = 0; i < graph->order_count; i++) {
        const cnx_node *node = &graph->nodes[graph->order[i]];
        cnx_tensor *tensor = tensor_of_node(graph->model, node);
        if (tensor == NULL || node->proto->attribute[0]->t != NULL)
            continue;
        Onnx__AttributeProto *value = CNX_NEW(graph->model->arena, Onnx__AttributeProto);
        onnx__attribute_proto__init(value);
        value->name = (char *)(uintptr_t) "value"; /* protobuf-c knows no const */
        value->has_type = true;
        value->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR;
        value->t = tensor->proto;
        node->proto->attribute[0] = value;
        changed++;
    }
    return changed;
}

size_t cnx_pass_constants(cnx_rewrite *rewrite)
{
    size_t changed = 0;
    size_t count;
    cnx_graph **graphs = cnx_rewrite_graphs(rewrite, &count);
    for (size_t i = 0; i < count; i++) {
        bool stay = rewrite->model->proto->ir_version < 4 || graphs[i]->function != NULL;
        changed += stay ? spell_graph(graphs[i]) : convert_graph(rewrite, graphs[i]);
    }
    return changed;
}
