/* Permuted tensors: what a permutation of points does to the parameters, and reading them that way. */
#ifndef CNX_REWRITE_PERMUTE_H
#define CNX_REWRITE_PERMUTE_H

#include "analyze/symmetry.h"
#include "onnx/model.h"

/* How the positions of one axis are filled. */
typedef struct cnx_axis_permutation {
    /* NULL: as they were. Otherwise position i of the result is position source[i] of the tensor; with a
     * governor, source[block * extent + i] where block is the one that the result's position on the governing
     * axis lies in. */
    const uint32_t *source;
    uint32_t governor; /* axis, or CNX_NONE */
    uint32_t block;    /* positions of the governing axis that make a block */
    uint32_t unit;     /* positions that stay together, at multiples of it: `source` lists units (49 for a
                          flattened     7x7 map); 1 with a governor */
} cnx_axis_permutation;

struct cnx_permutation {
    cnx_axis_permutation *axes; /* tensor->rank of them */
    uint32_t last; /* the last axis that is permuted or governs one: what follows it moves in one piece */
};

/* Sets the permutation of every parameter tensor to what `points` (by point: its image) does to it. The
 * tensors of the model must be those the analysis saw, not permuted before. */
void cnx_apply_permutation(cnx_analysis *analysis, const uint32_t *points);

/* Bytes [offset, offset + size) of the tensor's packed little-endian form, permutation applied. */
void cnx_tensor_read(cnx_model *model, cnx_tensor *tensor, uint64_t offset, uint8_t *out, size_t size);

/* Writes permutations into the tensors' bytes (in the model's arena), so that the model can be analysed
 * again. */
void cnx_settle_permutations(cnx_model *model);

#endif
