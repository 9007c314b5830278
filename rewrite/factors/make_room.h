/* Room for weights that the canonical scales would leave without their last bits. */
#ifndef CNX_REWRITE_MAKE_ROOM_H
#define CNX_REWRITE_MAKE_ROOM_H

#include "rewrite/factors/normalizer.h"

/* Moves units whose elements lose bits to their scales as far as it takes, see make_room.c. Scales must be
 * chosen, and the normalizer must read wide. It may be that some elements lose bits even then. Returns false
 * if some products were beyond doubles, so that it may depend on the file whether there is room. */
bool cnx_make_room(cnx_normalizer *normalizer);

#endif
