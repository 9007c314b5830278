/* Blocks: each is found, nothing is counted twice, and nothing is lost. */
#include "blocks_fixture.h"

/* ---- linear layers ---- */

static void test_gemm(void **state)
{
    (void)state;
    maker *m = start();
    const char *x = maker_input(m, "x", DIMS(-1, 6));
    x = maker_unary(m, "Relu", "relu", maker_dense(m, "fc1", x, 6, 4));
    x = maker_unary(m, "Softmax", "softmax", maker_dense(m, "fc2", x, 4, 3));
    expect(m, x, LIST("Gemm: 6 -> 4, Relu", "Gemm: 4 -> 3, Softmax"));
}

static void test_matmul_and_add(void **state)
{
    (void)state;
    maker *m = start();
    const char *x = maker_input(m, "x", DIMS(-1, 7, 6));
    x = maker_unary(m, "Tanh", "tanh", linear(m, "fc", x, 6, 4));
    expect(m, x, LIST("Gemm: 6 -> 4, Tanh"));
}

/* Exports without constant folding transpose the weight in the graph; some cast it as well. */
static void test_weight_through_nodes(void **state)
{
    (void)state;
    maker *m = start();
    const char *x = maker_input(m, "x", DIMS(-1, 6));
    const char *w = transpose(m, "transpose", tensor(m, "w", DIMS(4, 6)), 2, (int64_t[]){1, 0});
    w = maker_unary(m, "Cast", "cast", w);
    maker_int(m, "to", CNX_TYPE_FLOAT);
    x = maker_binary(m, "MatMul", "matmul", x, w);
    const cnx_inspection *report = inspect(m, x);
    assert_int_equal(report->block_count, 1);
    assert_string_equal(report->blocks[0].detail, "6 -> 4");
    assert_int_equal(report->blocks[0].node_count, 3);
    assert_string_equal(report->blocks[0].nodes[0], "matmul");
    assert_int_equal(report->blocks[0].parameters, 24);
    maker_destroy(m);
}

static void test_weight_on_the_left(void **state)
{
    (void)state;
    maker *m = start();
    const char *x = maker_input(m, "x", DIMS(6, 5));
    x = maker_binary(m, "MatMul", "matmul", tensor(m, "w", DIMS(4, 6)), x);
    x = maker_binary(m, "Add", "add", x, tensor(m, "b", DIMS(4, 1)));
    const cnx_inspection *report = inspect(m, x);
    assert_int_equal(report->block_count, 1);
    assert_string_equal(report->blocks[0].detail, "6 -> 4");
    assert_true(report->macs.is_number && report->macs.value == 4 * 6 * 5);
    maker_destroy(m);
}

static void test_product_of_data(void **state)
{
    (void)state;
    maker *m = start();
    const char *x = maker_input(m, "x", DIMS(5, 6)), *y = maker_input(m, "y", DIMS(6, 7));
    expect(m, maker_binary(m, "MatMul", "matmul", x, y), LIST("MatMul: MatMul of 5 x 6 and 6 x 7"));
}

static void test_conv(void **state)
{
    (void)state;
    maker *m = start();
    const char *x = maker_input(m, "x", DIMS(-1, 3, 8, 8));
    x = conv(m, "c1", x, 3, 8, 3);
    maker_ints(m, "strides", 2, (int64_t[]){2, 2});
    x = batch_norm(m, "bn", x, 8);
    x = maker_node(m, "Clip", "relu6", INPUTS(x, maker_number(m, "zero", 0), maker_number(m, "six", 6)));
    x = conv(m, "c2", x, 1, 8, 3);
    maker_int(m, "group", 8);
    x = conv(m, "c3", x, 4, 6, 1);
    maker_int(m, "group", 2);
    maker_ints(m, "strides", 2, (int64_t[]){2, 1});
    x = maker_binary(m, "Mul", "scale", x, tensor(m, "s", DIMS(6, 1, 1)));
    x = maker_binary(m, "Add", "shift", x, tensor(m, "t", DIMS(1, 6, 1, 1)));
    expect(m, x,
           LIST("Conv: 3 -> 8, 3x3, stride 2, BatchNormalization, Relu6", "Conv: 8 -> 8, 3x3, depthwise",
                "Conv: 8 -> 6, 1x1, stride 2x1, 2 groups, scale and shift"));
}

static void test_transposed_conv_and_padding(void **state)
{
    (void)state;
    maker *m = start();
    const char *x = maker_input(m, "x", DIMS(1, 3, 8, 8));
    x = maker_binary(m, "Pad", "pad", x, integers(m, "pads", 8, (int64_t[]){0, 0, 1, 1, 0, 0, 1, 1}));
    x = maker_binary(m, "Conv", "conv", x, tensor(m, "w", DIMS(5, 3, 3, 3)));
    x = maker_binary(m, "ConvTranspose", "up", x, tensor(m, "v", DIMS(5, 4, 2, 2)));
    maker_ints(m, "strides", 2, (int64_t[]){2, 2});
    x = maker_binary(m, "Add", "bias", x, tensor(m, "b", DIMS(1, 4, 1, 1)));
    x = maker_unary(m, "Sigmoid", "sigmoid", x);
    const cnx_inspection *report = inspect(m, x);
    check_sums(report);
    assert_int_equal(report->block_count, 2);
    assert_string_equal(report->blocks[0].detail, "3 -> 5, 3x3, zero padding in front");
    assert_string_equal(report->blocks[1].detail, "5 -> 4, 2x2, transposed, stride 2, Sigmoid");
    assert_true(report->blocks[0].macs.value == 8 * 8 * 5 * 27);
    assert_true(report->blocks[1].macs.value == 8 * 8 * 5 * 4 * 4);
    maker_destroy(m);
}

/* A bias is a number per channel; anything larger is a parameter of its own. */
static void test_position_is_no_bias(void **state)
{
    (void)state;
    maker *m = start();
    const char *x = linear(m, "embed", maker_input(m, "x", DIMS(-1, 7, 6)), 6, 4);
    x = maker_binary(m, "Add", "add", x, tensor(m, "position", DIMS(7, 4)));
    expect(m, x, LIST("Gemm: 6 -> 4", "Parameter: Add 7 x 4"));
}

/* What somebody else reads as well belongs to nobody's tail. */
static void test_tail_stops_at_other_readers(void **state)
{
    (void)state;
    maker *m = start();
    const char *y = maker_dense(m, "fc", maker_input(m, "x", DIMS(-1, 6)), 6, 4);
    const char *a = maker_unary(m, "Relu", "relu", y), *b = maker_unary(m, "Tanh", "tanh", y);
    const char *both = maker_binary(m, "Concat", "concat", a, b);
    maker_int(m, "axis", 1);
    expect(m, both,
           LIST("Gemm: 6 -> 4", "Activation: Relu", "Activation: Tanh", "Concat: 4 + 4 -> 8, axis 1"));
}

/* ---- branches ---- */

static void test_residual_and_gate(void **state)
{
    (void)state;
    maker *m = start();
    const char *x =
        maker_unary(m, "Relu", "start", conv(m, "c0", maker_input(m, "x", DIMS(-1, 4, 6, 6)), 4, 4, 3));
    const char *y = conv(m, "c2", maker_unary(m, "Relu", "r1", conv(m, "c1", x, 4, 4, 3)), 4, 4, 3);
    y = maker_unary(m, "Relu", "end", maker_binary(m, "Add", "sum", x, y));
    const char *left = conv(m, "c3", y, 4, 8, 3), *right = conv(m, "c4", y, 4, 8, 1);
    y = maker_binary(m, "Add", "sum2", left, right);
    const char *pooled = maker_unary(m, "GlobalAveragePool", "pool", y);
    const char *gate = maker_unary(m, "Sigmoid", "sigmoid", conv(m, "c5", pooled, 8, 8, 1));
    y = maker_binary(m, "Mul", "gate", y, gate);
    expect(m, y,
           LIST("Conv: 4 -> 4, 3x3, Relu", "Conv: 4 -> 4, 3x3, Relu", "Conv: 4 -> 4, 3x3",
                "Residual: branch of 3 nodes from start, Relu", "Conv: 4 -> 8, 3x3", "Conv: 4 -> 8, 1x1",
                "Residual: branches of 1 and 1 nodes from end", "Pool: global average",
                "Conv: 8 -> 8, 1x1, Sigmoid", "Gate: branch of 3 nodes from sum2"));
}

/* sqrt(a*a + b*b) is arithmetic: its parts come from one tensor, but nobody calls that a residual. */
static void test_arithmetic_is_no_residual(void **state)
{
    (void)state;
    maker *m = start();
    const char *x = maker_input(m, "x", DIMS(4, 6));
    const char *a = maker_binary(m, "Pow", "a2", maker_unary(m, "Sin", "a", x), number(m, 2));
    const char *b = maker_binary(m, "Pow", "b2", maker_unary(m, "Cos", "b", x), number(m, 2));
    const cnx_inspection *report =
        inspect(m, maker_unary(m, "Sqrt", "root", maker_binary(m, "Add", "sum", a, b)));
    check_sums(report);
    assert_int_equal(report->block_count, 0);
    assert_int_equal(report->unassigned_count, 6);
    maker_destroy(m);
}

static void test_embedding(void **state)
{
    (void)state;
    maker *m = start();
    const char *ids = maker_input(m, "ids", DIMS(-1, 7));
    m->graph->input[0]->type->tensor_type->elem_type = CNX_TYPE_INT64;
    const char *x = maker_binary(m, "Gather", "words", tensor(m, "table", DIMS(50, 6)), ids);
    x = maker_binary(m, "Add", "add", x, tensor(m, "position", DIMS(7, 6)));
    x = layer_norm(m, "ln", x, 6, 0);
    expect(m, x, LIST("Embedding: 50 x 6, plus 7 x 6", "Normalization: LayerNormalization 6"));
}

static void test_pool(void **state)
{
    (void)state;
    maker *m = start();
    const char *x = maker_unary(m, "MaxPool", "max", maker_input(m, "x", DIMS(-1, 3, 8, 8)));
    maker_ints(m, "kernel_shape", 2, (int64_t[]){3, 2});
    maker_ints(m, "strides", 2, (int64_t[]){2, 2});
    maker_unary(m, "ReduceMean", "mean", x);
    maker_ints(m, "axes", 2, (int64_t[]){2, 3});
    expect(m, "mean", LIST("Pool: maximum 3x2, stride 2", "Pool: mean over axes 2, 3"));
}

/* ---- parameters ---- */

static void test_parameters_are_counted_once(void **state)
{
    (void)state;
    maker *m = start();
    const char *x = maker_input(m, "x", DIMS(-1, 6));
    const char *w = tensor(m, "w", DIMS(6, 6)), *b = tensor(m, "b", DIMS(6));
    x = maker_node(m, "Gemm", "g1", INPUTS(x, w, b));
    x = maker_node(m, "Gemm", "g2", INPUTS(x, w, b));
    x = reshape(m, "view", x, 2, (int64_t[]){-1, 6}); /* a setting */
    x = maker_node(m, "Clip", "clip",
                   INPUTS(x, tensor(m, "low", DIMS(1)))); /* a setting, though not a scalar */
    const cnx_inspection *report = inspect(m, x);
    assert_int_equal(report->parameter_count, 42);
    assert_int_equal(report->parameter_bytes, 168);
    assert_int_equal(report->type_count, 1);
    assert_int_equal(report->types[0].tensors, 2);
    assert_string_equal(report->types[0].type, "float");
    check_sums(report);
    assert_int_equal(report->blocks[0].parameters, 42);
    assert_int_equal(report->blocks[1].parameters, 0);
    assert_string_equal(report->blocks[1].detail, "6 -> 6, parameters of an earlier block");
    maker_destroy(m);
}

static void test_quantised_weights_count(void **state)
{
    (void)state;
    maker *m = start();
    const char *x = maker_input(m, "x", DIMS(-1, 6));
    int8_t bytes[24] = {1};
    maker_tensor(m, "w8", CNX_TYPE_INT8, 2, (int64_t[]){6, 4}, bytes, sizeof bytes);
    const char *w = maker_binary(m, "DequantizeLinear", "dequantize", "w8", maker_number(m, "scale", 0.1f));
    x = maker_unary(m, "Relu", "relu", maker_binary(m, "MatMul", "matmul", x, w));
    const cnx_inspection *report = inspect(m, x);
    check_sums(report);
    assert_int_equal(report->parameter_count, 24);
    assert_int_equal(report->parameter_bytes, 24);
    assert_int_equal(report->block_count, 1);
    assert_string_equal(report->blocks[0].kind, "Gemm");
    assert_int_equal(report->blocks[0].node_count, 3);
    maker_destroy(m);
}

/* Quantised and back around every layer: the layer is one block, the conversions one row. */
static void test_quantised_model(void **state)
{
    (void)state;
    maker *m = start();
    const char *x = maker_input(m, "x", DIMS(-1, 6)), *scale = maker_number(m, "scale", 0.1f);
    uint8_t zero = 0;
    int8_t bytes[24] = {1};
    maker_tensor(m, "zero", CNX_TYPE_UINT8, 0, NULL, &zero, 1);
    maker_tensor(m, "w8", CNX_TYPE_INT8, 2, (int64_t[]){6, 4}, bytes, sizeof bytes);
    x = maker_node(m, "QuantizeLinear", "q", INPUTS(x, scale, "zero"));
    x = maker_node(m, "DequantizeLinear", "dq", INPUTS(x, scale, "zero"));
    const char *w = maker_binary(m, "DequantizeLinear", "dqw", "w8", scale);
    const cnx_inspection *report =
        inspect(m, maker_unary(m, "Relu", "relu", maker_binary(m, "MatMul", "matmul", x, w)));
    check_sums(report);
    assert_int_equal(report->block_count, 2);
    assert_string_equal(report->blocks[0].kind, "Gemm");
    assert_int_equal(report->blocks[0].parameters, 24);
    assert_string_equal(report->blocks[1].kind, "Quantization");
    assert_string_equal(report->blocks[1].detail, "1 QuantizeLinear, 1 DequantizeLinear");
    maker_destroy(m);
}

/* ---- the report ---- */

static void test_ports_and_quantities(void **state)
{
    (void)state;
    maker *m = start();
    const char *x = maker_dense(m, "fc", maker_input(m, "x", DIMS(-1, 600)), 600, 400);
    m->model->producer_name = "me";
    const cnx_inspection *report = inspect(m, x);
    assert_string_equal(report->producer, "me");
    assert_string_equal(report->producer_version, "");
    assert_int_equal(report->ir_version, 9);
    assert_int_equal(report->opset_count, 1);
    assert_int_equal(report->opsets[0].version, 13);
    assert_int_equal(report->input_count, 1);
    assert_string_equal(report->inputs[0].type, "float");
    assert_string_equal(report->inputs[0].shape, "N x 600");
    assert_string_equal(report->outputs[0].shape, "N x 400");
    assert_false(report->macs.is_number);
    assert_string_equal(report->macs.text, "240 k * N");
    assert_string_equal(report->macs.exact, "240000*N");
    assert_string_equal(report->operators[0].name, "Gemm");
    maker_destroy(m);
}

static void test_names_are_sorted(void **state)
{
    (void)state;
    static const char *const NAMES[] = {
#define NAME(op) #op,
#include "analyze/blocks/names.def"
#undef NAME
    };
    for (size_t i = 1; i < sizeof NAMES / sizeof NAMES[0]; i++)
        assert_true(strcmp(NAMES[i - 1], NAMES[i]) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gemm),
        cmocka_unit_test(test_matmul_and_add),
        cmocka_unit_test(test_weight_through_nodes),
        cmocka_unit_test(test_weight_on_the_left),
        cmocka_unit_test(test_product_of_data),
        cmocka_unit_test(test_conv),
        cmocka_unit_test(test_transposed_conv_and_padding),
        cmocka_unit_test(test_position_is_no_bias),
        cmocka_unit_test(test_tail_stops_at_other_readers),
        cmocka_unit_test(test_residual_and_gate),
        cmocka_unit_test(test_arithmetic_is_no_residual),
        cmocka_unit_test(test_embedding),
        cmocka_unit_test(test_pool),
        cmocka_unit_test(test_parameters_are_counted_once),
        cmocka_unit_test(test_quantised_weights_count),
        cmocka_unit_test(test_quantised_model),
        cmocka_unit_test(test_ports_and_quantities),
        cmocka_unit_test(test_names_are_sorted),
    };
    return cmocka_run_group_tests_name("blocks", tests, NULL, NULL);
}
