/* Witnesses: a symmetry written down by what it does to the axes of parameters, each as one node reads it.
 * That is enough to find the symmetry again (witness_symmetry.c).
 *
 * The structure passes give every use a tensor of its own, and a symmetry may permute two uses of one stored
 * tensor differently. Usually it does not, and the file keeps everything but the order of its weights. */
#include "compare/witness.h"

#include "compare/multiplied.h"
#include "compare/permuted.h"
#include "onnx/element.h"
#include "rewrite/names.h"
#include "rewrite/report.h"

#include <math.h>

/* ---- making ---- */

typedef struct maker {
    cnx_comparison *c;
    size_t count, capacity;
    cnx_witness_axis *axes;
    const char **names; /* by cell without home: the first parameter axis that shows it */
} maker;

static bool moves(const cnx_labels *labels, const uint32_t *points)
{
    for (uint32_t i = 0; i < labels->sequence->count; i++)
        if (points[labels->sequence->points[i]] != labels->sequence->points[i])
            return true;
    return false;
}

/* Names every class by the first parameter axis that shows one of its members. */
static const char *class_name(maker *m, const cnx_parameter *parameter, uint32_t axis,
                              const cnx_labels *labels)
{
    const cnx_cells *cells = cnx_analysis_cells(m->c->analysis);
    const char *name = NULL;
    for (uint32_t i = 0; i < labels->sequence->count; i++) {
        uint32_t class = cells->class_of[labels->sequence->points[i]];
        while (cells->home[class] != CNX_NONE)
            class = cells->home[class];
        uint32_t cell = cells->cell_of[class];
        if (cell == CNX_NONE)
            continue;
        if (m->names[cell] == NULL)
            m->names[cell] = cnx_print(m->c->arena, "%s:%u", parameter->name, axis);
        if (name == NULL)
            name = m->names[cell];
    }
    return name != NULL ? name : cnx_print(m->c->arena, "%s:%u", parameter->name, axis);
}

/* Numbers that multiply b are undone by their opposites, which multiply a once it is permuted. */
static const int32_t *opposite(cnx_arena *arena, const int32_t *exponents, uint32_t count)
{
    int32_t *made = exponents != NULL ? CNX_NEW_ARRAY(arena, int32_t, count) : NULL;
    for (uint32_t i = 0; made != NULL && i < count; i++)
        made[i] = -exponents[i];
    return made;
}

static const int32_t *signs_of(cnx_arena *arena, const int32_t *flipped, uint32_t count)
{
    int32_t *made = flipped != NULL ? CNX_NEW_ARRAY(arena, int32_t, count) : NULL;
    for (uint32_t i = 0; made != NULL && i < count; i++)
        made[i] = flipped[i] != 0 ? -1 : 1;
    return made;
}

static const int32_t *numbers_along(const maker *m, uint32_t use, uint32_t axis, cnx_scaling_kind kind)
{
    cnx_comparison *c = m->c;
    if (c->numbers == NULL)
        return NULL;
    return cnx_axis_numbers(c->arena, c->analysis, cnx_comparison_scalings(c), use, axis, kind,
                            kind == CNX_SIGN ? c->numbers->signs : c->numbers->exponents);
}

static void add_axis(maker *m, uint32_t use, uint32_t axis, uint32_t *position)
{
    cnx_arena *arena = m->c->arena;
    const cnx_parameter *parameter = &m->c->analysis->parameters[use];
    const cnx_labels *labels = cnx_parameter_labels(parameter, axis);
    if (labels == NULL || parameter->again)
        return;
    uint32_t count = labels->sequence->count;
    cnx_witness_axis row = {.use = use,
                            .tensor = parameter->name,
                            .axis = axis,
                            .name = class_name(m, parameter, axis, labels),
                            .count = count,
                            .signs = signs_of(arena, numbers_along(m, use, axis, CNX_SIGN), count),
                            .exponents = opposite(arena, numbers_along(m, use, axis, CNX_SCALE), count)};
    if (m->c->points != NULL && moves(labels, m->c->points))
        row.source = cnx_sequence_source(arena, labels->sequence, m->c->points, position);
    if (row.source != NULL || row.signs != NULL || row.exponents != NULL)
        CNX_PUSH(arena, m->axes, m->count, m->capacity, row);
}

const cnx_witness *cnx_witness_make(cnx_comparison *c)
{
    cnx_witness *witness = CNX_NEW(c->arena, cnx_witness);
    witness->use_count = (uint32_t)c->analysis->parameter_count;
    if (c->points == NULL && c->numbers == NULL)
        return witness;
    cnx_arena *scratch = cnx_arena_create(c->arena);
    uint32_t *position = CNX_NEW_ARRAY(scratch, uint32_t, c->analysis->points->point_count);
    maker m = {.c = c};
    m.names = CNX_NEW_ARRAY(scratch, const char *, cnx_analysis_cells(c->analysis)->cell_count);
    for (uint32_t p = 0; p < witness->use_count; p++)
        for (uint32_t k = 0; k < c->analysis->parameters[p].tensor->rank; k++)
            add_axis(&m, p, k, position);
    cnx_arena_destroy(scratch);
    witness->axes = m.axes;
    witness->axis_count = m.count;
    return witness;
}

/* ---- applying ---- */

static bool reads_alike(cnx_model *model, cnx_tensor *tensor, struct cnx_permutation *one,
                        struct cnx_permutation *other)
{
    enum { BLOCK = 1 << 14 };
    uint8_t left[BLOCK], right[BLOCK];
    bool same = true;
    for (uint64_t at = 0; at < tensor->size && same; at += BLOCK) {
        size_t size = tensor->size - at < BLOCK ? (size_t)(tensor->size - at) : BLOCK;
        tensor->permutation = one;
        cnx_tensor_read(model, tensor, at, left, size);
        tensor->permutation = other;
        cnx_tensor_read(model, tensor, at, right, size);
        same = memcmp(left, right, size) == 0;
    }
    tensor->permutation = one;
    return same;
}

/* The symmetry of a witness, in the terms of a model's analysis. */
typedef struct symmetry {
    cnx_analysis *analysis;
    const cnx_scalings *scalings;
    const uint32_t *points;
    const cnx_numbers *numbers;
} symmetry;

/* What the symmetry does to a parameter; NULL: nothing. */
static struct cnx_permutation *effect_on(cnx_arena *arena, const symmetry *s, size_t parameter,
                                         uint32_t *position)
{
    struct cnx_permutation *moved =
        cnx_permutation_of(arena, &s->analysis->parameters[parameter], s->points, position);
    struct cnx_permutation *multiplied =
        cnx_parameter_factors(arena, s->analysis, s->scalings, parameter, s->numbers);
    if (moved != NULL && multiplied != NULL)
        moved->factors = multiplied->factors;
    return moved != NULL ? moved : multiplied;
}

/* Fails when an element of the tensor, multiplied, is not what the factors make of it: when it has no room
 * for its new exponent. */
static void check_exactness(cnx_model *model, const cnx_parameter *parameter,
                            const struct cnx_permutation *effect)
{
    enum { BLOCK = 1 << 12 };
    uint8_t bytes[BLOCK * sizeof(double)];
    double wanted[BLOCK], found[BLOCK];
    cnx_tensor *tensor = parameter->tensor;
    struct cnx_permutation multiplied = *effect, moved = *effect;
    moved.factors = NULL;
    cnx_tensor wide = *tensor;
    wide.type = CNX_TYPE_DOUBLE;
    wide.permutation = &multiplied;
    size_t width = cnx_type_bits(tensor->type) / 8;
    bool exact = true;
    for (uint64_t first = 0; first < tensor->count && exact; first += BLOCK) {
        size_t count = tensor->count - first < BLOCK ? (size_t)(tensor->count - first) : BLOCK;
        tensor->permutation = &moved;
        cnx_tensor_read(model, tensor, first * width, bytes, count * width);
        cnx_elements_read(tensor->type, bytes, 0, count, wanted);
        cnx_multiply_by_factors(&wide, first * sizeof wanted[0], (uint8_t *)wanted, count * sizeof wanted[0]);
        tensor->permutation = &multiplied;
        cnx_tensor_read(model, tensor, first * width, bytes, count * width);
        cnx_elements_read(tensor->type, bytes, 0, count, found);
        for (size_t i = 0; i < count; i++)
            exact = exact && (found[i] == wanted[i] || isnan(wanted[i]));
    }
    tensor->permutation = NULL;
    if (!exact)
        cnx_fail(model->arena, CNX_ERROR_USAGE, parameter->name,
                 "the witness scales a weight beyond what %s can hold", cnx_type_name(tensor->type));
}

static void check_all(const symmetry *s, cnx_arena *arena)
{
    uint32_t *position = CNX_NEW_ARRAY(arena, uint32_t, s->analysis->points->point_count);
    for (size_t p = 0; p < s->analysis->parameter_count; p++) {
        const cnx_parameter *parameter = &s->analysis->parameters[p];
        const struct cnx_permutation *effect = parameter->again ? NULL : effect_on(arena, s, p, position);
        if (effect != NULL && effect->factors != NULL)
            check_exactness(s->analysis->model, parameter, effect);
    }
}

/* Changes the tensors as they are in the file. False when two uses of one would have to differ; then nothing
 * is changed. */
static bool change_given(cnx_side *side, const symmetry *s)
{
    const cnx_analysis *analysis = s->analysis;
    cnx_intern seen;
    cnx_intern_init(&seen, side->arena);
    uint32_t *position = CNX_NEW_ARRAY(side->arena, uint32_t, analysis->points->point_count);
    bool agreed = true;
    for (size_t p = 0; p < analysis->parameter_count && agreed; p++) {
        const cnx_parameter *parameter = &analysis->parameters[p];
        cnx_tensor *given = cnx_side_given(side, parameter->tensor);
        struct cnx_permutation *made = parameter->again ? NULL : effect_on(side->arena, s, p, position);
        if (parameter->again || (given == NULL && made == NULL))
            continue;
        size_t known = seen.count;
        bool is_new = given != NULL && cnx_intern_add(&seen, &given, sizeof given) == known;
        if (is_new)
            given->permutation = made;
        else
            agreed = given != NULL && reads_alike(side->given, given, given->permutation, made);
    }
    for (size_t i = 0; i < side->given->tensor_count && !agreed; i++)
        side->given->tensors[i]->permutation = NULL;
    return agreed;
}

/* Gives every use its own tensor, in the model itself. */
static void change_separated(cnx_model *model, const symmetry *s)
{
    cnx_rewrite rewrite = {.model = model, .arena = cnx_arena_create(model->arena), .keep_metadata = true};
    cnx_report_begin(&rewrite);
    cnx_rewrite_structure(&rewrite);
    cnx_names_repair(&rewrite);
    cnx_analysis *analysis = cnx_analyze(model->arena, model);
    const cnx_scalings *scalings = cnx_find_scalings(model->arena, analysis);
    cnx_apply_permutation(analysis, s->points);
    cnx_apply_factors(analysis, scalings, CNX_SIGN, s->numbers->signs);
    cnx_apply_factors(analysis, scalings, CNX_SCALE, s->numbers->exponents);
    cnx_report_end(&rewrite);
    cnx_arena_destroy(rewrite.arena);
}

void cnx_witness_apply(cnx_model *model, const cnx_witness *witness)
{
    if (witness->axis_count == 0)
        return;
    cnx_side *side = cnx_side_open(model);
    symmetry s = {.analysis = cnx_analyze(side->arena, side->model)};
    s.scalings = cnx_find_scalings(side->arena, s.analysis);
    s.points = cnx_witness_points(side->arena, s.analysis, witness);
    s.numbers = cnx_witness_numbers(side->arena, s.analysis, s.scalings, witness);
    check_all(&s, side->arena);
    if (!change_given(side, &s))
        change_separated(model, &s);
}
