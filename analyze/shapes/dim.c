/* Interned symbolic dimensions.
 *
 * A dimension is the number under which its encoded polynomial (analyze/shapes/polynomial.h) is interned, and
 * so equality is equality of numbers. What is not a polynomial, such as floor(H/2), becomes an *atom*: a
 * symbol with an inside. To make equal things meet, a quotient is brought to a normal form first:
 *
 *  (1) common factors of numerator and denominator are cancelled (symbols are positive);
 *
 *  (2) multiples of the denominator leave the floor: floor((2N + 3) / 2) = N + 1;
 *
 *  (3) over a number, the constant is rounded to what matters: floor((2N + 1) / 4) = floor(N/2). Nested
 *      floors become one: floor(floor(H/2) / 2) = floor(H/4). And ceil(p / q) is floor((p + q - 1) / q),
 *      so that both ways to write the size of a strided output agree.
 *
 * Not handled: relations between different atoms (floor(N/2) + ceil(N/2) stays as it is).
 *
 * Everything is bounded (terms, degree, nesting); past a bound, and on overflow, the result is a fresh
 * unknown. Hostile models therefore cost little and get no wrong numbers.
 */
#include "analyze/shapes/dim_internal.h"

#define MAX_WEIGHT 128u
#define WORDS_PER_TERM (3u + CNX_MAX_DEGREE)

/* ---- polynomials in and out of the table ---- */

/* A term is encoded as degree, coefficient (two words), atoms. The number 0 is the empty encoding. */
static cnx_dim intern(cnx_dims *dims, const cnx_polynomial *p)
{
    if (p->broken)
        return cnx_dim_fresh(dims);
    uint32_t words[CNX_MAX_TERMS * WORDS_PER_TERM];
    size_t count = 0;
    for (uint32_t i = 0; i < p->count; i++) {
        const cnx_term *term = &p->terms[i];
        words[count++] = term->degree;
        memcpy(&words[count], &term->coefficient, sizeof term->coefficient);
        memcpy(&words[count + 2], term->atoms, term->degree * sizeof term->atoms[0]);
        count += 2 + term->degree;
    }
    return cnx_intern_add(&dims->polynomials, words, count * sizeof words[0]);
}

void cnx_dim__load(const cnx_dims *dims, cnx_dim dim, cnx_polynomial *out)
{
    size_t size;
    const uint32_t *words = cnx_intern_bytes(&dims->polynomials, dim, &size);
    out->broken = false;
    out->count = 0;
    for (size_t i = 0; i < size / sizeof words[0]; i += 3 + words[i]) {
        cnx_term *term = &out->terms[out->count++];
        term->degree = words[i];
        memcpy(&term->coefficient, &words[i + 1], sizeof term->coefficient);
        memcpy(term->atoms, &words[i + 3], term->degree * sizeof term->atoms[0]);
    }
}

cnx_dims *cnx_dims_create(cnx_arena *arena)
{
    cnx_dims *dims = CNX_NEW(arena, cnx_dims);
    dims->arena = arena;
    cnx_intern_init(&dims->polynomials, arena);
    cnx_intern_init(&dims->atom_keys, arena);
    cnx_intern_init(&dims->names, arena);
    return dims;
}

cnx_dim cnx_dim_number(cnx_dims *dims, int64_t number)
{
    if (number == 0)
        return cnx_intern_add(&dims->polynomials, "", 0);
    uint32_t words[3] = {0};
    memcpy(&words[1], &number, sizeof number);
    return cnx_intern_add(&dims->polynomials, words, sizeof words);
}

bool cnx_dim_is_number(const cnx_dims *dims, cnx_dim dim, int64_t *number)
{
    size_t size;
    const uint32_t *words = cnx_intern_bytes(&dims->polynomials, dim, &size);
    int64_t found = 0;
    if (size != 0) {
        if (size != 3 * sizeof words[0] || words[0] != 0)
            return false;
        memcpy(&found, &words[1], sizeof found);
    }
    if (number != NULL)
        *number = found;
    return true;
}

bool cnx_dim_equals(const cnx_dims *dims, cnx_dim dim, int64_t number)
{
    int64_t found;
    return cnx_dim_is_number(dims, dim, &found) && found == number;
}

/* ---- atoms ---- */

static cnx_dim dim_of_atom(cnx_dims *dims, uint32_t atom)
{
    uint32_t words[4] = {1, 0, 0, atom};
    int64_t one = 1;
    memcpy(&words[1], &one, sizeof one);
    return cnx_intern_add(&dims->polynomials, words, sizeof words);
}

/* A number that the polynomial cannot be below, when its terms with atoms all grow. */
static bool lower_bound(const cnx_dims *dims, const cnx_polynomial *p, int64_t *least)
{
    *least = 0;
    for (uint32_t i = 0; i < p->count; i++) {
        int64_t product = p->terms[i].coefficient;
        if (p->terms[i].degree != 0 && product < 0)
            return false;
        for (uint32_t j = 0; j < p->terms[i].degree; j++) {
            const cnx_atom *atom = &dims->atoms[p->terms[i].atoms[j]];
            if (!atom->bounded_below || atom->least < 0 ||
                __builtin_mul_overflow(product, atom->least, &product))
                return false;
        }
        if (__builtin_add_overflow(*least, product, least))
            return false;
    }
    return !p->broken;
}

static uint32_t weight_of(const cnx_dims *dims, const cnx_polynomial *p)
{
    uint32_t weight = 1;
    for (uint32_t i = 0; i < p->count; i++)
        for (uint32_t j = 0; j < p->terms[i].degree; j++)
            weight += dims->atoms[p->terms[i].atoms[j]].weight;
    return weight;
}

static bool has_unknown_atom(const cnx_dims *dims, const cnx_term *term)
{
    for (uint32_t i = 0; i < term->degree; i++)
        if (dims->atoms[term->atoms[i]].unknown)
            return true;
    return false;
}

static void bound_atom(const cnx_dims *dims, cnx_atom *atom, const cnx_polynomial *a, const cnx_polynomial *b)
{
    int64_t least_a, least_b, divisor;
    bool has_a = lower_bound(dims, a, &least_a), has_b = lower_bound(dims, b, &least_b);
    switch ((cnx_atom_kind)atom->key.kind) {
    case CNX_ATOM_FLOOR:
    case CNX_ATOM_CEIL:
        if (has_a && cnx_polynomial_is_number(b, &divisor) && divisor > 0)
            atom->least = cnx_floor_quotient(least_a, divisor);
        else if (has_a && has_b && least_a >= 0 && least_b > 0)
            atom->least = 0;
        else
            break;
        atom->bounded_below = true;
        break;
    case CNX_ATOM_MAX:
        atom->bounded_below = has_a || has_b;
        atom->least = !has_b || (has_a && least_a > least_b) ? least_a : least_b;
        break;
    case CNX_ATOM_MIN:
        atom->bounded_below = has_a && has_b;
        atom->least = has_a && has_b && least_a < least_b ? least_a : least_b;
        break;
    case CNX_ATOM_SYMBOL:
    case CNX_ATOM_FRESH:
        break;
    }
}

/* The dimension that is one opaque term over `a` and `b`. */
static cnx_dim compound(cnx_dims *dims, cnx_atom_kind kind, const cnx_polynomial *a, const cnx_polynomial *b)
{
    uint32_t weight = weight_of(dims, a) + weight_of(dims, b);
    if (a->broken || b->broken || weight > MAX_WEIGHT)
        return cnx_dim_fresh(dims);
    cnx_atom_key key = {.kind = kind, .a = intern(dims, a), .b = intern(dims, b)};
    uint32_t number = cnx_intern_add(&dims->atom_keys, &key, sizeof key);
    if (number == dims->atom_count) {
        cnx_atom atom = {.key = key, .weight = weight};
        atom.unknown = cnx_dim_has_unknown(dims, key.a) || cnx_dim_has_unknown(dims, key.b);
        bound_atom(dims, &atom, a, b);
        CNX_PUSH(dims->arena, dims->atoms, dims->atom_count, dims->atom_capacity, atom);
    }
    return dim_of_atom(dims, number);
}

cnx_dim cnx_dim_symbol(cnx_dims *dims, const char *name)
{
    cnx_atom_key key = {.kind = CNX_ATOM_SYMBOL, .a = cnx_intern_add(&dims->names, name, strlen(name))};
    uint32_t number = cnx_intern_add(&dims->atom_keys, &key, sizeof key);
    if (number == dims->atom_count) {
        cnx_atom atom = {.key = key, .weight = 1, .bounded_below = true, .least = 1};
        CNX_PUSH(dims->arena, dims->atoms, dims->atom_count, dims->atom_capacity, atom);
    }
    return dim_of_atom(dims, number);
}

cnx_dim cnx_dim_fresh(cnx_dims *dims)
{
    cnx_atom_key key = {.kind = CNX_ATOM_FRESH, .a = ++dims->fresh_count};
    uint32_t number = cnx_intern_add(&dims->atom_keys, &key, sizeof key);
    cnx_atom atom = {.key = key, .weight = 1, .unknown = true};
    CNX_PUSH(dims->arena, dims->atoms, dims->atom_count, dims->atom_capacity, atom);
    return dim_of_atom(dims, number);
}

/* ---- sums and products ---- */

static cnx_dim add_scaled(cnx_dims *dims, cnx_dim a, cnx_dim b, int64_t scale)
{
    cnx_polynomial left, right, sum;
    cnx_dim__load(dims, a, &left);
    cnx_dim__load(dims, b, &right);
    cnx_polynomial_add_scaled(&left, &right, scale, &sum);
    return intern(dims, &sum);
}

cnx_dim cnx_dim_add(cnx_dims *dims, cnx_dim a, cnx_dim b)
{
    return add_scaled(dims, a, b, 1);
}

cnx_dim cnx_dim_subtract(cnx_dims *dims, cnx_dim a, cnx_dim b)
{
    return add_scaled(dims, a, b, -1);
}

cnx_dim cnx_dim_multiply(cnx_dims *dims, cnx_dim a, cnx_dim b)
{
    int64_t x, y, number;
    if (cnx_dim_is_number(dims, a, &x) && cnx_dim_is_number(dims, b, &y) &&
        !__builtin_mul_overflow(x, y, &number))
        return cnx_dim_number(dims, number);
    cnx_polynomial left, right, product;
    cnx_dim__load(dims, a, &left);
    cnx_dim__load(dims, b, &right);
    cnx_polynomial_multiply(&left, &right, &product);
    return intern(dims, &product);
}

/* ---- quotients ---- */

static void negate(cnx_polynomial *p)
{
    for (uint32_t i = 0; i < p->count; i++)
        p->broken |= __builtin_sub_overflow(0, p->terms[i].coefficient, &p->terms[i].coefficient);
}

static void add_number(cnx_polynomial *p, int64_t number)
{
    cnx_polynomial_add_term(p, &(cnx_term){.coefficient = number});
}

static cnx_dim floor_quotient(cnx_dims *dims, cnx_polynomial *a, cnx_polynomial *b);

static cnx_dim plus(cnx_dims *dims, const cnx_polynomial *p, cnx_dim rest)
{
    cnx_polynomial other, sum;
    cnx_dim__load(dims, rest, &other);
    cnx_polynomial_add_scaled(p, &other, 1, &sum);
    return intern(dims, &sum);
}

/* floor((atom + c) / divisor) where the atom is floor(p / q): floor((p + c*q) / (q*divisor)). False when the
 * numerator is not of that form or the numbers overflow. */
static bool flatten(cnx_dims *dims, const cnx_polynomial *a, int64_t divisor, cnx_polynomial *p,
                    cnx_polynomial *q)
{
    if (a->count == 0 || a->count > 2 || a->terms[0].degree != 1 || a->terms[0].coefficient != 1)
        return false;
    if (a->count == 2 && a->terms[1].degree != 0)
        return false;
    const cnx_atom *atom = &dims->atoms[a->terms[0].atoms[0]];
    int64_t inner, product, shift = a->count == 2 ? a->terms[1].coefficient : 0;
    if (atom->key.kind != CNX_ATOM_FLOOR || !cnx_dim_is_number(dims, atom->key.b, &inner) || inner <= 0)
        return false;
    if (__builtin_mul_overflow(inner, divisor, &product) || __builtin_mul_overflow(shift, inner, &shift))
        return false;
    cnx_dim__load(dims, atom->key.a, p);
    add_number(p, shift);
    *q = (cnx_polynomial){.count = 0};
    add_number(q, product);
    return !p->broken;
}

/* floor(a / divisor) for a remainder `a` that is not a number, divisor > 1: step (3) above. */
static cnx_dim floor_by_number(cnx_dims *dims, cnx_polynomial *a, int64_t divisor)
{
    cnx_polynomial p, q = {.count = 0};
    int64_t shared = cnx_polynomial_content(a, divisor);
    if (shared > 1) {
        for (uint32_t i = 0; i < a->count; i++)
            a->terms[i].coefficient = cnx_floor_quotient(a->terms[i].coefficient, shared);
        if (a->terms[a->count - 1].coefficient == 0) /* the constant, the only one that can vanish */
            a->count--;
        add_number(&q, divisor / shared);
        return floor_quotient(dims, a, &q);
    }
    if (flatten(dims, a, divisor, &p, &q))
        return floor_quotient(dims, &p, &q);
    q.count = 0;
    add_number(&q, divisor);
    return compound(dims, CNX_ATOM_FLOOR, a, &q);
}

/* Steps (1) and (2). Returns false when `quotient` is all of it; otherwise a / b is left to be rounded. */
static bool reduce_quotient(cnx_polynomial *a, cnx_polynomial *b, cnx_polynomial *quotient)
{
    if (b->terms[0].coefficient < 0) {
        negate(a);
        negate(b);
    }
    cnx_polynomial_cancel(a, b);
    cnx_polynomial_divide(a, b, quotient);
    return quotient->broken || a->count != 0;
}

static cnx_dim floor_quotient(cnx_dims *dims, cnx_polynomial *a, cnx_polynomial *b)
{
    cnx_polynomial quotient;
    int64_t divisor, number;
    if (!reduce_quotient(a, b, &quotient) || quotient.broken)
        return intern(dims, &quotient);
    if (!cnx_polynomial_is_number(b, &divisor))
        return plus(dims, &quotient, compound(dims, CNX_ATOM_FLOOR, a, b));
    if (cnx_polynomial_is_number(a, &number)) /* 0 < number < divisor */
        return intern(dims, &quotient);
    return plus(dims, &quotient, floor_by_number(dims, a, divisor));
}

cnx_dim cnx_dim_floor_divide(cnx_dims *dims, cnx_dim a, cnx_dim b)
{
    if (cnx_dim_equals(dims, b, 0))
        return cnx_dim_fresh(dims);
    cnx_polynomial numerator, denominator;
    cnx_dim__load(dims, a, &numerator);
    cnx_dim__load(dims, b, &denominator);
    return floor_quotient(dims, &numerator, &denominator);
}

cnx_dim cnx_dim_ceil_divide(cnx_dims *dims, cnx_dim a, cnx_dim b)
{
    int64_t divisor;
    if (cnx_dim_equals(dims, b, 0))
        return cnx_dim_fresh(dims);
    cnx_polynomial numerator, denominator, quotient;
    cnx_dim__load(dims, a, &numerator);
    cnx_dim__load(dims, b, &denominator);
    if (!reduce_quotient(&numerator, &denominator, &quotient) || quotient.broken)
        return intern(dims, &quotient);
    if (!cnx_polynomial_is_number(&denominator, &divisor))
        return plus(dims, &quotient, compound(dims, CNX_ATOM_CEIL, &numerator, &denominator));
    add_number(&numerator, divisor - 1);
    if (numerator.broken)
        return cnx_dim_fresh(dims);
    return plus(dims, &quotient, floor_quotient(dims, &numerator, &denominator));
}

cnx_dim cnx_dim_modulo(cnx_dims *dims, cnx_dim a, cnx_dim b)
{
    if (cnx_dim_equals(dims, b, 0))
        return cnx_dim_fresh(dims);
    return cnx_dim_subtract(dims, a, cnx_dim_multiply(dims, b, cnx_dim_floor_divide(dims, a, b)));
}

/* ---- order ---- */

static cnx_dim extremum(cnx_dims *dims, cnx_atom_kind kind, cnx_dim a, cnx_dim b)
{
    if (a == b)
        return a;
    cnx_polynomial left, right, difference;
    cnx_dim__load(dims, a, &left);
    cnx_dim__load(dims, b, &right);
    int64_t least;
    cnx_polynomial_add_scaled(&left, &right, -1, &difference);
    if (lower_bound(dims, &difference, &least) && least >= 0)
        return kind == CNX_ATOM_MAX ? a : b;
    cnx_polynomial_add_scaled(&right, &left, -1, &difference);
    if (lower_bound(dims, &difference, &least) && least >= 0)
        return kind == CNX_ATOM_MAX ? b : a;
    return a < b ? compound(dims, kind, &left, &right) : compound(dims, kind, &right, &left);
}

cnx_dim cnx_dim_max(cnx_dims *dims, cnx_dim a, cnx_dim b)
{
    return extremum(dims, CNX_ATOM_MAX, a, b);
}

cnx_dim cnx_dim_min(cnx_dims *dims, cnx_dim a, cnx_dim b)
{
    return extremum(dims, CNX_ATOM_MIN, a, b);
}

/* ---- unknowns and values ---- */

bool cnx_dim_has_unknown(const cnx_dims *dims, cnx_dim dim)
{
    cnx_polynomial p;
    cnx_dim__load(dims, dim, &p);
    for (uint32_t i = 0; i < p.count; i++)
        if (has_unknown_atom(dims, &p.terms[i]))
            return true;
    return false;
}

/* A number that the atom cannot be below, if it cannot be negative. */
static bool least_of(const cnx_dims *dims, const cnx_atom *atom, int64_t *least)
{
    *least = 0;
    if (atom->bounded_below && atom->least >= 0) {
        *least = atom->least;
        return true;
    }
    switch ((cnx_atom_kind)atom->key.kind) {
    case CNX_ATOM_FRESH:
        return true;
    case CNX_ATOM_FLOOR:
    case CNX_ATOM_CEIL:
    case CNX_ATOM_MIN:
        return cnx_dim_not_negative(dims, atom->key.a) && cnx_dim_not_negative(dims, atom->key.b);
    case CNX_ATOM_MAX:
        return cnx_dim_not_negative(dims, atom->key.a) || cnx_dim_not_negative(dims, atom->key.b);
    case CNX_ATOM_SYMBOL:
        break;
    }
    return false;
}

bool cnx_dim_not_negative(const cnx_dims *dims, cnx_dim dim)
{
    cnx_polynomial p;
    int64_t sum = 0, factor;
    cnx_dim__load(dims, dim, &p);
    for (uint32_t i = 0; i < p.count; i++) {
        int64_t product = p.terms[i].coefficient;
        if (p.terms[i].degree != 0 && product < 0)
            return false;
        for (uint32_t j = 0; j < p.terms[i].degree; j++)
            if (!least_of(dims, &dims->atoms[p.terms[i].atoms[j]], &factor) ||
                __builtin_mul_overflow(product, factor, &product))
                return false;
        if (__builtin_add_overflow(sum, product, &sum))
            return false;
    }
    return !p.broken && sum >= 0;
}

cnx_dim cnx_dim_known_part(cnx_dims *dims, cnx_dim dim)
{
    cnx_polynomial p, known = {.count = 0};
    cnx_dim__load(dims, dim, &p);
    for (uint32_t i = 0; i < p.count; i++)
        if (!has_unknown_atom(dims, &p.terms[i]))
            cnx_polynomial_add_term(&known, &p.terms[i]);
    return intern(dims, &known);
}

static bool evaluate_atom(const cnx_dims *dims, const cnx_atom *atom, cnx_dim_lookup lookup, void *state,
                          int64_t *result)
{
    int64_t a, b;
    if (atom->key.kind == CNX_ATOM_FRESH)
        return false;
    if (atom->key.kind == CNX_ATOM_SYMBOL)
        return lookup(state, cnx_intern_bytes(&dims->names, atom->key.a, NULL), result);
    if (!cnx_dim_evaluate(dims, atom->key.a, lookup, state, &a) ||
        !cnx_dim_evaluate(dims, atom->key.b, lookup, state, &b))
        return false;
    if (atom->key.kind == CNX_ATOM_MAX || atom->key.kind == CNX_ATOM_MIN) {
        *result = (a > b) == (atom->key.kind == CNX_ATOM_MAX) ? a : b;
        return true;
    }
    if (b == 0 || a == INT64_MIN || b == INT64_MIN)
        return false;
    if (b < 0) {
        a = -a;
        b = -b;
    }
    *result = atom->key.kind == CNX_ATOM_FLOOR ? cnx_floor_quotient(a, b) : -cnx_floor_quotient(-a, b);
    return true;
}

bool cnx_dim_evaluate(const cnx_dims *dims, cnx_dim dim, cnx_dim_lookup lookup, void *state, int64_t *result)
{
    cnx_polynomial p;
    cnx_dim__load(dims, dim, &p);
    *result = 0;
    for (uint32_t i = 0; i < p.count; i++) {
        int64_t product = p.terms[i].coefficient, factor;
        for (uint32_t j = 0; j < p.terms[i].degree; j++)
            if (!evaluate_atom(dims, &dims->atoms[p.terms[i].atoms[j]], lookup, state, &factor) ||
                __builtin_mul_overflow(product, factor, &product))
                return false;
        if (__builtin_add_overflow(*result, product, result))
            return false;
    }
    return true;
}
