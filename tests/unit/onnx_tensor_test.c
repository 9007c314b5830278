/* Tensors: every element type in every form of storage, and amounts that do not fit. */
#include "fixture.h"

#include "onnx/element.h"

#include <float.h>
#include <math.h>

static cnx_model *model; /* of the test that runs: a small one, to register tensors with */

static int open_small(void **state)
{
    if (enter_folder(state) != 0)
        return 1;
    buffer bytes = make_small_model();
    write_buffer("m.onnx", &bytes);
    model = open_model("m.onnx");
    return 0;
}

static int close_small(void **state)
{
    cnx_model_close(model);
    return leave_folder(state);
}

/* ---- making tensors in memory ---- */

static Onnx__TensorProto *new_tensor(int32_t type, size_t rank, const int64_t *dims)
{
    Onnx__TensorProto *proto = CNX_NEW(model->arena, Onnx__TensorProto);
    onnx__tensor_proto__init(proto);
    proto->has_data_type = true;
    proto->data_type = type;
    proto->n_dims = rank;
    proto->dims = CNX_NEW_ARRAY(model->arena, int64_t, rank);
    memcpy(proto->dims, dims, rank * sizeof *dims);
    proto->name = (char *)(uintptr_t) "t";
    return proto;
}

static Onnx__TensorProto *new_raw(int32_t type, int64_t count, const void *bytes, size_t size)
{
    Onnx__TensorProto *proto = new_tensor(type, 1, &count);
    proto->has_raw_data = true;
    proto->raw_data.len = size;
    proto->raw_data.data = cnx_alloc(model->arena, size);
    memcpy(proto->raw_data.data, bytes, size);
    return proto;
}

static Onnx__TensorProto *new_widened(int32_t type, int64_t count, const int32_t *items, size_t item_count)
{
    Onnx__TensorProto *proto = new_tensor(type, 1, &count);
    proto->n_int32_data = item_count;
    proto->int32_data = CNX_NEW_ARRAY(model->arena, int32_t, item_count);
    memcpy(proto->int32_data, items, item_count * sizeof *items);
    return proto;
}

static cnx_tensor *registered(Onnx__TensorProto *proto)
{
    cnx_tensor *tensor = cnx_tensor_register(model, proto);
    assert_ptr_equal(cnx_tensor_of(model, proto), tensor);
    return tensor;
}

static void register_and_read(cnx_model *owner, void *proto)
{
    cnx_tensor_bytes(owner, cnx_tensor_register(owner, proto));
}

static void assert_no_tensor(Onnx__TensorProto *proto, const char *words)
{
    cnx_error error;
    assert_int_not_equal(failure_of(model, register_and_read, proto, &error), CNX_OK);
    if (strstr(error.message, words) == NULL)
        fail_msg("%s", error.message);
    assert_non_null(strstr(error.place, "\"t\""));
}

/* ---- the table of types ---- */

static void test_types(void **state)
{
    (void)state;
    assert_string_equal(cnx_type_name(CNX_TYPE_FLOAT8E4M3FN), "float8e4m3fn");
    assert_string_equal(cnx_type_name(-1), "undefined");
    assert_string_equal(cnx_type_name(1000), "undefined");
    assert_int_equal(cnx_type_bits(CNX_TYPE_COMPLEX128), 128);
    assert_int_equal(cnx_type_kind_of(CNX_TYPE_BOOL), CNX_KIND_BOOL);
    /* One row for each number of the schema, and no other. */
    const ProtobufCEnumDescriptor *schema = &onnx__tensor_proto__data_type__descriptor;
    for (unsigned i = 0; i < schema->n_values; i++)
        if (schema->values[i].value != 0)
            assert_true(cnx_type_is_known(schema->values[i].value));
    assert_false(cnx_type_is_known((int32_t)schema->n_values));
}

/* ---- integers ---- */

static void test_raw_integers(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0x80, 0xff, 0x7f, 0x01, 0x00, 0x00, 0x00, 0x80};
    static const struct {
        int32_t type;
        int64_t count;
        int64_t first;
        int64_t last;
    } cases[] = {
        {CNX_TYPE_INT8, 8, -128, -128},
        {CNX_TYPE_UINT8, 8, 128, 128},
        {CNX_TYPE_INT16, 4, -128, -32768},
        {CNX_TYPE_UINT16, 4, 0xff80, 0x8000},
        {CNX_TYPE_INT32, 2, 0x017fff80, INT32_MIN},
        {CNX_TYPE_UINT32, 2, 0x017fff80, 0x80000000},
        {CNX_TYPE_INT64, 1, INT64_MIN + 0x017fff80, INT64_MIN + 0x017fff80},
        {CNX_TYPE_UINT64, 1, INT64_MIN + 0x017fff80, INT64_MIN + 0x017fff80},
        {CNX_TYPE_BOOL, 8, 0x80, 0x80},
        {CNX_TYPE_INT4, 16, 0, -8},
        {CNX_TYPE_UINT4, 16, 0, 8},
        {CNX_TYPE_INT2, 32, 0, -2},
        {CNX_TYPE_UINT2, 32, 0, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cnx_tensor *tensor = registered(new_raw(cases[i].type, cases[i].count, bytes, 8));
        assert_int_equal(tensor->size, 8);
        assert_true(cnx_tensor_integer(model, tensor, 0) == cases[i].first);
        assert_true(cnx_tensor_integer(model, tensor, tensor->count - 1) == cases[i].last);
    }
}

static void test_odd_counts(void **state)
{
    (void)state;
    static const uint8_t nibbles[] = {0x21, 0x43, 0xf5};
    cnx_tensor *tensor = registered(new_raw(CNX_TYPE_INT4, 5, nibbles, 3));
    for (uint64_t i = 0; i < 5; i++)
        assert_int_equal(cnx_tensor_integer(model, tensor, i), i + 1);
    static const uint8_t pairs[] = {0xe4, 0x01};
    tensor = registered(new_raw(CNX_TYPE_UINT2, 5, pairs, 2));
    for (uint64_t i = 0; i < 5; i++)
        assert_int_equal(cnx_tensor_integer(model, tensor, i), i < 4 ? i : 1);
    assert_no_tensor(new_raw(CNX_TYPE_INT4, 5, nibbles, 2), "raw_data holds 2 bytes (expected 3");
}

static void test_widened_integers(void **state)
{
    (void)state;
    static const int32_t items[] = {-1, 0, 127, -128};
    static const struct {
        int32_t type;
        size_t width;
    } cases[] = {{CNX_TYPE_INT8, 1}, {CNX_TYPE_INT16, 2}, {CNX_TYPE_INT32, 4}};
    for (size_t i = 0; i < 3; i++) {
        cnx_tensor *tensor = registered(new_widened(cases[i].type, 4, items, 4));
        assert_int_equal(tensor->size, 4 * cases[i].width);
        for (uint64_t k = 0; k < 4; k++)
            assert_int_equal(cnx_tensor_integer(model, tensor, k), items[k]);
    }
    static const int32_t bytes[] = {0x21, 0x43, 0x05};
    cnx_tensor *tensor = registered(new_widened(CNX_TYPE_UINT4, 5, bytes, 3));
    for (uint64_t i = 0; i < 5; i++)
        assert_int_equal(cnx_tensor_integer(model, tensor, i), i + 1);
    static const int32_t large[] = {300, 0, 0, 0};
    assert_no_tensor(new_widened(CNX_TYPE_UINT8, 4, large, 4), "element 0 is 300, which is no uint8");
    assert_no_tensor(new_widened(CNX_TYPE_UINT8, 5, large, 4), "int32_data holds 4 elements (expected 5");
    assert_no_tensor(new_widened(CNX_TYPE_FLOAT, 4, large, 4), "int32_data holds the elements of type float");
}

static void test_uint32(void **state)
{
    (void)state;
    int64_t count = 2;
    Onnx__TensorProto *proto = new_tensor(CNX_TYPE_UINT32, 1, &count);
    uint64_t items[] = {4000000000u, 7};
    proto->n_uint64_data = 2;
    proto->uint64_data = items;
    cnx_tensor *tensor = registered(proto);
    assert_int_equal(tensor->size, 8);
    assert_true(cnx_tensor_integer(model, tensor, 0) == 4000000000);
    cnx_tensor_store_raw(model, tensor);
    assert_int_equal(proto->n_uint64_data, 0);
    assert_int_equal(proto->raw_data.len, 8);
    assert_int_equal(proto->raw_data.data[4], 7);
}

/* ---- floats ---- */

static double float_of(int32_t type, unsigned bits)
{
    uint8_t bytes[8] = {(uint8_t)bits, (uint8_t)(bits >> 8), (uint8_t)(bits >> 16), (uint8_t)(bits >> 24)};
    return cnx_element_float(type, bytes, 0);
}

static void test_small_floats(void **state)
{
    (void)state;
    static const struct {
        int32_t type;
        unsigned bits;
        double value;
    } cases[] = {
        {CNX_TYPE_FLOAT, 0x3f800000, 1},      {CNX_TYPE_FLOAT, 0x00000001, FLT_TRUE_MIN},
        {CNX_TYPE_FLOAT16, 0x3c00, 1},        {CNX_TYPE_FLOAT16, 0xc000, -2},
        {CNX_TYPE_FLOAT16, 0x7bff, 65504},    {CNX_TYPE_FLOAT16, 0x0001, 0x1p-24},
        {CNX_TYPE_FLOAT16, 0x7c00, INFINITY}, {CNX_TYPE_FLOAT16, 0x7e00, NAN},
        {CNX_TYPE_BFLOAT16, 0x3f80, 1},       {CNX_TYPE_BFLOAT16, 0xff80, -INFINITY},
        {CNX_TYPE_FLOAT8E4M3FN, 0x38, 1},     {CNX_TYPE_FLOAT8E4M3FN, 0x7e, 448},
        {CNX_TYPE_FLOAT8E4M3FN, 0x7f, NAN},   {CNX_TYPE_FLOAT8E4M3FN, 0x01, 0x1p-9},
        {CNX_TYPE_FLOAT8E4M3FNUZ, 0x40, 1},   {CNX_TYPE_FLOAT8E4M3FNUZ, 0x7f, 240},
        {CNX_TYPE_FLOAT8E4M3FNUZ, 0x80, NAN}, {CNX_TYPE_FLOAT8E5M2, 0x3c, 1},
        {CNX_TYPE_FLOAT8E5M2, 0x7b, 57344},   {CNX_TYPE_FLOAT8E5M2, 0xfc, -INFINITY},
        {CNX_TYPE_FLOAT8E5M2FNUZ, 0x40, 1},   {CNX_TYPE_FLOAT8E5M2FNUZ, 0x7f, 57344},
        {CNX_TYPE_FLOAT8E5M2FNUZ, 0x80, NAN}, {CNX_TYPE_FLOAT4E2M1, 0x1, 0.5},
        {CNX_TYPE_FLOAT4E2M1, 0x7, 6},        {CNX_TYPE_FLOAT4E2M1, 0xf, -6},
        {CNX_TYPE_FLOAT8E8M0, 0x7f, 1},       {CNX_TYPE_FLOAT8E8M0, 0x00, 0x1p-127},
        {CNX_TYPE_FLOAT8E8M0, 0xff, NAN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double got = float_of(cases[i].type, cases[i].bits);
        bool same = got == cases[i].value || (isnan(got) && isnan(cases[i].value));
        if (!same)
            fail_msg("%s 0x%x: %g (expected %g)", cnx_type_name(cases[i].type), cases[i].bits, got,
                     cases[i].value);
    }
}

static void test_typed_floats(void **state)
{
    (void)state;
    int64_t count = 3;
    float singles[] = {1, -2, 0.5f, 4, 5, 6};
    double doubles[] = {1, -2, 0.5, 4, 5, 6};
    Onnx__TensorProto *proto = new_tensor(CNX_TYPE_FLOAT, 1, &count);
    proto->n_float_data = 3;
    proto->float_data = singles;
    assert_true(cnx_tensor_float(model, registered(proto), 1) == -2);
    proto = new_tensor(CNX_TYPE_DOUBLE, 1, &count);
    proto->n_double_data = 3;
    proto->double_data = doubles;
    assert_true(cnx_tensor_float(model, registered(proto), 2) == 0.5);
    proto = new_tensor(CNX_TYPE_COMPLEX64, 1, &count); /* two numbers an element */
    proto->n_float_data = 6;
    proto->float_data = singles;
    assert_int_equal(registered(proto)->size, 24);
    static const int32_t halves[] = {0x3c00, 0xc000, 0x3800};
    assert_true(cnx_tensor_float(model, registered(new_widened(CNX_TYPE_FLOAT16, 3, halves, 3)), 1) == -2);
}

/* ---- what does not fit ---- */

static void test_shapes(void **state)
{
    (void)state;
    static const uint8_t bytes[64];
    static const struct {
        size_t rank;
        int64_t dims[3];
        const char *words;
    } cases[] = {
        {1, {-1}, "axis 0 has the extent -1"},
        {2, {(int64_t)1 << 40, (int64_t)1 << 40}, "product of the dims"},
        {1, {INT64_MAX}, "does not fit 64 bits"},
        {3, {4, 5, 6}, "raw_data holds 16 bytes (expected 480"},
        {1, {3}, "raw_data holds 16 bytes (expected 12"},
        {0, {0}, "raw_data holds 16 bytes (expected 4"},
        {2, {0, 5}, "raw_data holds 16 bytes (expected 0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Onnx__TensorProto *proto = new_raw(CNX_TYPE_FLOAT, 4, bytes, 16);
        proto->n_dims = cases[i].rank;
        proto->dims = CNX_NEW_ARRAY(model->arena, int64_t, 3);
        memcpy(proto->dims, cases[i].dims, sizeof cases[i].dims);
        assert_no_tensor(proto, cases[i].words);
    }
    Onnx__TensorProto *many = new_raw(CNX_TYPE_FLOAT, 1, bytes, 4);
    many->n_dims = 100;
    many->dims = CNX_NEW_ARRAY(model->arena, int64_t, 100);
    assert_no_tensor(many, "limit tensor-rank");
    assert_no_tensor(new_raw(99, 4, bytes, 16), "element type 99 is unknown");
    assert_no_tensor(new_raw(0, 4, bytes, 16), "element type 0 is unknown");
}

static void test_empty_and_missing(void **state)
{
    (void)state;
    int64_t dims[] = {(int64_t)1 << 62, 4, 0};
    cnx_tensor *tensor = registered(new_tensor(CNX_TYPE_FLOAT, 3, dims));
    assert_int_equal(tensor->count, 0);
    assert_int_equal(tensor->size, 0);
    assert_non_null(tensor->bytes);
    assert_no_tensor(new_tensor(CNX_TYPE_FLOAT, 1, dims), "does not fit 64 bits");
    assert_no_tensor(new_tensor(CNX_TYPE_FLOAT, 0, dims), "payload is missing");
    Onnx__TensorProto *both = new_raw(CNX_TYPE_INT32, 1, "abcd", 4);
    int32_t one = 1;
    both->n_int32_data = 1;
    both->int32_data = &one;
    assert_no_tensor(both, "stored twice");
}

static void test_strings(void **state)
{
    (void)state;
    int64_t count = 2;
    Onnx__TensorProto *proto = new_tensor(CNX_TYPE_STRING, 1, &count);
    ProtobufCBinaryData items[2] = {{0}};
    proto->n_string_data = 2;
    proto->string_data = items;
    cnx_tensor *tensor = registered(proto);
    assert_int_equal(tensor->count, 2);
    assert_int_equal(tensor->size, 0);
    assert_null(tensor->bytes);
    proto = new_tensor(CNX_TYPE_STRING, 1, &count);
    proto->n_string_data = 1;
    proto->string_data = items;
    assert_no_tensor(proto, "string_data holds 1 elements (expected 2");
    assert_no_tensor(new_raw(CNX_TYPE_STRING, 2, "ab", 2), "raw_data cannot hold strings");
}

/* Lifted typed fields: 1000 numbers, as varints and as floats. */
static void test_lifted(void **state)
{
    (void)state;
    static const int types[] = {CNX_TYPE_INT64, CNX_TYPE_UINT16, CNX_TYPE_FLOAT};
    static const uint32_t fields[] = {7, 5, 4};
    for (size_t i = 0; i < 3; i++)
        for (uint64_t missing = 0; missing < 2; missing++) {
            uint64_t dims[] = {1000 + missing};
            buffer tensor = make_tensor("w", types[i], 1, dims), packed = {0};
            for (uint64_t k = 0; k < 1000; k++) {
                float single = (float)k;
                if (types[i] == CNX_TYPE_FLOAT)
                    put_bytes(&packed, &single, 4);
                else
                    put_varint(&packed, types[i] == CNX_TYPE_INT64 ? -k : k);
            }
            buffer graph = {0};
            put_node(&graph, "Relu", "", "x", "y");
            put_message(&tensor, fields[i], &packed);
            put_message(&graph, GRAPH_INITIALIZER, &tensor);
            put_port(&graph, GRAPH_INPUT, "x");
            put_port(&graph, GRAPH_OUTPUT, "y");
            buffer bytes = make_model(&graph);
            write_buffer("lifted.onnx", &bytes);
            if (missing != 0) {
                assert_refused("lifted.onnx", CNX_ERROR_FORMAT, "initializer \"w\"",
                               "holds 1000 elements (expected 1001");
                continue;
            }
            cnx_model *loaded = open_model("lifted.onnx");
            cnx_tensor *first = loaded->tensors[0];
            assert_int_equal(loaded->payload_count, 1);
            if (types[i] == CNX_TYPE_FLOAT)
                assert_true(cnx_tensor_float(loaded, first, 999) == 999);
            else
                assert_int_equal(cnx_tensor_integer(loaded, first, 999), i == 0 ? -999 : 999);
            cnx_model_close(loaded);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_raw_integers),
        cmocka_unit_test(test_odd_counts),
        cmocka_unit_test(test_widened_integers),
        cmocka_unit_test(test_uint32),
        cmocka_unit_test(test_small_floats),
        cmocka_unit_test(test_typed_floats),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_empty_and_missing),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_lifted),
    };
    return cmocka_run_group_tests(tests, open_small, close_small);
}
