/* Cells by colour refinement.
 *
 * Two classes of points can be exchanged only if they occur in the same places: their copies are listed by
 * the same sequences, lie in blocks that can be exchanged, and contain points that can be exchanged. So:
 * colour every class by the multiset of (sequences, colours of blocks) over its copies, add the colours of
 * what lies in its blocks, and repeat until no colour splits. Pinned classes have colours of their own.
 * Colours are 64-bit hashes summed over copies, so that no order matters; a collision cannot lead to a false
 * claim, because verify.c checks the result.
 *
 * Then every class gets a *home*: the innermost block that can move and contains it. A class that occurs in
 * all the blocks of a cell at once has its home where those blocks have theirs (a direct product: the points
 * of a rotary table, shared by all heads). Blocks that cut across each other are pinned, and so is a class
 * that ends up in a circle of blocks. Classes of one colour and one home are a cell. The group is a product
 * of symmetric groups of the cells without home, each member carrying the group of the cells inside it:
 * wreath products.
 *
 * Cost: a few passes over all positions, plus a sort of the classes.
 */
#include "analyze/symmetry/cells.h"

#include "analyze/symmetry/verify.h"
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

static void hash_occurrences(cnx_cells *cells, cnx_arena *arena)
{
    const cnx_points *points = cells->points;
    uint64_t *own = CNX_NEW_ARRAY(arena, uint64_t, points->point_count);
    cnx_arena *scratch = cnx_arena_create(arena);
    uint64_t *of_twins = CNX_NEW_ARRAY(scratch, uint64_t, points->point_count);
    for (size_t s = 0; s < points->sequence_count; s++) {
        uint64_t hash = cnx_mix(s + 1);
        for (uint32_t i = 0; i < points->sequences[s]->count; i++)
            own[points->sequences[s]->points[i]] += hash;
    }
    for (uint32_t p = 0; p < points->point_count; p++)
        of_twins[cells->twin_of[p]] += cnx_mix(own[p]);
    for (uint32_t p = 0; p < points->point_count; p++)
        own[p] = cnx_mix_pair(own[p], of_twins[cells->twin_of[p]]);
    cells->occurrence = own;
    cnx_arena_destroy(scratch);
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
    cnx_arena_destroy(scratch);
}

/* ---- colours ---- */

typedef struct colouring {
    uint64_t *colour; /* by class */
    uint64_t *next;
    uint32_t *sorted; /* classes by colour, then number */
    size_t distinct;
} colouring;

static int compare_colours(const void *a, const void *b, void *context)
{
    const uint64_t *colour = context;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    if (colour[x] != colour[y])
        return colour[x] < colour[y] ? -1 : 1;
    return (x > y) - (x < y);
}

static size_t count_distinct(colouring *c, uint32_t class_count)
{
    if (class_count == 0)
        return 0;
    for (uint32_t i = 0; i < class_count; i++)
        c->sorted[i] = i;
    qsort_r(c->sorted, class_count, sizeof *c->sorted, compare_colours, c->colour);
    size_t distinct = 1;
    for (uint32_t i = 1; i < class_count; i++)
        distinct += c->colour[c->sorted[i]] != c->colour[c->sorted[i - 1]];
    return distinct;
}

/* Where the classes of this colour begin in `sorted`. */
static size_t first_of_colour(const colouring *c, uint32_t class_count, uint64_t colour)
{
    size_t low = 0, high = class_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (c->colour[c->sorted[middle]] < colour)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_alone(const colouring *c, uint32_t class_count, uint64_t colour)
{
    size_t first = first_of_colour(c, class_count, colour);
    return first + 1 >= class_count || c->colour[c->sorted[first + 1]] != colour;
}

static void first_colours(const cnx_cells *cells, colouring *c)
{
    for (uint32_t k = 0; k < cells->class_count; k++) {
        uint64_t sum = 0;
        for (uint32_t i = cells->copy_start[k]; i < cells->copy_start[k + 1]; i++)
            sum += cnx_mix(cells->occurrence[cells->copies[i]]);
        c->colour[k] = cells->pinned[k] != CNX_NONE ? cnx_mix_pair(UINT64_C(0x70696e), k) : cnx_mix(sum);
    }
}

/* Adds what blocks a class lies in and what lies in its blocks. */
static void refine_once(const cnx_cells *cells, colouring *c)
{
    for (uint32_t k = 0; k < cells->class_count; k++) {
        uint64_t sum = 0;
        for (uint32_t i = cells->copy_start[k]; i < cells->copy_start[k + 1]; i++) {
            uint32_t p = cells->copies[i];
            uint64_t key = cells->occurrence[p];
            for (uint32_t t = cells->twin_of[p], e = cells->parent_start[t]; e < cells->parent_start[t + 1];
                 e++)
                key += cnx_mix_pair(cells->parent_relation[e],
                                    c->colour[cells->class_of[cells->parent_point[e]]]);
            sum += cnx_mix(key);
        }
        c->next[k] = cnx_mix_pair(c->colour[k], sum);
    }
    for (uint32_t p = 0; p < cells->points->point_count; p++)
        for (uint32_t t = cells->twin_of[p], e = cells->parent_start[t]; e < cells->parent_start[t + 1]; e++)
            c->next[cells->class_of[cells->parent_point[e]]] += cnx_mix_pair(
                cnx_mix_pair(cells->parent_relation[e], cells->occurrence[p]), c->colour[cells->class_of[p]]);
    uint64_t *swap = c->colour;
    c->colour = c->next;
    c->next = swap;
}

/* Whether some block could move: only then can colours travel from blocks to what is inside and back. */
static bool has_movable_blocks(const cnx_cells *cells)
{
    for (uint32_t e = 0; e < cells->parent_count; e++)
        if (cells->pinned[cells->class_of[cells->parent_point[e]]] == CNX_NONE)
            return true;
    return false;
}

static void refine(const cnx_cells *cells, colouring *c)
{
    first_colours(cells, c);
    if (cells->parent_count != 0)
        refine_once(cells, c);
    c->distinct = count_distinct(c, cells->class_count);
    for (bool stable = !has_movable_blocks(cells); !stable;) {
        refine_once(cells, c);
        size_t distinct = count_distinct(c, cells->class_count);
        stable = distinct <= c->distinct;
        c->distinct = distinct;
    }
}

/* ---- homes ---- */

typedef struct home_search {
    cnx_cells *cells;
    colouring *colours;
    uint8_t *state; /* by class: 0 unknown, 1 being found, 2 found */
    uint32_t *seen; /* by class: stamp of the last search that met it */
    uint32_t stamp;
    uint32_t irregular; /* reason */
    bool pinned_any;
    bool *crossed; /* by class: blocks that something lies in along with other blocks, in another way */
    cnx_arena *scratch;
} home_search;

static void find_home(home_search *s, uint32_t class, unsigned depth);

static bool is_inside(const cnx_cells *cells, uint32_t class, uint32_t block)
{
    for (uint32_t h = cells->home[class]; h != CNX_NONE; h = cells->home[h])
        if (h == block)
            return true;
    return false;
}

/* Collects the distinct movable blocks that hold a copy of the class. */
static uint32_t movable_parents(home_search *s, uint32_t class, uint32_t **parents)
{
    cnx_cells *cells = s->cells;
    size_t count = 0, capacity = 0;
    uint32_t *found = NULL;
    s->stamp++;
    for (uint32_t i = cells->copy_start[class]; i < cells->copy_start[class + 1]; i++) {
        uint32_t p = cells->copies[i];
        for (uint32_t t = cells->twin_of[p], e = cells->parent_start[t]; e < cells->parent_start[t + 1];
             e++) {
            uint32_t block = cells->class_of[cells->parent_point[e]];
            if (s->seen[block] == s->stamp || cells->pinned[block] != CNX_NONE || block == class ||
                is_alone(s->colours, cells->class_count, s->colours->colour[block]))
                continue;
            s->seen[block] = s->stamp;
            CNX_PUSH(s->scratch, found, count, capacity, block);
        }
    }
    *parents = found;
    return (uint32_t)count;
}

static void pin_class(home_search *s, uint32_t class)
{
    s->cells->pinned[class] = s->irregular;
    s->pinned_any = true;
}

/* How many classes have the colour and the home of this one. */
static uint32_t count_siblings(home_search *s, uint32_t class)
{
    const cnx_cells *cells = s->cells;
    uint64_t colour = s->colours->colour[class];
    uint32_t siblings = 0;
    for (size_t i = first_of_colour(s->colours, cells->class_count, colour);
         i < cells->class_count && s->colours->colour[s->colours->sorted[i]] == colour; i++) {
        find_home(s, s->colours->sorted[i], 1);
        siblings += cells->home[s->colours->sorted[i]] == cells->home[class];
    }
    return siblings;
}

/* If all siblings of blocks[k] are in the list, replaces them by their home: what lies in all of them at once
 * is not told apart by them. */
static bool replace_family(home_search *s, uint32_t *blocks, uint32_t *count, uint32_t k)
{
    const cnx_cells *cells = s->cells;
    uint64_t colour = s->colours->colour[blocks[k]];
    uint32_t home = cells->home[blocks[k]], present = 0, kept = 0;
    bool home_listed = home == CNX_NONE;
    for (uint32_t j = 0; j < *count; j++) {
        present += s->colours->colour[blocks[j]] == colour && cells->home[blocks[j]] == home;
        home_listed = home_listed || blocks[j] == home;
    }
    if (present != count_siblings(s, blocks[k]))
        return false;
    for (uint32_t j = 0; j < *count; j++)
        if (s->colours->colour[blocks[j]] != colour || cells->home[blocks[j]] != home)
            blocks[kept++] = blocks[j];
    if (!home_listed)
        blocks[kept++] = home;
    *count = kept;
    return true;
}

static uint32_t depth_of(const cnx_cells *cells, uint32_t class)
{
    uint32_t depth = 0;
    for (uint32_t h = cells->home[class]; h != CNX_NONE; h = cells->home[h])
        depth++;
    return depth;
}

/* The lowest common ancestor of the blocks, as far as they can move: families that are complete give way to
 * their homes; blocks around other blocks of the list say nothing new. One block left is the home, none means
 * none. */
static void choose_home(home_search *s, uint32_t class, uint32_t *blocks, uint32_t count)
{
    cnx_cells *cells = s->cells;
    uint32_t deepest = 0;
    for (uint32_t k = 0; k < count; k++)
        deepest = depth_of(cells, blocks[k]) > deepest ? depth_of(cells, blocks[k]) : deepest;
    for (uint32_t depth = deepest + 1; depth-- > 0;) /* inner families first: they may complete outer ones */
        for (uint32_t k = 0; k < count;)
            k = depth_of(cells, blocks[k]) == depth && replace_family(s, blocks, &count, k) ? 0 : k + 1;
    uint32_t kept = 0, innermost = CNX_NONE;
    for (uint32_t k = 0; k < count; k++) {
        bool holds_another = false;
        for (uint32_t j = 0; j < count && !holds_another; j++)
            holds_another = j != k && is_inside(cells, blocks[j], blocks[k]);
        if (!holds_another) {
            innermost = blocks[k];
            kept++;
        }
    }
    for (uint32_t k = 0; kept > 1 && k < count; k++)
        s->crossed[blocks[k]] = true;
    if (kept <= 1 && cells->pinned[class] == CNX_NONE) /* else it was met again on the way: homes would go in
                                                          a circle */
        cells->home[class] = innermost;
}

/* Blocks that cut across each other cannot move, nor what they cut; the pieces stay, and what is in a piece
 * may be permuted. All of them at once: blocks that are alike stay alike. */
static void pin_crossed(home_search *s)
{
    for (uint32_t c = 0; c < s->cells->class_count; c++)
        if (s->crossed[c])
            pin_class(s, c);
}

static void find_home(home_search *s, uint32_t class, unsigned depth)
{
    cnx_cells *cells = s->cells;
    if (s->state[class] == 2)
        return;
    if (s->state[class] == 1 || depth > 64) { /* blocks that contain each other */
        pin_class(s, class);
        s->state[class] = 2;
        return;
    }
    s->state[class] = 1;
    cells->home[class] = CNX_NONE;
    if (cells->pinned[class] == CNX_NONE) {
        uint32_t *parents;
        uint32_t count = movable_parents(s, class, &parents);
        for (uint32_t k = 0; k < count; k++)
            find_home(s, parents[k], depth + 1);
        if (count > 0 && cells->pinned[class] == CNX_NONE)
            choose_home(s, class, parents, count);
    }
    s->state[class] = 2;
}

/* Finds all homes; false when something had to be pinned and colours are stale. */
static bool find_homes(cnx_cells *cells, colouring *colours)
{
    cnx_arena *scratch = cnx_arena_create(cells->points->arena);
    home_search s = {.cells = cells, .colours = colours, .scratch = scratch};
    s.irregular = cnx_reason(cells->points, "cuts across other blocks", NULL, NULL);
    s.state = CNX_NEW_ARRAY(scratch, uint8_t, cells->class_count);
    s.seen = CNX_NEW_ARRAY(scratch, uint32_t, cells->class_count);
    s.crossed = CNX_NEW_ARRAY(scratch, bool, cells->class_count);
    for (uint32_t c = 0; c < cells->class_count; c++)
        find_home(&s, c, 0);
    pin_crossed(&s);
    bool complete = !s.pinned_any;
    cnx_arena_destroy(scratch);
    return complete;
}

/* ---- cells ---- */

typedef struct sort_entry {
    uint64_t colour;
    uint32_t home;
    uint32_t class;
} sort_entry;

static int compare_entries(const void *a, const void *b)
{
    const sort_entry *x = a, *y = b;
    if (x->home != y->home)
        return x->home < y->home ? -1 : 1;
    if (x->colour != y->colour)
        return x->colour < y->colour ? -1 : 1;
    return (x->class > y->class) - (x->class < y->class);
}

static int compare_cells(const void *a, const void *b)
{
    const sort_entry *x = a, *y = b;
    return (x->class > y->class) - (x->class < y->class);
}

/* Groups classes by home and colour; cells are numbered in the order of their first members. */
static void group_cells(cnx_cells *cells, const colouring *colours, cnx_arena *arena)
{
    cnx_arena *scratch = cnx_arena_create(arena);
    sort_entry *entries = CNX_NEW_ARRAY(scratch, sort_entry, cells->class_count);
    sort_entry *starts = CNX_NEW_ARRAY(scratch, sort_entry, cells->class_count);
    uint32_t count = 0, cell_count = 0;
    for (uint32_t c = 0; c < cells->class_count; c++)
        if (cells->pinned[c] == CNX_NONE)
            entries[count++] = (sort_entry){colours->colour[c], cells->home[c], c};
    qsort(entries, count, sizeof *entries, compare_entries);
    for (uint32_t i = 0; i < count; i++)
        if (i == 0 || entries[i].home != entries[i - 1].home || entries[i].colour != entries[i - 1].colour)
            starts[cell_count++] = (sort_entry){.colour = i, .class = entries[i].class};
    qsort(starts, cell_count, sizeof *starts, compare_cells);
    cells->cell_count = cell_count;
    cells->cells = CNX_NEW_ARRAY(arena, cnx_cell, cell_count);
    cells->members = CNX_NEW_ARRAY(arena, uint32_t, count);
    cells->cell_of = CNX_NEW_ARRAY(arena, uint32_t, cells->class_count);
    cells->rank_of = CNX_NEW_ARRAY(arena, uint32_t, cells->class_count);
    for (uint32_t c = 0; c < cells->class_count; c++)
        cells->cell_of[c] = CNX_NONE;
    uint32_t next = 0;
    for (uint32_t k = 0; k < cell_count; k++) {
        uint32_t from = (uint32_t)starts[k].colour;
        cells->cells[k] =
            (cnx_cell){.first = next, .home = entries[from].home, .colour = entries[from].colour};
        for (uint32_t i = from;
             i < count && entries[i].home == entries[from].home && entries[i].colour == entries[from].colour;
             i++) {
            cells->rank_of[entries[i].class] = next - cells->cells[k].first;
            cells->members[next++] = entries[i].class;
            cells->cell_of[entries[i].class] = k;
        }
        cells->cells[k].count = next - cells->cells[k].first;
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

/* Depth of homes, and phases: a cell comes after every cell of blocks that contain copies of its members. */
static bool number_phases(cnx_cells *cells, cnx_arena *arena)
{
    cells->depth = CNX_NEW_ARRAY(arena, uint32_t, cells->class_count);
    for (uint32_t c = 0; c < cells->class_count; c++)
        cells->depth[c] = depth_of(cells, c);
    bool changed = true;
    for (uint32_t round = 0; changed && round < 64; round++) {
        changed = false;
        for (uint32_t p = 0; p < cells->points->point_count; p++)
            for (uint32_t t = cells->twin_of[p], e = cells->parent_start[t]; e < cells->parent_start[t + 1];
                 e++) {
                uint32_t class = cells->class_of[p], block = cells->class_of[cells->parent_point[e]];
                uint32_t inner = cells->cell_of[class], outer = cells->cell_of[block];
                if (class == block || inner == CNX_NONE || outer == CNX_NONE ||
                    cells->cells[outer].count < 2 || cells->cells[inner].phase > cells->cells[outer].phase)
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

static void pin_cells(cnx_cells *cells, const bool *guilty)
{
    uint32_t reason = cnx_reason(cells->points, "exact check failed: copies do not move in step", NULL, NULL);
    for (uint32_t k = 0; k < cells->cell_count; k++)
        for (uint32_t i = 0; i < cells->cells[k].count && guilty[k]; i++)
            cells->pinned[cells->members[cells->cells[k].first + i]] = reason;
}

static void pin_everything(cnx_cells *cells)
{
    uint32_t reason = cnx_reason(cells->points, "symmetry too irregular to describe", NULL, NULL);
    for (uint32_t c = 0; c < cells->class_count; c++)
        if (cells->pinned[c] == CNX_NONE)
            cells->pinned[c] = reason;
}

/* Colours, homes and cells; false when a class had to be pinned. */
static bool build_cells(cnx_cells *cells, cnx_arena *arena)
{
    cnx_arena *scratch = cnx_arena_create(arena);
    colouring colours = {.colour = CNX_NEW_ARRAY(scratch, uint64_t, cells->class_count),
                         .next = CNX_NEW_ARRAY(scratch, uint64_t, cells->class_count),
                         .sorted = CNX_NEW_ARRAY(scratch, uint32_t, cells->class_count)};
    refine(cells, &colours);
    bool complete = find_homes(cells, &colours);
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
        pin_cells(cells, guilty);
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
    hash_occurrences(cells, arena);
    list_parents(cells, arena);
    cnx_sort_copies(cells);
    cells->home = CNX_NEW_ARRAY(arena, uint32_t, cells->class_count);
    for (unsigned attempt = 0; !build(cells, arena); attempt++)
        if (attempt == 100)
            pin_everything(cells);
    return cells;
}
