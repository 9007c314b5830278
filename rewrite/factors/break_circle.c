/* Where all that is left to ask hangs together in a circle.
 *
 * The experts of a layer, stacked into one tensor, have a factor each, and so do the units that they have in
 * common; what multiplies an element is the product of both, and every slice along one axis waits for the
 * other. But then there are choices that do nothing: all experts times c, all units divided by c. An *idle*
 * choice is one that is the same for all members of a cell, multiplies no element of any parameter, and
 * changes nothing that was settled. If an idle choice changes a sum by 1, the sum can be settled as it is
 * without losing anything: whatever it was in another member of the class, an idle choice brings it there. It
 * has to be the sum of the same unit in all members of the class, so the unit is told by a print of its slice
 * that no sign, scale or permutation changes, and that no other unit shares. After that the others can be
 * asked about the elements that they share with this one.
 */
#include "rewrite/factors/normalizer.h"
#include "rewrite/factors/slice_walk.h"

#include "base/divisor.h"

#include <stdlib.h>

/* Idle choices are the solutions of equations: in one unknown for each generator, then one for each axis of a
 * parameter, by which all of its positions are multiplied. */
struct cnx_idle {
    cnx_equations *equations;
    bool *stated; /* by piece: that its sum does not change any more */
};

/* ---- idle choices ---- */

/* The sum of a piece in generators, behind the terms that are there already. Returns how many there are. */
static size_t append_sum(const cnx_normalizer *n, const cnx_piece *piece, cnx_term *terms, size_t count)
{
    const uint32_t *generators = n->anchors->components[piece->component].generators;
    for (uint32_t t = 0; t < piece->term_count; t++)
        terms[count++] = (cnx_term){generators[piece->terms[t].unknown], piece->terms[t].factor};
    return count;
}

static void state_sum(const cnx_normalizer *n, cnx_arena *scratch, const cnx_piece *piece,
                      uint32_t axis_unknown)
{
    cnx_term *terms = CNX_NEW_ARRAY(scratch, cnx_term, (size_t)piece->term_count + 1);
    size_t count = 0;
    if (axis_unknown != CNX_NONE)
        terms[count++] = (cnx_term){axis_unknown, -1};
    cnx_equations_add(n->idle->equations, terms, append_sum(n, piece, terms, count));
}

/* All positions of the axis are multiplied by what `unknown` stands for. */
static void state_axis(const cnx_normalizer *n, cnx_arena *scratch, size_t parameter, uint32_t axis,
                       uint32_t unknown)
{
    uint32_t count, last = CNX_NONE;
    const cnx_anchor_place *places = cnx_anchor_places(n->anchors, parameter, axis, &count);
    bool all = places != NULL;
    for (uint32_t i = 0; i < count; i++) {
        all = all && places[i].piece != CNX_NONE;
        if (places[i].piece != CNX_NONE && places[i].piece != last)
            state_sum(n, scratch, &n->anchors->pieces[places[i].piece], unknown);
        last = places[i].piece;
    }
    const cnx_term zero = {unknown, 1};
    if (!all)
        cnx_equations_add(n->idle->equations, &zero, 1);
}

static void begin_idle(cnx_normalizer *n)
{
    uint32_t generators, numbers, next;
    const cnx_analysis *analysis = n->analysis;
    cnx_scaling_generators(n->scalings, n->kind, &generators, &numbers);
    size_t unknowns = generators;
    for (size_t p = 0; p < analysis->parameter_count; p++)
        unknowns += analysis->parameters[p].tensor->rank;
    n->idle = CNX_NEW(n->arena, struct cnx_idle);
    n->idle->stated = CNX_NEW_ARRAY(n->arena, bool, n->anchors->piece_count);
    n->idle->equations = cnx_equations_create(n->arena, unknowns, n->kind == CNX_SIGN, NULL);
    next = generators;
    for (size_t p = 0; p < analysis->parameter_count; p++) {
        uint32_t rank = analysis->parameters[p].tensor->rank;
        cnx_arena *scratch = cnx_arena_create(n->arena);
        cnx_term *sum = CNX_NEW_ARRAY(scratch, cnx_term, rank);
        for (uint32_t k = 0; k < rank; k++) {
            sum[k] = (cnx_term){next++, 1};
            state_axis(n, scratch, p, k, sum[k].unknown);
        }
        cnx_equations_add(n->idle->equations, sum, rank);
        cnx_arena_destroy(scratch);
    }
}

/* Whether some unit's sum of the piece is settled. */
static bool is_settled_somewhere(const cnx_normalizer *n, cnx_arena *scratch, const cnx_piece *piece)
{
    const cnx_freedoms *freedoms = &n->freedoms[piece->component];
    for (uint32_t f = 0; f < freedoms->count; f++) {
        int64_t *row = CNX_NEW_ARRAY(scratch, int64_t, freedoms->list[f]->rank);
        if (!cnx_freedom_change(freedoms->list[f], piece->terms, piece->term_count, row))
            return true;
    }
    return false;
}

static void state_what_is_settled(cnx_normalizer *n)
{
    cnx_arena *scratch = cnx_arena_create(n->arena);
    for (size_t i = 0; i < n->anchors->piece_count; i++) {
        const cnx_piece *piece = &n->anchors->pieces[i];
        if (n->idle->stated[i] || !(n->settled[i] || is_settled_somewhere(n, scratch, piece)))
            continue;
        n->idle->stated[i] = true;
        state_sum(n, scratch, piece, CNX_NONE);
    }
    cnx_arena_destroy(scratch);
}

static int compare_terms(const void *a, const void *b)
{
    const cnx_term *x = a, *y = b;
    return (x->unknown > y->unknown) - (x->unknown < y->unknown);
}

/* Whether an idle choice changes the sum of the piece by 1: whether what it is in free unknowns has factors
 * without a common divisor. */
static bool is_idle(const cnx_normalizer *n, cnx_arena *scratch, const cnx_piece *piece)
{
    cnx_term *own = CNX_NEW_ARRAY(scratch, cnx_term, piece->term_count), *all = NULL;
    size_t count = 0, capacity = 0, own_count = append_sum(n, piece, own, 0);
    uint64_t divisor = n->kind == CNX_SIGN ? 2 : 0;
    for (size_t t = 0; t < own_count; t++) {
        const cnx_term *terms;
        size_t value = cnx_equations_value(n->idle->equations, own[t].unknown, &terms);
        for (size_t i = 0; i < value; i++) {
            cnx_term term = {terms[i].unknown, terms[i].factor * own[t].factor};
            CNX_PUSH(scratch, all, count, capacity, term);
        }
    }
    if (count > 1)
        qsort(all, count, sizeof *all, compare_terms);
    for (size_t i = 0, end; i < count; i = end) {
        int32_t factor = 0;
        for (end = i; end < count && all[end].unknown == all[i].unknown; end++)
            factor += all[end].factor;
        divisor = cnx_greatest_divisor(divisor, (uint64_t)(factor < 0 ? -factor : factor));
    }
    return divisor == 1;
}

/* ---- a unit that is known by its print ---- */

/* Settles the sum at a place as it is. */
static bool settle_as_is(cnx_normalizer *n, cnx_arena *scratch, const cnx_anchor_place *place)
{
    int64_t *row;
    uint32_t component = n->anchors->pieces[place->piece].component, unit = cnx_unit_at(n, place);
    cnx_freedoms *freedoms = &n->freedoms[component];
    if (!cnx_is_open(n, scratch, place, &row))
        return false;
    const cnx_settling *settling = cnx_freedom_settle(scratch, freedoms->list[n->freedom_of[unit]], row, 1);
    if (settling == NULL || settling->divisors[0] != 1)
        return false;
    cnx_arena *arena = freedoms->arena != NULL ? freedoms->arena : n->arena;
    const cnx_freedom **list = CNX_NEW_ARRAY(arena, const cnx_freedom *, (size_t)freedoms->count + 1);
    memcpy(list, freedoms->list, freedoms->count * sizeof *list);
    list[freedoms->count] = cnx_freedom_copy(arena, settling->rest);
    freedoms->list = list;
    n->freedom_of[unit] = freedoms->count++;
    cnx_component_changed(n, component);
    return true;
}

typedef struct candidate {
    uint64_t print;
    uint32_t position; /* one of the unit's */
} candidate;

static int compare_candidates(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    if (x->print != y->print)
        return x->print < y->print ? -1 : 1;
    return (x->position > y->position) - (x->position < y->position);
}

/* The position with the smallest print that no other has; CNX_NONE when there is none. */
static uint32_t smallest_unique(candidate *candidates, uint32_t count)
{
    if (count > 1)
        qsort(candidates, count, sizeof *candidates, compare_candidates);
    for (uint32_t i = 0; i < count; i++) {
        bool before = i > 0 && candidates[i - 1].print == candidates[i].print;
        bool after = i + 1 < count && candidates[i + 1].print == candidates[i].print;
        if (candidates[i].print != 0 && !before && !after)
            return candidates[i].position;
    }
    return CNX_NONE;
}

static bool equal_sums(const cnx_piece *a, const cnx_piece *b)
{
    if (a->term_count != b->term_count)
        return false;
    for (uint32_t t = 0; t < a->term_count; t++)
        if (a->terms[t].unknown != b->terms[t].unknown || a->terms[t].factor != b->terms[t].factor)
            return false;
    return true;
}

/* Whether the anchor has one sum for each component, and some idle choice changes one. Sets the pieces'
 * flags. */
static bool find_idle_pieces(const cnx_normalizer *n, cnx_arena *scratch, const cnx_anchor *anchor,
                             bool *idle)
{
    const cnx_piece *pieces = n->anchors->pieces;
    bool any = false;
    for (uint32_t i = 0; i < anchor->piece_count; i++) {
        const cnx_piece *piece = &pieces[anchor->pieces[i]];
        for (uint32_t j = 0; j < i; j++)
            if (pieces[anchor->pieces[j]].component == piece->component &&
                !equal_sums(&pieces[anchor->pieces[j]], piece))
                return false;
        idle[i] = !n->settled[anchor->pieces[i]] && is_idle(n, scratch, piece);
        n->place_of[anchor->pieces[i]] = i;
        any = any || idle[i];
    }
    return any;
}

/* Reads the prints of the units that an idle choice changes, and takes the smallest. */
static bool break_at(cnx_normalizer *n, cnx_arena *scratch, uint32_t anchor)
{
    const cnx_anchor *of = &n->anchors->anchors[anchor];
    bool *idle = CNX_NEW_ARRAY(scratch, bool, of->piece_count);
    if (!find_idle_pieces(n, scratch, of, idle))
        return false;
    uint32_t count, units = 0;
    int64_t *row;
    const cnx_anchor_place *places = cnx_anchor_places(n->anchors, of->parameter, of->axis, &count);
    uint32_t *slice_of = CNX_NEW_ARRAY(scratch, uint32_t, count);
    uint32_t *slice_of_unit = CNX_NEW_ARRAY(scratch, uint32_t, n->anchors->unit_count); /* and 1 */
    candidate *candidates = CNX_NEW_ARRAY(scratch, candidate, count);
    for (uint32_t i = 0; i < count; i++) {
        slice_of[i] = CNX_NONE;
        if (places[i].piece == CNX_NONE || n->anchors->pieces[places[i].piece].anchor != anchor ||
            !idle[n->place_of[places[i].piece]] || !cnx_is_open(n, scratch, &places[i], &row))
            continue;
        uint32_t *known = &slice_of_unit[cnx_unit_at(n, &places[i])];
        if (*known == 0) {
            candidates[units].position = i;
            *known = ++units;
        }
        slice_of[i] = *known - 1;
    }
    cnx_slicing slicing = {.arena = scratch,
                           .reading = &n->reading,
                           .parameter = &n->analysis->parameters[of->parameter],
                           .axis = of->axis,
                           .members = slice_of,
                           .member_count = units};
    cnx_slice *slices = CNX_NEW_ARRAY(scratch, cnx_slice, units);
    cnx_print_slices(&slicing, slices);
    for (uint32_t i = 0; i < units; i++)
        candidates[i].print = slices[i].hash;
    uint32_t position = smallest_unique(candidates, units);
    return position != CNX_NONE && settle_as_is(n, scratch, &places[position]);
}

bool cnx_break_circle(cnx_normalizer *n)
{
    bool broken = false, open = false;
    for (size_t i = 0; i < n->anchors->piece_count && !open; i++)
        open = !n->settled[i];
    if (!open)
        return false;
    if (n->idle == NULL)
        begin_idle(n);
    state_what_is_settled(n);
    for (uint32_t i = 0; i < n->anchors->count && !broken; i++) {
        cnx_arena *scratch = cnx_arena_create(n->arena);
        broken = break_at(n, scratch, i);
        cnx_arena_destroy(scratch);
    }
    return broken;
}
