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

/* Where the contents of a sequence's positions come from when points move as `points` says; `position` is
 * scratch, by point. */
const uint32_t *cnx_sequence_source(cnx_arena *arena, const cnx_sequence *sequence, const uint32_t *points,
                                    uint32_t *position);

/* Whether every pair is the same once a is permuted and b is multiplied by what `numbers` do (NULL: nothing):
 * bit by bit, and nothing was rounded. */
bool cnx_proves_equality(cnx_comparison *c, const uint32_t *points, const cnx_numbers *numbers);

#endif
