/* Tensors: from a TensorProto to type, dims and a view of packed little-endian bytes.
 *
 * ONNX has three places for a payload: raw_data, a typed field (float_data, int32_data ...), or another
 * file. raw_data, floats and doubles, lifted or not, and external data are the packed form already and are
 * only viewed. So are 32- and 64-bit integers that protobuf-c has parsed. What is left, varints still on the
 * wire and small types widened to int32, is decoded when somebody asks for the bytes.
 *
 * Whatever the place, the amount has to be exactly what type and dims say; it is checked here, once.
 */
#include "onnx/element.h"
#include "onnx/load.h"
#include "onnx/reader.h"
#include "onnx/source.h"
#include "proto/scan.h"

enum {
    FLOAT_DATA = 4,
    INT32_DATA = 5,
    STRING_DATA = 6,
    INT64_DATA = 7,
    RAW_DATA = 9,
    DOUBLE_DATA = 10,
    UINT64_DATA = 11,
};

/* Where a tensor's payload is. */
typedef struct storage {
    uint32_t field;    /* 0: there is none */
    const char *name;  /* of the field */
    const void *items; /* array, or the bytes of a lifted field */
    uint64_t count;    /* of the array's items; bytes of raw_data and lifted fields */
    bool lifted;
} storage;

typedef struct binder {
    cnx_model *model;
    Onnx__TensorProto *proto;
    cnx_tensor *tensor;
    const cnx_place *place;
} binder;

#define fail_tensor(bind, ...)                                                                               \
    cnx_fail((bind)->model->arena, CNX_ERROR_FORMAT, cnx_place_text((bind)->model->arena, (bind)->place),    \
             __VA_ARGS__)

typedef unsigned long long ull; /* for printf */

/* ---- from TensorProto to record ---- */

static size_t slot_of(const cnx_model *model, const Onnx__TensorProto *proto)
{
    size_t mask = model->tensor_slot_count - 1;
    size_t slot = (size_t)(((uintptr_t)proto >> 4) * 0x9e3779b97f4a7c15u >> 20) & mask;
    while (model->tensor_slots[slot] != 0 && model->tensors[model->tensor_slots[slot] - 1]->proto != proto)
        slot = (slot + 1) & mask;
    return slot;
}

static void remember(cnx_model *model, cnx_tensor *tensor)
{
    if (2 * (model->tensor_count + 1) > model->tensor_slot_count) {
        model->tensor_slot_count = model->tensor_slot_count == 0 ? 64 : 2 * model->tensor_slot_count;
        model->tensor_slots = CNX_NEW_ARRAY(model->arena, uint32_t, model->tensor_slot_count);
        for (size_t i = 0; i < model->tensor_count; i++)
            model->tensor_slots[slot_of(model, model->tensors[i]->proto)] = (uint32_t)i + 1;
    }
    CNX_PUSH(model->arena, model->tensors, model->tensor_count, model->tensor_capacity, tensor);
    model->tensor_slots[slot_of(model, tensor->proto)] = (uint32_t)model->tensor_count;
}

cnx_tensor *cnx_tensor_of(cnx_model *model, const Onnx__TensorProto *proto)
{
    if (model->tensor_slot_count == 0)
        return NULL;
    uint32_t number = model->tensor_slots[slot_of(model, proto)];
    return number == 0 ? NULL : model->tensors[number - 1];
}

/* ---- shape ---- */

static void bind_shape(const binder *bind)
{
    const Onnx__TensorProto *proto = bind->proto;
    cnx_tensor *tensor = bind->tensor;
    tensor->type = proto->data_type;
    if (!cnx_type_is_known(tensor->type))
        fail_tensor(bind, "element type %d is unknown", (int)tensor->type);
    if (proto->n_dims > CNX_LIMIT_TENSOR_RANK)
        fail_tensor(bind, "the tensor has %zu axes (limit tensor-rank: %d)", proto->n_dims,
                    CNX_LIMIT_TENSOR_RANK);
    tensor->rank = (uint32_t)proto->n_dims;
    tensor->dims = proto->dims;
    tensor->count = 1;
    bool overflow = false;
    bool empty = false;
    for (uint32_t i = 0; i < tensor->rank; i++) {
        if (tensor->dims[i] < 0)
            fail_tensor(bind, "axis %u has the extent %lld", i, (long long)tensor->dims[i]);
        empty = empty || tensor->dims[i] == 0;
        overflow =
            overflow || __builtin_mul_overflow(tensor->count, (uint64_t)tensor->dims[i], &tensor->count);
    }
    if (empty)
        tensor->count = 0;
    else if (overflow || tensor->count > INT64_MAX)
        fail_tensor(bind, "the product of the dims does not fit 64 bits");
    if (!cnx_type_bytes(tensor->type, tensor->count, &tensor->size))
        fail_tensor(bind, "the size in bytes does not fit 64 bits");
}

/* ---- payload ---- */

/* The typed field that the format assigns to an element type. */
static uint32_t typed_field(int32_t type)
{
    switch (type) {
    case CNX_TYPE_FLOAT:
    case CNX_TYPE_COMPLEX64:
        return FLOAT_DATA;
    case CNX_TYPE_DOUBLE:
    case CNX_TYPE_COMPLEX128:
        return DOUBLE_DATA;
    case CNX_TYPE_INT64:
        return INT64_DATA;
    case CNX_TYPE_UINT32:
    case CNX_TYPE_UINT64:
        return UINT64_DATA;
    case CNX_TYPE_STRING:
        return STRING_DATA;
    default:
        return INT32_DATA;
    }
}

/* How many items of its typed field a tensor takes: a complex number takes two, and of the types smaller
 * than a byte, one item holds as many as fit into a byte. */
static uint64_t typed_count(const cnx_tensor *tensor)
{
    unsigned bits = cnx_type_bits(tensor->type);
    if (cnx_type_kind_of(tensor->type) == CNX_KIND_COMPLEX)
        return 2 * tensor->count;
    return bits != 0 && bits < 8 ? tensor->size : tensor->count;
}

/* A payload field of the header, and whether it counts as present. */
static size_t list_storages(const binder *bind, storage found[8])
{
    const Onnx__TensorProto *proto = bind->proto;
    const storage all[] = {
        {FLOAT_DATA, "float_data", proto->float_data, proto->n_float_data, false},
        {INT32_DATA, "int32_data", proto->int32_data, proto->n_int32_data, false},
        {STRING_DATA, "string_data", proto->string_data, proto->n_string_data, false},
        {INT64_DATA, "int64_data", proto->int64_data, proto->n_int64_data, false},
        {RAW_DATA, "raw_data", proto->raw_data.data, proto->raw_data.len, false},
        {DOUBLE_DATA, "double_data", proto->double_data, proto->n_double_data, false},
        {UINT64_DATA, "uint64_data", proto->uint64_data, proto->n_uint64_data, false},
    };
    size_t count = 0;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i].count != 0)
            found[count++] = all[i];
    if (bind->tensor->payload != CNX_NONE) {
        const cnx_payload *payload = &bind->model->payloads[bind->tensor->payload];
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(&onnx__tensor_proto__descriptor, payload->field);
        found[count++] = (storage){payload->field, field->name, payload->bytes, payload->size, true};
    }
    return count;
}

static void check_amount(const binder *bind, const storage *place, const char *unit, uint64_t there,
                         uint64_t expected)
{
    if (there != expected)
        fail_tensor(bind, "%s holds %llu %s (expected %llu for its dims and type %s)", place->name,
                    (ull)there, unit, (ull)expected, cnx_type_name(bind->tensor->type));
}

static uint64_t count_varints(const uint8_t *bytes, uint64_t size)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < size; i++)
        count += bytes[i] < 0x80;
    return count;
}

static void bind_typed(const binder *bind, const storage *place)
{
    cnx_tensor *tensor = bind->tensor;
    if (place->field != typed_field(tensor->type))
        fail_tensor(bind, "%s holds the elements of type %s", place->name, cnx_type_name(tensor->type));
    bool fixed = place->field == FLOAT_DATA || place->field == DOUBLE_DATA;
    uint64_t there = place->count;
    if (place->lifted)
        there =
            fixed ? there / (place->field == FLOAT_DATA ? 4 : 8) : count_varints(place->items, place->count);
    check_amount(bind, place, "elements", there, typed_count(tensor));
    bool same_width =
        tensor->type == CNX_TYPE_INT32 || tensor->type == CNX_TYPE_INT64 || tensor->type == CNX_TYPE_UINT64;
    if (fixed || (same_width && !place->lifted))
        tensor->bytes = place->items;
}

static void bind_payload(const binder *bind)
{
    cnx_tensor *tensor = bind->tensor;
    storage found[8];
    size_t count = list_storages(bind, found);
    bool external = bind->proto->has_data_location &&
                    bind->proto->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    if (count + (external ? 1 : 0) > 1)
        fail_tensor(bind, "the payload is stored twice (%s and %s)", found[0].name,
                    external ? "external_data" : found[1].name);
    static const uint8_t nothing[1];
    if (external) {
        if (tensor->type == CNX_TYPE_STRING)
            fail_tensor(bind, "strings cannot be external data");
        tensor->external = true;
        tensor->bytes = cnx_source_external(bind->model->source, bind->proto, tensor->size, bind->place);
    } else if (count == 0) {
        if (tensor->count != 0)
            fail_tensor(bind, "the payload is missing (expected %llu elements of type %s)",
                        (ull)tensor->count, cnx_type_name(tensor->type));
        tensor->bytes = tensor->type == CNX_TYPE_STRING ? NULL : nothing;
    } else if (found[0].field == RAW_DATA) {
        if (tensor->type == CNX_TYPE_STRING)
            fail_tensor(bind, "raw_data cannot hold strings");
        check_amount(bind, &found[0], "bytes", found[0].count, tensor->size);
        tensor->bytes = found[0].items;
    } else {
        bind_typed(bind, &found[0]);
    }
}

cnx_tensor *cnx_tensor_bind(cnx_model *model, Onnx__TensorProto *proto, const cnx_place *place)
{
    binder bind = {
        .model = model, .proto = proto, .place = place, .tensor = CNX_NEW(model->arena, cnx_tensor)};
    bind.tensor->proto = proto;
    bind.tensor->payload = cnx_wire_handle(proto);
    cnx_wire_drop_handle(proto);
    if (proto->segment != NULL)
        fail_tensor(&bind, "the tensor is a segment of a larger one, which is not supported");
    bind_shape(&bind);
    bind_payload(&bind);
    remember(model, bind.tensor);
    return bind.tensor;
}

cnx_tensor *cnx_tensor_register(cnx_model *model, Onnx__TensorProto *proto)
{
    cnx_place place = {.kind = "tensor", .name = proto->name, .index = model->tensor_count};
    return cnx_tensor_bind(model, proto, &place);
}

/* ---- bytes ---- */

static _Noreturn void fail_decode(cnx_model *model, const cnx_tensor *tensor, uint64_t index, uint64_t value)
{
    cnx_place place = {.kind = "tensor", .name = tensor->proto->name};
    cnx_fail(model->arena, CNX_ERROR_FORMAT, cnx_place_text(model->arena, &place),
             "element %llu is %lld, which is no %s", (ull)index, (long long)value,
             cnx_type_name(tensor->type));
}

/* Stores the low bytes of a value that was widened for its typed field; signed and unsigned types share
 * int32_data, so both ranges are accepted. */
static void store(cnx_model *model, const cnx_tensor *tensor, uint8_t *out, uint64_t index, uint64_t value)
{
    unsigned bits = cnx_type_bits(tensor->type) < 8 ? 8 : cnx_type_bits(tensor->type);
    if (bits < 64) {
        uint64_t above = value >> (bits - 1);
        if (above > 1 && above != UINT64_MAX >> (bits - 1))
            fail_decode(model, tensor, index, value);
    }
    memcpy(out + index * (bits / 8), &value, bits / 8);
}

static void decode_varints(cnx_model *model, const cnx_tensor *tensor, uint8_t *out)
{
    const cnx_payload *payload = &model->payloads[tensor->payload];
    const uint8_t *at = payload->bytes;
    const uint8_t *end = at + payload->size;
    for (uint64_t i = 0; at < end; i++) {
        uint64_t value;
        at = cnx_varint_read(at, end, &value);
        if (at == NULL)
            fail_decode(model, tensor, i, 0);
        if (payload->field == INT32_DATA) /* protobuf: the low 32 bits count */
            value = (uint64_t)(int64_t)(int32_t)(uint32_t)value;
        store(model, tensor, out, i, value);
    }
}

const uint8_t *cnx_tensor_bytes(cnx_model *model, cnx_tensor *tensor)
{
    if (tensor->bytes != NULL)
        return tensor->bytes;
    const Onnx__TensorProto *proto = tensor->proto;
    if (tensor->type == CNX_TYPE_STRING) {
        cnx_place place = {.kind = "tensor", .name = proto->name};
        cnx_fail(model->arena, CNX_ERROR_GRAPH, cnx_place_text(model->arena, &place),
                 "strings have no packed form");
    }
    uint8_t *out = cnx_alloc(model->arena, tensor->size);
    if (tensor->payload != CNX_NONE)
        decode_varints(model, tensor, out);
    for (size_t i = 0; i < proto->n_int32_data; i++)
        store(model, tensor, out, i, (uint64_t)(int64_t)proto->int32_data[i]);
    for (size_t i = 0; i < proto->n_uint64_data; i++)
        store(model, tensor, out, i, proto->uint64_data[i]);
    tensor->bytes = out;
    return out;
}

int64_t cnx_tensor_integer(cnx_model *model, cnx_tensor *tensor, uint64_t index)
{
    return cnx_element_integer(tensor->type, cnx_tensor_bytes(model, tensor), index);
}

double cnx_tensor_float(cnx_model *model, cnx_tensor *tensor, uint64_t index)
{
    return cnx_element_float(tensor->type, cnx_tensor_bytes(model, tensor), index);
}

void cnx_tensor_store_raw(cnx_model *model, cnx_tensor *tensor)
{
    Onnx__TensorProto *proto = tensor->proto;
    uint8_t *bytes = (uint8_t *)(uintptr_t)cnx_tensor_bytes(model, tensor); /* protobuf-c knows no const */
    proto->n_float_data = proto->n_int32_data = proto->n_int64_data = 0;
    proto->n_double_data = proto->n_uint64_data = 0;
    proto->n_external_data = 0;
    proto->has_data_location = false;
    proto->has_raw_data = true;
    proto->raw_data = (ProtobufCBinaryData){.len = tensor->size, .data = bytes};
    tensor->payload = CNX_NONE;
    tensor->external = false;
}

const cnx_view *cnx_tensor_view(const cnx_model *model, const cnx_tensor *tensor)
{
    return tensor->bytes != NULL ? cnx_source_view(model->source, tensor->bytes) : NULL;
}

bool cnx_tensor_is_view(const cnx_model *model, const cnx_tensor *tensor)
{
    return cnx_tensor_view(model, tensor) != NULL;
}
