/* Saving: messages are packed without payloads, then streamed with them (see proto/unlift.c).
 *
 * For the time of packing, the header of each tensor whose payload is elsewhere (a view of the file, an
 * external file, a permuted form) is exchanged for one that carries a handle instead. The headers to
 * exchange are made first; exchanging and packing cannot fail, so the model never stays in that state.
 */
#include "base/lanes.h"
#include "onnx/model.h"
#include "onnx/reader.h"

#include "onnx/source.h"

enum { RAW_DATA = 9 };

/* Long payloads are made ready in blocks of about this size, by several threads. */
#define BLOCK ((size_t)256 << 10)
/* A permuted tensor's rows are read each for itself, out of order, when they are at least this long. A tensor
 * of shorter rows is read whole before, up to this size; a larger one is left where it is mapped, and its
 * pages are let go after every LET_GO bytes. */
#define SHORT_ROW ((size_t)2 << 10)
#define STAGE ((size_t)8 << 20)
#define LET_GO ((uint64_t)16 << 20)

typedef struct saver {
    cnx_model *model;
    cnx_arena *scratch;
    const cnx_tensor_reader *reader;
    cnx_payload *payloads;      /* what the handles stand for */
    cnx_tensor **tensors;       /* by payload */
    Onnx__TensorProto *headers; /* by payload: with the handle */
    size_t count;
    /* Made when a payload first needs them: */
    cnx_lanes *lanes;
    uint8_t *blocks; /* one for each slot of the lanes */
    uint8_t *rows;   /* the same */
    uint8_t *stage;
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

/* A payload on its way out: the bytes of a tensor in memory or in a view, gathered when it is permuted. */
typedef struct stream {
    saver *save;
    const cnx_tensor *tensor; /* when it is permuted, or NULL */
    const uint8_t *bytes;     /* without the permutation */
    const cnx_view *view;     /* that they are in, to be copied from; NULL when they are read in place */
    bool mapped;              /* in place in a mapping */
    bool rows;                /* rows are read into a buffer first */
    uint64_t size;
    size_t block;
    cnx_sink *sink;
} stream;

static size_t block_size(const stream *out, size_t item)
{
    uint64_t left = out->size - (uint64_t)item * out->block;
    return left < out->block ? (size_t)left : out->block;
}

/* Runs in any thread. */
static void prepare(void *state, size_t item, size_t slot)
{
    const stream *out = state;
    const saver *save = out->save;
    uint64_t offset = (uint64_t)item * out->block;
    uint8_t *block = save->blocks + slot * BLOCK;
    if (out->tensor != NULL) {
        cnx_unpermuted from = {out->bytes, out->view, out->rows ? save->rows + slot * BLOCK : NULL};
        save->reader->read(out->tensor, &from, offset, block, block_size(out, item));
    } else if (out->view != NULL) {
        cnx_view_copy(out->view, out->bytes + offset, block_size(out, item), block);
    }
}

static void consume(void *state, size_t item, size_t slot)
{
    const stream *out = state;
    uint64_t offset = (uint64_t)item * out->block, end = offset + block_size(out, item);
    bool prepared = out->tensor != NULL || out->view != NULL;
    out->sink->write(out->sink, prepared ? out->save->blocks + slot * BLOCK : out->bytes + offset,
                     block_size(out, item));
    /* Rows come in any order, each once: all pages are let go, every now and then. */
    if (out->mapped && (end == out->size || offset / LET_GO != end / LET_GO))
        cnx_view_release(out->bytes, out->size);
}

/* Makes room for blocks, and starts threads when there is more than one to prepare. */
static void get_ready(saver *save, size_t count)
{
    if (save->blocks != NULL && (count < 2 || save->lanes != NULL))
        return;
    size_t slots = 1;
    if (count > 1) {
        save->lanes = cnx_lanes_start(save->scratch);
        slots = cnx_lanes_slots(save->lanes);
    }
    save->blocks = cnx_alloc(save->scratch, slots * BLOCK);
    save->rows = cnx_alloc(save->scratch, slots * BLOCK);
}

static void run(stream *out, cnx_lane_function prepare_item, cnx_lane_function consume_item)
{
    size_t count = (size_t)((out->size + out->block - 1) / out->block);
    get_ready(out->save, count);
    if (count > 1) {
        cnx_lanes_run(out->save->lanes, count, prepare_item, consume_item, out);
    } else if (count == 1) {
        prepare_item(out, 0, 0);
        consume_item(out, 0, 0);
    }
}

/* Runs in any thread. */
static void prepare_stage(void *state, size_t item, size_t slot)
{
    const stream *out = state;
    (void)slot;
    size_t offset = item * BLOCK;
    cnx_view_copy(out->view, out->bytes + offset, block_size(out, item), out->save->stage + offset);
}

static void consume_nothing(void *state, size_t item, size_t slot)
{
    (void)state, (void)item, (void)slot;
}

static void read_stage(stream *out)
{
    saver *save = out->save;
    if (save->stage == NULL)
        save->stage = cnx_alloc(save->scratch, STAGE);
    stream whole = *out;
    whole.block = BLOCK;
    run(&whole, prepare_stage, consume_nothing);
    out->bytes = save->stage;
}

/* Chooses how the source of a permuted tensor is read. */
static void arrange(stream *out)
{
    uint64_t row = out->save->reader->row_size(out->tensor);
    out->rows = row <= BLOCK;
    if (out->rows)
        out->block = (size_t)(BLOCK / row * row);
    if (out->view == NULL || (out->rows && row >= SHORT_ROW))
        return;
    if (out->size <= STAGE)
        read_stage(out);
    else
        out->mapped = true;
    out->view = NULL;
}

static void emit(void *state, size_t index, cnx_sink *sink)
{
    saver *save = state;
    cnx_tensor *tensor = save->tensors[index];
    stream out = {.save = save,
                  .sink = sink,
                  .bytes = save->payloads[index].bytes,
                  .size = save->payloads[index].size,
                  .block = BLOCK};
    if (tensor->permutation != NULL) {
        out.tensor = tensor;
        out.bytes = cnx_tensor_bytes(save->model, tensor);
    }
    out.view = cnx_source_view(save->model->source, out.bytes);
    if (out.tensor != NULL)
        arrange(&out);
    run(&out, prepare, consume);
}

void cnx_save(cnx_model *model, const cnx_tensor_reader *reader, cnx_sink *sink)
{
    cnx_arena *scratch = cnx_arena_create(sink->arena);
    saver save = {.model = model, .scratch = scratch, .reader = reader};
    make_headers(&save);
    uint64_t size;
    const uint8_t *skeleton = pack(&save, &size);
    cnx_payload_source source = {.items = save.payloads, .count = save.count, .emit = emit, .state = &save};
    cnx_wire_unlift(scratch, skeleton, size, &source, sink);
    cnx_arena_destroy(scratch);
}

/* ---- size ---- */

static void emit_nothing(void *state, size_t index, cnx_sink *sink)
{
    (void)state, (void)index, (void)sink;
}

static void write_nothing(cnx_sink *sink, const void *bytes, size_t size)
{
    (void)sink, (void)bytes, (void)size;
}

/* Where every payload is in its header protobuf-c knows without being given one of them (up to 4 GiB, where
 * its lengths end). */
uint64_t cnx_saved_size(cnx_model *model)
{
    bool in_headers = true;
    for (size_t i = 0; i < model->tensor_count; i++)
        in_headers = in_headers && model->tensors[i]->payload == CNX_NONE && !model->tensors[i]->external;
    uint64_t bytes = in_headers ? onnx__model_proto__get_packed_size(model->proto) : UINT64_MAX;
    if (bytes < UINT32_MAX)
        return bytes;
    cnx_arena *scratch = cnx_arena_create(model->arena);
    saver save = {.model = model, .scratch = scratch};
    make_headers(&save);
    uint64_t size;
    const uint8_t *skeleton = pack(&save, &size);
    cnx_payload_source source = {.items = save.payloads, .count = save.count, .emit = emit_nothing};
    cnx_sink sink = {.write = write_nothing, .arena = scratch};
    bytes = cnx_wire_unlift(scratch, skeleton, size, &source, &sink);
    cnx_arena_destroy(scratch);
    return bytes;
}
