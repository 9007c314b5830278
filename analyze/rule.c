#include "analyze/rule.h"

/* ---- reading ---- */

bool cnx_rule_has(const cnx_rule *rule, uint32_t i)
{
    return i < rule->input_count && rule->present[i];
}

static uint32_t resolve(const cnx_rule *rule, uint32_t i, int64_t k)
{
    return cnx_rule_axis_number(rule, k, rule->inputs[i].rank);
}

/* The axis as it is read by now: the node may have refined it where the same parameter is another input. */
static cnx_axis refined(cnx_axis axis)
{
    if (axis.kind == CNX_AXIS_LABELS && axis.labels->finer != NULL)
        axis.labels = axis.labels->finer;
    return axis;
}

cnx_axis cnx_rule_axis(cnx_rule *rule, uint32_t i, int64_t k)
{
    uint32_t axis = resolve(rule, i, k);
    rule->read[i] |= UINT64_C(1) << axis;
    return refined(rule->inputs[i].axes[axis]);
}

cnx_fact cnx_rule_input(cnx_rule *rule, uint32_t i)
{
    cnx_fact fact = rule->inputs[i];
    rule->read[i] = UINT64_MAX;
    cnx_axis *axes = CNX_NEW_ARRAY(rule->arena, cnx_axis, fact.rank);
    for (uint32_t k = 0; k < fact.rank; k++)
        axes[k] = refined(fact.axes[k]);
    fact.axes = axes;
    fact.has_content = false;
    return fact;
}

bool cnx_rule_content(const cnx_rule *rule, uint32_t i, const cnx_dim **content, size_t *count)
{
    if (i >= rule->input_count || !rule->inputs[i].has_content || rule->inputs[i].content_divisor > 1)
        return false;
    *content = rule->inputs[i].content;
    *count = rule->inputs[i].content_count;
    return true;
}

bool cnx_rule_numbers(const cnx_rule *rule, uint32_t i, const int64_t **numbers, size_t *count)
{
    const cnx_dim *content;
    if (!cnx_rule_content(rule, i, &content, count))
        return false;
    int64_t *values = CNX_NEW_ARRAY(rule->arena, int64_t, *count);
    for (size_t k = 0; k < *count; k++)
        if (!cnx_dim_is_number(rule->dims, content[k], &values[k]))
            return false;
    *numbers = values;
    return true;
}

int64_t cnx_rule_int(const cnx_rule *rule, const char *attribute, int64_t otherwise)
{
    return cnx_attribute_int(rule->graph, rule->node, attribute, otherwise);
}

const int64_t *cnx_rule_ints(const cnx_rule *rule, const char *attribute, size_t *count)
{
    return cnx_attribute_ints(rule->graph, rule->node, attribute, count);
}

uint32_t cnx_rule_axis_number(const cnx_rule *rule, int64_t axis, uint32_t rank)
{
    int64_t number = axis < 0 ? axis + (int64_t)rank : axis;
    if (number < 0 || number >= (int64_t)rank)
        cnx_fail(rule->arena, CNX_ERROR_GRAPH, cnx_node_place(rule->graph, rule->node),
                 "axis %lld does not exist (the tensor has %u)", (long long)axis, rank);
    return (uint32_t)number;
}

uint32_t cnx_rule_reason(const cnx_rule *rule, const char *what)
{
    return cnx_reason(rule->points, what, rule->graph, rule->node);
}

cnx_dim cnx_rule_number(const cnx_rule *rule, int64_t number)
{
    return cnx_dim_number(rule->dims, number);
}

/* ---- saying ---- */

cnx_axis cnx_rule_pin(cnx_rule *rule, uint32_t i, int64_t k, const char *what)
{
    cnx_axis axis = cnx_rule_axis(rule, i, k);
    return cnx_axis_pin(rule->points, axis, cnx_rule_reason(rule, what));
}

void cnx_rule_pin_all(cnx_rule *rule, const char *what)
{
    cnx_rule_pin_inputs(rule, cnx_rule_reason(rule, what));
}

void cnx_fact_pin(cnx_points *points, const cnx_fact *fact, uint32_t reason)
{
    for (uint32_t k = 0; k < fact->rank; k++)
        cnx_axis_pin(points, fact->axes[k], reason);
    for (uint32_t i = 0; fact->sequence != NULL && i < fact->sequence->count; i++)
        cnx_fact_pin(points, &fact->sequence->items[i], reason);
}

void cnx_rule_pin_inputs(cnx_rule *rule, uint32_t reason)
{
    for (uint32_t i = 0; i < rule->input_count; i++) {
        rule->read[i] = UINT64_MAX;
        if (rule->present[i])
            cnx_fact_pin(rule->points, &rule->inputs[i], reason);
    }
}

/* The better known of two extents that are the same: a number, else what symbols of inputs make up, else the
 * shorter text (of a table cut to the length, min(512, length), and the length). Which of the two comes first
 * in the node does not matter: canonical order may exchange them. */
static cnx_dim better_known(const cnx_rule *rule, cnx_dim a, cnx_dim b)
{
    int64_t number;
    if (a == b)
        return a;
    if (cnx_dim_is_number(rule->dims, a, &number) || cnx_dim_is_number(rule->dims, b, &number))
        return cnx_dim_is_number(rule->dims, a, &number) ? a : b;
    if (cnx_dim_has_unknown(rule->dims, a) || cnx_dim_has_unknown(rule->dims, b))
        return cnx_dim_has_unknown(rule->dims, a) ? b : a;
    const char *first = cnx_dim_text(rule->dims, a), *second = cnx_dim_text(rule->dims, b);
    size_t length = strlen(first), other = strlen(second);
    return length < other || (length == other && strcmp(first, second) < 0) ? a : b;
}

cnx_axis cnx_rule_same(cnx_rule *rule, cnx_axis a, cnx_axis b)
{
    int64_t number;
    cnx_axis same = cnx_axis_unify(rule->points, a, b, cnx_rule_reason(rule, "axes with different blocks"));
    if (!cnx_dim_is_number(rule->dims, same.extent, &number))
        same.extent = better_known(rule, a.extent, b.extent);
    return same;
}

cnx_fact cnx_rule_pin_fact(cnx_rule *rule, cnx_fact fact, const char *what)
{
    for (uint32_t k = 0; k < fact.rank; k++)
        cnx_rule_pin_fact_axis(rule, &fact, k, what);
    if (fact.sequence != NULL)
        cnx_fact_pin(rule->points, &fact, cnx_rule_reason(rule, what));
    return fact;
}

void cnx_rule_pin_fact_axis(cnx_rule *rule, cnx_fact *fact, uint32_t k, const char *what)
{
    bool single = fact->axes[k].kind == CNX_AXIS_ANY && cnx_dim_equals(rule->dims, fact->axes[k].extent, 1);
    if (!single)
        fact->axes[k] = cnx_axis_pin(rule->points, fact->axes[k], cnx_rule_reason(rule, what));
}

/* ---- making outputs ---- */

cnx_fact cnx_rule_fact(cnx_rule *rule, int32_t type, uint32_t rank)
{
    cnx_fact fact = {.type = type, .known = true, .rank = rank};
    fact.axes = CNX_NEW_ARRAY(rule->arena, cnx_axis, rank);
    cnx_dim one = cnx_rule_number(rule, 1);
    for (uint32_t k = 0; k < rank; k++)
        fact.axes[k] = cnx_axis_any(one);
    return fact;
}

void cnx_rule_keep_step(cnx_rule *rule, cnx_rule_step step, cnx_fact fact)
{
    cnx_axis *axes = CNX_NEW_ARRAY(rule->arena, cnx_axis, fact.rank);
    if (fact.rank != 0)
        memcpy(axes, fact.axes, fact.rank * sizeof *axes);
    fact.axes = axes;
    fact.scaling = 0;
    rule->steps[step] = fact;
}

void cnx_rule_output(cnx_rule *rule, uint32_t output, cnx_fact fact)
{
    if (output < rule->output_count)
        rule->outputs[output] = fact;
}

/* The position of the axis whose labels are `labels`, counted from the right; 0 when there is none. */
static uint32_t place_of(const cnx_fact *fact, const cnx_labels *labels)
{
    for (uint32_t k = 0; k < fact->rank; k++)
        if (fact->axes[k].kind == CNX_AXIS_LABELS && fact->axes[k].labels == labels)
            return fact->rank - k;
    return 0;
}

static uint32_t place_of_blocks(const cnx_fact *fact, cnx_axis axis)
{
    if (axis.kind != CNX_AXIS_LABELS || axis.labels->over == NULL)
        return 0;
    return place_of(fact, axis.labels->over);
}

/* After combining, an axis may vary over blocks that another input names: name them as the result does. */
static void realign_blocks(cnx_rule *rule, cnx_fact *result, const uint32_t *blocks)
{
    for (uint32_t k = 0; k < result->rank; k++) {
        cnx_axis *axis = &result->axes[k];
        if (axis->kind != CNX_AXIS_LABELS || axis->labels->over == NULL ||
            place_of_blocks(result, *axis) != 0)
            continue;
        uint32_t place = blocks[k];
        cnx_axis named = place != 0 ? result->axes[result->rank - place] : cnx_axis_any(axis->extent);
        if (named.kind == CNX_AXIS_LABELS &&
            named.labels->sequence->count == axis->labels->over->sequence->count)
            *axis = cnx_axis_over(rule->points, *axis, named.labels);
        else
            cnx_rule_pin_fact_axis(rule, result, k, "positions that vary over a lost axis");
    }
}

/* One axis of a broadcast while inputs are combined: where its blocks are, counted from the right, and where
 * the blocks of those are; 0 for none. */
typedef struct combined {
    cnx_axis axis;
    uint32_t blocks;
    uint32_t above;
} combined;

static combined part_of(const cnx_fact *fact, uint32_t place)
{
    combined part = {.axis = fact->axes[fact->rank - place]};
    part.blocks = place_of_blocks(fact, part.axis);
    if (part.blocks != 0)
        part.above = place_of_blocks(fact, fact->axes[fact->rank - part.blocks]);
    return part;
}

/* An axis that varies over groups, seen over the members of those groups as `finer` does (keys of a group,
 * which all of its query heads use); false when that is not how they differ. */
static bool repeat_over(cnx_rule *rule, combined *coarse, const combined *finer)
{
    if (finer->above == 0 || finer->above != coarse->blocks || coarse->above != 0)
        return false;
    const cnx_labels *members = finer->axis.labels->over;
    coarse->axis = cnx_axis_repeat_blocks(rule->points, coarse->axis, coarse->axis.labels->over, members);
    coarse->blocks = finer->blocks;
    coarse->above = finer->above;
    return coarse->axis.labels->over == members;
}

static void combine(cnx_rule *rule, combined *result, combined part)
{
    if (cnx_dim_equals(rule->dims, part.axis.extent, 1))
        return;
    if (cnx_dim_equals(rule->dims, result->axis.extent, 1)) {
        *result = part;
        return;
    }
    if (part.blocks != 0 && result->blocks != 0 && part.blocks != result->blocks &&
        !repeat_over(rule, &part, result) && !repeat_over(rule, result, &part)) {
        uint32_t reason = cnx_rule_reason(rule, "axes that vary over different blocks");
        part.axis = cnx_axis_pin(rule->points, part.axis, reason);
        result->axis = cnx_axis_pin(rule->points, result->axis, reason);
    }
    result->axis = cnx_rule_same(rule, result->axis, part.axis);
    if (part.blocks != 0) {
        result->blocks = part.blocks;
        result->above = part.above;
    }
}

/* Axis `k` written out as the product it is, if it is a repeated one, and what varies over it with it. */
static cnx_fact settle_axis(cnx_rule *rule, cnx_fact fact, uint32_t k)
{
    cnx_axis before = fact.axes[k];
    cnx_fact result = cnx_rule_fact(rule, fact.type, fact.rank);
    memcpy(result.axes, fact.axes, fact.rank * sizeof *fact.axes);
    result.scaling = fact.scaling;
    result.axes[k] = cnx_axis_settle(rule->points, before, cnx_rule_reason(rule, "repeated axis"));
    for (uint32_t j = 0; j < fact.rank && result.axes[k].kind == CNX_AXIS_LABELS; j++)
        if (j != k && fact.axes[j].kind == CNX_AXIS_LABELS && fact.axes[j].labels->over == before.labels)
            result.axes[j] =
                cnx_axis_repeat_blocks(rule->points, fact.axes[j], before.labels, result.axes[k].labels);
    return result;
}

static bool is_labelled_at(const cnx_fact *fact, uint32_t place, bool repeated)
{
    if (fact->rank < place)
        return false;
    cnx_axis axis = fact->axes[fact->rank - place];
    return axis.kind == CNX_AXIS_LABELS && (axis.repeats != NULL) == repeated;
}

/* Where an axis of blocks that is repeated as a whole (all key heads, and all of them again) meets one that
 * is not, it is written out, before what varies over it loses the name of its blocks. */
static const cnx_fact *settle_repeats(cnx_rule *rule, const cnx_fact *facts, size_t count, uint32_t rank)
{
    cnx_fact *settled = CNX_NEW_ARRAY(rule->arena, cnx_fact, count);
    memcpy(settled, facts, count * sizeof *settled);
    for (uint32_t place = 1; place <= rank; place++) {
        bool plain = false;
        for (size_t i = 0; i < count; i++)
            plain = plain || is_labelled_at(&settled[i], place, false);
        for (size_t i = 0; i < count && plain; i++)
            if (is_labelled_at(&settled[i], place, true))
                settled[i] = settle_axis(rule, settled[i], settled[i].rank - place);
    }
    return settled;
}

cnx_fact cnx_rule_broadcast(cnx_rule *rule, const cnx_fact *facts, size_t count, int32_t type)
{
    uint32_t rank = 0;
    for (size_t i = 0; i < count; i++)
        rank = facts[i].rank > rank ? facts[i].rank : rank;
    facts = settle_repeats(rule, facts, count, rank);
    cnx_fact result = cnx_rule_fact(rule, type, rank);
    uint32_t *blocks = CNX_NEW_ARRAY(rule->arena, uint32_t, rank);
    for (uint32_t place = rank; place >= 1; place--) {
        combined axis = {.axis = result.axes[rank - place]};
        for (size_t i = 0; i < count; i++)
            if (facts[i].rank >= place)
                combine(rule, &axis, part_of(&facts[i], place));
        result.axes[rank - place] = axis.axis;
        blocks[rank - place] = axis.blocks;
    }
    realign_blocks(rule, &result, blocks);
    return result;
}

static void forget_axis(cnx_rule *rule, cnx_fact *fact, cnx_axis gone)
{
    if (gone.kind != CNX_AXIS_LABELS)
        return;
    for (uint32_t k = 0; k < fact->rank; k++)
        fact->axes[k] = cnx_axis_forget_blocks(rule->points, fact->axes[k], gone.labels);
}

void cnx_rule_mix(cnx_rule *rule, cnx_fact *fact, uint64_t mixed)
{
    for (uint32_t k = 0; k < fact->rank; k++)
        for (uint32_t j = 0; j < fact->rank && (mixed >> k & 1) != 0; j++)
            if ((mixed >> j & 1) == 0 && fact->axes[k].kind == CNX_AXIS_LABELS)
                fact->axes[j] = cnx_axis_forget_blocks(rule->points, fact->axes[j], fact->axes[k].labels);
}

cnx_fact cnx_rule_reduce(cnx_rule *rule, cnx_fact fact, uint64_t dropped, bool keep)
{
    for (uint32_t k = 0; k < fact.rank; k++)
        if ((dropped >> k & 1) != 0) {
            cnx_axis gone = fact.axes[k];
            fact.axes[k] = cnx_axis_any(cnx_rule_number(rule, 1));
            forget_axis(rule, &fact, gone);
        }
    if (keep)
        return fact;
    uint32_t rank = 0;
    for (uint32_t k = 0; k < fact.rank; k++)
        if ((dropped >> k & 1) == 0)
            fact.axes[rank++] = fact.axes[k];
    fact.rank = rank;
    return fact;
}

cnx_fact cnx_rule_gather(cnx_rule *rule, cnx_fact fact, uint32_t k, const uint32_t *index, uint32_t count)
{
    uint32_t reason = cnx_rule_reason(rule, "positions selected by number");
    cnx_axis before = cnx_axis_settle(rule->points, fact.axes[k], reason);
    fact.axes[k] = cnx_axis_gather(rule->points, before, index, count, reason);
    if (before.kind != CNX_AXIS_LABELS || fact.axes[k].kind != CNX_AXIS_LABELS ||
        fact.axes[k].labels == before.labels)
        return fact;
    cnx_block_gather gather = {
        .from = before.labels, .to = fact.axes[k].labels, .index = index, .count = count};
    for (uint32_t j = 0; j < fact.rank; j++)
        if (j != k)
            fact.axes[j] = cnx_axis_gather_blocks(rule->points, fact.axes[j], &gather);
    return fact;
}

/* ---- reshape ---- */

typedef struct reshape_state {
    cnx_rule *rule;
    cnx_axis *axes; /* of the input, without those of extent 1 */
    uint32_t count;
    uint32_t next;
    uint32_t reason;
} reshape_state;

/* Whether b divides a exactly; then *quotient = a / b. */
static bool divides(cnx_rule *rule, cnx_dim a, cnx_dim b, cnx_dim *quotient)
{
    int64_t x, y;
    if (cnx_dim_is_number(rule->dims, b, &y) && y == 0)
        return false;
    if (cnx_dim_is_number(rule->dims, a, &x) && x == 0)
        return false;
    *quotient = cnx_dim_floor_divide(rule->dims, a, b);
    return cnx_dim_multiply(rule->dims, *quotient, b) == a;
}

/* Takes axes, or the outer part of one, from the input until they make up `extent`. */
static bool take_extent(reshape_state *state, cnx_dim extent, cnx_axis *result)
{
    cnx_rule *rule = state->rule;
    cnx_dim need = extent, quotient;
    *result = cnx_axis_any(cnx_rule_number(rule, 1));
    while (!cnx_dim_equals(rule->dims, need, 1)) {
        if (state->next == state->count)
            return false;
        cnx_axis *axis = &state->axes[state->next];
        cnx_axis part = *axis;
        if (divides(rule, need, axis->extent, &quotient)) {
            need = quotient;
            state->next++;
        } else if (divides(rule, axis->extent, need, &quotient)) {
            cnx_axis inner;
            cnx_axis_regroup(rule->points, *axis, need, quotient, &part, &inner, state->reason);
            *axis = inner;
            need = cnx_rule_number(rule, 1);
        } else {
            return false;
        }
        *result = cnx_axis_merge(rule->points, *result, part, state->reason);
    }
    result->extent = extent;
    return true;
}

/* Blocks that were merged with copies of themselves, or with what is inside them (key heads shared by a group
 * of query heads): what varies over them varies over the product from then on. */
static void repeat_orphans(cnx_rule *rule, cnx_fact *fact)
{
    for (uint32_t k = 0; k < fact->rank; k++) {
        cnx_axis *axis = &fact->axes[k];
        if (axis->kind != CNX_AXIS_LABELS || axis->labels->over == NULL || place_of_blocks(fact, *axis) != 0)
            continue;
        for (uint32_t j = 0; j < fact->rank; j++) {
            const cnx_labels *finer = fact->axes[j].kind == CNX_AXIS_LABELS ? fact->axes[j].labels : NULL;
            if (finer != NULL && fact->axes[j].repeats == NULL && finer->merged_inner != NULL &&
                finer->merged_inner->kind != CNX_AXIS_PINNED &&
                finer->merged_outer->kind == CNX_AXIS_LABELS &&
                finer->merged_outer->labels == axis->labels->over) {
                *axis = cnx_axis_repeat_blocks(rule->points, *axis, axis->labels->over, finer);
                break;
            }
        }
    }
}

/* Blocks that were regrouped (heads as groups of heads, or back): the axis whose labels list the same points
 * in the same order names them too. */
static void rename_orphans(cnx_rule *rule, cnx_fact *fact)
{
    for (uint32_t k = 0; k < fact->rank; k++) {
        cnx_axis *axis = &fact->axes[k];
        if (axis->kind != CNX_AXIS_LABELS || axis->labels->over == NULL || place_of_blocks(fact, *axis) != 0)
            continue;
        for (uint32_t j = 0; j < fact->rank; j++)
            if (fact->axes[j].kind == CNX_AXIS_LABELS && fact->axes[j].repeats == NULL &&
                fact->axes[j].labels->sequence == axis->labels->over->sequence) {
                *axis = cnx_axis_over(rule->points, *axis, fact->axes[j].labels);
                break;
            }
    }
}

void cnx_rule_follow_orphans(cnx_rule *rule, cnx_fact *fact)
{
    rename_orphans(rule, fact);
    repeat_orphans(rule, fact);
    for (uint32_t k = 0; k < fact->rank; k++)
        while (fact->axes[k].kind == CNX_AXIS_LABELS && fact->axes[k].labels->over != NULL &&
               place_of_blocks(fact, fact->axes[k]) == 0)
            fact->axes[k] = cnx_axis_forget_blocks(rule->points, fact->axes[k], fact->axes[k].labels->over);
}

static bool has_labels(const cnx_fact *fact, const cnx_labels *labels)
{
    return fact->known && place_of(fact, labels) != 0;
}

/* Whether one input that has axis `k` of an output has all of its labelled axes. */
static bool is_from_one_input(const cnx_rule *rule, const cnx_fact *output, uint32_t k)
{
    for (uint32_t i = 0; i < rule->input_count; i++) {
        bool all = rule->present[i] && has_labels(&rule->inputs[i], output->axes[k].labels);
        for (uint32_t j = 0; j < output->rank && all; j++)
            all = output->axes[j].kind != CNX_AXIS_LABELS ||
                  has_labels(&rule->inputs[i], output->axes[j].labels);
        if (all)
            return true;
    }
    return false;
}

void cnx_rule_touch_mixed(const cnx_rule *rule, const cnx_fact *output)
{
    uint32_t labelled = 0;
    for (uint32_t i = 0; i < rule->input_count; i++)
        for (uint32_t k = 0; rule->present[i] && k < rule->inputs[i].rank; k++)
            if (rule->inputs[i].axes[k].kind == CNX_AXIS_LABELS) {
                labelled++;
                break;
            }
    for (uint32_t k = 0; labelled > 1 && k < output->rank; k++)
        if (output->axes[k].kind == CNX_AXIS_LABELS && output->axes[k].labels->untouched &&
            !is_from_one_input(rule, output, k))
            cnx_labels_touch(output->axes[k].labels);
}

/* Why the axes from `first` on cannot be followed through a regrouping: nothing that it could pin may move,
 * so what pinned them, or the regrouping itself. */
static uint32_t reason_of_rest(const reshape_state *state, uint32_t first)
{
    uint32_t reason = CNX_NONE;
    for (uint32_t i = first; i < state->count; i++) {
        if (state->axes[i].kind == CNX_AXIS_LABELS)
            return state->reason;
        if (state->axes[i].kind == CNX_AXIS_PINNED && reason == CNX_NONE)
            reason = state->axes[i].reason;
    }
    return reason != CNX_NONE ? reason : state->reason;
}

cnx_fact cnx_rule_regroup(cnx_rule *rule, cnx_fact fact, const cnx_dim *extents, uint32_t rank)
{
    reshape_state state = {.rule = rule,
                           .reason = cnx_rule_reason(rule, "regrouping that cuts through axes")};
    state.axes = CNX_NEW_ARRAY(rule->arena, cnx_axis, fact.rank);
    for (uint32_t k = 0; k < fact.rank; k++)
        if (!cnx_dim_equals(rule->dims, fact.axes[k].extent, 1))
            state.axes[state.count++] = fact.axes[k];
    cnx_fact result = cnx_rule_fact(rule, fact.type, rank);
    bool follows = true;
    for (uint32_t k = 0; k < rank && follows; k++) {
        uint32_t before = state.next;
        follows = take_extent(&state, extents[k], &result.axes[k]);
        if (!follows) {
            uint32_t why =
                result.axes[k].kind == CNX_AXIS_LABELS ? state.reason : reason_of_rest(&state, before);
            for (uint32_t i = before; i < state.count; i++)
                cnx_axis_pin(rule->points, state.axes[i], state.reason);
            cnx_axis_pin(rule->points, result.axes[k], state.reason);
            for (uint32_t j = k; j < rank; j++)
                result.axes[j] = cnx_axis_pinned(extents[j], why);
        }
    }
    return result;
}

cnx_fact cnx_rule_reshape(cnx_rule *rule, cnx_fact fact, const cnx_dim *extents, uint32_t rank)
{
    cnx_fact result = cnx_rule_regroup(rule, fact, extents, rank);
    for (uint32_t k = 0; k < rank; k++)
        cnx_axis_read(rule->points, result.axes[k]);
    return result;
}
