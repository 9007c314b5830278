/* Values that the file fixes: what an analysis may read as numbers. */
#ifndef CNX_ANALYZE_CONSTANTS_H
#define CNX_ANALYZE_CONSTANTS_H

#include "onnx/model.h"

/* The dense tensor behind a value: an initializer (also one that is a graph input's default), the tensor of a
 * Constant node, or either of them in an enclosing graph. NULL for anything else, and for CNX_NONE. */
cnx_tensor *cnx_constant_tensor(const cnx_graph *graph, uint32_t value);

/* The number a value holds when it is a constant of one element (float or integer, also Constant's
 * value_float and value_int). */
bool cnx_constant_number(const cnx_graph *graph, uint32_t value, double *number);

#endif
