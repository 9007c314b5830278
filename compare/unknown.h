/* Fields of newer versions of the format, or of somebody's own. They may mean something, so models that
 * differ in them are not said to be equivalent; the canonical form keeps them, too. */
#ifndef CNX_COMPARE_UNKNOWN_H
#define CNX_COMPARE_UNKNOWN_H

#include "compare/side.h"

/* A hash of all of them in canonical order; 0 when there are none. */
uint64_t cnx_hash_unknown(const cnx_side *side);

#endif
