#include "rewrite/edit.h"

size_t cnx_tensor_plain(cnx_model *model, cnx_tensor *tensor)
{
    Onnx__TensorProto *proto = tensor->proto;
    if (tensor->type == CNX_TYPE_STRING)
        return 0;
    bool empty = tensor->size == 0;
    bool plain = tensor->payload == CNX_NONE && !proto->has_data_location && !proto->has_raw_data == empty &&
                 proto->raw_data.len == tensor->size;
    if (plain)
        return 0;
    enum { RAW_DATA = 9 };
    bool raw = tensor->payload != CNX_NONE && model->payloads[tensor->payload].field == RAW_DATA &&
               !tensor->external && !proto->has_data_location;
    cnx_tensor_store_raw(model, tensor);
    proto->has_raw_data = !empty;
    return !raw;
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
