/* Whether elements of a tensor have all of their bits, and none was lost to a factor. */
#ifndef CNX_REWRITE_ROOM_H
#define CNX_REWRITE_ROOM_H

#include "onnx/tensor.h"

/* Exponents, as frexp gives them, that elements of a type may have in the canonical form: down to where
 * numbers become subnormal and may lose bits, and half the way up to where they become infinite, so that sums
 * and products have room, too. */
int cnx_smallest_exponent(int32_t type);
int cnx_largest_exponent(int32_t type);

/* The largest magnitude of floats, by its bits (infinite and not a number are larger than the rest), and the
 * smallest one that is not zero, less 1: INT32_MAX when all are zero. */
void cnx_find_extremes(const uint8_t *floats, uint64_t count, int32_t *largest, int32_t *smallest);

/* Whether all of these elements of a float, double or bfloat16 tensor are zero or have such exponents. */
bool cnx_have_room(int32_t type, const uint8_t *bytes, uint64_t count);

#endif
