/* Reading and writing along an axis at positions that data choose: the other axes pass. */
#include "analyze/ops/compose.h"
#include "analyze/ops/shape_only.h"

/* Whether a fact has an axis that is another one from position to position of an axis that is chosen from. */
static bool varies(const cnx_fact *fact)
{
    for (uint32_t k = 0; k < fact->rank; k++)
        if (fact->axes[k].kind == CNX_AXIS_LABELS && fact->axes[k].labels->over != NULL)
            return true;
    return false;
}

/* Whether the inputs first ... last exist, have as many axes as input 0, and vary over nothing. */
static bool are_alike(const cnx_rule *rule, uint32_t first, uint32_t last)
{
    bool alike = rule->inputs[0].rank != 0 && !varies(&rule->inputs[0]);
    for (uint32_t i = first; i <= last && alike; i++)
        alike = cnx_rule_has(rule, i) && rule->inputs[i].rank == rule->inputs[0].rank &&
                !varies(&rule->inputs[i]);
    return alike;
}

/* data[...], indices[...] of as many axes: Y[.., i, ..] = data[.., indices[.., i, ..], ..] along `axis`. An
 * axis that is longer in data than in the indices is read in part only, and pinned. */
void cnx_apply_gather_elements(cnx_rule *rule)
{
    if (!are_alike(rule, 1, 1)) {
        cnx_rule_pin_all(rule, "positions picked by data");
        if (cnx_rule_has(rule, 1))
            cnx_rule_output(rule, 0,
                            cnx_shape_like(rule, 1, rule->inputs[0].type, "positions picked by data"));
        return;
    }
    cnx_fact data = cnx_rule_input(rule, 0), output = cnx_rule_input(rule, 1);
    uint32_t axis = cnx_rule_axis_number(rule, cnx_rule_int(rule, "axis", 0), data.rank);
    for (uint32_t k = 0; k < data.rank; k++) {
        if (k != axis && data.axes[k].extent == output.axes[k].extent) {
            output.axes[k] = cnx_rule_same(rule, data.axes[k], output.axes[k]);
            continue;
        }
        cnx_rule_pin_fact_axis(rule, &data, k, "positions picked by data");
        if (k != axis)
            cnx_rule_pin_fact_axis(rule, &output, k, "positions picked by data");
    }
    output.type = data.type;
    cnx_rule_output(rule, 0, output);
}

/* data[...], indices[...], updates[...] of as many axes: writes along `axis`. */
void cnx_apply_scatter_elements(cnx_rule *rule)
{
    if (!are_alike(rule, 1, 2)) {
        cnx_rule_pin_all(rule, "positions picked by data");
        cnx_rule_output(rule, 0, cnx_shape_like(rule, 0, rule->inputs[0].type, "positions picked by data"));
        return;
    }
    cnx_fact data = cnx_rule_input(rule, 0), index = cnx_rule_input(rule, 1), news = cnx_rule_input(rule, 2);
    uint32_t axis = cnx_rule_axis_number(rule, cnx_rule_int(rule, "axis", 0), data.rank);
    for (uint32_t k = 0; k < data.rank; k++) {
        if (k != axis && data.axes[k].extent == index.axes[k].extent &&
            data.axes[k].extent == news.axes[k].extent) {
            cnx_axis written = cnx_rule_same(rule, index.axes[k], news.axes[k]);
            data.axes[k] = cnx_rule_same(rule, data.axes[k], written);
            continue;
        }
        cnx_rule_pin_fact_axis(rule, &data, k, "positions picked by data");
        cnx_rule_pin_fact_axis(rule, &index, k, "positions picked by data");
        cnx_rule_pin_fact_axis(rule, &news, k, "positions picked by data");
    }
    cnx_rule_output(rule, 0, data);
}

/* Pins an axis that varies over the steps: what is written into a step is not what was there. */
static void pin_over(cnx_rule *rule, cnx_fact *fact, cnx_axis steps)
{
    for (uint32_t k = 0; k < fact->rank && steps.kind == CNX_AXIS_LABELS; k++)
        if (fact->axes[k].kind == CNX_AXIS_LABELS && fact->axes[k].labels->over == steps.labels)
            cnx_rule_pin_fact_axis(rule, fact, k, "steps in order");
}

/* cache[n, ..., s, ...], update[n, ..., t, ...], write_indices[n]: writes steps along `axis`. */
void cnx_apply_tensor_scatter(cnx_rule *rule)
{
    uint32_t rank = rule->inputs[0].rank;
    if (!cnx_rule_has(rule, 1) || rank < 2 || rule->inputs[1].rank != rank) {
        cnx_rule_pin_all(rule, "update of another rank");
        return;
    }
    cnx_fact facts[2] = {cnx_rule_input(rule, 0), cnx_rule_input(rule, 1)};
    uint32_t axis = cnx_rule_axis_number(rule, cnx_rule_int(rule, "axis", -2), rank);
    cnx_axis steps = facts[0].axes[axis];
    for (uint32_t i = 0; i < 2; i++) {
        pin_over(rule, &facts[i], facts[i].axes[axis]);
        cnx_rule_pin_fact_axis(rule, &facts[i], axis, "steps in order");
        facts[i].axes[axis] = cnx_axis_any(cnx_rule_number(rule, 1));
    }
    cnx_fact output = cnx_rule_broadcast(rule, facts, 2, facts[0].type);
    output.axes[axis] = cnx_axis_pinned(steps.extent, cnx_rule_reason(rule, "steps in order"));
    cnx_fact_scaled_along(rule, &output, 0, 2);
    cnx_rule_output(rule, 0, output);
}

/* data[b..., d...], indices[b..., q..., m]: m of the axes d are picked from, the others pass:
 * Y[b..., q..., d...] */
void cnx_apply_gather_nd(cnx_rule *rule)
{
    int64_t batch = cnx_rule_int(rule, "batch_dims", 0), picked = 0;
    uint32_t rank = rule->inputs[0].rank, indices = cnx_rule_has(rule, 1) ? rule->inputs[1].rank : 0;
    if (indices == 0 || batch < 0 || batch >= (int64_t)indices || indices + rank > 60 ||
        !cnx_rule_extent(rule, rule->inputs[1].axes[indices - 1], &picked) ||
        batch + picked > (int64_t)rank) {
        cnx_rule_pin_all(rule, "positions picked by data");
        return;
    }
    cnx_fact data = cnx_rule_input(rule, 0), index = cnx_rule_input(rule, 1);
    uint32_t first = (uint32_t)(batch + picked);
    cnx_fact output = cnx_rule_fact(rule, data.type, indices - 1 + rank - first);
    cnx_rule_pin_fact(rule, index, "positions picked by data");
    for (uint32_t k = 0; k + 1 < indices; k++)
        output.axes[k] = cnx_shape_axis(rule, index.axes[k].extent, "positions picked by data");
    for (uint32_t k = 0; k < first; k++)
        cnx_rule_pin_fact_axis(rule, &data, k, "positions picked by data");
    for (uint32_t k = first; k < rank; k++)
        output.axes[indices - 1 + k - first] = data.axes[k];
    cnx_rule_output(rule, 0, output);
}

/* Whether indices[q, 1] tell in advance which positions of the first axis are written to, each at most once.
 * Then `from` says where every position of the result is among those of data and, behind them, of updates. */
static bool find_written(const cnx_rule *rule, cnx_axis data, cnx_axis news, uint32_t **from)
{
    const int64_t *numbers;
    size_t count;
    int64_t extent, written;
    if (strcmp(cnx_attribute_text(rule->graph, rule->node, "reduction", "none"), "none") != 0 ||
        rule->inputs[1].rank != 2 || !cnx_rule_numbers(rule, 1, &numbers, &count) ||
        !cnx_rule_extent(rule, data, &extent) || !cnx_rule_extent(rule, news, &written) ||
        written != (int64_t)count || extent > (int64_t)CNX_LARGEST_AXIS - written)
        return false;
    *from = CNX_NEW_ARRAY(rule->arena, uint32_t, (size_t)extent);
    for (int64_t i = 0; i < extent; i++)
        (*from)[i] = (uint32_t)i;
    for (int64_t i = 0; i < written; i++) {
        int64_t at = numbers[i] < 0 ? numbers[i] + extent : numbers[i];
        if (at < 0 || at >= extent || (*from)[at] != (uint32_t)at)
            return false;
        (*from)[at] = (uint32_t)(extent + i);
    }
    return true;
}

/* The first axis of the result, where positions that are known in advance were written over. */
static cnx_axis written_axis(cnx_rule *rule, cnx_axis data, cnx_axis news, const uint32_t *from)
{
    uint32_t reason = cnx_rule_reason(rule, "positions written over");
    const cnx_axis parts[2] = {data, news};
    cnx_dim whole = cnx_dim_add(rule->dims, data.extent, news.extent);
    int64_t extent = 0;
    cnx_rule_extent(rule, data, &extent);
    cnx_axis both = cnx_axis_concat(rule->points, parts, 2, whole, reason);
    return cnx_axis_gather(rule->points, both, from, (uint32_t)extent, reason);
}

/* data[d...], indices[q..., m], updates[q..., d...]: the first m axes are written to, the others pass. */
void cnx_apply_scatter_nd(cnx_rule *rule)
{
    int64_t written = 0;
    uint32_t rank = rule->inputs[0].rank, indices = cnx_rule_has(rule, 1) ? rule->inputs[1].rank : 0;
    bool fits = indices != 0 && cnx_rule_has(rule, 2) && !varies(&rule->inputs[0]) &&
                !varies(&rule->inputs[2]) &&
                cnx_rule_extent(rule, rule->inputs[1].axes[indices - 1], &written) &&
                written <= (int64_t)rank && rule->inputs[2].rank == indices - 1 + rank - (uint32_t)written;
    if (!fits) {
        cnx_rule_pin_all(rule, "positions picked by data");
        cnx_rule_output(rule, 0, cnx_shape_like(rule, 0, rule->inputs[0].type, "positions picked by data"));
        return;
    }
    cnx_fact data = cnx_rule_input(rule, 0), news = cnx_rule_input(rule, 2);
    uint32_t *from = NULL;
    bool known = written == 1 && find_written(rule, data.axes[0], news.axes[0], &from);
    cnx_rule_pin_fact(rule, cnx_rule_input(rule, 1), "positions picked by data");
    for (uint32_t k = 0; k < indices - 1 && !known; k++)
        cnx_rule_pin_fact_axis(rule, &news, k, "positions picked by data");
    for (uint32_t k = 0; k < rank; k++) {
        cnx_dim extent = data.axes[k].extent;
        if (k < written && known)
            data.axes[k] = written_axis(rule, data.axes[k], news.axes[k], from);
        else if (k < written)
            cnx_rule_pin_fact_axis(rule, &data, k, "positions picked by data");
        else
            data.axes[k] = cnx_rule_same(rule, data.axes[k], news.axes[indices - 1 + k - (uint32_t)written]);
        data.axes[k].extent = extent;
    }
    cnx_rule_output(rule, 0, data);
}

/* indices[...], depth, values[2]: a new axis, counted, at `axis`. */
void cnx_apply_one_hot(cnx_rule *rule)
{
    cnx_fact fact = cnx_rule_input(rule, 0);
    uint32_t places[64];
    if (fact.rank > 50) {
        cnx_rule_pin_all(rule, "too many axes");
        return;
    }
    uint32_t axis = cnx_rule_axis_number(rule, cnx_rule_int(rule, "axis", -1), fact.rank + 1);
    for (uint32_t k = 0; k < fact.rank; k++)
        places[k] = k < axis ? k : k + 1;
    cnx_fact output = cnx_fact_place(rule, fact, places, fact.rank + 1);
    output.axes[axis] = cnx_shape_axis(rule, cnx_shape_number(rule, 1), "counted positions");
    output.type = cnx_rule_has(rule, 2) ? rule->inputs[2].type : 0;
    cnx_rule_output(rule, 0, output);
}

/* X[...], K (before operator set 10 an attribute): the largest along `axis`, and where they are. */
void cnx_apply_top_k(cnx_rule *rule)
{
    cnx_fact fact = cnx_rule_input(rule, 0);
    uint32_t axis = cnx_rule_axis_number(rule, cnx_rule_int(rule, "axis", -1), fact.rank);
    cnx_dim count = rule->node->opset < 10 ? cnx_rule_number(rule, cnx_rule_int(rule, "k", 1))
                                           : cnx_shape_number(rule, 1);
    cnx_rule_pin_fact_axis(rule, &fact, axis, "sorted positions");
    fact.axes[axis] = cnx_shape_axis(rule, count, "sorted positions");
    cnx_rule_output(rule, 0, fact);
    fact.type = CNX_TYPE_INT64;
    cnx_rule_output(rule, 1, fact);
}

/* X[..., m, n]: keeps a triangle of the last two axes. */
void cnx_apply_trilu(cnx_rule *rule)
{
    cnx_fact fact = cnx_rule_input(rule, 0);
    for (uint32_t k = fact.rank < 2 ? 0 : fact.rank - 2; k < fact.rank; k++)
        cnx_rule_pin_fact_axis(rule, &fact, k, "rows and columns in order");
    cnx_rule_output(rule, 0, fact);
}

/* X[...] with sequence_lens over its batch axis: reverses the first steps of the time axis. */
void cnx_apply_reverse_sequence(cnx_rule *rule)
{
    cnx_fact fact = cnx_rule_input(rule, 0);
    uint32_t batch = cnx_rule_axis_number(rule, cnx_rule_int(rule, "batch_axis", 1), fact.rank);
    uint32_t time = cnx_rule_axis_number(rule, cnx_rule_int(rule, "time_axis", 0), fact.rank);
    cnx_rule_pin_fact_axis(rule, &fact, time, "steps in order");
    cnx_rule_pin_fact_axis(rule, &fact, batch, "batch of lengths");
    cnx_rule_mix(rule, &fact, UINT64_C(1) << time);
    cnx_rule_output(rule, 0, fact);
}
