/* Signs and powers of two by which a tensor's elements are multiplied while they are read: one number for
 * each position of each axis. All numbers are powers of two, so nothing is rounded as long as exponents have
 * room. Where rounding does not matter other factors will do; halves are multiplied by the power of two below
 * them. */
#ifndef CNX_REWRITE_FACTORS_H
#define CNX_REWRITE_FACTORS_H

#include "analyze/scaling/scaling.h"

/* The factors along one axis of a tensor as it is read (after its permutation). */
typedef struct cnx_axis_factors {
    double *factor;  /* by position; with a governor, by block times extent plus position; NULL: all 1 */
    uint32_t *steps; /* the same: what is added to the bits of a float instead (multiply.c) */
    int least;       /* exponents of two of the smallest factor and of the largest */
    int most;
    uint32_t governor; /* axis, or CNX_NONE; as in cnx_axis_permutation */
    uint32_t block;
} cnx_axis_factors;

/* Fills in what follows from `factor`, which has `count` elements. */
void cnx_prepare_factors(cnx_arena *arena, cnx_axis_factors *axis, uint32_t count);

/* Bounds for the exponents of two of what the tensor's elements are multiplied by; 0 without factors. */
void cnx_factors_range(const cnx_tensor *tensor, int *least, int *most);

/* Multiplies every parameter by what the generators of `kind` do when they take the values `numbers` (as
 * cnx_scaling_generators numbers them): 0 or 1 for signs, exponents of two for scales. Comes on top of
 * permutations and factors that the tensors have. The analysis must be of the model's present tensors. */
void cnx_apply_factors(cnx_analysis *analysis, const cnx_scalings *scalings, cnx_scaling_kind kind,
                       const int32_t *numbers);

/* The same for one part of one action: `factor` times the numbers, which are by member. */
void cnx_apply_generator(cnx_analysis *analysis, const cnx_scalings *scalings, size_t parameter,
                         uint32_t axis, const cnx_scaling_action *action, int32_t factor,
                         const int32_t *numbers);

/* Multiplies bytes [offset, offset + size) of the tensor, which were read, by its factors. Returns whether
 * that was exact: no product of a number that is not zero has fewer bits than that, or is too large. What is
 * not finite stays so, which is exact; half-precision numbers of that kind, and those that are subnormal or
 * become so, count as not exact. */
bool cnx_multiply_by_factors(const cnx_tensor *tensor, uint64_t offset, uint8_t *bytes, size_t size);

#endif
