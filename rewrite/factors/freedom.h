/* What is still free of a few whole numbers (or bits) while sums of them are settled one after the other. */
#ifndef CNX_REWRITE_FREEDOM_H
#define CNX_REWRITE_FREEDOM_H

#include "analyze/equations.h"

/* The vectors of `size` numbers that may still be added to what was chosen: all whole combinations of `rank`
 * independent directions. They are all vectors at which certain sums are zero. */
typedef struct cnx_freedom {
    bool modulo_two; /* numbers are bits */
    uint32_t size;
    uint32_t rank;
    const int64_t *directions; /* by direction, then number */
} cnx_freedom;

/* Everything is free; memory from `arena`. */
cnx_freedom *cnx_freedom_all(cnx_arena *arena, uint32_t size, bool modulo_two);

/* A copy in another arena. */
cnx_freedom *cnx_freedom_copy(cnx_arena *arena, const cnx_freedom *freedom);

/* By how much a sum changes along each direction: row[0 .. rank). Returns whether it changes at all; if not,
 * it is settled. */
bool cnx_freedom_change(const cnx_freedom *freedom, const cnx_term *sum, size_t count, int64_t *row);

/* Sums that are to be settled together. */
typedef struct cnx_settling {
    uint32_t count;          /* sums */
    const int64_t *divisors; /* by sum: it can be changed by the multiples of this, which is positive */
    const cnx_freedom *rest; /* what is free when all of them are settled */
    /* The solution: direction number d changes sum number d, and those behind it, by triangle[d * count ...].
     */
    const int64_t *directions;
    const int64_t *triangle;
} cnx_settling;

/* How sums can be settled that change by `rows` (count times rank). NULL when they do not change
 * independently of each other, so that what one can be set to depends on the others, or when numbers grow out
 * of hand. Memory from `arena`. */
cnx_settling *cnx_freedom_settle(cnx_arena *arena, const cnx_freedom *freedom, const int64_t *rows,
                                 uint32_t count);

/* Adds to `numbers` a vector that changes each sum by `changes`, which are multiples of the divisors;
 * overwrites `changes`. */
void cnx_settling_solve(const cnx_settling *settling, int64_t *changes, int64_t *numbers);

#endif
