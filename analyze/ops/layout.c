/* Operators that move positions without computing: labels are carried, cut, joined and indexed. */
#include "analyze/ops/rejoin.h"
#include "analyze/ops/shape_only.h"

/* ---- regrouping ---- */

/* The extents that Reshape makes: 0 copies one, unless `allowzero`; -1 is what is left of the others. */
static const cnx_dim *reshaped(cnx_rule *rule, const cnx_fact *fact, const cnx_dim *shape, size_t count)
{
    bool zero_is_zero = cnx_rule_int(rule, "allowzero", 0) != 0;
    cnx_dim *extents = CNX_NEW_ARRAY(rule->arena, cnx_dim, count);
    cnx_dim total = cnx_rule_number(rule, 1), known = total;
    size_t inferred = SIZE_MAX;
    for (uint32_t k = 0; k < fact->rank; k++)
        if (k >= count || zero_is_zero || !cnx_dim_equals(rule->dims, shape[k], 0))
            total = cnx_dim_multiply(rule->dims, total, fact->axes[k].extent);
    for (size_t k = 0; k < count; k++) {
        extents[k] = shape[k];
        if (cnx_dim_equals(rule->dims, shape[k], 0) && !zero_is_zero && k < fact->rank)
            extents[k] = fact->axes[k].extent;
        else if (cnx_dim_equals(rule->dims, shape[k], -1))
            inferred = k;
        else
            known = cnx_dim_multiply(rule->dims, known, extents[k]);
    }
    if (inferred != SIZE_MAX)
        extents[inferred] = cnx_dim_floor_divide(rule->dims, total, known);
    return extents;
}

/* Reshape with a shape input (5 and on) or attribute (1): 0 copies an extent, -1 is inferred. */
void cnx_apply_reshape(cnx_rule *rule)
{
    const cnx_dim *shape = NULL;
    size_t count = 0;
    cnx_fact fact = cnx_rule_input(rule, 0);
    if (rule->input_count < 2) {
        const int64_t *numbers = cnx_rule_ints(rule, "shape", &count);
        cnx_dim *extents = CNX_NEW_ARRAY(rule->arena, cnx_dim, count);
        for (size_t k = 0; k < count; k++)
            extents[k] = cnx_rule_number(rule, numbers[k]);
        shape = extents;
    } else if (!cnx_rule_content(rule, 1, &shape, &count)) {
        cnx_rule_pin_all(rule, "computed shape");
        if (cnx_shape_list(rule, 1, &shape, &count))
            cnx_rule_output(rule, 0, cnx_shape_unknown(rule, fact.type, (uint32_t)count, "computed shape"));
        return;
    }
    if (count > 60) {
        cnx_rule_pin_all(rule, "shape with more than 60 axes");
        return;
    }
    cnx_rule_output(rule, 0,
                    cnx_rule_regroup(rule, fact, reshaped(rule, &fact, shape, count), (uint32_t)count));
}

/* Flatten: everything before `axis` times everything from it on. */
void cnx_apply_flatten(cnx_rule *rule)
{
    cnx_fact fact = cnx_rule_input(rule, 0);
    int64_t axis = cnx_rule_int(rule, "axis", 1);
    axis = axis < 0 ? axis + fact.rank : axis;
    cnx_dim extents[2] = {cnx_rule_number(rule, 1), cnx_rule_number(rule, 1)};
    for (uint32_t k = 0; k < fact.rank; k++) {
        cnx_dim *extent = &extents[k < axis ? 0 : 1];
        *extent = cnx_dim_multiply(rule->dims, *extent, fact.axes[k].extent);
    }
    cnx_rule_output(rule, 0, cnx_rule_reshape(rule, fact, extents, 2));
}

void cnx_apply_transpose(cnx_rule *rule)
{
    cnx_fact fact = cnx_rule_input(rule, 0);
    size_t count;
    const int64_t *order = cnx_rule_ints(rule, "perm", &count);
    cnx_fact output = cnx_rule_fact(rule, fact.type, fact.rank);
    if (order != NULL && count != fact.rank)
        cnx_fail(rule->arena, CNX_ERROR_GRAPH, cnx_node_place(rule->graph, rule->node),
                 "perm names %zu axes (expected %u)", count, fact.rank);
    for (uint32_t k = 0; k < fact.rank; k++)
        output.axes[k] =
            fact.axes[order != NULL ? cnx_rule_axis_number(rule, order[k], fact.rank) : fact.rank - 1 - k];
    cnx_rule_output(rule, 0, output);
}

/* The axes that Squeeze and Unsqueeze name, in an input (13 and on) or an attribute, as bits. */
static bool named_axes(cnx_rule *rule, uint32_t rank, uint64_t *bits, bool *given)
{
    const int64_t *axes;
    size_t count = 0;
    *bits = 0;
    if (cnx_rule_has(rule, 1)) {
        if (!cnx_rule_numbers(rule, 1, &axes, &count))
            return false;
    } else {
        axes = cnx_rule_ints(rule, "axes", &count);
    }
    *given = axes != NULL;
    for (size_t i = 0; i < count; i++)
        *bits |= UINT64_C(1) << cnx_rule_axis_number(rule, axes[i], rank);
    return true;
}

void cnx_apply_squeeze(cnx_rule *rule)
{
    cnx_fact fact = cnx_rule_input(rule, 0);
    uint64_t bits;
    bool given;
    if (!named_axes(rule, fact.rank, &bits, &given)) {
        cnx_rule_pin_all(rule, "computed axes");
        return;
    }
    for (uint32_t k = 0; k < fact.rank && !given; k++) {
        int64_t extent;
        if (!cnx_dim_is_number(rule->dims, fact.axes[k].extent, &extent)) {
            cnx_rule_pin_all(rule, "axes that depend on an unknown extent");
            return;
        }
        if (extent == 1)
            bits |= UINT64_C(1) << k;
    }
    cnx_rule_output(rule, 0, cnx_rule_reduce(rule, fact, bits, false));
}

void cnx_apply_unsqueeze(cnx_rule *rule)
{
    cnx_fact fact = cnx_rule_input(rule, 0);
    const int64_t *axes;
    size_t count = 0;
    bool known = true;
    if (rule->input_count > 1)
        known = cnx_rule_numbers(rule, 1, &axes, &count);
    else
        axes = cnx_rule_ints(rule, "axes", &count);
    if (!known || fact.rank + count > 60) {
        cnx_rule_pin_all(rule, "computed axes");
        return;
    }
    uint32_t rank = fact.rank + (uint32_t)count, next = 0;
    uint64_t added = 0;
    for (size_t i = 0; i < count; i++)
        added |= UINT64_C(1) << cnx_rule_axis_number(rule, axes[i], rank);
    cnx_fact output = cnx_rule_fact(rule, fact.type, rank);
    for (uint32_t k = 0; k < rank; k++)
        if ((added >> k & 1) == 0 && next < fact.rank)
            output.axes[k] = fact.axes[next++];
    cnx_rule_output(rule, 0, output);
}

/* ---- cutting ---- */

/* The indices first, first + step, ... (count of them). */
static const uint32_t *arithmetic_index(cnx_rule *rule, int64_t first, int64_t step, uint32_t count)
{
    uint32_t *index = CNX_NEW_ARRAY(rule->arena, uint32_t, count);
    for (uint32_t i = 0; i < count; i++)
        index[i] = (uint32_t)(first + (int64_t)i * step);
    return index;
}

/* Axis `k` cut to [first, first + count * step), all numbers known. */
static cnx_fact cut(cnx_rule *rule, cnx_fact fact, uint32_t k, int64_t first, int64_t step, int64_t count)
{
    cnx_axis *axis = &fact.axes[k];
    cnx_dim extent = cnx_rule_number(rule, count);
    if (axis->kind != CNX_AXIS_LABELS || count > (int64_t)CNX_LARGEST_AXIS) {
        cnx_axis_pin(rule->points, *axis, cnx_rule_reason(rule, "cut"));
        axis->extent = extent;
        return fact;
    }
    if (count == 0) {
        *axis = cnx_axis_any(extent);
        return fact;
    }
    return cnx_rule_gather(rule, fact, k, arithmetic_index(rule, first, step, (uint32_t)count),
                           (uint32_t)count);
}

/* A fact of its own, so that cutting one part leaves the others alone. */
static cnx_fact copy_fact(cnx_rule *rule, cnx_fact fact)
{
    cnx_fact copy = cnx_rule_fact(rule, fact.type, fact.rank);
    memcpy(copy.axes, fact.axes, fact.rank * sizeof *fact.axes);
    return copy;
}

/* The sizes of the parts of Split: an input (13), an attribute, or equal parts (num_outputs, 18: the last
 * smaller). */
static const cnx_dim *split_sizes(cnx_rule *rule, cnx_dim extent)
{
    const cnx_dim *sizes;
    size_t count;
    uint32_t parts = rule->output_count;
    if (cnx_rule_has(rule, 1))
        return cnx_rule_content(rule, 1, &sizes, &count) && count >= parts ? sizes : NULL;
    cnx_dim *made = CNX_NEW_ARRAY(rule->arena, cnx_dim, parts);
    const int64_t *numbers = cnx_rule_ints(rule, "split", &count);
    cnx_dim each = cnx_dim_ceil_divide(rule->dims, extent, cnx_rule_number(rule, parts));
    cnx_dim rest = extent;
    for (uint32_t i = 0; i < parts; i++) {
        made[i] = numbers != NULL && i < count ? cnx_rule_number(rule, numbers[i])
                  : i + 1 == parts             ? rest
                                               : each;
        rest = cnx_dim_subtract(rule->dims, rest, made[i]);
    }
    return made;
}

void cnx_apply_split(cnx_rule *rule)
{
    cnx_fact fact = cnx_rule_input(rule, 0);
    uint32_t axis = cnx_rule_axis_number(rule, cnx_rule_int(rule, "axis", 0), fact.rank);
    const cnx_dim *sizes = split_sizes(rule, fact.axes[axis].extent);
    int64_t offset = 0, size;
    bool known = sizes != NULL, single = true;
    int64_t room = fact.axes[axis].kind == CNX_AXIS_LABELS ? fact.axes[axis].labels->extent : INT64_MAX;
    for (uint32_t i = 0; i < rule->output_count && known; i++) {
        known = cnx_dim_is_number(rule->dims, sizes[i], &size) && size >= 0 && size <= room;
        single = single && known && size == 1;
        room -= known ? size : 0;
    }
    if (known && single && fact.axes[axis].kind == CNX_AXIS_LABELS &&
        cnx_dim_equals(rule->dims, fact.axes[axis].extent, rule->output_count) &&
        cnx_is_rejoined(rule->graph, rule->node)) {
        cnx_rejoin_begin(rule, fact, axis);
        return;
    }
    if (!known)
        cnx_rule_pin_fact_axis(rule, &fact, axis, "parts of unknown size");
    for (uint32_t i = 0; i < rule->output_count; i++) {
        cnx_fact part = copy_fact(rule, fact);
        if (known) {
            cnx_dim_is_number(rule->dims, sizes[i], &size);
            part = cut(rule, part, axis, offset, 1, size);
            offset += size;
        } else {
            part.axes[axis] = cnx_axis_pinned(sizes != NULL ? sizes[i] : cnx_dim_fresh(rule->dims),
                                              cnx_rule_reason(rule, "parts of unknown size"));
        }
        cnx_rule_output(rule, i, part);
    }
}

/* A bound of a slice as a position from 0 to the extent. One that is neither a number nor certainly inside is
 * unknown. */
static cnx_dim slice_bound(cnx_rule *rule, cnx_dim bound, cnx_dim extent)
{
    cnx_dims *dims = rule->dims;
    int64_t number;
    cnx_dim zero = cnx_rule_number(rule, 0);
    if (cnx_dim_is_number(dims, bound, &number) && number < 0)
        return number <= INT32_MIN ? zero : cnx_dim_max(dims, cnx_dim_add(dims, extent, bound), zero);
    if (cnx_dim_is_number(dims, bound, &number) && number >= INT32_MAX)
        return extent;
    if (cnx_dim_max(dims, bound, zero) != bound) /* perhaps negative, and counted from the end */
        return cnx_dim_fresh(dims);
    return cnx_dim_min(dims, bound, extent);
}

/* How many positions [from, to) has when not everything is a number. */
static cnx_dim symbolic_slice(cnx_rule *rule, cnx_dim extent, cnx_dim from, cnx_dim to, int64_t step)
{
    if (step < 1)
        return cnx_dim_fresh(rule->dims);
    cnx_dim size =
        cnx_dim_subtract(rule->dims, slice_bound(rule, to, extent), slice_bound(rule, from, extent));
    size = cnx_dim_ceil_divide(rule->dims, size, cnx_rule_number(rule, step));
    return cnx_dim_max(rule->dims, size, cnx_rule_number(rule, 0));
}

/* How many of start, start + step, ... come before end. */
static int64_t count_steps(int64_t start, int64_t end, int64_t step)
{
    if (step > 0)
        return end > start ? (end - start - 1) / step + 1 : 0;
    return step < 0 && start > end ? (start - end - 1) / -step + 1 : 0;
}

/* One axis of a slice, in Python's way: negative positions count from the end, everything is clamped. Step 0:
 * it is not known. */
static cnx_fact slice_axis(cnx_rule *rule, cnx_fact fact, uint32_t k, cnx_dim from, cnx_dim to, int64_t step)
{
    int64_t start, end, extent;
    cnx_axis *axis = &fact.axes[k];
    if (step == 1 && cnx_dim_equals(rule->dims, from, 0) &&
        ((cnx_dim_is_number(rule->dims, to, &end) && end >= INT32_MAX) || to == axis->extent))
        return fact; /* the whole axis */
    if (step == 0 || !cnx_dim_is_number(rule->dims, from, &start) ||
        !cnx_dim_is_number(rule->dims, to, &end) || !cnx_dim_is_number(rule->dims, axis->extent, &extent) ||
        extent > INT64_MAX / 4) {
        cnx_dim size = symbolic_slice(rule, axis->extent, from, to, step);
        cnx_rule_pin_fact_axis(rule, &fact, k, "slice of unknown extent");
        fact.axes[k] = cnx_shape_axis(rule, size, "slice of unknown extent");
        return fact;
    }
    start = start < 0 ? start + extent : start;
    end = end < -extent ? -1 : end < 0 ? end + extent : end;
    step = step > extent + 1 ? extent + 1 : step < -extent - 1 ? -extent - 1 : step; /* so that sums fit */
    int64_t low = step > 0 ? 0 : -1, high = step > 0 ? extent : extent - 1;
    start = start < 0 ? (extent == 0 ? low : 0) : start > high ? high : start; /* 0 in either direction */
    end = end < low ? low : end > high ? high : end;
    return cut(rule, fact, k, start, step, count_steps(start, end, step));
}

/* Slice: starts, ends, axes, steps as inputs (10 and on) or attributes (1, without steps). */
static bool slice_argument(cnx_rule *rule, uint32_t input, const char *attribute, const cnx_dim **values,
                           size_t *count)
{
    if (rule->input_count > 1) {
        *values = NULL;
        *count = 0;
        return !cnx_rule_has(rule, input) || cnx_shape_list(rule, input, values, count);
    }
    const int64_t *numbers = cnx_rule_ints(rule, attribute, count);
    cnx_dim *made = CNX_NEW_ARRAY(rule->arena, cnx_dim, *count);
    for (size_t i = 0; i < *count; i++)
        made[i] = cnx_rule_number(rule, numbers[i]);
    *values = numbers != NULL ? made : NULL;
    return true;
}

static void slice_is_computed(cnx_rule *rule)
{
    cnx_rule_pin_all(rule, "computed bounds");
    cnx_rule_output(rule, 0,
                    cnx_shape_unknown(rule, rule->inputs[0].type, rule->inputs[0].rank, "computed bounds"));
}

void cnx_apply_slice(cnx_rule *rule)
{
    const cnx_dim *starts, *ends, *axes, *steps;
    size_t count, end_count, axis_count, step_count;
    cnx_fact fact = cnx_rule_input(rule, 0);
    bool known = slice_argument(rule, 1, "starts", &starts, &count);
    known = slice_argument(rule, 2, "ends", &ends, &end_count) && known && end_count == count;
    known =
        slice_argument(rule, 3, "axes", &axes, &axis_count) && known && (axes == NULL || axis_count == count);
    known = slice_argument(rule, 4, "steps", &steps, &step_count) && known &&
            (steps == NULL || step_count == count);
    if (!known || (axes == NULL && count > fact.rank)) {
        slice_is_computed(rule);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        int64_t axis = (int64_t)i, step = 1;
        if (axes != NULL && !cnx_dim_is_number(rule->dims, axes[i], &axis)) {
            slice_is_computed(rule);
            return;
        }
        if (steps != NULL && !cnx_dim_is_number(rule->dims, steps[i], &step))
            step = 0;
        fact = slice_axis(rule, fact, cnx_rule_axis_number(rule, axis, fact.rank), starts[i], ends[i], step);
    }
    cnx_rule_output(rule, 0, fact);
}

/* ---- padding, repeating, resizing ---- */

/* What Pad adds at both ends of the axes: an input, or an attribute before operator set 11. */
static bool pad_amounts(cnx_rule *rule, const cnx_dim **pads, size_t *count)
{
    if (rule->input_count > 1)
        return cnx_shape_list(rule, 1, pads, count);
    const int64_t *numbers = cnx_rule_ints(rule, rule->node->opset == 1 ? "paddings" : "pads", count);
    cnx_dim *made = CNX_NEW_ARRAY(rule->arena, cnx_dim, *count);
    for (size_t i = 0; i < *count; i++)
        made[i] = cnx_rule_number(rule, numbers[i]);
    *pads = made;
    return true;
}

static void pad_axis(cnx_rule *rule, cnx_fact *fact, uint32_t k, cnx_dim before, cnx_dim after, bool constant)
{
    int64_t first, last;
    cnx_axis *axis = &fact->axes[k];
    cnx_dim extent = cnx_dim_add(rule->dims, axis->extent, cnx_dim_add(rule->dims, before, after));
    bool known = cnx_dim_is_number(rule->dims, before, &first) && cnx_dim_is_number(rule->dims, after, &last);
    if (known && first == 0 && last == 0)
        return;
    if (!known || !constant || first < 0 || last < 0 || first > (int64_t)CNX_LARGEST_AXIS ||
        last > (int64_t)CNX_LARGEST_AXIS) {
        cnx_rule_pin_fact_axis(rule, fact, k, "padded axis");
        *axis = cnx_shape_axis(rule, extent, "padded axis");
        return;
    }
    *axis = cnx_axis_pad(rule->points, *axis, (uint32_t)first, (uint32_t)last, extent,
                         cnx_rule_reason(rule, "padded axis"));
}

/* Pad: positions at the ends are new and stay where they are. */
void cnx_apply_pad(cnx_rule *rule)
{
    cnx_fact fact = cnx_rule_input(rule, 0);
    const cnx_dim *pads = NULL;
    const int64_t *axes = NULL;
    size_t count = 0, axis_count = 0;
    bool known = pad_amounts(rule, &pads, &count);
    if (cnx_rule_has(rule, 3))
        known = cnx_rule_numbers(rule, 3, &axes, &axis_count) && known;
    if (axes == NULL)
        axis_count = fact.rank;
    if (cnx_rule_has(rule, 2))
        cnx_rule_input(rule, 2);
    if (!known || count != 2 * axis_count) {
        cnx_rule_pin_all(rule, "computed padding");
        cnx_rule_output(rule, 0, cnx_shape_unknown(rule, fact.type, fact.rank, "computed padding"));
        return;
    }
    bool constant = strcmp(cnx_attribute_text(rule->graph, rule->node, "mode", "constant"), "constant") == 0;
    for (size_t i = 0; i < axis_count; i++) {
        uint32_t k = cnx_rule_axis_number(rule, axes != NULL ? axes[i] : (int64_t)i, fact.rank);
        pad_axis(rule, &fact, k, pads[i], pads[i + axis_count], constant);
    }
    cnx_rule_output(rule, 0, fact);
}
