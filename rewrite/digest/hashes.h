/* Hashes of values that no renaming, reordering or permutation of a model changes.
 *
 * structure: what is computed, from the graph inputs on: operators, attributes, element types and dims, but
 *     neither names nor the contents of initializers. Inputs of commutative operators are combined in
 *     the order of their hashes, so the hash does not depend on how the file happens to order them.
 * weights: the structure and, for every initializer below, the multiset of its elements' bits. It takes
 *     reading the weights, so it is only found when somebody asks, and only for what is below.
 *
 * Equal hashes are taken to mean equal structure (or weights); 64 bits make an accident unlikely, and its
 * consequence is a tie that is broken differently, never a wrong model. */
#ifndef CNX_REWRITE_HASHES_H
#define CNX_REWRITE_HASHES_H

#include "onnx/model.h"

typedef struct cnx_hashes cnx_hashes;

/* Structure hashes of an indexed graph. `outer` belongs to the graph around it, NULL for the main graph and
 * functions. */
cnx_hashes *cnx_hashes_create(cnx_arena *arena, cnx_graph *graph, cnx_hashes *outer);

/* The hashes of a graph nested in a node of this one. */
cnx_hashes *cnx_hashes_nested(const cnx_hashes *hashes, const cnx_graph *nested);

uint64_t cnx_hash_structure(const cnx_hashes *hashes, uint32_t value);
uint64_t cnx_hash_weights(cnx_hashes *hashes, uint32_t value);

/* Adds a node's attributes to a hash, in their order: everything but nested graphs, tensors by contents. */
uint64_t cnx_hash_attributes(cnx_arena *arena, cnx_model *model, const cnx_node *node, uint64_t hash);

/* A hash of a tensor's elements, by their bits, that does not depend on their order. */
uint64_t cnx_hash_multiset(cnx_model *model, cnx_tensor *tensor);

/* Whether the order of the node's inputs means nothing, and there is more than one order. */
bool cnx_node_commutes(const cnx_node *node);

#endif
