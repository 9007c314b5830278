/* Saving: messages are packed without payloads, then streamed with them (see proto/unlift.c).
 *
 * For the time of packing, the header of each tensor whose payload is elsewhere (a view of the file, an
 * external file, a permuted form) is exchanged for one that carries a handle instead. The headers to
 * exchange are made first; exchanging and packing cannot fail, so the model never stays in that state.
 */
#include "onnx/model.h"

#include "onnx/source.h"

enum { RAW_DATA = 9 };

/* Permuted tensors are produced in blocks of this size, views are written in such pieces. */
#define BLOCK ((size_t)1 << 20)
#define PIECE ((size_t)8 << 20)
#define LET_GO ((size_t)16 << 20)

typedef struct saver {
    cnx_model *model;
    cnx_arena *scratch;
    cnx_tensor_reader reader;
    cnx_payload *payloads;      /* what the handles stand for */
    cnx_tensor **tensors;       /* by payload */
    Onnx__TensorProto *headers; /* by payload: with the handle */
    size_t count;
    uint8_t *block;
} saver;

/* Whether a tensor's payload is written from outside of its header, and as what. */
static bool describe(const saver *save, const cnx_tensor *tensor, cnx_payload *payload)
{
    const Onnx__TensorProto *proto = tensor->proto;
    if (tensor->permutation != NULL || tensor->external)
        *payload = (cnx_payload){.bytes = tensor->bytes, .size = tensor->size, .field = RAW_DATA};
    else if (tensor->payload != CNX_NONE)
        *payload = save->model->payloads[tensor->payload];
    else if (proto->has_raw_data && proto->raw_data.len > CNX_LIFT_THRESHOLD)
        *payload =
            (cnx_payload){.bytes = proto->raw_data.data, .size = proto->raw_data.len, .field = RAW_DATA};
    else
        return false;
    return true;
}

static void make_header(const saver *save, const cnx_tensor *tensor, size_t index, Onnx__TensorProto *header)
{
    *header = *tensor->proto;
    header->n_float_data = header->n_int32_data = header->n_int64_data = 0;
    header->n_double_data = header->n_uint64_data = 0;
    header->has_raw_data = false;
    header->raw_data = (ProtobufCBinaryData){0};
    if (tensor->external) {
        header->n_external_data = 0;
        header->has_data_location = false;
    }
    cnx_wire_add_handle(save->scratch, header, (uint32_t)index);
}

static void make_headers(saver *save)
{
    const cnx_model *model = save->model;
    save->payloads = CNX_NEW_ARRAY(save->scratch, cnx_payload, model->tensor_count);
    save->tensors = CNX_NEW_ARRAY(save->scratch, cnx_tensor *, model->tensor_count);
    save->headers = CNX_NEW_ARRAY(save->scratch, Onnx__TensorProto, model->tensor_count);
    for (size_t i = 0; i < model->tensor_count; i++) {
        cnx_tensor *tensor = model->tensors[i];
        if (!describe(save, tensor, &save->payloads[save->count]))
            continue;
        save->tensors[save->count] = tensor;
        make_header(save, tensor, save->count, &save->headers[save->count]);
        save->count++;
    }
}

static void exchange_headers(saver *save)
{
    for (size_t i = 0; i < save->count; i++) {
        Onnx__TensorProto kept = *save->tensors[i]->proto;
        *save->tensors[i]->proto = save->headers[i];
        save->headers[i] = kept;
    }
}

static const uint8_t *pack(saver *save, uint64_t *size)
{
    const ProtobufCMessage *message = &save->model->proto->base;
    exchange_headers(save);
    *size = protobuf_c_message_get_packed_size(message);
    exchange_headers(save);
    uint8_t *skeleton = cnx_alloc(save->scratch, *size);
    exchange_headers(save);
    protobuf_c_message_pack(message, skeleton);
    exchange_headers(save);
    return skeleton;
}

/* ---- payloads ---- */

/* The rows of a permuted tensor are read in any order, each once: its pages are let go every now and then,
 * all of them, so that memory stays bounded by what is read in between. */
static void emit_permuted(const saver *save, cnx_tensor *tensor, cnx_sink *sink)
{
    bool mapped = cnx_tensor_is_view(save->model, tensor);
    for (uint64_t offset = 0; offset < tensor->size;) {
        uint64_t left = tensor->size - offset;
        size_t size = left < BLOCK ? (size_t)left : BLOCK;
        save->reader(save->model, tensor, offset, save->block, size);
        sink->write(sink, save->block, size);
        offset += size;
        if (mapped && (offset % LET_GO == 0 || offset == tensor->size))
            cnx_view_release(tensor->bytes, tensor->size);
    }
}

static void emit(void *state, size_t index, cnx_sink *sink)
{
    const saver *save = state;
    const cnx_payload *payload = &save->payloads[index];
    if (save->tensors[index]->permutation != NULL) {
        emit_permuted(save, save->tensors[index], sink);
        return;
    }
    const cnx_tensor *tensor = save->tensors[index];
    bool mapped = tensor->external || tensor->payload != CNX_NONE ||
                  cnx_source_holds(save->model->source, payload->bytes);
    for (uint64_t offset = 0; offset < payload->size; offset += PIECE) {
        uint64_t left = payload->size - offset;
        size_t size = left < PIECE ? (size_t)left : PIECE;
        if (mapped)
            cnx_view_prefetch(payload->bytes + offset, size);
        sink->write(sink, payload->bytes + offset, size);
        if (mapped) /* memory stays bounded by one piece */
            cnx_view_release(payload->bytes + offset, size);
    }
}

void cnx_save(cnx_model *model, cnx_tensor_reader reader, cnx_sink *sink)
{
    cnx_arena *scratch = cnx_arena_create(sink->arena);
    saver save = {.model = model, .scratch = scratch, .reader = reader, .block = cnx_alloc(scratch, BLOCK)};
    make_headers(&save);
    uint64_t size;
    const uint8_t *skeleton = pack(&save, &size);
    cnx_payload_source source = {.items = save.payloads, .count = save.count, .emit = emit, .state = &save};
    cnx_wire_unlift(scratch, skeleton, size, &source, sink);
    cnx_arena_destroy(scratch);
}
