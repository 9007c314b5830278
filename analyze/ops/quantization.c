/* Quantised operators: as their float originals; scales and zero points of one number say nothing, those with
 * one number a row or column share the axis. */
#include "analyze/ops/compose.h"

/* Whether the inputs first ... last that exist hold one number each; takes them over. */
static bool are_single(cnx_rule *rule, uint32_t first, uint32_t last)
{
    bool single = true;
    for (uint32_t i = first; i <= last; i++)
        if (cnx_rule_has(rule, i) && !cnx_rule_is_single(rule, i))
            single = false;
    return single;
}

static int32_t type_of(const cnx_rule *rule, uint32_t i, int32_t otherwise)
{
    return cnx_rule_has(rule, i) ? rule->inputs[i].type : otherwise;
}

/* ---- QuantizeLinear and DequantizeLinear ---- */

/* Blocks of `size` consecutive positions of axis `k` share one position of the scale's axis. */
static void relate_blocks(cnx_rule *rule, cnx_fact *fact, const cnx_fact *scale, uint32_t k, int64_t size)
{
    int64_t extent, blocks;
    bool known = cnx_rule_extent(rule, fact->axes[k], &extent) &&
                 cnx_rule_extent(rule, scale->axes[k], &blocks) && extent == blocks * size &&
                 fact->axes[k].kind == CNX_AXIS_LABELS;
    if (!known) {
        uint32_t reason = cnx_rule_reason(rule, "blocks of scales");
        fact->axes[k] = cnx_axis_pin(rule->points, fact->axes[k], reason);
        cnx_axis_pin(rule->points, scale->axes[k], reason);
        return;
    }
    cnx_axis outer, inner;
    cnx_rule_split(rule, fact->axes[k], scale->axes[k].extent, &outer, &inner);
    cnx_rule_same(rule, outer, scale->axes[k]);
}

/* x and a scale of as many axes, which is shorter along `blocked`. */
static void relate_blocked(cnx_rule *rule, cnx_fact *fact, uint32_t i, uint32_t blocked, int64_t size)
{
    cnx_fact scale = cnx_rule_input(rule, i);
    for (uint32_t k = 0; k < fact->rank; k++) {
        if (k == blocked)
            relate_blocks(rule, fact, &scale, k, size);
        else
            fact->axes[k] = cnx_rule_same(rule, fact->axes[k], scale.axes[k]);
    }
}

/* x[...] with a scale and zero point for all (scalars), for each position of `axis` (13), or for each block
 * of positions of it (21). Y is laid out as x. */
static cnx_fact scaled(cnx_rule *rule)
{
    cnx_fact fact = cnx_rule_input(rule, 0);
    int64_t size = cnx_rule_int(rule, "block_size", 0), axis = cnx_rule_int(rule, "axis", 1);
    for (uint32_t i = 1; i < 3; i++) {
        if (!cnx_rule_has(rule, i) || cnx_rule_is_single(rule, i))
            continue;
        if (rule->inputs[i].rank == 1 && size == 0 && fact.rank != 0)
            cnx_fact_scaled_along(rule, &fact,
                                  fact.rank == 1 ? 0 : cnx_rule_axis_number(rule, axis, fact.rank), i);
        else if (rule->inputs[i].rank == fact.rank && size > 0)
            relate_blocked(rule, &fact, i, cnx_rule_axis_number(rule, axis, fact.rank), size);
        else
            cnx_fact_unrelated(rule, &fact, i);
    }
    return fact;
}

/* x[...], y_scale, y_zero_point, whose type is Y's */
void cnx_apply_quantize_linear(cnx_rule *rule)
{
    cnx_fact fact = scaled(rule);
    int64_t type = cnx_rule_int(rule, "output_dtype", 0);
    fact.type = type_of(rule, 2, type != 0 ? (int32_t)type : CNX_TYPE_UINT8);
    cnx_rule_output(rule, 0, fact);
}

/* x[...], x_scale, whose type is Y's, x_zero_point */
void cnx_apply_dequantize_linear(cnx_rule *rule)
{
    cnx_fact fact = scaled(rule);
    int64_t type = cnx_rule_int(rule, "output_dtype", 0);
    fact.type = type != 0 ? (int32_t)type : type_of(rule, 1, CNX_TYPE_FLOAT);
    cnx_rule_output(rule, 0, fact);
}

/* x[...]: scale and zero point come from the least and the largest element, wherever they are. */
void cnx_apply_dynamic_quantize_linear(cnx_rule *rule)
{
    cnx_fact fact = cnx_rule_input(rule, 0);
    fact.type = CNX_TYPE_UINT8;
    cnx_rule_output(rule, 0, fact);
    cnx_rule_output(rule, 1, cnx_rule_fact(rule, rule->inputs[0].type, 0));
    cnx_rule_output(rule, 2, cnx_rule_fact(rule, CNX_TYPE_UINT8, 0));
}

/* ---- products ---- */

/* Numbers for every row of a left operand: 1-D over its last axis but one, or broadcasting to it. */
static void relate_rows(cnx_rule *rule, cnx_fact *fact, uint32_t i)
{
    if (!cnx_rule_has(rule, i) || cnx_rule_is_single(rule, i))
        return;
    if (rule->inputs[i].rank == 1 && fact->rank >= 2) {
        cnx_fact_scaled_along(rule, fact, fact->rank - 2, i);
        return;
    }
    cnx_fact facts[2] = {*fact, cnx_rule_input(rule, i)};
    *fact = cnx_rule_broadcast(rule, facts, 2, fact->type);
}

/* Numbers for every column of a right operand or of a product: they broadcast to it. */
static void relate_columns(cnx_rule *rule, cnx_fact *fact, uint32_t i)
{
    if (!cnx_rule_has(rule, i) || cnx_rule_is_single(rule, i))
        return;
    cnx_fact facts[2] = {*fact, cnx_rule_input(rule, i)};
    *fact = cnx_rule_broadcast(rule, facts, 2, fact->type);
}

static bool are_matrices(cnx_rule *rule, uint32_t a, uint32_t b)
{
    if (cnx_rule_has(rule, a) && cnx_rule_has(rule, b) && rule->inputs[a].rank >= 1 &&
        rule->inputs[b].rank >= 2 && rule->inputs[a].rank <= 50 && rule->inputs[b].rank <= 50)
        return true;
    cnx_rule_pin_all(rule, "operands that are not matrices");
    return false;
}

/* A[..., m, k], B[..., k, n], a_zero_point (scalar, [m] or [..., m, 1]), b_zero_point (scalar, [n] ...) */
void cnx_apply_matmul_integer(cnx_rule *rule)
{
    if (!are_matrices(rule, 0, 1))
        return;
    cnx_fact left = cnx_rule_input(rule, 0), right = cnx_rule_input(rule, 1);
    relate_rows(rule, &left, 2);
    relate_columns(rule, &right, 3);
    cnx_fact product = cnx_fact_matmul(rule, left, right);
    product.type = CNX_TYPE_INT32;
    cnx_rule_output(rule, 0, product);
}

/* a, a_scale, a_zero_point, b, b_scale, b_zero_point, y_scale, y_zero_point */
void cnx_apply_qlinear_matmul(cnx_rule *rule)
{
    if (!are_matrices(rule, 0, 3))
        return;
    cnx_fact left = cnx_rule_input(rule, 0), right = cnx_rule_input(rule, 3);
    relate_rows(rule, &left, 1);
    relate_rows(rule, &left, 2);
    relate_columns(rule, &right, 4);
    relate_columns(rule, &right, 5);
    cnx_fact product = cnx_fact_matmul(rule, left, right);
    relate_rows(rule, &product, 6);
    relate_rows(rule, &product, 7);
    product.type = type_of(rule, 7, left.type);
    cnx_rule_output(rule, 0, product);
}

/* A[..., k] is quantised on the way, by its least and largest element; B[k, n], b_scale, b_zero_point, bias
 */
void cnx_apply_dynamic_quantize_matmul(cnx_rule *rule)
{
    if (!are_matrices(rule, 0, 1))
        return;
    cnx_fact left = cnx_rule_input(rule, 0), right = cnx_rule_input(rule, 1);
    relate_columns(rule, &right, 2);
    relate_columns(rule, &right, 3);
    cnx_fact product = cnx_fact_matmul(rule, left, right);
    product.type = left.type;
    relate_columns(rule, &product, 4);
    cnx_rule_output(rule, 0, product);
}

/* A, B, a_scale, b_scale, a_zero_point, b_zero_point, bias */
void cnx_apply_matmul_integer_to_float(cnx_rule *rule)
{
    if (!are_matrices(rule, 0, 1))
        return;
    cnx_fact left = cnx_rule_input(rule, 0), right = cnx_rule_input(rule, 1);
    relate_rows(rule, &left, 2);
    relate_rows(rule, &left, 4);
    relate_columns(rule, &right, 3);
    relate_columns(rule, &right, 5);
    cnx_fact product = cnx_fact_matmul(rule, left, right);
    product.type = type_of(rule, 2, CNX_TYPE_FLOAT);
    relate_columns(rule, &product, 6);
    cnx_rule_output(rule, 0, product);
}

/* A[m, k], a_scale, a_zero_point, B[k, n], b_scale, b_zero_point, C, y_scale, y_zero_point; transA, transB */
void cnx_apply_qgemm(cnx_rule *rule)
{
    static const uint32_t turned[] = {1, 0};
    if (!are_matrices(rule, 0, 3) || rule->inputs[0].rank != 2 || rule->inputs[3].rank != 2 ||
        !are_single(rule, 1, 2) || !are_single(rule, 7, 8)) {
        cnx_rule_pin_all(rule, "operands that are not matrices");
        return;
    }
    cnx_fact left = cnx_rule_input(rule, 0), right = cnx_rule_input(rule, 3);
    if (cnx_rule_int(rule, "transA", 0) != 0)
        left = cnx_fact_reorder(rule, left, turned, 2);
    if (cnx_rule_int(rule, "transB", 0) != 0)
        right = cnx_fact_reorder(rule, right, turned, 2);
    relate_columns(rule, &right, 4);
    relate_columns(rule, &right, 5);
    cnx_fact product = cnx_fact_matmul(rule, left, right);
    relate_columns(rule, &product, 6);
    product.type = type_of(rule, 8, CNX_TYPE_FLOAT);
    cnx_rule_output(rule, 0, product);
}

/* ---- convolutions and pools ---- */

static bool is_convolution(cnx_rule *rule, uint32_t x, uint32_t w)
{
    return cnx_rule_has(rule, x) && cnx_rule_has(rule, w) && rule->inputs[x].rank >= 2 &&
           rule->inputs[x].rank == rule->inputs[w].rank;
}

/* x[n, c, ...], w[m, c / group, kernel...], x_zero_point, w_zero_point (scalar or [m]) */
void cnx_apply_conv_integer(cnx_rule *rule)
{
    if (!is_convolution(rule, 0, 1) || !are_single(rule, 2, 2)) {
        cnx_rule_pin_all(rule, "zero points of several axes");
        return;
    }
    cnx_fact output = cnx_fact_convolve(rule, 0, 1, false);
    cnx_fact_scaled_along(rule, &output, 1, 3);
    output.type = CNX_TYPE_INT32;
    cnx_rule_output(rule, 0, output);
}

/* x, x_scale, x_zero_point, w, w_scale, w_zero_point (scalars or [m]), y_scale, y_zero_point, B[m]; with
 * channels_last (domain com.microsoft) x is [n, ..., c] */
void cnx_apply_qlinear_conv(cnx_rule *rule)
{
    bool last = cnx_rule_int(rule, "channels_last", 0) != 0;
    if (!is_convolution(rule, 0, 3) || !are_single(rule, 1, 2) || !are_single(rule, 6, 7)) {
        cnx_rule_pin_all(rule, "scales of several axes");
        return;
    }
    cnx_fact output = cnx_fact_convolve(rule, 0, 3, last);
    uint32_t channel = last ? output.rank - 1 : 1;
    cnx_fact_scaled_along(rule, &output, channel, 4);
    cnx_fact_scaled_along(rule, &output, channel, 5);
    if (cnx_rule_has(rule, 8) && rule->inputs[8].rank == 1)
        output.axes[channel] = cnx_rule_same(rule, output.axes[channel], cnx_rule_axis(rule, 8, 0));
    output.type = type_of(rule, 7, output.type);
    cnx_rule_output(rule, 0, output);
}

/* X[n, c, ...], or [n, ..., c] with channels_last, x_scale, x_zero_point, y_scale, y_zero_point */
void cnx_apply_qlinear_pool(cnx_rule *rule)
{
    cnx_fact output;
    if (!are_single(rule, 1, 4) ||
        !cnx_fact_pool(rule, cnx_rule_int(rule, "channels_last", 0) != 0, &output)) {
        cnx_rule_pin_all(rule, "window");
        return;
    }
    cnx_rule_output(rule, 0, output);
}

void cnx_apply_qlinear_global_pool(cnx_rule *rule)
{
    cnx_fact fact = cnx_rule_input(rule, 0);
    if (!are_single(rule, 1, 4) || fact.rank < 2) {
        cnx_rule_pin_all(rule, "scales of several axes");
        return;
    }
    uint32_t first = cnx_rule_int(rule, "channels_last", 0) != 0 ? 1 : 2;
    uint64_t spatial = ((UINT64_C(1) << (fact.rank - 2)) - 1) << first;
    cnx_rule_output(rule, 0, cnx_rule_reduce(rule, fact, spatial, true));
}

/* ---- elementwise and layout ---- */

/* X, x_scale, x_zero_point, y_scale, y_zero_point: QLinearSigmoid, QLinearLeakyRelu, QLinearSoftmax */
void cnx_apply_qlinear_unary(cnx_rule *rule)
{
    if (!are_single(rule, 1, 4)) {
        cnx_rule_pin_all(rule, "scales of several axes");
        return;
    }
    cnx_fact fact = cnx_rule_input(rule, 0);
    if (strcmp(rule->node->op_type, "QLinearSoftmax") == 0 && fact.rank != 0)
        cnx_rule_mix(rule, &fact,
                     UINT64_C(1) << cnx_rule_axis_number(rule, cnx_rule_int(rule, "axis", -1), fact.rank));
    cnx_rule_output(rule, 0, fact);
}

/* Combines the tensors at these inputs; all the others are scales and zero points of one number. */
static void combine(cnx_rule *rule, const uint32_t *operands, uint32_t count)
{
    cnx_fact facts[3];
    bool single = true;
    for (uint32_t i = 0, next = 0; i < rule->input_count; i++) {
        if (next < count && operands[next] == i)
            facts[next++] = cnx_rule_input(rule, i);
        else
            single = are_single(rule, i, i) && single;
    }
    if (!single || !cnx_rule_has(rule, operands[count - 1]))
        cnx_rule_pin_all(rule, "scales of several axes");
    else
        cnx_rule_output(rule, 0, cnx_rule_broadcast(rule, facts, count, facts[count - 1].type));
}

/* A, a_scale, a_zero_point, B, b_scale, b_zero_point, c_scale, c_zero_point: QLinearAdd, QLinearMul */
void cnx_apply_qlinear_binary(cnx_rule *rule)
{
    combine(rule, (const uint32_t[]){0, 3}, 2);
}

/* A, a_zero_point, B, b_zero_point */
void cnx_apply_mul_integer(cnx_rule *rule)
{
    combine(rule, (const uint32_t[]){0, 2}, 2);
}

/* condition, X, x_scale, x_zero_point, Y, y_scale, y_zero_point, z_scale, z_zero_point */
void cnx_apply_qlinear_where(cnx_rule *rule)
{
    combine(rule, (const uint32_t[]){0, 1, 4}, 3);
}

/* data, data_scale, data_zero_point, reduced_scale, reduced_zero_point; axes and keepdims are attributes */
void cnx_apply_qlinear_reduce(cnx_rule *rule)
{
    size_t count;
    const int64_t *axes = cnx_rule_ints(rule, "axes", &count);
    if (!are_single(rule, 1, 4)) {
        cnx_rule_pin_all(rule, "scales of several axes");
        return;
    }
    cnx_fact fact = cnx_rule_input(rule, 0);
    uint64_t bits = count == 0 ? (UINT64_C(1) << fact.rank) - 1 : 0;
    for (size_t i = 0; i < count; i++)
        bits |= UINT64_C(1) << cnx_rule_axis_number(rule, axes[i], fact.rank);
    cnx_rule_output(rule, 0, cnx_rule_reduce(rule, fact, bits, cnx_rule_int(rule, "keepdims", 1) != 0));
}

/* y_scale, y_zero_point, then (X, scale, zero_point) for every part */
void cnx_apply_qlinear_concat(cnx_rule *rule)
{
    uint32_t rank = rule->input_count > 2 && cnx_rule_has(rule, 2) ? rule->inputs[2].rank : 0;
    bool fits = rank != 0 && are_single(rule, 0, 1) && (rule->input_count - 2) % 3 == 0;
    for (uint32_t i = 2; i < rule->input_count && fits; i += 3)
        fits = cnx_rule_has(rule, i) && rule->inputs[i].rank == rank && are_single(rule, i + 1, i + 2);
    if (!fits) {
        cnx_rule_pin_all(rule, "scales of several axes");
        return;
    }
    uint32_t axis = cnx_rule_axis_number(rule, cnx_rule_int(rule, "axis", 1), rank);
    cnx_fact joined = cnx_rule_input(rule, 2);
    for (uint32_t i = 5; i < rule->input_count; i += 3)
        joined = cnx_fact_join(rule, joined, cnx_rule_input(rule, i), axis);
    cnx_rule_output(rule, 0, joined);
}
