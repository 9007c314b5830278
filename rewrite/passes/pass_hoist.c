/* An initializer of a nested graph can as well be one of the graph around: nested graphs see everything
 * there, and a constant is the same in every round of a loop. Exporters do either, so all of them go to the
 * main graph, where equal ones can become one even if different branches read them.
 *
 * Initializers that are inputs or outputs of their graph stay: they are part of its interface. So do those
 * inside functions, which have no initializers, and in models before IR version 4, where one in the main
 * graph would have to be an input. */
#include "rewrite/pass.h"
#include "rewrite/trace.h"

/* The value moves one graph up; what is left in its place is a capture. */
static void hoist(cnx_graph *graph, uint32_t id)
{
    cnx_graph *parent = graph->parent;
    uint32_t above = cnx_graph_add_value(parent, graph->values[id].name);
    cnx_value *inner = &graph->values[id], *outer = &parent->values[above];
    outer->initializer = inner->initializer;
    outer->sparse_initializer = inner->sparse_initializer;
    outer->info = inner->info;
    outer->origins = inner->origins;
    inner->initializer = NULL;
    inner->sparse_initializer = NULL;
    inner->info = NULL;
    inner->origins = NULL;
    inner->captured_from = above;
}

static bool is_inside_function(const cnx_graph *graph)
{
    while (graph->parent != NULL)
        graph = graph->parent;
    return graph->function != NULL;
}

static size_t hoist_graph(cnx_rewrite *rewrite, cnx_graph *graph)
{
    size_t changed = 0;
    if (graph->parent == NULL || is_inside_function(graph))
        return 0;
    for (uint32_t i = 0; i < graph->value_count; i++) {
        const cnx_value *value = &graph->values[i];
        bool constant = value->initializer != NULL || value->sparse_initializer != NULL;
        if (!constant || value->is_input || value->is_output)
            continue;
        cnx_explain(rewrite, "initializer \"%s\" of graph \"%s\" moves to the graph around it", value->name,
                    graph->proto->name != NULL ? graph->proto->name : "");
        hoist(graph, i);
        changed++;
    }
    return changed;
}

size_t cnx_pass_hoist(cnx_rewrite *rewrite)
{
    if (rewrite->model->proto->ir_version < 4)
        return 0;
    size_t changed = 0, count;
    cnx_graph **graphs = cnx_rewrite_graphs(rewrite, &count);
    while (count != 0) /* inner graphs first: what they give away, the next one gives away, too */
        changed += hoist_graph(rewrite, graphs[--count]);
    return changed;
}
