/* Changes of basis of the units that only linear operators touch. */
#ifndef CNX_REWRITE_LINEAR_H
#define CNX_REWRITE_LINEAR_H

#include "analyze/scaling/scaling.h"

/* Mixes the members of every linear cell by a random matrix, whose condition number is at most 4, and of
 * every orthogonal one by a random orthogonal matrix: what has the cell's generator as its factor is
 * multiplied by the matrix, what has the inverse by the inverse transposed. This rounds. Permutations and
 * factors are settled first; `state` is the random generator's. */
void cnx_mix_linear_cells(cnx_analysis *analysis, const cnx_scalings *scalings, uint64_t *state);

#endif
