/* Homogeneous linear equations with small whole coefficients, nearly all of which say that two unknowns are
 * equal or opposite.
 *
 * Each equation is solved for one unknown as it is stated, and the rest of the unknowns stay free: in the end
 * every unknown is a whole-number combination of free ones. Over the whole numbers an equation can only be
 * solved for an unknown whose coefficient is 1 or -1. One without (2x = 3y) sets all of its unknowns to zero,
 * as does one that grows beyond CNX_MOST_TERMS: that loses solutions and never invents one.
 */
#ifndef CNX_ANALYZE_EQUATIONS_H
#define CNX_ANALYZE_EQUATIONS_H

#include "base/arena.h"

#define CNX_MOST_TERMS 32

typedef struct cnx_term {
    uint32_t unknown;
    int32_t factor;
} cnx_term;

typedef struct cnx_equations cnx_equations;

/* No equations yet in `count` unknowns. With `modulo_two` they are over the field of two elements, where
 * every equation can be solved. `priority`, by unknown, says which unknowns equations are solved for: those
 * with the largest number, and the newest among them; NULL: the newest. Borrowed; memory from `arena`. */
cnx_equations *cnx_equations_create(cnx_arena *arena, size_t count, bool modulo_two,
                                    const uint32_t *priority);

/* States that the sum of factor times unknown over `terms` is zero. An unknown may occur several times.
 * Returns whether that did not follow from what was stated before. */
bool cnx_equations_add(cnx_equations *equations, const cnx_term *terms, size_t count);

/* The value of an unknown in terms of free unknowns: returns how many terms, and sets *terms, which is valid
 * until the next call of a function on `equations`. A free unknown is itself, times 1. */
size_t cnx_equations_value(cnx_equations *equations, uint32_t unknown, const cnx_term **terms);

/* Whether no equation was solved for the unknown. */
bool cnx_equations_is_free(const cnx_equations *equations, uint32_t unknown);

#endif
