/* Whether a permutation of points leaves the model's weights as they are, bit by bit. Exact: no hashes.
 *
 * Only elements with a moved coordinate are compared, so that exchanging two units costs two slices of each
 * tensor they are on, whatever the size of the model. */
#ifndef CNX_REWRITE_AUTOMORPHISM_H
#define CNX_REWRITE_AUTOMORPHISM_H

#include "analyze/symmetry/cells.h"

/* What checks of one model share; see automorphism.c. */
typedef struct cnx_weights_check cnx_weights_check;

/* Lists where every point shows. Time and memory in proportion to the labelled positions; no weight is read.
 * Memory from `arena`, which the analysis has to outlive. */
cnx_weights_check *cnx_weights_check_create(cnx_arena *arena, cnx_analysis *analysis);

/* Whether moving every point p of moved[0 .. count) to image[p] changes no byte of any parameter. The points
 * not listed stay; the listed ones are permuted among themselves by an element of the model's group, on which
 * the answer relies. `image` is read at the listed points only. */
bool cnx_keeps_weights(cnx_weights_check *check, const uint32_t *moved, size_t count, const uint32_t *image);

/* Bytes compared by all checks so far. */
uint64_t cnx_weights_compared(const cnx_weights_check *check);

/* Gives back the pages that were read of large tensors in mapped files. */
void cnx_weights_release(cnx_weights_check *check);

#endif
