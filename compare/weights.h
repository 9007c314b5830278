/* The tables of weights in a report. */
#ifndef CNX_COMPARE_WEIGHTS_H
#define CNX_COMPARE_WEIGHTS_H

#include "compare/comparison.h"

/* Measures every pair under the permutation of the comparison: fills in the report's tensors and totals. */
void cnx_measure_weights(cnx_comparison *c);

/* The same table for models that are known to be equal under the permutation: nothing is read. */
void cnx_list_equal_weights(cnx_comparison *c);

/* Adds the tensors up by the blocks of a. The tensors must have been measured. */
void cnx_measure_blocks(cnx_comparison *c);

/* Whether a tensor counts as changed, the tolerance considered. */
bool cnx_is_changed(const cnx_comparison *c, const cnx_tensor_change *row);

#endif
