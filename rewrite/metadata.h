/* Key-value metadata, at every level of a model, and the hash that is embedded there. */
#ifndef CNX_REWRITE_METADATA_H
#define CNX_REWRITE_METADATA_H

#include "rewrite/pass.h"

/* The key of the embedded hash among the model's own metadata; its value is VERSION:DIGEST, with the version
 * of the canonical format. */
#define CNX_HASH_KEY "canonnx.hash"

/* Calls `visit` with the number of entries of every list of metadata there is: of the model (once, as the
 * first), of graphs, nodes, functions, inputs and outputs, tensors. */
void cnx_metadata_visit(cnx_model *model, void (*visit)(void *state, size_t *entries), void *state);

/* The model's own entry with the key, or NULL. */
Onnx__StringStringEntryProto *cnx_metadata_find(const cnx_model *model, const char *key);

/* Sets the entry of the model's own metadata: in place when there is one, or else as the last. */
void cnx_metadata_set(cnx_model *model, const char *key, const char *value);

/* Stores the hash of the lowered model in its metadata (rewrite/write.c). Fails when the form is not
 * canonical. */
void cnx_embed_hash(cnx_model *model);

#endif
