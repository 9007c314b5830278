#include "compare/multiplied.h"

#include <math.h>

const cnx_scalings *cnx_comparison_scalings(cnx_comparison *c)
{
    if (c->scalings == NULL)
        c->scalings = cnx_find_scalings(c->a->arena, c->analysis);
    return c->scalings;
}

static uint32_t count_numbers(const cnx_scalings *scalings, cnx_scaling_kind kind)
{
    uint32_t generators, numbers;
    cnx_scaling_generators(scalings, kind, &generators, &numbers);
    return numbers;
}

cnx_numbers *cnx_numbers_create(cnx_arena *arena, const cnx_scalings *scalings)
{
    cnx_numbers *numbers = CNX_NEW(arena, cnx_numbers);
    numbers->signs = CNX_NEW_ARRAY(arena, int32_t, count_numbers(scalings, CNX_SIGN));
    numbers->exponents = CNX_NEW_ARRAY(arena, int32_t, count_numbers(scalings, CNX_SCALE));
    return numbers;
}

void cnx_numbers_assign(const cnx_scalings *scalings, cnx_numbers *to, const cnx_numbers *from)
{
    memcpy(to->signs, from->signs, count_numbers(scalings, CNX_SIGN) * sizeof *to->signs);
    memcpy(to->exponents, from->exponents, count_numbers(scalings, CNX_SCALE) * sizeof *to->exponents);
}

cnx_numbers *cnx_numbers_copy(cnx_arena *arena, const cnx_scalings *scalings, const cnx_numbers *numbers)
{
    cnx_numbers *copy = cnx_numbers_create(arena, scalings);
    cnx_numbers_assign(scalings, copy, numbers);
    return copy;
}

/* ---- from numbers to factors ---- */

const int32_t *cnx_axis_numbers(cnx_arena *arena, const cnx_analysis *analysis, const cnx_scalings *scalings,
                                size_t parameter, uint32_t axis, cnx_scaling_kind kind,
                                const int32_t *numbers)
{
    const cnx_labels *labels = cnx_parameter_labels(&analysis->parameters[parameter], axis);
    uint32_t generator_count, number_count, action_count, place_count;
    const cnx_generator *generators = cnx_scaling_generators(scalings, kind, &generator_count, &number_count);
    const cnx_scaling_action *actions = cnx_scaling_actions(scalings, parameter, axis, &action_count);
    int32_t *sums = NULL;
    bool any = false;
    cnx_arena *scratch = cnx_arena_create(arena);
    for (uint32_t i = 0; i < action_count; i++) {
        if (actions[i].kind != kind)
            continue;
        if (sums == NULL)
            sums = CNX_NEW_ARRAY(arena, int32_t, labels->sequence->count);
        const cnx_scaling_place *places =
            cnx_scaling_places(scratch, scalings, &actions[i], axis, &place_count);
        for (uint32_t k = 0; k < place_count; k++)
            for (uint32_t t = 0; t < actions[i].part_count; t++)
                sums[places[k].position] +=
                    actions[i].parts[t].factor *
                    numbers[generators[actions[i].parts[t].generator].first + places[k].member];
    }
    for (uint32_t i = 0; sums != NULL && i < labels->sequence->count; i++) {
        sums[i] = kind == CNX_SIGN ? sums[i] & 1 : sums[i];
        any = any || sums[i] != 0;
    }
    cnx_arena_destroy(scratch);
    return any ? sums : NULL;
}

static double *factors_of_axis(cnx_arena *arena, const int32_t *signs, const int32_t *exponents,
                               uint32_t count)
{
    double *factors = CNX_NEW_ARRAY(arena, double, count);
    for (uint32_t i = 0; i < count; i++) {
        double sign = signs != NULL && signs[i] != 0 ? -1 : 1;
        factors[i] = ldexp(sign, exponents != NULL ? exponents[i] : 0);
    }
    return factors;
}

bool cnx_is_multiplied(const cnx_scalings *scalings, size_t parameter, uint32_t axis, unsigned kinds)
{
    uint32_t count;
    const cnx_scaling_action *actions = cnx_scaling_actions(scalings, parameter, axis, &count);
    for (uint32_t i = 0; i < count; i++)
        if ((actions[i].kind & kinds) != 0 && actions[i].part_count != 0)
            return true;
    return false;
}

struct cnx_permutation *cnx_permutation_with_factors(cnx_arena *arena, const cnx_tensor *tensor,
                                                     cnx_axis_factors *factors)
{
    cnx_tensor unmoved = *tensor;
    unmoved.permutation = NULL;
    struct cnx_permutation *permutation = cnx_tensor_permutation(arena, &unmoved);
    permutation->factors = factors;
    return permutation;
}

struct cnx_permutation *cnx_parameter_factors(cnx_arena *arena, const cnx_analysis *analysis,
                                              const cnx_scalings *scalings, size_t parameter,
                                              const cnx_numbers *numbers)
{
    const cnx_parameter *of = &analysis->parameters[parameter];
    cnx_axis_factors *made = NULL;
    for (uint32_t k = 0; k < of->tensor->rank && !of->again; k++) {
        const int32_t *signs =
            cnx_axis_numbers(arena, analysis, scalings, parameter, k, CNX_SIGN, numbers->signs);
        const int32_t *exponents =
            cnx_axis_numbers(arena, analysis, scalings, parameter, k, CNX_SCALE, numbers->exponents);
        if (signs == NULL && exponents == NULL)
            continue;
        if (made == NULL)
            made = CNX_NEW_ARRAY(arena, cnx_axis_factors, of->tensor->rank);
        uint32_t count = cnx_parameter_labels(of, k)->sequence->count;
        made[k].factor = factors_of_axis(arena, signs, exponents, count);
        cnx_prepare_factors(arena, &made[k], count);
        cnx_need_governor(arena, of, k, &made[k].governor, &made[k].block);
    }
    return made != NULL ? cnx_permutation_with_factors(arena, of->tensor, made) : NULL;
}

struct cnx_permutation *cnx_pair_factors(cnx_comparison *c, cnx_arena *arena, const cnx_pair *pair,
                                         const cnx_numbers *numbers)
{
    if (numbers == NULL || pair->parameter == CNX_NONE)
        return NULL;
    return cnx_parameter_factors(arena, c->analysis, cnx_comparison_scalings(c), pair->parameter, numbers);
}

/* ---- from factors to numbers ---- */

cnx_wanted_numbers cnx_wanted_create(cnx_arena *arena, const cnx_analysis *analysis)
{
    cnx_wanted_numbers wanted = CNX_NEW_ARRAY(arena, int32_t **, analysis->parameter_count);
    for (size_t p = 0; p < analysis->parameter_count; p++)
        wanted[p] = CNX_NEW_ARRAY(arena, int32_t *, analysis->parameters[p].tensor->rank);
    return wanted;
}

cnx_position_sum *cnx_axis_sums(cnx_arena *arena, const cnx_analysis *analysis, const cnx_scalings *scalings,
                                size_t parameter, uint32_t axis, cnx_scaling_kind kind)
{
    uint32_t generator_count, number_count, action_count, place_count;
    const cnx_generator *generators = cnx_scaling_generators(scalings, kind, &generator_count, &number_count);
    const cnx_scaling_action *actions = cnx_scaling_actions(scalings, parameter, axis, &action_count);
    const cnx_labels *labels = cnx_parameter_labels(&analysis->parameters[parameter], axis);
    cnx_position_sum *sums = CNX_NEW_ARRAY(arena, cnx_position_sum, labels->sequence->count);
    cnx_arena *scratch = cnx_arena_create(arena);
    for (uint32_t i = 0; i < action_count; i++) {
        const cnx_scaling_place *places =
            cnx_scaling_places(scratch, scalings, &actions[i], axis, &place_count);
        for (uint32_t k = 0; k < place_count && actions[i].kind == kind; k++)
            for (uint32_t t = 0; t < actions[i].part_count; t++) {
                const cnx_scaling_part *part = &actions[i].parts[t];
                cnx_position_sum *sum = &sums[places[k].position];
                cnx_term term = {1 + generators[part->generator].first + places[k].member, part->factor};
                CNX_PUSH(arena, sum->terms, sum->count, sum->capacity, term);
            }
    }
    cnx_arena_destroy(scratch);
    return sums;
}

/* States for every position of an axis that the actions there add up to what is wanted. */
static void state_axis(cnx_equations *system, cnx_arena *scratch, const cnx_analysis *analysis,
                       const cnx_scalings *scalings, cnx_scaling_kind kind, size_t parameter, uint32_t axis,
                       const int32_t *wanted)
{
    const cnx_labels *labels = cnx_parameter_labels(&analysis->parameters[parameter], axis);
    if (labels == NULL)
        return;
    cnx_position_sum *sums = cnx_axis_sums(scratch, analysis, scalings, parameter, axis, kind);
    for (uint32_t i = 0; i < labels->sequence->count; i++) {
        cnx_term one = {0, wanted != NULL ? -wanted[i] : 0};
        if (one.factor != 0)
            CNX_PUSH(scratch, sums[i].terms, sums[i].count, sums[i].capacity, one);
        if (sums[i].count != 0)
            cnx_equations_add(system, sums[i].terms, sums[i].count);
    }
}

bool cnx_find_numbers(cnx_arena *arena, const cnx_analysis *analysis, const cnx_scalings *scalings,
                      cnx_scaling_kind kind, cnx_wanted_numbers wanted, int32_t *numbers)
{
    cnx_arena *scratch = cnx_arena_create(arena);
    uint32_t count = count_numbers(scalings, kind);
    uint32_t *priority = CNX_NEW_ARRAY(scratch, uint32_t, (size_t)count + 1);
    for (uint32_t i = 0; i < count; i++)
        priority[i + 1] = 1;
    cnx_equations *system = cnx_equations_create(scratch, (size_t)count + 1, kind == CNX_SIGN, priority);
    for (size_t p = 0; p < analysis->parameter_count; p++) {
        cnx_arena *sums = cnx_arena_create(scratch);
        for (uint32_t k = 0; k < analysis->parameters[p].tensor->rank && !analysis->parameters[p].again; k++)
            state_axis(system, sums, analysis, scalings, kind, p, k, wanted[p][k]);
        cnx_arena_destroy(sums);
    }
    bool found = cnx_equations_is_free(system, 0); /* else one would be zero */
    for (uint32_t i = 0; i < count && found; i++) {
        const cnx_term *terms;
        size_t term_count = cnx_equations_value(system, i + 1, &terms);
        numbers[i] = 0; /* what stays free takes no part */
        for (size_t t = 0; t < term_count; t++)
            if (terms[t].unknown == 0)
                numbers[i] = kind == CNX_SIGN ? terms[t].factor & 1 : terms[t].factor;
    }
    cnx_arena_destroy(scratch);
    return found;
}
