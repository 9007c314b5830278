/* Individualisation and refinement.
 *
 * What refinement leaves tied may still not be interchangeable: units in a ring look alike, but exchanging
 * two of them breaks the ring. So one of the units that look alike is set apart, which others then see,
 * refinement goes on, and so forth until nothing is tied: a leaf, a complete order. Which unit is set apart
 * is a choice that nothing in the model makes for us. All choices are tried; of all leaves the one counts
 * that has the smallest
 *
 *     (trace after the first choice, after the second, ..., contents of the tensors),
 *
 * where a trace is a hash of what refinement found. Which choices there are, and what is compared, is the
 * same for equivalent models, so the smallest leaf is too: it is the canonical form (McKay, Practical graph
 * isomorphism, 1981). Hashes only steer: when two fingerprints or two traces collide, more leaves are
 * compared, byte by byte, and no claim rests on their being different.
 *
 * Most of the tree is never visited:
 *
 *   - A branch whose trace is larger than that of the best leaf is left.
 *   - Where all traces equal those of the best leaf so far, the two orders that refinement has reached are
 * laid over one another. Often that is an automorphism, even if some units are still tied; an exact
 * comparison says whether (automorphism.c). Then the branch has the same leaves as that of the best one, and
 * the search goes back to where the two parted.
 *   - Of choices that known automorphisms map to one another, one is tried: the orbits of those automorphisms
 *     that fix all choices before.
 *   - When each of k units can be exchanged with the first by an automorphism that leaves the others of the k
 *     alone, all k! orders are equal, and the units are set apart at once. Chains of identity matrices are
 * like that; the tree would be as deep as they are wide. That this is so does not depend on which of them is
 *     the first.
 *
 * Blocks are set apart before what is inside them. The sizes of the orbits along the best leaf's path
 * multiply to the number of automorphisms (orbit and stabiliser).
 */
#include "rewrite/ordering/fingerprint_internal.h"
#include "rewrite/ordering/search_internal.h"
#include "rewrite/ordering/sort.h"

#include "proto/limits.h"

#include <math.h>

/* A choice on the way from the root: units that look alike, of which one is set apart. */
typedef struct choice {
    uint64_t *print; /* by place in the component: before the choice */
    uint32_t *orbit; /* by place: union-find, orbits of the known automorphisms that fix the choices before */
    uint32_t *units; /* the first member of each, in the order of their numbers */
    uint32_t count;
    uint32_t next;   /* the next to try */
    uint32_t chosen; /* in `units` */
    uint64_t trace;  /* after it was set apart */
    bool at_once;    /* all of them are set apart, in any order */
    bool as_best;    /* the traces after the choices before this one equal the best leaf's */
} choice;

/* The same on the way to the best leaf so far. */
typedef struct best_choice {
    uint64_t *print; /* by place: after the choice, refined */
    uint64_t trace;  /* then */
    uint32_t unit;   /* its first member; of all at once, the first of them */
    double orbit;    /* log10 of the number of choices that are as good, known once all were tried */
} best_choice;

enum { MOST_AUTOMORPHISMS = 64 };

typedef struct search {
    cnx_search_state state;
    cnx_ties *ties;
    cnx_arena *arena; /* of the component */
    uint64_t read_before;
    size_t depth, choice_count, choice_capacity; /* choices[depth ..] are memory for later */
    choice *choices;
    size_t best_depth, best_count, best_capacity;
    best_choice *best;
    uint32_t *best_points;     /* by point: the best leaf's order; NULL while there is none */
    uint32_t *points;          /* by point: the order of the leaf at hand */
    size_t automorphism_count; /* the last MOST_AUTOMORPHISMS of them are kept, by place */
    uint32_t *automorphisms[MOST_AUTOMORPHISMS];
} search;

/* ---- limits ---- */

static const char *exceeded_limit(const search *s)
{
    const cnx_search_state *state = &s->state;
    uint64_t step = state->component->class_count * (2 * sizeof(uint64_t) + 2 * sizeof(uint32_t));
    uint64_t read = state->prints->bytes_read - s->read_before + cnx_weights_compared(state->check);
    if (s->ties->refinements > CNX_LIMIT_TIE_REFINEMENTS)
        return "tie-refinements";
    if (read > CNX_LIMIT_TIE_READING * CNX_MEBIBYTE)
        return "tie-reading";
    return step * (s->choice_count + 1) > CNX_LIMIT_TIE_MEMORY * CNX_MEBIBYTE ? "tie-memory" : NULL;
}

static void refine(search *s)
{
    cnx_search_refine(&s->state);
    s->ties->refinements++;
}

/* ---- choices ---- */

static uint32_t find(uint32_t *parent, uint32_t place)
{
    while (parent[place] != place)
        place = parent[place] = parent[parent[place]];
    return place;
}

static uint32_t orbit_of(const search *s, const choice *c, uint32_t unit)
{
    return find(c->orbit, s->state.local[unit]);
}

/* Sets all members of a unit apart. */
static void set_apart(search *s, uint32_t unit, uint32_t rank)
{
    const cnx_prints *prints = s->state.prints;
    const cnx_cell *cell = &prints->cells->cells[prints->cells->cell_of[unit]];
    for (uint32_t i = 0; i < cell->count; i++) {
        uint32_t member = prints->cells->members[cell->first + i];
        if (prints->unit[member] == prints->unit[unit])
            cnx_set_apart(s->state.prints, member, rank);
    }
}

/* Goes from the choice's state to the one after the chosen unit was set apart. */
static void take(search *s, const choice *c)
{
    cnx_search_restore(&s->state, c->print);
    for (uint32_t i = 0; i < c->count; i++)
        if (c->at_once || i == c->chosen)
            set_apart(s, c->units[i], c->at_once ? i + 1 : 0);
    refine(s);
}

/* The first cell of the component with ties, among `cell` and what is inside its blocks, in an order that
 * does not depend on where members sit: a block comes before what is inside it, and blocks come in the order
 * of their prints. */
static uint32_t first_tied_cell(const search *s, uint32_t cell)
{
    const cnx_prints *prints = s->state.prints;
    const cnx_cells *cells = prints->cells;
    uint32_t count = cells->cells[cell].count, found = CNX_NONE;
    const uint32_t *members = cells->members + cells->cells[cell].first;
    for (uint32_t i = 0; i < count; i++)
        if (prints->tied[members[i]] && s->state.local[members[i]] != CNX_NONE)
            return cell;
    if (cells->child_start[members[0]] == cells->child_start[members[0] + 1])
        return CNX_NONE;
    cnx_arena *scratch = cnx_arena_create(s->arena);
    uint32_t *sorted = CNX_NEW_ARRAY(scratch, uint32_t, count);
    cnx_sort_members(prints, cell, sorted);
    for (uint32_t i = 0; i < count && found == CNX_NONE; i++)
        for (uint32_t e = cells->child_start[sorted[i]]; e < cells->child_start[sorted[i] + 1]; e++)
            if (found == CNX_NONE)
                found = first_tied_cell(s, cells->child_cells[e]);
    cnx_arena_destroy(scratch);
    return found;
}

static uint32_t outermost(const cnx_cells *cells, uint32_t cell)
{
    while (cells->cells[cell].home != CNX_NONE)
        cell = cells->cell_of[cells->cells[cell].home];
    return cell;
}

static uint32_t next_tied_cell(const search *s)
{
    const cnx_component *component = s->state.component;
    uint32_t first = CNX_NONE;
    for (size_t i = 0; i < component->cell_count; i++) {
        uint32_t outer = outermost(s->state.prints->cells, component->cells[i]);
        uint32_t found = first_tied_cell(s, outer);
        if (found != CNX_NONE && (first == CNX_NONE || outer < first))
            first = outer;
    }
    return first_tied_cell(s, first);
}

/* The units of the largest run of members that look alike; of runs of one size, the first. What the members
 * of a large run see of one another decides most. */
static void list_units(const search *s, uint32_t cell, choice *c)
{
    const cnx_prints *prints = s->state.prints;
    uint32_t *sorted = s->state.order, count = prints->cells->cells[cell].count;
    uint32_t best = 0, size = 0;
    cnx_sort_members(prints, cell, sorted);
    for (uint32_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && cnx_compare_prints(prints, sorted[i], sorted[end]) == 0;)
            end++;
        if (prints->tied[sorted[i]] && end - i > size) {
            best = i;
            size = end - i;
        }
    }
    c->count = 0;
    for (uint32_t i = best; i < best + size; i++)
        if (prints->unit[sorted[i]] == sorted[i])
            c->units[c->count++] = sorted[i];
}

/* ---- automorphisms ---- */

static void add_to_orbits(const search *s, choice *c, const uint32_t *automorphism)
{
    for (uint32_t i = 0; i < s->state.component->class_count; i++)
        c->orbit[find(c->orbit, i)] = find(c->orbit, automorphism[i]);
}

/* Whether an automorphism fixes the units that a choice set apart. */
static bool fixes(const search *s, const choice *c, const uint32_t *automorphism)
{
    for (uint32_t i = 0; i < c->count; i++) {
        uint32_t place = s->state.local[c->units[i]];
        if ((c->at_once || i == c->chosen) && automorphism[place] != place)
            return false;
    }
    return true;
}

/* Orbits at a new choice: of the automorphisms kept that fix all choices before it. */
static void begin_orbits(search *s, size_t depth)
{
    choice *c = &s->choices[depth];
    size_t kept = s->automorphism_count < MOST_AUTOMORPHISMS ? s->automorphism_count : MOST_AUTOMORPHISMS;
    for (uint32_t i = 0; i < s->state.component->class_count; i++)
        c->orbit[i] = i;
    for (size_t k = 0; k < kept; k++) {
        bool fixed = true;
        for (size_t i = 0; i < depth && fixed; i++)
            fixed = fixes(s, &s->choices[i], s->automorphisms[k]);
        if (fixed)
            add_to_orbits(s, c, s->automorphisms[k]);
    }
}

/* Remembers the match at hand, which is an automorphism and fixes the choices before `depth`. */
static void add_automorphism(search *s, size_t depth)
{
    const cnx_component *component = s->state.component;
    uint32_t **slot = &s->automorphisms[s->automorphism_count++ % MOST_AUTOMORPHISMS];
    if (*slot == NULL)
        *slot = CNX_NEW_ARRAY(s->arena, uint32_t, component->class_count);
    for (size_t i = 0; i < component->class_count; i++) {
        uint32_t unit = s->state.prints->unit[component->classes[i]];
        uint32_t image = s->state.prints->unit[cnx_search_image(&s->state, unit)];
        (*slot)[i] = s->state.local[image];
    }
    for (size_t i = 0; i <= depth; i++)
        add_to_orbits(s, &s->choices[i], *slot);
}

static bool keeps_weights(const search *s)
{
    return cnx_keeps_weights(s->state.check, s->state.moved, s->state.moved_count, s->state.target);
}

/* Whether the units of the choice that are neither the first nor the chosen one stay where they are. */
static bool others_stay(const search *s, const choice *c)
{
    for (uint32_t i = 1; i < c->count; i++)
        if (i != c->chosen && s->state.prints->unit[cnx_search_image(&s->state, c->units[i])] != c->units[i])
            return false;
    return true;
}

/* Whether all orders of the units of a choice are equal, by the criterion in the essay. The matches have to
 * be the only ones, or the answer might depend on the order in the file. */
static bool any_order_will_do(search *s, choice *c)
{
    if (c->count < 3) /* nothing to gain */
        return false;
    cnx_arena *scratch = cnx_arena_create(s->arena);
    uint64_t *print = CNX_NEW_ARRAY(scratch, uint64_t, s->state.component->class_count);
    c->chosen = 0;
    take(s, c);
    cnx_search_save(&s->state, print);
    uint64_t trace = s->state.trace;
    bool holds = true;
    for (uint32_t i = 1; i < c->count && holds; i++) {
        c->chosen = i;
        take(s, c);
        holds = exceeded_limit(s) == NULL && s->state.trace == trace && cnx_search_match(&s->state, print) &&
                others_stay(s, c) && keeps_weights(s);
    }
    cnx_search_restore(&s->state, c->print);
    cnx_arena_destroy(scratch);
    return holds;
}

/* ---- the tree ---- */

/* A new choice in the present state. */
static void descend(search *s, bool as_best)
{
    size_t class_count = s->state.component->class_count;
    if (s->depth == s->choice_count) {
        choice made = {.print = CNX_NEW_ARRAY(s->arena, uint64_t, class_count),
                       .orbit = CNX_NEW_ARRAY(s->arena, uint32_t, class_count),
                       .units = CNX_NEW_ARRAY(s->arena, uint32_t, class_count)};
        CNX_PUSH(s->arena, s->choices, s->choice_count, s->choice_capacity, made);
    }
    choice *c = &s->choices[s->depth];
    c->next = 0;
    c->at_once = false;
    c->as_best = as_best;
    cnx_search_save(&s->state, c->print);
    list_units(s, next_tied_cell(s), c);
    c->at_once = any_order_will_do(s, c);
    c->chosen = 0;
    begin_orbits(s, s->depth++);
}

/* The next unit to try that is in no orbit tried already; false when there is none. */
static bool choose_next(const search *s, choice *c)
{
    for (; c->next < (c->at_once ? 1 : c->count); c->next++) {
        bool fresh = true;
        for (uint32_t i = 0; i < c->next && fresh; i++)
            fresh = orbit_of(s, c, c->units[i]) != orbit_of(s, c, c->units[c->next]);
        if (!fresh)
            continue;
        c->chosen = c->next++;
        return true;
    }
    return false;
}

/* How many choices led to where the best leaf's led, too. */
static size_t common_depth(const search *s, size_t depth)
{
    size_t common = 0;
    while (common < depth && common < s->best_depth &&
           s->choices[common].units[s->choices[common].chosen] == s->best[common].unit)
        common++;
    return common;
}

/* All units of the last choice were tried. */
static void ascend(search *s)
{
    const choice *c = &s->choices[--s->depth];
    if (s->best_points == NULL || s->depth >= s->best_depth || common_depth(s, s->depth) < s->depth)
        return;
    uint32_t orbit = 0, best = orbit_of(s, c, s->best[s->depth].unit);
    for (uint32_t i = 0; i < c->count; i++)
        orbit += orbit_of(s, c, c->units[i]) == best;
    s->best[s->depth].orbit = c->at_once ? lgamma((double)c->count + 1) / log(10.0) : log10((double)orbit);
}

/* Keeps the leaf at hand, whose order is in `points`. */
static void keep_leaf(search *s)
{
    size_t class_count = s->state.component->class_count;
    size_t point_count = s->state.prints->cells->points->point_count;
    uint32_t *old = s->best_points;
    s->best_points = s->points;
    s->points = old != NULL ? old : CNX_NEW_ARRAY(s->arena, uint32_t, point_count);
    while (s->best_count < s->depth) {
        best_choice made = {.print = CNX_NEW_ARRAY(s->arena, uint64_t, class_count)};
        CNX_PUSH(s->arena, s->best, s->best_count, s->best_capacity, made);
    }
    s->best_depth = s->depth;
    for (size_t i = 0; i < s->depth; i++) {
        choice *c = &s->choices[i];
        c->as_best = true;
        s->best[i].unit = c->units[c->chosen];
        s->best[i].trace = c->trace;
        s->best[i].orbit = 0;
        if (i + 1 < s->depth)
            memcpy(s->best[i].print, s->choices[i + 1].print, class_count * sizeof(uint64_t));
    }
    cnx_search_save(&s->state, s->best[s->depth - 1].print);
}

/* How the present state's trace compares with the best leaf's after as many choices; a leaf comes before what
 * is none. */
static int compare_trace(const search *s)
{
    size_t last = s->depth - 1;
    if (s->best_points == NULL || !s->choices[last].as_best)
        return -1;
    if (last >= s->best_depth)
        return 1;
    if (s->state.trace != s->best[last].trace)
        return s->state.trace < s->best[last].trace ? -1 : 1;
    bool leaf = cnx_search_is_leaf(&s->state), best_leaf = s->best_depth == s->depth;
    return leaf == best_leaf ? 0 : leaf ? -1 : 1;
}

/* A complete order. */
static void visit_leaf(search *s, int order)
{
    s->ties->leaves++;
    cnx_search_arrange(&s->state, s->points);
    if (order < 0 || cnx_search_compare(&s->state, s->points, s->best_points) < 0)
        keep_leaf(s);
}

/* Walks the tree. Returns NULL, or the name of the limit that was reached. */
static const char *walk(search *s)
{
    descend(s, true);
    while (s->depth != 0) {
        const char *limit = exceeded_limit(s);
        choice *c = &s->choices[s->depth - 1];
        if (limit != NULL)
            return limit;
        if (!choose_next(s, c)) {
            ascend(s);
            continue;
        }
        take(s, c);
        c->trace = s->state.trace;
        int order = compare_trace(s);
        if (order > 0)
            continue;
        if (order == 0)
            cnx_search_match(&s->state, s->best[s->depth - 1].print);
        if (order == 0 && keeps_weights(s)) {
            s->depth = common_depth(s, s->depth) + 1;
            add_automorphism(s, s->depth - 1);
            continue;
        }
        if (cnx_search_is_leaf(&s->state))
            visit_leaf(s, order);
        else
            descend(s, order == 0);
    }
    return NULL;
}

/* ---- all components ---- */

/* Leaves the component's prints as the best leaf has them, or as they were when a limit was reached. */
static void solve(const cnx_search_state *state, cnx_arena *arena, cnx_ties *ties, uint64_t read_before)
{
    const cnx_component *component = state->component;
    search s = {.state = *state, .ties = ties, .arena = cnx_arena_create(arena), .read_before = read_before};
    s.points = CNX_NEW_ARRAY(s.arena, uint32_t, state->prints->cells->points->point_count);
    for (uint32_t c = 0; c < state->prints->cells->class_count; c++)
        s.state.local[c] = CNX_NONE;
    for (uint32_t i = 0; i < component->class_count; i++)
        s.state.local[component->classes[i]] = i;
    state->prints->nested = component->nested;
    state->prints->nested_count = (uint32_t)component->nested_count;
    const char *limit = walk(&s);
    if (limit == NULL) {
        cnx_search_restore(&s.state, s.best[s.best_depth - 1].print);
        for (size_t i = 0; i < s.best_depth; i++)
            ties->log10_exchanges += s.best[i].orbit;
    } else {
        cnx_search_restore(&s.state, s.choices[0].print);
        ties->limit = limit;
        ties->undecided = next_tied_cell(&s);
    }
    cnx_weights_release(state->check);
    cnx_arena_destroy(s.arena);
}

static bool any_tied(const cnx_prints *prints)
{
    for (uint32_t c = 0; c < prints->cells->class_count; c++)
        if (prints->tied[c])
            return true;
    return false;
}

cnx_ties cnx_break_ties(cnx_arena *arena, cnx_prints *prints)
{
    cnx_ties ties = {.undecided = CNX_NONE};
    if (!any_tied(prints))
        return ties;
    cnx_arena *scratch = cnx_arena_create(arena);
    uint64_t read_before = prints->bytes_read;
    cnx_weights_check *check = cnx_weights_check_create(scratch, prints->analysis);
    ties.undecided = cnx_find_units(prints, check);
    ties.limit = ties.undecided != CNX_NONE ? "tie-reading" : NULL;
    if (ties.limit == NULL && any_tied(prints)) {
        size_t count;
        uint32_t *nested = prints->nested, nested_count = prints->nested_count;
        cnx_component *components = cnx_find_components(scratch, prints, &count);
        cnx_search_state state;
        cnx_search_state_init(&state, scratch, prints, check);
        for (size_t i = 0; i < count && ties.limit == NULL; i++) {
            state.component = &components[i];
            solve(&state, scratch, &ties, read_before);
        }
        prints->nested = nested;
        prints->nested_count = nested_count;
    }
    cnx_arena_destroy(scratch);
    return ties;
}
