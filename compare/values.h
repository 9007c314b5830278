/* Constants and attributes in words, and whether they are the same. */
#ifndef CNX_COMPARE_VALUES_H
#define CNX_COMPARE_VALUES_H

#include "compare/side.h"
#include "proto/onnx.pb-c.h"

/* "64 x 3 x 7 x 7", or "scalar". */
const char *cnx_dims_text(cnx_arena *arena, const cnx_tensor *tensor);

/* The elements of a small tensor, "[1, -1, 512]"; type and dims of a large one. */
const char *cnx_tensor_text(cnx_arena *arena, cnx_model *model, cnx_tensor *tensor);

/* The value of an attribute; "not given" for NULL. */
const char *cnx_attribute_value_text(cnx_arena *arena, cnx_model *model,
                                     const Onnx__AttributeProto *attribute);

/* What the file declares of a value, or NULL. */
const Onnx__TypeProto *cnx_declared_type(const cnx_value *value);

/* A declared type as ONNX's textual syntax writes it, with what is denoted behind it in parentheses. */
const char *cnx_declared_text(cnx_arena *arena, const Onnx__TypeProto *type);

/* Whether two declared types say the same; NULL is the same as NULL. */
bool cnx_same_type(cnx_arena *arena, const Onnx__TypeProto *a, const Onnx__TypeProto *b);

/* Whether two attributes are the same, nested graphs aside; name, type and value count. */
bool cnx_same_attribute(const cnx_side *a, const Onnx__AttributeProto *x, const cnx_side *b,
                        const Onnx__AttributeProto *y);

/* Whether type and dims agree. */
bool cnx_same_shape(const cnx_tensor *a, const cnx_tensor *b);

/* Whether two tensors of the same type and dims hold the same bits; strings too. Streams: pages are let go.
 */
bool cnx_same_contents(const cnx_side *a, cnx_tensor *x, const cnx_side *b, cnx_tensor *y);

/* Whether two sparse tensors are the same, indices and values; NULL is the same as NULL. */
bool cnx_same_sparse(const cnx_side *a, const Onnx__SparseTensorProto *x, const cnx_side *b,
                     const Onnx__SparseTensorProto *y);

#endif
