/* Nodes and graphs: a line for each node and each initializer. */
#include "onnx/text/writer.h"

static void write_names(cnx_writer *out, const cnx_listing *listing, const uint32_t *ids, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        cnx_write(out, i == 0 ? "" : ", ");
        cnx_write_name(out, ids[i] == CNX_NONE ? "" : listing->values[ids[i]]);
    }
}

static void write_operator(cnx_writer *out, const Onnx__NodeProto *proto)
{
    if (proto->domain != NULL && proto->domain[0] != '\0') {
        size_t plain =
            strspn(proto->domain, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.");
        if (proto->domain[plain] == '\0')
            cnx_write(out, proto->domain);
        else
            cnx_write_name(out, proto->domain);
        cnx_write(out, ".");
    }
    cnx_write_name(out, proto->op_type);
    if (proto->overload != NULL && proto->overload[0] != '\0') {
        cnx_write(out, ":");
        cnx_write_name(out, proto->overload);
    }
}

/* What the syntax has no words for. */
static void note_rest(cnx_writer *out, const Onnx__NodeProto *proto)
{
    cnx_note_documentation(out, proto->doc_string);
    cnx_note_metadata(out, proto->metadata_props, proto->n_metadata_props);
    if (proto->n_device_configurations != 0)
        cnx_note(out, "with device configurations", NULL);
}

static void write_node(cnx_writer *out, const cnx_listing *listing, uint32_t id)
{
    const cnx_node *node = &listing->graph->nodes[id];
    cnx_begin_line(out);
    if (listing->labels[id] != NULL) {
        cnx_write(out, "[");
        cnx_write_name(out, listing->labels[id]);
        cnx_write(out, "] ");
    }
    write_names(out, listing, node->outputs, node->output_count);
    cnx_write(out, " = ");
    write_operator(out, node->proto);
    cnx_write(out, " ");
    bool attributes = node->proto->n_attribute != 0;
    if (attributes && node->subgraph_count == 0) {
        cnx_write_attributes(out, node);
        cnx_write(out, " ");
    }
    cnx_write(out, "(");
    write_names(out, listing, listing->inputs[id], node->input_count);
    cnx_write(out, ")");
    if (attributes && node->subgraph_count != 0) {
        cnx_write(out, " ");
        cnx_write_attributes(out, node);
    }
    note_rest(out, node->proto);
    cnx_end_line(out);
}

static void write_nodes(cnx_writer *out, const cnx_listing *listing)
{
    cnx_write(out, "{");
    cnx_end_line(out);
    out->depth++;
    for (uint32_t i = 0; i < listing->node_count; i++)
        write_node(out, listing, listing->nodes[i]);
    out->depth--;
    cnx_begin_line(out);
    cnx_write(out, "}");
}

/* ---- graphs ---- */

static const char **port_names(cnx_writer *out, const cnx_listing *listing, const uint32_t *ids,
                               uint32_t count)
{
    const char **names = CNX_NEW_ARRAY(out->scratch, const char *, count);
    for (uint32_t i = 0; i < count; i++)
        names[i] = listing->values[ids[i]];
    return names;
}

static void write_interface(cnx_writer *out, const cnx_listing *listing)
{
    const cnx_graph *graph = listing->graph;
    const Onnx__GraphProto *proto = graph->proto;
    cnx_write_ports(out, proto->input, port_names(out, listing, graph->inputs, graph->input_count),
                    graph->input_count);
    cnx_write(out, " => ");
    cnx_write_ports(out, proto->output, port_names(out, listing, graph->outputs, graph->output_count),
                    graph->output_count);
}

/* Sparse ones are comments: the syntax has no form for them, and without them the rest can be parsed. */
static void write_sparse_initializers(cnx_writer *out, const cnx_listing *listing)
{
    const cnx_graph *graph = listing->graph;
    out->in_comment = true;
    for (uint32_t i = 0; i < graph->initializer_count; i++) {
        uint32_t id = listing->initializers[i];
        if (graph->values[id].sparse_initializer == NULL)
            continue;
        cnx_begin_line(out);
        cnx_write(out, "# ");
        cnx_write_name(out, listing->values[id]);
        cnx_write(out, " = ");
        cnx_write_sparse(out, graph->values[id].sparse_initializer);
        cnx_end_line(out);
    }
    out->in_comment = false;
}

/* The list in front of the nodes: initializers, then declared types of inner values. */
static void write_declarations(cnx_writer *out, const cnx_listing *listing)
{
    const cnx_graph *graph = listing->graph;
    size_t dense = 0;
    for (uint32_t i = 0; i < graph->initializer_count; i++)
        dense += graph->values[listing->initializers[i]].initializer != NULL;
    size_t left = dense + graph->proto->n_value_info;
    if (left == 0 && graph->initializer_count == 0)
        return;
    cnx_begin_line(out);
    cnx_write(out, "<");
    cnx_end_line(out);
    out->depth++;
    for (uint32_t i = 0; i < graph->initializer_count; i++) {
        uint32_t id = listing->initializers[i];
        if (graph->values[id].initializer == NULL)
            continue;
        cnx_begin_line(out);
        cnx_write_tensor(out, graph->values[id].initializer->proto, listing->values[id]);
        cnx_write(out, --left == 0 ? "" : ",");
        cnx_end_line(out);
    }
    for (size_t i = 0; i < graph->proto->n_value_info; i++) {
        cnx_begin_line(out);
        cnx_write_port(out, graph->proto->value_info[i], graph->proto->value_info[i]->name);
        cnx_write(out, --left == 0 ? "" : ",");
        cnx_end_line(out);
    }
    write_sparse_initializers(out, listing);
    out->depth--;
    cnx_begin_line(out);
    cnx_write(out, ">");
    cnx_end_line(out);
}

static void note_annotations(cnx_writer *out, const Onnx__GraphProto *proto)
{
    cnx_note_documentation(out, proto->doc_string);
    cnx_note_metadata(out, proto->metadata_props, proto->n_metadata_props);
    for (size_t i = 0; i < proto->n_quantization_annotation; i++) {
        const Onnx__TensorAnnotation *annotation = proto->quantization_annotation[i];
        cnx_note(out, "quantization of", annotation->tensor_name);
        for (size_t k = 0; k < annotation->n_quant_parameter_tensor_names; k++) {
            cnx_note_quoted(out, annotation->quant_parameter_tensor_names[k]->key);
            cnx_note_bytes(out, ":", 1);
            cnx_note_quoted(out, annotation->quant_parameter_tensor_names[k]->value);
        }
    }
}

void cnx_write_graph(cnx_writer *out, cnx_graph *graph)
{
    const cnx_listing *listing = cnx_listing_of(out->listings, graph);
    cnx_write_name(out, listing->name);
    cnx_write(out, " ");
    write_interface(out, listing);
    note_annotations(out, graph->proto);
    cnx_end_line(out);
    write_declarations(out, listing);
    cnx_begin_line(out);
    write_nodes(out, listing);
}

/* ---- functions ---- */

static void write_function_attributes(cnx_writer *out, const Onnx__FunctionProto *proto)
{
    if (proto->n_attribute + proto->n_attribute_proto == 0)
        return;
    cnx_write(out, "<");
    for (size_t i = 0; i < proto->n_attribute; i++) {
        cnx_write(out, i == 0 ? "" : ", ");
        cnx_write_name(out, proto->attribute[i]);
    }
    for (size_t i = 0; i < proto->n_attribute_proto; i++) {
        cnx_write(out, i + proto->n_attribute == 0 ? "" : ", ");
        cnx_write_attribute(out, NULL, proto->attribute_proto[i]);
    }
    cnx_write(out, "> ");
}

void cnx_write_function(cnx_writer *out, cnx_graph *graph)
{
    const cnx_listing *listing = cnx_listing_of(out->listings, graph);
    const Onnx__FunctionProto *proto = graph->function;
    cnx_write_name(out, proto->name);
    cnx_write(out, " ");
    write_function_attributes(out, proto);
    cnx_write_ports(out, NULL, port_names(out, listing, graph->inputs, graph->input_count),
                    graph->input_count);
    cnx_write(out, " => ");
    cnx_write_ports(out, NULL, port_names(out, listing, graph->outputs, graph->output_count),
                    graph->output_count);
    cnx_note_documentation(out, proto->doc_string);
    cnx_note_metadata(out, proto->metadata_props, proto->n_metadata_props);
    cnx_end_line(out);
    if (proto->n_value_info != 0) {
        cnx_write(out, "<");
        cnx_end_line(out);
        out->depth++;
        for (size_t i = 0; i < proto->n_value_info; i++) {
            cnx_begin_line(out);
            cnx_write_port(out, proto->value_info[i], proto->value_info[i]->name);
            cnx_write(out, i + 1 == proto->n_value_info ? "" : ",");
            cnx_end_line(out);
        }
        out->depth--;
        cnx_write(out, ">");
        cnx_end_line(out);
    }
    write_nodes(out, listing);
    cnx_end_line(out);
}
