/* Linear assignment. */
#ifndef CNX_COMPARE_ASSIGNMENT_H
#define CNX_COMPARE_ASSIGNMENT_H

#include "base/arena.h"

/* Assigns every row of a matrix a column of its own so that the sum of the chosen entries is largest; returns
 * that sum. Entry (i, j) is gain[i * stride + j], finite. `column` has room for `count` entries; scratch
 * memory comes from `arena`. Optimal up to rounding; the same on every machine for the same matrix. */
double cnx_assign(cnx_arena *arena, const double *gain, uint32_t count, size_t stride, uint32_t *column);

#endif
