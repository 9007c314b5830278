/* Group normalisation: channels may be exchanged inside their group, and groups as a whole. */
#include "analyze/ops/compose.h"

/* The axis `channels` cut into groups, whose blocks are returned. The channels' own labels stay what they
 * are: from now on they respect the groups. */
static cnx_axis groups_of(cnx_rule *rule, cnx_axis channels, int64_t groups)
{
    cnx_axis blocks, inside;
    cnx_rule_split(rule, channels, cnx_rule_number(rule, groups), &blocks, &inside);
    return blocks;
}

static bool is_grouped(cnx_rule *rule, const char *attribute, int64_t *groups)
{
    *groups = cnx_rule_int(rule, attribute, 0);
    if (rule->inputs[0].rank >= 2 && *groups >= 1)
        return true;
    cnx_rule_pin_all(rule, "groups");
    return false;
}

/* X[n, c, ...] with scale[c] and bias[c] (operator set 21) */
void cnx_apply_group_normalization(cnx_rule *rule)
{
    int64_t groups;
    if (!is_grouped(rule, "num_groups", &groups))
        return;
    cnx_fact fact = cnx_rule_input(rule, 0);
    cnx_fact_scaled_along(rule, &fact, 1, 1);
    cnx_fact_scaled_along(rule, &fact, 1, 2);
    groups_of(rule, fact.axes[1], groups);
    cnx_rule_mix(rule, &fact, ~UINT64_C(1));
    cnx_rule_output(rule, 0, fact);
}

/* X[n, c, ...] with scale[g] and bias[g], one for each group (operator set 18) */
void cnx_apply_group_normalization_18(cnx_rule *rule)
{
    int64_t groups;
    if (!is_grouped(rule, "num_groups", &groups))
        return;
    cnx_fact fact = cnx_rule_input(rule, 0);
    if (fact.axes[1].kind != CNX_AXIS_LABELS) {
        cnx_rule_pin_all(rule, "channels without names"); /* alike before, but not after their scales */
        fact.axes[1] = cnx_axis_pinned(fact.axes[1].extent, cnx_rule_reason(rule, "groups"));
        cnx_rule_output(rule, 0, fact);
        return;
    }
    cnx_axis blocks = groups_of(rule, fact.axes[1], groups);
    for (uint32_t i = 1; i < 3; i++)
        if (cnx_rule_has(rule, i) && rule->inputs[i].rank == 1)
            blocks = cnx_rule_same(rule, blocks, cnx_rule_axis(rule, i, 0));
    cnx_rule_mix(rule, &fact, ~UINT64_C(1));
    cnx_rule_output(rule, 0, fact);
}

/* GroupNorm(X[n, ..., c], gamma[c], beta[c]) and SkipGroupNorm, which first adds skip (of X's shape, or one
 * number a channel and image) and bias[c], and whose second output is that sum; an activation may follow. */
void cnx_apply_group_norm(cnx_rule *rule)
{
    int64_t groups;
    if (!is_grouped(rule, "groups", &groups))
        return;
    cnx_fact fact = cnx_rule_input(rule, 0);
    uint32_t channel = cnx_rule_int(rule, "channels_last", 1) != 0 ? fact.rank - 1 : 1;
    if (cnx_rule_has(rule, 3)) {
        cnx_fact facts[2] = {fact, cnx_rule_input(rule, 3)};
        if (facts[1].rank == 2 && fact.rank > 2) {
            uint32_t places[2] = {0, channel};
            facts[1] = cnx_fact_place(rule, facts[1], places, fact.rank);
        }
        fact = cnx_rule_broadcast(rule, facts, 2, fact.type);
    }
    if (cnx_rule_has(rule, 4))
        cnx_fact_scaled_along(rule, &fact, channel, 4);
    cnx_fact sum = fact;
    sum.axes = CNX_NEW_ARRAY(rule->arena, cnx_axis, fact.rank);
    memcpy(sum.axes, fact.axes, fact.rank * sizeof *fact.axes);
    cnx_fact_scaled_along(rule, &fact, channel, 1);
    cnx_fact_scaled_along(rule, &fact, channel, 2);
    groups_of(rule, fact.axes[channel], groups);
    cnx_rule_mix(rule, &fact, ~UINT64_C(1));
    cnx_rule_output(rule, 0, fact);
    cnx_rule_output(rule, 1, sum);
}
