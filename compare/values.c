/* Constants and attributes in words, and whether they are the same. */
#include "compare/values.h"

#include "analyze/shapes/type_text.h"
#include "onnx/element.h"
#include "onnx/mapping.h"
#include "rewrite/permute.h"

#include <inttypes.h>

/* Lists are shown up to this many items, texts up to this many bytes. */
enum { MOST_ITEMS = 12, MOST_BYTES = 60, BLOCK = 1 << 20 };

const char *cnx_dims_text(cnx_arena *arena, const cnx_tensor *tensor)
{
    const char *text = tensor->rank == 0 ? "scalar" : "";
    for (uint32_t k = 0; k < tensor->rank; k++)
        text = cnx_print(arena, "%s%s%" PRId64, text, k == 0 ? "" : " x ", tensor->dims[k]);
    return text;
}

static const char *bytes_text(cnx_arena *arena, ProtobufCBinaryData bytes)
{
    bool whole = bytes.len <= MOST_BYTES;
    return cnx_print(arena, "\"%.*s%s\"", whole ? (int)bytes.len : MOST_BYTES, (const char *)bytes.data,
                     whole ? "" : "...");
}

static const char *element_text(cnx_arena *arena, cnx_model *model, cnx_tensor *tensor, uint64_t index)
{
    switch (cnx_type_kind_of(tensor->type)) {
    case CNX_KIND_FLOAT:
        return cnx_print(arena, "%.9g", cnx_tensor_float(model, tensor, index));
    case CNX_KIND_INTEGER:
    case CNX_KIND_BOOL:
        return cnx_print(arena, "%" PRId64, cnx_tensor_integer(model, tensor, index));
    case CNX_KIND_STRING:
        return bytes_text(arena, tensor->proto->string_data[index]);
    case CNX_KIND_COMPLEX:
    case CNX_KIND_NONE:
    default:
        return "?";
    }
}

const char *cnx_tensor_text(cnx_arena *arena, cnx_model *model, cnx_tensor *tensor)
{
    if (tensor->count > MOST_ITEMS || tensor->rank > 1)
        return cnx_print(arena, "%s %s", cnx_type_name(tensor->type), cnx_dims_text(arena, tensor));
    if (tensor->rank == 0)
        return element_text(arena, model, tensor, 0);
    const char *text = "[";
    for (uint64_t i = 0; i < tensor->count; i++)
        text = cnx_print(arena, "%s%s%s", text, i == 0 ? "" : ", ", element_text(arena, model, tensor, i));
    return cnx_print(arena, "%s]", text);
}

/* ---- attributes ---- */

static const char *integers_text(cnx_arena *arena, const int64_t *items, size_t count)
{
    const char *text = "[";
    for (size_t i = 0; i < count && i < MOST_ITEMS; i++)
        text = cnx_print(arena, "%s%s%" PRId64, text, i == 0 ? "" : ", ", items[i]);
    return cnx_print(arena, "%s%s]", text, count > MOST_ITEMS ? ", ..." : "");
}

static const char *floats_text(cnx_arena *arena, const float *items, size_t count)
{
    const char *text = "[";
    for (size_t i = 0; i < count && i < MOST_ITEMS; i++)
        text = cnx_print(arena, "%s%s%.9g", text, i == 0 ? "" : ", ", (double)items[i]);
    return cnx_print(arena, "%s%s]", text, count > MOST_ITEMS ? ", ..." : "");
}

const char *cnx_attribute_value_text(cnx_arena *arena, cnx_model *model,
                                     const Onnx__AttributeProto *attribute)
{
    if (attribute == NULL)
        return "not given";
    if (attribute->ref_attr_name != NULL && attribute->ref_attr_name[0] != '\0')
        return cnx_print(arena, "@%s", attribute->ref_attr_name);
    if (attribute->t != NULL)
        return cnx_tensor_text(arena, model, cnx_tensor_of(model, attribute->t));
    if (attribute->n_ints != 0)
        return integers_text(arena, attribute->ints, attribute->n_ints);
    if (attribute->n_floats != 0)
        return floats_text(arena, attribute->floats, attribute->n_floats);
    if (attribute->n_strings != 0)
        return cnx_print(arena, "%zu strings, the first %s", attribute->n_strings,
                         bytes_text(arena, attribute->strings[0]));
    if (attribute->has_i)
        return cnx_print(arena, "%" PRId64, attribute->i);
    if (attribute->has_f)
        return cnx_print(arena, "%.9g", (double)attribute->f);
    return attribute->has_s ? bytes_text(arena, attribute->s) : "given";
}

/* ---- types ---- */

static const char *denotations_text(cnx_arena *arena, const Onnx__TypeProto *type)
{
    const char *text = type->denotation != NULL ? type->denotation : "";
    const Onnx__TensorShapeProto *shape =
        type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE ? type->tensor_type->shape : NULL;
    bool denoted = text[0] != '\0';
    for (size_t i = 0; shape != NULL && i < shape->n_dim; i++) {
        const char *axis = shape->dim[i]->denotation != NULL ? shape->dim[i]->denotation : "";
        denoted = denoted || axis[0] != '\0';
        text = cnx_print(arena, i == 0 ? "%s: %s" : "%s, %s", text, axis);
    }
    return denoted ? text : NULL;
}

const Onnx__TypeProto *cnx_declared_type(const cnx_value *value)
{
    return value->info != NULL ? value->info->type : NULL;
}

const char *cnx_declared_text(cnx_arena *arena, const Onnx__TypeProto *type)
{
    const char *text = cnx_type_text(arena, type);
    const char *denoted = type != NULL ? denotations_text(arena, type) : NULL;
    return denoted != NULL ? cnx_print(arena, "%s (%s)", text, denoted) : text;
}

static size_t pack_type(cnx_arena *arena, const Onnx__TypeProto *type, uint8_t **packed)
{
    size_t size = onnx__type_proto__get_packed_size(type);
    *packed = cnx_alloc(arena, size);
    return onnx__type_proto__pack(type, *packed);
}

bool cnx_same_type(cnx_arena *arena, const Onnx__TypeProto *a, const Onnx__TypeProto *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    cnx_arena *scratch = cnx_arena_create(arena);
    uint8_t *left, *right;
    size_t left_size = pack_type(scratch, a, &left), right_size = pack_type(scratch, b, &right);
    bool same = left_size == right_size && (left_size == 0 || memcmp(left, right, left_size) == 0);
    cnx_arena_destroy(scratch);
    return same;
}

static bool same_optional_tensor(const cnx_side *a, const Onnx__TensorProto *x, const cnx_side *b,
                                 const Onnx__TensorProto *y)
{
    if (x == NULL || y == NULL)
        return x == y;
    cnx_tensor *left = cnx_tensor_of(a->model, x), *right = cnx_tensor_of(b->model, y);
    return cnx_same_shape(left, right) && cnx_same_contents(a, left, b, right);
}

bool cnx_same_sparse(const cnx_side *a, const Onnx__SparseTensorProto *x, const cnx_side *b,
                     const Onnx__SparseTensorProto *y)
{
    if (x == NULL || y == NULL)
        return x == y;
    return x->n_dims == y->n_dims &&
           (x->n_dims == 0 || memcmp(x->dims, y->dims, x->n_dims * sizeof x->dims[0]) == 0) &&
           same_optional_tensor(a, x->values, b, y->values) &&
           same_optional_tensor(a, x->indices, b, y->indices);
}

static bool same_tensors(const cnx_side *a, const Onnx__AttributeProto *x, const cnx_side *b,
                         const Onnx__AttributeProto *y)
{
    bool same = x->n_tensors == y->n_tensors && x->n_sparse_tensors == y->n_sparse_tensors &&
                same_optional_tensor(a, x->t, b, y->t) &&
                cnx_same_sparse(a, x->sparse_tensor, b, y->sparse_tensor);
    for (size_t i = 0; i < x->n_tensors && same; i++)
        same = same_optional_tensor(a, x->tensors[i], b, y->tensors[i]);
    for (size_t i = 0; i < x->n_sparse_tensors && same; i++)
        same = cnx_same_sparse(a, x->sparse_tensors[i], b, y->sparse_tensors[i]);
    return same;
}

/* What is neither a tensor nor a graph, as the file would hold it. */
static size_t pack_rest(cnx_arena *arena, const Onnx__AttributeProto *attribute, uint8_t **packed)
{
    Onnx__AttributeProto rest = cnx_attribute_without_tensors(attribute);
    size_t size = onnx__attribute_proto__get_packed_size(&rest);
    *packed = cnx_alloc(arena, size);
    onnx__attribute_proto__pack(&rest, *packed);
    return size;
}

bool cnx_same_attribute(const cnx_side *a, const Onnx__AttributeProto *x, const cnx_side *b,
                        const Onnx__AttributeProto *y)
{
    cnx_arena *scratch = cnx_arena_create(a->arena);
    uint8_t *left, *right;
    size_t left_size = pack_rest(scratch, x, &left), right_size = pack_rest(scratch, y, &right);
    bool same = left_size == right_size && memcmp(left, right, left_size) == 0 && same_tensors(a, x, b, y);
    cnx_arena_destroy(scratch);
    return same;
}

/* ---- contents ---- */

bool cnx_same_shape(const cnx_tensor *a, const cnx_tensor *b)
{
    return a->type == b->type && a->rank == b->rank &&
           (a->rank == 0 || memcmp(a->dims, b->dims, a->rank * sizeof a->dims[0]) == 0);
}

static bool same_strings(const Onnx__TensorProto *a, const Onnx__TensorProto *b)
{
    bool same = a->n_string_data == b->n_string_data;
    for (size_t i = 0; i < a->n_string_data && same; i++)
        same = a->string_data[i].len == b->string_data[i].len &&
               (a->string_data[i].len == 0 ||
                memcmp(a->string_data[i].data, b->string_data[i].data, a->string_data[i].len) == 0);
    return same;
}

bool cnx_same_contents(const cnx_side *a, cnx_tensor *x, const cnx_side *b, cnx_tensor *y)
{
    if (x->type == CNX_TYPE_STRING)
        return same_strings(x->proto, y->proto);
    const uint8_t *left = cnx_tensor_bytes(a->model, x), *right = cnx_tensor_bytes(b->model, y);
    bool views = cnx_tensor_is_view(a->model, x) && cnx_tensor_is_view(b->model, y);
    for (uint64_t at = 0; at < x->size; at += BLOCK) {
        size_t size = x->size - at < BLOCK ? (size_t)(x->size - at) : BLOCK;
        if (views) {
            cnx_view_prefetch(left + at, size);
            cnx_view_prefetch(right + at, size);
        }
        if (memcmp(left + at, right + at, size) != 0)
            return false;
        if (views) {
            cnx_view_release(left + at, size);
            cnx_view_release(right + at, size);
        }
    }
    return true;
}
