/* The signs and exponents of all units at once, for a permutation that is known. See votes.c. */
#ifndef CNX_COMPARE_VOTES_H
#define CNX_COMPARE_VOTES_H

#include "compare/comparison.h"

/* Changes `numbers` to those for which the strongest elements of b's weights, multiplied, have the signs and
 * the sizes of a's, which go where `points` says (NULL: nowhere). `kinds`: which may change, CNX_SIGN,
 * CNX_SCALE or both. Nothing changes where nothing is said. */
void cnx_vote_numbers(cnx_comparison *c, const uint32_t *points, unsigned kinds, cnx_numbers *numbers);

#endif
