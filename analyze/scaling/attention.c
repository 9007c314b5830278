/* Signs and scales through attention written as one operator.
 *
 * Scores are sums over the positions inside a head: what queries are multiplied by there, keys undo. Nothing
 * else of queries and keys is multiplied, for the Softmax sees it. Answers are sums of values over keys, so a
 * value's positions inside a head pass to the answers. The rules in ops/ keep queries, keys, values and
 * answers in a frame where these positions are axis SIZE; the inputs' elements are followed to it.
 *
 * A rotation turns pairs of positions: both have one factor.
 */
#include "analyze/scaling/scaling.h"

#define SIZE 4

typedef struct heads {
    cnx_rule *rule;
    cnx_scaling_log *log;
    uint32_t query, key, value, answers; /* values of the log, in the frame */
} heads;

static uint32_t step_value(const cnx_rule *rule, cnx_rule_step step)
{
    return cnx_scaling_value(rule->analysis->scaling, &rule->steps[step]);
}

static void carry(const heads *h, uint32_t from, uint32_t to, bool parts)
{
    cnx_scaling_carry(h->log, CNX_SIGN_AND_SCALE, from, to, 1, parts);
}

static void keep_size_only(const heads *h, uint32_t value)
{
    for (uint32_t k = 0; k < SIZE; k++)
        cnx_scaling_fix_axis(h->log, CNX_SIGN_AND_SCALE, value, k);
}

/* What holds in the frame, and from there to the output. False, and nothing is multiplied, when the rule gave
 * up. */
static bool relate_heads(cnx_rule *rule, heads *h)
{
    bool known = rule->outputs[0].known;
    for (cnx_rule_step step = CNX_STEP_QUERY; step <= CNX_STEP_ANSWERS; step++)
        known = known && rule->steps[step].known && rule->steps[step].rank == SIZE + 1;
    *h = (heads){.rule = rule, .log = rule->analysis->scaling};
    if (!known) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return false;
    }
    h->query = step_value(rule, CNX_STEP_QUERY);
    h->key = step_value(rule, CNX_STEP_KEY);
    h->value = step_value(rule, CNX_STEP_VALUE);
    h->answers = step_value(rule, CNX_STEP_ANSWERS);
    cnx_scaling_term scores[2] = {{h->query, SIZE, 1}, {h->key, SIZE, 1}};
    cnx_scaling_equation(h->log, CNX_SIGN_AND_SCALE, scores, 2);
    cnx_scaling_equal(h->log, CNX_SIGN_AND_SCALE, h->value, SIZE, h->answers, SIZE);
    keep_size_only(h, h->query);
    keep_size_only(h, h->key);
    keep_size_only(h, h->value);
    keep_size_only(h, h->answers);
    carry(h, h->answers, rule->outputs[0].scaling, false);
    return true;
}

/* Both members of a pair, which are among the elements of `from`, have one factor. */
static void relate_pairs(const cnx_rule *rule, uint32_t from, cnx_rule_step step)
{
    cnx_scaling_log *log = rule->analysis->scaling;
    if (!rule->steps[step].known)
        return;
    uint32_t first = step_value(rule, step), second = step_value(rule, step + 1);
    cnx_scaling_carry(log, CNX_SIGN_AND_SCALE, from, first, 1, true);
    cnx_scaling_carry(log, CNX_SIGN_AND_SCALE, from, second, 1, true);
    cnx_scaling_equal(log, CNX_SIGN_AND_SCALE, first, 0, second, 0);
    cnx_scaling_separate(log, first);
}

/* Keys and values of earlier calls, and all of them for later ones: inputs `past` and the next, outputs 1
 * and 2.
 */
static void relate_past(const heads *h, uint32_t past)
{
    cnx_rule *rule = h->rule;
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t value = i == 0 ? h->key : h->value;
        if (cnx_rule_has(rule, past + i))
            carry(h, rule->inputs[past + i].scaling, value, false);
        if (rule->output_count > 1 + i)
            carry(h, value, rule->outputs[1 + i].scaling, false);
    }
    cnx_scaling_fix_outputs(rule, CNX_SIGN_AND_SCALE, 3); /* scores */
}

/* Inputs [first, end): masks, lengths, tables. */
static void fix_between(cnx_rule *rule, uint32_t first, uint32_t end)
{
    for (uint32_t i = first; i < end && i < rule->input_count; i++)
        if (rule->present[i])
            cnx_scaling_fix(rule->analysis->scaling, CNX_SIGN_AND_SCALE, rule->inputs[i].scaling);
}

/* Inputs 0, 1 and 2 are the queries, the keys and the values. */
static void carry_projections(const heads *h)
{
    carry(h, h->rule->inputs[0].scaling, h->query, false);
    carry(h, h->rule->inputs[1].scaling, h->key, false);
    carry(h, h->rule->inputs[2].scaling, h->value, false);
}

/* Q, K, V, mask, past key, past value, lengths */
void cnx_scale_attention(cnx_rule *rule)
{
    heads h;
    if (!relate_heads(rule, &h))
        return;
    carry_projections(&h);
    fix_between(rule, 3, 4);
    relate_past(&h, 4);
    fix_between(rule, 6, rule->input_count);
}

/* The bias of all three projections, one after the other, which is added to inputs 0, 1 and 2. */
static void relate_bias(const heads *h, uint32_t bias)
{
    cnx_rule *rule = h->rule;
    int64_t offset = 0, size = 0;
    for (uint32_t i = 0; i < 3; i++, offset += size) { /* the rule has checked that sizes are known */
        bool known = cnx_dim_is_number(rule->dims, rule->inputs[i].axes[2].extent, &size) &&
                     offset + size <= (int64_t)CNX_LARGEST_AXIS;
        uint32_t part = known ? cnx_scaling_cut(h->log, rule->points, rule->inputs[bias].scaling, 0,
                                                (uint32_t)offset, (uint32_t)size)
                              : 0;
        cnx_scaling_equal(h->log, CNX_SIGN_AND_SCALE, part, 0, rule->inputs[i].scaling, 2);
    }
}

/* query, key, value, bias, masks, past key, past value */
void cnx_scale_multi_head_attention(cnx_rule *rule)
{
    heads h;
    if (!relate_heads(rule, &h))
        return;
    carry_projections(&h);
    if (cnx_rule_has(rule, 3))
        relate_bias(&h, 3);
    fix_between(rule, 4, 6);
    relate_past(&h, 6);
    fix_between(rule, 8, rule->input_count);
}

/* query, key, value, or all of them packed in the first, past key, past value, lengths, tables, bias */
void cnx_scale_group_query_attention(cnx_rule *rule)
{
    heads h;
    if (!relate_heads(rule, &h))
        return;
    bool packed = !cnx_rule_has(rule, 1);
    uint32_t query = rule->inputs[0].scaling, key = packed ? query : rule->inputs[1].scaling;
    carry(&h, query, h.query, packed);
    carry(&h, key, h.key, packed);
    carry(&h, packed ? query : rule->inputs[2].scaling, h.value, packed);
    relate_pairs(rule, query, CNX_STEP_QUERY_PAIRS);
    relate_pairs(rule, key, CNX_STEP_KEY_PAIRS);
    relate_past(&h, 3);
    fix_between(rule, 5, rule->input_count);
}

/* The packed projection, and from it to the three. `columns` is the input that multiplies its columns, along
 * its last axis: the weight, or the scales of a quantised one. */
static void relate_packed(cnx_rule *rule, const heads *h, cnx_scaling_kind kind, uint32_t columns)
{
    uint32_t packed = step_value(rule, CNX_STEP_PACKED), last = rule->steps[CNX_STEP_PACKED].rank - 1;
    uint32_t rank = rule->inputs[columns].rank;
    cnx_scaling_equal(h->log, kind, packed, last, rank != 0 ? rule->inputs[columns].scaling : 0, rank - 1);
    cnx_scaling_fix_axis(h->log, CNX_SIGN_AND_SCALE & ~kind, packed, last);
    if (cnx_rule_has(rule, 2))
        cnx_scaling_equal(h->log, CNX_SIGN_AND_SCALE, packed, last, rule->inputs[2].scaling, 0);
    carry(h, packed, h->query, true);
    carry(h, packed, h->key, true);
    carry(h, packed, h->value, true);
    cnx_scaling_fix_outputs(rule, CNX_SIGN_AND_SCALE, 1); /* keys and values in one tensor */
}

/* input[n, s, i] (or [tokens, i]), weights[i, q + k + v], bias[q + k + v], masks, past, bias of the scores */
void cnx_scale_attention_fused(cnx_rule *rule)
{
    heads h;
    if (!relate_heads(rule, &h))
        return;
    cnx_scaling_term sum[2] = {{rule->inputs[0].scaling, rule->inputs[0].rank - 1, 1},
                               {rule->inputs[1].scaling, 0, 1}};
    cnx_scaling_equation(h.log, CNX_SIGN_AND_SCALE, sum, 2);
    for (uint32_t k = 0; k + 1 < rule->inputs[0].rank; k++)
        cnx_scaling_fix_axis(h.log, CNX_SIGN_AND_SCALE, rule->inputs[0].scaling, k);
    relate_packed(rule, &h, CNX_SIGN_AND_SCALE, 1);
    fix_between(rule, 3, rule->input_count);
}

/* input, weight (both quantised), bias, input_scale, weight_scale, masks, zero points, past */
void cnx_scale_qattention(cnx_rule *rule)
{
    heads h;
    if (!relate_heads(rule, &h))
        return;
    fix_between(rule, 0, 2);
    fix_between(rule, 3, 4);
    relate_packed(rule, &h, CNX_SCALE, 4);
    cnx_scaling_fix(h.log, CNX_SIGN, rule->inputs[4].scaling);
    fix_between(rule, 5, rule->input_count);
}

/* X, and tables and positions in any order */
void cnx_scale_rotary_embedding(cnx_rule *rule)
{
    if (!rule->outputs[0].known || !rule->steps[CNX_STEP_QUERY_PAIRS].known) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return;
    }
    relate_pairs(rule, rule->inputs[0].scaling, CNX_STEP_QUERY_PAIRS);
    cnx_scaling_carry(rule->analysis->scaling, CNX_SIGN_AND_SCALE, rule->inputs[0].scaling,
                      rule->outputs[0].scaling, 1, false);
    cnx_scaling_fix_inputs(rule, CNX_SIGN_AND_SCALE, 1);
}

/* ---- with a state instead of a Softmax ---- */

/* Whether the state decays with rates of their own for the positions of keys. */
static bool decays_apart(const cnx_rule *rule)
{
    return cnx_rule_has(rule, 4) &&
           !cnx_dim_equals(rule->dims, rule->inputs[4].axes[2].extent, cnx_rule_int(rule, "kv_num_heads", 0));
}

/* query, key, value, past_state[n, groups, k, v], decay, beta -> answers, present_state. The state is a sum
 * of products of keys and values: what it is multiplied by along k, queries undo. The delta rule also looks
 * up what the state has at the new key, a sum over k of state times key: there squares of factors have to be
 * 1, and only orthogonal matrices will do. */
void cnx_scale_linear_attention(cnx_rule *rule)
{
    heads h;
    const char *update = cnx_attribute_text(rule->graph, rule->node, "update_rule", "gated_delta");
    bool linear = strcmp(update, "linear") == 0 || strcmp(update, "gated") == 0;
    if (!relate_heads(rule, &h))
        return;
    carry_projections(&h);
    const uint32_t states[2] = {cnx_rule_has(rule, 3) ? rule->inputs[3].scaling : 0,
                                rule->output_count > 1 ? rule->outputs[1].scaling : 0};
    for (uint32_t i = 0; i < 2; i++)
        for (uint32_t k = 0; k < 4 && states[i] != 0; k++)
            if (k < 2)
                cnx_scaling_fix_axis(h.log, CNX_SIGN_AND_SCALE, states[i], k);
            else
                cnx_scaling_equal(h.log, CNX_SIGN_AND_SCALE, states[i], k, k == 2 ? h.key : h.value, SIZE);
    if (!linear)
        cnx_scaling_fix_axis(h.log, CNX_SCALE, h.key, SIZE);
    if (decays_apart(rule))
        cnx_scaling_separate_axis(h.log, h.key, SIZE);
    fix_between(rule, 4, rule->input_count);
}
