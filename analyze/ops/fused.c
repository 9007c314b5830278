/* What ONNX Runtime's optimiser makes of neighbouring operators (domain com.microsoft): as the operators that
 * were fused. Activations inside are elementwise. */
#include "analyze/ops/fused.h"

#include "analyze/ops/compose.h"

/* ---- convolutions ---- */

static bool is_convolution(const cnx_rule *rule)
{
    return cnx_rule_has(rule, 1) && rule->inputs[0].rank >= 2 && rule->inputs[1].rank == rule->inputs[0].rank;
}

/* X[n, c, ...], W[m, c / group, kernel...], B[m], Z[n, m, ...], which is added */
void cnx_apply_fused_conv(cnx_rule *rule)
{
    if (!is_convolution(rule)) {
        cnx_rule_pin_all(rule, "operands that do not fit");
        return;
    }
    cnx_fact output = cnx_fact_convolve(rule, 0, 1, false);
    cnx_fact_scaled_along(rule, &output, 1, 2);
    if (cnx_rule_has(rule, 3)) {
        cnx_fact facts[2] = {output, cnx_rule_input(rule, 3)};
        output = cnx_rule_broadcast(rule, facts, 2, output.type);
    }
    cnx_rule_output(rule, 0, output);
}

/* X[n, ..., c], B[m], Z[n, ..., m]. Runtimes do not agree on the layout of W but for its first axis, m: its
 * other axes are pinned, and the input channels with them. */
void cnx_apply_nhwc_conv(cnx_rule *rule)
{
    if (!is_convolution(rule)) {
        cnx_rule_pin_all(rule, "operands that do not fit");
        return;
    }
    cnx_fact input = cnx_rule_input(rule, 0);
    cnx_fact output = cnx_rule_fact(rule, input.type, input.rank);
    output.axes[0] = input.axes[0];
    for (uint32_t k = 1; k < input.rank; k++) {
        cnx_rule_pin(rule, 1, k, "layout of the kernel");
        cnx_rule_pin_fact_axis(rule, &input, k, "layout of the kernel");
        output.axes[k] =
            cnx_axis_pinned(cnx_dim_fresh(rule->dims), cnx_rule_reason(rule, "layout of the kernel"));
    }
    output.axes[input.rank - 1] = cnx_rule_axis(rule, 1, 0);
    cnx_fact_scaled_along(rule, &output, input.rank - 1, 2);
    if (cnx_rule_has(rule, 3)) {
        cnx_fact facts[2] = {output, cnx_rule_input(rule, 3)};
        output = cnx_rule_broadcast(rule, facts, 2, output.type);
    }
    cnx_rule_output(rule, 0, output);
}

/* X[n, ..., c]: batch and channels pass. */
void cnx_apply_nhwc_pool(cnx_rule *rule)
{
    cnx_fact output;
    if (!cnx_fact_pool(rule, true, &output))
        cnx_rule_pin_all(rule, "window");
    else
        cnx_rule_output(rule, 0, output);
}

/* ---- products ---- */

uint32_t cnx_fused_axis(const cnx_rule *rule, uint32_t i, uint32_t k)
{
    uint32_t rank = rule->inputs[i].rank;
    if (rank < 2)
        return k;
    if (cnx_rule_int(rule, i == 0 ? "transA" : "transB", 0) != 0 && k + 2 >= rank)
        k = 2 * rank - 3 - k;
    if (cnx_rule_int(rule, i == 0 ? "transBatchA" : "transBatchB", 0) == 0 || k == rank - 1)
        return k;
    return k == rank - 2 ? 0 : k + 1;
}

static cnx_fact matrices(cnx_rule *rule, uint32_t i)
{
    cnx_fact fact = cnx_rule_input(rule, i);
    cnx_axis *axes = CNX_NEW_ARRAY(rule->arena, cnx_axis, fact.rank);
    for (uint32_t k = 0; k < fact.rank; k++)
        axes[k] = fact.axes[cnx_fused_axis(rule, i, k)];
    fact.axes = axes;
    return fact;
}

/* alpha * A[..., m, k] B[..., k, n], seen as cnx_fused_axis tells. */
void cnx_apply_fused_matmul(cnx_rule *rule)
{
    if (!cnx_rule_has(rule, 1) || rule->inputs[0].rank == 0 || rule->inputs[1].rank == 0 ||
        rule->inputs[0].rank > 50 || rule->inputs[1].rank > 50) {
        cnx_rule_pin_all(rule, "matrices without axes");
        return;
    }
    cnx_fact left = matrices(rule, 0), right = matrices(rule, 1);
    cnx_rule_output(rule, 0, cnx_fact_matmul(rule, left, right));
}

/* `i` holds, for each of `rows`, several packed numbers in a row: the rows' blocks of it. */
static void relate_packed_rows(cnx_rule *rule, cnx_axis rows, uint32_t i)
{
    if (!cnx_rule_has(rule, i))
        return;
    cnx_fact fact = cnx_rule_input(rule, i);
    int64_t count, total;
    if (fact.rank == 1 && cnx_rule_extent(rule, rows, &count) &&
        cnx_rule_extent(rule, fact.axes[0], &total) && total % count == 0)
        fact = cnx_fact_split(rule, fact, 0, rows.extent);
    if (fact.rank == 0)
        return;
    cnx_rule_same(rule, rows, fact.axes[0]);
    for (uint32_t k = 1; k < fact.rank; k++) {
        if (fact.axes[0].kind == CNX_AXIS_LABELS) /* pinned inside every row, while rows move */
            fact.axes[k] = cnx_axis_forget_blocks(rule->points, fact.axes[k], fact.axes[0].labels);
        cnx_rule_pin_fact_axis(rule, &fact, k, "packed numbers");
    }
}

/* A[..., k], B[n, blocks, bytes], scales[n * blocks], zero_points[n * bytes], g_idx[k], bias[n] -> Y[..., n]:
 * numbers of a few bits are packed along k, which is pinned; rows n move as a whole. */
void cnx_apply_matmul_nbits(cnx_rule *rule)
{
    if (!cnx_rule_has(rule, 1) || !cnx_rule_has(rule, 2) || rule->inputs[0].rank == 0 ||
        rule->inputs[1].rank < 2 ||
        !cnx_dim_equals(rule->dims, rule->inputs[1].axes[0].extent, cnx_rule_int(rule, "N", -1))) {
        cnx_rule_pin_all(rule, "packed numbers");
        return;
    }
    cnx_fact fact = cnx_rule_input(rule, 0), weights = cnx_rule_input(rule, 1);
    cnx_rule_pin_fact_axis(rule, &fact, fact.rank - 1, "packed numbers");
    for (uint32_t k = 1; k < weights.rank; k++)
        cnx_rule_pin_fact_axis(rule, &weights, k, "packed numbers");
    cnx_axis rows = weights.axes[0];
    relate_packed_rows(rule, rows, 2);
    relate_packed_rows(rule, rows, 3);
    if (cnx_rule_has(rule, 4))
        cnx_rule_pin_fact(rule, cnx_rule_input(rule, 4), "packed numbers");
    fact.axes[fact.rank - 1] = rows;
    cnx_fact_scaled_along(rule, &fact, fact.rank - 1, 5);
    cnx_rule_output(rule, 0, fact);
}

/* A[m, k], B[n, k] -> distances[m, n] */
void cnx_apply_cdist(cnx_rule *rule)
{
    static const uint32_t left[] = {0, 2}, right[] = {1, 2};
    if (!cnx_rule_has(rule, 1) || rule->inputs[0].rank != 2 || rule->inputs[1].rank != 2) {
        cnx_rule_pin_all(rule, "operands that are not matrices");
        return;
    }
    cnx_fact a = cnx_fact_place(rule, cnx_rule_input(rule, 0), left, 3);
    cnx_fact b = cnx_fact_place(rule, cnx_rule_input(rule, 1), right, 3);
    cnx_rule_output(rule, 0, cnx_fact_contract(rule, a, b, 1u << 2));
}

/* ---- sums with a bias ---- */

/* X[n, s, d] + bias[d], the left half times the Gelu of the right: [n, s, d / 2] */
void cnx_apply_bias_split_gelu(cnx_rule *rule)
{
    cnx_fact fact = cnx_rule_input(rule, 0);
    int64_t size;
    if (fact.rank == 0 || !cnx_rule_extent(rule, fact.axes[fact.rank - 1], &size) || size % 2 != 0) {
        cnx_rule_pin_all(rule, "halves");
        return;
    }
    uint32_t last = fact.rank - 1;
    cnx_fact_scaled_along(rule, &fact, last, 1);
    cnx_fact halves[2] = {cnx_fact_cut(rule, fact, last, 0, 1, size / 2),
                          cnx_fact_cut(rule, fact, last, size / 2, 1, size / 2)};
    cnx_rule_output(rule, 0, cnx_rule_broadcast(rule, halves, 2, fact.type));
}

/* data[...] + bias, then Softmax over the axes from `axis` on. Axes of equal number broadcast as elsewhere;
 * what a shorter bias means depends on an attribute, and is not followed. */
void cnx_apply_bias_softmax(cnx_rule *rule)
{
    if (!cnx_rule_has(rule, 1) || rule->inputs[0].rank != rule->inputs[1].rank) {
        cnx_rule_pin_all(rule, "bias of another rank");
        return;
    }
    cnx_fact facts[2] = {cnx_rule_input(rule, 0), cnx_rule_input(rule, 1)};
    cnx_fact sum = cnx_rule_broadcast(rule, facts, 2, facts[0].type);
    if (sum.rank != 0)
        cnx_rule_mix(rule, &sum,
                     UINT64_MAX << cnx_rule_axis_number(rule, cnx_rule_int(rule, "axis", 1), sum.rank));
    cnx_rule_output(rule, 0, sum);
}

/* data[...] + bias[d], residual of data's shape; ratio and training_mode. Nothing is dropped unless the last
 * says so. */
void cnx_apply_bias_dropout(cnx_rule *rule)
{
    const int64_t *training;
    size_t count;
    if (cnx_rule_has(rule, 4) &&
        (!cnx_rule_numbers(rule, 4, &training, &count) || count != 1 || training[0] != 0)) {
        cnx_rule_pin_all(rule, "random training mode");
        return;
    }
    cnx_fact facts[3];
    size_t operands = 0;
    for (uint32_t i = 0; i < 3; i++)
        if (cnx_rule_has(rule, i))
            facts[operands++] = cnx_rule_input(rule, i);
    cnx_fact sum = cnx_rule_broadcast(rule, facts, operands, facts[0].type);
    cnx_rule_output(rule, 0, sum);
    sum.type = CNX_TYPE_BOOL;
    cnx_rule_output(rule, 1, sum);
}

/* ---- normalisations ---- */

/* The sum of some inputs, normalised over its last axis and scaled by others over that axis. Outputs: Y, mean
 * and inverse deviation (X with a last axis of 1), and the sum. */
static void skip_normalize(cnx_rule *rule, const uint32_t *added, uint32_t added_count,
                           const uint32_t *scales, uint32_t scale_count)
{
    cnx_fact facts[6];
    size_t count = 0;
    for (uint32_t i = 0; i < added_count; i++)
        if (cnx_rule_has(rule, added[i]))
            facts[count++] = cnx_rule_input(rule, added[i]);
    cnx_fact sum = cnx_rule_broadcast(rule, facts, count, facts[0].type);
    count = 0;
    facts[count++] = sum;
    for (uint32_t i = 0; i < scale_count; i++)
        if (cnx_rule_has(rule, scales[i]))
            facts[count++] = cnx_rule_input(rule, scales[i]);
    cnx_fact output = cnx_rule_broadcast(rule, facts, count, sum.type);
    if (output.rank != 0)
        cnx_rule_mix(rule, &output, UINT64_C(1) << (output.rank - 1));
    cnx_rule_output(rule, 0, output);
    cnx_rule_output(rule, 3, sum);
    if (sum.rank == 0)
        return;
    cnx_fact statistics = cnx_rule_fact(rule, sum.type, sum.rank);
    memcpy(statistics.axes, sum.axes, sum.rank * sizeof *sum.axes);
    statistics = cnx_rule_reduce(rule, statistics, UINT64_C(1) << (sum.rank - 1), true);
    cnx_rule_output(rule, 1, statistics);
    cnx_rule_output(rule, 2, statistics);
}

/* X[n, s, d], skip (which broadcasts), gamma[d], beta[d], bias[d] */
void cnx_apply_skip_layer_normalization(cnx_rule *rule)
{
    skip_normalize(rule, (const uint32_t[]){0, 1, 4}, 3, (const uint32_t[]){2, 3}, 2);
}

/* X[n, s, d], skip, gamma[d], bias[d] */
void cnx_apply_skip_rms_normalization(cnx_rule *rule)
{
    skip_normalize(rule, (const uint32_t[]){0, 1, 3}, 3, (const uint32_t[]){2}, 1);
}

/* A table[entries, d] that is looked up: entries are pinned. Returns d unified with what is known of it. */
static cnx_axis looked_up(cnx_rule *rule, uint32_t i, cnx_axis size)
{
    if (!cnx_rule_has(rule, i) || rule->inputs[i].rank != 2)
        return size;
    cnx_rule_pin(rule, i, 0, "positions looked up by data");
    return cnx_rule_same(rule, size, cnx_rule_axis(rule, i, 1));
}

/* input_ids[n, s], segment_ids, words[v, d], positions[p, d], segments[2, d], gamma[d], beta[d], mask,
 * position_ids -> Y[n, s, d], mask_index[n], the sum before the normalisation */
void cnx_apply_embed_layer_normalization(cnx_rule *rule)
{
    if (rule->inputs[0].rank != 2 || !cnx_rule_has(rule, 2) || rule->inputs[2].rank != 2) {
        cnx_rule_pin_all(rule, "unknown shape");
        return;
    }
    cnx_axis size = looked_up(rule, 2, cnx_rule_axis(rule, 2, 1));
    size = looked_up(rule, 4, looked_up(rule, 3, size));
    cnx_fact sum = cnx_rule_fact(rule, rule->inputs[2].type, 3);
    sum.axes[0] = cnx_rule_pin(rule, 0, 0, "batch of texts");
    sum.axes[1] = cnx_rule_pin(rule, 0, 1, "positions in the text");
    sum.axes[2] = size;
    cnx_fact output = cnx_rule_fact(rule, sum.type, 3);
    memcpy(output.axes, sum.axes, 3 * sizeof *sum.axes);
    cnx_fact_scaled_along(rule, &output, 2, 5);
    cnx_fact_scaled_along(rule, &output, 2, 6);
    cnx_fact lengths = cnx_rule_fact(rule, CNX_TYPE_INT32, 1);
    lengths.axes[0] = sum.axes[0];
    cnx_rule_output(rule, 0, output);
    cnx_rule_output(rule, 1, lengths);
    cnx_rule_output(rule, 2, sum);
}

/* ---- layout ---- */

/* X, axis: a new axis of extent 1 there. */
void cnx_apply_expand_dims(cnx_rule *rule)
{
    const int64_t *axis;
    size_t count;
    if (!cnx_rule_numbers(rule, 1, &axis, &count) || count != 1 || rule->inputs[0].rank > 50) {
        cnx_rule_pin_all(rule, "computed axis");
        return;
    }
    cnx_fact fact = cnx_rule_input(rule, 0);
    uint32_t places[64], place = cnx_rule_axis_number(rule, axis[0], fact.rank + 1);
    for (uint32_t k = 0; k < fact.rank; k++)
        places[k] = k < place ? k : k + 1;
    cnx_rule_output(rule, 0, cnx_fact_place(rule, fact, places, fact.rank + 1));
}
