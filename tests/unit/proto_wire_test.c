/* Lifting payloads out of a model's bytes and putting them back. */
#include "fixture.h"

#include "proto/limits.h"
#include "proto/scan.h"

/* ---- a round trip in memory ---- */

typedef struct trip {
    cnx_arena *arena;
    cnx_lifted lifted;
    Onnx__ModelProto *model;
    buffer written;
} trip;

static void collect(cnx_sink *sink, const void *bytes, size_t size)
{
    put_bytes(sink->state, bytes, size);
}

static void emit_payload(void *state, size_t index, cnx_sink *sink)
{
    const cnx_lifted *lifted = state;
    sink->write(sink, lifted->payloads[index].bytes, (size_t)lifted->payloads[index].size);
}

static void travel(trip *out, const buffer *bytes)
{
    cnx_wire_lift(out->arena, out->arena, bytes->bytes, bytes->size, &out->lifted);
    out->model = cnx_wire_unpack(out->arena, out->lifted.skeleton, out->lifted.skeleton_size);
    uint64_t size;
    const uint8_t *packed = cnx_wire_pack(out->arena, &out->model->base, &size);
    cnx_payload_source source = {out->lifted.payloads, out->lifted.payload_count, emit_payload, &out->lifted};
    cnx_sink sink = {.write = collect, .state = &out->written, .arena = out->arena};
    uint64_t sent = cnx_wire_unlift(out->arena, packed, size, &source, &sink);
    assert_int_equal(sent, out->written.size);
}

static cnx_code try_trip(trip *out, const buffer *bytes, cnx_error *error)
{
    cnx_trap trap;
    *out = (trip){.arena = cnx_arena_create(NULL)};
    if (CNX_ENTER(out->arena, trap, error) == CNX_OK)
        travel(out, bytes);
    return cnx_leave(out->arena, &trap);
}

static void end_trip(trip *out)
{
    free(out->written.bytes);
    cnx_arena_destroy(out->arena);
}

/* Byte for byte the same, with so many payloads lifted. Frees the bytes. */
static void assert_returns(buffer *bytes, size_t payloads)
{
    trip out;
    cnx_error error;
    if (try_trip(&out, bytes, &error) != CNX_OK)
        fail_msg("%s: %s", error.place, error.message);
    assert_int_equal(out.lifted.payload_count, payloads);
    assert_int_equal(out.written.size, bytes->size);
    assert_memory_equal(out.written.bytes, bytes->bytes, bytes->size);
    end_trip(&out);
    free(bytes->bytes);
}

static void assert_fails(buffer *bytes, cnx_code code, const char *place, const char *words)
{
    trip out;
    cnx_error error;
    assert_int_equal(try_trip(&out, bytes, &error), code);
    if (strstr(error.place, place) == NULL || strstr(error.message, words) == NULL)
        fail_msg("\"%s\": \"%s\"", error.place, error.message);
    end_trip(&out);
    free(bytes->bytes);
}

static uint8_t some_bytes[1 << 16];

static int fill(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof some_bytes; i++)
        some_bytes[i] = (uint8_t)(i * 7 % 127); /* below 128: every byte is a whole varint */
    return 0;
}

/* ---- what is lifted ---- */

static buffer model_with_tensor(buffer *tensor)
{
    buffer graph = {0};
    put_message(&graph, GRAPH_INITIALIZER, tensor);
    return make_model(&graph);
}

static buffer model_with_payload(uint32_t field, size_t size)
{
    buffer tensor = {0};
    put_number(&tensor, 1, size);
    put_number(&tensor, 2, CNX_TYPE_UINT8);
    put_field(&tensor, field, some_bytes, size);
    return model_with_tensor(&tensor);
}

static void test_threshold(void **state)
{
    (void)state;
    for (size_t size = CNX_LIFT_THRESHOLD - 2; size < CNX_LIFT_THRESHOLD + 3; size++) {
        buffer bytes = model_with_payload(9, size);
        assert_returns(&bytes, size > CNX_LIFT_THRESHOLD);
    }
    /* sizes around which a length prefix gets longer */
    for (size_t size = (1 << 14) - 40; size < (1 << 14) + 40; size++) {
        buffer bytes = model_with_payload(9, size);
        assert_returns(&bytes, 1);
    }
}

static void test_every_payload_field(void **state)
{
    (void)state;
    static const uint32_t fields[] = {4, 5, 7, 9, 10, 11};
    for (size_t i = 0; i < 6; i++) {
        buffer bytes = model_with_payload(fields[i], 4096);
        assert_returns(&bytes, 1);
    }
    buffer text = model_with_payload(6, 4096); /* string_data is parsed */
    assert_returns(&text, 0);
}

static void test_places(void **state)
{
    (void)state;
    uint64_t dims[] = {1024};
    buffer model = {0};
    for (uint32_t training = 0; training < 2; training++) { /* the main graph, then training information */
        buffer graph = {0};
        for (uint32_t field = 5; field <= 10; field += 5) { /* attribute.t, attribute.tensors */
            buffer tensor = make_tensor("t", CNX_TYPE_FLOAT, 1, dims), attribute = {0}, node = {0};
            put_field(&tensor, 9, some_bytes, 4096);
            put_text(&attribute, 1, "a");
            put_message(&attribute, field, &tensor);
            put_text(&node, 4, "Op");
            put_message(&node, 5, &attribute);
            put_message(&graph, GRAPH_NODE, &node);
        }
        buffer values = make_tensor("s", CNX_TYPE_FLOAT, 1, dims),
               indices = make_tensor("", CNX_TYPE_INT64, 1, dims);
        buffer sparse = {0}, inner = {0}, attribute = {0}, node = {0};
        put_field(&values, 9, some_bytes, 4096);
        put_field(&indices, 9, some_bytes, 8192);
        put_message(&sparse, 1, &values);
        put_message(&sparse, 2, &indices);
        put_field(&inner, 15, sparse.bytes, sparse.size); /* nested graph with a sparse initializer */
        put_message(&attribute, 6, &inner);
        put_message(&attribute, 22, &sparse);
        put_text(&node, 4, "Op");
        put_message(&node, 5, &attribute);
        put_field(&graph, GRAPH_NODE, node.bytes, node.size);
        if (training != 0) {
            buffer info = {0}, function = {0};
            put_message(&info, 1, &graph);
            put_message(&model, 20, &info);
            put_message(&function, 7, &node);
            put_message(&model, 25, &function);
        } else {
            free(node.bytes);
            put_message(&model, 7, &graph);
        }
    }
    assert_returns(&model, 6 + 6 + 4);
}

/* Two large payloads, or a repeated field: protobuf's rules for merging apply, so protobuf-c does it. */
static void test_not_lifted(void **state)
{
    (void)state;
    buffer two = {0}, twice = {0};
    put_field(&two, 5, some_bytes, 1000);
    put_field(&two, 9, some_bytes, 1000);
    buffer model = model_with_tensor(&two);
    assert_returns(&model, 0);

    put_field(&twice, 4, some_bytes, 1000);
    put_field(&twice, 4, some_bytes, 1000);
    model = model_with_tensor(&twice);
    trip out;
    cnx_error error;
    assert_int_equal(try_trip(&out, &model, &error), CNX_OK);
    assert_int_equal(out.lifted.payload_count, 0);
    assert_int_equal(out.model->graph->initializer[0]->n_float_data, 500);
    end_trip(&out);
    free(model.bytes);
}

/* Writers keep fields in the order of their numbers, so the payload goes back between name and doc_string. */
static void test_field_order(void **state)
{
    (void)state;
    buffer tensor = {0};
    put_number(&tensor, 1, 4096);
    put_number(&tensor, 2, CNX_TYPE_UINT8);
    put_text(&tensor, 8, "name");
    put_field(&tensor, 9, some_bytes, 4096);
    put_text(&tensor, 12, "documentation");
    put_number(&tensor, 14, 0);
    put_number(&tensor, 1000, 7); /* unknown */
    buffer model = model_with_tensor(&tensor);
    assert_returns(&model, 1);
}

static void test_unknown_fields(void **state)
{
    (void)state;
    buffer tensor = {0}, graph = {0};
    put_number(&tensor, 2, CNX_TYPE_UINT8);
    put_field(&tensor, 9, some_bytes, 4096);
    put_number(&tensor, 99, 1);
    put_message(&graph, GRAPH_INITIALIZER, &tensor);
    put_text(&graph, 500, "text");
    put_varint(&graph, 501 << 3 | 5);
    put_bytes(&graph, "abcd", 4);
    put_varint(&graph, 502 << 3 | 1);
    put_bytes(&graph, "abcdefgh", 8);
    buffer model = make_model(&graph);
    put_number(&model, CNX_HANDLE_FIELD, 3); /* reserved in tensors only */
    assert_returns(&model, 1);
}

/* Packed where the schema says unpacked, and the other way round: both are legal. */
static void test_packing_is_free(void **state)
{
    (void)state;
    buffer tensor = {0}, dims = {0};
    put_varint(&dims, 2);
    put_varint(&dims, 3);
    put_message(&tensor, 1, &dims);
    put_number(&tensor, 2, CNX_TYPE_INT64);
    for (uint64_t i = 0; i < 6; i++)
        put_number(&tensor, 7, 1000 * i);
    buffer model = model_with_tensor(&tensor);
    trip out;
    cnx_error error;
    assert_int_equal(try_trip(&out, &model, &error), CNX_OK);
    const Onnx__TensorProto *parsed = out.model->graph->initializer[0];
    assert_int_equal(parsed->n_dims, 2);
    assert_int_equal(parsed->dims[1], 3);
    assert_int_equal(parsed->n_int64_data, 6);
    assert_int_equal(parsed->int64_data[5], 5000);
    end_trip(&out);
    free(model.bytes);
}

/* ---- what is refused ---- */

static void test_malformed(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *place;
        const char *words;
    } cases[] = {
        {"\x08", 1, "byte 0, in ModelProto", "does not end"},
        {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12, "byte 0", "does not end"},
        {"\x3a\x05"
         "ab",
         4, "byte 0", "takes 5 bytes and 2 are left"},
        {"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, "byte 0", "are left"},
        {"\x00\x01", 2, "byte 0", "no field starts here"},
        {"\x0b\x0c", 2, "byte 0", "wire type 3"},
        {"\x0f", 1, "byte 0", "wire type 7"},
        {"\x38\x01", 2, "byte 0", "graph has wire type 0 (expected 2)"},
        {"\x3a\x00\x3a\x00", 4, "byte 2", "graph occurs twice"},
        {"\x12\x02"
         "a\0",
         4, "byte 0", "zero byte"},
        {"\x3a\x02\x0a\x00", 4, "byte 4", "no op_type"},
        {"\x3a\x06\x2a\x04\x22\x02"
         "ab",
         8, "byte 4, in TensorProto", "float_data takes 2 bytes (expected a multiple of 4)"},
        {"\x3a\x06\x2a\x04\x3a\x02\x01\xff", 8, "byte 4, in TensorProto", "int64_data does not end"},
        {"\x3a\x09\x2a\x07\xf8\xff\xff\xff\x0f\x05\x00", 11, "byte 4", "reserved"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        buffer bytes = {0};
        put_bytes(&bytes, cases[i].bytes, cases[i].size);
        assert_fails(&bytes, CNX_ERROR_FORMAT, cases[i].place, cases[i].words);
    }
}

/* A message of `depth` levels: each holds some bytes, and then the next level in a field. The fields and
 * bytes of `period` levels repeat. */
typedef struct level {
    const char *before;
    uint32_t field;
} level;

static buffer nest(const level *levels, size_t period, size_t depth)
{
    uint64_t *sizes = calloc(depth + 1, sizeof *sizes); /* of the content at each level; the last is empty */
    for (size_t i = depth; i-- > 0;)
        sizes[i] = strlen(levels[i % period].before) + 1 + cnx_varint_size(sizes[i + 1]) + sizes[i + 1];
    buffer out = {0};
    for (size_t i = 0; i < depth; i++) {
        put_bytes(&out, levels[i % period].before, strlen(levels[i % period].before));
        put_varint(&out, (uint64_t)levels[i % period].field << 3 | 2);
        put_varint(&out, sizes[i + 1]);
    }
    free(sizes);
    return out;
}

/* Types inside types are one way to recurse, graphs inside graphs the other. */
static void test_deep_types(void **state)
{
    (void)state;
    static const level levels[] = {{"", 4}, {"", 1}};
    for (size_t depth = 200; depth <= 40000; depth += 40000 - 200) {
        buffer type = nest(levels, 2, depth), info = {0}, graph = {0};
        put_message(&info, 2, &type);
        put_message(&graph, GRAPH_INPUT, &info);
        buffer model = make_model(&graph);
        if (depth == 200)
            assert_returns(&model, 0);
        else
            assert_fails(&model, CNX_ERROR_LIMIT, "in TypeProto", "limit message-depth");
    }
}

static void test_deep_graphs(void **state)
{
    (void)state;
    static const level levels[] = {{"", GRAPH_NODE}, {"\x22\x02If", 5}, {"", 6}};
    for (size_t depth = 240; depth <= 60000; depth += 60000 - 240) {
        buffer graph = nest(levels, 3, depth);
        buffer model = make_model(&graph);
        if (depth == 240)
            assert_returns(&model, 0);
        else
            assert_fails(&model, CNX_ERROR_LIMIT, "byte ", "limit message-depth");
    }
}

static void test_many_empty_nodes(void **state)
{
    (void)state;
    buffer graph = {0};
    for (size_t i = 0; i < 1500000; i++)
        put_field(&graph, GRAPH_NODE, "", 0);
    buffer model = make_model(&graph);
    assert_fails(&model, CNX_ERROR_FORMAT, "byte ", "no op_type");
}

static void test_many_empty_messages(void **state)
{
    (void)state;
    static const uint32_t fields[] = {GRAPH_INITIALIZER, GRAPH_INPUT, GRAPH_VALUE_INFO, 14, 15, 16};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        buffer graph = {0};
        for (size_t k = 0; k < 500000; k++)
            put_field(&graph, fields[i], "", 0);
        buffer model = make_model(&graph);
        trip out;
        cnx_error error;
        cnx_code code = try_trip(&out, &model, &error);
        /* Either it is refused, or it took no more than is allowed. */
        if (code == CNX_OK)
            assert_true(cnx_arena_bytes(out.arena) < CNX_LIMIT_MEMORY_RATIO * model.size * 3 / 2);
        else
            assert_int_equal(code, CNX_ERROR_LIMIT);
        end_trip(&out);
        free(model.bytes);
    }
}

/* Cutting a model off anywhere, or changing a byte anywhere, must not crash, hang or leak. */
static void test_damage(void **state)
{
    (void)state;
    buffer graph = {0};
    put_node(&graph, "Relu", "n", "x", "y");
    put_floats(&graph, "w", 100);
    put_port(&graph, GRAPH_INPUT, "x");
    put_port(&graph, GRAPH_OUTPUT, "y");
    buffer model = make_model(&graph);
    trip out;
    cnx_error error;
    for (size_t size = 0; size < model.size; size++) {
        buffer part = {.bytes = malloc(size + 1), .size = size};
        memcpy(part.bytes, model.bytes, size);
        try_trip(&out, &part, &error);
        end_trip(&out);
        free(part.bytes);
    }
    for (size_t i = 0; i < model.size; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            model.bytes[i] ^= (uint8_t)(1u << bit);
            try_trip(&out, &model, &error);
            end_trip(&out);
            model.bytes[i] ^= (uint8_t)(1u << bit);
        }
    free(model.bytes);
}

static void test_varints(void **state)
{
    (void)state;
    for (unsigned shift = 0; shift < 64; shift++)
        for (uint64_t delta = 0; delta < 3; delta++) {
            uint64_t value = ((uint64_t)1 << shift) - 1 + delta, back = 0;
            uint8_t bytes[10];
            size_t size = cnx_varint_write(bytes, value);
            assert_int_equal(size, cnx_varint_size(value));
            assert_ptr_equal(cnx_varint_read(bytes, bytes + size, &back), bytes + size);
            assert_true(back == value);
            assert_null(cnx_varint_read(bytes, bytes + size - 1, &back));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_varints),
        cmocka_unit_test(test_threshold),
        cmocka_unit_test(test_every_payload_field),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_not_lifted),
        cmocka_unit_test(test_field_order),
        cmocka_unit_test(test_unknown_fields),
        cmocka_unit_test(test_packing_is_free),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_deep_types),
        cmocka_unit_test(test_deep_graphs),
        cmocka_unit_test(test_many_empty_nodes),
        cmocka_unit_test(test_many_empty_messages),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, fill, NULL);
}
