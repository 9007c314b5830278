/* A member that goes to a place of b is compared with what is there up to the signs and exponents that the
 * group allows it. Slices of a member fall into classes by their *multiple*: the rows of a layer are
 * multiplied by its factor, the columns of the next one by the inverse, a running variance by the square. For
 * each multiple v three sums over the slices are enough to tell how far they are for any choice,
 *
 *     |a - s 2^e b|^2 = aa - 2 s 2^e ab + 4^e bb,        s = product of signs in v, e = v . exponents.
 *
 * Signs and exponents are first guessed, then improved step by step. The guess does not depend on those that
 * b's member has at present, so that what is found is the same for all of b's orbit:
 *
 *   - from slices that are recognisably alike (by their angle), those with most of a's norm first: the sign
 *     of their product, the power of two that is nearest to the quotient of their norms;
 *   - for exponents about which these say nothing (of units that are dead in one of the models), the one that
 *     makes b's slices on both sides of the unit equally small. As long as only one side is known, they stay.
 */
#include "compare/multiples.h"

#include "compare/multiplied.h"

#include <math.h>
#include <stdlib.h>

struct cnx_multipliers {
    unsigned followed; /* kinds */
    const cnx_analysis *analysis;
    const cnx_scalings *scalings;
    const cnx_cells *cells;
    struct by_kind {
        const cnx_generator *generators;
        uint32_t *start; /* by cell: range in `list` */
        uint32_t *list;  /* generators */
        uint32_t *place; /* by generator: which of its cell's it is */
    } kinds[2];          /* signs, scales */
};

static const struct by_kind *kind_of(const cnx_multipliers *m, cnx_scaling_kind kind)
{
    return &m->kinds[kind == CNX_SIGN ? 0 : 1];
}

static void list_generators(cnx_multipliers *m, cnx_arena *arena, cnx_scaling_kind kind)
{
    uint32_t count, numbers, cells = m->cells->cell_count;
    struct by_kind *k = &m->kinds[kind == CNX_SIGN ? 0 : 1];
    k->generators = cnx_scaling_generators(m->scalings, kind, &count, &numbers);
    k->start = CNX_NEW_ARRAY(arena, uint32_t, (size_t)cells + 1);
    k->list = CNX_NEW_ARRAY(arena, uint32_t, count);
    k->place = CNX_NEW_ARRAY(arena, uint32_t, count);
    for (uint32_t g = 0; g < count; g++)
        k->place[g] = k->start[k->generators[g].cell + 1]++;
    for (uint32_t cell = 0; cell < cells; cell++)
        k->start[cell + 1] += k->start[cell];
    for (uint32_t g = 0; g < count; g++)
        k->list[k->start[k->generators[g].cell] + k->place[g]] = g;
}

cnx_multipliers *cnx_multipliers_create(cnx_comparison *c, cnx_arena *arena, unsigned kinds)
{
    cnx_multipliers *m = CNX_NEW(arena, cnx_multipliers);
    m->analysis = c->analysis;
    m->followed = kinds;
    m->scalings = cnx_comparison_scalings(c);
    m->cells = cnx_analysis_cells(c->analysis);
    list_generators(m, arena, CNX_SIGN);
    list_generators(m, arena, CNX_SCALE);
    return m;
}

uint32_t cnx_multiplier_count(const cnx_multipliers *m, cnx_scaling_kind kind, uint32_t cell)
{
    const struct by_kind *k = kind_of(m, kind);
    uint32_t count = k->start[cell + 1] - k->start[cell];
    bool followed = (m->followed & (unsigned)kind) != 0 &&
                    count <= (kind == CNX_SIGN ? CNX_MOST_SIGNS : CNX_MOST_EXPONENTS);
    return followed ? count : 0;
}

uint32_t cnx_multiplier_number(const cnx_multipliers *m, cnx_scaling_kind kind, uint32_t class,
                               uint32_t generator)
{
    const struct by_kind *k = kind_of(m, kind);
    uint32_t cell = m->cells->cell_of[class];
    return k->generators[k->list[k->start[cell] + generator]].first + m->cells->rank_of[class];
}

static void add_part(const cnx_multipliers *m, const cnx_scaling_action *action, const cnx_scaling_part *part,
                     cnx_multiple *multiple)
{
    uint32_t place = kind_of(m, action->kind)->place[part->generator];
    if (place >= cnx_multiplier_count(m, action->kind, action->cell))
        return;
    if (action->kind == CNX_SIGN)
        multiple->signs ^= UINT32_C(1) << place;
    else
        multiple->exponents[place] += part->factor;
}

cnx_multiple *cnx_multiples_along(cnx_arena *arena, const cnx_multipliers *m, size_t parameter, uint32_t axis)
{
    const cnx_labels *labels = cnx_parameter_labels(&m->analysis->parameters[parameter], axis);
    uint32_t action_count, place_count;
    const cnx_scaling_action *actions = cnx_scaling_actions(m->scalings, parameter, axis, &action_count);
    cnx_multiple *multiples = CNX_NEW_ARRAY(arena, cnx_multiple, labels->sequence->count);
    cnx_arena *scratch = cnx_arena_create(arena);
    for (uint32_t i = 0; i < action_count; i++) {
        const cnx_scaling_place *places =
            cnx_scaling_places(scratch, m->scalings, &actions[i], axis, &place_count);
        for (uint32_t k = 0; k < place_count; k++)
            for (uint32_t t = 0; t < actions[i].part_count; t++)
                add_part(m, &actions[i], &actions[i].parts[t], &multiples[places[k].position]);
    }
    cnx_arena_destroy(scratch);
    return multiples;
}

bool cnx_multiples_are_equal(const cnx_multiple *a, const cnx_multiple *b)
{
    return a->signs == b->signs && memcmp(a->exponents, b->exponents, sizeof a->exponents) == 0;
}

bool cnx_multiple_is_one(const cnx_multiple *multiple)
{
    static const cnx_multiple one = {0};
    return cnx_multiples_are_equal(multiple, &one);
}

/* ---- choosing ---- */

static int32_t exponent_of(const cnx_multiple *multiple, const int32_t *exponents)
{
    int32_t sum = 0;
    for (unsigned g = 0; g < CNX_MOST_EXPONENTS; g++)
        sum += multiple->exponents[g] * exponents[g];
    return sum;
}

double cnx_distance_under(const cnx_multiple *multiple, const cnx_likeness *likeness,
                          const cnx_choice *choice)
{
    bool odd = __builtin_parity(multiple->signs & choice->signs) != 0;
    double factor = ldexp(odd ? -1 : 1, exponent_of(multiple, choice->exponents));
    if (factor == 1)
        return likeness->distance;
    double left = likeness->aa - 2 * factor * likeness->ab + factor * factor * likeness->bb;
    return left > 0 ? left : 0;
}

typedef struct chooser {
    const cnx_multiple *multiples;
    size_t count;
    uint32_t sign_count;
    uint32_t exponent_count;
    const cnx_likeness *likeness;
    size_t stride;
    bool known[CNX_MOST_EXPONENTS]; /* a guess was made */
    uint32_t known_signs;
    cnx_choice choice;
} chooser;

static double cost(const chooser *c, const cnx_choice *choice)
{
    double sum = 0;
    for (size_t v = 0; v < c->count; v++)
        sum += cnx_distance_under(&c->multiples[v], &c->likeness[v * c->stride], choice);
    return sum;
}

/* Whether slices of a and b are recognisably alike: less than 60 degrees apart. */
static bool are_alike(const cnx_multiple *multiple, const cnx_likeness *l)
{
    double product = multiple->signs != 0 ? fabs(l->ab) : l->ab;
    return l->aa > 0 && l->bb > 0 && product > 0.5 * sqrt(l->aa * l->bb);
}

/* How many exponents of a multiple are not known; *last is one of them whose factor is 1 or -1. */
static uint32_t unknown_exponents(const chooser *c, size_t v, uint32_t *last)
{
    uint32_t count = 0, solvable = 0;
    for (uint32_t g = 0; g < c->exponent_count; g++)
        if (!c->known[g] && c->multiples[v].exponents[g] != 0) {
            bool unit = abs(c->multiples[v].exponents[g]) == 1;
            *last = unit ? g : *last;
            solvable += unit;
            count++;
        }
    return solvable != 0 ? count : 0;
}

static uint32_t unknown_signs(const chooser *c, size_t v)
{
    return (uint32_t)__builtin_popcount(c->multiples[v].signs & ~c->known_signs);
}

typedef uint32_t unknowns(const chooser *c, size_t v);

static uint32_t unknown_scales(const chooser *c, size_t v)
{
    uint32_t last = 0;
    return unknown_exponents(c, v, &last);
}

/* The multiple to guess from next: alike, with the fewest unknowns but some, and the most of a's norm. */
static size_t next_multiple(const chooser *c, unknowns *count)
{
    size_t best = c->count;
    uint32_t fewest = UINT32_MAX;
    for (size_t v = 0; v < c->count; v++) {
        const cnx_likeness *l = &c->likeness[v * c->stride];
        uint32_t unknown = count(c, v);
        if (unknown == 0 || unknown > fewest || !are_alike(&c->multiples[v], l) ||
            (unknown == fewest && l->aa <= c->likeness[best * c->stride].aa))
            continue;
        fewest = unknown;
        best = v;
    }
    return best;
}

static void guess_signs(chooser *c)
{
    for (size_t v; (v = next_multiple(c, unknown_signs)) < c->count;) {
        uint32_t unknown = c->multiples[v].signs & ~c->known_signs, one = unknown & -unknown;
        bool odd = __builtin_parity(c->multiples[v].signs & c->choice.signs) != 0;
        if ((c->likeness[v * c->stride].ab < 0) != odd)
            c->choice.signs |= one;
        c->known_signs |= unknown;
    }
}

/* Makes b's slices that an exponent multiplies as small as those that it divides. */
static void balance(chooser *c, uint32_t generator)
{
    int32_t *exponents = c->choice.exponents;
    double multiplied = 0, divided = 0;
    for (size_t v = 0; v < c->count; v++) {
        int32_t factor = c->multiples[v].exponents[generator];
        double norm = c->likeness[v * c->stride].bb * ldexp(1, 2 * exponent_of(&c->multiples[v], exponents));
        multiplied += factor > 0 ? norm : 0;
        divided += factor < 0 ? norm : 0;
    }
    c->known[generator] = multiplied > 0 && divided > 0;
    if (c->known[generator])
        exponents[generator] += (int32_t)lrint(log2(divided / multiplied) / 4);
}

static void guess_exponents(chooser *c)
{
    int32_t *exponents = c->choice.exponents;
    for (size_t v; (v = next_multiple(c, unknown_scales)) < c->count;) {
        const cnx_likeness *l = &c->likeness[v * c->stride];
        uint32_t generator = 0;
        unknown_exponents(c, v, &generator);
        double wanted = log2(l->aa / l->bb) / 2 - exponent_of(&c->multiples[v], exponents);
        exponents[generator] += c->multiples[v].exponents[generator] * (int32_t)lrint(wanted);
        c->known[generator] = true;
    }
    for (uint32_t g = 0; g < c->exponent_count; g++)
        if (!c->known[g])
            balance(c, g);
}

/* ---- improving ---- */

/* Takes the choice if it is better than the best so far, by more than rounding. */
static bool take(chooser *c, const cnx_choice *choice, double *least)
{
    double found = cost(c, choice);
    if (!(found < *least - 1e-12 * fabs(*least)))
        return false;
    *least = found;
    c->choice = *choice;
    return true;
}

/* With more generators than these, pairs of them take too long. */
enum { MOST_PAIRED = 6 };

/* Exponents one step up or down, alone and with another one, which may go along or the other way. */
static bool try_exponents(chooser *c, double *least)
{
    bool better = false;
    for (uint32_t g = 0; g < c->exponent_count; g++)
        for (uint32_t h = g; h < (c->exponent_count > MOST_PAIRED ? g + 1 : c->exponent_count) && c->known[g];
             h++)
            for (int32_t step = -1; step <= 1 && c->known[h]; step += 2)
                for (int32_t other = -1; other <= 1; other += 2) {
                    cnx_choice choice = c->choice;
                    choice.exponents[g] += step;
                    choice.exponents[h] += h != g ? other : 0;
                    better = take(c, &choice, least) || better;
                }
    return better;
}

static bool try_signs(chooser *c, double *least)
{
    bool better = false;
    for (uint32_t g = 0; g < c->sign_count; g++)
        for (uint32_t h = g; h < (c->sign_count > MOST_PAIRED ? g + 1 : c->sign_count); h++) {
            cnx_choice choice = c->choice;
            choice.signs ^= UINT32_C(1) << g;
            choice.signs ^= h != g ? UINT32_C(1) << h : 0;
            better = take(c, &choice, least) || better;
        }
    return better;
}

bool cnx_choose_factors(const cnx_multiple *multiples, size_t count, uint32_t sign_count,
                        uint32_t exponent_count, const cnx_likeness *likeness, size_t stride,
                        cnx_choice *choice)
{
    enum { MOST_STEPS = 32 };
    chooser c = {.multiples = multiples,
                 .count = count,
                 .sign_count = sign_count,
                 .exponent_count = exponent_count,
                 .likeness = likeness,
                 .stride = stride};
    cnx_choice none = {0};
    double present = cost(&c, &none), norm = 0;
    for (size_t v = 0; v < count; v++)
        norm += likeness[v * stride].aa;
    guess_signs(&c);
    guess_exponents(&c);
    double least = cost(&c, &c.choice);
    for (unsigned step = 0; step < MOST_STEPS; step++) {
        bool better = try_signs(&c, &least);
        if (!try_exponents(&c, &least) && !better)
            break;
    }
    *choice = c.choice;
    /* what ties, as slices of zeros do, must not change for ever */
    return least < present - 1e-9 * norm;
}
