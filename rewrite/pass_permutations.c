/* The permutation step: within every cell, members are put in the order of their biases, descending, and of
 * their fingerprints where biases are equal; blocks by what is inside them. Members that stay tied are either
 * interchangeable (exchanging them changes no byte, so any order is canonical), or the step gives up and says
 * so: the model is then marked as not canonical, and has no hash.
 */
#include "rewrite/fingerprint.h"
#include "rewrite/pass.h"
#include "rewrite/permute.h"

#include <stdlib.h>

/* Bytes that the comparison of tied members may read before it gives up. */
#define MOST_COMPARED (UINT64_C(4) << 30)

typedef struct sorter {
    cnx_rewrite *rewrite;
    cnx_arena *arena;
    cnx_analysis *analysis;
    const cnx_cells *cells;
    const cnx_prints *prints;
    uint32_t *image;  /* by class */
    uint32_t *points; /* by point */
    uint64_t compared;
} sorter;

/* ---- order ---- */

typedef struct sort_item {
    const cnx_prints *prints;
    uint32_t class;
} sort_item;

static int compare_items(const void *a, const void *b)
{
    const sort_item *x = a, *y = b;
    int order = cnx_compare_prints(x->prints, x->class, y->class);
    return order != 0 ? order : (x->class > y->class) - (x->class < y->class);
}

/* Sends the member of rank r to the place of member r. */
static void sort_cell(sorter *s, const cnx_cell *cell, sort_item *items)
{
    const uint32_t *members = s->cells->members + cell->first;
    for (uint32_t i = 0; i < cell->count; i++)
        items[i] = (sort_item){s->prints, members[i]};
    qsort(items, cell->count, sizeof *items, compare_items);
    for (uint32_t i = 0; i < cell->count; i++)
        s->image[items[i].class] = members[i];
}

static void sort_cells(sorter *s)
{
    uint32_t largest = 0;
    for (uint32_t k = 0; k < s->cells->cell_count; k++)
        largest = s->cells->cells[k].count > largest ? s->cells->cells[k].count : largest;
    sort_item *items = CNX_NEW_ARRAY(s->arena, sort_item, largest);
    for (uint32_t c = 0; c < s->cells->class_count; c++)
        s->image[c] = c;
    for (uint32_t k = 0; k < s->cells->cell_count; k++)
        sort_cell(s, &s->cells->cells[k], items);
}

/* ---- ties ---- */

/* Whether a tensor that has a permutation reads the same with it and without. */
static bool reads_the_same(sorter *s, cnx_tensor *tensor, uint8_t *block, size_t size)
{
    const uint8_t *bytes = cnx_tensor_bytes(s->rewrite->model, tensor);
    for (uint64_t offset = 0; offset < tensor->size; offset += size) {
        size_t part = tensor->size - offset < size ? (size_t)(tensor->size - offset) : size;
        cnx_tensor_read(s->rewrite->model, tensor, offset, block, part);
        s->compared += part;
        if (memcmp(block, bytes + offset, part) != 0)
            return false;
    }
    return true;
}

/* Whether the permutation of classes in `image` changes no byte of any parameter. Leaves no permutations
 * behind. */
static bool changes_nothing(sorter *s, uint32_t *image)
{
    enum { BLOCK = 1 << 16 };
    uint8_t *block = cnx_alloc(s->arena, BLOCK);
    cnx_carry_classes(s->cells, image);
    cnx_permute_points(s->cells, image, s->points);
    cnx_apply_permutation(s->analysis, s->points);
    bool same = true;
    for (size_t p = 0; p < s->analysis->parameter_count; p++) {
        cnx_tensor *tensor = s->analysis->parameters[p].tensor;
        if (tensor->permutation != NULL && same)
            same = reads_the_same(s, tensor, block, BLOCK);
        tensor->permutation = NULL;
    }
    return same && s->compared <= MOST_COMPARED;
}

static bool members_are_tied(const cnx_prints *prints, uint32_t a, uint32_t b)
{
    return cnx_compare_prints(prints, a, b) == 0;
}

/* Whether exchanging neighbours among the tied members of a cell changes nothing. Tied members of other cells
 * stay as they are: ties that only dissolve together are not found, and make the step give up. */
static bool ties_are_interchangeable(sorter *s, const cnx_cell *cell, const uint32_t *ordered)
{
    uint32_t *image = CNX_NEW_ARRAY(s->arena, uint32_t, s->cells->class_count);
    for (uint32_t i = 0; i + 1 < cell->count; i++) {
        if (!members_are_tied(s->prints, ordered[i], ordered[i + 1]))
            continue;
        for (uint32_t c = 0; c < s->cells->class_count; c++)
            image[c] = c;
        image[ordered[i]] = ordered[i + 1];
        image[ordered[i + 1]] = ordered[i];
        if (!changes_nothing(s, image))
            return false;
    }
    return true;
}

/* Looks at every cell with ties; returns the first whose members cannot be told apart nor exchanged, or
 * CNX_NONE. */
static uint32_t undecided_cell(sorter *s)
{
    for (uint32_t k = 0; k < s->cells->cell_count; k++) {
        const cnx_cell *cell = &s->cells->cells[k];
        const uint32_t *members = s->cells->members + cell->first;
        bool tied = false;
        for (uint32_t i = 0; i < cell->count; i++)
            tied = tied || s->prints->tied[members[i]];
        if (!tied)
            continue;
        uint32_t *ordered = CNX_NEW_ARRAY(s->arena, uint32_t, cell->count);
        for (uint32_t i = 0; i < cell->count; i++)
            ordered[s->cells->rank_of[s->image[members[i]]]] = members[i];
        if (!ties_are_interchangeable(s, cell, ordered))
            return k;
    }
    return CNX_NONE;
}

/* ---- report ---- */

static const char *sorting_key(const sorter *s, uint32_t cell)
{
    const cnx_parameter *bias = s->prints->bias_of[cell];
    if (bias == NULL)
        return "fingerprint";
    return cnx_print(s->arena, "bias %s, descending%s", bias->name,
                     s->prints->used_print[cell] ? ", then fingerprint" : "");
}

/* The first parameter axis that shows a member of the cell. */
static const char *cell_name(const sorter *s, uint32_t cell)
{
    for (size_t p = 0; p < s->analysis->parameter_count; p++)
        for (uint32_t k = 0; k < s->analysis->parameters[p].tensor->rank; k++) {
            const cnx_labels *labels = cnx_parameter_labels(&s->analysis->parameters[p], k);
            for (uint32_t i = 0; labels != NULL && i < labels->sequence->count; i++)
                if (s->cells->cell_of[s->cells->class_of[labels->sequence->points[i]]] == cell)
                    return cnx_print(s->arena, "%s:%u", s->analysis->parameters[p].name, k);
        }
    return NULL;
}

/* One row a cell; cells inside equal blocks share one. */
static size_t report_cells(sorter *s)
{
    size_t changed = 0;
    for (uint32_t k = 0; k < s->cells->cell_count; k++) {
        const cnx_cell *cell = &s->cells->cells[k];
        const char *name = cell->count > 1 ? cell_name(s, k) : NULL;
        uint64_t moved = 0;
        for (uint32_t i = 0; i < cell->count; i++) {
            uint32_t member = s->cells->members[cell->first + i];
            moved += s->image[member] != member;
        }
        changed += moved;
        if (name != NULL)
            cnx_rewrite_class(s->rewrite, name, cell->count, moved, sorting_key(s, k));
    }
    return changed;
}

size_t cnx_pass_permutations(cnx_rewrite *rewrite)
{
    cnx_arena *arena = cnx_arena_create(rewrite->model->arena);
    sorter s = {.rewrite = rewrite, .arena = arena};
    s.analysis = cnx_analyze(arena, rewrite->model);
    s.cells = cnx_analysis_cells(s.analysis);
    s.prints = cnx_fingerprint(arena, s.analysis);
    s.image = CNX_NEW_ARRAY(arena, uint32_t, s.cells->class_count);
    s.points = CNX_NEW_ARRAY(arena, uint32_t, s.analysis->points->point_count);
    sort_cells(&s);
    uint32_t undecided = undecided_cell(&s);
    if (undecided != CNX_NONE) {
        const char *name = cell_name(&s, undecided);
        rewrite->model->not_canonical =
            cnx_print(rewrite->model->arena, "members of class %s look alike but cannot be exchanged",
                      name != NULL ? name : "without parameters");
        cnx_rewrite_note(rewrite, "not canonical: %s", rewrite->model->not_canonical);
    }
    size_t changed = report_cells(&s);
    cnx_carry_classes(s.cells, s.image);
    cnx_permute_points(s.cells, s.image, s.points);
    cnx_apply_permutation(s.analysis, s.points);
    cnx_arena_destroy(arena);
    return changed;
}
