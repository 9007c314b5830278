/* Edits of one graph: collected while a pass walks it, applied at once.
 *
 * Applying keeps the interface: graph inputs and outputs keep their names and places. When a node that only
 * passes a value through makes a graph output, whoever makes the value makes the output instead; where that
 * is impossible (the value is a graph input, comes from the enclosing graph, or is already an output) the
 * node stays, as a plain Identity. Of several outputs that are the same value the first one is made
 * directly. A constant that reaches an output becomes an initializer of that name.
 */
#ifndef CNX_REWRITE_EDIT_H
#define CNX_REWRITE_EDIT_H

#include "rewrite/pass.h"

typedef struct cnx_edits cnx_edits;

/* An empty list for `graph`, which must be indexed. */
cnx_edits *cnx_edits_begin(cnx_rewrite *rewrite, cnx_graph *graph);

/* The first output of `node` is always equal to `value`, which the node depends on; its other outputs are
 * unused. To be called in topological order. */
void cnx_edit_forward(cnx_edits *edits, uint32_t node, uint32_t value);

/* The only output of `node` is the constant `tensor`. */
void cnx_edit_constant(cnx_edits *edits, uint32_t node, cnx_tensor *tensor);

/* `node` reads `value` at `slot`. The value must not depend on the node. */
void cnx_edit_input(cnx_edits *edits, uint32_t node, uint32_t slot, uint32_t value);

/* `node` goes away; nothing that stays uses its outputs. */
void cnx_edit_remove(cnx_edits *edits, uint32_t node);

/* What `value` is once the forwards collected so far are applied. */
uint32_t cnx_edit_source(const cnx_edits *edits, uint32_t value);

/* Applies the edits and returns how many of them changed something; the list must not be used afterwards.
 * The graph is not indexed again: the runner does that once, when the pass is over. */
size_t cnx_edits_apply(cnx_edits *edits);

/* What a nested graph captures becomes `now[value]`, by value of the graph around it. Captured values that
 * are the same afterwards become one. */
void cnx_edit_captures(cnx_arena *scratch, cnx_graph *nested, const uint32_t *now);

/* Stores a numeric tensor as raw_data, a view of the same bytes; without elements there is none. Returns 1
 * when it was stored in another way. */
size_t cnx_tensor_plain(cnx_model *model, cnx_tensor *tensor);

/* A new numeric tensor without a name. `dims` is copied, `bytes` (packed, little-endian) belong to the
 * model's arena.
 */
cnx_tensor *cnx_tensor_make(cnx_model *model, int32_t type, uint32_t rank, const int64_t *dims,
                            const uint8_t *bytes);

/* A second record of the same bytes: a view, nothing is copied. Permutations are not shared. */
cnx_tensor *cnx_tensor_share(cnx_model *model, cnx_tensor *tensor);

/* A new attribute that is a list of integers; name and numbers are copied. Memory from `arena`. */
Onnx__AttributeProto *cnx_attribute_make_ints(cnx_arena *arena, const char *name, const int64_t *numbers,
                                              size_t count);

#endif
