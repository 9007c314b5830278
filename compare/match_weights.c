/* Weight matching: the symmetry of a that brings its weights closest to b's. It consists of a permutation of
 * a, and of signs and exponents of two that multiply b (multiples.h), so that distances are in a's units and
 * the same for every member of b's orbit.
 *
 * Every class of exchangeable channels could be assigned by itself if the others were known: which row of a's
 * weight is most like which row of b's is a linear assignment problem, once their columns are in the same
 * order. So classes (families, see families.h) are assigned in turn until nothing changes, as in weight
 * matching for merging models (Ainsworth, Hayase, Srinivasa: Git Re-Basin, 2022). It is coordinate descent:
 * it ends at a local optimum.
 *
 * Three things make it find the optimum where there is a clear one:
 *
 *   - Where it starts. What is provably best where it stands stays: such members are *explained*
 * (explained.c). In a fine-tuned model that was not moved all are, and no full product is taken.
 *   - The order. At first a family is assigned by those tensors only whose other axes are known: pinned, or
 * assigned before. The first family is one next to the inputs or outputs; from there knowledge spreads, and
 * no tensor whose columns are still in disorder adds noise. After that, all tensors count.
 *   - The measure. Squared differences are divided by the variance of a's tensor, so that every element has
 * the same say, whether it is a weight of 0.01 or a running variance of 100.
 *
 * Where nothing stands where it belongs, signs and scales that are not known yet would hide what goes where.
 * So the search first runs without them: on magnitudes of weights, after scales have been chosen by a rule
 * that finds the same ones whatever member of the orbit it is given (balance.c). Magnitudes say as much about
 * who is who as the numbers do. Where nothing is known of the other axes of a tensor, its slices are sorted.
 * They are compared where nothing else is known, and in small families always: a bias of one element is not
 * enough to go by. Then, for the permutation found, signs and scales are read off the weights, all at once
 * (votes.c), and all three together are improved.
 *
 * No step makes things worse: what is chosen for one family is the best for the evidence that can be looked
 * at, and taken back when all of its evidence says otherwise. So the search ends, and where it ends does not
 * depend on how often it went around. When families and votes have nothing to add, the distance of all
 * tensors says which of several searches was the best; it is the same sum for all of them.
 *
 * Signs and scales: of a pair of members that may be flipped the better of both signs counts; where they may
 * be scaled, the angle between their slices instead of the distance. Once members are assigned, each chooses
 * its signs and exponents anew. That, too, ends where no single member can be improved, so votes are cast
 * again.
 *
 * Blocks: a pair of heads is worth what the best assignment of their insides is worth, so all pairs of heads
 * are assigned inside first, then the heads, then the insides of the chosen pairs. A tensor that shows blocks
 * and their insides in two ways at once cannot be used for that; with the blocks held it can, and each kind
 * of insides, with what is inside of them, is assigned once more.
 *
 * The assignment of one family is optimal for the evidence at hand (assignment.h). Larger kinds than the
 * limit matched-members, and everything after the limit matching-work is reached, stay as they are; a note
 * says so. */
#include "compare/match.h"

#include "compare/balance.h"
#include "compare/matcher.h"
#include "compare/measure.h"
#include "compare/multiplied.h"
#include "compare/permuted.h"
#include "compare/votes.h"
#include "proto/limits.h"

#include <math.h>

enum { MOST_SWEEPS = 12, MOST_VOTES = 4 };

/* Multiply-adds up to which a search may be repeated: a second or so. */
#define CHEAP_WORK 1e10

/* And up to which it is repeated even where members are all explained: next to units that have few weights
 * the signs and scales can still be a local optimum. */
#define NO_WORK 1e8

/* ---- the order ---- */

/* The share of a family's elements in tensors whose other axes are known. */
static double known_share(const cnx_matcher *m, const cnx_family *family)
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

static uint32_t best_known(const cnx_matcher *m)
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

/* Whether all families are explained where they stand. */
static bool look(cnx_matcher *m)
{
    bool all = true;
    for (uint32_t i = 0; i < m->families->count; i++)
        all = (m->known[i] = cnx_visit_family(m, i, NULL, CNX_LOOK)) && all;
    return all;
}

/* The family that is known best is visited; CNX_LOOK stands for nothing. */
static void visit_next(cnx_matcher *m, uint32_t next, cnx_visit what, cnx_visit blind)
{
    const cnx_family *family = &m->families->items[next];
    double share = known_share(m, family);
    if (m->families->magnitudes && (share == 0 || (share < 1 && cnx_is_cheap(family)))) {
        m->families->sorted = m->known;
        cnx_visit_family(m, next, NULL, share == 0 ? blind : what);
        m->families->sorted = NULL;
    } else if ((share == 0 ? blind : what) != CNX_LOOK) {
        cnx_visit_family(m, next, share == 0 ? NULL : m->known, share == 0 ? blind : what);
    }
}

/* Families are assigned, or only multiplied, by what is known, the best known first. Where nothing is,
 * `blind` is done by everything; CNX_LOOK stands for nothing. */
static void spread(cnx_matcher *m, cnx_visit what, cnx_visit blind)
{
    m->order_count = 0;
    for (uint32_t i = 0; i < m->families->count; i++)
        if (m->known[i])
            m->order[m->order_count++] = i;
    for (uint32_t next; (next = best_known(m)) != CNX_NONE;) {
        visit_next(m, next, what, blind);
        m->known[next] = true;
        m->order[m->order_count++] = next;
    }
}

/* Visits a family, and takes back what does not make things better: what is chosen for one kind of members is
 * the best for the evidence that can be looked at while the others are held, and there is other evidence.
 * Magnitudes are not what counts in the end, so there everything is taken. Returns whether something changed.
 */
static bool visit_again(cnx_matcher *m, uint32_t number, cnx_visit what)
{
    const cnx_family *family = &m->families->items[number];
    const cnx_scalings *scalings = cnx_comparison_scalings(m->c);
    cnx_arena *scratch = cnx_arena_create(m->arena);
    size_t size = m->cells->class_count * sizeof *m->choice;
    cnx_numbers *numbers = cnx_numbers_copy(scratch, scalings, m->numbers);
    memcpy(m->before, m->choice, size);
    m->moved = false;
    cnx_visit_family(m, number, NULL, what);
    bool changed = m->moved || memcmp(m->before, m->choice, size) != 0;
    if (changed && !m->families->magnitudes) {
        uint32_t *choice = CNX_NEW_ARRAY(scratch, uint32_t, m->cells->class_count);
        memcpy(choice, m->choice, size);
        cnx_matcher_complete(m, CNX_NONE, m->points);
        double after = cnx_matcher_distance(m, family, m->points, m->numbers);
        memcpy(m->choice, m->before, size);
        cnx_matcher_complete(m, CNX_NONE, m->points);
        double before = cnx_matcher_distance(m, family, m->points, numbers);
        changed = after < before * (1 - 1e-9);
        if (changed)
            memcpy(m->choice, choice, size);
        else
            cnx_numbers_assign(scalings, m->numbers, numbers);
    }
    cnx_arena_destroy(scratch);
    return changed;
}

/* All families once more, those first that were assigned last: not all evidence for their numbers was known
 * then, and the others would follow them. */
static bool sweep(cnx_matcher *m, cnx_visit what)
{
    bool changed = false;
    for (uint32_t i = m->order_count; i-- > 0;)
        changed = visit_again(m, m->order[i], what) || changed;
    return changed;
}

static void find_families(cnx_matcher *m, unsigned kinds, bool magnitudes)
{
    const double *weights = magnitudes ? cnx_weigh_pairs(m->c, m->arena, true) : m->weights;
    m->families = cnx_find_families(m->c, m->arena, kinds, magnitudes, weights);
    m->known = CNX_NEW_ARRAY(m->arena, bool, m->families->count);
    m->order = CNX_NEW_ARRAY(m->arena, uint32_t, m->families->count);
    m->order_count = 0;
}

/* To where nothing gets better. */
static void improve(cnx_matcher *m, cnx_visit what)
{
    for (unsigned i = 0; i < MOST_SWEEPS && sweep(m, what); i++)
        ;
}

/* ---- all of it ---- */

/* The tensor that names a family for people. */
static const char *family_name(const cnx_matcher *m, const cnx_family *family)
{
    return family->evidence_count != 0 ? m->c->pairs[family->evidence[0].pair].a_name : "?";
}

static void report_large_kinds(cnx_matcher *m)
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
}

static bool moves(const cnx_matcher *m)
{
    for (uint32_t class = 0; class < m->cells->class_count; class ++)
        if (m->choice[class] != class)
            return true;
    return false;
}

/* A symmetry that was found, and how far the models are apart under it. */
typedef struct candidate {
    uint32_t *points;
    cnx_numbers *numbers;
    double distance;
    bool explained; /* surely the nearest */
} candidate;

static void start_at_identity(cnx_matcher *m)
{
    for (uint32_t class = 0; class < m->cells->class_count; class ++)
        m->choice[class] = class;
    m->numbers = cnx_numbers_create(m->c->arena, cnx_comparison_scalings(m->c));
    m->multiplies = false;
}

static candidate take_candidate(cnx_matcher *m, bool explained)
{
    candidate found = {.explained = explained};
    size_t count = m->c->analysis->points->point_count;
    cnx_matcher_complete(m, CNX_NONE, m->points);
    if (moves(m)) {
        found.points = CNX_NEW_ARRAY(m->c->arena, uint32_t, count);
        memcpy(found.points, m->points, count * sizeof *found.points);
    }
    found.numbers = m->multiplies ? m->numbers : NULL;
    return found;
}

/* Has all signs and scales chosen at once for the present permutation. Returns whether that is better. */
static bool vote(cnx_matcher *m, unsigned kinds)
{
    cnx_numbers *before = m->numbers;
    bool multiplied = m->multiplies;
    cnx_matcher_complete(m, CNX_NONE, m->points);
    double distance = cnx_matcher_distance(m, NULL, m->points, before);
    m->numbers = cnx_numbers_copy(m->c->arena, cnx_comparison_scalings(m->c), before);
    cnx_vote_numbers(m->c, m->points, kinds, m->numbers);
    m->multiplies = true;
    if (cnx_matcher_distance(m, NULL, m->points, m->numbers) < distance * (1 - 1e-9))
        return true;
    m->numbers = before;
    m->multiplies = multiplied;
    return false;
}

/* To where neither families nor votes make anything better. Returns whether all is explained. */
static bool finish(cnx_matcher *m, unsigned kinds)
{
    bool explained;
    for (unsigned i = 0; i < MOST_VOTES; i++) {
        improve(m, CNX_SETTLE);
        explained = look(m);
        if (kinds == 0 || (explained && m->work > NO_WORK) || !vote(m, kinds))
            break;
    }
    return explained;
}

/* Looks for the symmetry from the identity, with the kinds of numbers given. */
static candidate search(cnx_matcher *m, unsigned kinds)
{
    start_at_identity(m);
    find_families(m, kinds, false);
    bool explained = look(m);
    if (!explained) {
        spread(m, CNX_SETTLE, CNX_PERMUTE); /* blindly, no signs and scales are chosen */
        explained = finish(m, kinds);
    }
    return take_candidate(m, explained);
}

/* Looks for it from the permutation that brings balanced magnitudes together. */
static candidate search_balanced(cnx_matcher *m)
{
    start_at_identity(m);
    cnx_balance *balance = cnx_balance_begin(m->c, m->arena);
    find_families(m, 0, true);
    if (!look(m)) {
        spread(m, CNX_SETTLE, CNX_PERMUTE);
        improve(m, CNX_SETTLE);
    }
    cnx_matcher_complete(m, CNX_NONE, m->points);
    cnx_balance_end(balance, m->image, m->numbers);
    m->multiplies = true;
    find_families(m, CNX_SIGN_AND_SCALE, false);
    spread(m, CNX_LOOK, CNX_LOOK); /* only says in which order families are visited */
    vote(m, CNX_SIGN_AND_SCALE);
    return take_candidate(m, finish(m, CNX_SIGN_AND_SCALE));
}

/* Whether most families stand where they belong. */
static bool most_known(const cnx_matcher *m)
{
    size_t known = 0;
    for (size_t i = 0; i < m->families->count; i++)
        known += m->known[i];
    return 2 * known > m->families->count;
}

/* If the first search did not surely succeed, others start elsewhere or do without some kinds of numbers, as
 * long as that takes little time. */
static candidate search_all(cnx_matcher *m)
{
    enum { BALANCED = 4 };
    static const unsigned near[] = {CNX_SIGN_AND_SCALE, BALANCED, CNX_SIGN, CNX_SCALE, 0};
    static const unsigned far[] = {BALANCED, CNX_SIGN_AND_SCALE, CNX_SIGN, CNX_SCALE, 0};
    start_at_identity(m);
    find_families(m, CNX_SIGN_AND_SCALE, false);
    if (look(m))
        return (candidate){.explained = true}; /* what is usual: nothing moved */
    report_large_kinds(m);
    const unsigned *starts = most_known(m) ? near : far;
    candidate best = {.distance = cnx_matcher_distance(m, NULL, NULL, NULL)};
    for (unsigned i = 0; i < sizeof near / sizeof near[0]; i++) {
        if (m->work > (best.explained ? NO_WORK : CHEAP_WORK))
            break;
        candidate found = starts[i] == BALANCED ? search_balanced(m) : search(m, starts[i]);
        found.distance = cnx_matcher_distance(m, NULL, found.points, found.numbers);
        if (found.distance < best.distance)
            best = found;
    }
    if (m->ran_out && !best.explained)
        cnx_comparison_note(m->c, "the search for the nearest symmetry was cut short (limit matching-work)");
    return best;
}

void cnx_match_weights(cnx_comparison *c)
{
    cnx_matcher m = {.c = c, .arena = cnx_arena_create(c->arena), .cells = cnx_analysis_cells(c->analysis)};
    m.weights = cnx_weigh_pairs(c, m.arena, false);
    m.choice = CNX_NEW_ARRAY(m.arena, uint32_t, m.cells->class_count);
    m.before = CNX_NEW_ARRAY(m.arena, uint32_t, m.cells->class_count);
    m.image = CNX_NEW_ARRAY(m.arena, uint32_t, m.cells->class_count);
    m.points = CNX_NEW_ARRAY(m.arena, uint32_t, c->analysis->points->point_count);
    m.whole = CNX_NEW_ARRAY(m.arena, uint32_t, c->analysis->points->point_count);
    candidate best = search_all(&m);
    c->points = best.points;
    c->numbers = best.numbers;
    cnx_arena_destroy(m.arena);
}
