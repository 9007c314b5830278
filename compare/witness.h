/* Witnesses: permutations written down by the axes of parameters. */
#ifndef CNX_COMPARE_WITNESS_H
#define CNX_COMPARE_WITNESS_H

#include "compare/comparison.h"

/* Writes down the permutation of the comparison. */
const cnx_witness *cnx_witness_make(cnx_comparison *c);

/* Permutes the tensors of a model as a witness says. Fails when the witness is of another model, or is no
 * symmetry. */
void cnx_witness_apply(cnx_model *model, const cnx_witness *witness);

#endif
