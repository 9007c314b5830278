/* Multiplying what was read of a tensor by its factors. */
#include "base/wide.h"
#include "rewrite/permute.h"

#include <math.h>

/* A half with another sign and exponent; numbers without an exponent of their own (subnormal, infinite) only
 * change their sign. */
static uint16_t multiply_half(uint16_t bits, double factor, bool *exact)
{
    int exponent = (bits >> 10) & 31, change;
    frexp(factor, &change);
    if (factor < 0)
        bits ^= 0x8000;
    if (change != 1)
        *exact = *exact && exponent != 0 && exponent != 31 && exponent + change > 1 && exponent + change < 32;
    exponent += exponent == 0 || exponent == 31 ? 0 : change - 1;
    if (exponent < 0)
        return bits & 0x8000;
    if (exponent > 31)
        exponent = 31;
    return (uint16_t)((bits & 0x83ff) | exponent << 10);
}

/* Zeros keep their sign: which zero it is says nothing that a flip should change. */
static float multiply_float(float value, double factor, bool *exact)
{
    double whole = value * factor;
    float product = (float)whole;
    if (value == 0)
        return value;
    if (!isfinite(value)) /* no bits to lose, whatever the factor */
        return factor < 0 ? value * -1 : value;
    *exact = *exact && isfinite(product) && product != 0 && (double)product == whole;
    return product;
}

/* The factor is a power of two, so dividing gives the bits back if the product has them. */
static double multiply_double(double value, double factor, bool *exact)
{
    double product = value * factor;
    if (value == 0)
        return value;
    if (!isfinite(value))
        return factor < 0 ? value * -1 : value;
    *exact = *exact && isfinite(product) && product != 0 && product / factor == value;
    return product;
}

/* Returns whether that was exact. */
static bool multiply_element(int32_t type, uint8_t *at, double factor)
{
    bool exact = true;
    if (type == CNX_TYPE_FLOAT) {
        float value;
        memcpy(&value, at, sizeof value);
        value = multiply_float(value, factor, &exact);
        memcpy(at, &value, sizeof value);
    } else if (type == CNX_TYPE_DOUBLE) {
        double value;
        memcpy(&value, at, sizeof value);
        value = multiply_double(value, factor, &exact);
        memcpy(at, &value, sizeof value);
    } else if (type == CNX_TYPE_BFLOAT16) { /* the upper half of a float */
        uint8_t wide[4] = {0, 0, at[0], at[1]};
        exact = multiply_element(CNX_TYPE_FLOAT, wide, factor) && wide[0] == 0 && wide[1] == 0;
        memcpy(at, wide + 2, 2);
    } else if (type == CNX_TYPE_FLOAT16) {
        uint16_t bits;
        memcpy(&bits, at, sizeof bits);
        bits = (bits & 0x7fff) == 0 ? bits : multiply_half(bits, factor, &exact);
        memcpy(at, &bits, sizeof bits);
    }
    return exact;
}

#define MOST_AXES 64

/* Exponents for which multiplying floats is the addition of steps; see below. */
#define MOST_STEP 127

typedef struct walker {
    const cnx_tensor *tensor;
    const cnx_axis_factors *factors;
    uint32_t last; /* axis whose position has to be known; elements after it have one factor */
    uint64_t run;  /* how many those are */
    bool steps;    /* floats, and no factor is too large for steps */
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
    int least, most;
    cnx_factors_range(tensor, &least, &most);
    w.steps = tensor->type == CNX_TYPE_FLOAT && least >= -MOST_STEP && most <= MOST_STEP;
    uint64_t rest = element / w.run;
    for (uint32_t k = w.last + 1; k-- > 0;) {
        w.position[k] = rest % (uint64_t)tensor->dims[k];
        rest /= (uint64_t)tensor->dims[k];
    }
    return w;
}

/* What a stretch of elements is multiplied by. */
typedef struct stretch {
    double factor;         /* all of them */
    const double *factors; /* each run, besides; or NULL */
    uint32_t step;         /* the same for floats */
    const uint32_t *steps;
    uint64_t run;  /* elements that share one of the factors */
    uint64_t skip; /* of them, before the stretch begins */
} stretch;

/* The product along axes [0, end). */
static stretch factor_before(const walker *w, uint32_t end)
{
    stretch by = {.factor = 1, .run = 1};
    for (uint32_t k = 0; k < end; k++) {
        const cnx_axis_factors *axis = &w->factors[k];
        if (axis->factor == NULL)
            continue;
        uint64_t block = axis->governor != CNX_NONE ? w->position[axis->governor] / axis->block : 0;
        uint64_t at = block * (uint64_t)w->tensor->dims[k] + w->position[k];
        by.factor *= axis->factor[at];
        by.step += axis->steps[at];
    }
    return by;
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

/* ---- floats ---- */

/* Multiplying a float by a power of two adds to its exponent, changing its sign turns its highest bit: either
 * is the addition of a *step* to its bits, and the steps of several axes are simply added up. That holds as
 * long as the float and the product are zero or normal, which is what the return value tells. Exponents of
 * the whole factor lie within MOST_STEP, which makes room in the highest bits to tell a sign from a carry.
 * Without branches, so that compilers make the loops wide. */
enum { FEW = 1024 };

static inline uint32_t step_float(uint32_t bits, uint32_t step, uint32_t *trouble)
{
    uint32_t size = bits & 0x7fffffff, sign = (step + 0x40000000) & 0x80000000, after = size + (step ^ sign);
    uint32_t nonzero = size != 0;
    *trouble |= nonzero & ((size - 0x00800000 >= 0x7f000000) | (after - 0x00800000 >= 0x7f000000));
    return bits + (nonzero ? step : 0);
}

/* Elements with steps of their own, on top of one they share. */
CNX_WIDE static uint32_t step_row(const uint8_t *restrict in, uint32_t count, uint32_t shared,
                                  const uint32_t *restrict steps, uint32_t *restrict out)
{
    uint32_t trouble = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, in + i * sizeof bits, sizeof bits);
        out[i] = step_float(bits, shared + steps[i], &trouble);
    }
    return trouble;
}

/* Elements that share one step. */
CNX_WIDE static uint32_t step_run(const uint8_t *restrict in, uint32_t count, uint32_t shared,
                                  uint32_t *restrict out)
{
    uint32_t trouble = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, in + i * sizeof bits, sizeof bits);
        out[i] = step_float(bits, shared, &trouble);
    }
    return trouble;
}

/* ---- runs and rows ---- */

/* The steps of elements [at, at + count) of a stretch: where they are, or written out into `room`. */
static const uint32_t *find_steps(const stretch *by, uint64_t at, uint32_t count, uint32_t room[FEW])
{
    const uint32_t *next = by->steps + (by->skip + at) / by->run;
    uint64_t left = by->run - (by->skip + at) % by->run;
    if (by->run == 1)
        return next;
    for (uint32_t i = 0; i < count; left = by->run, next++)
        for (uint32_t end = count - i < left ? count : i + (uint32_t)left; i < end; i++)
            room[i] = *next;
    return room;
}

static bool multiply_each(const walker *w, uint8_t *bytes, uint64_t at, uint64_t count, const stretch *by)
{
    bool exact = true;
    size_t size = cnx_type_bits(w->tensor->type) / 8;
    for (uint64_t i = at; i < at + count; i++) {
        double besides = by->factors != NULL ? by->factors[(by->skip + i) / by->run] : 1;
        exact &= multiply_element(w->tensor->type, bytes + i * size, by->factor * besides);
    }
    return exact;
}

/* Returns whether that was exact. */
static bool multiply_stretch(const walker *w, uint8_t *bytes, uint64_t count, const stretch *by)
{
    bool exact = true;
    size_t size = cnx_type_bits(w->tensor->type) / 8;
    for (uint64_t at = 0; at < count; at += FEW) {
        uint32_t few = count - at < FEW ? (uint32_t)(count - at) : FEW, product[FEW], room[FEW], trouble = 1;
        if (w->steps && by->steps != NULL)
            trouble = step_row(bytes + at * size, few, by->step, find_steps(by, at, few, room), product);
        else if (w->steps)
            trouble = step_run(bytes + at * size, few, by->step, product);
        if (trouble == 0)
            memcpy(bytes + at * size, product, few * size);
        else
            exact &= multiply_each(w, bytes, at, few, by);
    }
    return exact;
}

/* Whether elements, or short runs of them, have factors of their own, and those along the last axis do not
 * depend on others, nor others on them: then whole rows can be multiplied at once. */
static bool has_rows(const walker *w)
{
    enum { SHORT = 64 };
    bool rows =
        w->run < SHORT && w->factors[w->last].factor != NULL && w->factors[w->last].governor == CNX_NONE;
    for (uint32_t k = 0; k < w->last && rows; k++)
        rows = w->factors[k].factor == NULL || w->factors[k].governor != w->last;
    return rows;
}

static bool multiply_elements(const cnx_tensor *tensor, uint64_t element, uint8_t *bytes, uint64_t count)
{
    bool exact = true;
    size_t size = cnx_type_bits(tensor->type) / 8;
    walker w = start_walk(tensor, element);
    bool rows = has_rows(&w);
    uint64_t skip = element % w.run;
    while (count != 0) {
        uint64_t at = w.position[w.last], taken = w.run - skip;
        if (rows)
            taken += ((uint64_t)tensor->dims[w.last] - at - 1) * w.run;
        taken = taken < count ? taken : count;
        stretch by = factor_before(&w, rows ? w.last : w.last + 1);
        if (rows) {
            by.factors = w.factors[w.last].factor + at;
            by.steps = w.factors[w.last].steps + at;
            by.run = w.run;
            by.skip = skip;
            w.position[w.last] = (uint64_t)tensor->dims[w.last] - 1;
        }
        if (rows || by.factor != 1)
            exact &= multiply_stretch(&w, bytes, taken, &by);
        bytes += taken * size;
        count -= taken;
        skip = 0;
        step(&w);
    }
    return exact;
}

bool cnx_multiply_by_factors(const cnx_tensor *tensor, uint64_t offset, uint8_t *bytes, size_t size)
{
    size_t each = cnx_type_bits(tensor->type) / 8;
    return multiply_elements(tensor, offset / each, bytes, size / each);
}
