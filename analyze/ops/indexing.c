/* Gathering, expanding and resampling. */
#include "analyze/ops/shape_only.h"

/* Gather with known positions: the labels at those positions. */
static void gather_known(cnx_rule *rule, uint32_t axis, const int64_t *positions, size_t count)
{
    cnx_fact fact = cnx_rule_input(rule, 0);
    int64_t extent = 0;
    bool numeric = cnx_dim_is_number(rule->dims, fact.axes[axis].extent, &extent);
    bool scalar = rule->inputs[1].rank == 0;
    if (!numeric || fact.axes[axis].kind != CNX_AXIS_LABELS) {
        cnx_rule_pin_fact_axis(rule, &fact, axis, "selected positions");
        fact.axes[axis].extent = cnx_rule_number(rule, (int64_t)count);
    } else {
        uint32_t *index = CNX_NEW_ARRAY(rule->arena, uint32_t, count);
        for (size_t i = 0; i < count; i++)
            index[i] = cnx_rule_axis_number(rule, positions[i], (uint32_t)extent);
        fact = cnx_rule_gather(rule, fact, axis, index, (uint32_t)count);
    }
    if (scalar)
        fact = cnx_rule_reduce(rule, fact, UINT64_C(1) << axis, false);
    cnx_rule_output(rule, 0, fact);
}

/* Gather(data, indices): known indices select labels; indices that are data pin the axis (an embedding's
 * rows). */
void cnx_apply_gather(cnx_rule *rule)
{
    uint32_t rank = rule->inputs[0].rank;
    uint32_t axis = cnx_rule_axis_number(rule, cnx_rule_int(rule, "axis", 0), rank);
    const int64_t *positions;
    size_t count;
    if (cnx_rule_numbers(rule, 1, &positions, &count) && rule->inputs[1].rank <= 1 && count > 0) {
        gather_known(rule, axis, positions, count);
        return;
    }
    cnx_fact data = cnx_rule_input(rule, 0), indices = cnx_rule_input(rule, 1);
    cnx_rule_pin_fact_axis(rule, &data, axis, "positions looked up by data");
    cnx_fact output = cnx_rule_fact(rule, data.type, rank - 1 + indices.rank);
    uint32_t next = 0;
    for (uint32_t k = 0; k < axis; k++)
        output.axes[next++] = data.axes[k];
    for (uint32_t k = 0; k < indices.rank; k++)
        output.axes[next++] = indices.axes[k];
    for (uint32_t k = axis + 1; k < rank; k++)
        output.axes[next++] = data.axes[k];
    cnx_rule_output(rule, 0, output);
}

/* Expand broadcasts to a shape; new positions are copies, so any order of them will do. Where an extent of
 * the shape is unknown, it is 1 or the axis's own, unless that is 1. */
void cnx_apply_expand(cnx_rule *rule)
{
    const cnx_dim *shape;
    size_t count;
    int64_t number;
    if (!cnx_shape_list(rule, 1, &shape, &count)) {
        cnx_rule_pin_all(rule, "computed shape");
        return;
    }
    cnx_fact facts[2] = {cnx_rule_input(rule, 0), cnx_rule_fact(rule, 0, (uint32_t)count)};
    for (uint32_t k = 0; k < count; k++) {
        uint32_t place = (uint32_t)count - k, own = facts[0].rank - place;
        cnx_dim extent = place <= facts[0].rank ? facts[0].axes[own].extent : cnx_rule_number(rule, 1);
        bool numeric = cnx_dim_is_number(rule->dims, extent, &number);
        if (shape[k] == extent || (numeric && number == 1) || !cnx_dim_has_unknown(rule->dims, shape[k])) {
            facts[1].axes[k] = cnx_axis_any(shape[k]);
        } else if (!numeric) {
            cnx_rule_pin_fact_axis(rule, &facts[0], own, "computed shape");
            facts[0].axes[own].extent = cnx_dim_max(rule->dims, extent, shape[k]);
        }
    }
    cnx_rule_output(rule, 0, cnx_rule_broadcast(rule, facts, 2, facts[0].type));
}

static cnx_axis repeated(cnx_rule *rule, cnx_axis axis, cnx_dim times)
{
    return cnx_axis_merge(rule->points, cnx_axis_any(times), axis, cnx_rule_reason(rule, "repeated axis"));
}

/* Tile before operator set 6: `tiles` copies of one axis. */
static void tile_one(cnx_rule *rule, cnx_fact fact)
{
    const int64_t *axis;
    size_t count;
    if (!cnx_rule_numbers(rule, 2, &axis, &count) || count != 1) {
        cnx_rule_pin_all(rule, "computed repeats");
        cnx_rule_output(rule, 0, cnx_shape_unknown(rule, fact.type, fact.rank, "computed repeats"));
        return;
    }
    uint32_t k = cnx_rule_axis_number(rule, axis[0], fact.rank);
    fact.axes[k] = repeated(rule, fact.axes[k], cnx_shape_number(rule, 1));
    cnx_rule_output(rule, 0, fact);
}

/* Tile (6 and on: repeats per axis): an axis becomes (repeat, position). */
void cnx_apply_tile(cnx_rule *rule)
{
    cnx_fact fact = cnx_rule_input(rule, 0);
    const cnx_dim *repeats;
    size_t count;
    if (rule->node->opset != 0 && rule->node->opset < 6) {
        tile_one(rule, fact);
        return;
    }
    if (!cnx_shape_list(rule, 1, &repeats, &count) || count != fact.rank) {
        cnx_rule_pin_all(rule, "computed repeats");
        cnx_rule_output(rule, 0, cnx_shape_unknown(rule, fact.type, fact.rank, "computed repeats"));
        return;
    }
    for (uint32_t k = 0; k < fact.rank; k++)
        fact.axes[k] = repeated(rule, fact.axes[k], repeats[k]);
    cnx_rule_output(rule, 0, fact);
}

/* The channels that land on spatial offset `o` of `offsets`, as an axis. */
static cnx_axis channels_at(cnx_rule *rule, cnx_axis channels, uint32_t count, uint32_t offsets, uint32_t o,
                            bool last)
{
    uint32_t *index = CNX_NEW_ARRAY(rule->arena, uint32_t, count);
    for (uint32_t c = 0; c < count; c++)
        index[c] = last ? c * offsets + o : o * count + c;
    return cnx_axis_gather(rule->points, channels, index, count,
                           cnx_rule_reason(rule, "channels spread over space"));
}

/* The common part of the two: N, C, H, W with a block size; false (all pinned) when they do not fit. */
static bool is_image(cnx_rule *rule, int64_t *size)
{
    *size = cnx_rule_int(rule, "blocksize", 0);
    if (rule->inputs[0].rank == 4 && *size >= 1 && *size <= 64)
        return true;
    cnx_rule_pin_all(rule, "block size");
    return false;
}

/* DepthToSpace: channel (offset, c) in DCR mode, (c, offset) in CRD, becomes channel c at a spatial offset.
 * Channels at equal c share an output axis, so they move together. */
void cnx_apply_depth_to_space(cnx_rule *rule)
{
    int64_t size, channels;
    if (!is_image(rule, &size))
        return;
    cnx_fact fact = cnx_rule_input(rule, 0);
    if (!cnx_dim_is_number(rule->dims, fact.axes[1].extent, &channels) || channels % (size * size) != 0 ||
        channels > (int64_t)CNX_LARGEST_AXIS) {
        cnx_rule_pin_all(rule, "channels");
        return;
    }
    uint32_t offsets = (uint32_t)(size * size), count = (uint32_t)channels / offsets;
    bool last = strcmp(cnx_attribute_text(rule->graph, rule->node, "mode", "DCR"), "CRD") == 0;
    if (fact.axes[1].kind == CNX_AXIS_LABELS && fact.axes[1].labels->over != NULL) {
        cnx_rule_pin_all(rule, "channels that vary over blocks");
        return;
    }
    /* Points of its own: with those of one offset it would look as if it came from there only. */
    cnx_axis result = cnx_axis_fresh(rule->points, count, NULL);
    for (uint32_t o = 0; o < offsets; o++)
        result = cnx_rule_same(rule, result, channels_at(rule, fact.axes[1], count, offsets, o, last));
    fact.axes[1] = result;
    for (uint32_t k = 2; k < 4; k++) {
        cnx_dim extent = cnx_dim_multiply(rule->dims, fact.axes[k].extent, cnx_rule_number(rule, size));
        cnx_rule_pin_fact_axis(rule, &fact, k, "spatial axis");
        fact.axes[k] = cnx_axis_pinned(extent, cnx_rule_reason(rule, "spatial axis"));
    }
    cnx_rule_output(rule, 0, fact);
}

/* SpaceToDepth: channel c at a spatial offset becomes channel (offset, c). */
void cnx_apply_space_to_depth(cnx_rule *rule)
{
    int64_t size;
    if (!is_image(rule, &size))
        return;
    cnx_fact fact = cnx_rule_input(rule, 0);
    uint32_t offsets = (uint32_t)(size * size);
    cnx_axis *parts = CNX_NEW_ARRAY(rule->arena, cnx_axis, offsets);
    for (uint32_t o = 0; o < offsets; o++)
        parts[o] = fact.axes[1];
    cnx_dim channels = cnx_dim_multiply(rule->dims, fact.axes[1].extent, cnx_rule_number(rule, offsets));
    fact.axes[1] = cnx_axis_concat(rule->points, parts, offsets, channels, cnx_rule_reason(rule, "channels"));
    for (uint32_t k = 2; k < 4; k++) {
        cnx_dim extent = cnx_dim_floor_divide(rule->dims, fact.axes[k].extent, cnx_rule_number(rule, size));
        cnx_rule_pin_fact_axis(rule, &fact, k, "spatial axis");
        fact.axes[k] = cnx_axis_pinned(extent, cnx_rule_reason(rule, "spatial axis"));
    }
    cnx_rule_output(rule, 0, fact);
}
