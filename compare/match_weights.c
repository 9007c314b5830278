/* Weight matching: the symmetry of a that brings its weights closest to b's.
 *
 * Every class of exchangeable channels could be assigned by itself if the others were known: which row of a's
 * weight is most like which row of b's is a linear assignment problem, once their columns are in the same
 * order. So classes (families, see families.h) are assigned in turn until nothing changes, as in weight
 * matching for merging models (Ainsworth, Hayase, Srinivasa: Git Re-Basin, 2022). It is coordinate descent:
 * it ends at a local optimum.
 *
 * Three things make it find the optimum where there is a clear one:
 *
 *   - Where it starts. What is provably best where it stands stays. Let d(i) be the distance of member i from
 * its partner and m(i, j) that of two members of a. If m(i, j) >= d(i) + d(j) for all pairs, every other
 * assignment costs more: by the triangle inequality i is at least m(i, j) - d(j) >= d(i) away from j's
 * partner. Lower bounds of m(i, j) will do, so a few columns of the weights suffice. Members without such a j
 * are *explained*. In a fine-tuned model that was not permuted all are, and no full product is taken.
 *   - The order. At first a family is assigned by those tensors only whose other axes are known: pinned, or
 * assigned before. The first family is one next to the inputs or outputs; from there knowledge spreads, and
 * no tensor whose columns are still in disorder adds noise. After that, all tensors count.
 *   - The measure. Squared differences are divided by the variance of their tensor, so that every element has
 * the same say, whether it is a weight of 0.01 or a running variance of 100. Slices are centred: what all
 * members share does not tell them apart.
 *
 * Blocks: a pair of heads is worth what the best assignment of their insides is worth, so all pairs of heads
 * are assigned inside first, then the heads, then the insides of the chosen pairs. A tensor that shows blocks
 * and their insides in two ways at once cannot be used for that; with the blocks held it can, and each kind
 * of insides is assigned once more.
 *
 * The assignment of one family is optimal for the evidence at hand (assignment.h). Larger kinds than the
 * limit matched-members, and everything after the limit matching-work is reached, stay as they are; a note
 * says so. */
#include "compare/match.h"

#include "compare/assignment.h"
#include "compare/measure.h"
#include "compare/permuted.h"
#include "compare/similarity.h"
#include "proto/limits.h"

#include <math.h>

enum { MOST_SWEEPS = 12 };

typedef struct matcher {
    cnx_comparison *c;
    cnx_arena *arena;
    cnx_families *families;
    const cnx_cells *cells;
    uint32_t *choice; /* by class: where it goes inside its own block */
    uint32_t *image;  /* by class: where it goes, blocks carrying what is inside them */
    uint32_t *points; /* by point: the present permutation without the family at hand ... */
    uint32_t *whole;  /* ... and with it */
    bool *known;      /* by family */
    double work;      /* multiply-adds so far */
    bool ran_out;
    cnx_family *family; /* that is being assigned ... */
    double **gain;      /* ... its kinds' similarities, by place */
} matcher;

/* ---- the present permutation ---- */

/* Completes the choice; `without`: a family that stays as it is, or CNX_NONE. Fills m->image and `points`. */
static void complete(matcher *m, uint32_t without, uint32_t *points)
{
    for (uint32_t class = 0; class < m->cells->class_count; class ++) {
        bool stays = without != CNX_NONE && m->families->family_of[class] == without;
        m->image[class] = stays ? class : m->choice[class];
    }
    cnx_carry_classes(m->cells, m->image);
    cnx_permute_points(m->cells, m->image, points);
}

/* ---- is it explained? ---- */

/* Places of the members of a kind, in a and, under the present choice, in b. */
static void list_places(const matcher *m, uint32_t number, uint32_t kind, uint32_t *rows, uint32_t *columns)
{
    const cnx_kind *k = &m->families->items[number].kinds[kind];
    bool nested = m->families->items[number].nested; /* read with the blocks where they went */
    for (uint32_t i = 0; i < k->count; i++) {
        rows[i] = i;
        columns[i] = nested ? i : m->families->place_of[m->image[k->classes[i]]];
    }
}

/* Marks members that no other one is far enough away from. `gram`: products of a's members; `distance` from
 * their partners, squared. Returns how many there are. */
static uint32_t mark_explained(const double *gram, const double *distance, uint32_t count, bool *explained)
{
    uint32_t unexplained = 0;
    for (uint32_t i = 0; i < count; i++)
        explained[i] = true;
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = i + 1; j < count; j++) {
            size_t row = (size_t)i * count, column = (size_t)j * count;
            double apart = gram[row + i] + gram[column + j] - 2 * gram[row + j];
            double rounding = 1e-12 * (gram[row + i] + gram[column + j]);
            double reach = sqrt(distance[i]) + sqrt(distance[j]);
            if (apart - rounding < reach * reach)
                explained[i] = explained[j] = false;
        }
    for (uint32_t i = 0; i < count; i++)
        unexplained += !explained[i];
    return unexplained;
}

/* Fills `explained`, by place in the kind. m->points leaves the family out. Returns how many are not. */
static uint32_t explain_kind(matcher *m, uint32_t number, uint32_t kind, const bool *known,
                             const uint32_t *rows, const uint32_t *columns, bool *explained)
{
    const cnx_family *family = &m->families->items[number];
    uint32_t count = family->kinds[kind].count;
    if (count < 2 || count > CNX_LIMIT_MATCHED_MEMBERS) {
        memset(explained, true, count);
        return 0;
    }
    cnx_arena *scratch = cnx_arena_create(m->arena);
    double *distance = CNX_NEW_ARRAY(scratch, double, count);
    double *gram = CNX_NEW_ARRAY(scratch, double, (size_t)count *count);
    cnx_view_of_evidence view = {family->nested ? CNX_READ_HELD : CNX_READ_PLAIN, known,
                                 family->nested ? m->whole : m->points, m->whole};
    cnx_add_distances(m->families, family, kind, &view, rows, columns, count, distance);
    cnx_add_gram(m->families, family, kind, &view, rows, count, gram);
    uint32_t unexplained = mark_explained(gram, distance, count, explained);
    cnx_arena_destroy(scratch);
    return unexplained;
}

/* ---- assigning ---- */

/* The best total for members of cell `a` going to places of cell `b`, which is of the same kind, with
 * everything inside them. When `choose`, writes it down; then a is b, or a's block goes to b's. */
static double assign_cells(matcher *m, cnx_arena *arena, uint32_t a, uint32_t b, bool choose)
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
            size_t row = f->place_of[from[i]], column = f->place_of[to[j]];
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

/* Assigns one kind among the members of each block, everything else held. Rows are places, too: the members
 * of a stand where their blocks went. */
static void assign_inside(matcher *m, uint32_t number, uint32_t kind, const bool *known)
{
    const cnx_family *family = &m->families->items[number];
    const cnx_kind *k = &family->kinds[kind];
    const cnx_cells *cells = m->cells;
    cnx_arena *scratch = cnx_arena_create(m->arena);
    for (uint32_t i = 0; i < k->count; i++)
        m->choice[k->classes[i]] = k->classes[i];
    complete(m, CNX_NONE, m->points);
    uint32_t *occupant = CNX_NEW_ARRAY(scratch, uint32_t, k->count);
    for (uint32_t i = 0; i < k->count; i++)
        occupant[m->families->place_of[m->image[k->classes[i]]]] = k->classes[i];
    double *gain = CNX_NEW_ARRAY(scratch, double, (size_t)k->count * k->count);
    const uint32_t *places = identity(scratch, k->count);
    cnx_view_of_evidence view = {CNX_READ_HELD, known, m->points, NULL};
    m->work += cnx_add_similarity(m->families, family, kind, &view, places, places, k->count, gain);
    for (uint32_t i = 0; i < k->count;) {
        const cnx_cell *cell = &cells->cells[cells->cell_of[k->classes[i]]];
        uint32_t *column = CNX_NEW_ARRAY(scratch, uint32_t, cell->count);
        cnx_assign(scratch, gain + (size_t)i * k->count + i, cell->count, k->count, column);
        for (uint32_t r = 0; r < cell->count; r++) {
            uint32_t class = occupant[i + r];
            const cnx_cell *own = &cells->cells[cells->cell_of[class]];
            m->choice[class] = cells->members[own->first + column[r]];
        }
        i += cell->count;
    }
    cnx_arena_destroy(scratch);
}

/* Assigns a family with blocks: as a whole, then each kind inside the blocks. */
static void assign_nested(matcher *m, uint32_t number, const bool *known)
{
    cnx_arena *scratch = cnx_arena_create(m->arena);
    cnx_view_of_evidence view = {CNX_READ_BLOCKS, known, m->points, NULL};
    m->family = &m->families->items[number];
    m->gain = CNX_NEW_ARRAY(scratch, double *, m->family->kind_count);
    for (uint32_t k = 0; k < m->family->kind_count; k++) {
        uint32_t count = m->family->kinds[k].count;
        const uint32_t *places = identity(scratch, count);
        m->gain[k] = CNX_NEW_ARRAY(scratch, double, (size_t)count *count);
        m->work += cnx_add_similarity(m->families, m->family, k, &view, places, places, count, m->gain[k]);
    }
    assign_cells(m, scratch, m->family->cell, m->family->cell, true);
    cnx_arena_destroy(scratch);
    for (uint32_t k = 1; k < m->families->items[number].kind_count; k++)
        assign_inside(m, number, k, known);
}

/* Assigns those members of a plain family that are not explained among themselves. */
static void assign_plain(matcher *m, uint32_t number, const bool *known, const uint32_t *columns,
                         const bool *explained, uint32_t unexplained)
{
    const cnx_family *family = &m->families->items[number];
    const cnx_kind *kind = &family->kinds[0];
    cnx_arena *scratch = cnx_arena_create(m->arena);
    uint32_t *from = CNX_NEW_ARRAY(scratch, uint32_t, unexplained),
             *to = CNX_NEW_ARRAY(scratch, uint32_t, unexplained);
    uint32_t *column = CNX_NEW_ARRAY(scratch, uint32_t, unexplained), count = 0;
    double *gain = CNX_NEW_ARRAY(scratch, double, (size_t)unexplained *unexplained), before = 0;
    for (uint32_t i = 0; i < kind->count; i++)
        if (!explained[i]) {
            from[count] = i;
            to[count++] = columns[i];
        }
    cnx_view_of_evidence view = {CNX_READ_PLAIN, known, m->points, m->whole};
    m->work += cnx_add_similarity(m->families, family, 0, &view, from, to, count, gain);
    for (uint32_t i = 0; i < count; i++)
        before += gain[(size_t)i * count + i];
    double after = cnx_assign(scratch, gain, count, count, column);
    /* Members that tie must not change places for ever. */
    for (uint32_t i = 0; i < count && after - before > 1e-9 * (after > 0 ? after : -after); i++)
        m->choice[kind->classes[from[i]]] = kind->classes[to[column[i]]];
    cnx_arena_destroy(scratch);
}

static bool fits_limits(matcher *m, uint32_t number)
{
    const cnx_family *family = &m->families->items[number];
    for (size_t k = 0; k < family->kind_count; k++)
        if (family->kinds[k].count > CNX_LIMIT_MATCHED_MEMBERS)
            return false;
    m->ran_out = m->ran_out || m->work > CNX_LIMIT_MATCHING_WORK * 1e9;
    return !m->ran_out;
}

/* The tensor that names a family for people. */
static const char *family_name(const matcher *m, const cnx_family *family)
{
    return family->evidence_count != 0 ? m->c->pairs[family->evidence[0].pair].a_name : "?";
}

/* Brings one family into its best order under the evidence that is known; `settle` false: only looks. Returns
 * whether everything was explained as it stands. */
static bool visit(matcher *m, uint32_t number, const bool *known, bool settle)
{
    const cnx_family *family = &m->families->items[number];
    cnx_arena *scratch = cnx_arena_create(m->arena);
    uint32_t unexplained = 0;
    complete(m, CNX_NONE, m->whole);
    uint32_t **columns = CNX_NEW_ARRAY(scratch, uint32_t *, family->kind_count);
    bool **explained = CNX_NEW_ARRAY(scratch, bool *, family->kind_count);
    uint32_t **rows = CNX_NEW_ARRAY(scratch, uint32_t *, family->kind_count);
    for (uint32_t k = 0; k < family->kind_count; k++) {
        rows[k] = CNX_NEW_ARRAY(scratch, uint32_t, family->kinds[k].count);
        columns[k] = CNX_NEW_ARRAY(scratch, uint32_t, family->kinds[k].count);
        explained[k] = CNX_NEW_ARRAY(scratch, bool, family->kinds[k].count);
        list_places(m, number, k, rows[k], columns[k]);
    }
    complete(m, number, m->points);
    for (uint32_t k = 0; k < family->kind_count; k++)
        unexplained += explain_kind(m, number, k, known, rows[k], columns[k], explained[k]);
    if (settle && unexplained != 0 && fits_limits(m, number)) {
        if (family->nested)
            assign_nested(m, number, known);
        else if (unexplained > 1)
            assign_plain(m, number, known, columns[0], explained[0], unexplained);
    }
    cnx_arena_destroy(scratch);
    return unexplained == 0;
}

/* ---- the order ---- */

/* The share of a family's elements in tensors whose other axes are known. */
static double known_share(const matcher *m, const cnx_family *family)
{
    cnx_reading reading = family->nested ? CNX_READ_BLOCKS : CNX_READ_PLAIN;
    double all = 0, usable = 0;
    for (size_t i = 0; i < family->evidence_count; i++) {
        double elements = (double)family->evidence[i].elements;
        all += elements;
        usable += cnx_may_use(family, &family->evidence[i], reading, m->known) ? elements : 0;
    }
    return all == 0 ? 2 : usable / all; /* without evidence: out of the way */
}

static uint32_t best_known(const matcher *m)
{
    uint32_t best = CNX_NONE;
    double most = -1;
    for (uint32_t i = 0; i < m->families->count; i++) {
        double share = m->known[i] ? -1 : known_share(m, &m->families->items[i]);
        if (share > most) {
            most = share;
            best = i;
        }
    }
    return best;
}

/* Families are assigned by what is known, the best known first. Where nothing is, everything has to do.
 * Returns whether all were explained where they stand. */
static bool spread(matcher *m)
{
    bool all = true;
    for (uint32_t i = 0; i < m->families->count; i++)
        all = (m->known[i] = visit(m, i, NULL, false)) && all;
    for (uint32_t next; (next = best_known(m)) != CNX_NONE;) {
        bool blind = known_share(m, &m->families->items[next]) == 0;
        visit(m, next, blind ? NULL : m->known, true);
        m->known[next] = true;
    }
    return all;
}

static bool sweep(matcher *m, uint32_t *before)
{
    memcpy(before, m->choice, m->cells->class_count * sizeof *before);
    for (uint32_t i = 0; i < m->families->count; i++)
        visit(m, i, NULL, true);
    return memcmp(before, m->choice, m->cells->class_count * sizeof *before) != 0;
}

/* ---- all of it ---- */

/* The weighted squared distance of all tensors that are evidence, each once. */
static double total_distance(matcher *m, const uint32_t *points)
{
    cnx_arena *scratch = cnx_arena_create(m->arena);
    bool *counted = CNX_NEW_ARRAY(scratch, bool, m->c->pair_count);
    double total = 0;
    for (size_t i = 0; i < m->families->count; i++)
        for (size_t k = 0; k < m->families->items[i].evidence_count; k++) {
            const cnx_evidence *evidence = &m->families->items[i].evidence[k];
            if (counted[evidence->pair])
                continue;
            counted[evidence->pair] = true;
            const cnx_pair *pair = &m->c->pairs[evidence->pair];
            total +=
                evidence->weight *
                cnx_squared_distance(m->c, pair, cnx_pair_permutation(m->c, scratch, pair, points), NULL);
        }
    cnx_arena_destroy(scratch);
    return total;
}

static void report_limits(matcher *m)
{
    for (size_t i = 0; i < m->families->count; i++) {
        const cnx_family *family = &m->families->items[i];
        for (size_t k = 0; k < family->kind_count; k++)
            if (family->kinds[k].count > CNX_LIMIT_MATCHED_MEMBERS)
                cnx_comparison_note(
                    m->c,
                    "the %u members of the class that %s shows were not assigned to each other "
                    "(limit matched-members)",
                    family->kinds[k].count, family_name(m, family));
    }
    if (m->ran_out)
        cnx_comparison_note(m->c,
                            "the search for the nearest permutation was cut short (limit matching-work)");
}

static bool moves(const matcher *m)
{
    for (uint32_t class = 0; class < m->cells->class_count; class ++)
        if (m->choice[class] != class)
            return true;
    return false;
}

uint32_t *cnx_match_weights(cnx_comparison *c)
{
    matcher m = {.c = c, .arena = cnx_arena_create(c->arena), .cells = cnx_analysis_cells(c->analysis)};
    m.families = cnx_find_families(c, m.arena);
    m.choice = CNX_NEW_ARRAY(m.arena, uint32_t, m.cells->class_count);
    m.image = CNX_NEW_ARRAY(m.arena, uint32_t, m.cells->class_count);
    m.points = CNX_NEW_ARRAY(m.arena, uint32_t, c->analysis->points->point_count);
    m.whole = CNX_NEW_ARRAY(m.arena, uint32_t, c->analysis->points->point_count);
    m.known = CNX_NEW_ARRAY(m.arena, bool, m.families->count);
    uint32_t *before = CNX_NEW_ARRAY(m.arena, uint32_t, m.cells->class_count);
    for (uint32_t class = 0; class < m.cells->class_count; class ++)
        m.choice[class] = class;
    if (!spread(&m))
        for (unsigned i = 0; i < MOST_SWEEPS && sweep(&m, before); i++)
            ;
    report_limits(&m);
    uint32_t *points = NULL;
    complete(&m, CNX_NONE, m.points);
    if (moves(&m) && total_distance(&m, m.points) < total_distance(&m, NULL)) {
        points = CNX_NEW_ARRAY(c->arena, uint32_t, c->analysis->points->point_count);
        memcpy(points, m.points, c->analysis->points->point_count * sizeof *points);
    }
    cnx_arena_destroy(m.arena);
    return points;
}
