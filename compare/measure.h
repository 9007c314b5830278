/* How far one tensor is from another. */
#ifndef CNX_COMPARE_MEASURE_H
#define CNX_COMPARE_MEASURE_H

#include "compare/comparison.h"

/* What differs between the pair's tensors when a's is read under `permutation` and b's multiplied by
 * `factors` (NULL: as it is): sets verdict, detail and the numbers of `change`. The verdict is never
 * CNX_TENSOR_PERMUTED: what is equal then is SAME. Streams both tensors in blocks. */
void cnx_measure(cnx_comparison *c, const cnx_pair *pair, struct cnx_permutation *permutation,
                 struct cnx_permutation *factors, cnx_tensor_change *change);

/* The relative change, from the sums of squares of what changed and of what there was. Where neither fits a
 * double it is infinite: nobody knows, and no tolerance covers it. */
double cnx_relative_change(double change, double norm);

/* The sum of squared differences of the pair's tensors, a's permuted and b's multiplied. */
double cnx_squared_distance(cnx_comparison *c, const cnx_pair *pair, struct cnx_permutation *permutation,
                            struct cnx_permutation *factors);

#endif
