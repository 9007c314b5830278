#include "rewrite/edit.h"

/* Elements of less than a byte may leave bits of the last byte unused. Whatever a file has there means
 * nothing, and becomes zero. Returns whether it was something else. */
static bool clear_padding(cnx_model *model, cnx_tensor *tensor)
{
    uint64_t used = tensor->count * cnx_type_bits(tensor->type) % 8;
    if (used == 0 || tensor->size == 0)
        return false;
    uint8_t rest = (uint8_t)(0xff << used);
    const uint8_t *bytes = cnx_tensor_bytes(model, tensor);
    if ((bytes[tensor->size - 1] & rest) == 0)
        return false;
    uint8_t *copy = cnx_alloc(model->arena, tensor->size);
    memcpy(copy, bytes, tensor->size);
    copy[tensor->size - 1] &= (uint8_t)~rest;
    tensor->bytes = copy;
    return true;
}

/* Says that the payload is where it is anyway, or where it would be if it were elsewhere. */
static bool has_idle_location(const Onnx__TensorProto *proto)
{
    return proto->has_data_location || proto->n_external_data != 0;
}

static size_t plain_strings(Onnx__TensorProto *proto)
{
    bool idle = has_idle_location(proto);
    proto->has_data_location = false;
    proto->n_external_data = 0;
    return idle;
}

size_t cnx_tensor_plain(cnx_model *model, cnx_tensor *tensor)
{
    Onnx__TensorProto *proto = tensor->proto;
    if (tensor->type == CNX_TYPE_STRING)
        return plain_strings(proto);
    bool empty = tensor->size == 0;
    bool padded = clear_padding(model, tensor);
    bool plain = tensor->payload == CNX_NONE && !has_idle_location(proto) && !proto->has_raw_data == empty &&
                 proto->raw_data.len == tensor->size;
    if (plain && !padded)
        return 0;
    enum { RAW_DATA = 9 };
    bool raw = tensor->payload != CNX_NONE && model->payloads[tensor->payload].field == RAW_DATA &&
               !tensor->external && !has_idle_location(proto);
    cnx_tensor_store_raw(model, tensor);
    proto->has_raw_data = !empty;
    return padded || !raw;
}

cnx_tensor *cnx_tensor_share(cnx_model *model, cnx_tensor *tensor)
{
    cnx_tensor_plain(model, tensor);
    Onnx__TensorProto *proto = CNX_NEW(model->arena, Onnx__TensorProto);
    *proto = *tensor->proto;
    return cnx_tensor_register(model, proto);
}

cnx_tensor *cnx_tensor_make(cnx_model *model, int32_t type, uint32_t rank, const int64_t *dims,
                            const uint8_t *bytes)
{
    Onnx__TensorProto *proto = CNX_NEW(model->arena, Onnx__TensorProto);
    onnx__tensor_proto__init(proto);
    proto->has_data_type = true;
    proto->data_type = type;
    proto->n_dims = rank;
    proto->dims = CNX_NEW_ARRAY(model->arena, int64_t, rank);
    uint64_t count = 1;
    for (uint32_t i = 0; i < rank; i++) {
        proto->dims[i] = dims[i];
        count *= (uint64_t)dims[i];
    }
    uint64_t size = (count * cnx_type_bits(type) + 7) / 8;
    proto->has_raw_data = size != 0;
    proto->raw_data = (ProtobufCBinaryData){.len = size, .data = (uint8_t *)(uintptr_t)bytes};
    return cnx_tensor_register(model, proto);
}

Onnx__AttributeProto *cnx_attribute_make_ints(cnx_arena *arena, const char *name, const int64_t *numbers,
                                              size_t count)
{
    Onnx__AttributeProto *made = CNX_NEW(arena, Onnx__AttributeProto);
    onnx__attribute_proto__init(made);
    made->name = (char *)(uintptr_t)cnx_copy_text(arena, name);
    made->has_type = true;
    made->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
    made->n_ints = count;
    made->ints = CNX_NEW_ARRAY(arena, int64_t, count);
    memcpy(made->ints, numbers, count * sizeof *numbers);
    return made;
}
