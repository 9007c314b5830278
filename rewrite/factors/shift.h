/* Signs of units behind a sigmoid, which the biases of the next layers have to make good for. */
#ifndef CNX_REWRITE_SHIFT_H
#define CNX_REWRITE_SHIFT_H

#include "analyze/scaling/scaling.h"

/* Draws all signs that come with a shift (analyze/scaling/shift.c), uniformly, and applies them: negates what
 * the units' other parameters have, and moves biases, which rounds. Permutations and factors are settled,
 * before and after; `state` is the random generator's. */
void cnx_draw_shifted_signs(cnx_analysis *analysis, uint64_t *state);

#endif
