/* Removes nodes that change the shape or the type in general, but not here: where the analysis proves that
 * the output has the type and, axis by axis, the extents of the input, or of a value from which the input
 * was made by such nodes alone. Extents may be symbols; equal ones are equal whatever their value. So a
 * Reshape to another shape and one back go together, as do a Cast to a type that holds every number of the
 * first and one back.
 *
 * All of these operators keep the elements in their order (Expand and Tile of equal shapes copy once), so
 * equal shape means equal value. Facts exist for the main graph only.
 *
 * A node is compared with all values before it in its chain, not only with those that stay: in a chain of
 * shapes a, b, a, b the third is the first, but the fourth is the second, and must not become a twin of it.
 */
#include "analyze/analysis.h"
#include "rewrite/edit.h"

/* Nodes of a chain that are looked at: exporters write two or three, and time shall not grow with the square
 * of what others write. */
enum { LONGEST_CHAIN = 64 };

#define BIT(type) ((uint64_t)1 << CNX_TYPE_##type)
#define ABOVE_16 (BIT(INT32) | BIT(INT64) | BIT(FLOAT) | BIT(DOUBLE))
#define ABOVE_8 (BIT(INT16) | BIT(FLOAT16) | ABOVE_16)
#define UNSIGNED_ABOVE_16 (BIT(UINT32) | BIT(UINT64))

/* The types that hold every number of a type (NaNs become quiet ones). */
static const uint64_t wider[] = {
    [CNX_TYPE_BOOL] = BIT(INT8) | BIT(UINT8) | BIT(UINT16) | BIT(BFLOAT16) | ABOVE_8 | UNSIGNED_ABOVE_16,
    [CNX_TYPE_INT8] = ABOVE_8,
    [CNX_TYPE_UINT8] = BIT(UINT16) | ABOVE_8 | UNSIGNED_ABOVE_16,
    [CNX_TYPE_INT16] = ABOVE_16,
    [CNX_TYPE_UINT16] = ABOVE_16 | UNSIGNED_ABOVE_16,
    [CNX_TYPE_INT32] = BIT(INT64) | BIT(DOUBLE),
    [CNX_TYPE_UINT32] = BIT(INT64) | BIT(UINT64) | BIT(DOUBLE),
    [CNX_TYPE_FLOAT16] = BIT(FLOAT) | BIT(DOUBLE),
    [CNX_TYPE_BFLOAT16] = BIT(FLOAT) | BIT(DOUBLE),
    [CNX_TYPE_FLOAT] = BIT(DOUBLE),
};

static bool holds(int32_t other, int32_t type)
{
    if (type <= 0 || other <= 0 || other >= 64)
        return false;
    return other == type || ((size_t)type < sizeof wider / sizeof wider[0] && wider[type] >> other & 1);
}

static bool is_one_of(const cnx_node *node, const char *const *names)
{
    for (; *names != NULL; names++)
        if (cnx_node_is(node, *names))
            return true;
    return false;
}

/* The same elements in the same order, with whatever shape and type. */
static bool keeps_elements(const cnx_node *node)
{
    static const char *const names[] = {"Cast", "Flatten", "Reshape", "Squeeze", "Unsqueeze", NULL};
    return is_one_of(node, names);
}

static bool is_candidate(const cnx_node *node)
{
    static const char *const copiers[] = {"Expand", "Tile", NULL};
    return node->input_count != 0 && node->inputs[0] != CNX_NONE && node->output_count == 1 &&
           node->outputs[0] != CNX_NONE && (keeps_elements(node) || is_one_of(node, copiers));
}

static bool same_shape(const cnx_fact *a, const cnx_fact *b)
{
    if (!a->known || !b->known || a->rank != b->rank)
        return false;
    for (uint32_t i = 0; i < a->rank; i++)
        if (a->axes[i].extent != b->axes[i].extent)
            return false;
    return true;
}

/* The nearest value before the candidate that its output equals, or CNX_NONE. */
static uint32_t value_before(const cnx_analysis *analysis, const cnx_graph *graph, const cnx_node *node)
{
    const cnx_fact *out = &analysis->facts[node->outputs[0]];
    bool shape_differs = false; /* Casts leave the shape alone, known or not */
    for (uint32_t step = 0; step < LONGEST_CHAIN; step++) {
        uint32_t value = node->inputs[0];
        const cnx_fact *in = &analysis->facts[value];
        shape_differs |= !cnx_node_is(node, "Cast");
        if (in->type == out->type && in->type != 0 && (!shape_differs || same_shape(in, out)))
            return value;
        uint32_t producer = graph->values[value].producer;
        if (!keeps_elements(node) || !holds(in->type, out->type) || producer == CNX_NONE)
            return CNX_NONE;
        node = &graph->nodes[producer];
        if (!is_candidate(node) || !keeps_elements(node))
            return CNX_NONE;
    }
    return CNX_NONE;
}

size_t cnx_pass_reshapes(cnx_rewrite *rewrite)
{
    cnx_graph *graph = rewrite->model->graph;
    bool any = false;
    for (uint32_t i = 0; i < graph->order_count && !any; i++)
        any = is_candidate(&graph->nodes[graph->order[i]]);
    if (!any)
        return 0;
    const cnx_analysis *analysis = cnx_rewrite_shapes(rewrite);
    cnx_edits *edits = cnx_edits_begin(rewrite, graph);
    for (uint32_t i = 0; i < graph->order_count; i++) {
        const cnx_node *node = &graph->nodes[graph->order[i]];
        uint32_t value = is_candidate(node) ? value_before(analysis, graph, node) : CNX_NONE;
        if (value != CNX_NONE)
            cnx_edit_forward(edits, graph->order[i], value);
    }
    return cnx_edits_apply(edits);
}
