/* Signs and scales through products: along an axis that is summed over, the factors cancel. */
#include "analyze/scaling/scaling.h"

/* a + b = 0: the two sides of a sum over products. */
static void cancel(cnx_rule *rule, uint32_t a, uint32_t a_axis, uint32_t b, uint32_t b_axis)
{
    cnx_scaling_term terms[2] = {{rule->inputs[a].scaling, a_axis, 1}, {rule->inputs[b].scaling, b_axis, 1}};
    cnx_scaling_equation(rule->analysis->scaling, CNX_SIGN_AND_SCALE, terms, 2);
}

/* Axis `k` of the output is that of input `i`. */
static void pass(cnx_rule *rule, uint32_t k, uint32_t i, uint32_t axis)
{
    cnx_scaling_equal(rule->analysis->scaling, CNX_SIGN_AND_SCALE, rule->outputs[0].scaling, k,
                      rule->inputs[i].scaling, axis);
}

/* Y[m,n] = alpha * A[m,k] B[k,n] + beta * C, where C broadcasts. */
void cnx_scale_gemm(cnx_rule *rule)
{
    uint32_t transposed_a = cnx_rule_int(rule, "transA", 0) != 0;
    uint32_t transposed_b = cnx_rule_int(rule, "transB", 0) != 0;
    if (rule->inputs[0].rank != 2 || rule->inputs[1].rank != 2 || rule->outputs[0].rank != 2) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return;
    }
    cancel(rule, 0, 1 - transposed_a, 1, transposed_b);
    pass(rule, 0, 0, transposed_a);
    pass(rule, 1, 1, 1 - transposed_b);
    if (!cnx_rule_has(rule, 2))
        return;
    uint32_t rank = rule->inputs[2].rank;
    for (uint32_t k = 0; k < 2; k++) /* what C has no axis for is not multiplied */
        cnx_scaling_equal(rule->analysis->scaling, CNX_SIGN_AND_SCALE, rule->outputs[0].scaling, k,
                          k + rank >= 2 ? rule->inputs[2].scaling : 0, k + rank - 2);
}

void cnx_scale_matmul(cnx_rule *rule)
{
    cnx_scaling_log *log = rule->analysis->scaling;
    uint32_t left = rule->inputs[0].rank, right = rule->inputs[1].rank, rank = rule->outputs[0].rank;
    uint32_t rows = left > 1 ? 1 : 0, columns = right > 1 ? 1 : 0;
    uint32_t left_batch = left > 2 ? left - 2 : 0, right_batch = right > 2 ? right - 2 : 0;
    uint32_t batch = left_batch > right_batch ? left_batch : right_batch;
    if (left == 0 || right == 0 || rank != batch + rows + columns) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return;
    }
    cancel(rule, 0, left - 1, 1, right > 1 ? right - 2 : 0);
    if (rows != 0)
        pass(rule, batch, 0, left - 2);
    if (columns != 0)
        pass(rule, batch + rows, 1, right - 1);
    for (uint32_t k = 0; k < batch; k++) {
        cnx_scaling_term terms[3] = {{rule->outputs[0].scaling, k, -1}};
        uint32_t count = 1;
        if (k + left_batch >= batch)
            terms[count++] = (cnx_scaling_term){rule->inputs[0].scaling, k + left_batch - batch, 1};
        if (k + right_batch >= batch)
            terms[count++] = (cnx_scaling_term){rule->inputs[1].scaling, k + right_batch - batch, 1};
        cnx_scaling_equation(log, CNX_SIGN_AND_SCALE, terms, count);
        for (uint32_t t = 0; t < count && count == 3; t++)
            cnx_scaling_separate_axis(log, terms[t].value, terms[t].axis);
    }
}

static bool has_extent(const cnx_rule *rule, uint32_t i, uint32_t k, int64_t extent)
{
    return cnx_dim_equals(rule->dims, rule->inputs[i].axes[k].extent, extent);
}

/* Every channel is convolved on its own: out = channel + filter. */
static void scale_channels(cnx_rule *rule)
{
    cnx_scaling_log *log = rule->analysis->scaling;
    cnx_scaling_term terms[3] = {
        {rule->outputs[0].scaling, 1, -1}, {rule->inputs[0].scaling, 1, 1}, {rule->inputs[1].scaling, 0, 1}};
    cnx_scaling_equation(log, CNX_SIGN_AND_SCALE, terms, 3);
    for (uint32_t t = 0; t < 3; t++)
        cnx_scaling_separate_axis(log, terms[t].value, terms[t].axis);
}

static void pass_all_but_channels(cnx_rule *rule)
{
    for (uint32_t k = 0; k < rule->outputs[0].rank; k++)
        if (k != 1)
            pass(rule, k, 0, k);
}

static void add_bias(cnx_rule *rule)
{
    if (cnx_rule_has(rule, 2))
        pass(rule, 1, 2, 0);
}

static bool is_convolution(const cnx_rule *rule)
{
    uint32_t rank = rule->inputs[0].rank;
    return rank >= 2 && rule->inputs[1].rank == rank && rule->outputs[0].rank == rank &&
           (!cnx_rule_has(rule, 2) || rule->inputs[2].rank == 1);
}

/* X[n, c, ...], W[m, c / group, kernel...], B[m] -> Y[n, m, ...] */
void cnx_scale_conv(cnx_rule *rule)
{
    cnx_scaling_log *log = rule->analysis->scaling;
    int64_t groups = cnx_rule_int(rule, "group", 1);
    if (!is_convolution(rule)) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return;
    }
    pass_all_but_channels(rule);
    add_bias(rule);
    bool channel_by_channel = groups > 1 && has_extent(rule, 1, 1, 1);
    if (channel_by_channel && has_extent(rule, 1, 0, groups)) {
        scale_channels(rule);
        return;
    }
    if (channel_by_channel) /* several filters a channel: each would have to undo the channel's factor */
        cnx_scaling_fix_axis(log, CNX_SIGN_AND_SCALE, rule->inputs[0].scaling, 1);
    else
        cancel(rule, 0, 1, 1, 1);
    pass(rule, 1, 1, 0);
}

/* X[n, c, ...], W[c, m / group, kernel...], B[m] -> Y[n, m, ...] */
void cnx_scale_conv_transpose(cnx_rule *rule)
{
    if (!is_convolution(rule)) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return;
    }
    pass_all_but_channels(rule);
    add_bias(rule);
    if (cnx_rule_int(rule, "group", 1) > 1 && has_extent(rule, 1, 1, 1)) {
        scale_channels(rule);
        return;
    }
    cancel(rule, 0, 1, 1, 0);
    pass(rule, 1, 1, 1);
}
