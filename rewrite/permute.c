#include "rewrite/permute.h"

#include "base/divisor.h"

/* ---- from points to positions ---- */

/* source[] of one axis: where each position's content comes from. NULL when nothing moves. `position` is
 * scratch, by point, all zero before and after. */
static uint32_t *axis_source(cnx_arena *arena, const cnx_labels *labels, const uint32_t *points,
                             uint32_t *position)
{
    const cnx_sequence *sequence = labels->sequence;
    bool moves = false;
    for (uint32_t i = 0; i < sequence->count && !moves; i++)
        moves = points[sequence->points[i]] != sequence->points[i];
    if (!moves)
        return NULL;
    uint32_t *source = CNX_NEW_ARRAY(arena, uint32_t, sequence->count);
    for (uint32_t i = 0; i < sequence->count; i++)
        position[sequence->points[i]] = i;
    for (uint32_t i = 0; i < sequence->count; i++)
        source[position[points[sequence->points[i]]]] = i % labels->extent;
    for (uint32_t i = 0; i < sequence->count; i++)
        position[sequence->points[i]] = 0;
    return source;
}

/* Rewrites a source of positions as one of units, the longest runs that all move in one piece. Returns their
 * length. */
static uint32_t compress_source(uint32_t *source, uint32_t count)
{
    uint64_t unit = cnx_greatest_divisor(count, source[0]);
    for (uint32_t i = 1; i < count && unit > 1; i++)
        if (source[i] != source[i - 1] + 1)
            unit = cnx_greatest_divisor(cnx_greatest_divisor(unit, i), source[i]);
    for (uint64_t i = 0; i < count && unit > 1; i += unit)
        source[i / unit] = (uint32_t)(source[i] / unit);
    return (uint32_t)unit;
}

bool cnx_find_governor(const cnx_parameter *parameter, uint32_t axis, uint32_t *governor, uint32_t *block)
{
    const cnx_labels *labels = cnx_parameter_labels(parameter, axis);
    *governor = CNX_NONE;
    *block = 1;
    if (labels == NULL || labels->over == NULL)
        return true;
    for (uint32_t k = 0; k < parameter->tensor->rank; k++) {
        const cnx_labels *other = cnx_parameter_labels(parameter, k);
        uint32_t size = k != axis && other != NULL ? cnx_labels_block_size(other, labels->over) : 0;
        if (size != 0) {
            *governor = k;
            *block = size;
            return true;
        }
    }
    return false;
}

void cnx_need_governor(cnx_arena *arena, const cnx_parameter *parameter, uint32_t axis, uint32_t *governor,
                       uint32_t *block)
{
    if (!cnx_find_governor(parameter, axis, governor, block))
        cnx_fail(arena, CNX_ERROR_GRAPH, parameter->name,
                 "an axis varies over blocks that no other axis has");
}

/* Given sources and governors, finds how far the permutation reaches and what moves in one piece. Blocks of a
 * governing axis move each for itself: whatever varies over them is different in each. */
static void finish_permutation(const cnx_tensor *tensor, struct cnx_permutation *made)
{
    uint64_t governing = 0;
    for (uint32_t k = 0; k < tensor->rank; k++) {
        uint32_t governor = made->axes[k].governor;
        if (made->axes[k].source == NULL)
            continue;
        made->last = k > made->last ? k : made->last;
        if (governor == CNX_NONE)
            continue;
        made->last = governor > made->last ? governor : made->last;
        governing |= UINT64_C(1) << governor;
    }
    for (uint32_t k = 0; k < tensor->rank; k++) {
        cnx_axis_permutation *axis = &made->axes[k];
        if (axis->source != NULL && axis->governor == CNX_NONE && (governing >> k & 1) == 0)
            axis->unit = compress_source(axis->source, (uint32_t)tensor->dims[k]);
    }
}

/* Where the content of a position comes from along one axis; `block` is that of the result. */
static uint32_t origin_of(const cnx_axis_permutation *axis, uint32_t extent, uint32_t block,
                          uint32_t position)
{
    if (axis->source == NULL)
        return position;
    if (axis->governor != CNX_NONE)
        return axis->source[block * extent + position];
    return axis->source[position / axis->unit] * axis->unit + position % axis->unit;
}

/* Along one axis: the factors of the positions after they have moved. */
static double *moved_axis(cnx_arena *arena, const cnx_tensor *tensor,
                          const struct cnx_permutation *permutation, uint32_t axis,
                          const cnx_axis_factors *factors, uint32_t *count)
{
    uint32_t extent = (uint32_t)tensor->dims[axis], blocks = 1;
    const cnx_axis_permutation *governor = NULL;
    if (factors->governor != CNX_NONE) {
        blocks = (uint32_t)tensor->dims[factors->governor] / factors->block;
        governor = &permutation->axes[factors->governor];
        if (governor->governor != CNX_NONE)
            cnx_fail(arena, CNX_ERROR_LIMIT, NULL, "factors vary over blocks inside blocks");
    }
    *count = blocks * extent;
    double *moved = CNX_NEW_ARRAY(arena, double, *count);
    for (uint32_t b = 0; b < blocks; b++) {
        uint32_t from = governor != NULL ? origin_of(governor, 0, 0, b * factors->block) / factors->block : b;
        for (uint32_t i = 0; i < extent; i++)
            moved[b * extent + i] =
                factors->factor[from * extent + origin_of(&permutation->axes[axis], extent, b, i)];
    }
    return moved;
}

static cnx_axis_factors *moved_factors(cnx_arena *arena, const cnx_tensor *tensor,
                                       const struct cnx_permutation *permutation,
                                       const cnx_axis_factors *factors)
{
    cnx_axis_factors *moved = CNX_NEW_ARRAY(arena, cnx_axis_factors, tensor->rank);
    for (uint32_t k = 0; k < tensor->rank; k++) {
        moved[k] = factors[k];
        if (factors[k].factor == NULL)
            continue;
        uint32_t count;
        moved[k].factor = moved_axis(arena, tensor, permutation, k, &factors[k], &count);
        cnx_prepare_factors(arena, &moved[k], count);
    }
    return moved;
}

struct cnx_permutation *cnx_permutation_of(cnx_arena *arena, const cnx_parameter *parameter,
                                           const uint32_t *points, uint32_t *position)
{
    uint32_t rank = parameter->tensor->rank;
    struct cnx_permutation made = {.axes = CNX_NEW_ARRAY(arena, cnx_axis_permutation, rank)};
    bool moves = false;
    for (uint32_t k = 0; k < rank; k++) {
        const cnx_labels *labels = cnx_parameter_labels(parameter, k);
        cnx_axis_permutation *axis = &made.axes[k];
        *axis = (cnx_axis_permutation){.governor = CNX_NONE, .block = 1, .unit = 1};
        uint32_t *source = labels != NULL ? axis_source(arena, labels, points, position) : NULL;
        if (source == NULL)
            continue;
        axis->source = source;
        cnx_need_governor(arena, parameter, k, &axis->governor, &axis->block);
        moves = true;
    }
    const struct cnx_permutation *present = parameter->tensor->permutation;
    cnx_axis_factors *factors = present != NULL ? present->factors : NULL;
    made.lost = present != NULL ? present->lost : NULL;
    if (!moves && factors == NULL && made.lost == NULL)
        return NULL;
    finish_permutation(parameter->tensor, &made);
    if (factors != NULL)
        made.factors = moved_factors(arena, parameter->tensor, &made, factors);
    struct cnx_permutation *permutation = CNX_NEW(arena, struct cnx_permutation);
    *permutation = made;
    return permutation;
}

struct cnx_permutation *cnx_tensor_permutation(cnx_arena *arena, cnx_tensor *tensor)
{
    if (tensor->permutation != NULL)
        return tensor->permutation;
    tensor->permutation = CNX_NEW(arena, struct cnx_permutation);
    tensor->permutation->axes = CNX_NEW_ARRAY(arena, cnx_axis_permutation, tensor->rank);
    for (uint32_t k = 0; k < tensor->rank; k++)
        tensor->permutation->axes[k] = (cnx_axis_permutation){.governor = CNX_NONE, .block = 1, .unit = 1};
    return tensor->permutation;
}

void cnx_apply_permutation(cnx_analysis *analysis, const uint32_t *points)
{
    cnx_arena *arena = analysis->model->arena;
    cnx_arena *scratch = cnx_arena_create(arena);
    uint32_t *position = CNX_NEW_ARRAY(scratch, uint32_t, analysis->points->point_count);
    for (size_t p = 0; p < analysis->parameter_count; p++) {
        const cnx_parameter *parameter = &analysis->parameters[p];
        struct cnx_permutation *made =
            parameter->again ? NULL : cnx_permutation_of(arena, parameter, points, position);
        if (made != NULL)
            parameter->tensor->permutation = made;
    }
    cnx_arena_destroy(scratch);
}

static void settle(cnx_model *model, cnx_tensor *tensor)
{
    uint8_t *bytes = cnx_alloc(model->arena, tensor->size);
    cnx_tensor_read(model, tensor, 0, bytes, tensor->size);
    tensor->bytes = bytes;
    tensor->permutation = NULL;
    cnx_tensor_store_raw(model, tensor);
}

void cnx_settle_permutations(cnx_model *model)
{
    for (size_t t = 0; t < model->tensor_count; t++)
        if (model->tensors[t]->permutation != NULL)
            settle(model, model->tensors[t]);
}

const uint8_t *cnx_tensor_values(cnx_model *model, cnx_tensor *tensor)
{
    if (tensor->permutation != NULL)
        settle(model, tensor);
    return cnx_tensor_bytes(model, tensor);
}
