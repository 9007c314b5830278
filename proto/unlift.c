/* Unlifting: a skeleton and its payloads become a model's bytes again, as a stream.
 *
 * Putting a payload back makes every message around it longer, and a length comes before the bytes that it
 * counts. So there are two scans over the skeleton. The first finds the final length of each message that
 * holds a handle somewhere inside (its `growth`), in the order in which messages start. The second sends the
 * skeleton's own bytes in spans as long as possible and stops only to rewrite those lengths and to let the
 * owner emit a payload. Payloads are never in memory here.
 *
 * A payload goes where protobuf writers put its field: fields of one message are in the order of their
 * numbers. protobuf-c packs known fields in that order and unknown ones, so our handles, at the end.
 */
#include "proto/scan.h"
#include "proto/wire.h"

/* A message of the skeleton whose bytes change. */
typedef struct growth {
    const uint8_t *content;
    uint64_t length; /* final */
} growth;

typedef struct unlifter {
    cnx_scan scan;
    cnx_scan flat; /* over one tensor */
    cnx_arena *scratch;
    const cnx_payload_source *payloads;
    cnx_sink *sink;
    growth *growths; /* in order of `content` */
    size_t growth_count;
    size_t growth_capacity;
    size_t next_growth;  /* second scan: the next one to meet */
    const uint8_t *sent; /* second scan: everything before this was sent */
} unlifter;

static bool may_hold_tensors(const ProtobufCMessageDescriptor *type)
{
    return type == &onnx__tensor_proto__descriptor || type == &onnx__node_proto__descriptor ||
           type == &onnx__attribute_proto__descriptor || type == &onnx__graph_proto__descriptor ||
           type == &onnx__sparse_tensor_proto__descriptor || type == &onnx__function_proto__descriptor ||
           type == &onnx__training_info_proto__descriptor;
}

static const cnx_payload *payload_of(const unlifter *work, uint64_t index)
{
    if (index >= work->payloads->count)
        cnx_fail(work->scratch, CNX_ERROR_FORMAT, NULL, "a tensor refers to payload %llu of %zu",
                 (unsigned long long)index, work->payloads->count);
    return &work->payloads->items[index];
}

static uint64_t tag_of(const cnx_payload *payload)
{
    return (uint64_t)payload->field << 3 | PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
}

static uint64_t field_size(const cnx_payload *payload)
{
    return cnx_varint_size(tag_of(payload)) + cnx_varint_size(payload->size) + payload->size;
}

static bool is_handle(const cnx_scan *scan)
{
    return scan->number == CNX_HANDLE_FIELD && scan->wire_type == PROTOBUF_C_WIRE_TYPE_VARINT &&
           scan->frames[scan->depth - 1].type == &onnx__tensor_proto__descriptor;
}

/* ---- first scan: frame.mark is the message's number in `growths`, frame.change what it grows by, which may
 * be nothing when a payload is as long as its handle; frame.choice says whether there is a handle inside ----
 */

static void measure_leave(unlifter *work)
{
    const cnx_scan_frame *left = &work->scan.left;
    if (left->choice == 0) { /* nothing inside changes either, so it is the last one */
        work->growth_count = left->mark;
        return;
    }
    uint64_t before = (uint64_t)(left->end - left->content);
    uint64_t after = before + left->change;
    work->growths[left->mark].length = after;
    cnx_scan_top(&work->scan)->choice = 1;
    cnx_scan_top(&work->scan)->change +=
        left->change + cnx_varint_size(after) - (uint64_t)(left->content - left->prefix);
}

static uint64_t measure(unlifter *work)
{
    cnx_scan *scan = &work->scan;
    for (;;) {
        switch (cnx_scan_next(scan)) {
        case CNX_SCAN_ENTER:
            if (!may_hold_tensors(cnx_scan_top(scan)->type)) {
                cnx_scan_skip(scan);
                break;
            }
            cnx_scan_top(scan)->mark = work->growth_count;
            growth item = {.content = scan->content};
            CNX_PUSH(work->scratch, work->growths, work->growth_count, work->growth_capacity, item);
            break;
        case CNX_SCAN_LEAVE:
            measure_leave(work);
            break;
        case CNX_SCAN_FIELD:
            if (is_handle(scan)) {
                cnx_scan_top(scan)->choice = 1;
                cnx_scan_top(scan)->change +=
                    field_size(payload_of(work, scan->value)) - (uint64_t)(scan->next - scan->start);
            }
            break;
        case CNX_SCAN_END:
            return cnx_scan_top(scan)->change;
        }
    }
}

/* ---- second scan ---- */

static void send(unlifter *work, const uint8_t *until)
{
    if (until != work->sent)
        work->sink->write(work->sink, work->sent, (size_t)(until - work->sent));
    work->sent = until;
}

static void send_number(unlifter *work, uint64_t value)
{
    uint8_t bytes[10];
    work->sink->write(work->sink, bytes, cnx_varint_write(bytes, value));
}

static void send_payload(unlifter *work, uint64_t index)
{
    const cnx_payload *payload = payload_of(work, index);
    send_number(work, tag_of(payload));
    send_number(work, payload->size);
    work->payloads->emit(work->payloads->state, (size_t)index, work->sink);
}

/* The next field of a flat scan; messages are passed over. */
static bool next_flat(cnx_scan *scan)
{
    cnx_scan_event event = cnx_scan_next(scan);
    if (event == CNX_SCAN_ENTER)
        cnx_scan_skip(scan);
    return event != CNX_SCAN_END;
}

/* A tensor with a handle: fields with smaller numbers than the payload's, the payload, the others. */
static void send_tensor(unlifter *work, const uint8_t *content, uint64_t size)
{
    cnx_scan *scan = &work->flat;
    cnx_scan_begin(scan, work->scratch, &onnx__tensor_proto__descriptor, content, size);
    while (next_flat(scan) && !is_handle(scan))
        continue;
    const uint8_t *handle = scan->start;
    const uint8_t *behind = scan->next;
    uint64_t index = scan->value;
    uint32_t field = payload_of(work, index)->field;

    const uint8_t *place = content;
    cnx_scan_begin(scan, work->scratch, &onnx__tensor_proto__descriptor, content, size);
    while (next_flat(scan) && scan->number < field)
        place = scan->next;
    send(work, place);
    send_payload(work, index);
    send(work, handle);
    work->sent = behind;
}

static void send_message(unlifter *work)
{
    cnx_scan *scan = &work->scan;
    const cnx_scan_frame *top = cnx_scan_top(scan);
    if (work->next_growth == work->growth_count || work->growths[work->next_growth].content != top->content) {
        cnx_scan_skip(scan); /* nothing changes in there */
        return;
    }
    send(work, top->prefix);
    send_number(work, work->growths[work->next_growth++].length);
    work->sent = top->content;
    if (top->type == &onnx__tensor_proto__descriptor) {
        send_tensor(work, top->content, (uint64_t)(top->end - top->content));
        cnx_scan_skip(scan);
    }
}

uint64_t cnx_wire_unlift(cnx_arena *scratch, const uint8_t *skeleton, uint64_t size,
                         const cnx_payload_source *payloads, cnx_sink *sink)
{
    unlifter *work = CNX_NEW(scratch, unlifter);
    work->scratch = scratch;
    work->payloads = payloads;
    work->sink = sink;
    work->sent = skeleton;
    cnx_scan_begin(&work->scan, scratch, &onnx__model_proto__descriptor, skeleton, size);
    uint64_t growth_of_all = measure(work);
    cnx_scan_begin(&work->scan, scratch, &onnx__model_proto__descriptor, skeleton, size);
    for (cnx_scan_event event; (event = cnx_scan_next(&work->scan)) != CNX_SCAN_END;)
        if (event == CNX_SCAN_ENTER)
            send_message(work);
    send(work, skeleton + size);
    return size + growth_of_all;
}
