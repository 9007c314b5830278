/* What no output needs goes: nodes, initializers, and functions that nobody calls. One backward sweep over
 * the topological order decides about all nodes of a graph. Nested graphs come before the graphs that hold
 * them, so that a value which only dead nodes of a nested graph captured is dead outside as well.
 *
 * Graph inputs are interface and stay, and with them the initializers that are their defaults. */
#include "rewrite/edit.h"
#include "rewrite/trace.h"

static void mark(bool *needed, uint32_t value)
{
    if (value != CNX_NONE)
        needed[value] = true;
}

/* Values that the nested graphs of a live node need. Captures that nothing in there needs are undone. */
static void mark_captures(bool *needed, const cnx_node *node)
{
    for (uint32_t i = 0; i < node->subgraph_count; i++) {
        cnx_graph *nested = node->subgraphs[i].graph;
        for (uint32_t v = 0; v < nested->value_count; v++) {
            cnx_value *value = &nested->values[v];
            if (value->captured_from == CNX_NONE)
                continue;
            if (value->use_count != 0 || value->is_output)
                mark(needed, value->captured_from);
            else
                value->captured_from = CNX_NONE;
        }
    }
}

static bool makes_needed(const bool *needed, const cnx_node *node)
{
    for (uint32_t slot = 0; slot < node->output_count; slot++)
        if (node->outputs[slot] != CNX_NONE && needed[node->outputs[slot]])
            return true;
    return false;
}

static size_t drop_initializers(cnx_rewrite *rewrite, cnx_graph *graph, const bool *needed)
{
    size_t changed = 0;
    for (uint32_t i = 0; i < graph->initializer_count; i++) {
        cnx_value *value = &graph->values[graph->initializers[i]];
        if (needed[graph->initializers[i]] || value->is_input)
            continue;
        cnx_explain(rewrite, "initializer \"%s\" is not needed", value->name);
        value->initializer = NULL;
        value->sparse_initializer = NULL;
        changed++;
    }
    return changed;
}

static size_t clean_graph(cnx_rewrite *rewrite, cnx_graph *graph)
{
    cnx_arena *arena = cnx_arena_create(rewrite->arena);
    bool *needed = CNX_NEW_ARRAY(arena, bool, graph->value_count);
    cnx_edits *edits = cnx_edits_begin(rewrite, graph);
    for (uint32_t i = 0; i < graph->output_count; i++)
        mark(needed, graph->outputs[i]);
    for (uint32_t i = graph->order_count; i-- > 0;) {
        const cnx_node *node = &graph->nodes[graph->order[i]];
        if (!makes_needed(needed, node)) {
            cnx_edit_remove(edits, graph->order[i]);
            continue;
        }
        for (uint32_t slot = 0; slot < node->input_count; slot++)
            mark(needed, node->inputs[slot]);
        mark_captures(needed, node);
    }
    size_t changed = cnx_edits_apply(edits) + drop_initializers(rewrite, graph, needed);
    if (changed != 0)
        cnx_graph_index(graph); /* the graph that holds this one needs to know what is captured still */
    cnx_arena_destroy(arena);
    return changed;
}

/* ---- functions ---- */

/* Graphs still to be looked at for calls, and the functions that were called. */
typedef struct calls {
    cnx_arena *arena;
    cnx_intern called; /* pointers to functions */
    size_t count, capacity;
    cnx_graph **graphs;
} calls;

static void find_calls(calls *work, const cnx_graph *graph)
{
    for (uint32_t i = 0; i < graph->order_count; i++) {
        const cnx_node *node = &graph->nodes[graph->order[i]];
        for (uint32_t k = 0; k < node->subgraph_count; k++)
            CNX_PUSH(work->arena, work->graphs, work->count, work->capacity, node->subgraphs[k].graph);
        size_t known = work->called.count;
        if (node->function != NULL &&
            cnx_intern_add(&work->called, &node->function, sizeof node->function) == known)
            CNX_PUSH(work->arena, work->graphs, work->count, work->capacity, node->function);
    }
}

static size_t drop_functions(cnx_rewrite *rewrite)
{
    cnx_model *model = rewrite->model;
    if (model->function_count == 0)
        return 0;
    calls work = {.arena = cnx_arena_create(rewrite->arena)};
    cnx_intern_init(&work.called, work.arena);
    find_calls(&work, model->graph);
    while (work.count != 0)
        find_calls(&work, work.graphs[--work.count]);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < model->function_count; i++) {
        cnx_graph *function = model->functions[i];
        if (cnx_intern_find(&work.called, &function, sizeof function) != CNX_NONE)
            model->functions[kept++] = function;
        else
            cnx_explain(rewrite, "function \"%s\" is not called",
                        function->function->name != NULL ? function->function->name : "");
    }
    size_t dropped = model->function_count - kept;
    model->function_count = kept;
    cnx_arena_destroy(work.arena);
    return dropped;
}

size_t cnx_pass_dead(cnx_rewrite *rewrite)
{
    size_t changed = 0;
    size_t count;
    cnx_graph **graphs = cnx_rewrite_graphs(rewrite, &count);
    while (count != 0)
        changed += clean_graph(rewrite, graphs[--count]);
    return changed + drop_functions(rewrite);
}
