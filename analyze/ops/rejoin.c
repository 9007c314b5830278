/* An axis taken apart into single positions and put together again.
 *
 * torch.repeat_interleave is exported so: Split into single positions (key heads, pairs of a rotary table),
 * Unsqueeze, Expand and Reshape of each, and a Concat of the results. Followed node by node, every position
 * would be told apart from the others, for a Split lists each as a tensor of its own; that all of them are
 * treated alike is to be seen at the end only.
 *
 * So the Split hands out parts without labels and states nothing. The Concat compares the chains of all
 * parts, operator by operator and extent by extent, and applies one of them to the whole tensor instead, with
 * the axis that was split moved to the front, where it takes part in nothing: f of every position at once.
 * Then that axis is merged into the one that the parts are joined along. Only layout operators may stand in a
 * chain. What those do is given by the extents before and after (and a Transpose's order), so that chains are
 * alike if these are.
 */
#include "analyze/ops/rejoin.h"

#include "analyze/ops/compose.h"
#include "analyze/scaling/scaling.h"

#define MOST_STEPS 8u

typedef struct chain {
    uint32_t steps[MOST_STEPS]; /* nodes */
    uint32_t step_count;
    const cnx_node *join;
    uint32_t slot; /* which input of `join` */
} chain;

static bool is_operator(const cnx_node *node, const char *name)
{
    return node->domain[0] == '\0' && strcmp(node->op_type, name) == 0;
}

bool cnx_is_layout(const cnx_node *node)
{
    static const char *const names[] = {"Expand",  "Flatten",   "Identity", "Reshape",
                                        "Squeeze", "Transpose", "Unsqueeze"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (is_operator(node, names[i]))
            return true;
    return false;
}

/* The one use of a value, or NULL: it has none or several, or nested graphs or the caller see it. */
static const cnx_use *only_use(const cnx_graph *graph, uint32_t value)
{
    const cnx_value *v = &graph->values[value];
    return v->use_count == 1 && !v->is_output && v->uses[0].slot != CNX_NONE ? &v->uses[0] : NULL;
}

/* Follows layout operators from `value` to a node called `end`; false when there is another on the way. */
static bool follow_chain(const cnx_graph *graph, uint32_t value, const char *end, chain *c)
{
    *c = (chain){.step_count = 0};
    for (;;) {
        const cnx_use *use = only_use(graph, value);
        if (use == NULL)
            return false;
        const cnx_node *node = &graph->nodes[use->node];
        if (is_operator(node, end)) {
            c->join = node;
            c->slot = use->slot;
            return true;
        }
        if (!cnx_is_layout(node) || use->slot != 0 || node->output_count != 1 ||
            node->outputs[0] == CNX_NONE || c->step_count == MOST_STEPS)
            return false;
        c->steps[c->step_count++] = use->node;
        value = node->outputs[0];
    }
}

static bool same_order(const cnx_graph *graph, const cnx_node *a, const cnx_node *b)
{
    size_t count, other;
    const int64_t *order = cnx_attribute_ints(graph, a, "perm", &count);
    const int64_t *second = cnx_attribute_ints(graph, b, "perm", &other);
    return count == other && (count == 0 || memcmp(order, second, count * sizeof *order) == 0);
}

bool cnx_are_same_layout(const cnx_graph *graph, const cnx_node *x, const cnx_node *y)
{
    return cnx_is_layout(x) && cnx_is_layout(y) && strcmp(x->op_type, y->op_type) == 0 &&
           (!is_operator(x, "Transpose") || same_order(graph, x, y));
}

static bool same_operators(const cnx_graph *graph, const chain *a, const chain *b)
{
    if (a->step_count != b->step_count || a->join != b->join)
        return false;
    for (uint32_t i = 0; i < a->step_count; i++) {
        const cnx_node *x = &graph->nodes[a->steps[i]], *y = &graph->nodes[b->steps[i]];
        if (!cnx_are_same_layout(graph, x, y))
            return false;
    }
    return true;
}

bool cnx_is_rejoined(const cnx_graph *graph, const cnx_node *split)
{
    chain first = {.step_count = 0}, next;
    if (split->output_count < 2)
        return false;
    for (uint32_t i = 0; i < split->output_count; i++) {
        if (split->outputs[i] == CNX_NONE || !follow_chain(graph, split->outputs[i], "Concat", &next) ||
            next.slot != i)
            return false;
        if (i == 0)
            first = next;
        if (!same_operators(graph, &first, &next))
            return false;
    }
    return first.join->input_count == split->output_count;
}

/* ---- the parts ---- */

/* The fact of one part: its extents, and nothing that could move. */
static cnx_fact part_of(cnx_rule *rule, const cnx_fact *whole, uint32_t axis)
{
    cnx_fact part = cnx_rule_fact(rule, whole->type, whole->rank);
    uint32_t reason = cnx_rule_reason(rule, "part of an axis that is put together again");
    for (uint32_t k = 0; k < part.rank; k++)
        if (k != axis && !cnx_dim_equals(rule->dims, whole->axes[k].extent, 1))
            part.axes[k] = cnx_axis_pinned(whole->axes[k].extent, reason);
    return part;
}

void cnx_rejoin_begin(cnx_rule *rule, cnx_fact whole, uint32_t axis)
{
    whole.scaling = rule->inputs[0].scaling;
    rule->deferred = true;
    cnx_sweep_set_aside(rule, whole, axis);
    for (uint32_t i = 0; i < rule->output_count; i++)
        cnx_rule_output(rule, i, part_of(rule, &whole, axis));
}

bool cnx_same_extents(const cnx_fact *a, const cnx_fact *b)
{
    bool same = a->known && b->known && a->rank == b->rank && a->rank < 60;
    for (uint32_t k = 0; same && k < a->rank; k++)
        same = a->axes[k].extent == b->axes[k].extent;
    return same;
}

/* Whether every step of both chains makes something of the same extents. */
static bool same_results(const cnx_rule *rule, const chain *a, const chain *b)
{
    for (uint32_t i = 0; i < a->step_count; i++)
        if (!cnx_same_extents(cnx_sweep_fact(rule, rule->graph->nodes[a->steps[i]].outputs[0]),
                              cnx_sweep_fact(rule, rule->graph->nodes[b->steps[i]].outputs[0])))
            return false;
    return true;
}

static bool are_alike(const cnx_rule *rule, const cnx_node *split, chain *first)
{
    chain next;
    for (uint32_t i = 0; i < split->output_count; i++)
        if (!follow_chain(rule->graph, split->outputs[i], "Concat", i == 0 ? first : &next) ||
            !same_results(rule, first, i == 0 ? first : &next))
            return false;
    return true;
}

/* ---- all parts at once ---- */

/* The whole with the axis that was split in front, and one of extent 1 in its place. */
static cnx_fact all_parts(cnx_rule *rule, const cnx_fact *whole, uint32_t axis)
{
    cnx_fact all = cnx_rule_fact(rule, whole->type, whole->rank + 1);
    all.axes[0] = whole->axes[axis];
    for (uint32_t k = 0; k < whole->rank; k++)
        if (k != axis)
            all.axes[k + 1] = whole->axes[k];
    return all;
}

static cnx_fact transposed(cnx_rule *rule, const cnx_node *node, const cnx_fact *all)
{
    cnx_fact result = cnx_rule_fact(rule, all->type, all->rank);
    size_t count;
    const int64_t *order = cnx_attribute_ints(rule->graph, node, "perm", &count);
    uint32_t rank = all->rank - 1;
    result.axes[0] = all->axes[0];
    for (uint32_t k = 0; k < rank; k++)
        result.axes[k + 1] =
            all->axes[1 + (count == rank ? cnx_rule_axis_number(rule, order[k], rank) : rank - 1 - k)];
    return result;
}

/* Axes of extent 1 become as long as those of `made`; others have to be as they are. */
static bool expand(cnx_rule *rule, const cnx_fact *made, cnx_fact *all)
{
    cnx_fact result = cnx_rule_fact(rule, all->type, made->rank + 1);
    if (made->rank + 1 < all->rank)
        return false;
    uint32_t added = made->rank + 1 - all->rank;
    result.axes[0] = all->axes[0];
    for (uint32_t k = 0; k < made->rank; k++) {
        cnx_axis *axis = &result.axes[k + 1];
        if (k >= added)
            *axis = all->axes[k + 1 - added];
        if (axis->extent == made->axes[k].extent)
            continue;
        if (!cnx_dim_equals(rule->dims, axis->extent, 1))
            return false;
        *axis = cnx_axis_any(made->axes[k].extent);
    }
    *all = result;
    return true;
}

/* The same elements in the same order, with the extents of `made` behind the first axis. */
static cnx_fact regrouped(cnx_rule *rule, const cnx_fact *made, const cnx_fact *all)
{
    cnx_dim *extents = CNX_NEW_ARRAY(rule->arena, cnx_dim, made->rank + 1u);
    extents[0] = all->axes[0].extent;
    for (uint32_t k = 0; k < made->rank; k++)
        extents[k + 1] = made->axes[k].extent;
    return cnx_rule_reshape(rule, *all, extents, made->rank + 1);
}

static bool apply_chain(cnx_rule *rule, const chain *c, cnx_fact *all)
{
    for (uint32_t i = 0; i < c->step_count; i++) {
        const cnx_node *node = &rule->graph->nodes[c->steps[i]];
        const cnx_fact *made = cnx_sweep_fact(rule, node->outputs[0]);
        if (is_operator(node, "Transpose"))
            *all = transposed(rule, node, all);
        else if (is_operator(node, "Expand") && !expand(rule, made, all))
            return false;
        else if (!is_operator(node, "Expand"))
            *all = regrouped(rule, made, all);
        cnx_rule_follow_orphans(rule, all);
    }
    return true;
}

/* The first axis merged into axis `at` of the others, on its outside. */
static cnx_fact joined(cnx_rule *rule, const cnx_fact *all, uint32_t at)
{
    cnx_fact moved = cnx_rule_fact(rule, all->type, all->rank);
    for (uint32_t k = 0; k < all->rank; k++)
        moved.axes[k] = all->axes[k < at ? k + 1 : k == at ? 0 : k];
    return cnx_fact_merge(rule, moved, at);
}

/* The Split behind an input of the Concat. */
static const cnx_node *split_behind(const cnx_rule *rule)
{
    uint32_t value = rule->input_count > 0 ? rule->node->inputs[0] : CNX_NONE;
    for (uint32_t i = 0; i <= MOST_STEPS && value != CNX_NONE; i++) {
        uint32_t producer = rule->graph->values[value].producer;
        const cnx_node *node = producer != CNX_NONE ? &rule->graph->nodes[producer] : NULL;
        if (node == NULL || is_operator(node, "Split"))
            return node;
        value = cnx_is_layout(node) ? node->inputs[0] : CNX_NONE;
    }
    return NULL;
}

bool cnx_rejoin_end(cnx_rule *rule)
{
    uint32_t axis;
    chain first;
    const cnx_node *split = is_operator(rule->node, "Concat") ? split_behind(rule) : NULL;
    const cnx_fact *whole = split != NULL ? cnx_sweep_take_aside(rule, split, &axis) : NULL;
    if (whole == NULL)
        return false;
    const cnx_fact *part = &rule->inputs[0];
    cnx_fact all = all_parts(rule, whole, axis);
    if (!part->known || part->rank == 0 || !are_alike(rule, split, &first) ||
        !apply_chain(rule, &first, &all)) {
        cnx_rule_pin_fact(rule, *whole, "parts that are treated differently");
        cnx_scaling_fix(rule->analysis->scaling, CNX_SIGN_AND_SCALE, whole->scaling);
        return false;
    }
    uint32_t at = cnx_rule_axis_number(rule, cnx_rule_int(rule, "axis", 1), part->rank);
    for (uint32_t i = 0; i < rule->input_count; i++)
        cnx_rule_input(rule, i);
    cnx_rule_output(rule, 0, joined(rule, &all, at));
    rule->carried = whole->scaling;
    return true;
}
