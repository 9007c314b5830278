#include "compare/matcher.h"

#include "compare/explained.h"
#include "compare/measure.h"
#include "compare/multiplied.h"
#include "compare/permuted.h"
#include "proto/limits.h"

#include <math.h>

/* ---- the present symmetry ---- */

void cnx_matcher_complete(cnx_matcher *m, uint32_t without, uint32_t *points)
{
    for (uint32_t class = 0; class < m->cells->class_count; class ++) {
        bool stays = without != CNX_NONE && m->families->family_of[class] == without;
        m->image[class] = stays ? class : m->choice[class];
    }
    cnx_carry_classes(m->cells, m->image);
    cnx_permute_points(m->cells, m->image, points);
}

double cnx_matcher_distance(const cnx_matcher *m, const cnx_family *family, const uint32_t *points,
                            const cnx_numbers *numbers)
{
    cnx_arena *scratch = cnx_arena_create(m->arena);
    bool *counts = CNX_NEW_ARRAY(scratch, bool, m->c->pair_count);
    double total = 0;
    for (size_t i = 0; family != NULL && i < family->evidence_count; i++)
        counts[family->evidence[i].pair] = true;
    for (size_t i = 0; i < m->c->pair_count; i++) {
        const cnx_pair *pair = &m->c->pairs[i];
        if (m->weights[i] > 0 && (family == NULL || counts[i]))
            total += m->weights[i] * cnx_squared_distance(m->c, pair,
                                                          cnx_pair_permutation(m->c, scratch, pair, points),
                                                          cnx_pair_factors(m->c, scratch, pair, numbers));
    }
    cnx_arena_destroy(scratch);
    return total;
}

cnx_lineup cnx_line_up(const cnx_matcher *m, cnx_arena *arena, uint32_t number, uint32_t kind)
{
    const cnx_kind *k = &m->families->items[number].kinds[kind];
    bool nested = m->families->items[number].nested; /* read with the blocks where they went */
    uint32_t *rows = CNX_NEW_ARRAY(arena, uint32_t, k->count);
    uint32_t *columns = CNX_NEW_ARRAY(arena, uint32_t, k->count);
    for (uint32_t i = 0; i < k->count; i++) {
        rows[i] = i;
        columns[i] = nested ? i : m->families->place_of[m->image[k->classes[i]]];
    }
    return (cnx_lineup){rows, columns, k->count};
}

cnx_view_of_evidence cnx_view_of(const cnx_matcher *m, const cnx_family *family, const bool *known)
{
    return (cnx_view_of_evidence){.reading = family->nested ? CNX_READ_HELD : CNX_READ_PLAIN,
                                  .known = known,
                                  .points = family->nested ? m->whole : m->points,
                                  .whole = m->whole,
                                  .numbers = m->multiplies ? m->numbers : NULL};
}

void cnx_matcher_present(cnx_matcher *m, uint32_t number)
{
    cnx_matcher_complete(m, CNX_NONE, m->whole);
    cnx_matcher_complete(m, number, m->points);
    cnx_matcher_complete(m, CNX_NONE, m->whole); /* m->image is to have the family in it */
}

cnx_likeness *cnx_find_likeness(cnx_matcher *m, cnx_arena *arena, uint32_t number, uint32_t kind,
                                const bool *known, const cnx_lineup *lineup)
{
    const cnx_family *family = &m->families->items[number];
    cnx_likeness *likeness =
        CNX_NEW_ARRAY(arena, cnx_likeness, lineup->count * family->kinds[kind].multiple_count);
    cnx_view_of_evidence view = cnx_view_of(m, family, known);
    cnx_add_likeness(m->families, family, kind, &view, lineup, likeness);
    return likeness;
}

/* ---- signs and scales ---- */

static void multiply_member(cnx_matcher *m, const cnx_kind *kind, uint32_t class, const cnx_choice *choice)
{
    const cnx_multipliers *multipliers = m->families->multipliers;
    for (uint32_t g = 0; g < kind->sign_count; g++)
        m->numbers->signs[cnx_multiplier_number(multipliers, CNX_SIGN, class, g)] ^=
            (int32_t)(choice->signs >> g & 1);
    for (uint32_t g = 0; g < kind->exponent_count; g++)
        m->numbers->exponents[cnx_multiplier_number(multipliers, CNX_SCALE, class, g)] +=
            choice->exponents[g];
    m->multiplies = m->moved = true;
}

cnx_choice *cnx_choose_numbers(cnx_arena *arena, const cnx_kind *kind, const cnx_lineup *lineup,
                               cnx_likeness *likeness, uint32_t *better)
{
    if (kind->multiple_count == 1)
        return NULL;
    cnx_choice *choices = CNX_NEW_ARRAY(arena, cnx_choice, lineup->count);
    for (uint32_t i = 0; i < lineup->count; i++) {
        if (!cnx_choose_factors(kind->multiples, kind->multiple_count, kind->sign_count, kind->exponent_count,
                                likeness + i, lineup->count, &choices[i])) {
            choices[i] = (cnx_choice){0};
            continue;
        }
        ++*better;
        for (size_t v = 0; v < kind->multiple_count; v++) {
            cnx_likeness *of = &likeness[v * lineup->count + i];
            of->distance = cnx_distance_under(&kind->multiples[v], of, &choices[i]);
        }
    }
    return choices;
}

void cnx_take_choices(cnx_matcher *m, const cnx_kind *kind, const cnx_lineup *lineup,
                      const cnx_choice *choices)
{
    static const cnx_choice none = {0};
    for (uint32_t i = 0; choices != NULL && i < lineup->count; i++)
        if (memcmp(&choices[i], &none, sizeof none) != 0)
            multiply_member(m, kind, kind->classes[lineup->columns[i]], &choices[i]);
}

void cnx_settle_numbers(cnx_matcher *m, uint32_t number, const bool *known)
{
    const cnx_family *family = &m->families->items[number];
    cnx_matcher_present(m, number);
    for (uint32_t k = 0; k < family->kind_count; k++) {
        cnx_arena *scratch = cnx_arena_create(m->arena);
        uint32_t better = 0;
        if (family->kinds[k].multiple_count > 1) {
            cnx_lineup lineup = cnx_line_up(m, scratch, number, k);
            cnx_likeness *likeness = cnx_find_likeness(m, scratch, number, k, known, &lineup);
            cnx_take_choices(m, &family->kinds[k], &lineup,
                             cnx_choose_numbers(scratch, &family->kinds[k], &lineup, likeness, &better));
        }
        cnx_arena_destroy(scratch);
    }
}

/* ---- is it explained? ---- */

/* The multiple that has most of a's norm. */
static uint32_t main_multiple(const cnx_kind *kind, const cnx_likeness *likeness)
{
    uint32_t best = 0;
    double most = -1;
    for (uint32_t v = 0; v < kind->multiple_count; v++) {
        double norm = 0;
        for (uint32_t i = 0; i < kind->count; i++)
            norm += likeness[(size_t)v * kind->count + i].aa;
        if (norm > most) {
            most = norm;
            best = v;
        }
    }
    return best;
}

uint32_t cnx_explain_kind(cnx_matcher *m, uint32_t number, uint32_t kind, const bool *known,
                          const cnx_lineup *lineup, const cnx_likeness *likeness, bool *explained)
{
    const cnx_family *family = &m->families->items[number];
    const cnx_kind *k = &family->kinds[kind];
    uint32_t count = k->count;
    if (count < 2 || count > CNX_LIMIT_MATCHED_MEMBERS) {
        memset(explained, true, count);
        return 0;
    }
    cnx_arena *scratch = cnx_arena_create(m->arena);
    uint32_t multiple = main_multiple(k, likeness);
    bool one = cnx_multiple_is_one(&k->multiples[multiple]);
    double *distance = CNX_NEW_ARRAY(scratch, double, count), *near = CNX_NEW_ARRAY(scratch, double, count);
    double *gram = CNX_NEW_ARRAY(scratch, double, (size_t)count *count);
    for (uint32_t i = 0; i < count; i++) {
        near[i] = likeness[(size_t)multiple * count + i].distance;
        for (size_t v = 0; v < k->multiple_count; v++)
            distance[i] += likeness[v * count + i].distance;
    }
    cnx_view_of_evidence view = cnx_view_of(m, family, known);
    cnx_add_gram(m->families, family, kind, multiple, &view, lineup, gram);
    cnx_neighbourhood around = {.count = count,
                                .gram = gram,
                                .distance = distance,
                                .scaled = !one,
                                .flipped = k->multiples[multiple].signs != 0,
                                .near = near};
    uint32_t unexplained = cnx_mark_explained(&around, explained);
    cnx_arena_destroy(scratch);
    return unexplained;
}

/* ---- similarity ---- */

/* How alike the members of a line-up are, every row with every column, under the best signs: what is
 * multiplied by different combinations of signs is added up apart, and counts with its magnitude. (That is
 * the best where the combinations are independent, and too much otherwise.) */
double *cnx_find_similarity(cnx_matcher *m, cnx_arena *arena, const cnx_family *family, uint32_t kind,
                            const cnx_view_of_evidence *view, const cnx_lineup *lineup)
{
    const cnx_kind *k = &family->kinds[kind];
    size_t entries = (size_t)lineup->count * lineup->count;
    double **gain = CNX_NEW_ARRAY(arena, double *, k->multiple_count), *part = NULL;
    double *sum = CNX_NEW_ARRAY(arena, double, entries);
    bool *done = CNX_NEW_ARRAY(arena, bool, k->multiple_count);
    cnx_likeness *likeness = CNX_NEW_ARRAY(arena, cnx_likeness, lineup->count * k->multiple_count);
    if (k->exponent_count != 0)
        cnx_add_likeness(m->families, family, kind, view, lineup, likeness);
    for (size_t first = 0; first < k->multiple_count; first++) {
        uint32_t signs = k->multiples[first].signs;
        if (done[first])
            continue;
        if (signs != 0 && part == NULL)
            part = CNX_NEW_ARRAY(arena, double, entries);
        for (size_t v = 0; v < k->multiple_count; v++) {
            bool same = k->multiples[v].signs == signs;
            gain[v] = same ? signs == 0 ? sum : part : NULL;
            done[v] = done[v] || same;
        }
        m->work += cnx_add_similarity(m->families, family, kind, view, lineup, likeness, gain);
        for (size_t e = 0; e < entries && signs != 0; e++) {
            sum[e] += fabs(part[e]);
            part[e] = 0;
        }
    }
    return sum;
}
