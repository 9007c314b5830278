#include "rewrite/ordering/automorphism.h"

#include "onnx/mapping.h"
#include "proto/limits.h"
#include "rewrite/permute.h"

/* A position on an axis of a parameter: a position of the labels' sequence, so that it names a (block,
 * position) pair where the labels vary over blocks. */
typedef struct place {
    uint32_t parameter;
    uint32_t axis;
    uint32_t index;
} place;

/* An axis of a parameter, as the check at hand moves it. */
typedef struct moving_axis {
    uint32_t *target;   /* by position of the sequence: where it goes; NULL while nothing ever moved */
    uint32_t moved;     /* how many positions move in the check at hand */
    uint32_t governor;  /* the axis whose blocks the labels vary over, or CNX_NONE */
    uint32_t block;     /* positions of that axis that make a block */
    bool over_or_under; /* the labels vary over blocks, or others vary over them */
    bool lost;          /* they vary over blocks that no axis has */
} moving_axis;

struct cnx_weights_check {
    cnx_arena *arena;
    cnx_analysis *analysis;
    uint32_t *start; /* by point, with an end: range in `places` */
    place *places;
    uint32_t *first_axis; /* by parameter: into `axes` */
    moving_axis *axes;
    size_t touched_count, touched_capacity;
    place *touched; /* what moves in the check at hand */
    uint64_t compared;
};

/* ---- where points show ---- */

/* Calls for every labelled position of every parameter, in order. */
static void for_each_place(cnx_analysis *analysis, void (*visit)(void *, uint32_t, place), void *state)
{
    for (uint32_t p = 0; p < analysis->parameter_count; p++) {
        const cnx_parameter *parameter = &analysis->parameters[p];
        for (uint32_t k = 0; k < parameter->tensor->rank && !parameter->again; k++) {
            const cnx_labels *labels = cnx_parameter_labels(parameter, k);
            for (uint32_t i = 0; labels != NULL && i < labels->sequence->count; i++)
                visit(state, labels->sequence->points[i], (place){p, k, i});
        }
    }
}

static void count_place(void *state, uint32_t point, place at)
{
    (void)at;
    ((cnx_weights_check *)state)->start[point + 1]++;
}

typedef struct filler {
    cnx_weights_check *check;
    uint32_t *next;
} filler;

static void add_place(void *state, uint32_t point, place at)
{
    filler *f = state;
    f->check->places[f->next[point]++] = at;
}

static void list_axes(cnx_weights_check *check)
{
    const cnx_analysis *analysis = check->analysis;
    size_t count = 0;
    check->first_axis = CNX_NEW_ARRAY(check->arena, uint32_t, analysis->parameter_count);
    for (size_t p = 0; p < analysis->parameter_count; p++) {
        check->first_axis[p] = (uint32_t)count;
        count += analysis->parameters[p].tensor->rank;
    }
    check->axes = CNX_NEW_ARRAY(check->arena, moving_axis, count);
    for (size_t p = 0; p < analysis->parameter_count; p++) {
        moving_axis *axes = check->axes + check->first_axis[p];
        for (uint32_t k = 0; k < analysis->parameters[p].tensor->rank; k++) {
            axes[k].lost = !cnx_find_governor(&analysis->parameters[p], k, &axes[k].governor, &axes[k].block);
            if (axes[k].governor != CNX_NONE)
                axes[k].over_or_under = axes[axes[k].governor].over_or_under = true;
        }
    }
}

cnx_weights_check *cnx_weights_check_create(cnx_arena *arena, cnx_analysis *analysis)
{
    cnx_weights_check *check = CNX_NEW(arena, cnx_weights_check);
    size_t count = analysis->points->point_count;
    *check = (cnx_weights_check){.arena = arena, .analysis = analysis};
    check->start = CNX_NEW_ARRAY(arena, uint32_t, count + 1);
    for_each_place(analysis, count_place, check);
    for (size_t p = 0; p < count; p++)
        check->start[p + 1] += check->start[p];
    check->places = CNX_NEW_ARRAY(arena, place, check->start[count]);
    cnx_arena *scratch = cnx_arena_create(arena);
    filler f = {check, CNX_NEW_ARRAY(scratch, uint32_t, count + 1)};
    memcpy(f.next, check->start, (count + 1) * sizeof *f.next);
    for_each_place(analysis, add_place, &f);
    cnx_arena_destroy(scratch);
    list_axes(check);
    return check;
}

/* ---- from points to positions ---- */

static moving_axis *axis_of(const cnx_weights_check *check, uint32_t parameter, uint32_t axis)
{
    return &check->axes[check->first_axis[parameter] + axis];
}

static const place *find_place(const cnx_weights_check *check, uint32_t point, place like)
{
    for (uint32_t i = check->start[point]; i < check->start[point + 1]; i++)
        if (check->places[i].parameter == like.parameter && check->places[i].axis == like.axis)
            return &check->places[i];
    return NULL;
}

/* Marks where the places of one point go. False when a place has no counterpart: no symmetry. */
static bool move_point(cnx_weights_check *check, uint32_t point, uint32_t image)
{
    for (uint32_t i = check->start[point]; i < check->start[point + 1]; i++) {
        place from = check->places[i];
        const place *to = find_place(check, image, from);
        moving_axis *axis = axis_of(check, from.parameter, from.axis);
        if (to == NULL || axis->lost)
            return false;
        if (axis->target == NULL) {
            const cnx_parameter *parameter = &check->analysis->parameters[from.parameter];
            uint32_t count = cnx_parameter_labels(parameter, from.axis)->sequence->count;
            axis->target = CNX_NEW_ARRAY(check->arena, uint32_t, count);
            for (uint32_t k = 0; k < count; k++)
                axis->target[k] = k;
        }
        axis->target[from.index] = to->index;
        axis->moved++;
        CNX_PUSH(check->arena, check->touched, check->touched_count, check->touched_capacity, from);
    }
    return true;
}

static void forget_moves(cnx_weights_check *check)
{
    while (check->touched_count != 0) {
        place at = check->touched[--check->touched_count];
        moving_axis *axis = axis_of(check, at.parameter, at.axis);
        axis->target[at.index] = at.index;
        axis->moved = 0;
    }
}

/* ---- elements ---- */

static bool same_element(const uint8_t *bytes, unsigned bits, uint64_t a, uint64_t b)
{
    if (bits >= 8)
        return memcmp(bytes + a * (bits / 8), bytes + b * (bits / 8), bits / 8) == 0;
    unsigned mask = (1u << bits) - 1;
    unsigned left = (unsigned)bytes[a * bits / 8] >> (a * bits % 8) & mask;
    unsigned right = (unsigned)bytes[b * bits / 8] >> (b * bits % 8) & mask;
    return left == right;
}

/* Where a coordinate goes, given all coordinates of the element. */
static uint64_t target_of(const cnx_tensor *tensor, const moving_axis *axes, uint32_t k, const uint64_t *at)
{
    uint64_t extent = (uint64_t)tensor->dims[k];
    if (axes[k].moved == 0)
        return at[k];
    if (axes[k].governor == CNX_NONE)
        return axes[k].target[at[k]];
    return axes[k].target[at[axes[k].governor] / axes[k].block * extent + at[k]] % extent;
}

enum { MOST_AXES = CNX_LIMIT_TENSOR_RANK };

/* A part of a tensor: positions [from, end) of every axis. */
typedef struct box {
    uint64_t from[MOST_AXES];
    uint64_t end[MOST_AXES];
} box;

/* Whether every element in the box equals the one it is moved to. */
static bool same_box(cnx_weights_check *check, uint32_t parameter, const box *part)
{
    cnx_tensor *tensor = check->analysis->parameters[parameter].tensor;
    const moving_axis *axes = axis_of(check, parameter, 0);
    const uint8_t *bytes = cnx_tensor_values(check->analysis->model, tensor);
    unsigned bits = cnx_type_bits(tensor->type);
    uint64_t at[MOST_AXES];
    memcpy(at, part->from, tensor->rank * sizeof *at);
    for (uint32_t moving = 0; moving != CNX_NONE;) {
        uint64_t here = 0, there = 0;
        for (uint32_t k = 0; k < tensor->rank; k++) {
            here = here * (uint64_t)tensor->dims[k] + at[k];
            there = there * (uint64_t)tensor->dims[k] + target_of(tensor, axes, k, at);
        }
        check->compared += 16;
        if (!same_element(bytes, bits, here, there))
            return false;
        for (moving = tensor->rank; moving-- > 0;) {
            if (++at[moving] < part->end[moving])
                break;
            at[moving] = part->from[moving];
        }
    }
    return true;
}

/* The slices of one axis at two positions, nothing else moving. */
static bool same_slices(cnx_weights_check *check, place from, uint32_t to)
{
    cnx_tensor *tensor = check->analysis->parameters[from.parameter].tensor;
    const uint8_t *bytes = cnx_tensor_values(check->analysis->model, tensor);
    uint64_t inner = cnx_type_bits(tensor->type) / 8, extent = (uint64_t)tensor->dims[from.axis], outer = 1;
    for (uint32_t k = from.axis + 1; k < tensor->rank; k++)
        inner *= (uint64_t)tensor->dims[k];
    for (uint32_t k = 0; k < from.axis; k++)
        outer *= (uint64_t)tensor->dims[k];
    for (uint64_t o = 0; o < outer; o++) {
        check->compared += 2 * inner;
        if (memcmp(bytes + (o * extent + from.index) * inner, bytes + (o * extent + to) * inner, inner) != 0)
            return false;
    }
    return true;
}

static bool same_place(cnx_weights_check *check, place from)
{
    const cnx_tensor *tensor = check->analysis->parameters[from.parameter].tensor;
    const moving_axis *axes = axis_of(check, from.parameter, 0);
    uint32_t k = from.axis, moving = 0;
    if (tensor->type == CNX_TYPE_STRING)
        return false;
    if (tensor->count == 0)
        return true;
    for (uint32_t i = 0; i < tensor->rank; i++)
        moving += axes[i].moved != 0;
    if (moving == 1 && !axes[k].over_or_under && cnx_type_bits(tensor->type) >= 8)
        return same_slices(check, from, axes[k].target[from.index]);
    box part = {{0}, {0}};
    for (uint32_t i = 0; i < tensor->rank; i++)
        part.end[i] = (uint64_t)tensor->dims[i];
    part.from[k] = from.index % (uint64_t)tensor->dims[k];
    part.end[k] = part.from[k] + 1;
    if (axes[k].governor != CNX_NONE) {
        uint64_t block = from.index / (uint64_t)tensor->dims[k];
        part.from[axes[k].governor] = block * axes[k].block;
        part.end[axes[k].governor] = (block + 1) * axes[k].block;
    }
    return same_box(check, from.parameter, &part);
}

bool cnx_keeps_weights(cnx_weights_check *check, const uint32_t *moved, size_t count, const uint32_t *image)
{
    bool same = true;
    for (size_t i = 0; i < count && same; i++)
        same = move_point(check, moved[i], image[moved[i]]);
    for (size_t i = 0; i < check->touched_count && same; i++)
        same = same_place(check, check->touched[i]);
    forget_moves(check);
    check->compared += 64;
    return same;
}

uint64_t cnx_weights_compared(const cnx_weights_check *check)
{
    return check->compared;
}

/* Pages of smaller tensors are not worth a call. */
#define LARGE ((uint64_t)1 << 20)

void cnx_weights_release(cnx_weights_check *check)
{
    cnx_model *model = check->analysis->model;
    for (size_t p = 0; p < check->analysis->parameter_count; p++) {
        cnx_tensor *tensor = check->analysis->parameters[p].tensor;
        if (tensor->size >= LARGE && tensor->type != CNX_TYPE_STRING && cnx_tensor_is_view(model, tensor))
            cnx_view_release(cnx_tensor_bytes(model, tensor), tensor->size);
    }
}
