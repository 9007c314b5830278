/* Attention as ONNX Runtime's transformer tools write it (domain com.microsoft). */
#include "analyze/ops/attention.h"

/* What the operators have in common, once their inputs are told apart. */
typedef struct fused_attention {
    cnx_rule *rule;
    cnx_heads heads;
    cnx_fact query, key, value; /* in the frame of attention.h */
    bool ordered;               /* positions in the text matter */
    bool has_bias;
    cnx_fact bias; /* added to the scores: [n, heads, s, t] */
} fused_attention;

/* Takes over inputs from `first` to `last`, all of their axes pinned: masks, lengths and the like. */
static void pin_inputs(cnx_rule *rule, uint32_t first, uint32_t last)
{
    for (uint32_t i = first; i <= last && i < rule->input_count; i++)
        if (cnx_rule_has(rule, i))
            cnx_rule_pin_fact(rule, cnx_rule_input(rule, i), "masks and lengths");
}

static bool any_input(const cnx_rule *rule, uint32_t first, uint32_t last)
{
    for (uint32_t i = first; i <= last; i++)
        if (cnx_rule_has(rule, i))
            return true;
    return false;
}

static bool is_matrix_stack(const cnx_rule *rule, uint32_t i, uint32_t rank)
{
    return cnx_rule_has(rule, i) && rule->inputs[i].rank == rank;
}

/* Everything after the projections; the answers are output 0, and the scores output 3 where there is one. */
static void answer(fused_attention *a)
{
    if (a->ordered) {
        cnx_rule_pin_fact_axis(a->rule, &a->query, 0, "batch of lengths");
        cnx_rule_pin_fact_axis(a->rule, &a->query, 3, "positions in the text");
        cnx_rule_pin_fact_axis(a->rule, &a->key, 3, "positions in the text");
        cnx_rule_pin_fact_axis(a->rule, &a->value, 3, "positions in the text");
    }
    cnx_fact scores =
        cnx_attention_scores(a->rule, a->query, a->key, a->has_bias ? &a->bias : NULL, a->heads);
    cnx_fact answers = cnx_attention_answers(a->rule, scores, a->value);
    cnx_rule_output(a->rule, 0, cnx_heads_to_rows(a->rule, answers));
    cnx_rule_output(a->rule, 3, cnx_heads_to_stack(a->rule, scores));
}

static void take_bias(fused_attention *a, uint32_t i)
{
    a->has_bias = is_matrix_stack(a->rule, i, 4);
    if (a->has_bias)
        a->bias = cnx_rule_input(a->rule, i);
    else
        pin_inputs(a->rule, i, i);
}

/* Earlier keys and values, past[n, g, t, d], joined in front when their lengths add up; a buffer that is
 * shared between calls is longer than what it holds, and its lengths are not followed. */
static cnx_fact after_past(fused_attention *a, cnx_fact fact, uint32_t past, uint32_t present)
{
    if (is_matrix_stack(a->rule, past, 4)) {
        cnx_heads heads = {.groups = a->heads.groups, .copies = 1};
        cnx_fact earlier = cnx_rule_input(a->rule, past);
        cnx_fact_refine(a->rule, &earlier, 3, 1);
        fact = cnx_fact_join(a->rule, cnx_heads_of_stack(a->rule, earlier, heads), fact, 3);
        if (fact.axes[3].kind == CNX_AXIS_PINNED)
            fact.axes[3].extent = cnx_dim_fresh(a->rule->dims);
    } else if (cnx_rule_has(a->rule, past)) {
        cnx_fact_unrelated(a->rule, &fact, past);
    }
    cnx_rule_output(a->rule, present, cnx_heads_to_stack(a->rule, fact));
    return fact;
}

/* ---- Attention: the projections are inside ---- */

/* The sizes of Q, K and V, one after the other in `total` columns. */
static bool packed_sizes(const cnx_rule *rule, int64_t total, int64_t sizes[3])
{
    size_t count;
    const int64_t *given = cnx_rule_ints(rule, "qkv_hidden_sizes", &count);
    for (uint32_t i = 0; i < 3; i++)
        sizes[i] = given != NULL && count == 3 ? given[i] : total / 3;
    return sizes[0] >= 1 && sizes[0] == sizes[1] && sizes[2] >= 1 && sizes[0] + sizes[1] + sizes[2] == total;
}

/* Cuts a tensor of packed columns (its last axis) into Q, K and V and their heads. */
static bool unpack(fused_attention *a, cnx_fact packed, const int64_t sizes[3])
{
    cnx_fact *parts[3] = {&a->query, &a->key, &a->value};
    int64_t offset = 0;
    for (uint32_t i = 0; i < 3; i++) {
        cnx_heads heads = {.groups = a->heads.groups, .copies = i == 0 ? a->heads.copies : 1};
        if (sizes[i] % (heads.groups * heads.copies) != 0)
            return false;
        cnx_fact part = cnx_fact_cut(a->rule, packed, packed.rank - 1, offset, 1, sizes[i]);
        *parts[i] = cnx_heads_of_rows(a->rule, part, heads);
        offset += sizes[i];
    }
    return true;
}

/* input[n, s, i], weights[i, q + k + v], bias[q + k + v] in one tensor [n, s, q + k + v] */
static cnx_fact projected(cnx_rule *rule, uint32_t bias)
{
    cnx_fact input = cnx_rule_input(rule, 0), weights = cnx_rule_input(rule, 1);
    cnx_fact packed = cnx_fact_matmul(rule, input, weights);
    cnx_fact_scaled_along(rule, &packed, packed.rank - 1, bias);
    cnx_rule_keep_step(rule, CNX_STEP_PACKED, packed);
    return packed;
}

static bool is_projection(cnx_rule *rule, fused_attention *a, int64_t sizes[3])
{
    int64_t heads = cnx_rule_int(rule, "num_heads", 0), total;
    *a = (fused_attention){.rule = rule, .heads = {.groups = heads, .copies = 1}};
    return heads >= 1 && is_matrix_stack(rule, 0, 3) && is_matrix_stack(rule, 1, 2) &&
           cnx_rule_extent(rule, rule->inputs[1].axes[1], &total) && packed_sizes(rule, total, sizes) &&
           sizes[0] % heads == 0 && sizes[2] % heads == 0 && cnx_rule_int(rule, "do_rotary", 0) == 0;
}

/* present[2, n, h, t, d] holds keys and values: both move alike, or the output would not be followed. */
static void pack_present(fused_attention *a, uint32_t past)
{
    cnx_rule *rule = a->rule;
    if (rule->output_count < 2 && !cnx_rule_has(rule, past))
        return;
    if (cnx_rule_has(rule, past))
        cnx_rule_pin_fact(rule, cnx_rule_input(rule, past), "keys and values in one tensor");
    cnx_rule_pin_fact(rule, a->key, "keys and values in one tensor");
    cnx_rule_pin_fact(rule, a->value, "keys and values in one tensor");
}

/* input, weights, bias, mask_index, past, attention_bias, past_sequence_length */
void cnx_apply_attention_fused(cnx_rule *rule)
{
    fused_attention a;
    int64_t sizes[3];
    if (!is_projection(rule, &a, sizes)) {
        cnx_rule_pin_all(rule, "heads of unknown number");
        return;
    }
    a.ordered =
        cnx_rule_int(rule, "unidirectional", 0) != 0 || any_input(rule, 3, 4) || cnx_rule_has(rule, 6);
    unpack(&a, projected(rule, 2), sizes);
    pack_present(&a, 4);
    pin_inputs(rule, 3, 3);
    take_bias(&a, 5);
    answer(&a);
    pin_inputs(rule, 6, 6);
}

/* QAttention: the same of quantised input and weight, whose scale and zero point may have one number for
 * every column. input, weight, bias, input_scale, weight_scale, mask_index, input_zero_point,
 * weight_zero_point, past */
void cnx_apply_qattention(cnx_rule *rule)
{
    fused_attention a;
    int64_t sizes[3];
    bool single = cnx_rule_has(rule, 3) && cnx_rule_is_single(rule, 3) &&
                  (!cnx_rule_has(rule, 6) || cnx_rule_is_single(rule, 6));
    if (!is_projection(rule, &a, sizes) || !single) {
        cnx_rule_pin_all(rule, "heads of unknown number");
        return;
    }
    a.ordered =
        cnx_rule_int(rule, "unidirectional", 0) != 0 || cnx_rule_has(rule, 5) || cnx_rule_has(rule, 8);
    cnx_fact packed = projected(rule, 2);
    packed.type = rule->inputs[3].type;
    cnx_fact_scaled_along(rule, &packed, 2, 4);
    cnx_fact_scaled_along(rule, &packed, 2, 7);
    unpack(&a, packed, sizes);
    pack_present(&a, 8);
    pin_inputs(rule, 5, 5);
    answer(&a);
}

/* PackedAttention: input[tokens, i], weights, bias, token_offset, cumulative_sequence_length, attention_bias:
 * tokens of several texts in one axis, which is pinned. */
void cnx_apply_packed_attention(cnx_rule *rule)
{
    fused_attention a = {.rule = rule, .heads = {cnx_rule_int(rule, "num_heads", 0), 1}, .ordered = true};
    int64_t sizes[3], total;
    if (a.heads.groups < 1 || !is_matrix_stack(rule, 0, 2) || !is_matrix_stack(rule, 1, 2) ||
        !cnx_rule_extent(rule, rule->inputs[1].axes[1], &total) || !packed_sizes(rule, total, sizes)) {
        cnx_rule_pin_all(rule, "heads of unknown number");
        return;
    }
    cnx_fact packed = cnx_fact_place(rule, projected(rule, 2), (const uint32_t[]){1, 2}, 3);
    if (!unpack(&a, packed, sizes)) {
        cnx_rule_pin_all(rule, "heads of unknown number");
        return;
    }
    pin_inputs(rule, 3, 4);
    take_bias(&a, 5);
    answer(&a);
    cnx_fact rows = rule->outputs[0];
    if (rows.known && rows.rank == 3)
        cnx_rule_output(rule, 0, cnx_fact_reorder(rule, rows, (const uint32_t[]){1, 2}, 2));
}

/* ---- MultiHeadAttention: Q, K and V are inputs ---- */

/* Q, K and V as rows, and the packed bias of their projections cut into three. */
static bool separate_inputs(fused_attention *a)
{
    cnx_rule *rule = a->rule;
    cnx_fact *parts[3] = {&a->query, &a->key, &a->value};
    int64_t offset = 0, total = 0;
    bool biased = cnx_rule_has(rule, 3);
    cnx_fact bias = {.rank = 0};
    if (biased && (rule->inputs[3].rank != 1 || !cnx_rule_extent(rule, rule->inputs[3].axes[0], &total)))
        return false;
    if (biased)
        bias = cnx_rule_input(rule, 3);
    for (uint32_t i = 0; i < 3; i++) {
        int64_t size;
        cnx_fact facts[2] = {cnx_rule_input(rule, i)};
        bool known = cnx_rule_extent(rule, facts[0].axes[2], &size);
        if (biased && (!known || offset + size > total))
            return false;
        if (biased) {
            facts[1] = cnx_fact_cut(rule, bias, 0, offset, 1, size);
            offset += size;
        }
        *parts[i] =
            cnx_heads_of_rows(rule, cnx_rule_broadcast(rule, facts, biased ? 2 : 1, facts[0].type), a->heads);
    }
    return true;
}

/* query, key, value, bias, key_padding_mask, attention_bias, past_key, past_value, past_sequence_length,
 * cache_indirection. Only the form with three inputs of rows is followed, not packed ones. */
void cnx_apply_multi_head_attention(cnx_rule *rule)
{
    int64_t heads = cnx_rule_int(rule, "num_heads", 0);
    fused_attention a = {.rule = rule, .heads = {.groups = heads, .copies = 1}};
    bool followed = heads >= 1 && is_matrix_stack(rule, 0, 3) && is_matrix_stack(rule, 1, 3) &&
                    is_matrix_stack(rule, 2, 3) && !any_input(rule, 8, 9);
    if (!followed || !separate_inputs(&a)) {
        cnx_rule_pin_all(rule, "packed heads");
        return;
    }
    a.ordered =
        cnx_rule_int(rule, "unidirectional", 0) != 0 || cnx_rule_has(rule, 4) || any_input(rule, 6, 7);
    a.key = after_past(&a, a.key, 6, 1);
    a.value = after_past(&a, a.value, 7, 2);
    pin_inputs(rule, 4, 4);
    take_bias(&a, 5);
    answer(&a);
}

/* ---- GroupQueryAttention ---- */

/* Q, K and V as three inputs, or packed in the first: [n, s, (heads + 2 * key heads) * size] */
static bool grouped_inputs(fused_attention *a)
{
    cnx_rule *rule = a->rule;
    int64_t total, groups = a->heads.groups, all = groups * a->heads.copies + 2 * groups;
    if (!is_matrix_stack(rule, 0, 3))
        return false;
    if (!cnx_rule_has(rule, 1) && !cnx_rule_has(rule, 2)) {
        if (!cnx_rule_extent(rule, rule->inputs[0].axes[2], &total) || total % all != 0)
            return false;
        int64_t size = total / all;
        return unpack(a, cnx_rule_input(rule, 0),
                      (const int64_t[]){groups * a->heads.copies * size, groups * size, groups * size});
    }
    if (!is_matrix_stack(rule, 1, 3) || !is_matrix_stack(rule, 2, 3))
        return false;
    cnx_heads single = {.groups = groups, .copies = 1};
    a->query = cnx_heads_of_rows(rule, cnx_rule_input(rule, 0), a->heads);
    a->key = cnx_heads_of_rows(rule, cnx_rule_input(rule, 1), single);
    a->value = cnx_heads_of_rows(rule, cnx_rule_input(rule, 2), single);
    return true;
}

/* The tables of a rotation inside: cos[positions, pairs], sin[positions, pairs] */
static bool rotate_inside(fused_attention *a)
{
    cnx_rule *rule = a->rule;
    if (cnx_rule_int(rule, "do_rotary", 0) == 0)
        return true;
    if (!is_matrix_stack(rule, 7, 2) || !is_matrix_stack(rule, 8, 2))
        return false;
    cnx_rule_pin(rule, 7, 0, "positions in the text");
    cnx_rule_pin(rule, 8, 0, "positions in the text");
    cnx_axis cosine = cnx_rule_axis(rule, 7, 1), sine = cnx_rule_axis(rule, 8, 1);
    int64_t pairs;
    if (!cnx_rule_extent(rule, cosine, &pairs))
        return false;
    cnx_rotation rotation = {.interleaved = cnx_rule_int(rule, "rotary_interleaved", 0) != 0,
                             .size = 2 * pairs};
    rotation.step = CNX_STEP_QUERY_PAIRS;
    cnx_fact_rotate(rule, &a->query, 4, cosine, sine, rotation);
    rotation.step = CNX_STEP_KEY_PAIRS;
    cnx_fact_rotate(rule, &a->key, 4, cosine, sine, rotation);
    return true;
}

/* query, key, value, past_key, past_value, seqlens_k, total_sequence_length, cos_cache, sin_cache,
 * position_ids, attention_bias, head_sink, and scales of a quantised cache, which are not followed. */
void cnx_apply_group_query_attention(cnx_rule *rule)
{
    int64_t heads = cnx_rule_int(rule, "num_heads", 0), keys = cnx_rule_int(rule, "kv_num_heads", 0);
    fused_attention a = {.rule = rule, .ordered = true};
    bool followed = keys >= 1 && heads >= keys && heads % keys == 0 && !any_input(rule, 11, 31);
    if (followed)
        a.heads = (cnx_heads){.groups = keys, .copies = heads / keys};
    if (!followed || !grouped_inputs(&a) || !rotate_inside(&a)) {
        cnx_rule_pin_all(rule, "heads of unknown number");
        return;
    }
    a.key = after_past(&a, a.key, 3, 1);
    a.value = after_past(&a, a.value, 4, 2);
    pin_inputs(rule, 5, 6);
    pin_inputs(rule, 9, 9);
    take_bias(&a, 10);
    answer(&a);
}
