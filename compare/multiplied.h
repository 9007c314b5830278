/* Signs and powers of two, and what they do to the tensors of pairs. */
#ifndef CNX_COMPARE_MULTIPLIED_H
#define CNX_COMPARE_MULTIPLIED_H

#include "analyze/equations.h"
#include "compare/comparison.h"
#include "rewrite/permute.h"

/* What a's units can be multiplied by; found on first use. The comparison must be analysed. */
const cnx_scalings *cnx_comparison_scalings(cnx_comparison *c);

/* Numbers that are all zero, as many as the scalings have. */
cnx_numbers *cnx_numbers_create(cnx_arena *arena, const cnx_scalings *scalings);

cnx_numbers *cnx_numbers_copy(cnx_arena *arena, const cnx_scalings *scalings, const cnx_numbers *numbers);

/* Makes one's numbers those of the other. */
void cnx_numbers_assign(const cnx_scalings *scalings, cnx_numbers *to, const cnx_numbers *from);

/* What numbers of one kind do along an axis of a parameter, by position of the axis's sequence: exponents, or
 * 1 for a flipped sign. NULL when that is nothing. */
const int32_t *cnx_axis_numbers(cnx_arena *arena, const cnx_analysis *analysis, const cnx_scalings *scalings,
                                size_t parameter, uint32_t axis, cnx_scaling_kind kind,
                                const int32_t *numbers);

/* The factors of a parameter's tensor under `numbers`, as a permutation that moves nothing; NULL when there
 * are none. Positions are those of the tensor as it is read. */
struct cnx_permutation *cnx_parameter_factors(cnx_arena *arena, const cnx_analysis *analysis,
                                              const cnx_scalings *scalings, size_t parameter,
                                              const cnx_numbers *numbers);

/* The same for b's tensor of a pair. NULL when `numbers` is NULL, too. */
struct cnx_permutation *cnx_pair_factors(cnx_comparison *c, cnx_arena *arena, const cnx_pair *pair,
                                         const cnx_numbers *numbers);

/* Whether some of the kinds (CNX_SIGN, CNX_SCALE or both) multiply a parameter along an axis. */
bool cnx_is_multiplied(const cnx_scalings *scalings, size_t parameter, uint32_t axis, unsigned kinds);

/* Nothing moves, and axes have the factors given, one for each of the tensor's axes. Memory from `arena`. */
struct cnx_permutation *cnx_permutation_with_factors(cnx_arena *arena, const cnx_tensor *tensor,
                                                     cnx_axis_factors *factors);

/* What the numbers of one kind do at a position: a sum of numbers times factors. */
typedef struct cnx_position_sum {
    size_t count, capacity;
    cnx_term *terms; /* unknown 0 stands for one, n + 1 for number n */
} cnx_position_sum;

/* These sums along an axis of a parameter that has labels, by position as cnx_axis_numbers counts them. */
cnx_position_sum *cnx_axis_sums(cnx_arena *arena, const cnx_analysis *analysis, const cnx_scalings *scalings,
                                size_t parameter, uint32_t axis, cnx_scaling_kind kind);

/* Wanted numbers of one kind: by parameter, then axis, then position as cnx_axis_numbers counts them. NULL
 * for an axis: all zero. */
typedef int32_t ***cnx_wanted_numbers;

/* Finds numbers of generators that do to every axis what is wanted: solves for one member after the other.
 * False when there are none, or none was found: what is wanted need not be a symmetry. `numbers` has room for
 * all of the kind's. */
bool cnx_find_numbers(cnx_arena *arena, const cnx_analysis *analysis, const cnx_scalings *scalings,
                      cnx_scaling_kind kind, cnx_wanted_numbers wanted, int32_t *numbers);

/* Rows for all parameters and axes, each NULL. */
cnx_wanted_numbers cnx_wanted_create(cnx_arena *arena, const cnx_analysis *analysis);

#endif
