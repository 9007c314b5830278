/* Blocks that exporters spell with many nodes: activations, normalization, attention. However they are
 * spelled, they are found as one. */
#include "blocks_fixture.h"

/* ---- spelled activations ---- */

static const char *gelu(maker *m, const char *x, bool half_first)
{
    const char *scaled = maker_binary(m, "Div", "div", x, number(m, 1.41421356f));
    const char *sum = maker_binary(m, "Add", "add1", maker_unary(m, "Erf", "erf", scaled), number(m, 1));
    if (half_first)
        return maker_binary(m, "Mul", "mul", maker_binary(m, "Mul", "half", x, number(m, 0.5f)), sum);
    return maker_binary(m, "Mul", "half", maker_binary(m, "Mul", "mul", x, sum), number(m, 0.5f));
}

static const char *gelu_tanh(maker *m, const char *x)
{
    const char *cube = maker_binary(m, "Pow", "cube", x, number(m, 3));
    const char *sum =
        maker_binary(m, "Add", "sum", x, maker_binary(m, "Mul", "small", cube, number(m, 0.044715f)));
    const char *tanh =
        maker_unary(m, "Tanh", "tanh", maker_binary(m, "Mul", "scaled", sum, number(m, 0.7978846f)));
    const char *half = maker_binary(m, "Mul", "half", x, number(m, 0.5f));
    return maker_binary(m, "Mul", "mul", half, maker_binary(m, "Add", "plus", tanh, number(m, 1)));
}

static const char *hard_swish(maker *m, const char *x, bool divide_last)
{
    const char *sum = maker_binary(m, "Add", "plus3", x, number(m, 3));
    const char *clip = maker_node(m, "Clip", "clip", INPUTS(sum, number(m, 0), number(m, 6)));
    if (divide_last)
        return maker_binary(m, "Div", "div", maker_binary(m, "Mul", "mul", x, clip), number(m, 6));
    return maker_binary(m, "Mul", "mul", x, maker_binary(m, "Div", "div", clip, number(m, 6)));
}

static const char *swish(maker *m, const char *x, float factor)
{
    const char *inner = factor == 0 ? x : maker_binary(m, "Mul", "beta", x, number(m, factor));
    return maker_binary(m, "Mul", "mul", maker_unary(m, "Sigmoid", "sigmoid", inner), x);
}

static const char *spelled(maker *m, const char *x, int way)
{
    switch (way) {
    case 0:
        return gelu(m, x, false);
    case 1:
        return gelu(m, x, true);
    case 2:
        return gelu_tanh(m, x);
    case 3:
        return hard_swish(m, x, false);
    case 4:
        return hard_swish(m, x, true);
    case 5:
        return swish(m, x, 0);
    case 6:
        return swish(m, x, 1);
    case 7:
        return swish(m, x, 1.702f);
    case 8:
        return maker_binary(m, "Mul", "mul", x, maker_unary(m, "HardSigmoid", "hard", x));
    default: {
        const char *tanh = maker_unary(m, "Tanh", "tanh", maker_unary(m, "Softplus", "softplus", x));
        return maker_binary(m, "Mul", "mul", x, tanh);
    }
    }
}

static const char *const SPELLED_NAMES[] = {"Gelu", "Gelu", "Gelu (tanh)",    "HardSwish", "HardSwish",
                                            "SiLU", "SiLU", "Gelu (sigmoid)", "HardSwish", "Mish"};

static void test_spelled_activations(void **state)
{
    (void)state;
    for (int way = 0; way < 10; way++) {
        maker *m = start();
        const char *x = maker_dense(m, "fc1", maker_input(m, "x", DIMS(-1, 6)), 6, 4);
        x = maker_dense(m, "fc2", spelled(m, x, way), 4, 3);
        const char *first = cnx_print(m->arena, "Gemm: 6 -> 4, %s", SPELLED_NAMES[way]);
        expect(m, x, LIST(first, "Gemm: 4 -> 3"));

        m = start();
        x = spelled(m, maker_input(m, "x", DIMS(-1, 6)), way);
        first = cnx_print(m->arena, "Activation: %s", SPELLED_NAMES[way]);
        expect(m, maker_dense(m, "fc", x, 6, 3), LIST(first, "Gemm: 6 -> 3"));
    }
}

static void test_hard_sigmoid(void **state)
{
    (void)state;
    maker *m = start();
    const char *x = maker_dense(m, "fc", maker_input(m, "x", DIMS(-1, 6)), 6, 4);
    x = maker_binary(m, "Add", "plus3", x, number(m, 3));
    x = maker_node(m, "Clip", "clip", INPUTS(x, number(m, 0), number(m, 6)));
    x = maker_binary(m, "Mul", "mul", x, number(m, 1.0f / 6));
    expect(m, x, LIST("Gemm: 6 -> 4, HardSigmoid"));
}

/* ---- normalization ---- */

static void test_layer_normalization(void **state)
{
    (void)state;
    for (int way = 0; way < 4; way++) {
        maker *m = start();
        const char *x = layer_norm(m, "ln", maker_input(m, "x", DIMS(-1, 7, 6)), 6, way);
        const cnx_inspection *report = inspect(m, x);
        check_sums(report);
        assert_int_equal(report->block_count, 1);
        assert_string_equal(report->blocks[0].detail, "LayerNormalization 6");
        assert_int_equal(report->blocks[0].parameters, 12);
        maker_destroy(m);
    }
}

static void test_rms_normalization(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        maker *m = start();
        const char *x = maker_input(m, "x", DIMS(-1, 7, 6));
        const char *mean = reduce_mean(m, "mean", maker_binary(m, "Pow", "square", x, number(m, 2)), -1);
        const char *sum = maker_binary(m, "Add", "eps", mean, number(m, 1e-6f));
        const char *y;
        if (way == 0) {
            const char *inverse =
                maker_binary(m, "Div", "inverse", number(m, 1), maker_unary(m, "Sqrt", "root", sum));
            y = maker_binary(m, "Mul", "mul", x, inverse);
        } else {
            y = maker_binary(m, "Mul", "mul", x, maker_binary(m, "Pow", "root", sum, number(m, -0.5f)));
        }
        y = maker_binary(m, "Mul", "scale", tensor(m, "weight", DIMS(6)), y);
        expect(m, y, LIST("Normalization: RMSNormalization 6"));
    }
}

static void test_group_normalization(void **state)
{
    (void)state;
    maker *m = start();
    const char *x = reshape(m, "split", maker_input(m, "x", DIMS(2, 8, 5, 5)), 3, (int64_t[]){0, 4, -1});
    x = maker_node(m, "InstanceNormalization", "norm",
                   INPUTS(x, tensor(m, "ones", DIMS(4)), tensor(m, "zeros", DIMS(4))));
    x = reshape(m, "merge", x, 4, (int64_t[]){2, 8, 5, 5});
    x = maker_binary(m, "Mul", "scale", x, tensor(m, "weight", DIMS(8, 1, 1)));
    x = maker_binary(m, "Add", "add", x, tensor(m, "bias", DIMS(8, 1, 1)));
    expect(m, swish(m, x, 0), LIST("Normalization: GroupNormalization 8, 4 groups, SiLU"));
}

static void test_l2_normalization(void **state)
{
    (void)state;
    maker *m = start();
    const char *x = maker_input(m, "x", DIMS(4, 6));
    const char *norm = maker_unary(m, "ReduceL2", "norm", x);
    maker_ints(m, "axes", 1, (int64_t[]){1});
    norm = maker_binary(m, "Clip", "bound", norm, number(m, 1e-12f));
    norm = maker_binary(m, "Expand", "expand", norm, maker_unary(m, "Shape", "shape", x));
    expect(m, maker_binary(m, "Div", "div", x, norm), LIST("Normalization: L2 4 x 6"));
}

static void test_single_normalization(void **state)
{
    (void)state;
    maker *m = start();
    const char *x =
        maker_unary(m, "Relu", "relu", batch_norm(m, "bn", maker_input(m, "x", DIMS(-1, 3, 4, 4)), 3));
    expect(m, x, LIST("Normalization: BatchNormalization 3, Relu"));
}

/* ---- attention ---- */

static const char *split_heads(maker *m, const char *name, const char *x, int64_t heads, int64_t width)
{
    x = reshape(m, named(m, name, "split"), x, 4, (int64_t[]){0, 0, heads, width});
    return transpose(m, named(m, name, "swap"), x, 4, (int64_t[]){0, 2, 1, 3});
}

static const char *attend(maker *m, const char *q, const char *k, const char *v, float scale,
                          const char *bias)
{
    k = transpose(m, "keys", k, 4, (int64_t[]){0, 1, 3, 2});
    const char *scores = maker_binary(m, "MatMul", "scores", q, k);
    scores = maker_binary(m, "Div", "scaled", scores, number(m, scale));
    if (bias != NULL)
        scores = maker_binary(m, "Add", "biased", scores, bias);
    return maker_binary(m, "MatMul", "context", maker_unary(m, "Softmax", "softmax", scores), v);
}

static const char *merge_heads(maker *m, const char *x, int64_t width)
{
    x = transpose(m, "unswap", x, 4, (int64_t[]){0, 2, 1, 3});
    return reshape(m, "merge", x, 3, (int64_t[]){0, 0, width});
}

static void test_attention(void **state)
{
    (void)state;
    maker *m = start();
    const char *x = maker_input(m, "x", DIMS(2, 5, 12));
    const char *q = split_heads(m, "qs", linear(m, "q", x, 12, 12), 3, 4);
    const char *k = split_heads(m, "ks", linear(m, "k", x, 12, 12), 3, 4);
    const char *v = split_heads(m, "vs", linear(m, "v", x, 12, 15), 3, 5);
    const char *y = linear(m, "out", merge_heads(m, attend(m, q, k, v, 2, NULL), 15), 15, 12);
    const cnx_inspection *report = inspect(m, maker_binary(m, "Add", "residual", x, y));
    check_sums(report);
    assert_int_equal(report->block_count, 2);
    assert_string_equal(report->blocks[0].kind, "Attention");
    assert_string_equal(report->blocks[0].detail,
                        "self, 3 heads, keys 4 wide, values 5 wide, query 12 -> 12, "
                        "key 12 -> 12, value 12 -> 15, output 15 -> 12");
    assert_string_equal(report->blocks[1].kind, "Residual");
    double projections = 2 * 5 * (12 * 12 + 12 * 12 + 12 * 15 + 15 * 12), products = 2 * 3 * 5 * 5 * (4 + 5);
    assert_true(report->blocks[0].macs.value == projections + products);
    assert_int_equal(report->blocks[0].parameters, 2 * (144 + 12) + (180 + 15) + (180 + 12));
    maker_destroy(m);
}

static void test_cross_attention_with_mask_and_bias(void **state)
{
    (void)state;
    maker *m = start();
    const char *x = maker_input(m, "x", DIMS(2, 5, 12)), *y = maker_input(m, "y", DIMS(2, 7, 8));
    const char *q = split_heads(m, "qs", linear(m, "q", x, 12, 12), 3, 4);
    const char *k = split_heads(m, "ks", linear(m, "k", y, 8, 12), 3, 4);
    const char *v = split_heads(m, "vs", linear(m, "v", y, 8, 12), 3, 4);
    const char *bias = tensor(m, "relative", DIMS(3, 5, 7));
    const char *mask = maker_input(m, "mask", DIMS(2, 1, 5, 7));
    q = maker_binary(m, "Mul", "prescale", q, number(m, 0.5f));
    k = transpose(m, "keys", k, 4, (int64_t[]){0, 1, 3, 2});
    const char *scores = maker_binary(m, "Add", "biased", maker_binary(m, "MatMul", "scores", q, k), bias);
    scores = maker_binary(m, "Add", "masked", scores, mask);
    const char *p = maker_unary(m, "Softmax", "softmax", scores);
    const char *z = merge_heads(m, maker_binary(m, "MatMul", "context", p, v), 12);
    expect(m, linear(m, "out", z, 12, 12),
           LIST("Attention: cross, 3 heads of 4, query 12 -> 12, key 8 -> 12, "
                "value 8 -> 12, output 12 -> 12, learned bias, mask"));
}

/* Two key-value heads for four query heads, repeated by Expand; queries and keys rotated. */
static const char *rotate(maker *m, const char *name, const char *x, const char *cosine, const char *sine)
{
    const char *ends[] = {integers(m, named(m, name, "0"), 1, (int64_t[]){0}),
                          integers(m, named(m, name, "2"), 1, (int64_t[]){2}),
                          integers(m, named(m, name, "4"), 1, (int64_t[]){4})};
    const char *axis = integers(m, named(m, name, "axis"), 1, (int64_t[]){3});
    const char *low = maker_node(m, "Slice", named(m, name, "low"), INPUTS(x, ends[0], ends[1], axis));
    const char *high = maker_node(m, "Slice", named(m, name, "high"), INPUTS(x, ends[1], ends[2], axis));
    const char *turned = maker_binary(m, "Concat", named(m, name, "turned"),
                                      maker_unary(m, "Neg", named(m, name, "neg"), high), low);
    maker_int(m, "axis", 3);
    return maker_binary(m, "Add", named(m, name, "sum"),
                        maker_binary(m, "Mul", named(m, name, "cos"), x, cosine),
                        maker_binary(m, "Mul", named(m, name, "sin"), turned, sine));
}

static const char *repeat_heads(maker *m, const char *name, const char *x)
{
    x = reshape(m, named(m, name, "apart"), x, 5, (int64_t[]){2, 2, 1, 5, 4});
    x = maker_binary(m, "Expand", named(m, name, "expand"), x,
                     integers(m, named(m, name, "to"), 5, (int64_t[]){2, 2, 2, 5, 4}));
    return reshape(m, named(m, name, "together"), x, 4, (int64_t[]){2, 4, 5, 4});
}

static void test_grouped_queries_with_rotation(void **state)
{
    (void)state;
    maker *m = start();
    const char *x = maker_input(m, "x", DIMS(2, 5, 12));
    const char *cosine = maker_input(m, "cosine", DIMS(5, 4)), *sine = maker_input(m, "sine", DIMS(5, 4));
    const char *q = rotate(m, "rq", split_heads(m, "qs", linear(m, "q", x, 12, 16), 4, 4), cosine, sine);
    const char *k = rotate(m, "rk", split_heads(m, "ks", linear(m, "k", x, 12, 8), 2, 4), cosine, sine);
    const char *v = split_heads(m, "vs", linear(m, "v", x, 12, 8), 2, 4);
    const char *y = attend(m, q, repeat_heads(m, "kr", k), repeat_heads(m, "vr", v), 2, NULL);
    expect(m, linear(m, "out", merge_heads(m, y, 16), 16, 12),
           LIST("Attention: self, 4 heads of 4, 2 key-value heads, query 12 -> 16, "
                "key 12 -> 8, value 12 -> 8, output 16 -> 12, rotary positions"));
}

/* Attention without projections, of values that a layer with an activation made: the layer stays a block. */
static void test_bare_attention(void **state)
{
    (void)state;
    maker *m = start();
    const char *x = maker_unary(m, "Relu", "relu", linear(m, "fc", maker_input(m, "x", DIMS(5, 12)), 12, 6));
    const char *scores =
        maker_binary(m, "MatMul", "scores", x, transpose(m, "keys", x, 2, (int64_t[]){1, 0}));
    const char *p = maker_unary(m, "Softmax", "softmax", scores);
    expect(m, maker_binary(m, "MatMul", "context", p, x),
           LIST("Gemm: 12 -> 6, Relu", "Attention: self, keys 6 wide, values 6 wide"));
}

/* Joining two tensors is worth a row of its own when no projection follows. */
static void test_attention_over_joined_values(void **state)
{
    (void)state;
    maker *m = start();
    const char *a = maker_input(m, "a", DIMS(5, 6)), *b = maker_input(m, "b", DIMS(3, 6));
    const char *x = maker_binary(m, "Concat", "join", a, b);
    maker_int(m, "axis", 0);
    const char *scores =
        maker_binary(m, "MatMul", "scores", x, transpose(m, "keys", x, 2, (int64_t[]){1, 0}));
    const char *p = maker_unary(m, "Softmax", "softmax", scores);
    expect(m, maker_binary(m, "MatMul", "context", p, x),
           LIST("Concat: 5 + 3 -> 8, axis 0", "Attention: self, keys 6 wide, values 6 wide"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spelled_activations),
        cmocka_unit_test(test_hard_sigmoid),
        cmocka_unit_test(test_layer_normalization),
        cmocka_unit_test(test_rms_normalization),
        cmocka_unit_test(test_group_normalization),
        cmocka_unit_test(test_l2_normalization),
        cmocka_unit_test(test_single_normalization),
        cmocka_unit_test(test_attention),
        cmocka_unit_test(test_cross_attention_with_mask_and_bias),
        cmocka_unit_test(test_grouped_queries_with_rotation),
        cmocka_unit_test(test_bare_attention),
        cmocka_unit_test(test_attention_over_joined_values),
    };
    return cmocka_run_group_tests_name("blocks_spelled", tests, NULL, NULL);
}
