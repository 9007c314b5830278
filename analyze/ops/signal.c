/* Fourier transforms: positions in time and frequency stay where they are. */
#include "analyze/ops/shape_only.h"

#define ORDER "positions in time or frequency"

/* n / 2 + 1, the frequencies of a real signal that are not each other's conjugates. */
static cnx_dim frequencies(cnx_rule *rule, cnx_dim length, bool onesided)
{
    if (!onesided)
        return length;
    return cnx_dim_add(rule->dims, cnx_dim_floor_divide(rule->dims, length, cnx_rule_number(rule, 2)),
                       cnx_rule_number(rule, 1));
}

/* DFT(signal[batch, ..., 1 or 2], length, axis): the axis is an attribute until operator set 20. */
void cnx_apply_pins_fourier(cnx_rule *rule)
{
    cnx_rule_pin_all(rule, ORDER);
    cnx_fact fact = cnx_shape_like(rule, 0, rule->inputs[0].type, ORDER);
    if (fact.rank < 2)
        return;
    bool inverse = cnx_rule_int(rule, "inverse", 0) != 0, onesided = cnx_rule_int(rule, "onesided", 0) != 0;
    int64_t number = cnx_rule_int(rule, "axis", rule->node->opset < 20 ? 1 : -2);
    bool known = !cnx_rule_has(rule, 2) || cnx_dim_is_number(rule->dims, cnx_shape_number(rule, 2), &number);
    cnx_dim length = cnx_rule_has(rule, 1) ? cnx_shape_number(rule, 1) : CNX_NONE;
    uint32_t axis = known ? cnx_rule_axis_number(rule, number, fact.rank) : 0;
    if (!known)
        fact = cnx_shape_unknown(rule, fact.type, fact.rank, ORDER);
    else if (inverse && onesided) /* given half the frequencies; 2 (n - 1), or 2 n - 1 when odd */
        fact.axes[axis].extent = length != CNX_NONE ? length : cnx_dim_fresh(rule->dims);
    else
        fact.axes[axis].extent = frequencies(
            rule, length != CNX_NONE ? length : rule->inputs[0].axes[axis].extent, onesided && !inverse);
    cnx_dim parts = cnx_rule_number(rule, inverse && onesided ? 1 : 2);
    fact.axes[fact.rank - 1] = cnx_shape_axis(rule, parts, ORDER);
    cnx_rule_output(rule, 0, fact);
}

/* STFT(signal[batch, length, 1 or 2], step, window, frame length): [batch, frames, frequencies, 2] */
void cnx_apply_pins_short_time_fourier(cnx_rule *rule)
{
    cnx_rule_pin_all(rule, ORDER);
    if (rule->inputs[0].rank < 2)
        return;
    cnx_dims *dims = rule->dims;
    cnx_dim step = cnx_shape_number(rule, 1), frame = cnx_dim_fresh(dims);
    if (cnx_rule_has(rule, 3))
        frame = cnx_shape_number(rule, 3);
    else if (cnx_rule_has(rule, 2) && rule->inputs[2].rank == 1)
        frame = rule->inputs[2].axes[0].extent;
    cnx_dim rest = cnx_dim_subtract(dims, rule->inputs[0].axes[1].extent, frame);
    cnx_fact fact = cnx_shape_unknown(rule, rule->inputs[0].type, 4, ORDER);
    fact.axes[0].extent = rule->inputs[0].axes[0].extent;
    fact.axes[1].extent = cnx_dim_add(dims, cnx_dim_floor_divide(dims, rest, step), cnx_rule_number(rule, 1));
    fact.axes[2].extent = frequencies(rule, frame, cnx_rule_int(rule, "onesided", 1) != 0);
    fact.axes[3].extent = cnx_rule_number(rule, 2);
    cnx_rule_output(rule, 0, fact);
}
