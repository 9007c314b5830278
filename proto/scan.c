#include "proto/scan.h"

const uint8_t *cnx_varint_read(const uint8_t *at, const uint8_t *end, uint64_t *value)
{
    uint64_t sum = 0;
    for (unsigned shift = 0; shift < 70 && at < end; shift += 7) {
        uint8_t byte = *at++;
        sum |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value = sum;
            return at;
        }
    }
    return NULL;
}

size_t cnx_varint_write(uint8_t *out, uint64_t value)
{
    size_t size = 0;
    for (; value >= 0x80; value >>= 7)
        out[size++] = (uint8_t)(value | 0x80);
    out[size++] = (uint8_t)value;
    return size;
}

size_t cnx_varint_size(uint64_t value)
{
    size_t size = 1;
    for (; value >= 0x80; value >>= 7)
        size++;
    return size;
}

const char *cnx_scan_place(const cnx_scan *scan, const uint8_t *at)
{
    return cnx_print(scan->arena, "byte %llu, in %s", (unsigned long long)(at - scan->begin),
                     scan->frames[scan->depth - 1].type->short_name);
}

/* A file that is no model at all usually goes wrong in its outermost message. */
#define fail_here(scan, ...)                                                                                 \
    cnx_fail((scan)->arena, CNX_ERROR_FORMAT, cnx_scan_place((scan), (scan)->start), __VA_ARGS__)

static const char *hint(const cnx_scan *scan)
{
    return scan->depth == 1 ? " (expected an ONNX model)" : "";
}

void cnx_scan_begin(cnx_scan *scan, cnx_arena *arena, const ProtobufCMessageDescriptor *type,
                    const uint8_t *bytes, uint64_t size)
{
    scan->arena = arena;
    scan->begin = scan->next = scan->start = bytes;
    scan->depth = 1;
    scan->frames[0] = (cnx_scan_frame){.type = type, .content = bytes, .end = bytes + size};
}

/* The part behind the tag: sets content, size, value and next. */
static void read_content(cnx_scan *scan, const uint8_t *end)
{
    scan->content = scan->next;
    scan->prefix = NULL;
    const uint8_t *behind = scan->next;
    switch (scan->wire_type) {
    case PROTOBUF_C_WIRE_TYPE_VARINT:
        behind = cnx_varint_read(scan->next, end, &scan->value);
        if (behind == NULL)
            fail_here(scan, "the number in field %u does not end%s", scan->number, hint(scan));
        scan->size = (uint64_t)(behind - scan->content);
        break;
    case PROTOBUF_C_WIRE_TYPE_64BIT:
    case PROTOBUF_C_WIRE_TYPE_32BIT:
        scan->size = scan->wire_type == PROTOBUF_C_WIRE_TYPE_64BIT ? 8 : 4;
        break;
    case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
        scan->prefix = scan->next;
        scan->content = cnx_varint_read(scan->next, end, &scan->size);
        if (scan->content == NULL)
            fail_here(scan, "the length of field %u does not end%s", scan->number, hint(scan));
        break;
    default:
        fail_here(scan, "field %u has wire type %u%s", scan->number, scan->wire_type, hint(scan));
    }
    uint64_t left = (uint64_t)(end - scan->content);
    if (scan->size > left)
        fail_here(scan, "field %u takes %llu bytes and %llu are left: the file is truncated or damaged%s",
                  scan->number, (unsigned long long)scan->size, (unsigned long long)left, hint(scan));
    scan->next = scan->content + scan->size;
}

static void read_field(cnx_scan *scan)
{
    cnx_scan_frame *top = cnx_scan_top(scan);
    uint64_t tag = 0;
    top->fields++;
    scan->start = scan->next;
    const uint8_t *behind = cnx_varint_read(scan->next, top->end, &tag);
    if (behind == NULL || tag > UINT32_MAX || tag >> 3 == 0)
        fail_here(scan, "no field starts here%s", hint(scan));
    scan->next = behind;
    scan->number = (uint32_t)(tag >> 3);
    scan->wire_type = (unsigned)(tag & 7);
    scan->field = protobuf_c_message_descriptor_get_field(top->type, scan->number);
    read_content(scan, top->end);
}

static unsigned natural_wire_type(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return PROTOBUF_C_WIRE_TYPE_32BIT;
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return PROTOBUF_C_WIRE_TYPE_64BIT;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
    default:
        return PROTOBUF_C_WIRE_TYPE_VARINT;
    }
}

/* Repeated numbers may be packed into one length-prefixed field. */
static void check_packed(const cnx_scan *scan, unsigned wire_type)
{
    const char *name = scan->field->name;
    unsigned width = wire_type == PROTOBUF_C_WIRE_TYPE_32BIT   ? 4
                     : wire_type == PROTOBUF_C_WIRE_TYPE_64BIT ? 8
                                                               : 1;
    if (scan->size % width != 0)
        fail_here(scan, "%s takes %llu bytes (expected a multiple of %u)", name,
                  (unsigned long long)scan->size, width);
    if (width == 1 && scan->size != 0 && scan->content[scan->size - 1] >= 0x80)
        fail_here(scan, "the last number in %s does not end", name);
}

static void check_field(cnx_scan *scan)
{
    const ProtobufCFieldDescriptor *field = scan->field;
    unsigned expected = natural_wire_type(field->type);
    if (scan->wire_type != expected) {
        bool packed = field->label == PROTOBUF_C_LABEL_REPEATED &&
                      expected != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED &&
                      scan->wire_type == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
        if (!packed)
            fail_here(scan, "%s has wire type %u (expected %u)%s", field->name, scan->wire_type, expected,
                      hint(scan));
        check_packed(scan, expected);
    }
    if (field->type == PROTOBUF_C_TYPE_STRING && scan->size != 0 &&
        memchr(scan->content, 0, scan->size) != NULL)
        fail_here(scan, "%s contains a zero byte (expected text)", field->name);

    cnx_scan_frame *top = cnx_scan_top(scan);
    size_t index = (size_t)(field - top->type->fields);
    uint64_t bit = index < 64 ? (uint64_t)1 << index : 0;
    /* Protobuf would merge the two; no writer makes them, and a merged tensor would have two payloads. */
    if (field->type == PROTOBUF_C_TYPE_MESSAGE && field->label != PROTOBUF_C_LABEL_REPEATED &&
        (top->seen & bit) != 0)
        fail_here(scan, "%s occurs twice (expected once)", field->name);
    top->seen |= bit;
}

static void enter(cnx_scan *scan)
{
    if (scan->depth == CNX_LIMIT_MESSAGE_DEPTH)
        cnx_fail(scan->arena, CNX_ERROR_LIMIT, cnx_scan_place(scan, scan->start),
                 "messages are nested too deep (limit message-depth: %d levels)", CNX_LIMIT_MESSAGE_DEPTH);
    scan->frames[scan->depth++] = (cnx_scan_frame){
        .type = scan->field->descriptor,
        .prefix = scan->prefix,
        .content = scan->content,
        .end = scan->next,
    };
    scan->next = scan->content;
}

cnx_scan_event cnx_scan_next(cnx_scan *scan)
{
    cnx_scan_frame *top = cnx_scan_top(scan);
    if (scan->next == top->end) {
        if (scan->depth == 1)
            return CNX_SCAN_END;
        scan->left = *top;
        scan->depth--;
        return CNX_SCAN_LEAVE;
    }
    read_field(scan);
    if (scan->field == NULL)
        return CNX_SCAN_FIELD;
    check_field(scan);
    if (scan->field->type != PROTOBUF_C_TYPE_MESSAGE)
        return CNX_SCAN_FIELD;
    enter(scan);
    return CNX_SCAN_ENTER;
}

void cnx_scan_skip(cnx_scan *scan)
{
    scan->next = cnx_scan_top(scan)->end;
    scan->depth--;
}
