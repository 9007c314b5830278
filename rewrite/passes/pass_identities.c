/* Removes nodes whose output is their first input whatever the data is:
 *
 *   Identity
 *   Dropout whose mask nobody reads, when it is in inference mode: since version 12 an input says so (absent
 *       or constant false); versions 7 to 11 always are; before, the attribute is_test
 *   Sum, Max, Min, Mean and Concat of a single input */
#include "rewrite/edit.h"

static bool is_unused(const cnx_graph *graph, const cnx_node *node, uint32_t slot)
{
    if (slot >= node->output_count || node->outputs[slot] == CNX_NONE)
        return true;
    const cnx_value *value = &graph->values[node->outputs[slot]];
    return value->use_count == 0 && !value->is_output;
}

/* Whether an input is a constant that no caller can replace, and false. */
static bool is_false(const cnx_graph *graph, uint32_t id)
{
    for (; graph->values[id].captured_from != CNX_NONE; graph = graph->parent)
        id = graph->values[id].captured_from;
    const cnx_value *value = &graph->values[id];
    cnx_tensor *tensor = value->initializer;
    return tensor != NULL && !value->is_input && tensor->type == CNX_TYPE_BOOL && tensor->count == 1 &&
           cnx_tensor_integer(graph->model, tensor, 0) == 0;
}

static bool is_inference_dropout(const cnx_graph *graph, const cnx_node *node)
{
    if (node->opset >= 12)
        return node->input_count < 3 || node->inputs[2] == CNX_NONE || is_false(graph, node->inputs[2]);
    if (node->opset >= 7)
        return true;
    const Onnx__AttributeProto *is_test = cnx_attribute(node, "is_test");
    return node->opset >= 1 && is_test != NULL && is_test->ref_attr_name == NULL && is_test->i != 0;
}

static bool is_copy(const cnx_graph *graph, const cnx_node *node)
{
    static const char *const reducers[] = {"Sum", "Max", "Min", "Mean", "Concat"};
    if (node->input_count == 0 || node->inputs[0] == CNX_NONE || is_unused(graph, node, 0))
        return false;
    for (uint32_t slot = 1; slot < node->output_count; slot++)
        if (!is_unused(graph, node, slot))
            return false;
    if (cnx_node_is(node, "Identity"))
        return true;
    if (cnx_node_is(node, "Dropout"))
        return is_inference_dropout(graph, node);
    if (node->input_count != 1)
        return false;
    for (size_t i = 0; i < sizeof reducers / sizeof reducers[0]; i++)
        if (cnx_node_is(node, reducers[i]))
            return true;
    return false;
}

static size_t clean_graph(cnx_rewrite *rewrite, cnx_graph *graph)
{
    cnx_edits *edits = cnx_edits_begin(rewrite, graph);
    for (uint32_t i = 0; i < graph->order_count; i++) {
        const cnx_node *node = &graph->nodes[graph->order[i]];
        if (is_copy(graph, node))
            cnx_edit_forward(edits, graph->order[i], node->inputs[0]);
    }
    return cnx_edits_apply(edits);
}

size_t cnx_pass_identities(cnx_rewrite *rewrite)
{
    size_t changed = 0;
    size_t count;
    cnx_graph **graphs = cnx_rewrite_graphs(rewrite, &count);
    for (size_t i = 0; i < count; i++)
        changed += clean_graph(rewrite, graphs[i]);
    return changed;
}
