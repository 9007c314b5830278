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

#include "analyze/verify.h"
#include "compare/multiplied.h"
#include "compare/permuted.h"
#include "rewrite/normal_factors.h"
#include "rewrite/pass.h"
#include "rewrite/report.h"
#include "rewrite/sort.h"

#include <math.h>

/* A model's structural form once more, normalized and sorted. */
typedef struct normal_form {
    cnx_arena *arena; /* of that form */
    const cnx_sorting *sorting;
    const cnx_axis_factors **factors; /* by parameter: of its axes, before sorting; NULL: none */
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
    cnx_analysis *analysis = cnx_rewrite_facts(rewrite);
    normal_form form = {.arena = again->arena};
    form.factors = CNX_NEW_ARRAY(again->arena, const cnx_axis_factors *, analysis->parameter_count);
    for (size_t p = 0; p < analysis->parameter_count; p++) {
        const struct cnx_permutation *made = analysis->parameters[p].tensor->permutation;
        form.factors[p] = made != NULL ? made->factors : NULL;
    }
    form.sorting = cnx_sort_cells(again->arena, analysis);
    return form;
}

/* The permutation that takes a's sorted form to b's: by point of a's analysis, or NULL when the analyses
 * differ. */
static uint32_t *points_between(cnx_comparison *c, const cnx_sorting *a, const cnx_sorting *b)
{
    size_t count = a->analysis->points->point_count;
    if (count != b->analysis->points->point_count || count != c->analysis->points->point_count ||
        a->analysis->parameter_count != b->analysis->parameter_count ||
        a->analysis->parameter_count != c->analysis->parameter_count)
        return NULL;
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

/* Wanted numbers along one axis: b's factors, divided by a's where they come from. */
static void want_axis(cnx_comparison *c, size_t parameter, uint32_t axis, const uint32_t *points,
                      const double *a, const double *b, cnx_wanted_numbers signs,
                      cnx_wanted_numbers exponents)
{
    const cnx_labels *labels = cnx_parameter_labels(&c->analysis->parameters[parameter], axis);
    uint32_t count = labels->sequence->count;
    int32_t *sign = CNX_NEW_ARRAY(c->arena, int32_t, count);
    int32_t *exponent = CNX_NEW_ARRAY(c->arena, int32_t, count);
    const uint32_t *source = cnx_sequence_source(c->arena, labels->sequence, points, c->position);
    for (uint32_t i = 0; i < count; i++) {
        double of_a = a != NULL ? a[source[i]] : 1, of_b = b != NULL ? b[i] : 1;
        sign[i] = (of_a < 0) != (of_b < 0);
        exponent[i] = ilogb(of_b) - ilogb(of_a);
        c->position[labels->sequence->points[i]] = 0;
    }
    signs[parameter][axis] = sign;
    exponents[parameter][axis] = exponent;
}

static const cnx_numbers *numbers_between(cnx_comparison *c, const uint32_t *points, const normal_form *a,
                                          const normal_form *b)
{
    const cnx_scalings *scalings = cnx_comparison_scalings(c);
    cnx_wanted_numbers signs = cnx_wanted_create(c->arena, c->analysis);
    cnx_wanted_numbers exponents = cnx_wanted_create(c->arena, c->analysis);
    for (size_t p = 0; p < c->analysis->parameter_count; p++)
        for (uint32_t k = 0; k < c->analysis->parameters[p].tensor->rank; k++) {
            const double *of_a = factors_along(a, p, k), *of_b = factors_along(b, p, k);
            if (of_a != NULL || of_b != NULL)
                want_axis(c, p, k, points, of_a, of_b, signs, exponents);
        }
    cnx_numbers *numbers = cnx_numbers_create(c->arena, scalings);
    bool found = cnx_find_numbers(c->arena, c->analysis, scalings, CNX_SIGN, signs, numbers->signs) &&
                 cnx_find_numbers(c->arena, c->analysis, scalings, CNX_SCALE, exponents, numbers->exponents);
    return found ? numbers : NULL;
}

bool cnx_match_sorted_forms(cnx_comparison *c, bool factors)
{
    normal_form a = make_form(c->a, factors), b = make_form(c->b, factors);
    uint32_t *points = points_between(c, a.sorting, b.sorting);
    const cnx_numbers *numbers = points != NULL && factors ? numbers_between(c, points, &a, &b) : NULL;
    cnx_arena_destroy(b.arena);
    cnx_arena_destroy(a.arena);
    if (points == NULL || (factors && numbers == NULL) || !cnx_proves_equality(c, points, numbers))
        return false;
    c->points = points;
    c->numbers = numbers;
    return true;
}
