/* One of the members of a model's orbit under scales: the one whose slices are as large as each other. Two
 * models that differ by scales, by a permutation, and by little else have nearly the same one, so it is
 * where the search for all three starts. See balance.c. */
#ifndef CNX_COMPARE_BALANCE_H
#define CNX_COMPARE_BALANCE_H

#include "compare/comparison.h"

typedef struct cnx_balance cnx_balance;

/* Balances both sides: the paired tensors get factors. Memory from `arena`. */
cnx_balance *cnx_balance_begin(cnx_comparison *c, cnx_arena *arena);

/* Takes the factors away, and sets the exponents of `numbers` to what brings b's balance to a's once classes
 * of a have gone to `image`. */
void cnx_balance_end(cnx_balance *balance, const uint32_t *image, cnx_numbers *numbers);

#endif
