/* Gathering, expanding and resampling. */
#include "analyze/rule.h"

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

/* Expand broadcasts to a shape; new positions are copies, so any order of them will do. */
void cnx_apply_expand(cnx_rule *rule)
{
    const cnx_dim *shape;
    size_t count;
    if (!cnx_rule_content(rule, 1, &shape, &count) || count > 60) {
        cnx_rule_pin_all(rule, "shape that is computed");
        return;
    }
    cnx_fact facts[2] = {cnx_rule_input(rule, 0), cnx_rule_fact(rule, 0, (uint32_t)count)};
    for (uint32_t k = 0; k < count; k++)
        facts[1].axes[k] = cnx_axis_any(shape[k]);
    cnx_rule_output(rule, 0, cnx_rule_broadcast(rule, facts, 2, facts[0].type));
}

/* Tile (6 and on: repeats per axis): an axis becomes (repeat, position). */
void cnx_apply_tile(cnx_rule *rule)
{
    cnx_fact fact = cnx_rule_input(rule, 0);
    const cnx_dim *repeats;
    size_t count;
    if (rule->node->opset < 6 || !cnx_rule_content(rule, 1, &repeats, &count) || count != fact.rank) {
        cnx_rule_pin_all(rule, "repeats that are computed");
        return;
    }
    for (uint32_t k = 0; k < fact.rank; k++)
        fact.axes[k] = cnx_axis_merge(rule->points, cnx_axis_any(repeats[k]), fact.axes[k],
                                      cnx_rule_reason(rule, "repeated axis"));
    cnx_rule_output(rule, 0, fact);
}

/* Element `k` of a constant float input or attribute list, if it is known. */
static bool known_scale(const cnx_rule *rule, uint32_t input, uint32_t k, double *scale)
{
    const Onnx__AttributeProto *attribute = cnx_attribute(rule->node, "scales");
    if (attribute != NULL && k < attribute->n_floats) {
        *scale = (double)attribute->floats[k];
        return true;
    }
    if (!cnx_rule_has(rule, input))
        return false;
    cnx_tensor *tensor = rule->graph->values[rule->node->inputs[input]].initializer;
    if (tensor == NULL || k >= tensor->count || cnx_type_kind_of(tensor->type) != CNX_KIND_FLOAT)
        return false;
    *scale = cnx_tensor_float(rule->analysis->model, tensor, k);
    return true;
}

/* The extent that Resize gives axis `k`: from sizes, or floor(extent * scale). */
static cnx_dim resized_extent(const cnx_rule *rule, uint32_t k, cnx_dim extent, uint32_t scales,
                              const cnx_dim *sizes)
{
    double scale;
    int64_t number;
    if (sizes != NULL)
        return sizes[k];
    if (!known_scale(rule, scales, k, &scale) || !(scale > 0) || scale > 1e6)
        return cnx_dim_fresh(rule->dims);
    if (scale == (double)(int64_t)scale)
        return cnx_dim_multiply(rule->dims, extent, cnx_rule_number(rule, (int64_t)scale));
    if (cnx_dim_is_number(rule->dims, extent, &number))
        return cnx_rule_number(rule, (int64_t)((double)number * scale));
    return cnx_dim_fresh(rule->dims);
}

/* Resize and Upsample: an axis that keeps its extent passes, the others are resampled. */
void cnx_apply_resize(cnx_rule *rule)
{
    bool upsample = strcmp(rule->node->op_type, "Upsample") == 0;
    uint32_t scales = upsample || rule->node->opset < 11 ? 1 : 2;
    cnx_fact fact = cnx_rule_input(rule, 0);
    for (uint32_t i = 1; i < rule->input_count; i++)
        if (cnx_rule_has(rule, i))
            cnx_rule_pin_fact(rule, cnx_rule_input(rule, i), "numbers");
    const cnx_dim *sizes = NULL;
    size_t count;
    if (!upsample && (!cnx_rule_content(rule, 3, &sizes, &count) || count != fact.rank))
        sizes = NULL;
    bool crops =
        strcmp(cnx_attribute_text(rule->graph, rule->node, "coordinate_transformation_mode", "half_pixel"),
               "tf_crop_and_resize") == 0;
    if (cnx_attribute(rule->node, "axes") != NULL || crops) {
        cnx_rule_pin_all(rule, "resampled axes");
        return;
    }
    for (uint32_t k = 0; k < fact.rank; k++) {
        cnx_dim extent = resized_extent(rule, k, fact.axes[k].extent, scales, sizes);
        if (extent == fact.axes[k].extent)
            continue;
        cnx_rule_pin_fact_axis(rule, &fact, k, "resampled axis");
        fact.axes[k] = cnx_axis_pinned(extent, cnx_rule_reason(rule, "resampled axis"));
    }
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
    cnx_axis result = channels_at(rule, fact.axes[1], count, offsets, 0, last);
    for (uint32_t o = 1; o < offsets; o++)
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
