#include "rewrite/factors.h"

#include "rewrite/permute.h"

#include <math.h>

/* ---- setting ---- */

static double factor_of(cnx_scaling_kind kind, int64_t sum)
{
    if (kind == CNX_SIGN)
        return (sum & 1) != 0 ? -1 : 1;
    return ldexp(1, (int)(sum > 1000 ? 1000 : sum < -1000 ? -1000 : sum));
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
    }
    for (uint32_t i = 0; i < count && changes; i++)
        factors->factor[places[i].position] *=
            factor_of(action->kind, (int64_t)factor * numbers[places[i].member]);
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

/* ---- multiplying ---- */

/* A half with another sign and exponent; numbers without an exponent of their own (subnormal, infinite) only
 * change their sign. */
static uint16_t multiply_half(uint16_t bits, double factor)
{
    int exponent = (bits >> 10) & 31, change;
    frexp(factor, &change);
    if (factor < 0)
        bits ^= 0x8000;
    exponent += exponent == 0 || exponent == 31 ? 0 : change - 1;
    if (exponent < 0)
        return bits & 0x8000;
    if (exponent > 31)
        exponent = 31;
    return (uint16_t)((bits & 0x83ff) | exponent << 10);
}

/* Zeros keep their sign: which zero it is says nothing that a flip should change. */
static void multiply_element(int32_t type, uint8_t *at, double factor)
{
    if (type == CNX_TYPE_FLOAT) {
        float value;
        memcpy(&value, at, sizeof value);
        value = value == 0 ? value : (float)(value * factor);
        memcpy(at, &value, sizeof value);
    } else if (type == CNX_TYPE_DOUBLE) {
        double value;
        memcpy(&value, at, sizeof value);
        value = value == 0 ? value : value * factor;
        memcpy(at, &value, sizeof value);
    } else if (type == CNX_TYPE_BFLOAT16) { /* the upper half of a float */
        uint8_t wide[4] = {0, 0, at[0], at[1]};
        multiply_element(CNX_TYPE_FLOAT, wide, factor);
        memcpy(at, wide + 2, 2);
    } else if (type == CNX_TYPE_FLOAT16) {
        uint16_t bits;
        memcpy(&bits, at, sizeof bits);
        bits = (bits & 0x7fff) == 0 ? bits : multiply_half(bits, factor);
        memcpy(at, &bits, sizeof bits);
    }
}

#define MOST_AXES 64

typedef struct walker {
    const cnx_tensor *tensor;
    const cnx_axis_factors *factors;
    uint32_t last; /* axis whose position has to be known; elements after it have one factor */
    uint64_t run;  /* how many those are */
    uint64_t position[MOST_AXES];
} walker;

static walker start_walk(const cnx_tensor *tensor, uint64_t element)
{
    walker w = {.tensor = tensor, .factors = tensor->permutation->factors, .run = 1};
    for (uint32_t k = 0; k < tensor->rank; k++) {
        const cnx_axis_factors *axis = &w.factors[k];
        if (axis->factor == NULL)
            continue;
        w.last = k > w.last ? k : w.last;
        if (axis->governor != CNX_NONE && axis->governor > w.last)
            w.last = axis->governor;
    }
    for (uint32_t k = w.last + 1; k < tensor->rank; k++)
        w.run *= (uint64_t)tensor->dims[k];
    uint64_t rest = element / w.run;
    for (uint32_t k = w.last + 1; k-- > 0;) {
        w.position[k] = rest % (uint64_t)tensor->dims[k];
        rest /= (uint64_t)tensor->dims[k];
    }
    return w;
}

/* The product along axes [0, end). */
static double factor_before(const walker *w, uint32_t end)
{
    double factor = 1;
    for (uint32_t k = 0; k < end; k++) {
        const cnx_axis_factors *axis = &w->factors[k];
        if (axis->factor == NULL)
            continue;
        uint64_t block = axis->governor != CNX_NONE ? w->position[axis->governor] / axis->block : 0;
        factor *= axis->factor[block * (uint64_t)w->tensor->dims[k] + w->position[k]];
    }
    return factor;
}

/* To the next run. */
static void step(walker *w)
{
    for (uint32_t k = w->last + 1; k-- > 0;) {
        if (++w->position[k] < (uint64_t)w->tensor->dims[k])
            return;
        w->position[k] = 0;
    }
}

/* Floats times factors that are floats, too, and neither zero nor infinite. The product is rounded once, as
 * that of multiply_element is. Without branches, and with a type for each size, so that compilers make the
 * loop wide. */
static void multiply_floats(uint8_t *restrict bytes, uint32_t count, const float *restrict factors)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t before, after;
        float value;
        memcpy(&before, bytes + i * sizeof before, sizeof before);
        memcpy(&value, &before, sizeof value);
        value *= factors[i];
        memcpy(&after, &value, sizeof after);
        uint32_t nonzero = (before & 0x7fffffff) != 0 ? UINT32_MAX : 0;
        after = (after & nonzero) | (before & ~nonzero);
        memcpy(bytes + i * sizeof after, &after, sizeof after);
    }
}

enum { FEW = 256 };

/* Fills `narrow` with the factors as floats; false when one of them is none. */
static bool narrow_factors(uint32_t count, double factor, const double *restrict factors,
                           float *restrict narrow)
{
    uint32_t in_range = 1;
    for (uint32_t i = 0; i < count; i++)
        narrow[i] = (float)(factor * factors[i]);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &narrow[i], sizeof bits);
        uint32_t exponent = bits >> 23 & 0xff;
        in_range &= (exponent - 1 < 0xfe - 1u); /* 1 ... 253 */
    }
    return in_range != 0;
}

/* Elements with factors of their own. */
static void multiply_row(int32_t type, uint8_t *bytes, uint64_t count, double factor, const double *factors)
{
    size_t size = cnx_type_bits(type) / 8;
    for (uint64_t at = 0; at < count; at += FEW) {
        float narrow[FEW];
        uint32_t few = count - at < FEW ? (uint32_t)(count - at) : FEW;
        if (type == CNX_TYPE_FLOAT && narrow_factors(few, factor, factors + at, narrow)) {
            multiply_floats(bytes + at * size, few, narrow);
            continue;
        }
        for (uint64_t i = at; i < at + few; i++)
            multiply_element(type, bytes + i * size, factor * factors[i]);
    }
}

/* Elements that have one factor. */
static void multiply_run(int32_t type, uint8_t *bytes, uint64_t count, double factor)
{
    double factors[FEW];
    size_t size = cnx_type_bits(type) / 8;
    if (factor == 1)
        return;
    for (uint32_t i = 0; i < FEW && i < count; i++)
        factors[i] = factor;
    for (uint64_t at = 0; at < count; at += FEW)
        multiply_row(type, bytes + at * size, count - at < FEW ? count - at : FEW, 1, factors);
}

/* Whether every element has its own factor, and those along the last axis do not depend on others, nor others
 * on them: then whole rows can be multiplied at once. */
static bool has_rows(const walker *w)
{
    bool rows = w->run == 1 && w->factors[w->last].factor != NULL && w->factors[w->last].governor == CNX_NONE;
    for (uint32_t k = 0; k < w->last && rows; k++)
        rows = w->factors[k].factor == NULL || w->factors[k].governor != w->last;
    return rows;
}

static void multiply_elements(const cnx_tensor *tensor, uint64_t element, uint8_t *bytes, uint64_t count)
{
    size_t size = cnx_type_bits(tensor->type) / 8;
    walker w = start_walk(tensor, element);
    bool rows = has_rows(&w);
    uint64_t left = w.run - element % w.run;
    while (count != 0) {
        uint64_t at = w.position[w.last], taken = left;
        if (rows)
            taken = (uint64_t)tensor->dims[w.last] - at;
        taken = taken < count ? taken : count;
        if (rows) {
            multiply_row(tensor->type, bytes, taken, factor_before(&w, w.last),
                         w.factors[w.last].factor + at);
            w.position[w.last] += taken - 1;
        } else {
            multiply_run(tensor->type, bytes, taken, factor_before(&w, w.last + 1));
        }
        bytes += taken * size;
        count -= taken;
        left = w.run;
        step(&w);
    }
}

void cnx_multiply_by_factors(const cnx_tensor *tensor, uint64_t offset, uint8_t *bytes, size_t size)
{
    size_t each = cnx_type_bits(tensor->type) / 8;
    multiply_elements(tensor, offset / each, bytes, size / each);
}
