/* Full scaling: every unit that can be multiplied by a positive number is multiplied by the one, not only a
 * power of two, that makes the largest number of its first vector (a bias, the scale of a normalization) a
 * power of two. Models that differ by scales other than powers of two then differ by rounding only. This
 * rounds.
 *
 * As in the exact choice (rewrite/factors/normal_factors.c) it is sums that are chosen, anchor by anchor, so
 * that the accidental basis of the solutions does not enter; only vectors are asked, since nothing else
 * multiplies them. Numbers are logarithms to base 2 in units of 2^-30, and whole octaves are left to the
 * exact choice, which follows: members of a class that differ by powers of two are multiplied alike.
 */
#include "onnx/element.h"
#include "rewrite/factors/anchors.h"
#include "rewrite/factors/freedom.h"
#include "rewrite/pass.h"
#include "rewrite/permute.h"

#include <float.h>
#include <math.h>

#define OCTAVE ((int64_t)1 << 30)

typedef struct full_scaling {
    cnx_arena *arena;
    cnx_analysis *analysis;
    const cnx_anchors *anchors;
    const cnx_freedom **freedom; /* by unit */
    int64_t **numbers;           /* by unit, then generator of its component */
    bool *multiplied;            /* by unit */
} full_scaling;

/* Of a piece: what its sum can still be changed by, for units with one freedom. */
typedef struct known_settling {
    const cnx_freedom *freedom;
    const cnx_settling *settling; /* NULL: the sum is settled */
} known_settling;

static const cnx_settling *settling_of(full_scaling *f, const cnx_piece *piece, const cnx_freedom *freedom,
                                       known_settling *known)
{
    if (known->freedom == freedom)
        return known->settling;
    int64_t *row = CNX_NEW_ARRAY(f->arena, int64_t, freedom->rank);
    bool changes = cnx_freedom_change(freedom, piece->terms, piece->term_count, row);
    known->freedom = freedom;
    known->settling = changes ? cnx_freedom_settle(f->arena, freedom, row, 1) : NULL;
    return known->settling;
}

static int64_t sum_of(const full_scaling *f, const cnx_piece *piece, uint32_t unit)
{
    int64_t sum = 0;
    for (uint32_t t = 0; t < piece->term_count; t++)
        sum += piece->terms[t].factor * f->numbers[unit][piece->terms[t].unknown];
    return sum;
}

/* By how much a sum has to change, in whole multiples of `divisor`, so that the magnitude becomes a power of
 * two. */
static int64_t wanted_change(double magnitude, int64_t sum, int64_t divisor)
{
    int exponent;
    int64_t off = llround(log2(frexp(magnitude, &exponent)) * (double)OCTAVE) + sum;
    int64_t rest = ((-off % OCTAVE) + OCTAVE) % OCTAVE; /* up by less than an octave, */
    if (rest > OCTAVE / 2)
        rest -= OCTAVE; /* or down, whichever is less */
    return rest / divisor * divisor;
}

static void settle_unit(full_scaling *f, const cnx_piece *piece, uint32_t unit, double magnitude,
                        known_settling *known)
{
    const cnx_settling *settling = settling_of(f, piece, f->freedom[unit], known);
    if (settling == NULL || !isfinite(magnitude) || magnitude == 0)
        return;
    int64_t change = wanted_change(magnitude, sum_of(f, piece, unit), settling->divisors[0]);
    f->multiplied[unit] = f->multiplied[unit] || change != 0;
    f->freedom[unit] = settling->rest;
    cnx_settling_solve(settling, &change, f->numbers[unit]);
}

/* ---- asking ---- */

static bool can_round(const cnx_tensor *tensor)
{
    return tensor->type == CNX_TYPE_FLOAT || tensor->type == CNX_TYPE_DOUBLE;
}

/* Whether every unit has one piece in the anchor: of several it would not be clear which is the first. */
static bool is_plain(const cnx_anchors *anchors, const cnx_anchor *anchor)
{
    for (uint32_t i = 0; i < anchor->piece_count; i++)
        for (uint32_t j = 0; j < i; j++)
            if (anchors->pieces[anchor->pieces[i]].component == anchors->pieces[anchor->pieces[j]].component)
                return false;
    return true;
}

static void ask_vector(full_scaling *f, const cnx_anchor *anchor)
{
    const cnx_anchors *anchors = f->anchors;
    cnx_tensor *tensor = f->analysis->parameters[anchor->parameter].tensor;
    cnx_arena *scratch = cnx_arena_create(f->arena);
    uint32_t count;
    const cnx_anchor_place *places = cnx_anchor_places(anchors, anchor->parameter, anchor->axis, &count);
    double *largest = CNX_NEW_ARRAY(scratch, double, anchors->unit_count);
    for (uint32_t i = 0; i < count && count == tensor->count; i++) {
        if (places[i].piece == CNX_NONE)
            continue;
        const cnx_piece *piece = &anchors->pieces[places[i].piece];
        double magnitude = fabs(cnx_tensor_float(f->analysis->model, tensor, i));
        double *unit = &largest[anchors->components[piece->component].first + places[i].member];
        if (&anchors->anchors[piece->anchor] == anchor && !(magnitude <= *unit))
            *unit = magnitude;
    }
    for (uint32_t i = 0; i < anchor->piece_count; i++) {
        const cnx_piece *piece = &anchors->pieces[anchor->pieces[i]];
        const cnx_component *component = &anchors->components[piece->component];
        known_settling known = {NULL, NULL};
        for (uint32_t m = 0; m < anchors->cells->cells[component->cell].count; m++)
            settle_unit(f, piece, component->first + m, largest[component->first + m], &known);
    }
    cnx_arena_destroy(scratch);
}

/* What multiplies weights of other types stays as it is: they have few bits to round. */
static void keep_small_types(full_scaling *f)
{
    for (size_t i = 0; i < f->anchors->piece_count; i++) {
        const cnx_piece *piece = &f->anchors->pieces[i];
        const cnx_component *component = &f->anchors->components[piece->component];
        known_settling known = {NULL, NULL};
        if (can_round(f->analysis->parameters[piece->parameter].tensor))
            continue;
        for (uint32_t m = 0; m < f->anchors->cells->cells[component->cell].count; m++) {
            const cnx_settling *settling = settling_of(f, piece, f->freedom[component->first + m], &known);
            if (settling != NULL)
                f->freedom[component->first + m] = settling->rest;
        }
    }
}

static full_scaling *begin(cnx_rewrite *rewrite)
{
    cnx_arena *arena = cnx_arena_create(rewrite->arena);
    full_scaling *f = CNX_NEW(arena, full_scaling);
    f->arena = arena;
    f->analysis = cnx_rewrite_facts(rewrite);
    const cnx_anchors *anchors = f->anchors = cnx_find_anchors(
        arena, f->analysis, cnx_rewrite_scalings(rewrite), cnx_rewrite_colours(rewrite), CNX_SCALE);
    f->freedom = CNX_NEW_ARRAY(arena, const cnx_freedom *, anchors->unit_count);
    f->numbers = CNX_NEW_ARRAY(arena, int64_t *, anchors->unit_count);
    f->multiplied = CNX_NEW_ARRAY(arena, bool, anchors->unit_count);
    for (uint32_t c = 0; c < anchors->component_count; c++) {
        const cnx_component *component = &anchors->components[c];
        const cnx_freedom *all = cnx_freedom_all(arena, component->size, false);
        for (uint32_t m = 0; m < anchors->cells->cells[component->cell].count; m++) {
            f->freedom[component->first + m] = all;
            f->numbers[component->first + m] = CNX_NEW_ARRAY(arena, int64_t, component->size);
        }
    }
    return f;
}

/* ---- multiplying ---- */

/* The logarithms along one axis of a parameter: by position, or by block times extent plus position. */
typedef struct axis_logarithms {
    int64_t *sums; /* NULL: nothing multiplies it */
    uint32_t governor;
    uint32_t block;
} axis_logarithms;

static axis_logarithms logarithms_along(const full_scaling *f, cnx_arena *scratch, size_t p, uint32_t axis)
{
    axis_logarithms along = {.governor = CNX_NONE, .block = 1};
    uint32_t count;
    const cnx_anchor_place *places = cnx_anchor_places(f->anchors, p, axis, &count);
    if (places == NULL)
        return along;
    along.sums = CNX_NEW_ARRAY(scratch, int64_t, count);
    cnx_need_governor(scratch, &f->analysis->parameters[p], axis, &along.governor, &along.block);
    for (uint32_t i = 0; i < count; i++)
        if (places[i].piece != CNX_NONE) {
            const cnx_piece *piece = &f->anchors->pieces[places[i].piece];
            uint32_t unit = f->anchors->components[piece->component].first + places[i].member;
            along.sums[i] = sum_of(f, piece, unit);
        }
    return along;
}

/* Whether the factor could be applied: the product is an ordinary number of its type, or zero as before. */
static bool put_product(int32_t type, uint8_t *bytes, uint64_t index, double value, int64_t logarithm)
{
    double product = value * exp2((double)logarithm / (double)OCTAVE);
    double least = type == CNX_TYPE_DOUBLE ? DBL_MIN : (double)FLT_MIN;
    double most = type == CNX_TYPE_DOUBLE ? DBL_MAX : (double)FLT_MAX;
    cnx_element_write(type, bytes, index, product);
    return value == 0 || logarithm == 0 || (fabs(product) >= least && fabs(product) <= most);
}

/* The parameter's bytes, multiplied, in the model's arena; NULL when nothing multiplies it. */
static uint8_t *multiplied_bytes(const full_scaling *f, size_t p, bool *possible)
{
    cnx_tensor *tensor = f->analysis->parameters[p].tensor;
    cnx_model *model = f->analysis->model;
    cnx_arena *scratch = cnx_arena_create(f->arena);
    axis_logarithms *axes = CNX_NEW_ARRAY(scratch, axis_logarithms, tensor->rank);
    uint64_t *position = CNX_NEW_ARRAY(scratch, uint64_t, tensor->rank);
    bool any = false;
    for (uint32_t k = 0; k < tensor->rank; k++) {
        axes[k] = logarithms_along(f, scratch, p, k);
        any = any || axes[k].sums != NULL;
    }
    uint8_t *bytes = any ? cnx_alloc(model->arena, tensor->size) : NULL;
    const uint8_t *from = any ? cnx_tensor_bytes(model, tensor) : NULL;
    for (uint64_t e = 0; e < tensor->count && any; e++) {
        int64_t sum = 0;
        for (uint32_t k = 0; k < tensor->rank; k++) {
            uint64_t block = axes[k].governor == CNX_NONE ? 0 : position[axes[k].governor] / axes[k].block;
            if (axes[k].sums != NULL)
                sum += axes[k].sums[block * (uint64_t)tensor->dims[k] + position[k]];
        }
        double value = cnx_element_float(tensor->type, from, e);
        *possible = put_product(tensor->type, bytes, e, value, sum) && *possible;
        for (uint32_t k = tensor->rank; k-- > 0 && ++position[k] == (uint64_t)tensor->dims[k];)
            position[k] = 0;
    }
    cnx_arena_destroy(scratch);
    return bytes;
}

/* All tensors or none. */
static bool multiply_all(const full_scaling *f)
{
    size_t count = f->analysis->parameter_count;
    uint8_t **bytes = CNX_NEW_ARRAY(f->arena, uint8_t *, count);
    bool possible = true;
    for (size_t p = 0; p < count && possible; p++)
        if (can_round(f->analysis->parameters[p].tensor) && !f->analysis->parameters[p].again)
            bytes[p] = multiplied_bytes(f, p, &possible);
    for (size_t p = 0; p < count && possible; p++)
        if (bytes[p] != NULL) {
            cnx_tensor *tensor = f->analysis->parameters[p].tensor;
            tensor->bytes = bytes[p];
            cnx_tensor_store_raw(f->analysis->model, tensor);
        }
    return possible;
}

size_t cnx_pass_full_scaling(cnx_rewrite *rewrite)
{
    full_scaling *f = begin(rewrite);
    size_t changed = 0;
    keep_small_types(f);
    for (size_t i = 0; i < f->anchors->count; i++) {
        const cnx_anchor *anchor = &f->anchors->anchors[i];
        const cnx_tensor *tensor = f->analysis->parameters[anchor->parameter].tensor;
        if (tensor->count == (uint64_t)tensor->dims[anchor->axis] && can_round(tensor) &&
            is_plain(f->anchors, anchor))
            ask_vector(f, anchor);
    }
    for (uint32_t i = 0; i < f->anchors->unit_count; i++)
        changed += f->multiplied[i];
    if (changed != 0 && !multiply_all(f)) {
        cnx_rewrite_note(rewrite, "full-scaling: nothing is multiplied, not all weights have room for that");
        changed = 0;
    }
    cnx_arena_destroy(f->arena);
    return changed;
}
