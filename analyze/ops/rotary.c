/* Rotary position embedding: pairs of positions are turned by an angle that depends on the pair's number. */
#include "analyze/ops/compose.h"

/* The positions of the first or second members of all pairs. */
static cnx_axis members(cnx_rule *rule, cnx_axis axis, int64_t pairs, bool second, bool interleaved)
{
    uint32_t *index = CNX_NEW_ARRAY(rule->arena, uint32_t, (size_t)pairs);
    for (int64_t i = 0; i < pairs; i++)
        index[i] = (uint32_t)(interleaved ? 2 * i + second : i + (second ? pairs : 0));
    return cnx_axis_gather(rule->points, axis, index, (uint32_t)pairs,
                           cnx_rule_reason(rule, "rotated pairs"));
}

/* One axis as a fact of its own. */
static cnx_fact line(cnx_rule *rule, const cnx_fact *fact, cnx_axis axis)
{
    cnx_fact result = cnx_rule_fact(rule, fact->type, 1);
    result.axes[0] = axis;
    return result;
}

/* y1 = cos * x1 - sin * x2 and y2 = sin * x1 + cos * x2: both members of a pair move with the pair's column
 * of the tables, so Y's positions move as X's do. */
void cnx_fact_rotate(cnx_rule *rule, cnx_fact *fact, uint32_t k, cnx_axis cosine, cnx_axis sine,
                     cnx_rotation rotation)
{
    cnx_axis axis = cnx_axis_settle(rule->points, fact->axes[k], cnx_rule_reason(rule, "rotated pairs"));
    cnx_axis table = cnx_rule_same(rule, cosine, sine);
    int64_t extent = 0;
    bool known = axis.kind == CNX_AXIS_LABELS && cnx_rule_extent(rule, axis, &extent);
    int64_t size = rotation.size != 0 ? rotation.size : extent;
    if (!known || size < 2 || size % 2 != 0 || size > extent) {
        uint32_t reason = cnx_rule_reason(rule, "rotated pairs");
        fact->axes[k] = cnx_axis_pin(rule->points, axis, reason);
        cnx_axis_pin(rule->points, table, reason);
        return;
    }
    cnx_axis first = members(rule, axis, size / 2, false, rotation.interleaved);
    cnx_axis second = members(rule, axis, size / 2, true, rotation.interleaved);
    cnx_rule_keep_step(rule, rotation.step, line(rule, fact, first));
    cnx_rule_keep_step(rule, rotation.step + 1, line(rule, fact, second));
    cnx_rule_same(rule, first, second);
    cnx_rule_same(rule, first, table);
    cnx_rule_same(rule, second, table);
    fact->axes[k] = axis;
    cnx_rule_mix(rule, fact, UINT64_C(1) << k);
}

/* A table's columns: tables[positions, pairs] with positions looked up, or tables[n, s, pairs]. Rows (and
 * steps) are pinned: they are positions in the text. */
static cnx_axis table_columns(cnx_rule *rule, uint32_t i)
{
    cnx_fact table = cnx_rule_input(rule, i);
    for (uint32_t k = 0; k + 1 < table.rank; k++)
        cnx_rule_pin_fact_axis(rule, &table, k, "positions in the text");
    return table.axes[table.rank - 1];
}

/* The number of heads of rows: an attribute, or what the tables leave when whole heads are rotated. */
static int64_t count_heads(const cnx_rule *rule, uint32_t cosine, int64_t size)
{
    int64_t heads = cnx_rule_int(rule, "num_heads", 0), width, pairs;
    if (heads >= 1 || size != 0 || rule->inputs[0].rank != 3)
        return heads;
    cnx_fact table = rule->inputs[cosine];
    if (!cnx_rule_extent(rule, rule->inputs[0].axes[2], &width) ||
        !cnx_rule_extent(rule, table.axes[table.rank - 1], &pairs) || width % (2 * pairs) != 0)
        return 0;
    return width / (2 * pairs);
}

static void apply_rotary(cnx_rule *rule, uint32_t cosine, uint32_t sine, uint32_t positions)
{
    cnx_rotation rotation = {.interleaved = cnx_rule_int(rule, "interleaved", 0) != 0,
                             .size = cnx_rule_int(rule, "rotary_embedding_dim", 0),
                             .step = CNX_STEP_QUERY_PAIRS};
    uint32_t rank = rule->inputs[0].rank;
    bool fits = (rank == 3 || rank == 4) && cnx_rule_has(rule, cosine) && cnx_rule_has(rule, sine) &&
                rule->inputs[cosine].rank != 0 && rule->inputs[sine].rank != 0;
    int64_t heads = fits ? count_heads(rule, cosine, rotation.size) : 0;
    if (!fits || (rank == 3 && heads < 1)) {
        cnx_rule_pin_all(rule, "unknown shape");
        return;
    }
    cnx_fact fact = cnx_rule_input(rule, 0);
    if (cnx_rule_has(rule, positions))
        cnx_rule_pin_fact(rule, cnx_rule_input(rule, positions), "positions in the text");
    cnx_rule_pin_fact_axis(rule, &fact, 0, "batch of positions in the text");
    cnx_rule_pin_fact_axis(rule, &fact, rank == 3 ? 1 : 2, "positions in the text");
    cnx_axis cosines = table_columns(rule, cosine), sines = table_columns(rule, sine);
    if (rank == 4) {
        cnx_fact_rotate(rule, &fact, 3, cosines, sines, rotation);
        cnx_rule_output(rule, 0, fact);
        return;
    }
    cnx_fact split = cnx_fact_split(rule, fact, 2, cnx_rule_number(rule, heads));
    cnx_fact_rotate(rule, &split, 3, cosines, sines, rotation);
    cnx_rule_output(rule, 0, cnx_fact_merge(rule, split, 2));
}

/* X[n, h, s, d] or X[n, s, h * d], cos_cache, sin_cache, position_ids */
void cnx_apply_rotary_embedding(cnx_rule *rule)
{
    apply_rotary(rule, 1, 2, 3);
}

/* com.microsoft: X, position_ids, cos_cache[positions, pairs], sin_cache */
void cnx_apply_rotary_embedding_fused(cnx_rule *rule)
{
    apply_rotary(rule, 2, 3, 1);
}
