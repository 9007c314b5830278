/* How far one tensor is from another, element by element: sums, and whether all of it, or every position of
 * one axis, was only multiplied by something. A factor is looked for on a few elements first, and claimed
 * only after all were checked: signs exactly, other factors up to the rounding of the element type. */
#include "compare/measure.h"

#include "onnx/element.h"
#include "onnx/mapping.h"
#include "rewrite/permute.h"

#include <math.h>

enum { BLOCK = 1 << 14, SAMPLES = 32 };

/* Both tensors of a pair, as numbers, block by block. */
typedef struct reader {
    const cnx_comparison *c;
    const cnx_pair *pair;
    struct cnx_permutation *permutation;
    uint8_t *a_bytes;
    double *a;
    double *b;
    size_t parts; /* numbers an element has: 2 for a complex one */
} reader;

static reader open_reader(cnx_comparison *c, const cnx_pair *pair, struct cnx_permutation *permutation,
                          cnx_arena *scratch)
{
    size_t parts = cnx_type_kind_of(pair->a->type) == CNX_KIND_COMPLEX ? 2 : 1;
    return (reader){.c = c,
                    .pair = pair,
                    .permutation = permutation,
                    .a_bytes = cnx_alloc(scratch, BLOCK * (size_t)16),
                    .a = CNX_NEW_ARRAY(scratch, double, BLOCK *parts),
                    .b = CNX_NEW_ARRAY(scratch, double, BLOCK *parts),
                    .parts = parts};
}

/* Elements [first, first + count); first is a multiple of 8 unless count is 1. Returns b's bytes at `first`,
 * for types of whole bytes. */
static const uint8_t *read_block(const reader *r, uint64_t first, size_t count)
{
    cnx_tensor *a = r->pair->a, *b = r->pair->b;
    unsigned bits = cnx_type_bits(a->type);
    uint64_t from = first * bits / 8, end = ((first + count) * bits + 7) / 8;
    const uint8_t *b_bytes = cnx_tensor_bytes(r->c->b->model, b);
    struct cnx_permutation *present = a->permutation;
    a->permutation = r->permutation;
    cnx_tensor_read(r->c->a->model, a, from, r->a_bytes, (size_t)(end - from));
    a->permutation = present;
    uint64_t skipped = bits < 8 ? first % (8 / bits) : 0;
    cnx_elements_read(a->type, r->a_bytes, skipped, count, r->a);
    cnx_elements_read(a->type, b_bytes + from, skipped, count, r->b);
    return b_bytes + from;
}

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

static uint64_t count_differing(const reader *r, const uint8_t *b_bytes, size_t count)
{
    unsigned bits = cnx_type_bits(r->pair->a->type);
    uint64_t differing = 0;
    if (bits < 8) {
        for (size_t i = 0; i < count; i++)
            differing += r->a[i] != r->b[i];
        return differing;
    }
    for (size_t i = 0, width = bits / 8; i < count; i++)
        differing += memcmp(r->a_bytes + i * width, b_bytes + i * width, width) != 0;
    return differing;
}

static void add_block(const reader *r, sums *s, uint64_t first, size_t count)
{
    const uint8_t *b_bytes = read_block(r, first, count);
    size_t size = (count * (size_t)cnx_type_bits(r->pair->a->type) + 7) / 8;
    if (memcmp(r->a_bytes, b_bytes, size) == 0) {
        double norm = 0;
        for (size_t i = 0; i < count * r->parts; i++)
            norm += r->a[i] * r->a[i];
        if (isfinite(norm)) {
            s->norm += norm;
            return;
        }
    }
    s->differing += count_differing(r, b_bytes, count);
    for (size_t i = 0; i < count * r->parts; i++)
        add_element(s, r->a[i], r->b[i]);
}

static void release(const reader *r, uint64_t first, size_t count)
{
    unsigned bits = cnx_type_bits(r->pair->a->type);
    if (cnx_tensor_is_view(r->c->b->model, r->pair->b))
        cnx_view_release(r->pair->b->bytes + first * bits / 8, count * (size_t)bits / 8);
    if (r->permutation == NULL && cnx_tensor_is_view(r->c->a->model, r->pair->a))
        cnx_view_release(r->pair->a->bytes + first * bits / 8, count * (size_t)bits / 8);
}

static sums add_all(const reader *r)
{
    enum { RELEASED = BLOCK * 64 };
    sums s = {0};
    uint64_t total = r->pair->a->count, released = 0;
    for (uint64_t first = 0; first < total; first += BLOCK) {
        size_t count = total - first < BLOCK ? (size_t)(total - first) : BLOCK;
        add_block(r, &s, first, count);
        if (first - released >= RELEASED) {
            release(r, released, (size_t)(first - released));
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

static bool sample_fits(const reader *r, slices by, double tolerance)
{
    uint64_t total = r->pair->a->count, groups = total / (by.extent * by.inner);
    const uint64_t positions[] = {0, by.extent - 1};
    for (size_t p = 0; p < 2; p++) {
        double factor = (double)NAN;
        for (uint64_t i = 0; i < SAMPLES; i++) {
            uint64_t outer = i % groups, inner = i / groups % by.inner;
            read_block(r, (outer * by.extent + positions[p]) * by.inner + inner, 1);
            if (!fits(r->a[0], r->b[0], &factor, tolerance))
                return false;
        }
    }
    return true;
}

/* Checks every element; fills in the factors, NaN where a slice is all zeros. */
static bool all_fit(const reader *r, slices by, double tolerance, double *factors)
{
    uint64_t total = r->pair->a->count;
    for (uint64_t i = 0; i < by.extent; i++)
        factors[i] = (double)NAN;
    for (uint64_t first = 0; first < total; first += BLOCK) {
        size_t count = total - first < BLOCK ? (size_t)(total - first) : BLOCK;
        read_block(r, first, count);
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

static bool find_factors(cnx_comparison *c, const reader *r, slices by, const char *where,
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

static void explain(cnx_comparison *c, const reader *r, cnx_tensor_change *change)
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

void cnx_measure(cnx_comparison *c, const cnx_pair *pair, struct cnx_permutation *permutation,
                 cnx_tensor_change *change)
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
    reader r = open_reader(c, pair, permutation, scratch);
    sums s = add_all(&r);
    change->norm = sqrt(s.norm);
    change->change = sqrt(s.change);
    change->largest = s.largest;
    change->differing = s.differing;
    change->relative = s.change == 0 ? 0 : change->change / change->norm;
    if (s.differing != 0) {
        change->verdict = CNX_TENSOR_CHANGED;
        explain(c, &r, change);
    }
    cnx_arena_destroy(scratch);
}

double cnx_squared_distance(cnx_comparison *c, const cnx_pair *pair, struct cnx_permutation *permutation)
{
    cnx_arena *scratch = cnx_arena_create(c->arena);
    reader r = open_reader(c, pair, permutation, scratch);
    double change = add_all(&r).change;
    cnx_arena_destroy(scratch);
    return change;
}
