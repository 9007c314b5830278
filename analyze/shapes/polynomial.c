#include "analyze/shapes/polynomial.h"

#include "base/divisor.h"

#include <string.h>

int64_t cnx_floor_quotient(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t floor_remainder(int64_t a, int64_t b)
{
    int64_t rest = a % b;
    return rest < 0 ? rest + b : rest;
}

static int64_t greatest_common_divisor(int64_t a, int64_t b)
{
    uint64_t x =
        cnx_greatest_divisor(a < 0 ? 0u - (uint64_t)a : (uint64_t)a, b < 0 ? 0u - (uint64_t)b : (uint64_t)b);
    return x > INT64_MAX ? 1 : (int64_t)x;
}

/* Negative when `a` comes before `b`; zero when they have the same atoms. */
static int compare_atoms(const cnx_term *a, const cnx_term *b)
{
    if (a->degree != b->degree)
        return a->degree > b->degree ? -1 : 1;
    for (uint32_t i = 0; i < a->degree; i++)
        if (a->atoms[i] != b->atoms[i])
            return a->atoms[i] < b->atoms[i] ? -1 : 1;
    return 0;
}

static void remove_term(cnx_polynomial *p, uint32_t index)
{
    p->count--;
    memmove(&p->terms[index], &p->terms[index + 1], (p->count - index) * sizeof p->terms[0]);
}

void cnx_polynomial_add_term(cnx_polynomial *p, const cnx_term *term)
{
    if (p->broken || term->coefficient == 0)
        return;
    uint32_t place = 0;
    while (place < p->count && compare_atoms(&p->terms[place], term) < 0)
        place++;
    if (place < p->count && compare_atoms(&p->terms[place], term) == 0) {
        int64_t *sum = &p->terms[place].coefficient;
        p->broken |= __builtin_add_overflow(*sum, term->coefficient, sum);
        if (*sum == 0)
            remove_term(p, place);
        return;
    }
    if (p->count == CNX_MAX_TERMS) {
        p->broken = true;
        return;
    }
    memmove(&p->terms[place + 1], &p->terms[place], (p->count - place) * sizeof p->terms[0]);
    p->terms[place] = *term;
    p->count++;
}

bool cnx_term_multiply(const cnx_term *a, const cnx_term *b, cnx_term *product)
{
    if (a->degree + b->degree > CNX_MAX_DEGREE)
        return false;
    if (__builtin_mul_overflow(a->coefficient, b->coefficient, &product->coefficient))
        return false;
    product->degree = a->degree + b->degree;
    uint32_t i = 0, j = 0;
    for (uint32_t k = 0; k < product->degree; k++) {
        bool from_a = j == b->degree || (i < a->degree && a->atoms[i] <= b->atoms[j]);
        product->atoms[k] = from_a ? a->atoms[i++] : b->atoms[j++];
    }
    return true;
}

/* target += term * p */
static void add_product(cnx_polynomial *target, const cnx_term *term, const cnx_polynomial *p)
{
    target->broken |= p->broken;
    for (uint32_t i = 0; i < p->count && !target->broken; i++) {
        cnx_term product;
        if (cnx_term_multiply(term, &p->terms[i], &product))
            cnx_polynomial_add_term(target, &product);
        else
            target->broken = true;
    }
}

static void copy_polynomial(const cnx_polynomial *from, cnx_polynomial *to)
{
    to->broken = from->broken;
    to->count = from->count;
    memcpy(to->terms, from->terms, from->count * sizeof from->terms[0]);
}

void cnx_polynomial_add_scaled(const cnx_polynomial *a, const cnx_polynomial *b, int64_t scale,
                               cnx_polynomial *out)
{
    copy_polynomial(a, out);
    add_product(out, &(cnx_term){.coefficient = scale}, b);
}

void cnx_polynomial_multiply(const cnx_polynomial *a, const cnx_polynomial *b, cnx_polynomial *out)
{
    out->broken = a->broken;
    out->count = 0;
    for (uint32_t i = 0; i < a->count; i++)
        add_product(out, &a->terms[i], b);
}

/* Divides the atoms of `a` by those of `b`, leaving the coefficient alone; false (and `a` unchanged) when
 * they do not divide. */
static bool divide_atoms(cnx_term *a, const cnx_term *b)
{
    cnx_term rest = {.coefficient = a->coefficient};
    uint32_t j = 0;
    for (uint32_t i = 0; i < a->degree; i++) {
        if (j < b->degree && a->atoms[i] == b->atoms[j])
            j++;
        else
            rest.atoms[rest.degree++] = a->atoms[i];
    }
    if (j < b->degree)
        return false;
    *a = rest;
    return true;
}

/* common = the atoms that `common` and `term` share. */
static void intersect_atoms(cnx_term *common, const cnx_term *term)
{
    uint32_t kept = 0;
    for (uint32_t i = 0, j = 0; i < common->degree && j < term->degree;) {
        if (common->atoms[i] == term->atoms[j]) {
            common->atoms[kept++] = common->atoms[i++];
            j++;
        } else if (common->atoms[i] < term->atoms[j]) {
            i++;
        } else {
            j++;
        }
    }
    common->degree = kept;
}

void cnx_polynomial_cancel(cnx_polynomial *a, cnx_polynomial *b)
{
    if (a->broken || b->broken || a->count == 0 || b->count == 0)
        return;
    cnx_polynomial *both[] = {a, b};
    cnx_term common = b->terms[0];
    common.coefficient = 0;
    for (int side = 0; side < 2; side++)
        for (uint32_t i = 0; i < both[side]->count; i++) {
            const cnx_term *term = &both[side]->terms[i];
            common.coefficient = greatest_common_divisor(common.coefficient, term->coefficient);
            intersect_atoms(&common, term);
        }
    for (int side = 0; side < 2; side++)
        for (uint32_t i = 0; i < both[side]->count; i++) {
            cnx_term *term = &both[side]->terms[i];
            term->coefficient /= common.coefficient;
            divide_atoms(term, &common); /* keeps the order: all terms lose the same atoms */
        }
}

static void divide_by_term(cnx_polynomial *a, const cnx_term *b, cnx_polynomial *quotient)
{
    for (uint32_t i = 0; i < a->count;) {
        cnx_term part = a->terms[i];
        if (!divide_atoms(&part, b)) {
            i++;
            continue;
        }
        part.coefficient = cnx_floor_quotient(a->terms[i].coefficient, b->coefficient);
        a->terms[i].coefficient = floor_remainder(a->terms[i].coefficient, b->coefficient);
        cnx_polynomial_add_term(quotient, &part);
        if (a->terms[i].coefficient == 0)
            remove_term(a, i);
        else
            i++;
    }
}

/* Long division by the leading term, which the order of terms makes terminate. */
static bool divide_exactly(const cnx_polynomial *a, const cnx_polynomial *b, cnx_polynomial *quotient)
{
    cnx_polynomial rest;
    copy_polynomial(a, &rest);
    const cnx_term *leading = &b->terms[0];
    for (uint32_t step = 0; rest.count != 0 && !rest.broken; step++) {
        cnx_term part = rest.terms[0];
        if (step == CNX_MAX_TERMS || part.coefficient % leading->coefficient != 0 ||
            !divide_atoms(&part, leading))
            return false;
        part.coefficient /= leading->coefficient;
        cnx_polynomial_add_term(quotient, &part);
        if (part.coefficient == INT64_MIN)
            return false;
        part.coefficient = -part.coefficient;
        add_product(&rest, &part, b);
    }
    return !rest.broken;
}

void cnx_polynomial_divide(cnx_polynomial *a, const cnx_polynomial *b, cnx_polynomial *quotient)
{
    quotient->count = 0;
    quotient->broken = a->broken || b->broken || b->count == 0;
    if (quotient->broken)
        return;
    if (b->count == 1) {
        divide_by_term(a, &b->terms[0], quotient);
        return;
    }
    if (divide_exactly(a, b, quotient)) {
        a->count = 0;
        return;
    }
    quotient->count = 0;
    quotient->broken = false;
}

bool cnx_polynomial_is_number(const cnx_polynomial *p, int64_t *number)
{
    if (p->broken || p->count > 1 || (p->count == 1 && p->terms[0].degree != 0))
        return false;
    *number = p->count == 0 ? 0 : p->terms[0].coefficient;
    return true;
}

int64_t cnx_polynomial_content(const cnx_polynomial *p, int64_t start)
{
    int64_t content = start;
    for (uint32_t i = 0; i < p->count; i++)
        if (p->terms[i].degree != 0)
            content = greatest_common_divisor(content, p->terms[i].coefficient);
    return content;
}
