/* Units: tied members that can be exchanged on their own.
 *
 * When exchanging a and b changes no byte, and exchanging b and c does not either, every order of a, b and c
 * is as good as any other, whatever the order of everything else. So such members never have to be told
 * apart, and the search (search.c) moves them together. Duplicate neurons, dead units and layers full of
 * zeros are all units: one comparison a member settles them, of the slices that show it only.
 *
 * For a block the exchange carries what is inside it, in the order of the prints. That order has to be
 * canonical, or it would depend on the file whether the blocks make a unit. So inner cells come first, and a
 * block with ties inside stays alone. */
#include "proto/limits.h"
#include "rewrite/ordering/fingerprint_internal.h"
#include "rewrite/ordering/sort.h"
#include "rewrite/ordering/ties.h"

typedef struct unit_search {
    cnx_prints *prints;
    cnx_weights_check *check;
    cnx_arena *arena;
    bool *holds;      /* by class: it is a block that holds some point */
    uint32_t *order;  /* of the cell at hand, sorted */
    uint32_t *first;  /* units of the run at hand, by the first member met */
    uint32_t *image;  /* by class: an exchange of blocks */
    uint32_t *points; /* by point: an exchange; the identity between two uses */
    uint32_t *moved;  /* points that the exchange moves */
    size_t moved_count;
    bool given_up; /* the limit is reached */
} unit_search;

/* ---- exchanges ---- */

static void move_point(unit_search *s, uint32_t point, uint32_t to)
{
    s->points[point] = to;
    s->moved[s->moved_count++] = point;
}

static void forget_exchange(unit_search *s)
{
    while (s->moved_count != 0) {
        uint32_t point = s->moved[--s->moved_count];
        s->points[point] = point;
    }
}

/* Classes that are no blocks: their copies, listed alike (cnx_sort_copies), change places. */
static void exchange_classes(unit_search *s, uint32_t a, uint32_t b)
{
    const cnx_cells *cells = s->prints->cells;
    uint32_t count = cells->copy_start[a + 1] - cells->copy_start[a];
    for (uint32_t i = 0; i < count; i++) {
        uint32_t x = cells->copies[cells->copy_start[a] + i], y = cells->copies[cells->copy_start[b] + i];
        move_point(s, x, y);
        move_point(s, y, x);
    }
}

/* Chooses, for everything inside block `a`, the place inside `a` that will be carried to the place in block
 * `b` whose occupant has the same rank by print. */
static void align_insides(unit_search *s, uint32_t a, uint32_t b)
{
    const cnx_cells *cells = s->prints->cells;
    for (uint32_t i = 0; i < cells->child_start[a + 1] - cells->child_start[a]; i++) {
        uint32_t from = cells->child_cells[cells->child_start[a] + i];
        uint32_t to = cells->child_cells[cells->child_start[b] + i];
        uint32_t count = cells->cells[from].count;
        cnx_arena *scratch = cnx_arena_create(s->arena);
        uint32_t *ours = CNX_NEW_ARRAY(scratch, uint32_t, count);
        uint32_t *theirs = CNX_NEW_ARRAY(scratch, uint32_t, cells->cells[to].count);
        cnx_sort_members(s->prints, from, ours);
        cnx_sort_members(s->prints, to, theirs);
        for (uint32_t k = 0; k < count; k++) {
            s->image[ours[k]] = cells->members[cells->cells[from].first + cells->rank_of[theirs[k]]];
            align_insides(s, ours[k], theirs[k]);
        }
        cnx_arena_destroy(scratch);
    }
}

static void exchange_blocks(unit_search *s, uint32_t a, uint32_t b)
{
    const cnx_cells *cells = s->prints->cells;
    size_t count = cells->points->point_count;
    for (uint32_t c = 0; c < cells->class_count; c++)
        s->image[c] = c;
    s->image[a] = b;
    s->image[b] = a;
    align_insides(s, a, b);
    align_insides(s, b, a);
    cnx_carry_classes(cells, s->image);
    cnx_permute_points(cells, s->image, s->points);
    for (uint32_t p = 0; p < count; p++)
        if (s->points[p] != p)
            s->moved[s->moved_count++] = p;
}

static bool are_interchangeable(unit_search *s, uint32_t a, uint32_t b)
{
    if (s->holds[a])
        exchange_blocks(s, a, b);
    else
        exchange_classes(s, a, b);
    s->given_up = s->given_up || cnx_weights_compared(s->check) > CNX_LIMIT_TIE_READING * CNX_MEBIBYTE;
    bool same = cnx_keeps_weights(s->check, s->moved, s->moved_count, s->points);
    forget_exchange(s);
    return same;
}

/* ---- cells ---- */

static bool has_ties_inside(const cnx_prints *prints, uint32_t block)
{
    const cnx_cells *cells = prints->cells;
    for (uint32_t i = cells->child_start[block]; i < cells->child_start[block + 1]; i++) {
        const cnx_cell *inner = &cells->cells[cells->child_cells[i]];
        for (uint32_t k = 0; k < inner->count; k++) {
            uint32_t member = cells->members[inner->first + k];
            if (prints->tied[member] || has_ties_inside(prints, member))
                return true;
        }
    }
    return false;
}

/* Members order[0 .. count) look alike: each joins the first unit it can be exchanged with. */
static void find_units_of_run(unit_search *s, const uint32_t *order, uint32_t count)
{
    uint32_t units = 0;
    for (uint32_t i = 0; i < count && !s->given_up; i++) {
        uint32_t k = has_ties_inside(s->prints, order[i]) ? units : 0;
        while (k < units && !are_interchangeable(s, s->first[k], order[i]))
            k++;
        if (k == units)
            s->first[units++] = order[i];
        s->prints->unit[order[i]] = s->first[k];
    }
}

static void find_units_of_cell(unit_search *s, uint32_t cell)
{
    cnx_prints *prints = s->prints;
    uint32_t count = prints->cells->cells[cell].count;
    cnx_sort_members(prints, cell, s->order);
    for (uint32_t i = 0, end; i < count; i = end) {
        end = i + 1;
        while (end < count && cnx_compare_prints(prints, s->order[i], s->order[end]) == 0)
            end++;
        if (end - i > 1)
            find_units_of_run(s, s->order + i, end - i);
    }
    cnx_set_stale(prints, cell);
    cnx_mark_ties(prints);
    cnx_weights_release(s->check);
}

static bool is_tied(const cnx_prints *prints, uint32_t cell)
{
    const cnx_cell *c = &prints->cells->cells[cell];
    for (uint32_t i = 0; i < c->count; i++)
        if (prints->tied[prints->cells->members[c->first + i]])
            return true;
    return false;
}

uint32_t cnx_find_units(cnx_prints *prints, cnx_weights_check *check)
{
    const cnx_cells *cells = prints->cells;
    cnx_arena *scratch = cnx_arena_create(prints->arena);
    unit_search s = {.prints = prints, .check = check, .arena = scratch};
    size_t point_count = cells->points->point_count;
    uint32_t deepest = 0, gave_up_at = CNX_NONE;
    s.holds = CNX_NEW_ARRAY(scratch, bool, cells->class_count);
    s.order = CNX_NEW_ARRAY(scratch, uint32_t, cells->class_count);
    s.first = CNX_NEW_ARRAY(scratch, uint32_t, cells->class_count);
    s.image = CNX_NEW_ARRAY(scratch, uint32_t, cells->class_count);
    s.points = CNX_NEW_ARRAY(scratch, uint32_t, point_count);
    s.moved = CNX_NEW_ARRAY(scratch, uint32_t, point_count);
    for (uint32_t p = 0; p < point_count; p++)
        s.points[p] = p;
    for (uint32_t e = 0; e < cells->parent_count; e++)
        s.holds[cells->class_of[cells->parent_point[e]]] = true;
    for (uint32_t c = 0; c < cells->class_count; c++)
        deepest = cells->depth[c] > deepest ? cells->depth[c] : deepest;
    for (uint32_t depth = deepest + 1; depth-- > 0;)
        for (uint32_t k = 0; k < cells->cell_count; k++) {
            if (cells->depth[cells->members[cells->cells[k].first]] != depth || !is_tied(prints, k))
                continue;
            find_units_of_cell(&s, k);
            gave_up_at = s.given_up && gave_up_at == CNX_NONE ? k : gave_up_at;
        }
    cnx_arena_destroy(scratch);
    return gave_up_at;
}
