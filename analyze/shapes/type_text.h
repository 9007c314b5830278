/* Declared types in words. */
#ifndef CNX_ANALYZE_TYPE_TEXT_H
#define CNX_ANALYZE_TYPE_TEXT_H

#include "base/arena.h"
#include "proto/onnx.pb-c.h"

/* One dimension as the file declares it: "3", "N", or "?". */
const char *cnx_declared_dim_text(cnx_arena *arena, const Onnx__TensorShapeProto__Dimension *dim);

/* "N x 3" with `between` " x ", or "N, 3" with ", ". */
const char *cnx_declared_shape_text(cnx_arena *arena, const Onnx__TensorShapeProto *shape,
                                    const char *between);

/* The type as ONNX's textual syntax writes it: "seq(float[N, 3])". "?" for NULL and for none. */
const char *cnx_type_text(cnx_arena *arena, const Onnx__TypeProto *type);

#endif
