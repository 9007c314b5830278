/* A walk over protobuf bytes: one event after another, no recursion, no copies, no allocation.
 *
 * The scanner follows the schema's descriptors, so it knows which length-prefixed fields are messages. It
 * checks everything that protobuf-c would trip over later (bounds, wire types, depth, text with zero
 * bytes), so that an error can name its place. Fields without a descriptor are passed over by their length.
 */
#ifndef CNX_PROTO_SCAN_H
#define CNX_PROTO_SCAN_H

#include "base/arena.h"
#include "proto/limits.h"

#include <protobuf-c/protobuf-c.h>

typedef enum cnx_scan_event {
    CNX_SCAN_END,   /* the outermost message is over */
    CNX_SCAN_FIELD, /* a field that is not a message */
    CNX_SCAN_ENTER, /* a field that is a message; its frame is the top one now */
    CNX_SCAN_LEAVE, /* the message that was the top one is over; its frame is `left` */
} cnx_scan_event;

typedef struct cnx_scan_frame {
    const ProtobufCMessageDescriptor *type;
    const uint8_t *prefix;  /* the length prefix in front of the message; NULL for the outermost */
    const uint8_t *content; /* the message's first byte */
    const uint8_t *end;
    uint64_t seen;   /* bit i: field i of `type` has occurred */
    uint64_t fields; /* so far */
    uint64_t mark;   /* three numbers for the caller, zero at first */
    uint64_t change;
    uint32_t choice;
} cnx_scan_frame;

typedef struct cnx_scan {
    cnx_arena *arena; /* for failing */
    const uint8_t *begin;
    const uint8_t *next;
    /* the field that the last event was about */
    const uint8_t *start;  /* its tag */
    const uint8_t *prefix; /* its length prefix, when it has one */
    const uint8_t *content;
    uint64_t size;  /* of `content` */
    uint64_t value; /* of a varint */
    uint32_t number;
    unsigned wire_type;
    const ProtobufCFieldDescriptor *field; /* NULL: not in the schema */
    cnx_scan_frame left;
    size_t depth; /* frames in use, at least 1 */
    cnx_scan_frame frames[CNX_LIMIT_MESSAGE_DEPTH];
} cnx_scan;

/* Starts at a message of type `type`. `bytes` is borrowed while the scan lasts. */
void cnx_scan_begin(cnx_scan *scan, cnx_arena *arena, const ProtobufCMessageDescriptor *type,
                    const uint8_t *bytes, uint64_t size);

/* The next event. Malformed bytes fail with CNX_ERROR_FORMAT, too much depth with CNX_ERROR_LIMIT. */
cnx_scan_event cnx_scan_next(cnx_scan *scan);

/* Right after CNX_SCAN_ENTER: leaves the message without looking into it (no CNX_SCAN_LEAVE follows). */
void cnx_scan_skip(cnx_scan *scan);

/* The innermost message. */
static inline cnx_scan_frame *cnx_scan_top(cnx_scan *scan)
{
    return &scan->frames[scan->depth - 1];
}

/* `byte 1234, in NodeProto`: the place part of an error about `at`. */
const char *cnx_scan_place(const cnx_scan *scan, const uint8_t *at);

/* One varint of at most ten bytes that ends before `end`. Returns the byte behind it, or NULL. */
const uint8_t *cnx_varint_read(const uint8_t *at, const uint8_t *end, uint64_t *value);

/* Writes `value` in its shortest form (at most ten bytes) and returns the length. */
size_t cnx_varint_write(uint8_t *out, uint64_t value);
size_t cnx_varint_size(uint64_t value);

#endif
