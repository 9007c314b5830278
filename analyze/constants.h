/* Values that the file fixes: what an analysis may read as numbers. */
#ifndef CNX_ANALYZE_CONSTANTS_H
#define CNX_ANALYZE_CONSTANTS_H

#include "onnx/model.h"

/* The dense tensor behind a value: an initializer (also one that is a graph input's default), the tensor of a
 * Constant node, or either of them in an enclosing graph. NULL for anything else, and for CNX_NONE. */
cnx_tensor *cnx_constant_tensor(const cnx_graph *graph, uint32_t value);

/* Whether the value is a graph input that callers may set: since IR version 4 its initializer is a default.
 */
bool cnx_is_replaceable(const cnx_graph *graph, const cnx_value *value);

/* The same tensor, unless callers may set the value. */
cnx_tensor *cnx_fixed_tensor(const cnx_graph *graph, uint32_t value);

/* The number a value holds whatever callers do, when it is a constant of one element (float or integer, also
 * Constant's value_float and value_int). */
bool cnx_constant_number(const cnx_graph *graph, uint32_t value, double *number);

#endif
