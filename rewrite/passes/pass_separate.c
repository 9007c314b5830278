/* Gives every use of a dense initializer a value and a tensor record of its own. Exporters merge equal
 * tensors (the zero biases of unrelated layers become one); what follows must not depend on whether they did.
 * Records are views: no payload is copied, and `merge` makes equal ones one again.
 *
 * A use inside a nested graph captures the initializer, perhaps through several graphs: it gets a chain of
 * captures of its own. An initializer that is also a graph input is a default that callers may replace for
 * all uses at once: it stays whole. */
#include "rewrite/edit.h"
#include "rewrite/trace.h"

typedef struct separator {
    cnx_rewrite *rewrite;
    cnx_intern graphs; /* addresses of the model's graphs */
    bool **taken;      /* by graph and value, of those that were there before: some use has it */
    uint32_t *known;   /* by graph: how many values were there before */
    size_t changed;
} separator;

/* The graph and the value that a value is captured from, after all graphs between. */
static const cnx_graph *root_of(const cnx_graph *graph, uint32_t *id)
{
    while (graph->values[*id].captured_from != CNX_NONE) {
        *id = graph->values[*id].captured_from;
        graph = graph->parent;
    }
    return graph;
}

/* A copy of an initializer, and of the captures that lead to it. */
static uint32_t copy_chain(cnx_graph *graph, uint32_t id)
{
    uint32_t from = graph->values[id].captured_from;
    uint32_t above = from != CNX_NONE ? copy_chain(graph->parent, from) : CNX_NONE;
    cnx_tensor *tensor =
        from == CNX_NONE ? cnx_tensor_share(graph->model, graph->values[id].initializer) : NULL;
    uint32_t copy = cnx_graph_add_value(graph, graph->values[id].name);
    graph->values[copy].captured_from = above;
    graph->values[copy].origins = graph->values[id].origins;
    graph->values[copy].initializer = tensor;
    return copy;
}

/* A value for one use alone. The main graph's outputs, or else the first use, have the original. */
static uint32_t own_value(separator *work, cnx_graph *graph, uint32_t id)
{
    uint32_t value = id;
    const cnx_graph *root = id != CNX_NONE ? root_of(graph, &value) : NULL;
    if (root == NULL || root->values[value].initializer == NULL || root->values[value].is_input)
        return id;
    uint32_t number = cnx_intern_find(&work->graphs, &root, sizeof root);
    if (value >= work->known[number] || (!work->taken[number][value] && !root->values[value].is_output)) {
        if (value < work->known[number])
            work->taken[number][value] = true;
        return id;
    }
    work->changed++;
    cnx_rewrite_note_sharing(work->rewrite, root->values[value].initializer);
    cnx_explain(work->rewrite, "one more use of initializer \"%s\" gets a copy", root->values[value].name);
    return copy_chain(graph, id);
}

static void separate_graph(separator *work, cnx_graph *graph)
{
    for (uint32_t i = 0; i < graph->order_count; i++) {
        const cnx_node *node = &graph->nodes[graph->order[i]];
        for (uint32_t slot = 0; slot < node->input_count; slot++)
            node->inputs[slot] = own_value(work, graph, node->inputs[slot]);
    }
    for (uint32_t i = 0; i < graph->output_count; i++) /* a body that hands on what it captures */
        if (graph->values[graph->outputs[i]].captured_from != CNX_NONE)
            graph->outputs[i] = own_value(work, graph, graph->outputs[i]);
}

size_t cnx_pass_separate(cnx_rewrite *rewrite)
{
    size_t count;
    cnx_graph **graphs = cnx_rewrite_graphs(rewrite, &count);
    cnx_arena *scratch = cnx_arena_create(rewrite->arena);
    separator work = {.rewrite = rewrite,
                      .taken = CNX_NEW_ARRAY(scratch, bool *, count),
                      .known = CNX_NEW_ARRAY(scratch, uint32_t, count)};
    cnx_intern_init(&work.graphs, scratch);
    for (size_t i = 0; i < count; i++) {
        cnx_intern_add(&work.graphs, &graphs[i], sizeof graphs[i]);
        work.known[i] = graphs[i]->value_count;
        work.taken[i] = CNX_NEW_ARRAY(scratch, bool, graphs[i]->value_count);
    }
    for (size_t i = 0; i < count; i++)
        separate_graph(&work, graphs[i]);
    cnx_arena_destroy(scratch);
    return work.changed;
}
