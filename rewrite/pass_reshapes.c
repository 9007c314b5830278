/* Removes nodes that change the shape or the type in general, but not here: where the analysis proves that
 * the output has the type and, axis by axis, the extents of the input. Extents may be symbols; equal ones are
 * equal whatever their value.
 *
 * All of these operators keep the elements in their order (Expand and Tile of equal shapes copy once), so
 * equal shape means equal value. Facts exist for the main graph only. */
#include "analyze/analysis.h"
#include "rewrite/edit.h"

static bool keeps_order(const cnx_node *node)
{
    static const char *const names[] = {"Cast", "Expand", "Flatten", "Reshape", "Squeeze", "Tile"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (cnx_node_is(node, names[i]))
            return true;
    return false;
}

static bool is_candidate(const cnx_node *node)
{
    return node->input_count != 0 && node->inputs[0] != CNX_NONE && node->output_count == 1 &&
           node->outputs[0] != CNX_NONE && keeps_order(node);
}

static bool same_fact(const cnx_fact *a, const cnx_fact *b)
{
    if (!a->known || !b->known || a->type == 0 || a->type != b->type || a->rank != b->rank)
        return false;
    for (uint32_t i = 0; i < a->rank; i++)
        if (a->axes[i].extent != b->axes[i].extent)
            return false;
    return true;
}

/* A Cast is a copy when the types agree, whatever the shape. */
static bool is_copy(const cnx_analysis *analysis, const cnx_node *node)
{
    const cnx_fact *in = &analysis->facts[node->inputs[0]];
    const cnx_fact *out = &analysis->facts[node->outputs[0]];
    if (cnx_node_is(node, "Cast"))
        return in->type != 0 && in->type == out->type;
    return same_fact(in, out);
}

size_t cnx_pass_reshapes(cnx_rewrite *rewrite)
{
    cnx_graph *graph = rewrite->model->graph;
    bool any = false;
    for (uint32_t i = 0; i < graph->order_count && !any; i++)
        any = is_candidate(&graph->nodes[graph->order[i]]);
    if (!any)
        return 0;
    const cnx_analysis *analysis = cnx_rewrite_facts(rewrite);
    cnx_edits *edits = cnx_edits_begin(rewrite, graph);
    for (uint32_t i = 0; i < graph->order_count; i++) {
        const cnx_node *node = &graph->nodes[graph->order[i]];
        if (is_candidate(node) && is_copy(analysis, node))
            cnx_edit_forward(edits, graph->order[i], node->inputs[0]);
    }
    return cnx_edits_apply(edits);
}
