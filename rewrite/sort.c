#include "rewrite/sort.h"

#include "rewrite/permute.h"

#include <stdlib.h>

/* ---- order ---- */

static int compare_classes(const void *a, const void *b, void *prints)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    int order = cnx_compare_prints(prints, x, y);
    return order != 0 ? order : (x > y) - (x < y);
}

/* Sends the member of rank r to the place of member r. */
static void sort_cell(cnx_sorting *s, const cnx_cell *cell, uint32_t *items)
{
    const uint32_t *members = s->cells->members + cell->first;
    memcpy(items, members, cell->count * sizeof *items);
    qsort_r(items, cell->count, sizeof *items, compare_classes, (void *)(uintptr_t)s->prints);
    for (uint32_t i = 0; i < cell->count; i++)
        s->image[items[i]] = members[i];
}

static uint32_t largest_cell(const cnx_cells *cells)
{
    uint32_t largest = 0;
    for (uint32_t k = 0; k < cells->cell_count; k++)
        largest = cells->cells[k].count > largest ? cells->cells[k].count : largest;
    return largest;
}

cnx_sorting *cnx_sort_cells(cnx_arena *arena, cnx_model *model)
{
    cnx_sorting *s = CNX_NEW(arena, cnx_sorting);
    s->arena = arena;
    s->analysis = cnx_analyze(arena, model);
    s->cells = cnx_analysis_cells(s->analysis);
    s->prints = cnx_fingerprint(arena, s->analysis);
    s->image = CNX_NEW_ARRAY(arena, uint32_t, s->cells->class_count);
    s->points = CNX_NEW_ARRAY(arena, uint32_t, s->analysis->points->point_count);
    uint32_t *items = CNX_NEW_ARRAY(arena, uint32_t, largest_cell(s->cells));
    for (uint32_t c = 0; c < s->cells->class_count; c++)
        s->image[c] = c;
    for (uint32_t k = 0; k < s->cells->cell_count; k++)
        sort_cell(s, &s->cells->cells[k], items);
    cnx_carry_classes(s->cells, s->image);
    cnx_permute_points(s->cells, s->image, s->points);
    return s;
}

/* ---- ties ---- */

/* Scratch memory of the comparison of one pair. */
typedef struct comparison {
    cnx_sorting *sorting;
    uint32_t *image;                 /* by class: an exchange of two places */
    uint32_t *exchange;              /* by point */
    uint32_t *both;                  /* by point: sorting, then the exchange */
    struct cnx_permutation **sorted; /* by parameter */
    uint8_t *left;
    uint8_t *right;
} comparison;

enum { BLOCK = 1 << 16 };

static void take_permutations(comparison *c, struct cnx_permutation **into)
{
    cnx_analysis *analysis = c->sorting->analysis;
    for (size_t p = 0; p < analysis->parameter_count; p++) {
        if (analysis->parameters[p].again)
            continue;
        into[p] = analysis->parameters[p].tensor->permutation;
        analysis->parameters[p].tensor->permutation = NULL;
    }
}

/* Whether the tensor reads the same under its present permutation and under `sorted`. */
static bool reads_the_same(comparison *c, cnx_tensor *tensor, struct cnx_permutation *sorted)
{
    cnx_model *model = c->sorting->analysis->model;
    struct cnx_permutation *present = tensor->permutation;
    bool same = true;
    for (uint64_t offset = 0; offset < tensor->size && same; offset += BLOCK) {
        size_t size = tensor->size - offset < BLOCK ? (size_t)(tensor->size - offset) : BLOCK;
        cnx_tensor_read(model, tensor, offset, c->left, size);
        tensor->permutation = sorted;
        cnx_tensor_read(model, tensor, offset, c->right, size);
        tensor->permutation = present;
        same = memcmp(c->left, c->right, size) == 0;
        c->sorting->compared += 2 * size;
    }
    return same;
}

static bool moves(const cnx_parameter *parameter, const uint32_t *points)
{
    for (uint32_t k = 0; k < parameter->tensor->rank; k++) {
        const cnx_labels *labels = cnx_parameter_labels(parameter, k);
        for (uint32_t i = 0; labels != NULL && i < labels->sequence->count; i++)
            if (points[labels->sequence->points[i]] != labels->sequence->points[i])
                return true;
    }
    return false;
}

/* Whether exchanging two places of a cell leaves the sorted model as it is. */
static bool is_interchangeable(comparison *c, uint32_t a, uint32_t b)
{
    cnx_sorting *s = c->sorting;
    for (uint32_t k = 0; k < s->cells->class_count; k++)
        c->image[k] = k;
    c->image[a] = b;
    c->image[b] = a;
    cnx_carry_classes(s->cells, c->image);
    cnx_permute_points(s->cells, c->image, c->exchange);
    for (size_t p = 0; p < s->analysis->points->point_count; p++)
        c->both[p] = c->exchange[s->points[p]];
    cnx_apply_permutation(s->analysis, c->both);
    bool same = true;
    for (size_t p = 0; p < s->analysis->parameter_count && same; p++)
        if (!s->analysis->parameters[p].again && moves(&s->analysis->parameters[p], c->exchange))
            same = reads_the_same(c, s->analysis->parameters[p].tensor, c->sorted[p]) &&
                   s->compared <= CNX_MOST_COMPARED;
    struct cnx_permutation **discarded =
        CNX_NEW_ARRAY(s->arena, struct cnx_permutation *, s->analysis->parameter_count);
    take_permutations(c, discarded);
    return same;
}

static bool ties_are_interchangeable(comparison *c, const cnx_cell *cell)
{
    cnx_sorting *s = c->sorting;
    const uint32_t *members = s->cells->members + cell->first;
    uint32_t *occupant = CNX_NEW_ARRAY(s->arena, uint32_t, cell->count);
    bool tied = false;
    for (uint32_t i = 0; i < cell->count; i++)
        tied = tied || s->prints->tied[members[i]];
    if (!tied)
        return true;
    memcpy(occupant, members, cell->count * sizeof *occupant);
    qsort_r(occupant, cell->count, sizeof *occupant, compare_classes, (void *)(uintptr_t)s->prints);
    for (uint32_t i = 0; i + 1 < cell->count; i++)
        if (cnx_compare_prints(s->prints, occupant[i], occupant[i + 1]) == 0 &&
            !is_interchangeable(c, members[i], members[i + 1]))
            return false;
    return true;
}

uint32_t cnx_undecided_cell(cnx_sorting *sorting)
{
    bool tied = false;
    for (uint32_t c = 0; c < sorting->cells->class_count && !tied; c++)
        tied = sorting->prints->tied[c];
    if (!tied)
        return CNX_NONE;
    cnx_arena *scratch = cnx_arena_create(sorting->arena);
    comparison c = {
        .sorting = sorting, .left = cnx_alloc(scratch, BLOCK), .right = cnx_alloc(scratch, BLOCK)};
    c.image = CNX_NEW_ARRAY(scratch, uint32_t, sorting->cells->class_count);
    c.exchange = CNX_NEW_ARRAY(scratch, uint32_t, sorting->analysis->points->point_count);
    c.both = CNX_NEW_ARRAY(scratch, uint32_t, sorting->analysis->points->point_count);
    c.sorted = CNX_NEW_ARRAY(scratch, struct cnx_permutation *, sorting->analysis->parameter_count);
    cnx_apply_permutation(sorting->analysis, sorting->points);
    take_permutations(&c, c.sorted);
    uint32_t undecided = CNX_NONE;
    for (uint32_t k = 0; k < sorting->cells->cell_count && undecided == CNX_NONE; k++)
        if (!ties_are_interchangeable(&c, &sorting->cells->cells[k]))
            undecided = k;
    cnx_arena_destroy(scratch);
    return undecided;
}
