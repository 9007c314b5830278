/* One element of a tensor: from its packed bits to a number. */
#ifndef CNX_ONNX_ELEMENT_H
#define CNX_ONNX_ELEMENT_H

#include "onnx/tensor.h"

/* Element `index` of packed little-endian data. Elements of less than a byte are packed from the low bits
 * up. The type has to be an integer or bool type (integer), or a float type (float). */
int64_t cnx_element_integer(int32_t type, const uint8_t *bytes, uint64_t index);
double cnx_element_float(int32_t type, const uint8_t *bytes, uint64_t index);

/* Sets element `index` of a tensor of type float or double to the number, rounded to the nearest. */
void cnx_element_write(int32_t type, uint8_t *bytes, uint64_t index, double number);

/* Elements [first, first + count) as numbers: integers and bools too; of a complex number its two parts, so
 * `out` has room for twice as many. */
void cnx_elements_read(int32_t type, const uint8_t *bytes, uint64_t first, size_t count, double *out);

/* Whether the row of types.def exists, UNDEFINED aside. */
bool cnx_type_is_known(int32_t type);

/* Bytes that `count` elements take, the last byte filled up; false on overflow. */
bool cnx_type_bytes(int32_t type, uint64_t count, uint64_t *bytes);

#endif
