/* Symbolic dimensions: a number, a named symbol, or a sum, product or quotient of such, in a normal form.
 *
 * A dimension is an interned polynomial with integer coefficients over *atoms*; an atom is a named symbol
 * ("N"), a fresh unknown, or an opaque term floor(p / q), ceil(p / q), max(p, q), min(p, q) of other
 * dimensions. Equal polynomials have equal ids, so equality is ==. Arithmetic that overflows 64 bits gives a
 * fresh unknown: less knowledge, never a wrong number.
 */
#ifndef CNX_ANALYZE_DIM_H
#define CNX_ANALYZE_DIM_H

#include "base/arena.h"
#include "base/intern.h"

typedef uint32_t cnx_dim;

typedef struct cnx_dims cnx_dims;

cnx_dims *cnx_dims_create(cnx_arena *arena);

cnx_dim cnx_dim_number(cnx_dims *dims, int64_t number);
/* A named symbol (a dim_param of the file): the same name gives the same dimension. */
cnx_dim cnx_dim_symbol(cnx_dims *dims, const char *name);
/* An unknown that equals nothing else; prints as "?1", "?2" ... */
cnx_dim cnx_dim_fresh(cnx_dims *dims);

cnx_dim cnx_dim_add(cnx_dims *dims, cnx_dim a, cnx_dim b);
cnx_dim cnx_dim_subtract(cnx_dims *dims, cnx_dim a, cnx_dim b);
cnx_dim cnx_dim_multiply(cnx_dims *dims, cnx_dim a, cnx_dim b);
/* Rounded towards minus infinity / plus infinity. Exact when b divides a as a polynomial (N*768 / 64 = N*12).
 * A zero divisor gives a fresh unknown. Symbols stand for positive integers. */
cnx_dim cnx_dim_floor_divide(cnx_dims *dims, cnx_dim a, cnx_dim b);
cnx_dim cnx_dim_ceil_divide(cnx_dims *dims, cnx_dim a, cnx_dim b);
/* a - b * floor(a / b) */
cnx_dim cnx_dim_modulo(cnx_dims *dims, cnx_dim a, cnx_dim b);
cnx_dim cnx_dim_max(cnx_dims *dims, cnx_dim a, cnx_dim b);
cnx_dim cnx_dim_min(cnx_dims *dims, cnx_dim a, cnx_dim b);

/* Whether the dimension is a plain number; then *number is it (number may be NULL). */
bool cnx_dim_is_number(const cnx_dims *dims, cnx_dim dim, int64_t *number);
/* Whether it is exactly this number. */
bool cnx_dim_equals(const cnx_dims *dims, cnx_dim dim, int64_t number);

/* Whether a fresh unknown occurs in it. */
bool cnx_dim_has_unknown(const cnx_dims *dims, cnx_dim dim);
/* Whether it cannot be negative as long as its unknowns stand for extents, which are not. */
bool cnx_dim_not_negative(const cnx_dims *dims, cnx_dim dim);
/* The sum of its terms in which no fresh unknown occurs. */
cnx_dim cnx_dim_known_part(cnx_dims *dims, cnx_dim dim);

/* The value of a named symbol; false when it has none. */
typedef bool (*cnx_dim_lookup)(void *state, const char *name, int64_t *value);
/* The dimension with numbers put in for its symbols. False when a symbol has no value, an unknown or a zero
 * divisor occurs, or 64 bits overflow. */
bool cnx_dim_evaluate(const cnx_dims *dims, cnx_dim dim, cnx_dim_lookup lookup, void *state, int64_t *result);

/* Canonical text: "4*N + 2", "floor(H/2)". In the pool's arena. */
const char *cnx_dim_text(cnx_dims *dims, cnx_dim dim);
/* For people, engineering prefixes on the leading coefficient: "1.82 G * N". */
const char *cnx_dim_short_text(cnx_dims *dims, cnx_dim dim);
/* The same in at most `width` characters or so: "1.82 G * ..." when the symbols take too much room. */
const char *cnx_dim_brief_text(cnx_dims *dims, cnx_dim dim, size_t width);

#endif
