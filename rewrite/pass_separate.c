/* Gives every use of a dense initializer a value and a tensor record of its own. Exporters merge equal
 * tensors (the zero biases of unrelated layers become one); what follows must not depend on whether they did.
 * Records are views: no payload is copied, and `merge` makes equal ones one again.
 *
 * Uses inside the nested graphs of one node share a record. An initializer that is also a graph input is a
 * default that callers may replace for all uses at once: it stays whole. */
#include "rewrite/edit.h"

typedef struct separator {
    cnx_arena *arena;
    cnx_graph *graph;
    bool *taken; /* by value, of those that were there before: some use has it */
    size_t changed;
} separator;

static bool is_separable(const cnx_graph *graph, uint32_t id)
{
    return id != CNX_NONE && graph->values[id].initializer != NULL && !graph->values[id].is_input;
}

static uint32_t copy_value(separator *work, uint32_t id)
{
    cnx_graph *graph = work->graph;
    cnx_tensor *tensor = cnx_tensor_share(graph->model, graph->values[id].initializer);
    uint32_t copy = cnx_graph_add_value(graph, graph->values[id].name);
    graph->values[copy].initializer = tensor;
    work->changed++;
    return copy;
}

/* A value for one use alone. Graph outputs, or else the first use, have the original. */
static uint32_t own_value(separator *work, uint32_t id)
{
    if (work->taken[id] || work->graph->values[id].is_output)
        return copy_value(work, id);
    work->taken[id] = true;
    return id;
}

/* What each captured initializer became at this node. */
typedef struct capture {
    uint32_t from;
    uint32_t to;
} capture;

typedef struct captures {
    cnx_intern numbers; /* of `from` */
    size_t count, capacity;
    capture *items;
} captures;

static void separate_captures(separator *work, uint32_t node)
{
    captures known = {0};
    cnx_intern_init(&known.numbers, work->arena);
    for (uint32_t i = 0; i < work->graph->nodes[node].subgraph_count; i++) {
        cnx_graph *nested = work->graph->nodes[node].subgraphs[i].graph;
        for (uint32_t v = 0; v < nested->value_count; v++) {
            uint32_t from = nested->values[v].captured_from;
            bool needed = nested->values[v].use_count != 0 || nested->values[v].is_output;
            if (!needed || !is_separable(work->graph, from))
                continue;
            uint32_t number = cnx_intern_add(&known.numbers, &from, sizeof from);
            if (number == known.count) {
                capture item = {from, own_value(work, from)};
                CNX_PUSH(work->arena, known.items, known.count, known.capacity, item);
            }
            nested->values[v].captured_from = known.items[number].to;
        }
    }
}

static size_t separate_graph(cnx_rewrite *rewrite, cnx_graph *graph)
{
    separator work = {.arena = cnx_arena_create(rewrite->arena), .graph = graph};
    work.taken = CNX_NEW_ARRAY(work.arena, bool, graph->value_count);
    for (uint32_t i = 0; i < graph->order_count; i++) {
        uint32_t id = graph->order[i];
        const cnx_node *node = &graph->nodes[id];
        for (uint32_t slot = 0; slot < node->input_count; slot++)
            if (is_separable(graph, node->inputs[slot]))
                node->inputs[slot] = own_value(&work, node->inputs[slot]);
        if (node->subgraph_count != 0)
            separate_captures(&work, id);
    }
    cnx_arena_destroy(work.arena);
    return work.changed;
}

size_t cnx_pass_separate(cnx_rewrite *rewrite)
{
    size_t changed = 0;
    size_t count;
    cnx_graph **graphs = cnx_rewrite_graphs(rewrite, &count);
    for (size_t i = 0; i < count; i++)
        changed += separate_graph(rewrite, graphs[i]);
    return changed;
}
