/* Witnesses: symmetries written down by the axes of parameters. */
#ifndef CNX_COMPARE_WITNESS_H
#define CNX_COMPARE_WITNESS_H

#include "compare/comparison.h"

/* Writes down the symmetry of the comparison. */
const cnx_witness *cnx_witness_make(cnx_comparison *c);

/* Permutes and multiplies the tensors of a model as a witness says. Fails when the witness is of another
 * model, is no symmetry, or would round a weight. */
void cnx_witness_apply(cnx_model *model, const cnx_witness *witness);

/* The permutation that a witness writes down: by point of the analysis, its image. Fails when it is none. */
uint32_t *cnx_witness_points(cnx_arena *arena, cnx_analysis *analysis, const cnx_witness *witness);

/* The numbers of generators that have the effect of a witness's signs and exponents. Fails when there are
 * none. */
const cnx_numbers *cnx_witness_numbers(cnx_arena *arena, const cnx_analysis *analysis,
                                       const cnx_scalings *scalings, const cnx_witness *witness);

#endif
