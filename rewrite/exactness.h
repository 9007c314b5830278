/* Whether multiplying by powers of two was exact. */
#ifndef CNX_REWRITE_EXACTNESS_H
#define CNX_REWRITE_EXACTNESS_H

#include "onnx/model.h"

/* Whether every element of a float, double or bfloat16 tensor, as it reads now, is zero or has room for all
 * of its bits: it is finite and not subnormal. The tensor is read once, in blocks; scratch memory from
 * `arena`. */
bool cnx_has_room(cnx_arena *arena, cnx_model *model, cnx_tensor *tensor);

#endif
