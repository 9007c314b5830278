/* Concat: labels of the joined axis one after the other.
 *
 * The other axes of the inputs are the same axis, and move alike, unless they are others in every part: two
 * matrices stacked into one tensor (the directions of a recurrent layer), or last states of several layers.
 * Then the axis of the output varies over the joined axis, and holds each part's own points. */
#include "analyze/ops/compose.h"
#include "analyze/ops/rejoin.h"
#include "analyze/scaling/scaling.h"

/* ---- copies ---- */

/* Values that are made alike more layout operators than this away are not seen to be the same. */
#define MOST_STEPS 8u

/* Whether two values hold the same elements: they are one value, or one value laid out twice in the same way
 * (an Unsqueeze of its own for every copy). */
static bool is_same_value(const cnx_rule *rule, uint32_t a, uint32_t b)
{
    const cnx_graph *graph = rule->graph;
    for (uint32_t i = 0; i <= MOST_STEPS && a != b; i++) {
        uint32_t first = graph->values[a].producer, second = graph->values[b].producer;
        if (first == CNX_NONE || second == CNX_NONE ||
            !cnx_same_extents(cnx_sweep_fact(rule, a), cnx_sweep_fact(rule, b)))
            return false;
        const cnx_node *x = &graph->nodes[first], *y = &graph->nodes[second];
        if (!cnx_are_same_layout(graph, x, y) || x->inputs[0] == CNX_NONE || y->inputs[0] == CNX_NONE)
            return false;
        a = x->inputs[0];
        b = y->inputs[0];
    }
    return a == b;
}

/* Whether a value is a stored tensor, or one laid out anew. */
static bool is_stored(const cnx_rule *rule, uint32_t value)
{
    const cnx_graph *graph = rule->graph;
    for (;;) {
        const cnx_value *v = &graph->values[value];
        const cnx_node *node = v->producer != CNX_NONE ? &graph->nodes[v->producer] : NULL;
        if (node == NULL)
            return v->initializer != NULL || v->captured_from != CNX_NONE;
        if (strcmp(node->op_type, "Constant") == 0)
            return true;
        if (!cnx_is_layout(node) || node->inputs[0] == CNX_NONE)
            return false;
        value = node->inputs[0];
    }
}

/* Not of the elements of a sequence, which are no inputs of the node. And not of stored tensors: that these
 * are shared means nothing, for each use could have a tensor of its own, as in the canonical form. */
static bool joins_copies(const cnx_rule *rule)
{
    if (rule->input_count != rule->node->input_count || rule->node->inputs[0] == CNX_NONE ||
        is_stored(rule, rule->node->inputs[0]))
        return false;
    for (uint32_t i = 0; i < rule->input_count; i++)
        if (!rule->present[i] || rule->node->inputs[i] == CNX_NONE ||
            !is_same_value(rule, rule->node->inputs[0], rule->node->inputs[i]))
            return false;
    return rule->input_count > 1;
}

/* One value again and again is what Tile makes: its copies go in any order. */
static void join_copies(cnx_rule *rule, uint32_t axis)
{
    cnx_scaling_log *log = rule->analysis->scaling;
    cnx_fact *facts = CNX_NEW_ARRAY(rule->arena, cnx_fact, rule->input_count);
    for (uint32_t i = 0; i < rule->input_count; i++) {
        facts[i] = cnx_rule_input(rule, i);
        for (uint32_t k = 0; k < facts[i].rank && facts[i].scaling != facts[0].scaling; k++)
            cnx_scaling_equal(log, CNX_SIGN_AND_SCALE, facts[0].scaling, k, facts[i].scaling, k);
    }
    cnx_fact output = cnx_rule_broadcast(rule, facts, rule->input_count, facts[0].type);
    output.axes[axis] = cnx_axis_merge(rule->points, cnx_axis_any(cnx_rule_number(rule, rule->input_count)),
                                       output.axes[axis], cnx_rule_reason(rule, "repeated axis"));
    cnx_rule_output(rule, 0, output);
    rule->carried = facts[0].scaling;
}

/* ---- parts ---- */

typedef struct joining {
    cnx_rule *rule;
    uint32_t axis;
    uint32_t count;
    cnx_fact *facts;
    cnx_axis *parts; /* of the joined axis */
} joining;

static bool is_one(const joining *j, cnx_axis axis)
{
    return cnx_dim_equals(j->rule->dims, axis.extent, 1);
}

static bool varies_over(cnx_axis axis, cnx_axis blocks)
{
    return axis.kind == CNX_AXIS_LABELS && blocks.kind == CNX_AXIS_LABELS &&
           axis.labels->over == blocks.labels;
}

/* Whether axis `k` of part `i` holds points that can be that part's own. */
static bool is_of_part(const joining *j, uint32_t i, uint32_t k)
{
    cnx_axis axis = j->facts[i].axes[k], part = j->parts[i];
    if (axis.kind != CNX_AXIS_LABELS || axis.repeats != NULL)
        return false;
    if (varies_over(axis, part))
        return part.repeats == NULL && part.labels->over == NULL;
    return axis.labels->over == NULL && is_one(j, part);
}

/* Whether all positions are known to be the same: two tensors that met elsewhere may have labels of their own
 * for one axis. */
static bool is_same_axis(const joining *j, const cnx_sequence *a, const cnx_sequence *b)
{
    bool same = a->count == b->count;
    for (uint32_t i = 0; i < a->count && same && a != b; i++)
        same = cnx_point_twin(j->rule->points, a->points[i]) == cnx_point_twin(j->rule->points, b->points[i]);
    return same;
}

/* Whether axis `k` is another one in every part, and can be followed as such. */
static bool differs_by_part(const joining *j, uint32_t k)
{
    bool differs = false;
    if (k == j->axis || j->count < 2)
        return false;
    for (uint32_t i = 0; i < j->count; i++) {
        if (!is_of_part(j, i, k) || j->facts[i].axes[k].labels->extent != j->facts[0].axes[k].labels->extent)
            return false;
        differs =
            differs || varies_over(j->facts[i].axes[k], j->parts[i]) ||
            !is_same_axis(j, j->facts[i].axes[k].labels->sequence, j->facts[0].axes[k].labels->sequence);
    }
    return differs;
}

/* The points of axis `k` in all parts, one part after the other, over the joined axis `blocks`. */
static cnx_axis axis_by_part(joining *j, uint32_t k, cnx_axis blocks)
{
    cnx_rule *rule = j->rule;
    uint32_t reason = cnx_rule_reason(rule, "concatenated axis");
    cnx_axis *rows = CNX_NEW_ARRAY(rule->arena, cnx_axis, j->count);
    cnx_dim extent = j->facts[0].axes[k].extent, total = cnx_rule_number(rule, 0);
    for (uint32_t i = 0; i < j->count; i++) {
        rows[i] = cnx_axis_flat(rule->points, j->facts[i].axes[k]);
        total = cnx_dim_add(rule->dims, total, rows[i].extent);
    }
    cnx_axis all = cnx_axis_concat(rule->points, rows, j->count, total, reason);
    return cnx_axis_rows(rule->points, all, extent, blocks, reason);
}

/* A part that varies over blocks of its own tensor, varying over the axis that the output has there. */
static cnx_axis over_output_blocks(cnx_rule *rule, cnx_axis part, const cnx_fact *fact,
                                   const cnx_fact *output)
{
    if (part.kind != CNX_AXIS_LABELS || part.labels->over == NULL)
        return part;
    for (uint32_t k = 0; k < fact->rank; k++)
        if (fact->axes[k].kind == CNX_AXIS_LABELS && fact->axes[k].labels == part.labels->over &&
            output->axes[k].kind == CNX_AXIS_LABELS &&
            output->axes[k].labels->sequence->count == part.labels->over->sequence->count)
            return cnx_axis_over(rule->points, part, output->axes[k].labels);
    return part;
}

static joining read_parts(cnx_rule *rule, uint32_t rank, cnx_dim *extent)
{
    joining j = {.rule = rule, .count = rule->input_count};
    j.axis = cnx_rule_axis_number(rule, cnx_rule_int(rule, "axis", 1), rank);
    j.facts = CNX_NEW_ARRAY(rule->arena, cnx_fact, j.count);
    j.parts = CNX_NEW_ARRAY(rule->arena, cnx_axis, j.count);
    for (uint32_t i = 0; i < j.count; i++) {
        if (!cnx_rule_has(rule, i) || rule->inputs[i].rank != rank)
            cnx_fail(rule->arena, CNX_ERROR_GRAPH, cnx_node_place(rule->graph, rule->node),
                     "input %u has another number of axes than input 0 (%u)", i, rank);
        j.facts[i] = cnx_rule_input(rule, i);
        j.parts[i] = j.facts[i].axes[j.axis];
        *extent = cnx_dim_add(rule->dims, *extent, j.parts[i].extent);
    }
    return j;
}

/* Takes the axes that differ by part out of the facts; what varies over a part otherwise is the same in all
 * of its blocks from now on, for they are joined with others and name nothing any more. */
static uint64_t take_out(joining *j, uint32_t rank, cnx_axis *const *kept)
{
    uint64_t different = 0;
    for (uint32_t k = 0; k < rank; k++)
        if (differs_by_part(j, k))
            different |= UINT64_C(1) << k;
    for (uint32_t i = 0; i < j->count; i++) {
        memcpy(kept[i], j->facts[i].axes, rank * sizeof *kept[i]);
        for (uint32_t k = 0; k < rank; k++) {
            cnx_axis *axis = &j->facts[i].axes[k];
            if (k == j->axis || (different >> k & 1) != 0)
                *axis = cnx_axis_any(cnx_rule_number(j->rule, 1));
            else if (j->count > 1 && varies_over(*axis, j->parts[i]))
                *axis = cnx_axis_forget_blocks(j->rule->points, *axis, j->parts[i].labels);
        }
    }
    return different;
}

void cnx_apply_concat(cnx_rule *rule)
{
    uint32_t rank = rule->inputs[0].rank;
    if (rank == 0) {
        cnx_rule_pin_all(rule, "scalar operands");
        return;
    }
    if (joins_copies(rule)) {
        join_copies(rule, cnx_rule_axis_number(rule, cnx_rule_int(rule, "axis", 1), rank));
        return;
    }
    cnx_dim extent = cnx_rule_number(rule, 0);
    joining j = read_parts(rule, rank, &extent);
    int64_t number;
    uint32_t reason = cnx_rule_reason(rule, cnx_dim_is_number(rule->dims, extent, &number)
                                                ? "joined parts that vary over different blocks"
                                                : "parts of unknown size that are joined");
    cnx_axis **kept = CNX_NEW_ARRAY(rule->arena, cnx_axis *, j.count);
    for (uint32_t i = 0; i < j.count; i++)
        kept[i] = CNX_NEW_ARRAY(rule->arena, cnx_axis, rank);
    uint64_t different = take_out(&j, rank, kept);
    cnx_fact output = cnx_rule_broadcast(rule, j.facts, j.count, rule->inputs[0].type);
    for (uint32_t i = 0; i < j.count; i++) { /* blocks of other axes, as the output names them */
        j.parts[i] = over_output_blocks(rule, j.parts[i], &j.facts[i], &output);
        if (different != 0 && j.parts[i].kind != CNX_AXIS_LABELS)
            j.parts[i] = cnx_axis_one(rule->points, cnx_rule_reason(rule, "place of a joined part"));
        j.facts[i].axes = kept[i];
    }
    output.axes[j.axis] = cnx_axis_concat(rule->points, j.parts, j.count, extent, reason);
    for (uint32_t k = 0; k < rank; k++)
        if ((different >> k & 1) != 0)
            output.axes[k] = axis_by_part(&j, k, output.axes[j.axis]);
    cnx_rule_output(rule, 0, output);
}
