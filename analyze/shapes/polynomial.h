/* Polynomials with 64-bit integer coefficients over numbered atoms: the arithmetic under
 * analyze/shapes/dim.h.
 *
 * A polynomial is a small value without pointers. It is bounded: too many terms, too high a degree, or a
 * coefficient that overflows makes it `broken`, and everything computed from a broken polynomial is broken.
 * Callers look once, at the end.
 *
 * Terms are kept in one order, so that equal polynomials are equal arrays: higher degree first, then
 * lexicographic by atoms; no zero coefficients, no two terms with the same atoms.
 */
#ifndef CNX_ANALYZE_POLYNOMIAL_H
#define CNX_ANALYZE_POLYNOMIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CNX_MAX_DEGREE 12u
#define CNX_MAX_TERMS 48u

/* coefficient * product of `degree` atoms, ascending; a power repeats its atom. */
typedef struct cnx_term {
    int64_t coefficient;
    uint32_t degree;
    uint32_t atoms[CNX_MAX_DEGREE];
} cnx_term;

typedef struct cnx_polynomial {
    bool broken;
    uint32_t count;
    cnx_term terms[CNX_MAX_TERMS];
} cnx_polynomial;

/* Adds one term, merging it with a term of the same atoms. */
void cnx_polynomial_add_term(cnx_polynomial *p, const cnx_term *term);

/* The product of two terms; false when it overflows. */
bool cnx_term_multiply(const cnx_term *a, const cnx_term *b, cnx_term *product);

/* out = a + scale * b; out = a * b. `out` is a different object from `a` and `b`. */
void cnx_polynomial_add_scaled(const cnx_polynomial *a, const cnx_polynomial *b, int64_t scale,
                               cnx_polynomial *out);
void cnx_polynomial_multiply(const cnx_polynomial *a, const cnx_polynomial *b, cnx_polynomial *out);

/* Removes what all terms of `a` and `b` share: atoms, and the greatest common divisor of the coefficients.
 * The quotient a / b stays what it was, wherever the removed atoms are not zero. */
void cnx_polynomial_cancel(cnx_polynomial *a, cnx_polynomial *b);

/* a = quotient * b + a', with a' left in `a`. When `b` is one term, every term of `a` that its atoms divide
 * is reduced to a coefficient in [0, coefficient of b). When `b` has several terms, the quotient is found
 * only if it is exact, and is 0 otherwise. The leading coefficient of `b` is positive. */
void cnx_polynomial_divide(cnx_polynomial *a, const cnx_polynomial *b, cnx_polynomial *quotient);

/* Whether the polynomial is a number; then *number is it. */
bool cnx_polynomial_is_number(const cnx_polynomial *p, int64_t *number);

/* Greatest common divisor of the coefficients of the terms that have atoms, and of `start`. */
int64_t cnx_polynomial_content(const cnx_polynomial *p, int64_t start);

/* The quotient of two integers rounded towards minus infinity; the divisor is positive. */
int64_t cnx_floor_quotient(int64_t a, int64_t b);

#endif
