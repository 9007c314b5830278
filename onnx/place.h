/* Where in a model something is, for error messages. Places are chained on the stack while the model is
 * walked and become text only when something is wrong. */
#ifndef CNX_ONNX_PLACE_H
#define CNX_ONNX_PLACE_H

#include "base/arena.h"

typedef struct cnx_place {
    const struct cnx_place *outer; /* or NULL */
    const char *kind;              /* "node", "initializer", "attribute" ... */
    const char *name;              /* or NULL or "": `index` is used */
    uint64_t index;
    const char *detail; /* in parentheses behind it: a node's operator; or NULL */
} cnx_place;

/* `node "conv1" (Conv), attribute "value"`. */
const char *cnx_place_text(cnx_arena *arena, const cnx_place *place);

#endif
