/* The graph's invariants (see onnx/model.h), checked one by one. Slow and plain; runs between passes. */
#include "onnx/model.h"

#define fail_check(graph, place, ...) cnx_fail((graph)->model->arena, CNX_ERROR_GRAPH, (place), __VA_ARGS__)

static void check_id(const cnx_graph *graph, const cnx_node *node, uint32_t id)
{
    if (id != CNX_NONE && id >= graph->value_count)
        fail_check(graph, cnx_node_place(graph, node), "a value has number %u of %u", id, graph->value_count);
}

static void check_node(const cnx_graph *graph, uint32_t index)
{
    const cnx_node *node = &graph->nodes[index];
    for (uint32_t i = 0; i < node->input_count; i++)
        check_id(graph, node, node->inputs[i]);
    for (uint32_t i = 0; i < node->output_count; i++) {
        check_id(graph, node, node->outputs[i]);
        if (node->outputs[i] == CNX_NONE)
            continue;
        const cnx_value *value = &graph->values[node->outputs[i]];
        if (value->producer != index || value->producer_slot != i)
            fail_check(graph, cnx_node_place(graph, node), "output \"%s\" does not name it as its producer",
                       value->name);
    }
    for (uint32_t i = 0; i < node->subgraph_count; i++) {
        const cnx_graph *inner = node->subgraphs[i].graph;
        if (inner->parent != graph || inner->parent_node != index)
            fail_check(graph, cnx_node_place(graph, node), "a nested graph does not name it as its parent");
        cnx_graph_check(inner);
    }
}

/* Invariant (1): exactly one definition; an input may have an initializer as its default value. */
static void check_value(const cnx_graph *graph, uint32_t id)
{
    const cnx_value *value = &graph->values[id];
    bool constant = value->initializer != NULL || value->sparse_initializer != NULL;
    int definitions =
        (value->producer != CNX_NONE) + (value->captured_from != CNX_NONE) + (value->is_input || constant);
    bool needed = value->use_count != 0 || value->is_output;
    if (definitions > 1 || (needed && definitions == 0))
        fail_check(graph, NULL, "value \"%s\" has %d definitions (expected 1)", value->name, definitions);
    if (value->captured_from != CNX_NONE &&
        (graph->parent == NULL || value->captured_from >= graph->parent->value_count))
        fail_check(graph, NULL, "value \"%s\" is captured from nowhere", value->name);
    for (uint32_t i = 0; i < value->use_count; i++) {
        cnx_use use = value->uses[i];
        const cnx_node *node = use.node < graph->node_count ? &graph->nodes[use.node] : NULL;
        bool reads = node != NULL && !node->dead &&
                     (use.slot == CNX_NONE ? node->subgraph_count != 0
                                           : use.slot < node->input_count && node->inputs[use.slot] == id);
        if (!reads)
            fail_check(graph, NULL, "value \"%s\" has a use that does not read it", value->name);
    }
}

/* Invariant (2). */
static void check_order(const cnx_graph *graph, cnx_arena *scratch)
{
    uint32_t *position = CNX_NEW_ARRAY(scratch, uint32_t, graph->node_count); /* from 1 */
    uint32_t alive = 0;
    for (uint32_t i = 0; i < graph->node_count; i++)
        alive += !graph->nodes[i].dead;
    for (uint32_t i = 0; i < graph->order_count; i++) {
        uint32_t id = graph->order[i];
        if (id >= graph->node_count || graph->nodes[id].dead || position[id] != 0)
            fail_check(graph, NULL, "the order lists node #%u, which is not there or was listed before", id);
        position[id] = i + 1;
    }
    if (alive != graph->order_count)
        fail_check(graph, NULL, "the order lists %u of %u nodes", graph->order_count, alive);
    for (uint32_t i = 0; i < graph->value_count; i++) {
        const cnx_value *value = &graph->values[i];
        for (uint32_t k = 0; value->producer != CNX_NONE && k < value->use_count; k++)
            if (position[value->uses[k].node] <= position[value->producer])
                fail_check(graph, cnx_node_place(graph, &graph->nodes[value->uses[k].node]),
                           "the order puts it before the node that makes \"%s\"", value->name);
    }
}

void cnx_graph_check(const cnx_graph *graph)
{
    for (uint32_t i = 0; i < graph->node_count; i++)
        if (!graph->nodes[i].dead)
            check_node(graph, i);
    for (uint32_t i = 0; i < graph->value_count; i++)
        check_value(graph, i);
    for (uint32_t i = 0; i < graph->input_count; i++)
        if (graph->inputs[i] >= graph->value_count || !graph->values[graph->inputs[i]].is_input)
            fail_check(graph, NULL, "input #%u is not marked as one", i);
    for (uint32_t i = 0; i < graph->output_count; i++)
        if (graph->outputs[i] >= graph->value_count || !graph->values[graph->outputs[i]].is_output)
            fail_check(graph, NULL, "output #%u is not marked as one", i);
    cnx_arena *scratch = cnx_arena_create(graph->model->arena);
    check_order(graph, scratch);
    cnx_arena_destroy(scratch);
}
