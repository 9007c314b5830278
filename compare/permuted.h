/* Permutations of a's points, and what they do to the tensors of pairs. */
#ifndef CNX_COMPARE_PERMUTED_H
#define CNX_COMPARE_PERMUTED_H

#include "compare/comparison.h"
#include "rewrite/permute.h"

/* Analyses a's structural form, once, and finds the parameter of every pair. */
void cnx_comparison_analyze(cnx_comparison *c);

/* What `points` (by point: its image; NULL: identity) does to the tensor of a pair, or NULL when it stays. */
struct cnx_permutation *cnx_pair_permutation(cnx_comparison *c, cnx_arena *arena, const cnx_pair *pair,
                                             const uint32_t *points);

/* Whether every pair is the same bit by bit once a is permuted. */
bool cnx_proves_equality(cnx_comparison *c, const uint32_t *points);

#endif
