#include "rewrite/factors/factors.h"

#include "rewrite/permute.h"

#include <limits.h>
#include <math.h>

/* Exponents that are beyond those of any factor. */
enum { FARTHEST = 1 << 16 };

/* Infinite, or zero, where doubles end: no product with that passes for an exact one. */
static double factor_of(cnx_scaling_kind kind, int64_t sum)
{
    if (kind == CNX_SIGN)
        return (sum & 1) != 0 ? -1 : 1;
    return ldexp(1, (int)(sum > FARTHEST ? FARTHEST : sum < -FARTHEST ? -FARTHEST : sum));
}

/* The exponent of a power of two. A step cannot say other factors; they count as if they were large. */
static int exponent_of(double power)
{
    uint64_t bits;
    memcpy(&bits, &power, sizeof bits);
    int exponent = (int)(bits >> 52 & 0x7ff);
    bool one_bit = (bits & UINT64_C(0xfffffffffffff)) == 0 && exponent != 0 && exponent != 0x7ff;
    return one_bit ? exponent - 1023 : FARTHEST;
}

static void prepare_factor(cnx_axis_factors *axis, uint32_t at)
{
    int exponent = exponent_of(axis->factor[at]);
    axis->least = exponent < axis->least ? exponent : axis->least;
    axis->most = exponent > axis->most ? exponent : axis->most;
    axis->steps[at] = ((uint32_t)exponent << 23) + (axis->factor[at] < 0 ? UINT32_C(1) << 31 : 0);
}

void cnx_prepare_factors(cnx_arena *arena, cnx_axis_factors *axis, uint32_t count)
{
    axis->steps = CNX_NEW_ARRAY(arena, uint32_t, count);
    axis->least = INT_MAX;
    axis->most = INT_MIN;
    for (uint32_t i = 0; i < count; i++)
        prepare_factor(axis, i);
}

void cnx_factors_range(const cnx_tensor *tensor, int *least, int *most)
{
    const cnx_axis_factors *factors = tensor->permutation != NULL ? tensor->permutation->factors : NULL;
    *least = *most = 0;
    for (uint32_t k = 0; k < tensor->rank && factors != NULL; k++)
        if (factors[k].factor != NULL) {
            *least += factors[k].least;
            *most += factors[k].most;
        }
}

static cnx_axis_factors *factors_of(cnx_arena *arena, cnx_tensor *tensor)
{
    struct cnx_permutation *permutation = cnx_tensor_permutation(arena, tensor);
    if (permutation->factors == NULL)
        permutation->factors = CNX_NEW_ARRAY(arena, cnx_axis_factors, tensor->rank);
    return permutation->factors;
}

void cnx_apply_generator(cnx_analysis *analysis, const cnx_scalings *scalings, size_t parameter,
                         uint32_t axis, const cnx_scaling_action *action, int32_t factor,
                         const int32_t *numbers)
{
    cnx_arena *arena = analysis->model->arena;
    cnx_arena *scratch = cnx_arena_create(arena);
    const cnx_parameter *of = &analysis->parameters[parameter];
    const cnx_labels *labels = cnx_parameter_labels(of, axis);
    uint32_t count;
    const cnx_scaling_place *places = cnx_scaling_places(scratch, scalings, action, axis, &count);
    bool changes = false;
    for (uint32_t i = 0; i < count && !changes; i++)
        changes = numbers[places[i].member] != 0;
    cnx_axis_factors *factors = changes ? &factors_of(arena, of->tensor)[axis] : NULL;
    if (changes && factors->factor == NULL) {
        factors->factor = CNX_NEW_ARRAY(arena, double, labels->sequence->count);
        for (uint32_t i = 0; i < labels->sequence->count; i++)
            factors->factor[i] = 1;
        cnx_need_governor(arena, of, axis, &factors->governor, &factors->block);
        cnx_prepare_factors(arena, factors, labels->sequence->count);
    }
    for (uint32_t i = 0; i < count && changes; i++) {
        factors->factor[places[i].position] *=
            factor_of(action->kind, (int64_t)factor * numbers[places[i].member]);
        prepare_factor(factors, places[i].position);
    }
    cnx_arena_destroy(scratch);
}

void cnx_apply_factors(cnx_analysis *analysis, const cnx_scalings *scalings, cnx_scaling_kind kind,
                       const int32_t *numbers)
{
    uint32_t generator_count, number_count, count;
    const cnx_generator *generators = cnx_scaling_generators(scalings, kind, &generator_count, &number_count);
    for (size_t p = 0; p < analysis->parameter_count; p++)
        for (uint32_t k = 0; k < analysis->parameters[p].tensor->rank; k++) {
            const cnx_scaling_action *actions = cnx_scaling_actions(scalings, p, k, &count);
            for (uint32_t i = 0; i < count; i++)
                for (uint32_t t = 0; t < actions[i].part_count && actions[i].kind == kind; t++)
                    cnx_apply_generator(analysis, scalings, p, k, &actions[i], actions[i].parts[t].factor,
                                        numbers + generators[actions[i].parts[t].generator].first);
        }
}
