/* Lifting: a model's bytes become a skeleton and a table of payloads.
 *
 * A model file is mostly tensor payload, and protobuf-c copies every byte of what it parses. So payloads
 * are cut out first. In the bytes of each TensorProto the one large payload field, tag and length included,
 *
 *     ... dims data_type [4a 80 80 10 <262144 bytes of raw_data>] name ...
 *
 * is replaced by a handle, a field of a number that nothing else uses, whose value is the payload's index:
 *
 *     ... dims data_type [f8 ff ff ff 0f 03] name ...
 *
 * The messages around it get shorter. Their length prefixes are patched in place: the new length needs no
 * more bytes than the old one, and protobuf allows a varint to be padded, so nothing else has to move.
 *
 * This takes one scan, which records cuts (spans of the file to leave out) and patches (prefixes to
 * rewrite), and one assembly, which copies the spans between the cuts. Only pages that hold headers are
 * ever touched. A payload is lifted
 *   - when its field occurs once in its tensor (protobuf would concatenate several), and it is the only
 *     payload field there that is large;
 *   - when it is larger than CNX_LIFT_THRESHOLD (a handle must not be longer than what it replaces).
 * Everything else stays in the skeleton and is parsed as usual.
 *
 * protobuf-c recurses and allocates as the file says. The scan bounds both beforehand: the depth by the
 * scanner, the memory by a projection of what unpacking will allocate (limits memory-floor, memory-ratio).
 */
#include "proto/wire.h"

#include "proto/scan.h"

typedef struct cut {
    const uint8_t *start;
    const uint8_t *end;
} cut;

/* A length prefix to rewrite: where it is in the skeleton. */
typedef struct patch {
    uint64_t position;
    uint64_t length;
    size_t width;
} patch;

typedef struct lifter {
    cnx_scan scan;
    cnx_arena *arena;
    cnx_arena *scratch;
    cnx_lifted *out;
    cut *cuts; /* cut i belongs to payload i */
    size_t cut_count;
    size_t cut_capacity;
    patch *patches;
    size_t patch_count;
    size_t patch_capacity;
    uint64_t removed; /* bytes by which the skeleton is shorter than the file up to here */
    uint64_t memory;  /* that unpacking will take */
    uint64_t memory_limit;
    uint64_t messages;
    uint64_t op_type_bit; /* of NodeProto */
} lifter;

static size_t handle_size(size_t index)
{
    return cnx_varint_size((uint64_t)CNX_HANDLE_FIELD << 3) + cnx_varint_size(index);
}

static bool is_payload_field(uint32_t number)
{
    switch (number) {
    case 4:  /* float_data */
    case 5:  /* int32_data */
    case 7:  /* int64_data */
    case 9:  /* raw_data */
    case 10: /* double_data */
    case 11: /* uint64_data */
        return true;
    default:
        return false;
    }
}

static void account(lifter *lift, uint64_t bytes)
{
    lift->memory += bytes;
    if (lift->memory > lift->memory_limit)
        cnx_fail(lift->arena, CNX_ERROR_LIMIT, cnx_scan_place(&lift->scan, lift->scan.start),
                 "the file's messages would take over %llu MiB of memory (limits memory-floor, memory-ratio)",
                 (unsigned long long)(lift->memory_limit / CNX_MEBIBYTE));
}

/* What protobuf-c and the arena need for one field, rounded up: its value, and bookkeeping while the message
 * around it is parsed, which protobuf-c keeps on the stack for the first fields and in a table that doubles
 * for more. */
static void account_field(lifter *lift, const cnx_scan_frame *message)
{
    enum { ON_STACK = 16, BOOKKEEPING = 64, SCALAR = 8, ROUNDING = 32 };
    const cnx_scan *scan = &lift->scan;
    uint64_t bytes = message->fields > ON_STACK ? BOOKKEEPING + SCALAR : SCALAR;
    if (scan->wire_type == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED) {
        ProtobufCType type = scan->field != NULL ? scan->field->type : PROTOBUF_C_TYPE_BYTES;
        if (type == PROTOBUF_C_TYPE_STRING || type == PROTOBUF_C_TYPE_BYTES)
            bytes += scan->size + ROUNDING;
        else if (type != PROTOBUF_C_TYPE_MESSAGE) /* packed; the shortest number takes a byte */
            bytes += SCALAR * scan->size + ROUNDING;
    }
    account(lift, bytes);
}

static void count_message(lifter *lift)
{
    enum { ROUNDING = 16 };
    const cnx_scan *scan = &lift->scan;
    account_field(lift, &scan->frames[scan->depth - 2]);
    account(lift, scan->frames[scan->depth - 1].type->sizeof_message + ROUNDING);
    if (++lift->messages > CNX_LIMIT_MESSAGES)
        cnx_fail(lift->arena, CNX_ERROR_LIMIT, cnx_scan_place(scan, scan->start),
                 "too many messages (limit messages: %d)", CNX_LIMIT_MESSAGES);
}

/* Looks over the tensor that was just entered: which field number is its one large payload? 0: none. The
 * scan itself then checks every field again, so this only reads what it needs. */
static uint32_t find_payload(const lifter *lift)
{
    const cnx_scan_frame *top = &lift->scan.frames[lift->scan.depth - 1];
    uint32_t found = 0;
    unsigned large = 0;
    uint64_t seen = 0;
    for (const uint8_t *at = top->content; at < top->end;) {
        uint64_t tag = 0;
        uint64_t value = 0;
        at = cnx_varint_read(at, top->end, &tag);
        if (at == NULL)
            return 0; /* malformed: the scan reports it */
        uint32_t number = tag >> 3 < 64 ? (uint32_t)(tag >> 3) : 0;
        unsigned wire_type = (unsigned)(tag & 7);
        uint64_t size = wire_type == PROTOBUF_C_WIRE_TYPE_64BIT   ? 8
                        : wire_type == PROTOBUF_C_WIRE_TYPE_32BIT ? 4
                                                                  : 0;
        if (wire_type == PROTOBUF_C_WIRE_TYPE_VARINT || wire_type == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED) {
            at = cnx_varint_read(at, top->end, &value);
            if (at == NULL)
                return 0;
            size = wire_type == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED ? value : 0;
        }
        if (size > (uint64_t)(top->end - at))
            return 0;
        at += size;
        if (!is_payload_field(number))
            continue;
        if ((seen >> number & 1) != 0)
            return 0;
        seen |= (uint64_t)1 << number;
        if (wire_type == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED && size > CNX_LIFT_THRESHOLD) {
            found = number;
            large++;
        }
    }
    return large == 1 ? found : 0;
}

static void on_enter(lifter *lift)
{
    cnx_scan *scan = &lift->scan;
    cnx_scan_frame *top = cnx_scan_top(scan);
    count_message(lift);
    top->mark = (uint64_t)(top->prefix - scan->begin) - lift->removed;
    top->change = lift->removed;
    if (top->type == &onnx__tensor_proto__descriptor)
        top->choice = find_payload(lift);
}

static void on_leave(lifter *lift)
{
    cnx_scan *scan = &lift->scan;
    const cnx_scan_frame *left = &scan->left;
    if (left->type == &onnx__node_proto__descriptor && (left->seen & lift->op_type_bit) == 0)
        cnx_fail(lift->arena, CNX_ERROR_FORMAT,
                 cnx_print(lift->arena, "byte %llu", (unsigned long long)(left->content - scan->begin)),
                 "the node here has no op_type");
    uint64_t shorter = lift->removed - left->change;
    if (shorter == 0)
        return;
    patch item = {
        .position = left->mark,
        .length = (uint64_t)(left->end - left->content) - shorter,
        .width = (size_t)(left->content - left->prefix),
    };
    CNX_PUSH(lift->scratch, lift->patches, lift->patch_count, lift->patch_capacity, item);
}

static void cut_payload(lifter *lift)
{
    const cnx_scan *scan = &lift->scan;
    cnx_lifted *out = lift->out;
    cnx_payload payload = {.bytes = scan->content, .size = scan->size, .field = scan->number};
    lift->removed += (uint64_t)(scan->next - scan->start) - handle_size(out->payload_count);
    cut item = {.start = scan->start, .end = scan->next};
    CNX_PUSH(lift->scratch, lift->cuts, lift->cut_count, lift->cut_capacity, item);
    CNX_PUSH(lift->arena, out->payloads, out->payload_count, out->payload_capacity, payload);
}

static void on_field(lifter *lift)
{
    cnx_scan *scan = &lift->scan;
    const cnx_scan_frame *top = cnx_scan_top(scan);
    if (top->type == &onnx__tensor_proto__descriptor) {
        if (scan->number == CNX_HANDLE_FIELD)
            cnx_fail(lift->arena, CNX_ERROR_FORMAT, cnx_scan_place(scan, scan->start),
                     "the file uses field %u, which is reserved here", CNX_HANDLE_FIELD);
        if (scan->number == top->choice) {
            cut_payload(lift);
            return;
        }
    }
    account_field(lift, top);
}

static void walk(lifter *lift)
{
    for (;;) {
        switch (cnx_scan_next(&lift->scan)) {
        case CNX_SCAN_ENTER:
            on_enter(lift);
            break;
        case CNX_SCAN_LEAVE:
            on_leave(lift);
            break;
        case CNX_SCAN_FIELD:
            on_field(lift);
            break;
        case CNX_SCAN_END:
            return;
        }
    }
}

/* Copies the spans between the cuts, puts handles into the cuts, and rewrites the prefixes. */
static uint8_t *assemble(const lifter *lift, const uint8_t *bytes, uint64_t size)
{
    uint8_t *skeleton = cnx_alloc(lift->scratch, size - lift->removed);
    uint8_t *to = skeleton;
    const uint8_t *from = bytes;
    for (size_t i = 0; i < lift->cut_count; i++) {
        size_t span = (size_t)(lift->cuts[i].start - from);
        memcpy(to, from, span);
        to += span;
        to += cnx_varint_write(to, (uint64_t)CNX_HANDLE_FIELD << 3);
        to += cnx_varint_write(to, i);
        from = lift->cuts[i].end;
    }
    memcpy(to, from, (size_t)(bytes + size - from));
    for (size_t i = 0; i < lift->patch_count; i++) {
        const patch *item = &lift->patches[i];
        uint8_t *prefix = skeleton + item->position;
        uint64_t rest = item->length;
        for (size_t k = 0; k + 1 < item->width; k++, rest >>= 7)
            prefix[k] = (uint8_t)(rest | 0x80);
        prefix[item->width - 1] = (uint8_t)rest;
    }
    return skeleton;
}

static uint64_t bit_of_field(const ProtobufCMessageDescriptor *type, const char *name)
{
    return (uint64_t)1 << (protobuf_c_message_descriptor_get_field_by_name(type, name) - type->fields);
}

void cnx_wire_lift(cnx_arena *arena, cnx_arena *scratch, const uint8_t *bytes, uint64_t size, cnx_lifted *out)
{
    lifter *lift = CNX_NEW(scratch, lifter);
    *out = (cnx_lifted){0};
    lift->arena = arena;
    lift->scratch = scratch;
    lift->out = out;
    lift->op_type_bit = bit_of_field(&onnx__node_proto__descriptor, "op_type");
    lift->memory_limit = CNX_LIMIT_MEMORY_FLOOR * CNX_MEBIBYTE;
    if (size > lift->memory_limit / CNX_LIMIT_MEMORY_RATIO)
        lift->memory_limit =
            size > UINT64_MAX / CNX_LIMIT_MEMORY_RATIO ? UINT64_MAX : size * CNX_LIMIT_MEMORY_RATIO;
    cnx_scan_begin(&lift->scan, arena, &onnx__model_proto__descriptor, bytes, size);
    walk(lift);
    out->skeleton_size = size - lift->removed;
    if (out->skeleton_size > CNX_LIMIT_SKELETON * CNX_MEBIBYTE)
        cnx_fail(arena, CNX_ERROR_LIMIT, NULL, "%llu MiB remain without the tensors (limit skeleton: %d MiB)",
                 (unsigned long long)(out->skeleton_size / CNX_MEBIBYTE), CNX_LIMIT_SKELETON);
    out->skeleton = lift->cut_count == 0 ? bytes : assemble(lift, bytes, size);
}

static void *allocate(void *arena, size_t size)
{
    return cnx_alloc(arena, size);
}

static void release(void *arena, void *memory)
{
    (void)arena; /* it frees everything at once */
    (void)memory;
}

Onnx__ModelProto *cnx_wire_unpack(cnx_arena *arena, const uint8_t *skeleton, uint64_t size)
{
    ProtobufCAllocator allocator = {.alloc = allocate, .free = release, .allocator_data = arena};
    Onnx__ModelProto *model = onnx__model_proto__unpack(&allocator, (size_t)size, skeleton);
    if (model == NULL)
        cnx_fail(arena, CNX_ERROR_FORMAT, NULL, "the bytes are not a well-formed protobuf message");
    return model;
}

/* ---- handles in parsed messages: an unknown field of the tensor ---- */

static ProtobufCMessageUnknownField *find_handle(const Onnx__TensorProto *tensor)
{
    for (unsigned i = 0; i < tensor->base.n_unknown_fields; i++)
        if (tensor->base.unknown_fields[i].tag == CNX_HANDLE_FIELD)
            return &tensor->base.unknown_fields[i];
    return NULL;
}

uint32_t cnx_wire_handle(const Onnx__TensorProto *tensor)
{
    uint64_t index = CNX_NO_HANDLE;
    const ProtobufCMessageUnknownField *handle = find_handle(tensor);
    if (handle != NULL)
        cnx_varint_read(handle->data, handle->data + handle->len, &index);
    return (uint32_t)index;
}

void cnx_wire_drop_handle(Onnx__TensorProto *tensor)
{
    ProtobufCMessageUnknownField *handle = find_handle(tensor);
    if (handle == NULL)
        return;
    ProtobufCMessageUnknownField *end = tensor->base.unknown_fields + tensor->base.n_unknown_fields;
    memmove(handle, handle + 1, (size_t)(end - handle - 1) * sizeof *handle);
    tensor->base.n_unknown_fields--;
}

void cnx_wire_add_handle(cnx_arena *arena, Onnx__TensorProto *tensor, uint32_t index)
{
    unsigned count = tensor->base.n_unknown_fields;
    ProtobufCMessageUnknownField *fields =
        CNX_NEW_ARRAY(arena, ProtobufCMessageUnknownField, (size_t)count + 1);
    if (count != 0)
        memcpy(fields, tensor->base.unknown_fields, count * sizeof *fields);
    uint8_t *data = cnx_alloc(arena, 10);
    fields[count] = (ProtobufCMessageUnknownField){
        .tag = CNX_HANDLE_FIELD,
        .wire_type = PROTOBUF_C_WIRE_TYPE_VARINT,
        .len = cnx_varint_write(data, index),
        .data = data,
    };
    tensor->base.unknown_fields = fields;
    tensor->base.n_unknown_fields = count + 1;
}

const uint8_t *cnx_wire_pack(cnx_arena *arena, const ProtobufCMessage *message, uint64_t *size)
{
    size_t bytes = protobuf_c_message_get_packed_size(message);
    uint8_t *packed = cnx_alloc(arena, bytes);
    *size = protobuf_c_message_pack(message, packed);
    return packed;
}
