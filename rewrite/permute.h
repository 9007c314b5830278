/* Permuted tensors: what a permutation of points does to the parameters, and reading them that way. */
#ifndef CNX_REWRITE_PERMUTE_H
#define CNX_REWRITE_PERMUTE_H

#include "analyze/symmetry/cells.h"
#include "onnx/model.h"
#include "onnx/reader.h"
#include "rewrite/factors/factors.h"

#include <stdatomic.h>

/* How the positions of one axis are filled. */
typedef struct cnx_axis_permutation {
    /* NULL: as they were. Otherwise position i of the result is position source[i] of the tensor; with a
     * governor, source[block * extent + i] where block is the one that the result's position on the governing
     * axis lies in. */
    uint32_t *source;
    uint32_t governor; /* axis, or CNX_NONE */
    uint32_t block;    /* positions of the governing axis that make a block */
    uint32_t unit;     /* positions that stay together, at multiples of it: `source` lists units (49 for a
                          flattened 7x7 map); 1 with a governor, and on an axis that governs another */
} cnx_axis_permutation;

struct cnx_permutation {
    cnx_axis_permutation *axes; /* tensor->rank of them */
    uint32_t last; /* the last axis that is permuted or governs one: what follows it moves in one piece */
    cnx_axis_factors *factors; /* by axis, by positions of the result; NULL: none */
    atomic_bool *lost; /* set when an element that is read has no room or lost bits to a factor (room.h);
                          NULL: nobody asks */
};

/* The tensor's permutation; one that moves nothing is made when there is none. */
struct cnx_permutation *cnx_tensor_permutation(cnx_arena *arena, cnx_tensor *tensor);

/* The axis of the parameter whose blocks the labels of `axis` vary over, and how many of its positions make a
 * block; CNX_NONE and 1 when they vary over none. False when no axis has the blocks: then they may not move.
 */
bool cnx_find_governor(const cnx_parameter *parameter, uint32_t axis, uint32_t *governor, uint32_t *block);

/* The same of an axis that is to be changed; fails, in the arena's call, when no axis has the blocks. */
void cnx_need_governor(cnx_arena *arena, const cnx_parameter *parameter, uint32_t axis, uint32_t *governor,
                       uint32_t *block);

/* What `points` (by point: its image) does to one parameter, in `arena`; the tensor's factors move along.
 * NULL when nothing moves, there are no factors, and nobody asks for lost bits. `position` is scratch, by
 * point, all zero before and after. */
struct cnx_permutation *cnx_permutation_of(cnx_arena *arena, const cnx_parameter *parameter,
                                           const uint32_t *points, uint32_t *position);

/* Sets the permutation of every parameter tensor to what `points` (by point: its image) does to it. The
 * tensors of the model must be those the analysis saw, not permuted before; they may have factors. */
void cnx_apply_permutation(cnx_analysis *analysis, const uint32_t *points);

/* Reads the packed little-endian form of a tensor with its permutation and its factors applied. */
extern const cnx_tensor_reader cnx_permuted_reader;

/* What the reader does; returns whether no element lost any of its bits to a factor. */
bool cnx_read_permuted(const cnx_tensor *tensor, const cnx_unpermuted *from, uint64_t offset, uint8_t *out,
                       size_t size);

/* Bytes [offset, offset + size) of the packed little-endian form of a tensor, permuted or not. Fails where
 * cnx_tensor_bytes does. */
void cnx_tensor_read(cnx_model *model, cnx_tensor *tensor, uint64_t offset, uint8_t *out, size_t size);

/* The tensor's bytes with its permutation and factors applied: where there are any, they are written into
 * bytes of its own first, in the model's arena. For small tensors, and for those that few models have to
 * compare. */
const uint8_t *cnx_tensor_values(cnx_model *model, cnx_tensor *tensor);

/* Writes permutations into the tensors' bytes (in the model's arena), so that the model can be analysed
 * again. */
void cnx_settle_permutations(cnx_model *model);

#endif
