/* Attention of the default domain, and what all attention operators are composed of. */
#include "analyze/ops/attention.h"

/* ---- heads ---- */

/* The axis `heads` as (group, copy), and what varies over the heads as varying over the copies. */
static cnx_fact split_copies(cnx_rule *rule, cnx_fact fact, uint32_t k, cnx_heads heads)
{
    cnx_axis before = fact.axes[k];
    cnx_fact split = cnx_fact_split(rule, fact, k, cnx_rule_number(rule, heads.groups));
    cnx_axis copies = split.axes[k + 1];
    for (uint32_t j = 0; j < split.rank && before.kind == CNX_AXIS_LABELS; j++)
        if (split.axes[j].kind == CNX_AXIS_LABELS && split.axes[j].labels->over == before.labels) {
            cnx_axis blocks = copies.kind == CNX_AXIS_LABELS ? copies : split.axes[k];
            if (blocks.kind == CNX_AXIS_LABELS &&
                blocks.labels->sequence->count == before.labels->sequence->count)
                split.axes[j] = cnx_axis_over(rule->points, split.axes[j], blocks.labels);
        }
    return split;
}

cnx_fact cnx_heads_of_stack(cnx_rule *rule, cnx_fact fact, cnx_heads heads)
{
    return split_copies(rule, fact, 1, heads);
}

cnx_fact cnx_heads_of_rows(cnx_rule *rule, cnx_fact fact, cnx_heads heads)
{
    static const uint32_t order[] = {0, 2, 3, 1, 4};
    cnx_fact split = cnx_fact_split(rule, fact, 2, cnx_rule_number(rule, heads.groups));
    split = cnx_fact_split(rule, split, 3, cnx_rule_number(rule, heads.copies));
    return cnx_fact_reorder(rule, split, order, 5);
}

/* Group and copy as one axis of heads. Sizes that vary over the groups are the same in all copies. */
static cnx_fact merge_copies(cnx_rule *rule, cnx_fact fact)
{
    cnx_axis groups = fact.axes[1];
    cnx_fact merged = cnx_fact_merge(rule, fact, 1);
    cnx_axis heads = merged.axes[1];
    if (groups.kind != CNX_AXIS_LABELS || heads.kind != CNX_AXIS_LABELS || heads.labels == groups.labels)
        return merged;
    for (uint32_t k = 2; k < merged.rank; k++)
        if (merged.axes[k].kind == CNX_AXIS_LABELS && merged.axes[k].labels->over == groups.labels)
            merged.axes[k] =
                cnx_axis_repeat_blocks(rule->points, merged.axes[k], groups.labels, heads.labels);
    return merged;
}

cnx_fact cnx_heads_to_stack(cnx_rule *rule, cnx_fact fact)
{
    return merge_copies(rule, fact);
}

cnx_fact cnx_heads_to_rows(cnx_rule *rule, cnx_fact fact)
{
    static const uint32_t order[] = {0, 2, 1, 3};
    cnx_fact rows = cnx_fact_reorder(rule, merge_copies(rule, fact), order, 4);
    return cnx_fact_merge(rule, rows, 2);
}

/* ---- scores and answers ---- */

/* The copies share the key's positions: the query's move as one in all copies of a group. */
static cnx_fact share_size(cnx_rule *rule, cnx_fact query)
{
    if (query.axes[2].kind == CNX_AXIS_LABELS)
        query.axes[4] = cnx_axis_forget_blocks(rule->points, query.axes[4], query.axes[2].labels);
    return query;
}

cnx_fact cnx_attention_scores(cnx_rule *rule, cnx_fact query, cnx_fact key, const cnx_fact *mask,
                              cnx_heads heads)
{
    static const uint32_t of_query[] = {0, 1, 2, 3, 5}, of_key[] = {0, 1, 2, 4, 5};
    cnx_rule_keep_step(rule, CNX_STEP_QUERY, query);
    cnx_rule_keep_step(rule, CNX_STEP_KEY, key);
    cnx_fact left = cnx_fact_place(rule, share_size(rule, query), of_query, 6);
    cnx_fact scores = cnx_fact_contract(rule, left, cnx_fact_place(rule, key, of_key, 6), 1u << 5);
    if (mask == NULL || mask->rank == 0) {
        cnx_rule_mix(rule, &scores, 1u << 4); /* the Softmax */
        return scores;
    }
    uint32_t places[4];
    for (uint32_t k = 0; k < mask->rank; k++)
        places[k] = 4 - mask->rank + k;
    cnx_fact stack = cnx_fact_place(rule, *mask, places, 4);
    if (cnx_dim_equals(rule->dims, stack.axes[1].extent, 1))
        stack = cnx_fact_place(rule, stack, (const uint32_t[]){0, 1, 3, 4}, 5);
    else
        stack = cnx_heads_of_stack(rule, stack, heads);
    cnx_fact facts[2] = {scores, stack};
    scores = cnx_rule_broadcast(rule, facts, 2, scores.type);
    cnx_rule_mix(rule, &scores, 1u << 4);
    return scores;
}

cnx_fact cnx_attention_answers(cnx_rule *rule, cnx_fact scores, cnx_fact value)
{
    static const uint32_t of_scores[] = {0, 1, 2, 3, 4}, of_value[] = {0, 1, 2, 4, 5};
    cnx_fact answers = cnx_fact_contract(rule, cnx_fact_place(rule, scores, of_scores, 6),
                                         cnx_fact_place(rule, value, of_value, 6), 1u << 4);
    cnx_rule_keep_step(rule, CNX_STEP_VALUE, value);
    cnx_rule_keep_step(rule, CNX_STEP_ANSWERS, answers);
    return answers;
}

/* ---- the operator ---- */

typedef struct attention {
    cnx_rule *rule;
    cnx_heads heads;
    bool rows; /* three axes, heads packed into the last */
} attention;

/* How many heads there are: attributes for rows, extents for stacks. */
static bool count_heads(attention *a)
{
    cnx_rule *rule = a->rule;
    int64_t queries, keys;
    uint32_t rank = rule->inputs[0].rank;
    for (uint32_t i = 0; i < 3; i++)
        if (!cnx_rule_has(rule, i) || rule->inputs[i].rank != rank)
            return false;
    a->rows = rank == 3;
    if (rank == 3) {
        queries = cnx_rule_int(rule, "q_num_heads", 0);
        keys = cnx_rule_int(rule, "kv_num_heads", 0);
    } else if (rank != 4 || !cnx_rule_extent(rule, rule->inputs[0].axes[1], &queries) ||
               !cnx_rule_extent(rule, rule->inputs[1].axes[1], &keys)) {
        return false;
    }
    if (keys < 1 || queries < keys || queries % keys != 0)
        return false;
    a->heads = (cnx_heads){.groups = keys, .copies = queries / keys};
    return true;
}

static cnx_fact heads_of(attention *a, uint32_t i, int64_t copies)
{
    cnx_heads heads = {.groups = a->heads.groups, .copies = copies};
    cnx_fact fact = cnx_rule_input(a->rule, i);
    if (!a->rows)
        cnx_fact_refine(a->rule, &fact, 3, 1);
    return a->rows ? cnx_heads_of_rows(a->rule, fact, heads) : cnx_heads_of_stack(a->rule, fact, heads);
}

/* Keys or values after those of earlier calls, past[n, g, t, d]; they are also an output. */
static cnx_fact with_past(attention *a, cnx_fact fact, uint32_t past, uint32_t present)
{
    cnx_rule *rule = a->rule;
    cnx_heads heads = {.groups = a->heads.groups, .copies = 1};
    if (cnx_rule_has(rule, past) && rule->inputs[past].rank == 4) {
        cnx_fact earlier = cnx_rule_input(rule, past);
        cnx_fact_refine(rule, &earlier, 3, 1);
        fact = cnx_fact_join(rule, cnx_heads_of_stack(rule, earlier, heads), fact, 3);
    } else if (cnx_rule_has(rule, past)) {
        cnx_fact_unrelated(rule, &fact, past);
    }
    cnx_rule_output(rule, present, cnx_heads_to_stack(rule, fact));
    return fact;
}

/* Q, K, V, attn_mask, past_key, past_value, nonpad_kv_seqlen -> Y, present_key, present_value, scores */
void cnx_apply_attention(cnx_rule *rule)
{
    attention a = {.rule = rule};
    if (!count_heads(&a) || (cnx_rule_has(rule, 3) && rule->inputs[3].rank > 4)) {
        cnx_rule_pin_all(rule, "heads of unknown number");
        return;
    }
    cnx_fact query = heads_of(&a, 0, a.heads.copies), mask = {.rank = 0};
    cnx_fact key = with_past(&a, heads_of(&a, 1, 1), 4, 1);
    cnx_fact value = with_past(&a, heads_of(&a, 2, 1), 5, 2);
    if (cnx_rule_has(rule, 3))
        mask = cnx_rule_input(rule, 3);
    bool counted = cnx_rule_has(rule, 6), short_mask = false;
    if (mask.rank != 0) /* a mask that is shorter than the keys is padded */
        short_mask = mask.axes[mask.rank - 1].extent != key.axes[3].extent;
    bool ordered = cnx_rule_int(rule, "is_causal", 0) != 0 || counted ||
                   cnx_rule_int(rule, "left_window_size", -1) >= 0 ||
                   cnx_rule_int(rule, "right_window_size", -1) >= 0;
    if (ordered)
        cnx_rule_pin_fact_axis(rule, &query, 3, "positions in the text");
    if (ordered || short_mask) {
        cnx_rule_pin_fact_axis(rule, &key, 3, "positions in the text");
        cnx_rule_pin_fact_axis(rule, &value, 3, "positions in the text");
    }
    if (short_mask && !cnx_dim_equals(rule->dims, mask.axes[mask.rank - 1].extent, 1)) {
        cnx_rule_pin_fact_axis(rule, &mask, mask.rank - 1, "positions in the text");
        mask.axes[mask.rank - 1] = cnx_axis_any(cnx_rule_number(rule, 1));
    }
    if (counted) {
        cnx_rule_pin(rule, 6, 0, "batch of lengths");
        cnx_rule_pin_fact_axis(rule, &query, 0, "batch of lengths");
    }
    cnx_fact scores = cnx_attention_scores(rule, query, key, &mask, a.heads);
    cnx_fact answers = cnx_attention_answers(rule, scores, value);
    cnx_rule_output(rule, 0, a.rows ? cnx_heads_to_rows(rule, answers) : cnx_heads_to_stack(rule, answers));
    cnx_rule_output(rule, 3, cnx_heads_to_stack(rule, scores));
}
