/* Sums and extremes over axes. */
#include "analyze/ops/shape_only.h"

/* The axes of a reduction as bits: from the second input or the attribute; none means all, unless
 * noop_with_empty_axes. False when they are not known. */
static bool reduced_axes(cnx_rule *rule, uint32_t rank, uint64_t *bits)
{
    const int64_t *axes = NULL;
    size_t count = 0;
    if (cnx_rule_has(rule, 1)) {
        if (!cnx_rule_numbers(rule, 1, &axes, &count))
            return false;
    } else {
        axes = cnx_rule_ints(rule, "axes", &count);
    }
    *bits = 0;
    if (count == 0 && cnx_rule_int(rule, "noop_with_empty_axes", 0) == 0)
        *bits = rank == 64 ? UINT64_MAX : (UINT64_C(1) << rank) - 1;
    for (size_t i = 0; i < count; i++)
        *bits |= UINT64_C(1) << cnx_rule_axis_number(rule, axes[i], rank);
    return true;
}

/* ReduceSum, ReduceMean, ReduceMax, ReduceL2 ...: symmetric, so reduced axes drop out freely. */
void cnx_apply_reduce(cnx_rule *rule)
{
    uint64_t bits;
    if (!reduced_axes(rule, rule->inputs[0].rank, &bits)) {
        cnx_rule_pin_all(rule, "computed axes");
        if (cnx_rule_int(rule, "keepdims", 1) != 0)
            cnx_rule_output(
                rule, 0,
                cnx_shape_unknown(rule, rule->inputs[0].type, rule->inputs[0].rank, "computed axes"));
        return;
    }
    cnx_fact fact = cnx_rule_input(rule, 0);
    cnx_rule_output(rule, 0, cnx_rule_reduce(rule, fact, bits, cnx_rule_int(rule, "keepdims", 1) != 0));
}

/* ArgMax, ArgMin: they report positions along the axis, so it is pinned. */
void cnx_apply_arg_extreme(cnx_rule *rule)
{
    cnx_fact fact = cnx_rule_input(rule, 0);
    uint32_t axis = cnx_rule_axis_number(rule, cnx_rule_int(rule, "axis", 0), fact.rank);
    cnx_rule_pin_fact_axis(rule, &fact, axis, "reported positions");
    fact.type = CNX_TYPE_INT64;
    cnx_rule_output(rule, 0,
                    cnx_rule_reduce(rule, fact, UINT64_C(1) << axis, cnx_rule_int(rule, "keepdims", 1) != 0));
}

/* CumSum, Hardmax and others for which order along one axis matters and the shape stays. */
void cnx_apply_position_along_axis(cnx_rule *rule)
{
    int64_t axis = cnx_rule_int(rule, "axis", -1);
    const int64_t *numbers;
    size_t count;
    if (cnx_rule_has(rule, 1)) {
        if (!cnx_rule_numbers(rule, 1, &numbers, &count) || count != 1) {
            cnx_rule_pin_all(rule, "computed axis");
            cnx_rule_output(rule, 0, cnx_shape_like(rule, 0, rule->inputs[0].type, "computed axis"));
            return;
        }
        axis = numbers[0];
    }
    cnx_fact fact = cnx_rule_input(rule, 0);
    uint32_t first = cnx_rule_axis_number(rule, axis, fact.rank);
    bool coerces = strcmp(rule->node->op_type, "Hardmax") == 0 && rule->node->opset < 13;
    if (coerces) /* older Hardmax flattens everything from `axis` (default 1) on */
        first = cnx_rule_axis_number(rule, cnx_rule_int(rule, "axis", 1), fact.rank);
    for (uint32_t k = first; k < (coerces ? fact.rank : first + 1); k++)
        cnx_rule_pin_fact_axis(rule, &fact, k, "positions in order");
    cnx_rule_mix(rule, &fact, coerces ? ~((UINT64_C(1) << first) - 1) : UINT64_C(1) << first);
    cnx_rule_output(rule, 0, fact);
}
