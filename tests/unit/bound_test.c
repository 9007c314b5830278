/* Which networks the covering-number theorems are applied to, with which constants, and what is said about
 * it. */
#include "model_maker.h"

#include <math.h>

#include "analyze/bounds/log_combinatorics.h"

static const cnx_bound_options usual = {.epsilon = 0.01, .input_bound = 1.0, .parameter_bound = 1.0};

/* ---- helpers ---- */

static const cnx_bound *bound_of(maker *m, const cnx_bound_options *options)
{
    const cnx_bound *bound = NULL;
    cnx_error error = {0};
    if (cnx_find_bound(maker_open(m), options, &bound, &error) != CNX_OK)
        fail_msg("%s: %s", error.place, error.message);
    return bound;
}

static bool has_note(const cnx_bound *bound, const char *words)
{
    for (size_t i = 0; i < bound->note_count; i++)
        if (strstr(bound->notes[i], words) != NULL)
            return true;
    return false;
}

static void expect_note(const cnx_bound *bound, const char *words)
{
    assert_true(bound->applies);
    if (!has_note(bound, words))
        fail_msg("no note says \"%s\"", words);
}

static const cnx_bound_input *input_named(const cnx_bound *bound, const char *name)
{
    for (size_t i = 0; i < bound->input_count; i++)
        if (strcmp(bound->inputs[i].name, name) == 0)
            return &bound->inputs[i];
    fail_msg("no input \"%s\"", name);
    return NULL;
}

static void expect_close(double actual, double expected)
{
    if (!(fabs(actual - expected) <= 1e-9 * fabs(expected)))
        fail_msg("%.15g instead of %.15g", actual, expected);
}

/* Refused, with a reason that contains `words`; destroys the maker. */
static void expect_refusal(maker *m, const char *words)
{
    const cnx_bound *bound = bound_of(m, &usual);
    if (bound->applies)
        fail_msg("accepted; \"%s\" was expected", words);
    if (strstr(bound->why_not, words) == NULL)
        fail_msg("\"%s\" instead of \"%s\"", bound->why_not, words);
    assert_int_equal(bound->layer_count, 0);
    assert_true(bound->log_group_order >= 0.0);
    maker_destroy(m);
}

static const char *vector_input(maker *m, int64_t size)
{
    return maker_input(m, "x", 2, (int64_t[]){-1, size});
}

/* x -> 5 -> `op_type` -> 2 with an output; the maker is left open for more. */
static maker *shallow(const char *op_type)
{
    maker *m = maker_create();
    const char *x = maker_unary(m, op_type, "act", maker_dense(m, "one", vector_input(m, 3), 3, 5));
    maker_output(m, maker_dense(m, "two", x, 5, 2));
    return m;
}

/* ---- what the theorems cover ---- */

static void test_slides_example(void **state)
{
    (void)state;
    maker *m = maker_create();
    const char *x = maker_dense(m, "one", vector_input(m, 3), 3, 4);
    x = maker_dense(m, "two", maker_unary(m, "Relu", "relu", x), 4, 3);
    maker_output(m, maker_dense(m, "three", maker_unary(m, "Tanh", "tanh", x), 3, 2));
    const cnx_bound *bound =
        bound_of(m, &(cnx_bound_options){.epsilon = 0.1, .input_bound = 1, .parameter_bound = 1});
    assert_true(bound->applies);
    assert_string_equal(bound->theorem, "Theorem 4");
    assert_int_equal(bound->depth, 2);
    assert_int_equal(bound->width, 4);
    assert_int_equal(bound->size, 39);
    assert_int_equal(bound->neurons, 7);
    assert_int_equal(bound->layer_count, 4);
    const uint64_t widths[] = {3, 4, 3, 2};
    assert_memory_equal(bound->layers, widths, sizeof widths);
    expect_close(bound->log_covering_number, 461.63311677747741918);
    expect_close(bound->log_covering_number_reduced, 456.66330347790141855);
    expect_close(bound->log_reduction, log(24.0 * 6.0));
    expect_close(bound->log_group_order, bound->log_reduction);
    assert_true(bound->condition_holds);
    assert_string_equal(input_named(bound, "B")->source, "given");
    assert_true(strstr(input_named(bound, "rho_2")->source, "Tanh after node \"two\"") != NULL);
    expect_note(bound, "printed for one output");
    assert_int_equal(bound->note_count, 1);
    maker_destroy(m);
}

static void test_shallow_128(void **state)
{
    (void)state;
    maker *m = maker_create();
    const char *x = maker_unary(m, "Sigmoid", "s", maker_dense(m, "one", vector_input(m, 10), 10, 128));
    maker_output(m, maker_dense(m, "two", x, 128, 1));
    const cnx_bound *bound = bound_of(m, &usual);
    assert_true(bound->applies);
    assert_string_equal(bound->theorem, "Theorem 3");
    expect_close(bound->log_reduction / CNX_LN_10, 215.58616009354199740);
    expect_close(bound->log_group_order, bound->log_reduction);
    /* thm3/10-128 at rho = 1, and S_h ln rho on top */
    expect_close(bound->log_covering_number_reduced, 21135.684339590034207 + 1408.0 * log(0.25));
    expect_note(bound, "s(0) = 0.5");
    maker_destroy(m);
}

static void test_spellings_of_a_layer(void **state)
{
    (void)state;
    maker *m = maker_create();
    const char *x = maker_input(m, "image", 4, (int64_t[]){-1, 1, 2, 2});
    x = maker_unary(m, "Flatten", "flat", x);
    x = maker_binary(m, "MatMul", "product", x, maker_weight(m, "w1", 4, 6));
    x = maker_binary(m, "Add", "sum", maker_weight(m, "b1", 6, 0), x);
    x = maker_unary(m, "Dropout", "dropout", maker_unary(m, "Relu", "relu", x));
    const char *turned = maker_unary(m, "Transpose", "turned", maker_weight(m, "w2", 3, 6));
    x = maker_binary(m, "MatMul", "last", maker_unary(m, "Identity", "same", x), turned);
    maker_output(m, x);
    const cnx_bound *bound = bound_of(m, &usual);
    assert_true(bound->applies);
    const uint64_t widths[] = {4, 6, 3};
    assert_int_equal(bound->layer_count, 3);
    assert_memory_equal(bound->layers, widths, sizeof widths);
    assert_int_equal(bound->size, 4 * 6 + 6 + 6 * 3 + 3);
    expect_note(bound, "node \"last\" (MatMul): no bias");
    maker_destroy(m);
}

static void test_heads(void **state)
{
    (void)state;
    maker *m = maker_create();
    const char *x = maker_unary(m, "Relu", "relu", maker_dense(m, "one", vector_input(m, 3), 3, 5));
    const char *first = maker_dense(m, "first", x, 5, 2);
    maker_output(m, first);
    maker_output(m, maker_unary(m, "Softmax", "p", first));
    maker_output(m, maker_unary(m, "Sigmoid", "q", maker_dense(m, "second", x, 5, 4)));
    const cnx_bound *bound = bound_of(m, &usual);
    assert_true(bound->applies);
    assert_int_equal(bound->layers[2], 6);
    assert_int_equal(bound->depth, 1);
    expect_note(bound, "before the final Softmax; Sigmoid, which does not increase distances");
    maker_destroy(m);
}

static void test_final_logarithm(void **state)
{
    (void)state;
    maker *m = maker_create();
    const char *x = maker_unary(m, "Relu", "relu", maker_dense(m, "one", vector_input(m, 3), 3, 5));
    maker_output(m, maker_unary(m, "LogSoftmax", "p", maker_dense(m, "two", x, 5, 2)));
    expect_note(bound_of(m, &usual), "at most 2 times: for the whole network it holds at the radius 0.02");
    maker_destroy(m);
}

/* ---- constants ---- */

static void test_measured_bound(void **state)
{
    (void)state;
    cnx_bound_options measure = usual;
    measure.parameter_bound = 0.0;
    maker *m = maker_create();
    const char *x = vector_input(m, 2);
    const float weight[] = {0.5f, -0.75f, 0.25f, 0.125f}, bias[] = {-1.5f, 1.0f};
    maker_floats(m, "w", 2, (int64_t[]){2, 2}, 4, weight);
    maker_floats(m, "b", 1, (int64_t[]){2}, 2, bias);
    x = maker_node(m, "Gemm", "one", 3, (const char *[]){x, "w", "b"});
    maker_float(m, "alpha", -4.0f);
    maker_float(m, "beta", 0.5f);
    const double wide[] = {2.0, -2.875};
    maker_tensor(m, "v", CNX_TYPE_DOUBLE, 2, (int64_t[]){2, 1}, wide, sizeof wide);
    maker_output(m, maker_binary(m, "MatMul", "two", maker_unary(m, "Relu", "relu", x), "v"));
    const cnx_bound *bound = bound_of(m, &measure);
    assert_true(bound->applies);
    assert_true(input_named(bound, "B")->value == 3.0); /* 4 * 0.75 */
    assert_string_equal(input_named(bound, "B")->source, "measured: largest absolute parameter");
    expect_note(bound, "alpha and beta are multiplied into the parameters");
    maker_destroy(m);
}

static void test_small_floats(void **state)
{
    (void)state;
    cnx_bound_options measure = usual;
    measure.parameter_bound = 0.0;
    const uint16_t half[] = {0x3c00, 0xc500};  /* 1, -5 */
    const uint16_t brain[] = {0x3f80, 0xc120}; /* 1, -10 */
    maker *m = maker_create();
    maker_tensor(m, "w", CNX_TYPE_FLOAT16, 2, (int64_t[]){1, 2}, half, sizeof half);
    maker_tensor(m, "v", CNX_TYPE_BFLOAT16, 2, (int64_t[]){2, 1}, brain, sizeof brain);
    const char *x = maker_binary(m, "MatMul", "one", vector_input(m, 1), "w");
    maker_output(m, maker_binary(m, "MatMul", "two", maker_unary(m, "Relu", "relu", x), "v"));
    assert_true(input_named(bound_of(m, &measure), "B")->value == 10.0);
    maker_destroy(m);
}

static void test_given_bound_too_small(void **state)
{
    (void)state;
    cnx_bound_options small = usual;
    small.parameter_bound = 0.25;
    maker *m = shallow("Relu");
    expect_note(bound_of(m, &small), "this network is not in the class");
    maker_destroy(m);
}

static void test_coarse_cover(void **state)
{
    (void)state;
    cnx_bound_options coarse = usual;
    coarse.epsilon = 1e6;
    maker *m = shallow("Relu");
    const cnx_bound *bound = bound_of(m, &coarse);
    expect_note(bound, "needs base >= 2 max d_l = 10");
    expect_note(bound, "below one network");
    assert_false(bound->condition_holds);
    assert_true(bound->log_covering_number == 0.0 && bound->log_covering_number_reduced == 0.0);
    assert_true(bound->log_reduction > 0.0);
    maker_destroy(m);
}

static void test_steep_activation(void **state)
{
    (void)state;
    maker *m = maker_create();
    const char *x = maker_unary(m, "HardSwish", "act", maker_dense(m, "one", vector_input(m, 3), 3, 5));
    maker_output(m, maker_dense(m, "two", x, 5, 1));
    const cnx_bound *bound = bound_of(m, &usual);
    expect_note(bound, "a safe bound is larger by d_1 ln rho = 2.02733");
    maker_destroy(m);
}

/* s(0) != 0 is covered while the constants are large, and refused when they are not. */
static void test_offset_activation(void **state)
{
    (void)state;
    cnx_bound_options tiny = usual;
    tiny.parameter_bound = 0.01;
    maker *m = shallow("Sigmoid");
    expect_note(bound_of(m, &usual), "covers this network all the same");
    const cnx_bound *bound;
    cnx_error error;
    assert_int_equal(cnx_find_bound(m->opened, &tiny, &bound, &error), CNX_OK);
    assert_false(bound->applies);
    assert_true(strstr(bound->why_not, "takes s(0) for 0, does not cover it") != NULL);
    maker_destroy(m);
    m = shallow("Relu");
    expect_note(bound_of(m, &tiny), "the printed bound may be too low");
    maker_destroy(m);
}

static void test_spelled_activation(void **state)
{
    (void)state;
    maker *m = maker_create();
    const char *x = maker_dense(m, "one", vector_input(m, 3), 3, 5);
    const char *half = maker_number(m, "half", 0.5f), *one = maker_number(m, "unit", 1.0f);
    const char *scaled = maker_binary(m, "Div", "scaled", x, maker_number(m, "root", 1.41421354f));
    const char *sum = maker_binary(m, "Add", "sum", one, maker_unary(m, "Erf", "erf", scaled));
    x = maker_binary(m, "Mul", "gelu", maker_binary(m, "Mul", "halved", half, x), sum);
    x = maker_dense(m, "two", x, 5, 4);
    x = maker_binary(m, "Mul", "silu", maker_unary(m, "Sigmoid", "sigmoid", x), x);
    maker_output(m, maker_dense(m, "three", x, 4, 2));
    const cnx_bound *bound = bound_of(m, &usual);
    expect_note(bound, "Gelu is spelled with 5 nodes");
    expect_note(bound, "Swish is spelled with 2 nodes");
    expect_close(input_named(bound, "rho_1")->value, 1.12890414518515478630);
    expect_close(input_named(bound, "rho_2")->value, 1.09983932012886691700);
    maker_destroy(m);
}

static void test_composed_activations(void **state)
{
    (void)state;
    maker *m = maker_create();
    const char *x = maker_unary(m, "Sigmoid", "s", maker_dense(m, "one", vector_input(m, 3), 3, 5));
    x = maker_unary(m, "LeakyRelu", "leaky", x);
    maker_float(m, "alpha", -3.0f);
    maker_output(m, maker_dense(m, "two", x, 5, 2));
    const cnx_bound *bound = bound_of(m, &usual);
    assert_true(bound->applies);
    expect_close(input_named(bound, "rho_1")->value, 0.75);
    expect_note(bound, "Sigmoid, LeakyRelu has s(0) = 0.5");
    maker_destroy(m);
}

/* ---- refusals ---- */

static void test_refused_operators(void **state)
{
    (void)state;
    expect_refusal(shallow("Sign"), "Sign after node \"one\" (Gemm) has no Lipschitz constant");
    expect_refusal(shallow("Softmax"), "node \"act\" (Softmax): is not a function of one unit");
    expect_refusal(shallow("Transpose"), "node \"act\" (Transpose): moves the axes between two layers");
    expect_refusal(shallow("ReduceMax"), "node \"act\" (ReduceMax): is neither");
    maker *m = maker_create();
    maker_output(m, maker_dense(m, "one", vector_input(m, 3), 3, 5));
    expect_refusal(m, "node \"one\" (Gemm): the only layer");
    m = maker_create();
    maker_output(m, maker_unary(m, "Relu", "relu", vector_input(m, 3)));
    expect_refusal(m, "node \"relu\" (Relu): works on the input before the first layer");
    m = maker_create();
    vector_input(m, 3);
    maker_output(m, maker_unary(m, "Identity", "fixed", maker_weight(m, "w", 3, 3)));
    expect_refusal(m, "does not depend on the inputs");
    m = shallow("Cast");
    m->graph->node[1]->n_attribute = 0;
    Onnx__NodeProto *last = m->graph->node[2];
    m->graph->n_node = 2;
    maker_int(m, "to", CNX_TYPE_INT32);
    m->graph->node[m->graph->n_node++] = last;
    expect_refusal(m, "node \"act\" (Cast): rounds to a type");
}

static void test_refused_joins(void **state)
{
    (void)state;
    maker *m = maker_create();
    const char *x = maker_dense(m, "one", vector_input(m, 4), 4, 4);
    x = maker_binary(m, "Add", "sum", x, maker_dense(m, "two", maker_unary(m, "Relu", "relu", x), 4, 4));
    maker_output(m, maker_dense(m, "three", x, 4, 2));
    expect_refusal(m, "node \"sum\" (Add): joins two computed values");
    m = maker_create();
    x = maker_dense(m, "one", vector_input(m, 4), 4, 4);
    x = maker_binary(m, "Mul", "gate", x, maker_unary(m, "Cos", "cos", x));
    maker_output(m, maker_dense(m, "three", x, 4, 2));
    expect_refusal(m, "node \"gate\" (Mul): joins two computed values");
    m = maker_create();
    x = maker_unary(m, "Relu", "relu", maker_dense(m, "one", vector_input(m, 4), 4, 4));
    maker_output(m, x);
    maker_output(m, maker_dense(m, "two", x, 4, 2));
    expect_refusal(m, "node \"one\" (Gemm): the only layer");
    m = maker_create();
    x = maker_unary(m, "Relu", "relu", maker_dense(m, "one", vector_input(m, 4), 4, 4));
    x = maker_unary(m, "Relu", "relu2", maker_dense(m, "two", x, 4, 4));
    maker_output(m, x);
    maker_output(m, maker_dense(m, "three", x, 4, 2));
    expect_refusal(m, "outputs \"relu2\" and \"three\" are not last layers over one last hidden layer");
}

static void test_refused_weights(void **state)
{
    (void)state;
    maker *m = maker_create();
    const char *x = maker_binary(m, "MatMul", "one", vector_input(m, 4), maker_weight(m, "w", 4, 4));
    maker_output(m, maker_binary(m, "MatMul", "two", maker_unary(m, "Relu", "relu", x), "w"));
    expect_refusal(m, "initializer \"w\": used more than once");
    m = maker_create();
    x = maker_binary(m, "MatMul", "one", maker_weight(m, "w", 4, 4),
                     maker_input(m, "x", 2, (int64_t[]){4, 1}));
    maker_output(m, x);
    expect_refusal(m, "node \"one\" (MatMul): the weight is not the second factor");
    m = shallow("Relu");
    ((float *)m->graph->initializer[0]->raw_data.data)[7] = NAN;
    expect_refusal(m, "initializer \"one.weight\": has an entry that is not a finite number");
    m = maker_create();
    const float slopes[] = {0.1f, 0.2f, 0.3f, 0.4f};
    x = maker_dense(m, "one", vector_input(m, 4), 4, 4);
    x = maker_binary(m, "PRelu", "prelu", x, maker_floats(m, "slopes", 1, (int64_t[]){4}, 4, slopes));
    maker_output(m, maker_dense(m, "two", x, 4, 2));
    expect_refusal(m, "node \"prelu\" (PRelu): its function differs from unit to unit");
    m = maker_create();
    x = maker_input(m, "x", 3, (int64_t[]){-1, 2, 4});
    x = maker_unary(m, "Relu", "relu", maker_binary(m, "MatMul", "one", x, maker_weight(m, "w", 4, 3)));
    maker_output(m, maker_dense(m, "two", maker_unary(m, "Flatten", "flat", x), 6, 2));
    expect_refusal(m, "node \"two\" (Gemm): reads 6 values where the layer before has 3 units");
}

static void test_defaults_are_named(void **state)
{
    (void)state;
    maker *m = shallow("Relu");
    const cnx_bound *bound = bound_of(m, &(cnx_bound_options){0});
    assert_string_equal(input_named(bound, "epsilon")->source, "default");
    assert_true(input_named(bound, "epsilon")->value == 0.01);
    assert_string_equal(input_named(bound, "B_x")->source, "default");
    assert_true(input_named(bound, "B_x")->value == 1.0);
    maker_destroy(m);
}

static void test_bad_options(void **state)
{
    (void)state;
    maker *m = shallow("Relu");
    const cnx_bound_options bad[] = {
        {-0.5, 1.0, 0.0}, {0.1, -1.0, 0.0}, {0.1, 1.0, -1.0}, {NAN, 1.0, 0.0}, {0.1, INFINITY, 0.0}};
    cnx_model *model = maker_open(m);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const cnx_bound *bound;
        cnx_error error;
        assert_int_equal(cnx_find_bound(model, &bad[i], &bound, &error), CNX_ERROR_USAGE);
        assert_null(bound);
        assert_true(strstr(error.message, "was expected") != NULL);
    }
    maker_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slides_example),       cmocka_unit_test(test_shallow_128),
        cmocka_unit_test(test_spellings_of_a_layer), cmocka_unit_test(test_heads),
        cmocka_unit_test(test_final_logarithm),      cmocka_unit_test(test_measured_bound),
        cmocka_unit_test(test_small_floats),         cmocka_unit_test(test_given_bound_too_small),
        cmocka_unit_test(test_coarse_cover),         cmocka_unit_test(test_steep_activation),
        cmocka_unit_test(test_offset_activation),    cmocka_unit_test(test_spelled_activation),
        cmocka_unit_test(test_composed_activations), cmocka_unit_test(test_refused_operators),
        cmocka_unit_test(test_refused_joins),        cmocka_unit_test(test_refused_weights),
        cmocka_unit_test(test_defaults_are_named),   cmocka_unit_test(test_bad_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
