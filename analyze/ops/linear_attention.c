/* Attention with a state instead of a Softmax, and the causal convolution that comes before it. */
#include "analyze/ops/attention.h"

typedef struct linear_attention {
    cnx_rule *rule;
    cnx_heads heads;
    cnx_axis groups;
    cnx_axis key_size;
    cnx_axis value_size;
    cnx_axis batch;
    cnx_axis steps;
} linear_attention;

/* Rows [n, t, heads * size] in the frame of attention.h; batch, groups and steps are those of the others. */
static cnx_fact rows_of(linear_attention *a, uint32_t i, int64_t copies)
{
    cnx_rule *rule = a->rule;
    cnx_fact fact = cnx_rule_input(rule, i);
    cnx_rule_pin_fact_axis(rule, &fact, 1, "steps in order");
    cnx_rule_mix(rule, &fact, 1u << 1);
    cnx_fact heads = cnx_heads_of_rows(rule, fact, (cnx_heads){.groups = a->heads.groups, .copies = copies});
    a->batch = cnx_rule_same(rule, a->batch, heads.axes[0]);
    a->groups = cnx_rule_same(rule, a->groups, heads.axes[1]);
    return heads;
}

/* The state [n, group, key size, value size]: sizes may differ from group to group. */
static void relate_state(linear_attention *a, uint32_t i)
{
    if (!cnx_rule_has(a->rule, i))
        return;
    cnx_fact state = cnx_rule_input(a->rule, i);
    cnx_fact_refine(a->rule, &state, 2, 1);
    cnx_fact_refine(a->rule, &state, 3, 1);
    a->batch = cnx_rule_same(a->rule, a->batch, state.axes[0]);
    a->groups = cnx_rule_same(a->rule, a->groups, state.axes[1]);
    a->key_size = cnx_rule_same(a->rule, a->key_size, state.axes[2]);
    a->value_size = cnx_rule_same(a->rule, a->value_size, state.axes[3]);
}

/* decay: [n, t, groups * key size] or [n, t, groups]; beta: [n, t, groups] or [n, t, 1] */
static void relate_rate(linear_attention *a, uint32_t i)
{
    if (!cnx_rule_has(a->rule, i))
        return;
    cnx_axis last = a->rule->inputs[i].axes[2];
    if (cnx_dim_equals(a->rule->dims, last.extent, 1) && a->heads.groups != 1) {
        cnx_fact fact = cnx_rule_input(a->rule, i);
        cnx_rule_pin_fact_axis(a->rule, &fact, 1, "steps in order");
        cnx_rule_mix(a->rule, &fact, 1u << 1);
        a->batch = cnx_rule_same(a->rule, a->batch, fact.axes[0]);
        return;
    }
    cnx_fact rate = rows_of(a, i, 1);
    if (!cnx_dim_equals(a->rule->dims, rate.axes[4].extent, 1))
        a->key_size = cnx_rule_same(a->rule, a->key_size, rate.axes[4]);
}

static bool shapes_fit(const cnx_rule *rule, const cnx_heads *heads)
{
    static const uint32_t expected[] = {3, 3, 3, 4, 3, 3};
    for (uint32_t i = 0; i < 6; i++)
        if (cnx_rule_has(rule, i) && rule->inputs[i].rank != expected[i])
            return false;
    return cnx_rule_has(rule, 1) && cnx_rule_has(rule, 2) && heads->groups >= 1;
}

/* An axis that varies over one input's groups, as varying over the result's. */
static cnx_axis over_groups(linear_attention *a, cnx_axis axis)
{
    if (axis.kind == CNX_AXIS_LABELS && axis.labels->over != NULL && a->groups.kind == CNX_AXIS_LABELS)
        return cnx_axis_over(a->rule->points, axis, a->groups.labels);
    return axis;
}

/* query[n, t, heads * k], key[n, t, groups * k], value[n, t, groups * v], past_state[n, groups, k, v], decay,
 * beta -> output[n, t, heads * v], present_state: the state is a sum of products of keys and values, read by
 * queries; every rule of its update treats the positions of k alike, and those of v. */
void cnx_apply_linear_attention(cnx_rule *rule)
{
    int64_t queries = cnx_rule_int(rule, "q_num_heads", 0), keys = cnx_rule_int(rule, "kv_num_heads", 0);
    linear_attention a = {.rule = rule};
    if (keys >= 1 && queries >= keys && queries % keys == 0)
        a.heads = (cnx_heads){.groups = keys, .copies = queries / keys};
    if (!shapes_fit(rule, &a.heads)) {
        cnx_rule_pin_all(rule, "heads of unknown number");
        return;
    }
    a.groups = cnx_axis_any(cnx_rule_number(rule, keys));
    a.batch = rule->inputs[0].axes[0];
    cnx_fact query = rows_of(&a, 0, a.heads.copies);
    cnx_rule_keep_step(rule, CNX_STEP_QUERY, query);
    a.steps = query.axes[3];
    a.key_size = query.axes[4];
    if (query.axes[2].kind == CNX_AXIS_LABELS)
        a.key_size = cnx_axis_forget_blocks(rule->points, a.key_size, query.axes[2].labels);
    cnx_fact key = rows_of(&a, 1, 1), value = rows_of(&a, 2, 1);
    cnx_rule_keep_step(rule, CNX_STEP_KEY, key);
    cnx_rule_keep_step(rule, CNX_STEP_VALUE, value);
    a.key_size = cnx_rule_same(rule, a.key_size, key.axes[4]);
    a.value_size = value.axes[4];
    relate_state(&a, 3);
    relate_rate(&a, 4);
    relate_rate(&a, 5);
    cnx_fact answers = cnx_rule_fact(rule, rule->inputs[0].type, 5);
    answers.axes[0] = a.batch;
    answers.axes[1] = a.groups;
    answers.axes[2] = query.axes[2];
    answers.axes[3] = a.steps;
    answers.axes[4] = over_groups(&a, a.value_size);
    cnx_rule_keep_step(rule, CNX_STEP_ANSWERS, answers);
    cnx_rule_output(rule, 0, cnx_heads_to_rows(rule, answers));
    cnx_fact state = cnx_rule_fact(rule, rule->inputs[0].type, 4);
    state.axes[0] = a.batch;
    state.axes[1] = a.groups;
    state.axes[2] = over_groups(&a, a.key_size);
    state.axes[3] = over_groups(&a, a.value_size);
    cnx_rule_output(rule, 1, state);
}

/* X[n, c, t], W[c, 1, kernel], B[c], past_state[n, c, kernel - 1] -> Y[n, c, t], present_state: every channel
 * has a kernel of its own. */
void cnx_apply_causal_conv_with_state(cnx_rule *rule)
{
    bool fits = rule->inputs[0].rank == 3 && cnx_rule_has(rule, 1) && rule->inputs[1].rank == 3 &&
                (!cnx_rule_has(rule, 2) || rule->inputs[2].rank == 1) &&
                (!cnx_rule_has(rule, 3) || rule->inputs[3].rank == 3);
    if (!fits) {
        cnx_rule_pin_all(rule, "unknown shape");
        return;
    }
    cnx_fact fact = cnx_rule_input(rule, 0);
    cnx_rule_pin_fact_axis(rule, &fact, 2, "steps in order");
    cnx_rule_mix(rule, &fact, 1u << 2);
    fact.axes[1] = cnx_rule_same(rule, fact.axes[1], cnx_rule_axis(rule, 1, 0));
    cnx_axis kernel = cnx_rule_pin(rule, 1, 2, "kernel offsets");
    if (cnx_rule_has(rule, 2))
        fact.axes[1] = cnx_rule_same(rule, fact.axes[1], cnx_rule_axis(rule, 2, 0));
    if (cnx_rule_has(rule, 3)) {
        fact.axes[0] = cnx_rule_same(rule, fact.axes[0], cnx_rule_axis(rule, 3, 0));
        fact.axes[1] = cnx_rule_same(rule, fact.axes[1], cnx_rule_axis(rule, 3, 1));
        cnx_rule_pin(rule, 3, 2, "steps in order");
    }
    cnx_fact state = cnx_rule_fact(rule, fact.type, 3);
    state.axes[0] = fact.axes[0];
    state.axes[1] = fact.axes[1];
    state.axes[2] = cnx_axis_pinned(cnx_dim_subtract(rule->dims, kernel.extent, cnx_rule_number(rule, 1)),
                                    cnx_rule_reason(rule, "steps in order"));
    cnx_rule_output(rule, 0, fact);
    cnx_rule_output(rule, 1, state);
}
