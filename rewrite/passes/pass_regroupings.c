/* A Reshape, a Squeeze or an Unsqueeze has one spelling where it is known what it does. One that takes away
 * axes of extent 1, or adds some, is a Squeeze or an Unsqueeze that names them, the last ones if it could be
 * others; a Reshape to a single axis asks for -1.
 *
 * This is what makes the pass `reshapes` confluent: of a chain of shapes a, b, a, b it keeps one node from a
 * to b, and it must not matter which. Facts exist for the main graph only. */
#include "analyze/analysis.h"
#include "rewrite/edit.h"
#include "rewrite/trace.h"

#include <inttypes.h>

enum { MOST_AXES = 64 };

/* Axes of extent 1, ascending. */
typedef struct axis_list {
    int64_t axes[MOST_AXES];
    uint32_t count;
} axis_list;

/* Whether one shape is the other with axes of extent 1 besides: the last ones where others are equal to them.
 */
static bool find_added(const cnx_analysis *analysis, const cnx_fact *less, const cnx_fact *more,
                       axis_list *added)
{
    uint32_t next = 0;
    added->count = 0;
    if (more->rank > MOST_AXES || more->rank <= less->rank)
        return false;
    for (uint32_t k = 0; k < more->rank; k++)
        if (next < less->rank && more->axes[k].extent == less->axes[next].extent)
            next++;
        else if (cnx_dim_equals(analysis->dims, more->axes[k].extent, 1))
            added->axes[added->count++] = k;
        else
            return false;
    return next == less->rank;
}

/* Attributes that nobody knows may mean something. */
static bool has_known_attributes(const cnx_node *node)
{
    static const char *const known[] = {"allowzero", "axes", "shape"};
    size_t found = 0;
    for (size_t i = 0; i < node->proto->n_attribute; i++)
        for (size_t k = 0; k < sizeof known / sizeof known[0]; k++)
            found += strcmp(node->proto->attribute[i]->name, known[k]) == 0;
    return found == node->proto->n_attribute;
}

static bool is_regrouping(const cnx_node *node)
{
    bool named =
        cnx_node_is(node, "Reshape") || cnx_node_is(node, "Squeeze") || cnx_node_is(node, "Unsqueeze");
    return named && node->input_count != 0 && node->inputs[0] != CNX_NONE && node->output_count == 1 &&
           node->outputs[0] != CNX_NONE && has_known_attributes(node);
}

/* From operator set 13 on (Reshape: 5) what was an attribute before is an input. */
static bool takes_input(const cnx_node *node, const char *name)
{
    return node->opset >= (strcmp(name, "Reshape") == 0 ? 5u : 13u);
}

/* Whether the node is called so and says these numbers already. */
static bool says(cnx_graph *graph, const cnx_node *node, const char *name, const char *attribute,
                 const int64_t *numbers, uint32_t count)
{
    if (!cnx_node_is(node, name))
        return false;
    size_t given = 0;
    const int64_t *ints = cnx_attribute_ints(graph, node, attribute, &given);
    if (!takes_input(node, name))
        return given == count && (count == 0 || memcmp(ints, numbers, count * sizeof *ints) == 0);
    cnx_tensor *tensor = node->proto->n_attribute == 0 ? cnx_node_constant(graph, node, 1) : NULL;
    bool same =
        tensor != NULL && tensor->type == CNX_TYPE_INT64 && tensor->rank == 1 && tensor->count == count;
    for (uint32_t i = 0; i < count && same; i++)
        same = cnx_tensor_integer(graph->model, tensor, i) == numbers[i];
    return same;
}

static uint32_t add_numbers(cnx_graph *graph, const char *like, const int64_t *numbers, uint32_t count)
{
    cnx_arena *arena = graph->model->arena;
    int64_t dims = count;
    uint8_t *bytes = cnx_alloc(arena, count * sizeof *numbers);
    for (uint32_t i = 0; i < 8 * count; i++)
        bytes[i] = (uint8_t)((uint64_t)numbers[i / 8] >> i % 8 * 8);
    uint32_t id = cnx_graph_add_value(graph, cnx_print(arena, "%s_axes", like));
    graph->values[id].initializer = cnx_tensor_make(graph->model, CNX_TYPE_INT64, 1, &dims, bytes);
    return id;
}

static const char *numbers_text(cnx_arena *arena, const int64_t *numbers, uint32_t count)
{
    const char *text = "";
    for (uint32_t i = 0; i < count; i++)
        text = cnx_print(arena, "%s%s%" PRId64, text, i == 0 ? "" : ", ", numbers[i]);
    return text;
}

/* Makes the node one that is called `name` and has these numbers, in an input or in `attribute`. */
static size_t become(cnx_rewrite *rewrite, cnx_graph *graph, cnx_node *node, const char *name,
                     const char *attribute, const int64_t *numbers, uint32_t count)
{
    cnx_arena *arena = graph->model->arena;
    if (says(graph, node, name, attribute, numbers, count))
        return 0;
    uint32_t *inputs = CNX_NEW_ARRAY(arena, uint32_t, 2);
    inputs[0] = node->inputs[0];
    node->proto->n_attribute = 0;
    node->input_count = 1;
    if (takes_input(node, name)) {
        inputs[1] = add_numbers(graph, graph->values[node->outputs[0]].name, numbers, count);
        node->input_count = 2;
    } else {
        node->proto->attribute = CNX_NEW(arena, Onnx__AttributeProto *);
        node->proto->attribute[node->proto->n_attribute++] =
            cnx_attribute_make_ints(arena, attribute, numbers, count);
    }
    node->inputs = inputs;
    cnx_explain_node(rewrite, graph, node, "becomes %s, %s %s", name, attribute,
                     numbers_text(rewrite->arena, numbers, count));
    node->proto->op_type = (char *)(uintptr_t)cnx_copy_text(arena, name);
    node->op_type = node->proto->op_type;
    return 1;
}

static size_t visit(cnx_rewrite *rewrite, const cnx_analysis *analysis, cnx_graph *graph, cnx_node *node)
{
    static const int64_t all = -1;
    const cnx_fact *in = &analysis->facts[node->inputs[0]], *out = &analysis->facts[node->outputs[0]];
    axis_list list;
    if (!in->known || !out->known)
        return 0;
    if (find_added(analysis, out, in, &list))
        return become(rewrite, graph, node, "Squeeze", "axes", list.axes, list.count);
    if (find_added(analysis, in, out, &list))
        return become(rewrite, graph, node, "Unsqueeze", "axes", list.axes, list.count);
    if (out->rank == 1 && cnx_node_is(node, "Reshape"))
        return become(rewrite, graph, node, "Reshape", "shape", &all, 1);
    return 0;
}

size_t cnx_pass_regroupings(cnx_rewrite *rewrite)
{
    cnx_graph *graph = rewrite->model->graph;
    size_t changed = 0;
    bool any = false;
    for (uint32_t i = 0; i < graph->order_count && !any; i++)
        any = is_regrouping(&graph->nodes[graph->order[i]]);
    const cnx_analysis *analysis =
        any && rewrite->model->proto->ir_version >= 4 ? cnx_rewrite_shapes(rewrite) : NULL;
    for (uint32_t i = 0; analysis != NULL && i < graph->order_count; i++) {
        cnx_node *node = &graph->nodes[graph->order[i]];
        if (is_regrouping(node))
            changed += visit(rewrite, analysis, graph, node);
    }
    return changed;
}
