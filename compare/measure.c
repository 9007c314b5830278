/* How far one tensor is from another, element by element: sums, and whether all of it, or every position of
 * one axis, was only multiplied by something. A factor is looked for on a few elements first, and claimed
 * only after all were checked: signs exactly, other factors up to the rounding of the element type. */
#include "compare/measure.h"

#include "compare/pair_reader.h"

#include <math.h>

enum { SAMPLES = 32 };

/* ---- sums ---- */

typedef struct sums {
    double norm; /* squared */
    double change;
    double largest;
    uint64_t differing;
} sums;

static void add_element(sums *s, double a, double b)
{
    double change = a - b;
    if (isfinite(a))
        s->norm += a * a;
    if (a == b || (isnan(a) && isnan(b)))
        return;
    change = isfinite(change) ? fabs(change) : (double)INFINITY;
    s->change += change * change;
    s->largest = change > s->largest ? change : s->largest;
}

static void add_block(cnx_pair_reader *r, sums *s, uint64_t first, size_t count)
{
    cnx_pair_read(r, first, count);
    uint64_t differing = cnx_pair_differing(r, count);
    s->differing += differing;
    if (differing == 0) {
        double norm = 0;
        for (size_t i = 0; i < count * r->parts; i++)
            norm += r->a[i] * r->a[i];
        if (isfinite(norm)) {
            s->norm += norm;
            return;
        }
    }
    for (size_t i = 0; i < count * r->parts; i++)
        add_element(s, r->a[i], r->b[i]);
}

static sums add_all(cnx_pair_reader *r)
{
    enum { RELEASED = CNX_PAIR_BLOCK * 64 };
    sums s = {0};
    uint64_t total = r->pair->a->count, released = 0;
    for (uint64_t first = 0; first < total; first += CNX_PAIR_BLOCK) {
        size_t count = total - first < CNX_PAIR_BLOCK ? (size_t)(total - first) : CNX_PAIR_BLOCK;
        add_block(r, &s, first, count);
        if (first - released >= RELEASED) {
            cnx_pair_release(r, released, (size_t)(first - released));
            released = first;
        }
    }
    return s;
}

/* ---- factors ---- */

/* Positions along one axis; all of the tensor is one position when `extent` is 1. */
typedef struct slices {
    uint64_t extent;
    uint64_t inner; /* elements between neighbours */
} slices;

/* The relative error of rounding, doubled for good measure. */
static double rounding(int32_t type)
{
    switch (type) {
    case CNX_TYPE_FLOAT:
        return 0x1p-22;
    case CNX_TYPE_DOUBLE:
        return 0x1p-50;
    case CNX_TYPE_FLOAT16:
        return 0x1p-9;
    case CNX_TYPE_BFLOAT16:
        return 0x1p-6;
    default:
        return 0;
    }
}

/* Whether b is factor * a; a factor that is not known yet (NaN) is found. */
static bool fits(double a, double b, double *factor, double tolerance)
{
    if (!isfinite(a) || !isfinite(b))
        return false;
    if (a == 0 || b == 0)
        return a == b;
    if (isnan(*factor))
        *factor = b / a;
    return fabs(b - *factor * a) <= tolerance * fabs(b) * 2;
}

static bool sample_fits(cnx_pair_reader *r, slices by, double tolerance)
{
    uint64_t total = r->pair->a->count, groups = total / (by.extent * by.inner);
    const uint64_t positions[] = {0, by.extent - 1};
    for (size_t p = 0; p < 2; p++) {
        double factor = (double)NAN;
        for (uint64_t i = 0; i < SAMPLES; i++) {
            uint64_t outer = i % groups, inner = i / groups % by.inner;
            cnx_pair_read(r, (outer * by.extent + positions[p]) * by.inner + inner, 1);
            if (!fits(r->a[0], r->b[0], &factor, tolerance))
                return false;
        }
    }
    return true;
}

/* Checks every element; fills in the factors, NaN where a slice is all zeros. */
static bool all_fit(cnx_pair_reader *r, slices by, double tolerance, double *factors)
{
    uint64_t total = r->pair->a->count;
    for (uint64_t i = 0; i < by.extent; i++)
        factors[i] = (double)NAN;
    for (uint64_t first = 0; first < total; first += CNX_PAIR_BLOCK) {
        size_t count = total - first < CNX_PAIR_BLOCK ? (size_t)(total - first) : CNX_PAIR_BLOCK;
        cnx_pair_read(r, first, count);
        for (size_t i = 0; i < count; i++)
            if (!fits(r->a[i], r->b[i], &factors[(first + i) / by.inner % by.extent], tolerance))
                return false;
    }
    return true;
}

static const char *factors_text(cnx_arena *arena, const double *factors, uint64_t extent, const char *where,
                                bool *signs)
{
    uint64_t flipped = 0;
    double least = (double)INFINITY, most = -(double)INFINITY;
    *signs = true;
    for (uint64_t i = 0; i < extent; i++) {
        double factor = isnan(factors[i]) ? 1 : factors[i];
        flipped += factor < 0;
        *signs = *signs && fabs(factor) == 1;
        least = factor < least ? factor : least;
        most = factor > most ? factor : most;
    }
    if (extent == 1)
        return *signs ? "all signs" : cnx_print(arena, "by %.9g", factors[0]);
    if (*signs)
        return cnx_print(arena, "%s: %llu of %llu signs", where, (unsigned long long)flipped,
                         (unsigned long long)extent);
    return cnx_print(arena, "%s: by %.9g to %.9g", where, least, most);
}

/* Whether some factor is not 1, rounding considered: a single bit that changed is no scaling. */
static bool is_scaling(const double *factors, uint64_t extent, double tolerance)
{
    for (uint64_t i = 0; i < extent; i++)
        if (!isnan(factors[i]) && fabs(factors[i] - 1) > 16 * tolerance)
            return true;
    return false;
}

static bool find_factors(cnx_comparison *c, cnx_pair_reader *r, slices by, const char *where,
                         cnx_tensor_change *change)
{
    double tolerance = rounding(r->pair->a->type);
    if (!sample_fits(r, by, tolerance))
        return false;
    cnx_arena *scratch = cnx_arena_create(c->arena);
    double *factors = CNX_NEW_ARRAY(scratch, double, by.extent);
    bool signs = false;
    bool found = all_fit(r, by, tolerance, factors) && is_scaling(factors, by.extent, tolerance);
    if (found) {
        change->detail = factors_text(c->arena, factors, by.extent, where, &signs);
        change->verdict = CNX_TENSOR_SCALED;
        if (signs) /* nothing less than every bit will do */
            found = all_fit(r, by, 0, factors);
        if (signs && found)
            change->verdict = CNX_TENSOR_SIGN_FLIPPED;
    }
    cnx_arena_destroy(scratch);
    return found;
}

static void explain(cnx_comparison *c, cnx_pair_reader *r, cnx_tensor_change *change)
{
    const cnx_tensor *a = r->pair->a;
    if (cnx_type_kind_of(a->type) != CNX_KIND_FLOAT || a->count < 2)
        return;
    if (find_factors(c, r, (slices){1, a->count}, "", change))
        return;
    uint64_t inner = a->count;
    for (uint32_t k = 0; k < a->rank; k++) {
        inner /= (uint64_t)a->dims[k];
        /* along an axis that leaves one element a position everything is a multiple of everything */
        if (a->dims[k] > 1 && (uint64_t)a->dims[k] < a->count &&
            find_factors(c, r, (slices){(uint64_t)a->dims[k], inner}, cnx_print(c->arena, "axis %u", k),
                         change))
            return;
    }
}

double cnx_relative_change(double change, double norm)
{
    double relative = change == 0 ? 0 : sqrt(change / norm);
    return isnan(relative) ? (double)INFINITY : relative;
}

/* Doubles may differ by less than what has a square. */
static double relative_change(const sums *s)
{
    if (s->change == 0 && s->largest != 0)
        return s->norm == 0 ? (double)INFINITY : s->largest / sqrt(s->norm);
    return cnx_relative_change(s->change, s->norm);
}

void cnx_measure(cnx_comparison *c, const cnx_pair *pair, struct cnx_permutation *permutation,
                 struct cnx_permutation *factors, cnx_tensor_change *change)
{
    change->verdict = CNX_TENSOR_SAME;
    change->detail = "";
    if (pair->a->type == CNX_TYPE_STRING) {
        bool same = cnx_same_contents(c->a, pair->a, c->b, pair->b);
        change->verdict = same ? CNX_TENSOR_SAME : CNX_TENSOR_CHANGED;
        change->relative = change->largest = same ? 0 : (double)INFINITY;
        return;
    }
    cnx_arena *scratch = cnx_arena_create(c->arena);
    cnx_pair_reader r = cnx_pair_reader_open(c, pair, permutation, factors, scratch);
    sums s = add_all(&r);
    change->norm = sqrt(s.norm);
    change->change = sqrt(s.change);
    change->largest = s.largest;
    change->differing = s.differing;
    change->relative = relative_change(&s);
    if (s.differing != 0) {
        change->verdict = CNX_TENSOR_CHANGED;
        explain(c, &r, change);
    }
    cnx_arena_destroy(scratch);
}

double cnx_squared_distance(cnx_comparison *c, const cnx_pair *pair, struct cnx_permutation *permutation,
                            struct cnx_permutation *factors)
{
    cnx_arena *scratch = cnx_arena_create(c->arena);
    cnx_pair_reader r = cnx_pair_reader_open(c, pair, permutation, factors, scratch);
    double change = add_all(&r).change;
    cnx_arena_destroy(scratch);
    return change;
}
