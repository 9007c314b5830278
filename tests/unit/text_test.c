/* Models as text: the small change of the syntax, what has no form in it, names, and errors. That the text is
 * what onnx.parser reads is tested end to end. */
#include "rewrite_text.h"

#include "base/mix.h"
#include "onnx/text/writer.h"

#include <errno.h>
#include <math.h>

/* ---- catching what is printed ---- */

static void catch_bytes(cnx_sink *sink, const void *bytes, size_t size)
{
    put_bytes(sink->state, bytes, size);
}

static bool catch_text(void *state, const char *text, size_t size)
{
    put_bytes(state, text, size);
    return true;
}

/* Checks and frees. */
static void check_text(buffer *text, const char *expected)
{
    put_bytes(text, "", 1);
    assert_string_equal((const char *)text->bytes, expected);
    free(text->bytes);
    *text = (buffer){0};
}

typedef struct desk {
    cnx_arena *arena;
    buffer text;
    cnx_sink sink;
    cnx_writer out;
} desk;

static void open_desk(desk *at)
{
    *at = (desk){.arena = cnx_arena_create(NULL)};
    at->sink = (cnx_sink){.write = catch_bytes, .state = &at->text, .arena = at->arena};
    cnx_writer_init(&at->out, at->arena, &at->sink);
}

static void close_desk(desk *at, const char *expected)
{
    cnx_writer_flush(&at->out);
    check_text(&at->text, expected);
    cnx_arena_destroy(at->arena);
}

/* ---- numbers ---- */

static void test_floats(void **state)
{
    (void)state;
    static const float values[] = {0, -0.0f, 1, 0.1f, 1e10f, 1e-45f, 16777216, 3.4028235e38f, -INFINITY, NAN};
    desk at;
    open_desk(&at);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        cnx_write_float(&at.out, values[i]);
        cnx_write(&at.out, " ");
    }
    cnx_write_double(&at.out, 0.1);
    cnx_write(&at.out, " ");
    cnx_write_double(&at.out, 1.0 / 3);
    close_desk(&at, "0.0 -0.0 1.0 0.1 1e+10 1e-45 16777216.0 3.4028235e+38 -inf nan 0.1 0.3333333333333333");
}

/* Every number is printed so that it reads as itself. */
static void test_numbers_return(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 20000; i++) {
        uint64_t bits = cnx_mix(i);
        float single;
        double real;
        memcpy(&single, &bits, sizeof single);
        memcpy(&real, &bits, sizeof real);
        desk at;
        open_desk(&at);
        cnx_write_float(&at.out, single);
        cnx_write(&at.out, " ");
        cnx_write_double(&at.out, real);
        cnx_writer_flush(&at.out);
        put_bytes(&at.text, "", 1);
        char *second;
        float single_again = strtof((const char *)at.text.bytes, &second);
        double real_again = strtod(second, NULL);
        assert_true(isnan(single) ? isnan(single_again) : memcmp(&single, &single_again, sizeof single) == 0);
        assert_true(isnan(real) ? isnan(real_again) : memcmp(&real, &real_again, sizeof real) == 0);
        free(at.text.bytes);
        cnx_arena_destroy(at.arena);
    }
}

/* ---- names, strings, comments ---- */

static void test_names(void **state)
{
    (void)state;
    static const char *const names[] = {"conv1_w", "_",          "0.weight", "",
                                        "a\"b\\",  "two\nlines", "\x1b[31m", "caf\xc3\xa9"};
    desk at;
    open_desk(&at);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        cnx_write_name(&at.out, names[i]);
        cnx_write(&at.out, " ");
    }
    cnx_write_name(&at.out, NULL);
    close_desk(
        &at, "conv1_w _ \"0.weight\" \"\" \"a\\\"b\\\\\" \"two\\nlines\" \"\\x1b[31m\" \"caf\xc3\xa9\" \"\"");
}

static void test_strings(void **state)
{
    (void)state;
    desk at;
    open_desk(&at);
    cnx_write_text(&at.out, "two\nlines");
    cnx_write_text(&at.out, "turned \xe2\x80\xae round");
    cnx_write_string(&at.out, "\xff\xfe", 2);
    at.out.weights = CNX_TEXT_VALUES;
    cnx_write_string(&at.out, "\xff\xfe\0", 3);
    close_desk(&at, "\"two\nlines\"\"turned \\u{202e} round\""
                    "\"(2 bytes, xxh3 8262fa39bdb1958b56e8c7c3d388c786)\"\"\\xff\\xfe\\x00\"");
}

static void test_long_string(void **state)
{
    (void)state;
    char text[4097];
    memset(text, 'a', sizeof text);
    desk at;
    open_desk(&at);
    cnx_write_string(&at.out, text, sizeof text);
    cnx_writer_flush(&at.out);
    assert_memory_equal(at.text.bytes, "\"(4097 bytes, xxh3 ", 19);
    free(at.text.bytes);
    cnx_arena_destroy(at.arena);
}

static void test_comments(void **state)
{
    (void)state;
    desk at;
    open_desk(&at);
    cnx_write(&at.out, "x");
    cnx_note(&at.out, "doc_string", "two\nlines \"and\" \x1b");
    cnx_note(&at.out, "more", NULL);
    cnx_end_line(&at.out);
    cnx_write(&at.out, "y");
    cnx_end_line(&at.out);
    close_desk(&at, "x  # doc_string \"two\\nlines \\\"and\\\" \\x1b\"; more\ny\n");
}

/* ---- models ---- */

static buffer print(cnx_model *model, const cnx_text_options *options)
{
    buffer text = {0};
    cnx_error error;
    if (!options->raw)
        assert_int_equal(cnx_canonicalize(model, NULL, NULL, &error), CNX_OK);
    if (cnx_model_text(model, options, catch_text, &text, &error) != CNX_OK)
        fail_msg("%s: %s", error.place, error.message);
    return text;
}

static void check_model(const char *given, const cnx_text_options *options, const char *expected)
{
    cnx_model *model = model_of_text(given);
    buffer text = print(model, options);
    check_text(&text, expected);
    cnx_model_close(model);
}

static const char *const layered = "in x\n"
                                   "w = float[2 2]{1 2 3 4}; v = float[2 2]{5 6 7 8}; two = float[]{2}\n"
                                   "a = Relu(x); b = MatMul(a, w); c = Mul(two, b); d = Tanh(c)\n"
                                   "e = MatMul(d, v); f = Mul(e, two); g = Add(f, c); y = Tanh(g)\n"
                                   "out y";

/* Landmarks, what is named after them, a shared scalar, operands of commutative operators, the interface. */
static void test_local_names(void **state)
{
    (void)state;
    check_model(layered, &(cnx_text_options){0},
                "<\n"
                "  ir_version: 8,\n"
                "  opset_import: [\"\" : 14]\n"
                ">\n"
                "graph (float[1] x) => (float[1] y)\n"
                "<\n"
                "  float[2,2] MatMul_2x2_in1 = {1.0, 2.0, 3.0, 4.0},\n"
                "  float float_55e30cae = {2.0},\n"
                "  float[2,2] MatMul_2x2_2_in1 = {5.0, 6.0, 7.0, 8.0}\n"
                ">\n"
                "{\n"
                "  x_Relu = Relu (x)\n"
                "  MatMul_2x2 = MatMul (x_Relu, MatMul_2x2_in1)\n"
                "  MatMul_2x2_Mul = Mul (MatMul_2x2, float_55e30cae)\n"
                "  MatMul_2x2_Tanh = Tanh (MatMul_2x2_Mul)\n"
                "  MatMul_2x2_2 = MatMul (MatMul_2x2_Tanh, MatMul_2x2_2_in1)\n"
                "  MatMul_2x2_2_Mul = Mul (MatMul_2x2_2, float_55e30cae)\n"
                "  MatMul_2x2_2_Add = Add (MatMul_2x2_Mul, MatMul_2x2_2_Mul)\n"
                "  y = Tanh (MatMul_2x2_2_Add)\n"
                "}\n");
}

/* Nothing of floats, neither their values nor in names. */
static void test_without_weights(void **state)
{
    (void)state;
    cnx_model *model = model_of_text(layered);
    buffer text = print(model, &(cnx_text_options){.weights = CNX_TEXT_NONE});
    put_bytes(&text, "", 1);
    assert_null(strstr((const char *)text.bytes, "2.0"));
    assert_non_null(strstr((const char *)text.bytes, "  float MatMul_2x2_Mul_in1 = {},\n"));
    free(text.bytes);
    cnx_model_close(model);
}

static void test_nested(void **state)
{
    (void)state;
    check_model("in x, b\n"
                "w = float[2]{1 2}\n"
                "y = If(b) else_branch={d = Relu(x); e = Relu(d); out e} then_branch={f = Add(x, w); out f}\n"
                "out y",
                &(cnx_text_options){0},
                "<\n"
                "  ir_version: 8,\n"
                "  opset_import: [\"\" : 14]\n"
                ">\n"
                "graph (float[1] x, float[1] b) => (float[1] y)\n"
                "<\n"
                "  float[2] b_If_capture1 = {1.0, 2.0}\n"
                ">\n"
                "{\n"
                "  y = If (b) <\n"
                "    else_branch: graph = else_branch () => (float[1] b_If_else_branch_Relu_2)\n"
                "    {\n"
                "      b_If_else_branch_Relu = Relu (x)\n"
                "      b_If_else_branch_Relu_2 = Relu (b_If_else_branch_Relu)\n"
                "    },\n"
                "    then_branch: graph = then_branch () => (float[1] b_If_then_branch_Add)\n"
                "    {\n"
                "      b_If_then_branch_Add = Add (x, b_If_capture1)\n"
                "    }\n"
                "  >\n"
                "}\n");
}

static void test_raw(void **state)
{
    (void)state;
    check_model("in x\nw = float[2]{1 2}\ny = Mul(x, w); t = Identity(y)\nout t",
                &(cnx_text_options){.raw = true},
                "<\n"
                "  ir_version: 8,\n"
                "  opset_import: [\"\" : 14, \"custom\" : 1]\n"
                ">\n"
                "g (float[1] x) => (float[1] t)\n"
                "<\n"
                "  float[2] w = {1.0, 2.0}\n"
                ">\n"
                "{\n"
                "  y = Mul (x, w)\n"
                "  t = Identity (y)\n"
                "}\n");
}

/* ---- tensors of every kind ---- */

static void put_raw_tensor(buffer *graph, const char *name, int type, uint64_t count, const void *bytes,
                           size_t size)
{
    buffer tensor = make_tensor(name, type, 1, &count);
    put_field(&tensor, 9, bytes, size);
    put_message(graph, GRAPH_INITIALIZER, &tensor);
}

static void test_element_types(void **state)
{
    (void)state;
    static const uint16_t halves[] = {0x3c00, 0xc000}, brains[] = {0x3f80};
    static const uint8_t nibbles[] = {0xf1, 0x07};
    static const double real[] = {0.1, -2};
    static const uint64_t large[] = {UINT64_MAX};
    static const float nine[9] = {0};
    buffer graph = {0};
    put_text(&graph, 2, "g");
    put_raw_tensor(&graph, "h", CNX_TYPE_FLOAT16, 2, halves, sizeof halves);
    put_raw_tensor(&graph, "b", CNX_TYPE_BFLOAT16, 1, brains, sizeof brains);
    put_raw_tensor(&graph, "n", CNX_TYPE_INT4, 3, nibbles, sizeof nibbles);
    put_raw_tensor(&graph, "z", CNX_TYPE_COMPLEX128, 1, real, sizeof real);
    put_raw_tensor(&graph, "u", CNX_TYPE_UINT64, 1, large, sizeof large);
    put_raw_tensor(&graph, "l", CNX_TYPE_FLOAT, 9, nine, sizeof nine);
    put_node(&graph, "Sum", "my node", "h,,b", "y");
    put_port(&graph, GRAPH_OUTPUT, "y");
    buffer bytes = make_model(&graph);
    write_buffer("model.onnx", &bytes);
    cnx_model *model = open_model("model.onnx");
    buffer text = print(model, &(cnx_text_options){.raw = true});
    check_text(&text, "<\n"
                      "  ir_version: 8,\n"
                      "  opset_import: [\"\" : 14]\n"
                      ">\n"
                      "g () => (float[1] y)\n"
                      "<\n"
                      "  float16[2] h = {15360, 49152},  # 1, -2\n"
                      "  bfloat16[1] b = {16256},  # 1\n"
                      "  int4[3] n = {241, 7},  # 1, -1, 7\n"
                      "  complex128[1] z = {0.1, -2.0},\n"
                      "  uint64[1] u = {18446744073709551615},\n"
                      "  float[9] l = {}  # xxh3 de7d71112ba8a784a2072842cc0b0784\n"
                      ">\n"
                      "{\n"
                      "  [\"my node\"] y = Sum (h, \"\", b)\n"
                      "}\n");
    cnx_model_close(model);
}

/* ---- errors ---- */

static bool refuse(void *state, const char *text, size_t size)
{
    (void)state;
    (void)text;
    (void)size;
    errno = ENOSPC;
    return false;
}

static void test_refused(void **state)
{
    (void)state;
    cnx_model *model = model_of_text(layered);
    cnx_error error;
    assert_int_equal(cnx_model_text(model, &(cnx_text_options){.raw = true}, refuse, NULL, &error),
                     CNX_ERROR_FILE);
    assert_string_equal(error.message, "cannot write the text: No space left on device");
    buffer text = print(model, &(cnx_text_options){.raw = true}); /* the model is as good as before */
    assert_true(text.size > 100);
    free(text.bytes);
    cnx_model_close(model);
}

static void test_file_digest(void **state)
{
    (void)state;
    char digest[33];
    uint64_t size;
    cnx_error error;
    write_bytes("empty", "", 0);
    assert_int_equal(cnx_file_digest("empty", &size, digest, &error), CNX_OK);
    assert_int_equal(size, 0);
    assert_string_equal(digest, "99aa06d3014798d86001c324468d497f"); /* XXH3-128 of nothing */
    assert_int_equal(cnx_file_digest("missing", &size, digest, &error), CNX_ERROR_FILE);
    assert_int_equal(cnx_file_digest("/", &size, digest, &error), CNX_ERROR_FILE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_floats),
        cmocka_unit_test(test_numbers_return),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_long_string),
        cmocka_unit_test(test_comments),
        cmocka_unit_test_setup_teardown(test_local_names, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_without_weights, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_nested, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_raw, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_element_types, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_refused, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_file_digest, enter_folder, leave_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
