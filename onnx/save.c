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

#include <inttypes.h>
#include <stdlib.h>

enum { RAW_DATA = 9 };

/* Long payloads are made ready in blocks of about this size, by several threads. */
#define BLOCK ((size_t)256 << 10)
/* Pages of a mapping are dear: each has to be mapped, and unmapped again. So a permuted tensor is copied from
 * the file, in one piece up to this size, */
#define WHOLE ((uint64_t)12 << 20)
/* and row by row, out of order, when rows are at least this long. Only a large tensor of shorter rows is left
 * where it is mapped, and its pages are let go after every LET_GO bytes. */
#define SHORT_ROW ((size_t)8 << 10)
#define LET_GO ((uint64_t)16 << 20)

/* In a file beside the model, payloads start at multiples of a page, so that runtimes can map them. Short
 * ones are no trouble where they are. */
#define PAGE ((uint64_t)4096)
#define LEAST_BESIDE 1024
#define INLINE UINT64_MAX

typedef struct saver {
    cnx_model *model;
    cnx_arena *scratch;
    const cnx_tensor_reader *reader;
    cnx_payload *payloads;      /* what the handles stand for */
    cnx_tensor **tensors;       /* by payload */
    Onnx__TensorProto *headers; /* by payload: with the handle */
    size_t count;
    const char *location; /* of the file beside the model that holds long payloads; NULL: there is none */
    uint64_t *offsets;    /* in it, by payload; INLINE: not there */
    /* Made when a payload first needs them: */
    cnx_lanes *lanes;
    uint8_t *blocks; /* one for each slot of the lanes */
    uint8_t *rows;   /* the same */
    uint8_t *whole;  /* a permuted tensor as it is stored */
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

static void add_entry(cnx_arena *arena, Onnx__TensorProto *header, const char *key, const char *value)
{
    Onnx__StringStringEntryProto *entry = CNX_NEW(arena, Onnx__StringStringEntryProto);
    onnx__string_string_entry_proto__init(entry);
    entry->key = (char *)(uintptr_t)key;
    entry->value = (char *)(uintptr_t)value;
    header->external_data[header->n_external_data++] = entry;
}

/* Specified in ONNX's document on external data: numbers are decimal texts, in bytes. */
static void refer_to_file(const saver *save, size_t index, Onnx__TensorProto *header)
{
    cnx_arena *arena = save->scratch;
    header->has_data_location = true;
    header->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    header->external_data = CNX_NEW_ARRAY(arena, Onnx__StringStringEntryProto *, 3);
    add_entry(arena, header, "location", save->location);
    add_entry(arena, header, "offset", cnx_print(arena, "%" PRIu64, save->offsets[index]));
    add_entry(arena, header, "length", cnx_print(arena, "%" PRIu64, save->payloads[index].size));
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
    if (save->offsets[index] != INLINE)
        refer_to_file(save, index, header);
    else
        cnx_wire_add_handle(save->scratch, header, (uint32_t)index);
}

static void add_payload(saver *save, cnx_tensor *tensor, const cnx_payload *payload, uint64_t offset)
{
    size_t index = save->count++;
    save->payloads[index] = *payload;
    save->offsets[index] = offset;
    save->tensors[index] = tensor;
    make_header(save, tensor, index, &save->headers[index]);
}

static int compare_addresses(const void *a, const void *b)
{
    const cnx_tensor *const *x = a, *const *y = b;
    return (*x > *y) - (*x < *y);
}

/* The long initializers of the main graph, in their order; runtimes do not look for external data elsewhere.
 * Returns them, sorted by address. */
static cnx_tensor **add_beside(saver *save)
{
    const cnx_graph *graph = save->model->graph;
    uint64_t end = 0;
    cnx_payload payload;
    for (uint32_t i = 0; i < graph->initializer_count; i++) {
        cnx_tensor *tensor = graph->values[graph->initializers[i]].initializer;
        if (tensor == NULL || tensor->size < LEAST_BESIDE || !describe(save, tensor, &payload) ||
            payload.field != RAW_DATA)
            continue;
        uint64_t offset = (end + PAGE - 1) / PAGE * PAGE;
        add_payload(save, tensor, &payload, offset);
        end = offset + payload.size;
    }
    cnx_tensor **added = CNX_NEW_ARRAY(save->scratch, cnx_tensor *, save->count);
    memcpy(added, save->tensors, save->count * sizeof(cnx_tensor *));
    qsort(added, save->count, sizeof *added, compare_addresses);
    return added;
}

static void make_headers(saver *save)
{
    const cnx_model *model = save->model;
    save->payloads = CNX_NEW_ARRAY(save->scratch, cnx_payload, model->tensor_count);
    save->offsets = CNX_NEW_ARRAY(save->scratch, uint64_t, model->tensor_count);
    save->tensors = CNX_NEW_ARRAY(save->scratch, cnx_tensor *, model->tensor_count);
    save->headers = CNX_NEW_ARRAY(save->scratch, Onnx__TensorProto, model->tensor_count);
    cnx_tensor **added = save->location != NULL ? add_beside(save) : NULL;
    size_t added_count = save->count;
    cnx_payload payload;
    for (size_t i = 0; i < model->tensor_count; i++) {
        cnx_tensor *tensor = model->tensors[i];
        if (added_count != 0 &&
            bsearch(&tensor, added, added_count, sizeof *added, compare_addresses) != NULL)
            continue;
        if (describe(save, tensor, &payload))
            add_payload(save, tensor, &payload, INLINE);
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
static void copy_block(void *state, size_t item, size_t slot)
{
    const stream *out = state;
    uint64_t offset = (uint64_t)item * out->block;
    (void)slot;
    cnx_view_copy(out->view, out->bytes + offset, block_size(out, item), out->save->whole + offset);
}

static void nothing(void *state, size_t item, size_t slot)
{
    (void)state, (void)item, (void)slot;
}

/* Runs in any thread. */
static void prepare(void *state, size_t item, size_t slot)
{
    const stream *out = state;
    const saver *save = out->save;
    uint64_t offset = (uint64_t)item * out->block;
    uint8_t *block = save->blocks + slot * BLOCK;
    if (out->tensor != NULL) {
        cnx_unpermuted from = {.bytes = out->bytes, .view = out->view};
        from.room = save->rows + slot * BLOCK;
        from.room_size = out->rows ? BLOCK : 0;
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

static void run(stream *out, cnx_lane_function make_ready, cnx_lane_function use)
{
    size_t count = (size_t)((out->size + out->block - 1) / out->block);
    get_ready(out->save, count);
    if (count > 1) {
        cnx_lanes_run(out->save->lanes, count, make_ready, use, out);
    } else if (count == 1) {
        make_ready(out, 0, 0);
        use(out, 0, 0);
    }
}

/* Room for the largest tensor that is copied as a whole. */
static uint8_t *room_for_whole(const saver *save)
{
    uint64_t most = 0;
    for (size_t i = 0; i < save->count; i++) {
        const cnx_tensor *tensor = save->tensors[i];
        if (tensor->permutation != NULL && tensor->size > most && tensor->size <= WHOLE)
            most = tensor->size;
    }
    return cnx_alloc(save->scratch, (size_t)most);
}

/* From here on the tensor is in memory. */
static void copy_whole(stream *out)
{
    if (out->save->whole == NULL)
        out->save->whole = room_for_whole(out->save);
    run(out, copy_block, nothing);
    out->bytes = out->save->whole;
    out->view = NULL;
}

/* Chooses how the source of a permuted tensor is read. */
static void arrange(stream *out)
{
    uint64_t row = out->save->reader->row_size(out->tensor);
    if (row == 0) /* in order */
        return;
    if (out->view != NULL && out->size <= WHOLE)
        copy_whole(out);
    out->rows = row <= BLOCK;
    if (out->rows)
        out->block = (size_t)(BLOCK / row * row);
    if (out->view == NULL || (out->rows && row >= SHORT_ROW))
        return;
    out->mapped = true;
    cnx_view_expect(out->bytes, out->size);
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

static saver begin(cnx_model *model, const cnx_tensor_reader *reader, const char *location,
                   cnx_arena *scratch)
{
    saver save = {.model = model, .scratch = scratch, .reader = reader, .location = location};
    make_headers(&save);
    return save;
}

/* Sends the messages, and `source->emit` the payloads that have a handle. Returns the number of bytes. */
static uint64_t send(saver *save, cnx_payload_source *source, cnx_sink *sink)
{
    uint64_t size;
    const uint8_t *skeleton = pack(save, &size);
    source->items = save->payloads;
    source->count = save->count;
    return cnx_wire_unlift(save->scratch, skeleton, size, source, sink);
}

void cnx_save(cnx_model *model, const cnx_tensor_reader *reader, cnx_sink *sink)
{
    cnx_arena *scratch = cnx_arena_create(sink->arena);
    saver save = begin(model, reader, NULL, scratch);
    cnx_payload_source source = {.emit = emit, .state = &save};
    send(&save, &source, sink);
    cnx_arena_destroy(scratch);
}

/* ---- in two files ---- */

static void pad(cnx_sink *sink, uint64_t size)
{
    static const uint8_t zeros[PAGE];
    sink->write(sink, zeros, (size_t)size);
}

/* Payloads beside the model come first, in the order of their offsets. */
static uint64_t write_beside(saver *save, cnx_sink *sink)
{
    uint64_t size = 0;
    for (size_t i = 0; i < save->count && save->offsets[i] != INLINE; i++) {
        pad(sink, save->offsets[i] - size);
        emit(save, i, sink);
        size = save->offsets[i] + save->payloads[i].size;
    }
    return size;
}

uint64_t cnx_save_in_two(cnx_model *model, const cnx_tensor_reader *reader, cnx_sink *sink,
                         const char *location, cnx_sink *beside)
{
    cnx_arena *scratch = cnx_arena_create(sink->arena);
    saver save = begin(model, reader, location, scratch);
    cnx_payload_source source = {.emit = emit, .state = &save};
    uint64_t size = write_beside(&save, beside) + send(&save, &source, sink);
    cnx_arena_destroy(scratch);
    return size;
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
    saver save = begin(model, NULL, NULL, scratch);
    cnx_payload_source source = {.emit = emit_nothing};
    cnx_sink sink = {.write = write_nothing, .arena = scratch};
    bytes = send(&save, &source, &sink);
    cnx_arena_destroy(scratch);
    return bytes;
}
