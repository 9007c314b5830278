/* What takes a's normal form to a, and b to its normal form, takes a to b when the forms are the same.
 *
 * A normal form is reached in two steps, as in `canon`: units are multiplied by the factors f that it
 * chooses, then positions are permuted by p. With P = p(b)^-1 p(a), b's factors times those of a, moved along
 * by P and inverted, are what b is multiplied by to become a, permuted by P:
 *
 *     p(b) f(b) b = p(a) f(a) a    =>    [f(b) (P f(a) P^-1)^-1] b = P a
 *
 * Position by position that is a quotient of two factors. Numbers of a's generators that have this effect are
 * solved for, which shows that it is a symmetry of a; that the models are equal under it is then shown by
 * looking at every weight. So nothing that is wrong in the normal forms can make models equal that are not.
 */
#include "compare/normal_forms.h"

#include "analyze/symmetry/verify.h"
#include "compare/multiplied.h"
#include "compare/permuted.h"
#include "rewrite/factors/normal_factors.h"
#include "rewrite/ordering/sort.h"
#include "rewrite/pass.h"
#include "rewrite/report.h"

#include <math.h>

/* A model's structural form once more, with the factors that make it normal. */
typedef struct normal_form {
    cnx_arena *arena; /* of that form */
    cnx_analysis *analysis;
    const cnx_axis_factors **factors; /* by parameter: of its axes; NULL: none */
} normal_form;

static normal_form make_form(cnx_side *side, bool factors)
{
    cnx_side *again = cnx_side_open(side->given);
    cnx_rewrite *rewrite = CNX_NEW(again->arena, cnx_rewrite);
    *rewrite = (cnx_rewrite){.model = again->model, .arena = again->arena, .keep_metadata = true};
    cnx_report_begin(rewrite);
    if (factors) {
        cnx_normalize_scales(rewrite);
        cnx_normalize_signs(rewrite);
    }
    normal_form form = {.arena = again->arena, .analysis = cnx_rewrite_facts(rewrite)};
    form.factors = CNX_NEW_ARRAY(again->arena, const cnx_axis_factors *, form.analysis->parameter_count);
    for (size_t p = 0; p < form.analysis->parameter_count; p++) {
        const struct cnx_permutation *made = form.analysis->parameters[p].tensor->permutation;
        form.factors[p] = made != NULL ? made->factors : NULL;
    }
    return form;
}

/* The permutation that takes a's sorted form to b's: by point of a's analysis, or NULL when it is
 * none. */
static uint32_t *points_between(cnx_comparison *c, const cnx_sorting *a, const cnx_sorting *b)
{
    size_t count = c->analysis->points->point_count;
    uint32_t *points = CNX_NEW_ARRAY(c->arena, uint32_t, count), witness;
    uint32_t *back = CNX_NEW_ARRAY(c->arena, uint32_t, count);
    for (uint32_t p = 0; p < count; p++)
        back[b->points[p]] = p;
    for (uint32_t p = 0; p < count; p++)
        points[p] = back[a->points[p]];
    return cnx_is_symmetry(cnx_analysis_cells(c->analysis), points, &witness) ? points : NULL;
}

/* ---- factors ---- */

static const double *factors_along(const normal_form *form, size_t parameter, uint32_t axis)
{
    return form->factors[parameter] != NULL ? form->factors[parameter][axis].factor : NULL;
}

/* Signs and exponents along every axis that are to be found as numbers of generators. */
typedef struct wanted {
    cnx_wanted_numbers signs;
    cnx_wanted_numbers exponents;
} wanted;

/* Wanted numbers along one axis: those of `to`, less those of `from` where they come from; either may be
 * NULL, `points` too. */
static void want_axis(cnx_comparison *c, const wanted *w, size_t parameter, uint32_t axis,
                      const uint32_t *points, const double *from, const double *to)
{
    const cnx_labels *labels = cnx_parameter_labels(&c->analysis->parameters[parameter], axis);
    uint32_t count = labels->sequence->count;
    int32_t *sign = CNX_NEW_ARRAY(c->arena, int32_t, count);
    int32_t *exponent = CNX_NEW_ARRAY(c->arena, int32_t, count);
    const uint32_t *source = cnx_sequence_source(c->arena, labels->sequence, points, c->position);
    for (uint32_t i = 0; i < count; i++) {
        double before = from != NULL ? from[source[i]] : 1;
        double after = to != NULL ? to[i] : 1;
        sign[i] = (before < 0) != (after < 0);
        exponent[i] = ilogb(after) - ilogb(before);
        c->position[labels->sequence->points[i]] = 0;
    }
    w->signs[parameter][axis] = sign;
    w->exponents[parameter][axis] = exponent;
}

/* The numbers that multiply b by its factors and by the inverse of a's, permuted. */
static const cnx_numbers *numbers_between(cnx_comparison *c, const uint32_t *points, const normal_form *from,
                                          const normal_form *to)
{
    const cnx_scalings *scalings = cnx_comparison_scalings(c);
    wanted w = {cnx_wanted_create(c->arena, c->analysis), cnx_wanted_create(c->arena, c->analysis)};
    for (size_t p = 0; p < c->analysis->parameter_count; p++)
        for (uint32_t k = 0; k < c->analysis->parameters[p].tensor->rank; k++) {
            const double *before = factors_along(from, p, k), *after = factors_along(to, p, k);
            if (before != NULL || after != NULL)
                want_axis(c, &w, p, k, points, before, after);
        }
    cnx_numbers *numbers = cnx_numbers_create(c->arena, scalings);
    bool found =
        cnx_find_numbers(c->arena, c->analysis, scalings, CNX_SIGN, w.signs, numbers->signs) &&
        cnx_find_numbers(c->arena, c->analysis, scalings, CNX_SCALE, w.exponents, numbers->exponents);
    return found ? numbers : NULL;
}

/* Whether both forms have the same parameters, and positions with the same points along their axes. */
static bool are_congruent(const cnx_analysis *a, const cnx_analysis *b)
{
    bool same = a->points->point_count == b->points->point_count && a->parameter_count == b->parameter_count;
    for (size_t p = 0; p < a->parameter_count && same; p++) {
        same = a->parameters[p].tensor->rank == b->parameters[p].tensor->rank;
        for (uint32_t k = 0; same && k < a->parameters[p].tensor->rank; k++) {
            const cnx_labels *x = cnx_parameter_labels(&a->parameters[p], k),
                             *y = cnx_parameter_labels(&b->parameters[p], k);
            same = (x == NULL) == (y == NULL) && (x == NULL || x->sequence->count == y->sequence->count);
        }
    }
    return same;
}

bool cnx_match_sorted_forms(cnx_comparison *c, bool factors)
{
    normal_form a = make_form(c->a, factors), b = make_form(c->b, factors);
    uint32_t *points = NULL;
    if (are_congruent(a.analysis, c->analysis) && are_congruent(a.analysis, b.analysis))
        points = points_between(c, cnx_sort_cells(a.arena, a.analysis), cnx_sort_cells(b.arena, b.analysis));
    const cnx_numbers *numbers = points != NULL && factors ? numbers_between(c, points, &a, &b) : NULL;
    cnx_arena_destroy(b.arena);
    cnx_arena_destroy(a.arena);
    if (points == NULL || (factors && numbers == NULL) || !cnx_proves_equality(c, points, numbers))
        return false;
    c->points = points;
    c->numbers = numbers;
    return true;
}
