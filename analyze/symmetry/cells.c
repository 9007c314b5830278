/* Cells by colour refinement.
 *
 * Two classes of points can be exchanged only if they occur in the same places: their copies are listed by
 * the same sequences, lie in blocks that can be exchanged, and contain points that can be exchanged. So:
 * colour every class by the multiset of (sequences, colours of blocks) over its copies, add the colours of
 * what lies in its blocks, and repeat until no colour splits. Pinned classes have colours of their own.
 * Colours are 64-bit hashes summed over copies, so that no order matters; a collision cannot lead to a false
 * claim, because verify.c checks the result. What fails is looked at more closely once (occurrences.c), and
 * pinned when it fails again.
 *
 * Then every class gets a *home*: the innermost block that can move and contains it. A class that occurs in
 * all the blocks of a cell at once has its home where those blocks have theirs (a direct product: the points
 * of a rotary table, shared by all heads). So have rows that lie in all columns, which lie in all rows. Other
 * blocks that cut across each other are pinned. Classes of one colour and one home are a cell. The group is a
 * product of symmetric groups of the cells without home, each member carrying the group of the cells inside
 * it: wreath products.
 *
 * Cost: a few passes over all positions, plus a sort of the classes.
 */
#include "analyze/symmetry/colours.h"

#include "analyze/analysis.h"
#include "analyze/symmetry/verify.h"
#include "base/keyed.h"
#include "base/mix.h"

#include <math.h>
#include <stdlib.h>

/* ---- classes and containment ---- */

static void number_classes(cnx_cells *cells, cnx_arena *arena)
{
    cnx_points *points = cells->points;
    size_t count = points->point_count;
    cells->class_of = CNX_NEW_ARRAY(arena, uint32_t, count);
    for (uint32_t p = 0; p < count; p++) {
        uint32_t root = cnx_point_class(points, p);
        cells->class_of[p] = root == p ? cells->class_count++ : cells->class_of[root]; /* root <= p */
    }
    cells->pinned = CNX_NEW_ARRAY(arena, uint32_t, cells->class_count);
    cells->copy_start = CNX_NEW_ARRAY(arena, uint32_t, (size_t)cells->class_count + 1);
    cells->copies = CNX_NEW_ARRAY(arena, uint32_t, count);
    for (uint32_t p = 0; p < count; p++) {
        cells->copy_start[cells->class_of[p] + 1]++;
        if (cnx_point_class(points, p) == p)
            cells->pinned[cells->class_of[p]] = points->pinned[p];
    }
    for (uint32_t c = 0; c < cells->class_count; c++)
        cells->copy_start[c + 1] += cells->copy_start[c];
    cnx_arena *scratch = cnx_arena_create(arena);
    uint32_t *next = CNX_NEW_ARRAY(scratch, uint32_t, cells->class_count);
    memcpy(next, cells->copy_start, cells->class_count * sizeof *next);
    for (uint32_t p = 0; p < count; p++)
        cells->copies[next[cells->class_of[p]]++] = p;
    cnx_arena_destroy(scratch);
}

static void list_twins(cnx_cells *cells, cnx_arena *arena)
{
    cells->twin_of = CNX_NEW_ARRAY(arena, uint32_t, cells->points->point_count);
    for (uint32_t p = 0; p < cells->points->point_count; p++)
        cells->twin_of[p] = cnx_point_twin(cells->points, p);
}

/* Numbers the sets of twins that lie in blocks, in place of the first twins; returns how many there are. All
 * other points get the next number. */
static uint32_t number_twins(cnx_cells *cells)
{
    const cnx_points *points = cells->points;
    cnx_arena *scratch = cnx_arena_create(points->arena);
    uint32_t *number = CNX_NEW_ARRAY(scratch, uint32_t, points->point_count);
    uint32_t count = 0;
    for (size_t r = 0; r < points->relation_count; r++) {
        const cnx_relation *relation = &points->relations[r];
        for (uint32_t i = 0; relation->kind == CNX_CONTAIN && i < relation->from->count; i++)
            number[cells->twin_of[relation->from->points[i]]] = 1;
    }
    for (size_t p = 0; p < points->point_count; p++)
        if (number[p] != 0)
            number[p] = ++count;
    for (size_t p = 0; p < points->point_count; p++) {
        uint32_t own = number[cells->twin_of[p]];
        cells->twin_of[p] = own != 0 ? own - 1 : count;
    }
    cnx_arena_destroy(scratch);
    return count;
}

/* Twins share their blocks: what contains one contains, in effect, all. */
static void list_parents(cnx_cells *cells, cnx_arena *arena)
{
    const cnx_points *points = cells->points;
    uint32_t twins = number_twins(cells);
    cells->parent_start = CNX_NEW_ARRAY(arena, uint32_t, (size_t)twins + 2);
    for (size_t r = 0; r < points->relation_count; r++) {
        const cnx_relation *relation = &points->relations[r];
        if (relation->kind != CNX_CONTAIN)
            continue;
        cells->parent_count += relation->from->count;
        for (uint32_t i = 0; i < relation->from->count; i++)
            cells->parent_start[cells->twin_of[relation->from->points[i]] + 1]++;
    }
    for (uint32_t t = 0; t <= twins; t++)
        cells->parent_start[t + 1] += cells->parent_start[t];
    cells->parent_point = CNX_NEW_ARRAY(arena, uint32_t, cells->parent_count);
    cells->parent_relation = CNX_NEW_ARRAY(arena, uint32_t, cells->parent_count);
    cnx_arena *scratch = cnx_arena_create(arena);
    uint32_t *next = CNX_NEW_ARRAY(scratch, uint32_t, (size_t)twins + 1);
    memcpy(next, cells->parent_start, (twins + 1u) * sizeof *next);
    for (size_t r = 0; r < points->relation_count; r++) {
        const cnx_relation *relation = &points->relations[r];
        for (uint32_t i = 0; relation->kind == CNX_CONTAIN && i < relation->from->count; i++) {
            uint32_t slot = next[cells->twin_of[relation->from->points[i]]]++;
            cells->parent_point[slot] =
                relation->to->points[i / (relation->middle * relation->inner) * relation->inner +
                                     i % relation->inner];
            cells->parent_relation[slot] = (uint32_t)r;
        }
    }
    cells->in_blocks = CNX_NEW_ARRAY(arena, bool, cells->class_count);
    for (size_t p = 0; p < points->point_count; p++)
        if (cells->twin_of[p] != twins)
            cells->in_blocks[cells->class_of[p]] = true;
    cnx_arena_destroy(scratch);
}

/* ---- cells ---- */

/* The classes that may move, by home, then colour, then number, keyed by their homes. */
static cnx_keyed *list_movable(const cnx_cells *cells, const cnx_colouring *colours, cnx_arena *scratch,
                               uint32_t *count)
{
    cnx_keyed *list = CNX_NEW_ARRAY(scratch, cnx_keyed, cells->class_count);
    *count = 0;
    for (uint32_t i = 0; i < cells->class_count; i++) {
        uint32_t class = colours->sorted[i];
        if (cells->pinned[class] == CNX_NONE)
            list[(*count)++] = (cnx_keyed){cells->home[class], class};
    }
    cnx_sort_keyed(scratch, list, *count);
    return list;
}

/* Groups classes by home and colour; cells are numbered in the order of their first members. */
static void group_cells(cnx_cells *cells, const cnx_colouring *colours, cnx_arena *arena)
{
    cnx_arena *scratch = cnx_arena_create(arena);
    uint32_t count, cell_count = 0;
    const cnx_keyed *list = list_movable(cells, colours, scratch, &count);
    cnx_keyed *starts = CNX_NEW_ARRAY(scratch, cnx_keyed, count);
    bool *begins = CNX_NEW_ARRAY(scratch, bool, (size_t)count + 1);
    for (uint32_t i = 0; i <= count; i++) {
        begins[i] = i == 0 || i == count || list[i].key != list[i - 1].key ||
                    colours->colour[list[i].item] != colours->colour[list[i - 1].item];
        if (begins[i] && i != count)
            starts[cell_count++] = (cnx_keyed){list[i].item, i};
    }
    cnx_sort_keyed(scratch, starts, cell_count);
    cells->cell_count = cell_count;
    cells->cells = CNX_NEW_ARRAY(arena, cnx_cell, cell_count);
    cells->members = CNX_NEW_ARRAY(arena, uint32_t, count);
    cells->cell_of = CNX_NEW_ARRAY(arena, uint32_t, cells->class_count);
    cells->rank_of = CNX_NEW_ARRAY(arena, uint32_t, cells->class_count);
    for (uint32_t c = 0; c < cells->class_count; c++)
        cells->cell_of[c] = CNX_NONE;
    uint32_t next = 0;
    for (uint32_t k = 0; k < cell_count; k++) {
        const cnx_keyed *from = &list[starts[k].item];
        uint32_t first = next;
        do {
            uint32_t class = list[starts[k].item + (next - first)].item;
            cells->rank_of[class] = next - first;
            cells->members[next++] = class;
            cells->cell_of[class] = k;
        } while (!begins[starts[k].item + (next - first)]);
        cells->cells[k] = (cnx_cell){.first = first,
                                     .count = next - first,
                                     .home = (uint32_t)from->key,
                                     .colour = colours->colour[from->item]};
    }
    cnx_arena_destroy(scratch);
}

/* Cells inside each block, by class of the block, in the order of their colours: equal blocks then list equal
 * cells at equal places. Insertion sort: a block holds a handful of cells. */
static void list_children(cnx_cells *cells, cnx_arena *arena)
{
    cells->child_start = CNX_NEW_ARRAY(arena, uint32_t, (size_t)cells->class_count + 1);
    cells->child_cells = CNX_NEW_ARRAY(arena, uint32_t, cells->cell_count);
    for (uint32_t k = 0; k < cells->cell_count; k++)
        if (cells->cells[k].home != CNX_NONE)
            cells->child_start[cells->cells[k].home + 1]++;
    for (uint32_t c = 0; c < cells->class_count; c++)
        cells->child_start[c + 1] += cells->child_start[c];
    cnx_arena *scratch = cnx_arena_create(arena);
    uint32_t *filled = CNX_NEW_ARRAY(scratch, uint32_t, cells->class_count);
    for (uint32_t k = 0; k < cells->cell_count; k++) {
        uint32_t home = cells->cells[k].home;
        if (home == CNX_NONE)
            continue;
        uint32_t *list = cells->child_cells + cells->child_start[home];
        uint32_t at = filled[home]++;
        for (; at > 0 && cells->cells[list[at - 1]].colour > cells->cells[k].colour; at--)
            list[at] = list[at - 1];
        list[at] = k;
    }
    cnx_arena_destroy(scratch);
}

static bool in_one_circle(const cnx_cells *cells, uint32_t class, uint32_t block)
{
    return cells->circle != NULL && cells->circle[class] != 0 && cells->circle[class] == cells->circle[block];
}

/* Depth of homes, and phases: a cell comes after every cell of blocks that contain copies of its members.
 * Rows and columns of a grid are checked in one phase, but not at once, because they meet. */
static bool number_phases(cnx_cells *cells, cnx_arena *arena)
{
    cells->depth = CNX_NEW_ARRAY(arena, uint32_t, cells->class_count);
    for (uint32_t c = 0; c < cells->class_count; c++)
        cells->depth[c] = cnx_count_homes(cells, c);
    bool changed = true;
    for (uint32_t round = 0; changed && round < 64; round++) {
        changed = false;
        for (uint32_t p = 0; p < cells->points->point_count; p++)
            for (uint32_t t = cells->twin_of[p], e = cells->parent_start[t]; e < cells->parent_start[t + 1];
                 e++) {
                uint32_t class = cells->class_of[p], block = cells->class_of[cells->parent_point[e]];
                uint32_t inner = cells->cell_of[class], outer = cells->cell_of[block];
                if (class == block || inner == CNX_NONE || outer == CNX_NONE ||
                    in_one_circle(cells, class, block) || cells->cells[outer].count < 2 ||
                    cells->cells[inner].phase > cells->cells[outer].phase)
                    continue;
                cells->cells[inner].phase = cells->cells[outer].phase + 1;
                changed = true;
            }
    }
    for (uint32_t k = 0; k < cells->cell_count; k++)
        if (cells->cells[k].phase + 1 > cells->phase_count)
            cells->phase_count = cells->cells[k].phase + 1;
    return !changed;
}

/* ---- all together ---- */

double cnx_cell_log10_order(const cnx_cells *cells, uint32_t cell)
{
    const cnx_cell *c = &cells->cells[cell];
    uint32_t block = cells->members[c->first];
    double inside = 0;
    for (uint32_t k = cells->child_start[block]; k < cells->child_start[block + 1]; k++)
        inside += cnx_cell_log10_order(cells, cells->child_cells[k]);
    return c->count * inside + lgamma((double)c->count + 1) / log(10.0);
}

static int compare_numbers(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Marks the classes of the guilty cells, and of those that play the same part in other blocks: blocks that
 * are alike stay alike, and nothing hangs on numbers. */
static bool *find_guilty_classes(const cnx_cells *cells, cnx_arena *scratch, const bool *guilty)
{
    uint64_t *colours = CNX_NEW_ARRAY(scratch, uint64_t, cells->cell_count);
    bool *result = CNX_NEW_ARRAY(scratch, bool, cells->class_count);
    size_t count = 0;
    for (uint32_t k = 0; k < cells->cell_count; k++)
        if (guilty[k])
            colours[count++] = cells->cells[k].colour;
    qsort(colours, count, sizeof *colours, compare_numbers);
    for (uint32_t k = 0; k < cells->cell_count; k++) {
        const cnx_cell *cell = &cells->cells[k];
        bool found = bsearch(&cell->colour, colours, count, sizeof *colours, compare_numbers) != NULL;
        for (uint32_t i = 0; i < cell->count && found; i++)
            result[cells->members[cell->first + i]] = true;
    }
    return result;
}

/* Looks more closely at what failed the exact check, and pins it if that was done before. */
static void answer_failure(cnx_cells *cells, const bool *guilty)
{
    cnx_arena *scratch = cnx_arena_create(cells->points->arena);
    bool *chosen = find_guilty_classes(cells, scratch, guilty);
    uint32_t reason = cnx_reason(cells->points, "exact check failed: copies do not move in step", NULL, NULL);
    bool first = false;
    if (cells->looked_at == NULL)
        cells->looked_at = CNX_NEW_ARRAY(cells->points->arena, bool, cells->class_count);
    for (uint32_t c = 0; c < cells->class_count; c++)
        first = first || (chosen[c] && !cells->looked_at[c]);
    if (first) {
        cnx_look_closer(cells, chosen);
        cnx_sort_copies(cells);
    }
    for (uint32_t c = 0; c < cells->class_count; c++) {
        if (chosen[c] && !first) {
            cells->pinned[c] = reason;
            cells->irregular++;
        }
        cells->looked_at[c] = cells->looked_at[c] || chosen[c];
    }
    cnx_arena_destroy(scratch);
}

static void pin_everything(cnx_cells *cells)
{
    uint32_t reason = cnx_reason(cells->points, "symmetry too irregular to describe", NULL, NULL);
    for (uint32_t c = 0; c < cells->class_count; c++)
        if (cells->pinned[c] == CNX_NONE) {
            cells->pinned[c] = reason;
            cells->irregular++;
        }
}

/* Colours, homes and cells; false when a class had to be pinned. */
static bool build_cells(cnx_cells *cells, cnx_arena *arena)
{
    cnx_arena *scratch = cnx_arena_create(arena);
    cnx_colouring colours = {.colour = CNX_NEW_ARRAY(scratch, uint64_t, cells->class_count),
                             .next = CNX_NEW_ARRAY(scratch, uint64_t, cells->class_count),
                             .outside = CNX_NEW_ARRAY(scratch, uint64_t, cells->class_count),
                             .sorted = CNX_NEW_ARRAY(scratch, uint32_t, cells->class_count)};
    cnx_refine_colours(cells, scratch, &colours);
    bool complete = cnx_find_homes(cells, &colours);
    if (complete)
        group_cells(cells, &colours, arena);
    cnx_arena_destroy(scratch);
    return complete;
}

/* One attempt; false when something was pinned on the way. */
static bool build(cnx_cells *cells, cnx_arena *arena)
{
    if (!build_cells(cells, arena))
        return false;
    list_children(cells, arena);
    if (!number_phases(cells, arena)) {
        pin_everything(cells);
        return false;
    }
    bool *guilty = CNX_NEW_ARRAY(arena, bool, cells->cell_count);
    bool good = cnx_verify_cells(cells, guilty);
    if (!good)
        answer_failure(cells, guilty);
    return good;
}

cnx_cells *cnx_find_cells(cnx_arena *arena, cnx_points *points)
{
    cnx_cells *cells = CNX_NEW(arena, cnx_cells);
    cells->points = points;
    cnx_points_close(points);
    number_classes(cells, arena);
    list_twins(cells, arena);
    cnx_points_freeze(points); /* before anything else is allocated: the forests are much of all memory */
    cnx_hash_occurrences(cells, arena);
    list_parents(cells, arena);
    cnx_sort_copies(cells);
    cells->home = CNX_NEW_ARRAY(arena, uint32_t, cells->class_count);
    for (unsigned attempt = 0; !build(cells, arena); attempt++)
        if (attempt == 200)
            pin_everything(cells);
    return cells;
}

const cnx_cells *cnx_analysis_cells(cnx_analysis *analysis)
{
    if (analysis->cells == NULL)
        analysis->cells = cnx_find_cells(analysis->arena, analysis->points);
    return analysis->cells;
}

const cnx_labels *cnx_parameter_labels(const cnx_parameter *parameter, uint32_t axis)
{
    const cnx_axis *a = &parameter->axes[axis];
    if (a->kind != CNX_AXIS_LABELS)
        return NULL;
    return a->labels->finer != NULL ? a->labels->finer : a->labels;
}
