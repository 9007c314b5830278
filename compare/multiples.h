/* What the signs and exponents of a class's members do to their slices, and choosing them. See multiples.c.
 */
#ifndef CNX_COMPARE_MULTIPLES_H
#define CNX_COMPARE_MULTIPLES_H

#include "compare/comparison.h"

/* Generators of a cell that are followed, at most, by kind; cells with more keep their numbers. */
enum { CNX_MOST_SIGNS = 32, CNX_MOST_EXPONENTS = 32 };

/* By what a slice of a member is multiplied: the signs in the mask, and two to the power of the sum of the
 * member's exponents times these. Both are by generator of its cell, in their order. */
typedef struct cnx_multiple {
    uint32_t signs;
    int32_t exponents[CNX_MOST_EXPONENTS];
} cnx_multiple;

/* The generators of every cell. */
typedef struct cnx_multipliers cnx_multipliers;

/* Of a comparison's scalings; of the given kinds only (CNX_SIGN | CNX_SCALE). */
cnx_multipliers *cnx_multipliers_create(cnx_comparison *c, cnx_arena *arena, unsigned kinds);

/* How many generators of a kind a cell has; 0 when it is not followed. */
uint32_t cnx_multiplier_count(const cnx_multipliers *multipliers, cnx_scaling_kind kind, uint32_t cell);

/* The number of a member for one of its cell's generators, as cnx_numbers counts them. */
uint32_t cnx_multiplier_number(const cnx_multipliers *multipliers, cnx_scaling_kind kind, uint32_t class,
                               uint32_t generator);

/* By position of the sequence of a parameter's axis: the multiple of the class at the position. */
cnx_multiple *cnx_multiples_along(cnx_arena *arena, const cnx_multipliers *multipliers, size_t parameter,
                                  uint32_t axis);

bool cnx_multiple_is_one(const cnx_multiple *multiple);
bool cnx_multiples_are_equal(const cnx_multiple *a, const cnx_multiple *b);

/* How alike slices of a member of a and one of b are: weighted sums over elements. */
typedef struct cnx_likeness {
    double aa;       /* a^2 */
    double ab;       /* a * b */
    double bb;       /* b^2 */
    double distance; /* (a - b)^2 */
} cnx_likeness;

/* A choice of signs and exponents for a member, to be added to those that it has. */
typedef struct cnx_choice {
    uint32_t signs;
    int32_t exponents[CNX_MOST_EXPONENTS];
} cnx_choice;

/* The choice that brings b's slices nearest to a's: `likeness` is by multiple, `stride` apart. False when it
 * is no better than none. */
bool cnx_choose_factors(const cnx_multiple *multiples, size_t count, uint32_t sign_count,
                        uint32_t exponent_count, const cnx_likeness *likeness, size_t stride,
                        cnx_choice *choice);

/* The squared distance that is left of a likeness when b is multiplied. */
double cnx_distance_under(const cnx_multiple *multiple, const cnx_likeness *likeness,
                          const cnx_choice *choice);

#endif
