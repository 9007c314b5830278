/* Reading tensors whose positions change on the way out. */
#ifndef CNX_ONNX_READER_H
#define CNX_ONNX_READER_H

#include "onnx/mapping.h"
#include "onnx/tensor.h"

#include <stdatomic.h>

struct cnx_model;

/* The view of a mapped file that a tensor's bytes lie in, or NULL when they are elsewhere in memory. */
const cnx_view *cnx_tensor_view(const struct cnx_model *model, const cnx_tensor *tensor);

/* The bytes of a tensor without its permutation. */
typedef struct cnx_unpermuted {
    const uint8_t *bytes;
    const cnx_view *view; /* that they are in, to be copied from; NULL: they are read where they are */
    /* Rows that fit in here are read in order first, and gathered from here. */
    uint8_t *room;
    size_t room_size;
} cnx_unpermuted;

/* How tensors are read whose `permutation` is set. Installed by rewrite/, so that onnx/ does not depend on
 * it. Both are called from several threads at once, and cannot fail. */
typedef struct cnx_tensor_reader {
    /* Bytes of a row: what a permutation gathers in one go, from one row of the tensor. 0: nothing moves, and
     * what is read in order comes from the tensor in order. */
    uint64_t (*row_size)(const cnx_tensor *tensor);
    /* Produces bytes [offset, offset+size) of the permuted form. */
    void (*read)(const cnx_tensor *tensor, const cnx_unpermuted *from, uint64_t offset, uint8_t *out,
                 size_t size);
    /* Set by `read` when nothing that it produced may be used, after all. NULL: that cannot be. */
    atomic_bool *spoiled;
} cnx_tensor_reader;

#endif
