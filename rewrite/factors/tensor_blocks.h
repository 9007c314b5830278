/* Reading a whole tensor, block by block, as it is now: its permutation and its factors applied. */
#ifndef CNX_REWRITE_TENSOR_BLOCKS_H
#define CNX_REWRITE_TENSOR_BLOCKS_H

#include "base/lanes.h"
#include "onnx/model.h"

typedef struct cnx_tensor_block {
    const uint8_t *bytes; /* packed, little-endian; valid during the call */
    uint64_t first;       /* element */
    uint64_t count;       /* elements */
    size_t slot;          /* below cnx_lanes_slots(): no other block with it is in use; 0 without lanes */
    int32_t type;         /* of the elements here: the tensor's, or double */
    bool exact;           /* no element lost any of its bits to a factor */
} cnx_tensor_block;

/* What is done with a block. It may neither fail nor touch an arena when there are lanes. */
typedef void (*cnx_block_function)(void *state, const cnx_tensor_block *block);

/* Elements in a block of the tensor, at most. */
uint64_t cnx_block_length(const cnx_tensor *tensor);

/* Calls `use` for every block of a tensor whose elements have whole bytes. Without lanes (NULL) blocks come
 * in order; with lanes in any order, and from several threads at once. With `wide`, elements of a tensor of
 * floats of any kind are doubles, which have room for exponents that the tensor's type has not. Scratch
 * memory from `arena`. Nothing of a mapped file stays in memory. */
void cnx_read_blocks(cnx_arena *arena, cnx_model *model, cnx_tensor *tensor, cnx_lanes *lanes, bool wide,
                     cnx_block_function use, void *state);

#endif
