/* Drops what only people read. Declared types of inner values go too: they can be inferred, and nothing
 * that follows may depend on whether an exporter wrote them down. Empty texts become absent ones. */
#include "rewrite/pass.h"
#include "rewrite/trace.h"

/* Drops a text; 1 when there was one. */
static size_t drop(char **text)
{
    size_t had = *text != NULL && **text != '\0';
    *text = NULL;
    return had;
}

static void drop_when_empty(char **text)
{
    if (*text != NULL && **text == '\0')
        *text = NULL;
}

static size_t document_node(Onnx__NodeProto *node)
{
    drop_when_empty(&node->name);
    drop_when_empty(&node->overload);
    size_t changed = drop(&node->doc_string);
    for (size_t i = 0; i < node->n_attribute; i++)
        changed += drop(&node->attribute[i]->doc_string);
    return changed;
}

static size_t document_ports(Onnx__ValueInfoProto **ports, size_t count)
{
    size_t changed = 0;
    for (size_t i = 0; i < count; i++)
        changed += drop(&ports[i]->doc_string);
    return changed;
}

/* Only inputs and outputs keep their declared type. */
static size_t drop_inner_types(cnx_graph *graph)
{
    size_t *listed = graph->proto != NULL ? &graph->proto->n_value_info : &graph->function->n_value_info;
    size_t changed = *listed;
    *listed = 0;
    for (uint32_t i = 0; i < graph->value_count; i++)
        if (!graph->values[i].is_input && !graph->values[i].is_output)
            graph->values[i].info = NULL;
    return changed;
}

static size_t document_graph(cnx_graph *graph)
{
    size_t changed = drop_inner_types(graph);
    if (graph->proto != NULL) {
        changed += drop(&graph->proto->doc_string);
        changed += document_ports(graph->proto->input, graph->proto->n_input);
        changed += document_ports(graph->proto->output, graph->proto->n_output);
    } else {
        changed += drop(&graph->function->doc_string);
        drop_when_empty(&graph->function->overload);
    }
    for (uint32_t i = 0; i < graph->order_count; i++)
        changed += document_node(graph->nodes[graph->order[i]].proto);
    return changed;
}

size_t cnx_pass_documentation(cnx_rewrite *rewrite)
{
    cnx_model *model = rewrite->model;
    Onnx__ModelProto *proto = model->proto;
    if (proto->producer_name != NULL && proto->producer_name[0] != '\0')
        cnx_explain(rewrite, "producer \"%s\"", proto->producer_name);
    size_t changed = drop(&proto->doc_string) + drop(&proto->producer_name) + drop(&proto->producer_version) +
                     drop(&proto->domain) + (proto->has_model_version ? 1 : 0);
    proto->has_model_version = false;
    size_t count;
    cnx_graph **graphs = cnx_rewrite_graphs(rewrite, &count);
    size_t in_graphs = 0;
    for (size_t i = 0; i < count; i++)
        in_graphs += document_graph(graphs[i]);
    if (in_graphs != 0)
        cnx_explain(rewrite, "%zu texts and types of inner values in graphs", in_graphs);
    changed += in_graphs;
    for (size_t i = 0; i < model->tensor_count; i++)
        changed += drop(&model->tensors[i]->proto->doc_string);
    return changed;
}
