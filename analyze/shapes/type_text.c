#include "analyze/shapes/type_text.h"

#include "onnx/tensor.h"

#include <inttypes.h>

const char *cnx_declared_dim_text(cnx_arena *arena, const Onnx__TensorShapeProto__Dimension *dim)
{
    if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE)
        return cnx_print(arena, "%" PRId64, dim->dim_value);
    bool named = dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM &&
                 dim->dim_param != NULL && dim->dim_param[0] != '\0';
    return named ? dim->dim_param : "?";
}

const char *cnx_declared_shape_text(cnx_arena *arena, const Onnx__TensorShapeProto *shape,
                                    const char *between)
{
    const char *text = "";
    for (size_t i = 0; i < shape->n_dim; i++)
        text = cnx_print(arena, "%s%s%s", text, i == 0 ? "" : between,
                         cnx_declared_dim_text(arena, shape->dim[i]));
    return text;
}

const char *cnx_type_text(cnx_arena *arena, const Onnx__TypeProto *type)
{
    if (type == NULL)
        return "?";
    switch (type->value_case) {
    case ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE:
    case ONNX__TYPE_PROTO__VALUE_SPARSE_TENSOR_TYPE: {
        bool sparse = type->value_case == ONNX__TYPE_PROTO__VALUE_SPARSE_TENSOR_TYPE;
        int32_t element = sparse ? type->sparse_tensor_type->elem_type : type->tensor_type->elem_type;
        const Onnx__TensorShapeProto *shape =
            sparse ? type->sparse_tensor_type->shape : type->tensor_type->shape;
        const char *name = cnx_type_name(element);
        const char *text =
            shape == NULL ? name
                          : cnx_print(arena, "%s[%s]", name, cnx_declared_shape_text(arena, shape, ", "));
        return sparse ? cnx_print(arena, "sparse_tensor(%s)", text) : text;
    }
    case ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE:
        return cnx_print(arena, "seq(%s)", cnx_type_text(arena, type->sequence_type->elem_type));
    case ONNX__TYPE_PROTO__VALUE_OPTIONAL_TYPE:
        return cnx_print(arena, "optional(%s)", cnx_type_text(arena, type->optional_type->elem_type));
    case ONNX__TYPE_PROTO__VALUE_MAP_TYPE:
        return cnx_print(arena, "map(%s, %s)", cnx_type_name(type->map_type->key_type),
                         cnx_type_text(arena, type->map_type->value_type));
    case ONNX__TYPE_PROTO__VALUE_OPAQUE_TYPE:
        return cnx_print(arena, "opaque(%s)", type->opaque_type->name != NULL ? type->opaque_type->name : "");
    case ONNX__TYPE_PROTO__VALUE__NOT_SET:
    default:
        return "?";
    }
}
