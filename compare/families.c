#include "compare/families.h"

#include "compare/permuted.h"
#include "compare/sightings.h"
#include "onnx/element.h"

#include <math.h>
#include <stdlib.h>

/* ---- families and kinds ---- */

static uint32_t add_kind(cnx_arena *arena, cnx_family *family)
{
    static const cnx_multiple one = {0};
    cnx_kind kind = {0};
    CNX_PUSH(arena, kind.multiples, kind.multiple_count, kind.multiple_capacity, one);
    CNX_PUSH(arena, family->kinds, family->kind_count, family->kind_capacity, kind);
    return (uint32_t)family->kind_count - 1;
}

static bool is_multiplied(const cnx_families *f, uint32_t cell)
{
    return cnx_multiplier_count(f->multipliers, CNX_SIGN, cell) != 0 ||
           cnx_multiplier_count(f->multipliers, CNX_SCALE, cell) != 0;
}

static bool is_free(const cnx_families *f, uint32_t cell)
{
    const cnx_cells *cells = f->cells;
    uint32_t first = cells->members[cells->cells[cell].first];
    bool inside = false;
    for (uint32_t k = cells->child_start[first]; k < cells->child_start[first + 1] && !inside; k++)
        inside = is_free(f, cells->child_cells[k]);
    return inside || cells->cells[cell].count > 1 || is_multiplied(f, cell);
}

/* Makes the kinds below one: members of one cell, and of cells at equal places, have the same cells inside.
 */
static void add_kinds_inside(const cnx_families *f, cnx_arena *arena, cnx_family *family, uint32_t kind,
                             uint32_t member)
{
    uint32_t count = f->cells->child_start[member + 1] - f->cells->child_start[member];
    uint32_t *inside = CNX_NEW_ARRAY(arena, uint32_t, count);
    for (uint32_t place = 0; place < count; place++)
        inside[place] = add_kind(arena, family);
    family->kinds[kind].inside_count = count;
    family->kinds[kind].inside = inside;
}

/* Adds the members of a cell, and what is inside them, to a kind and the kinds below it. */
static void add_members(cnx_families *f, cnx_arena *arena, uint32_t number, uint32_t cell, uint32_t kind)
{
    cnx_family *family = &f->items[number];
    const cnx_cells *cells = f->cells;
    const cnx_cell *c = &cells->cells[cell];
    family->kinds[kind].sign_count = cnx_multiplier_count(f->multipliers, CNX_SIGN, cell);
    family->kinds[kind].exponent_count = cnx_multiplier_count(f->multipliers, CNX_SCALE, cell);
    if (family->kinds[kind].count == 0)
        add_kinds_inside(f, arena, family, kind, cells->members[c->first]);
    for (uint32_t i = 0; i < c->count; i++) {
        uint32_t class = cells->members[c->first + i];
        f->family_of[class] = number;
        f->kind_of[class] = kind;
        f->place_of[class] = family->kinds[kind].count++;
    }
    for (uint32_t place = 0; place < family->kinds[kind].inside_count; place++)
        for (uint32_t i = 0; i < c->count; i++) {
            uint32_t member = cells->members[c->first + i];
            uint32_t child = cells->child_cells[cells->child_start[member] + place];
            add_members(f, arena, number, child, family->kinds[kind].inside[place]);
        }
}

static void list_classes(cnx_families *f, cnx_arena *arena)
{
    for (size_t i = 0; i < f->count; i++)
        for (size_t k = 0; k < f->items[i].kind_count; k++)
            f->items[i].kinds[k].classes = CNX_NEW_ARRAY(arena, uint32_t, f->items[i].kinds[k].count);
    for (uint32_t class = 0; class < f->cells->class_count; class ++)
        if (f->family_of[class] != CNX_NONE)
            f->items[f->family_of[class]].kinds[f->kind_of[class]].classes[f->place_of[class]] = class;
}

static void list_families(cnx_families *f, cnx_arena *arena)
{
    const cnx_cells *cells = f->cells;
    f->family_of = CNX_NEW_ARRAY(arena, uint32_t, cells->class_count);
    f->kind_of = CNX_NEW_ARRAY(arena, uint32_t, cells->class_count);
    f->place_of = CNX_NEW_ARRAY(arena, uint32_t, cells->class_count);
    for (uint32_t class = 0; class < cells->class_count; class ++)
        f->family_of[class] = CNX_NONE;
    for (uint32_t cell = 0; cell < cells->cell_count; cell++) {
        cnx_family family = {.cell = cell};
        if (cells->cells[cell].home != CNX_NONE || !is_free(f, cell))
            continue;
        CNX_PUSH(arena, f->items, f->count, f->capacity, family);
        uint32_t kind = add_kind(arena, &f->items[f->count - 1]);
        add_members(f, arena, (uint32_t)f->count - 1, cell, kind);
        f->items[f->count - 1].nested = f->items[f->count - 1].kind_count > 1;
    }
    list_classes(f, arena);
}

/* ---- evidence ---- */

/* Turns the sightings [begin, end) of one kind into evidence; false when its members are not seen equally
 * often. */
static bool make_evidence(const cnx_families *f, cnx_arena *arena, const cnx_sighting *items, size_t count,
                          cnx_evidence *evidence)
{
    const cnx_kind *kind = &f->items[items[0].family].kinds[items[0].kind];
    if (count % kind->count != 0)
        return false;
    evidence->copies = (uint32_t)(count / kind->count);
    evidence->family = items[0].family;
    evidence->kind = items[0].kind;
    evidence->positions = CNX_NEW_ARRAY(arena, uint32_t, count);
    for (size_t i = 0; i < count; i++) {
        if (items[i].place != i / evidence->copies)
            return false;
        evidence->positions[i] = items[i].position;
    }
    return true;
}

static void add_other(cnx_arena *arena, cnx_evidence *evidence, size_t *capacity, uint32_t family)
{
    evidence->self = evidence->self || family == evidence->family;
    for (size_t i = 0; i < evidence->other_count; i++)
        if (evidence->others[i] == family)
            return;
    CNX_PUSH(arena, evidence->others, evidence->other_count, *capacity, family);
}

/* Whether an axis shows the kind, and no other one of its family. */
static bool shows_kind(const cnx_sightings *seen, uint32_t family, uint32_t kind)
{
    bool shown = false;
    for (size_t i = 0; i < seen->count; i++) {
        if (seen->items[i].family == family && seen->items[i].kind != kind)
            return false;
        shown = shown || seen->items[i].family == family;
    }
    return shown;
}

/* Whether axis `governed` varies over the blocks of axis `axis`: where these go, its positions go along. */
static bool governs(const cnx_parameter *parameter, uint32_t axis, uint32_t governed)
{
    uint32_t governor, block;
    return cnx_find_governor(parameter, governed, &governor, &block) && governor == axis;
}

/* Families that the other axes show, and those that share positions of this one. */
static void list_others(cnx_arena *arena, const cnx_parameter *parameter, const cnx_sightings *seen,
                        cnx_evidence *evidence)
{
    size_t capacity = 0;
    uint32_t axis = evidence->slicing.axis;
    const cnx_sightings *here = &seen[axis];
    for (size_t i = 0; i < here->company_count; i++)
        if (here->companies[i].family == evidence->family)
            add_other(arena, evidence, &capacity, here->companies[i].other);
    for (uint32_t k = 0; k < parameter->tensor->rank; k++)
        for (size_t i = 0; i < seen[k].count; i++) {
            uint32_t family = seen[k].items[i].family;
            bool along = governs(parameter, axis, k) && family == evidence->family &&
                         shows_kind(&seen[k], family, evidence->kind);
            if (k != axis && !along && (i == 0 || family != seen[k].items[i - 1].family))
                add_other(arena, evidence, &capacity, family);
        }
}

/* ---- how much a tensor varies ---- */

typedef struct moments {
    double count, sum, square;
} moments;

static void add_moments(cnx_model *model, cnx_tensor *tensor, bool magnitudes, moments *m)
{
    enum { BLOCK = 1 << 12 };
    double block[BLOCK];
    uint8_t bytes[BLOCK * sizeof(double)];
    size_t width = cnx_type_bits(tensor->type) / 8;
    for (uint64_t first = 0; first < tensor->count; first += BLOCK) {
        size_t count = tensor->count - first < BLOCK ? (size_t)(tensor->count - first) : BLOCK;
        cnx_tensor_read(model, tensor, first * width, bytes, count * width);
        cnx_elements_read(tensor->type, bytes, 0, count, block);
        for (size_t i = 0; i < count && magnitudes; i++)
            block[i] = fabs(block[i]);
        for (size_t i = 0; i < count; i++) {
            m->sum += block[i];
            m->square += block[i] * block[i];
        }
    }
    m->count += (double)tensor->count;
}

/* 1 / variance of a's tensor; of a constant, which may still be multiplied, 1 / square. 0 when it is zero, or
 * either holds what is no number. */
static double weight_of(const cnx_comparison *c, const cnx_pair *pair, bool magnitudes)
{
    moments m = {0}, of_b = {0};
    add_moments(c->a->model, pair->a, magnitudes, &m);
    add_moments(c->b->model, pair->b, magnitudes, &of_b);
    if (!(of_b.square < 1e300))
        return 0;
    double mean = m.sum / m.count, square = m.square / m.count, variance = square - mean * mean;
    double unit = variance > 1e-12 * square ? variance : square;
    return unit > 0 && unit < 1e300 ? 1 / unit : 0;
}

bool cnx_is_evidence(const cnx_comparison *c, const cnx_pair *pair)
{
    cnx_type_kind kind = cnx_type_kind_of(pair->a->type);
    return pair->parameter != CNX_NONE && pair->a->count != 0 && cnx_type_bits(pair->a->type) >= 8 &&
           (kind == CNX_KIND_FLOAT || kind == CNX_KIND_INTEGER) &&
           !c->analysis->parameters[pair->parameter].again;
}

double *cnx_weigh_pairs(cnx_comparison *c, cnx_arena *arena, bool magnitudes)
{
    double *weights = CNX_NEW_ARRAY(arena, double, c->pair_count);
    for (size_t i = 0; i < c->pair_count; i++)
        if (cnx_is_evidence(c, &c->pairs[i]))
            weights[i] = weight_of(c, &c->pairs[i], magnitudes);
    return weights;
}

/* ---- multiples ---- */

/* The multiple of a kind's slices, by its number. */
static uint32_t number_multiple(cnx_arena *arena, cnx_kind *kind, const cnx_multiple *multiple)
{
    for (uint32_t v = 0; v < kind->multiple_count; v++)
        if (cnx_multiples_are_equal(&kind->multiples[v], multiple))
            return v;
    CNX_PUSH(arena, kind->multiples, kind->multiple_count, kind->multiple_capacity, *multiple);
    return (uint32_t)kind->multiple_count - 1;
}

/* What a member's own numbers do to a sighting of it: nothing, when it is something else inside of it. */
static cnx_multiple multiple_of(const cnx_families *f, const cnx_sighting *s, const cnx_multiple *along)
{
    bool own = f->items[s->family].kinds[s->kind].classes[s->place] == s->class;
    return own ? along[s->position] : (cnx_multiple){0};
}

/* Members that are not multiplied alike are held: nothing multiplies the kind. */
static void hold_numbers(cnx_kind *kind)
{
    kind->sign_count = kind->exponent_count = 0;
}

/* Splits evidence by the multiples of its copies: part after part goes to the family. */
static void add_by_multiple(cnx_families *f, cnx_arena *arena, const cnx_evidence *evidence,
                            const cnx_sighting *items, const cnx_multiple *along)
{
    cnx_family *family = &f->items[evidence->family];
    cnx_kind *kind = &family->kinds[evidence->kind];
    bool *taken = CNX_NEW_ARRAY(arena, bool, evidence->copies);
    for (uint32_t first = 0; first < evidence->copies; first++) {
        cnx_multiple multiple = multiple_of(f, &items[first], along);
        cnx_evidence part = *evidence;
        part.multiple = number_multiple(arena, kind, &multiple);
        part.positions = CNX_NEW_ARRAY(arena, uint32_t, (size_t)kind->count * evidence->copies);
        part.copies = 0;
        for (uint32_t r = first; r < evidence->copies && !taken[first]; r++) {
            cnx_multiple other = multiple_of(f, &items[r], along);
            if (taken[r] || !cnx_multiples_are_equal(&multiple, &other))
                continue;
            taken[r] = r != first;
            for (uint32_t i = 0; i < kind->count; i++) {
                const cnx_sighting *s = &items[(size_t)i * evidence->copies + r];
                cnx_multiple here = multiple_of(f, s, along);
                if (!cnx_multiples_are_equal(&multiple, &here))
                    hold_numbers(kind);
                part.positions[(size_t)i * evidence->copies + part.copies] = s->position;
            }
            part.copies++;
        }
        for (uint32_t i = 0; i < kind->count; i++)
            memmove(part.positions + (size_t)i * part.copies, part.positions + (size_t)i * evidence->copies,
                    part.copies * sizeof *part.positions);
        part.elements = evidence->slicing.runs * evidence->slicing.run * part.copies * kind->count;
        if (part.copies != 0)
            CNX_PUSH(arena, family->evidence, family->evidence_count, family->evidence_capacity, part);
    }
}

/* ---- all of it ---- */

static void add_axis_evidence(cnx_families *f, cnx_arena *arena, size_t pair, double weight, uint32_t axis,
                              const cnx_sightings *seen)
{
    uint32_t number = f->c->pairs[pair].parameter;
    const cnx_parameter *parameter = &f->c->analysis->parameters[number];
    const cnx_sightings *here = &seen[axis];
    const cnx_multiple *along = NULL;
    for (size_t begin = 0, end; begin < here->count; begin = end) {
        for (end = begin + 1; end < here->count && here->items[end].family == here->items[begin].family &&
                              here->items[end].kind == here->items[begin].kind;)
            end++;
        cnx_evidence evidence = {.pair = pair, .weight = weight};
        if (!make_evidence(f, arena, here->items + begin, end - begin, &evidence) ||
            !cnx_slicing_of(parameter, axis, &evidence.slicing))
            continue;
        uint32_t governor = evidence.slicing.governor;
        if (governor != CNX_NONE && shows_kind(&seen[governor], evidence.family, evidence.kind))
            continue; /* the same elements */
        if (along == NULL)
            along = cnx_multiples_along(here->arena, f->multipliers, number, axis);
        list_others(arena, parameter, seen, &evidence);
        add_by_multiple(f, arena, &evidence, here->items + begin, along);
    }
}

static void add_pair_evidence(cnx_families *f, cnx_arena *arena, size_t pair, double weight)
{
    const cnx_parameter *parameter = &f->c->analysis->parameters[f->c->pairs[pair].parameter];
    uint32_t rank = parameter->tensor->rank;
    cnx_arena *scratch = cnx_arena_create(arena);
    cnx_sightings *seen = CNX_NEW_ARRAY(scratch, cnx_sightings, rank);
    for (uint32_t k = 0; k < rank; k++) {
        const cnx_labels *labels = cnx_parameter_labels(parameter, k);
        if (labels != NULL)
            seen[k] = cnx_see_axis(f, scratch, labels->sequence);
    }
    for (uint32_t k = 0; k < rank; k++)
        add_axis_evidence(f, arena, pair, weight, k, seen);
    cnx_arena_destroy(scratch);
}

/* Kinds that nothing multiplies have one multiple. */
static void forget_multiples(cnx_family *family)
{
    for (size_t k = 0; k < family->kind_count; k++)
        if (family->kinds[k].sign_count == 0 && family->kinds[k].exponent_count == 0)
            family->kinds[k].multiple_count = 1;
    for (size_t i = 0; i < family->evidence_count; i++)
        if (family->kinds[family->evidence[i].kind].multiple_count == 1)
            family->evidence[i].multiple = 0;
}

static void mark_only_self(cnx_family *family)
{
    family->only_self = true;
    for (size_t i = 0; i < family->evidence_count; i++)
        family->only_self = family->only_self && family->evidence[i].self;
}

cnx_families *cnx_find_families(cnx_comparison *c, cnx_arena *arena, unsigned kinds, bool magnitudes,
                                const double *weights)
{
    cnx_families *f = CNX_NEW(arena, cnx_families);
    *f = (cnx_families){.c = c,
                        .cells = cnx_analysis_cells(c->analysis),
                        .multipliers = cnx_multipliers_create(c, arena, kinds),
                        .blas = cnx_blas_load(arena),
                        .magnitudes = magnitudes};
    list_families(f, arena);
    for (size_t i = 0; i < c->pair_count && f->count != 0; i++)
        if (weights[i] > 0)
            add_pair_evidence(f, arena, i, weights[i]);
    for (size_t i = 0; i < f->count; i++) {
        mark_only_self(&f->items[i]);
        forget_multiples(&f->items[i]);
    }
    return f;
}
