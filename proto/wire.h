/* Models as protobuf bytes, without touching the payloads of their tensors.
 *
 * Reading: cnx_wire_lift() takes payloads out of a model's bytes, cnx_wire_unpack() parses what is left.
 * Writing: protobuf-c packs the messages, cnx_wire_unlift() puts the payloads back while it streams.
 */
#ifndef CNX_PROTO_WIRE_H
#define CNX_PROTO_WIRE_H

#include "base/arena.h"
#include "proto/onnx.pb-c.h"

/* The field that stands for a payload in a skeleton's TensorProto: the largest number that protobuf has,
 * a varint whose value is the payload's index. A file that uses it there itself is refused. */
#define CNX_HANDLE_FIELD 536870911u

/* A payload is lifted when it is larger than this many bytes; a handle takes at most 15. */
#define CNX_LIFT_THRESHOLD 256u

/* Bytes of one lifted payload, in a mapping that lives as long as the model. */
typedef struct cnx_payload {
    const uint8_t *bytes;
    uint64_t size;
    uint32_t field; /* field number in TensorProto: 4 float_data, 5, 7, 9 raw_data, 10, 11 */
} cnx_payload;

/* Where bytes are sent. `write` fails by cnx_fail. */
typedef struct cnx_sink {
    void (*write)(struct cnx_sink *sink, const void *bytes, size_t size);
    void *state;
    cnx_arena *arena;
} cnx_sink;

typedef struct cnx_lifted {
    const uint8_t *skeleton;
    uint64_t skeleton_size;
    cnx_payload *payloads;
    size_t payload_count;
    size_t payload_capacity;
} cnx_lifted;

/* Scans a serialized ModelProto, checks it (see proto/scan.h and proto/limits.def), and lifts payloads out.
 * The payload table is made in `arena`; the skeleton in `scratch`, or it is `bytes` itself when there is
 * nothing to lift. `bytes` has to outlive both. Fails with the place as a byte offset. */
void cnx_wire_lift(cnx_arena *arena, cnx_arena *scratch, const uint8_t *bytes, uint64_t size,
                   cnx_lifted *out);

/* Parses a skeleton into messages that live in `arena`. Never call protobuf-c's free functions on them. */
Onnx__ModelProto *cnx_wire_unpack(cnx_arena *arena, const uint8_t *skeleton, uint64_t size);

/* The index behind the handle of a tensor from a skeleton, or CNX_NO_HANDLE. */
#define CNX_NO_HANDLE UINT32_MAX
uint32_t cnx_wire_handle(const Onnx__TensorProto *tensor);

/* Removes the handle from a tensor's unknown fields, or adds one (memory from `arena`). */
void cnx_wire_drop_handle(Onnx__TensorProto *tensor);
void cnx_wire_add_handle(cnx_arena *arena, Onnx__TensorProto *tensor, uint32_t index);

/* Serializes messages into `arena`. */
const uint8_t *cnx_wire_pack(cnx_arena *arena, const ProtobufCMessage *message, uint64_t *size);

/* What the handles of a skeleton stand for when it is written. Of `items` the sizes and fields are used;
 * `emit` has to write exactly that many bytes of payload `index`. */
typedef struct cnx_payload_source {
    const cnx_payload *items;
    size_t count;
    void (*emit)(void *state, size_t index, cnx_sink *sink);
    void *state;
} cnx_payload_source;

/* Streams a skeleton with its payloads put back in place of the handles, each where its field number
 * belongs. Returns the number of bytes sent. */
uint64_t cnx_wire_unlift(cnx_arena *scratch, const uint8_t *skeleton, uint64_t size,
                         const cnx_payload_source *payloads, cnx_sink *sink);

#endif
