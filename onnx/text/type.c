/* Types and ports.
 *
 * The syntax has no words for denotations, nor for documentation of a port: they are comments. A tensor of
 * unknown rank is float[], one without axes is float. */
#include "onnx/text/writer.h"

enum { PORTS_IN_A_LINE = 4 };

static void write_element_type(cnx_writer *out, int32_t type)
{
    cnx_write(out, cnx_type_name(type));
}

static void write_shape(cnx_writer *out, const Onnx__TensorShapeProto *shape)
{
    if (shape == NULL) {
        cnx_write(out, "[]");
        return;
    }
    for (size_t i = 0; i < shape->n_dim; i++) {
        const Onnx__TensorShapeProto__Dimension *dim = shape->dim[i];
        cnx_write(out, i == 0 ? "[" : ",");
        if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE)
            cnx_write_format(out, "%lld", (long long)dim->dim_value);
        else if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM &&
                 dim->dim_param[0] != '\0')
            cnx_write_name(out, dim->dim_param);
        else
            cnx_write(out, "?");
        if (dim->denotation != NULL && dim->denotation[0] != '\0') {
            char words[32];
            snprintf(words, sizeof words, "axis %zu is", i);
            cnx_note(out, words, dim->denotation);
        }
    }
    cnx_write(out, shape->n_dim == 0 ? "" : "]");
}

static void write_opaque(cnx_writer *out, const Onnx__TypeProto__Opaque *opaque)
{
    bool domain = opaque->domain != NULL && opaque->domain[0] != '\0';
    cnx_write(out, "opaque(");
    if (domain)
        cnx_write(out, opaque->domain);
    if (opaque->name != NULL && opaque->name[0] != '\0') {
        cnx_write(out, domain ? "," : "");
        cnx_write_name(out, opaque->name);
    }
    cnx_write(out, ")");
}

void cnx_write_type(cnx_writer *out, const Onnx__TypeProto *type)
{
    if (type->denotation != NULL && type->denotation[0] != '\0')
        cnx_note(out, "denotation", type->denotation);
    switch (type->value_case) {
    case ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE:
        write_element_type(out, type->tensor_type->elem_type);
        write_shape(out, type->tensor_type->shape);
        break;
    case ONNX__TYPE_PROTO__VALUE_SPARSE_TENSOR_TYPE:
        cnx_write(out, "sparse_tensor(");
        write_element_type(out, type->sparse_tensor_type->elem_type);
        write_shape(out, type->sparse_tensor_type->shape);
        cnx_write(out, ")");
        break;
    case ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE:
    case ONNX__TYPE_PROTO__VALUE_OPTIONAL_TYPE: {
        bool sequence = type->value_case == ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE;
        const Onnx__TypeProto *inner =
            sequence ? type->sequence_type->elem_type : type->optional_type->elem_type;
        cnx_write(out, sequence ? "seq(" : "optional(");
        if (inner != NULL)
            cnx_write_type(out, inner);
        cnx_write(out, ")");
        break;
    }
    case ONNX__TYPE_PROTO__VALUE_MAP_TYPE:
        cnx_write(out, "map(");
        write_element_type(out, type->map_type->key_type);
        cnx_write(out, ", ");
        if (type->map_type->value_type != NULL)
            cnx_write_type(out, type->map_type->value_type);
        cnx_write(out, ")");
        break;
    case ONNX__TYPE_PROTO__VALUE_OPAQUE_TYPE:
        write_opaque(out, type->opaque_type);
        break;
    default:
        break;
    }
}

void cnx_write_dims(cnx_writer *out, const int64_t *dims, size_t count)
{
    for (size_t i = 0; i < count; i++)
        cnx_write_format(out, "%s%lld", i == 0 ? "[" : ",", (long long)dims[i]);
    cnx_write(out, count == 0 ? "" : "]");
}

void cnx_write_port(cnx_writer *out, const Onnx__ValueInfoProto *info, const char *name)
{
    if (info != NULL && info->type != NULL && info->type->value_case != ONNX__TYPE_PROTO__VALUE__NOT_SET) {
        cnx_write_type(out, info->type);
        cnx_write(out, " ");
    }
    cnx_write_name(out, name);
    if (info == NULL)
        return;
    cnx_note_documentation(out, info->doc_string);
    cnx_note_metadata(out, info->metadata_props, info->n_metadata_props);
}

void cnx_write_ports(cnx_writer *out, Onnx__ValueInfoProto *const *infos, const char *const *names,
                     size_t count)
{
    bool lines = count > PORTS_IN_A_LINE;
    cnx_write(out, "(");
    out->depth++;
    for (size_t i = 0; i < count; i++) {
        if (lines) {
            cnx_end_line(out);
            cnx_begin_line(out);
        }
        cnx_write_port(out, infos == NULL ? NULL : infos[i], names[i]);
        cnx_write(out, i + 1 == count ? "" : lines ? "," : ", ");
    }
    out->depth--;
    if (lines) {
        cnx_end_line(out);
        cnx_begin_line(out);
    }
    cnx_write(out, ")");
}
