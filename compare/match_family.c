/* One family of weight matching: looking at it, assigning its members, choosing their signs and scales. */
#include "compare/assignment.h"
#include "compare/matcher.h"
#include "proto/limits.h"

/* ---- assigning ---- */

/* The best total for members of cell `a` going to places of cell `b`, which is of the same kind, with
 * everything inside them. Rows of similarities are where members of a stand at present. When `choose`, writes
 * it down; then a is b, or a's block goes to b's. */
static double assign_cells(cnx_matcher *m, cnx_arena *arena, uint32_t a, uint32_t b, bool choose)
{
    const cnx_cells *cells = m->cells;
    const cnx_families *f = m->families;
    const uint32_t *from = cells->members + cells->cells[a].first,
                   *to = cells->members + cells->cells[b].first;
    uint32_t count = cells->cells[a].count, kind = f->kind_of[from[0]],
             kind_count = m->family->kinds[kind].count;
    uint32_t inside = cells->child_start[from[0] + 1] - cells->child_start[from[0]];
    cnx_arena *scratch = cnx_arena_create(arena);
    double *gain = CNX_NEW_ARRAY(scratch, double, (size_t)count *count);
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = 0; j < count; j++) {
            size_t row = f->place_of[m->image[from[i]]], column = f->place_of[to[j]];
            gain[(size_t)i * count + j] = m->gain[kind][row * kind_count + column];
            for (uint32_t k = 0; k < inside; k++)
                gain[(size_t)i * count + j] +=
                    assign_cells(m, scratch, cells->child_cells[cells->child_start[from[i]] + k],
                                 cells->child_cells[cells->child_start[to[j]] + k], false);
        }
    uint32_t *column = CNX_NEW_ARRAY(scratch, uint32_t, count);
    double total = cnx_assign(scratch, gain, count, count, column);
    for (uint32_t i = 0; i < count && choose; i++) {
        m->choice[from[i]] = from[column[i]];
        for (uint32_t k = 0; k < inside; k++)
            assign_cells(m, scratch, cells->child_cells[cells->child_start[from[i]] + k],
                         cells->child_cells[cells->child_start[to[column[i]]] + k], true);
    }
    cnx_arena_destroy(scratch);
    return total;
}

static uint32_t *identity(cnx_arena *arena, uint32_t count)
{
    uint32_t *places = CNX_NEW_ARRAY(arena, uint32_t, count);
    for (uint32_t i = 0; i < count; i++)
        places[i] = i;
    return places;
}

/* Fills m->gain for a kind and all that are inside it. */
static void find_gains(cnx_matcher *m, cnx_arena *arena, uint32_t kind, const cnx_view_of_evidence *view)
{
    const cnx_kind *k = &m->family->kinds[kind];
    const uint32_t *places = identity(arena, k->count);
    const cnx_lineup lineup = {places, places, k->count};
    m->gain[kind] = cnx_find_similarity(m, arena, m->family, kind, view, &lineup);
    for (uint32_t i = 0; i < k->inside_count; i++)
        find_gains(m, arena, k->inside[i], view);
}

/* Assigns one kind among the members of each block, with all that is inside it, everything else held. Rows
 * are places, too: the members of a stand where they and their blocks went. So where a tensor shows the kind
 * twice, the other appearance is held as it is at present. */
static void assign_inside(cnx_matcher *m, uint32_t kind, const bool *known)
{
    const cnx_kind *k = &m->family->kinds[kind];
    const cnx_cells *cells = m->cells;
    cnx_arena *scratch = cnx_arena_create(m->arena);
    cnx_matcher_complete(m, CNX_NONE, m->points);
    uint32_t *occupant = CNX_NEW_ARRAY(scratch, uint32_t, k->count);
    for (uint32_t i = 0; i < k->count; i++)
        occupant[m->families->place_of[m->image[k->classes[i]]]] = k->classes[i];
    cnx_view_of_evidence view = {CNX_READ_HELD, known, m->points, NULL, m->multiplies ? m->numbers : NULL};
    m->gain = CNX_NEW_ARRAY(scratch, double *, m->family->kind_count);
    find_gains(m, scratch, kind, &view);
    for (uint32_t i = 0; i < k->count;) {
        uint32_t to = cells->cell_of[k->classes[i]];
        assign_cells(m, scratch, cells->cell_of[occupant[i]], to, true);
        i += cells->cells[to].count;
    }
    cnx_arena_destroy(scratch);
}

/* Assigns a family with blocks: as a whole, then each kind inside the blocks. */
static void assign_nested(cnx_matcher *m, uint32_t number, const bool *known)
{
    cnx_arena *scratch = cnx_arena_create(m->arena);
    m->family = &m->families->items[number];
    cnx_matcher_complete(m, number, m->points);
    cnx_view_of_evidence view = {CNX_READ_BLOCKS, known, m->points, NULL, m->multiplies ? m->numbers : NULL};
    m->gain = CNX_NEW_ARRAY(scratch, double *, m->family->kind_count);
    find_gains(m, scratch, 0, &view);
    assign_cells(m, scratch, m->family->cell, m->family->cell, true);
    cnx_arena_destroy(scratch);
    cnx_settle_numbers(m, number, known);
    for (uint32_t k = 1; k < m->family->kind_count; k++)
        assign_inside(m, k, known);
}

/* Assigns those members of a plain family that are not explained among themselves. */
static void assign_plain(cnx_matcher *m, uint32_t number, const bool *known, const uint32_t *columns,
                         const bool *explained, uint32_t unexplained)
{
    const cnx_family *family = &m->families->items[number];
    const cnx_kind *kind = &family->kinds[0];
    cnx_arena *scratch = cnx_arena_create(m->arena);
    uint32_t *from = CNX_NEW_ARRAY(scratch, uint32_t, unexplained),
             *to = CNX_NEW_ARRAY(scratch, uint32_t, unexplained);
    uint32_t *column = CNX_NEW_ARRAY(scratch, uint32_t, unexplained), count = 0;
    double before = 0;
    for (uint32_t i = 0; i < kind->count; i++)
        if (!explained[i]) {
            from[count] = i;
            to[count++] = columns[i];
        }
    const cnx_lineup lineup = {from, to, count};
    cnx_view_of_evidence view = cnx_view_of(m, family, known);
    const double *gain = cnx_find_similarity(m, scratch, family, 0, &view, &lineup);
    for (uint32_t i = 0; i < count; i++)
        before += gain[(size_t)i * count + i];
    double after = cnx_assign(scratch, gain, count, count, column);
    /* Members that tie must not change places for ever. */
    for (uint32_t i = 0; i < count && after - before > 1e-9 * (after > 0 ? after : -after); i++)
        m->choice[kind->classes[from[i]]] = kind->classes[to[column[i]]];
    cnx_arena_destroy(scratch);
}

static bool fits_limits(cnx_matcher *m, uint32_t number)
{
    const cnx_family *family = &m->families->items[number];
    for (size_t k = 0; k < family->kind_count; k++)
        if (family->kinds[k].count > CNX_LIMIT_MATCHED_MEMBERS)
            return false;
    m->ran_out = m->ran_out || m->work > CNX_LIMIT_MATCHING_WORK * 1e9;
    return !m->ran_out;
}

static void assign(cnx_matcher *m, uint32_t number, const bool *known, const cnx_lineup *lineup,
                   const bool *explained, uint32_t unexplained)
{
    if (m->families->items[number].nested)
        assign_nested(m, number, known);
    else if (unexplained > 1)
        assign_plain(m, number, known, lineup->columns, explained, unexplained);
}

bool cnx_visit_family(cnx_matcher *m, uint32_t number, const bool *known, cnx_visit what)
{
    const cnx_family *family = &m->families->items[number];
    cnx_arena *scratch = cnx_arena_create(m->arena);
    uint32_t unexplained = 0, better = 0;
    if (what == CNX_MULTIPLY) {
        cnx_settle_numbers(m, number, known);
        return false;
    }
    cnx_matcher_present(m, number);
    cnx_lineup *lineups = CNX_NEW_ARRAY(scratch, cnx_lineup, family->kind_count);
    cnx_choice **choices = CNX_NEW_ARRAY(scratch, cnx_choice *, family->kind_count);
    bool **explained = CNX_NEW_ARRAY(scratch, bool *, family->kind_count);
    for (uint32_t k = 0; k < family->kind_count; k++) {
        cnx_arena *inner = cnx_arena_create(scratch);
        explained[k] = CNX_NEW_ARRAY(scratch, bool, family->kinds[k].count);
        lineups[k] = cnx_line_up(m, scratch, number, k);
        cnx_likeness *likeness = cnx_find_likeness(m, inner, number, k, known, &lineups[k]);
        choices[k] = cnx_choose_numbers(scratch, &family->kinds[k], &lineups[k], likeness, &better);
        unexplained += cnx_explain_kind(m, number, k, known, &lineups[k], likeness, explained[k]);
        cnx_arena_destroy(inner);
    }
    if (what != CNX_LOOK && unexplained != 0 && fits_limits(m, number)) {
        assign(m, number, known, &lineups[0], explained[0], unexplained);
        if (what == CNX_SETTLE)
            cnx_settle_numbers(m, number, known);
    } else if (what == CNX_SETTLE) {
        for (uint32_t k = 0; k < family->kind_count; k++)
            cnx_take_choices(m, &family->kinds[k], &lineups[k], choices[k]);
    }
    cnx_arena_destroy(scratch);
    return unexplained == 0 && better == 0;
}
