/* Coordinate descent chooses the numbers of one unit while all others are held. It gets stuck where only
 * several together make things better: a layer doubled, and the next one halved. But with the permutation
 * known there is no need to search. A sign or an exponent of two is read off every single element of a
 * weight: b's element, multiplied, is to be nearly a's. So each states an equation,
 *
 *     the sum of the numbers that act on the element = log2 |a / b|, rounded,
 *
 * and one modulo two for signs. There are many more equations than unknowns, and those of elements that are
 * small beside the noise are wrong. They are added in the order of what they explain, the strongest first,
 * and those that contradict stronger ones are left out: as in Kruskal's algorithm, what is found is a tree of
 * the strongest evidence between any two units. Numbers that no equation determines stay as they are.
 *
 * Elements that are multiplied alike are one entry: sums over the axes along which nothing is multiplied, of
 * a a, a b and b b. What an entry explains is (sum of a b)^2 / (sum of b b), in units of the tensor's
 * variance: its norm, if b is a multiple of a. It is the same for every member of b's orbit.
 *
 * Cost: a pass over all tensors that are multiplied; of every position of an axis the few strongest entries
 * have a vote, so that there are a few equations for every unknown. Tensors of too many entries have none. */
#include "compare/votes.h"

#include "base/divisor.h"
#include "compare/families.h"
#include "compare/multiplied.h"
#include "compare/pair_reader.h"
#include "compare/permuted.h"
#include "proto/limits.h"
#include "rewrite/permute.h"

#include <math.h>
#include <stdlib.h>

/* Entries that a tensor may have, and those of a position that vote. */
#define MOST_ENTRIES ((uint64_t)1 << 22)
enum { VOTES = 4, FARTHEST = 200 };

/* An axis along which a tensor is multiplied. */
typedef struct axis {
    uint32_t number;   /* in the tensor */
    uint32_t governor; /* axis of the tensor, or CNX_NONE */
    uint32_t block;
    uint32_t extent;
    uint32_t count;          /* of positions in its sequence */
    cnx_position_sum *signs; /* by position */
    cnx_position_sum *exponents;
} axis;

/* A tensor's multiplied axes; an entry is a position of each, the last one's side by side. */
typedef struct ballot {
    uint32_t axis_count;
    axis axes[CNX_LIMIT_TENSOR_RANK];
} ballot;

typedef struct entry {
    double aa, ab, bb;
} entry;

typedef struct vote {
    double explained;
    const ballot *of;
    uint32_t pair;
    uint64_t entry;
    int32_t exponent;
    bool negative;
} vote;

typedef struct voting {
    cnx_comparison *c;
    cnx_arena *arena;
    const uint32_t *points;
    const cnx_numbers *numbers;
    size_t count, capacity;
    vote *votes;
} voting;

/* ---- entries ---- */

/* NULL when nothing multiplies the tensor, or it has too many entries. */
static ballot *print_ballot(const voting *v, const cnx_pair *pair, uint64_t *entries)
{
    const cnx_analysis *analysis = v->c->analysis;
    const cnx_scalings *scalings = cnx_comparison_scalings(v->c);
    const cnx_parameter *of = &analysis->parameters[pair->parameter];
    ballot *made = CNX_NEW(v->arena, ballot);
    *entries = 1;
    for (uint32_t k = 0; k < of->tensor->rank; k++) {
        const cnx_labels *labels = cnx_parameter_labels(of, k);
        axis one = {.number = k, .extent = (uint32_t)of->tensor->dims[k]};
        if (labels == NULL || !cnx_is_multiplied(scalings, pair->parameter, k, CNX_SIGN_AND_SCALE) ||
            !cnx_find_governor(of, k, &one.governor, &one.block))
            continue;
        one.count = labels->sequence->count;
        *entries *= one.count;
        if (*entries > MOST_ENTRIES)
            return NULL;
        one.signs = cnx_axis_sums(v->arena, analysis, scalings, pair->parameter, k, CNX_SIGN);
        one.exponents = cnx_axis_sums(v->arena, analysis, scalings, pair->parameter, k, CNX_SCALE);
        made->axes[made->axis_count++] = one;
    }
    return made->axis_count != 0 ? made : NULL;
}

static uint64_t entry_at(const ballot *of, const uint32_t *at)
{
    uint64_t number = 0;
    for (uint32_t i = 0; i < of->axis_count; i++) {
        const axis *one = &of->axes[i];
        uint32_t before = one->governor != CNX_NONE ? at[one->governor] / one->block * one->extent : 0;
        number = number * one->count + before + at[one->number];
    }
    return number;
}

/* Moves to the next element. */
static void step(const cnx_tensor *tensor, uint32_t *at)
{
    for (uint32_t k = tensor->rank; k-- > 0;) {
        if (++at[k] < (uint64_t)tensor->dims[k])
            return;
        at[k] = 0;
    }
}

/* Sums up a pair of tensors. Returns what a squared number counts. */
static double add_entries(const voting *v, const cnx_pair *pair, const ballot *of, entry *entries)
{
    cnx_arena *scratch = cnx_arena_create(v->arena);
    cnx_pair_reader reader =
        cnx_pair_reader_open(v->c, pair, cnx_pair_permutation(v->c, scratch, pair, v->points),
                             cnx_pair_factors(v->c, scratch, pair, v->numbers), scratch);
    uint32_t at[CNX_LIMIT_TENSOR_RANK] = {0};
    uint64_t total = pair->a->count;
    double sum = 0, squares = 0;
    for (uint64_t first = 0; first < total; first += CNX_PAIR_BLOCK) {
        size_t count = total - first < CNX_PAIR_BLOCK ? (size_t)(total - first) : CNX_PAIR_BLOCK;
        cnx_pair_read(&reader, first, count);
        for (size_t i = 0; i < count; i++, step(pair->a, at)) {
            double a = reader.a[i], b = reader.b[i];
            if (!isfinite(a) || !isfinite(b))
                continue;
            entry *here = &entries[entry_at(of, at)];
            here->aa += a * a;
            here->ab += a * b;
            here->bb += b * b;
            sum += a;
            squares += a * a;
        }
    }
    cnx_arena_destroy(scratch);
    double variance = squares / (double)total - sum / (double)total * (sum / (double)total);
    return 1 / (variance > 1e-12 * squares / (double)total ? variance : squares / (double)total);
}

/* ---- who has a vote ---- */

static double explained_by(const entry *one)
{
    return one->bb > 0 ? one->ab * one->ab / one->bb : 0;
}

/* The strongest entries of a position, the first strongest. */
typedef struct strongest {
    uint64_t entry[VOTES];
    double explained[VOTES];
} strongest;

static void enter(strongest *list, uint64_t number, double explained)
{
    for (unsigned i = 0; i < VOTES; i++)
        if (explained > list->explained[i]) {
            for (unsigned k = VOTES - 1; k > i; k--) {
                list->explained[k] = list->explained[k - 1];
                list->entry[k] = list->entry[k - 1];
            }
            list->explained[i] = explained;
            list->entry[i] = number;
            return;
        }
}

static void cast(voting *v, uint32_t pair, const ballot *of, const entry *entries, uint64_t number,
                 double weight)
{
    const entry *one = &entries[number];
    double exponent = log2(one->aa / one->bb) / 2;
    if (!(fabs(exponent) < FARTHEST))
        return;
    vote made = {weight * explained_by(one), of, pair, number, (int32_t)lrint(exponent), one->ab < 0};
    CNX_PUSH(v->arena, v->votes, v->count, v->capacity, made);
}

static void let_vote(voting *v, uint32_t number)
{
    const cnx_pair *pair = &v->c->pairs[number];
    uint64_t count, inner = 1;
    const ballot *of = print_ballot(v, pair, &count);
    if (of == NULL)
        return;
    cnx_arena *scratch = cnx_arena_create(v->arena);
    entry *entries = CNX_NEW_ARRAY(scratch, entry, count);
    double weight = add_entries(v, pair, of, entries);
    for (uint32_t k = of->axis_count; k-- > 0; inner *= of->axes[k].count) {
        strongest *list = CNX_NEW_ARRAY(scratch, strongest, of->axes[k].count);
        for (uint64_t i = 0; i < count; i++)
            enter(&list[i / inner % of->axes[k].count], i, explained_by(&entries[i]));
        for (uint32_t p = 0; p < of->axes[k].count; p++)
            for (unsigned i = 0; i < VOTES && list[p].explained[i] > 0; i++)
                cast(v, number, of, entries, list[p].entry[i], weight);
    }
    cnx_arena_destroy(scratch);
}

/* ---- counting ---- */

static int compare_votes(const void *a, const void *b)
{
    const vote *x = a, *y = b;
    if (x->explained != y->explained)
        return x->explained > y->explained ? -1 : 1;
    if (x->pair != y->pair)
        return x->pair < y->pair ? -1 : 1;
    return (x->entry > y->entry) - (x->entry < y->entry);
}

/* A combination of unknowns. */
typedef struct combination {
    uint32_t count;
    cnx_term terms[CNX_MOST_TERMS];
} combination;

/* False when there is no room. */
static bool add_term(combination *sum, cnx_term term, bool modulo_two)
{
    uint32_t i = 0;
    while (i < sum->count && sum->terms[i].unknown != term.unknown)
        i++;
    if (i == CNX_MOST_TERMS)
        return false;
    if (i == sum->count)
        sum->terms[sum->count++] = (cnx_term){term.unknown, 0};
    sum->terms[i].factor += term.factor;
    sum->terms[i].factor &= modulo_two ? 1 : -1;
    if (sum->terms[i].factor == 0)
        sum->terms[i] = sum->terms[--sum->count];
    return true;
}

/* What of a combination is still free. */
static bool reduce(cnx_equations *system, const combination *whole, bool modulo_two, combination *rest)
{
    bool fits = true;
    rest->count = 0;
    for (uint32_t i = 0; i < whole->count; i++) {
        const cnx_term *terms;
        size_t count = cnx_equations_value(system, whole->terms[i].unknown, &terms);
        for (size_t t = 0; t < count && fits; t++)
            fits = add_term(rest, (cnx_term){terms[t].unknown, terms[t].factor * whole->terms[i].factor},
                            modulo_two);
    }
    return fits;
}

/* Whether it can be solved for an unknown other than one. */
static bool is_solvable(const combination *rest)
{
    uint64_t divisor = 0;
    bool solvable = false;
    for (uint32_t i = 0; i < rest->count; i++)
        divisor = cnx_greatest_divisor((uint64_t)abs(rest->terms[i].factor), divisor);
    for (uint32_t i = 0; i < rest->count; i++)
        solvable =
            solvable || (rest->terms[i].unknown != 0 && (uint64_t)abs(rest->terms[i].factor) == divisor);
    return solvable;
}

/* States what a vote says, unless stronger ones have said what follows from them. */
static void count_vote(cnx_equations *system, const vote *one, cnx_scaling_kind kind)
{
    combination whole = {0}, rest;
    bool modulo_two = kind == CNX_SIGN, fits = true;
    uint64_t number = one->entry;
    for (uint32_t k = one->of->axis_count; k-- > 0; number /= one->of->axes[k].count) {
        const axis *along = &one->of->axes[k];
        const cnx_position_sum *sum = &(modulo_two ? along->signs : along->exponents)[number % along->count];
        for (size_t t = 0; t < sum->count && fits; t++)
            fits = add_term(&whole, sum->terms[t], modulo_two);
    }
    int32_t wanted = modulo_two ? one->negative : -one->exponent;
    if (fits && wanted != 0)
        fits = add_term(&whole, (cnx_term){0, wanted}, modulo_two);
    if (fits && reduce(system, &whole, modulo_two, &rest) && is_solvable(&rest))
        cnx_equations_add(system, whole.terms, whole.count);
}

/* Changes the numbers of one kind. */
static void count_votes(const voting *v, cnx_scaling_kind kind, int32_t *numbers)
{
    cnx_arena *scratch = cnx_arena_create(v->arena);
    uint32_t generators, count;
    cnx_scaling_generators(cnx_comparison_scalings(v->c), kind, &generators, &count);
    uint32_t *priority = CNX_NEW_ARRAY(scratch, uint32_t, (size_t)count + 1); /* one is never solved for */
    for (uint32_t i = 0; i < count; i++)
        priority[i + 1] = 1;
    cnx_equations *system = cnx_equations_create(scratch, (size_t)count + 1, kind == CNX_SIGN, priority);
    for (size_t i = 0; i < v->count; i++)
        count_vote(system, &v->votes[i], kind);
    for (uint32_t i = 0; i < count && cnx_equations_is_free(system, 0); i++) {
        const cnx_term *terms;
        size_t term_count = cnx_equations_value(system, i + 1, &terms);
        for (size_t t = 0; t < term_count; t++)
            if (terms[t].unknown == 0)
                numbers[i] =
                    kind == CNX_SIGN ? numbers[i] ^ (terms[t].factor & 1) : numbers[i] + terms[t].factor;
    }
    cnx_arena_destroy(scratch);
}

void cnx_vote_numbers(cnx_comparison *c, const uint32_t *points, unsigned kinds, cnx_numbers *numbers)
{
    voting v = {.c = c, .arena = cnx_arena_create(c->arena), .points = points, .numbers = numbers};
    for (size_t i = 0; i < c->pair_count; i++)
        if (cnx_is_evidence(c, &c->pairs[i]))
            let_vote(&v, (uint32_t)i);
    if (v.count > 1)
        qsort(v.votes, v.count, sizeof *v.votes, compare_votes);
    if (kinds & CNX_SIGN)
        count_votes(&v, CNX_SIGN, numbers->signs);
    if (kinds & CNX_SCALE)
        count_votes(&v, CNX_SCALE, numbers->exponents);
    cnx_arena_destroy(v.arena);
}
