#include "analyze/ops/compose.h"

cnx_fact cnx_fact_reorder(cnx_rule *rule, cnx_fact fact, const uint32_t *order, uint32_t rank)
{
    cnx_fact result = cnx_rule_fact(rule, fact.type, rank);
    for (uint32_t k = 0; k < rank; k++)
        result.axes[k] = fact.axes[order[k]];
    return result;
}

cnx_fact cnx_fact_place(cnx_rule *rule, cnx_fact fact, const uint32_t *places, uint32_t rank)
{
    cnx_fact result = cnx_rule_fact(rule, fact.type, rank);
    for (uint32_t k = 0; k < fact.rank; k++)
        result.axes[places[k]] = fact.axes[k];
    return result;
}

void cnx_rule_split(cnx_rule *rule, cnx_axis axis, cnx_dim outer_extent, cnx_axis *outer, cnx_axis *inner)
{
    uint32_t reason = cnx_rule_reason(rule, "groups");
    cnx_dim inner_extent = cnx_dim_floor_divide(rule->dims, axis.extent, outer_extent);
    int64_t whole, count;
    if (cnx_dim_is_number(rule->dims, axis.extent, &whole) &&
        (!cnx_dim_is_number(rule->dims, outer_extent, &count) || count < 1 || whole % count != 0)) {
        cnx_axis_pin(rule->points, axis, reason);
        axis = cnx_axis_pinned(axis.extent, reason);
    }
    cnx_axis_split(rule->points, axis, outer_extent, inner_extent, outer, inner, reason);
}

cnx_fact cnx_fact_split(cnx_rule *rule, cnx_fact fact, uint32_t k, cnx_dim outer_extent)
{
    cnx_fact result = cnx_rule_fact(rule, fact.type, fact.rank + 1);
    for (uint32_t j = 0; j < fact.rank; j++)
        result.axes[j < k ? j : j + 1] = fact.axes[j];
    cnx_rule_split(rule, fact.axes[k], outer_extent, &result.axes[k], &result.axes[k + 1]);
    return result;
}

cnx_fact cnx_fact_merge(cnx_rule *rule, cnx_fact fact, uint32_t k)
{
    cnx_fact result = cnx_rule_fact(rule, fact.type, fact.rank - 1);
    for (uint32_t j = 0; j < result.rank; j++)
        result.axes[j] = fact.axes[j <= k ? j : j + 1];
    result.axes[k] =
        cnx_axis_merge(rule->points, fact.axes[k], fact.axes[k + 1], cnx_rule_reason(rule, "joined axes"));
    return result;
}

/* Axes with more positions than this in all blocks are left as they are. */
#define LARGEST_REFINED (1u << 20)

void cnx_fact_refine(cnx_rule *rule, cnx_fact *fact, uint32_t k, uint32_t over)
{
    cnx_axis axis = fact->axes[k], blocks = fact->axes[over];
    if (k == over || axis.kind != CNX_AXIS_LABELS || axis.repeats != NULL || blocks.kind != CNX_AXIS_LABELS ||
        blocks.repeats != NULL || blocks.labels->over != NULL ||
        (uint64_t)axis.labels->extent * blocks.labels->extent > LARGEST_REFINED)
        return;
    fact->axes[k] = cnx_axis_refine(rule->points, axis, blocks.labels);
}

cnx_fact cnx_fact_cut(cnx_rule *rule, cnx_fact fact, uint32_t k, int64_t first, int64_t step, int64_t count)
{
    cnx_fact result = cnx_rule_fact(rule, fact.type, fact.rank);
    memcpy(result.axes, fact.axes, fact.rank * sizeof *fact.axes);
    if (fact.axes[k].kind != CNX_AXIS_LABELS) {
        result.axes[k].extent = cnx_rule_number(rule, count);
        return result;
    }
    uint32_t *index = CNX_NEW_ARRAY(rule->arena, uint32_t, (size_t)count);
    for (int64_t i = 0; i < count; i++)
        index[i] = (uint32_t)(first + i * step);
    return cnx_rule_gather(rule, result, k, index, (uint32_t)count);
}

/* Pins what varies over the axis `k`, which becomes part of a longer one: its blocks name nothing any more.
 */
static void pin_joined_blocks(cnx_rule *rule, cnx_fact *fact, uint32_t k)
{
    for (uint32_t j = 0; j < fact->rank && fact->axes[k].kind == CNX_AXIS_LABELS; j++)
        if (j != k && fact->axes[j].kind == CNX_AXIS_LABELS &&
            fact->axes[j].labels->over == fact->axes[k].labels)
            cnx_rule_pin_fact_axis(rule, fact, j, "blocks joined at an input");
}

cnx_fact cnx_fact_join(cnx_rule *rule, cnx_fact first, cnx_fact second, uint32_t k)
{
    cnx_axis parts[2] = {first.axes[k], second.axes[k]};
    cnx_fact facts[2] = {first, second};
    for (uint32_t i = 0; i < 2; i++) {
        pin_joined_blocks(rule, &facts[i], k);
        cnx_axis *axes = CNX_NEW_ARRAY(rule->arena, cnx_axis, facts[i].rank);
        memcpy(axes, facts[i].axes, facts[i].rank * sizeof *axes);
        axes[k] = cnx_axis_any(cnx_rule_number(rule, 1));
        facts[i].axes = axes;
    }
    cnx_fact result = cnx_rule_broadcast(rule, facts, 2, first.type);
    result.axes[k] =
        cnx_axis_concat(rule->points, parts, 2, cnx_dim_add(rule->dims, parts[0].extent, parts[1].extent),
                        cnx_rule_reason(rule, "concatenated axis"));
    return result;
}

cnx_fact cnx_fact_contract(cnx_rule *rule, cnx_fact left, cnx_fact right, uint64_t summed)
{
    cnx_fact facts[2] = {left, right};
    return cnx_rule_reduce(rule, cnx_rule_broadcast(rule, facts, 2, left.type), summed, false);
}

void cnx_fact_scaled_along(cnx_rule *rule, cnx_fact *fact, uint32_t k, uint32_t i)
{
    if (!cnx_rule_has(rule, i) || cnx_rule_is_single(rule, i))
        return;
    if (rule->inputs[i].rank == 1 && k < fact->rank) {
        fact->axes[k] = cnx_rule_same(rule, fact->axes[k], cnx_rule_axis(rule, i, 0));
        return;
    }
    cnx_fact_unrelated(rule, fact, i);
}

void cnx_fact_unrelated(cnx_rule *rule, cnx_fact *fact, uint32_t i)
{
    cnx_rule_pin_fact(rule, cnx_rule_input(rule, i), "scale of several axes");
    for (uint32_t j = 0; j < fact->rank; j++)
        cnx_rule_pin_fact_axis(rule, fact, j, "scale of several axes");
}

bool cnx_rule_is_single(cnx_rule *rule, uint32_t i)
{
    cnx_fact fact = rule->inputs[i];
    for (uint32_t k = 0; k < fact.rank; k++)
        if (!cnx_dim_equals(rule->dims, fact.axes[k].extent, 1))
            return false;
    cnx_rule_input(rule, i);
    return true;
}

bool cnx_rule_extent(const cnx_rule *rule, cnx_axis axis, int64_t *extent)
{
    return cnx_dim_is_number(rule->dims, axis.extent, extent) && *extent >= 1 &&
           *extent <= (int64_t)CNX_LARGEST_AXIS;
}
