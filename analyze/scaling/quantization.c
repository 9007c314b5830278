/* Scales through quantised weights. What is stored in whole numbers stays; the scales beside it are
 * parameters like others. They are positive by convention, and stay so. */
#include "analyze/scaling/scaling.h"

/* Axis `k` of the output has the scale factors of axis `axis` of input `i`. */
static void pass(cnx_rule *rule, uint32_t k, uint32_t i, uint32_t axis)
{
    cnx_scaling_equal(rule->analysis->scaling, CNX_SCALE, rule->outputs[0].scaling, k,
                      rule->inputs[i].scaling, axis);
}

/* x, x_scale (of one number, one for each position of `axis`, or one for each block of positions), zero point
 */
void cnx_scale_dequantize(cnx_rule *rule)
{
    cnx_scaling_log *log = rule->analysis->scaling;
    uint32_t rank = rule->outputs[0].rank;
    bool vector = rule->outputs[0].known && cnx_rule_has(rule, 1) && rule->inputs[1].rank == 1 && rank != 0 &&
                  cnx_rule_int(rule, "block_size", 0) == 0;
    if (!vector) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return;
    }
    uint32_t axis = rank == 1 ? 0 : cnx_rule_axis_number(rule, cnx_rule_int(rule, "axis", 1), rank);
    for (uint32_t k = 0; k < rank; k++)
        if (k == axis)
            pass(rule, k, 1, 0);
        else
            cnx_scaling_fix_axis(log, CNX_SCALE, rule->outputs[0].scaling, k);
    cnx_scaling_fix(log, CNX_SCALE, rule->inputs[0].scaling);
    cnx_scaling_fix_node(rule, CNX_SIGN);
    cnx_scaling_separate(log, rule->outputs[0].scaling);
}

/* A product whose columns are multiplied by input `scales` and shifted by input `bias`. */
static void scale_columns(cnx_rule *rule, uint32_t scales, uint32_t bias)
{
    cnx_scaling_log *log = rule->analysis->scaling;
    uint32_t last = rule->outputs[0].rank - 1;
    if (!rule->outputs[0].known || rule->outputs[0].rank == 0 || !cnx_rule_has(rule, scales) ||
        rule->inputs[scales].rank != 1 || (cnx_rule_has(rule, bias) && rule->inputs[bias].rank != 1)) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return;
    }
    for (uint32_t i = 0; i < rule->input_count; i++)
        if (rule->present[i] && i != scales && i != bias)
            cnx_scaling_fix(log, CNX_SCALE, rule->inputs[i].scaling);
    for (uint32_t k = 0; k < last; k++)
        cnx_scaling_fix_axis(log, CNX_SCALE, rule->outputs[0].scaling, k);
    pass(rule, last, scales, 0);
    if (cnx_rule_has(rule, bias))
        pass(rule, last, bias, 0);
    cnx_scaling_fix_node(rule, CNX_SIGN);
    cnx_scaling_separate(log, rule->outputs[0].scaling);
}

/* A, which is quantised on the way, B, b_scale, b_zero_point, bias */
void cnx_scale_dynamic_quantize_matmul(cnx_rule *rule)
{
    scale_columns(rule, 2, 4);
}

/* A, B, a_scale, b_scale, a_zero_point, b_zero_point, bias */
void cnx_scale_matmul_integer_to_float(cnx_rule *rule)
{
    scale_columns(rule, 3, 6);
}

/* A, B, scales[n, blocks] (or [n * blocks], of which only one block a row is followed), zero_points, g_idx,
 * bias[n] -> Y[..., n] */
void cnx_scale_matmul_nbits(cnx_rule *rule)
{
    cnx_scaling_log *log = rule->analysis->scaling;
    uint32_t rank = rule->outputs[0].rank;
    bool rows = rule->outputs[0].known && rank != 0 && cnx_rule_has(rule, 2) && rule->inputs[2].rank >= 1 &&
                cnx_dim_equals(rule->dims, rule->inputs[2].axes[0].extent, cnx_rule_int(rule, "N", -1)) &&
                (!cnx_rule_has(rule, 5) || rule->inputs[5].rank == 1);
    if (!rows) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return;
    }
    for (uint32_t i = 0; i < rule->input_count; i++)
        if (rule->present[i] && i != 2 && i != 5)
            cnx_scaling_fix(log, CNX_SCALE, rule->inputs[i].scaling);
    for (uint32_t k = 1; k < rule->inputs[2].rank; k++)
        cnx_scaling_fix_axis(log, CNX_SCALE, rule->inputs[2].scaling, k);
    for (uint32_t k = 0; k + 1 < rank; k++)
        cnx_scaling_fix_axis(log, CNX_SCALE, rule->outputs[0].scaling, k);
    pass(rule, rank - 1, 2, 0);
    if (cnx_rule_has(rule, 5))
        pass(rule, rank - 1, 5, 0);
    cnx_scaling_fix_node(rule, CNX_SIGN);
    cnx_scaling_separate(log, rule->outputs[0].scaling);
}
