/* Whether multiplying by powers of two was exact. */
#ifndef CNX_REWRITE_EXACTNESS_H
#define CNX_REWRITE_EXACTNESS_H

#include "rewrite/factors/slices.h"

#include <stdatomic.h>

/* What is known of a tensor's elements as they are stored, from a time when all of them were read. */
typedef struct cnx_exponents {
    bool known;   /* all of them are finite; exponents, as frexp gives them, lie between: */
    int smallest; /* INT_MAX when all are zero */
    int largest;  /* INT_MIN when all are zero */
} cnx_exponents;

/* What `slices` say of a tensor that they make up, and that was multiplied by its present factors when they
 * were measured. */
cnx_exponents cnx_exponents_of(const cnx_tensor *tensor, const cnx_slice *slices, uint32_t count);

/* Whether every element of a float, double or bfloat16 tensor, multiplied by its present factors, is zero or
 * has all of its bits, and no exponent is too large (room.h). Reads the tensor once, unless what is known of
 * it says enough. With `lost` it is not read, but taken on trust: whoever reads it later sets *lost if it may
 * not be so, for an element has no room, or has lost bits. */
bool cnx_has_room(cnx_slice_reading *reading, cnx_tensor *tensor, const cnx_exponents *known,
                  atomic_bool *lost);

#endif
