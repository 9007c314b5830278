/* Explanations: the chain of nodes from an axis to what pins it, and to what moves with it. */
#include "model_maker.h"

/* x -> first -> act -> second -> sum (+ act) -> third -> y: a residual stream of 4. */
static cnx_model *residual(maker *m)
{
    const char *x = maker_input(m, "x", 2, (int64_t[]){-1, 3});
    const char *act = maker_unary(m, "Relu", "act", maker_dense(m, "first", x, 3, 4));
    const char *second = maker_dense(m, "second", act, 4, 4);
    maker_output(m, maker_dense(m, "third", maker_binary(m, "Add", "sum", act, second), 4, 2));
    return maker_open(m);
}

static const cnx_explanation *explain(cnx_model *model, const char *tensor, int64_t axis, const char *other,
                                      int64_t other_axis)
{
    const cnx_explanation *explanation;
    cnx_error error = {0};
    cnx_axis_place first = {tensor, axis, -1}, second = {other, other_axis, -1};
    if (cnx_explain_axis(model, &first, other != NULL ? &second : NULL, &explanation, &error) != CNX_OK)
        fail_msg("%s", error.message);
    return explanation;
}

/* The nodes of a chain, in order; each step has to follow on from the one before. */
static void expect_chain(const cnx_explanation_part *part, size_t count, const char *const *nodes)
{
    assert_int_equal(part->step_count, count);
    for (size_t i = 0; i < count; i++) {
        const cnx_explanation_step *step = &part->steps[i];
        assert_true(step->after == (i == 0 ? SIZE_MAX : i - 1));
        if (i > 0)
            assert_string_equal(step->from, part->steps[i - 1].to);
        if (nodes[i] == NULL)
            assert_null(step->node);
        else
            assert_string_equal(step->node, nodes[i]);
    }
}

static bool ties(const cnx_explanation_part *part, const char *axis)
{
    for (size_t i = 0; i < part->step_count; i++)
        if (part->steps[i].ties && strcmp(part->steps[i].to, axis) == 0)
            return true;
    return false;
}

static void test_pinned_by_output(void **state)
{
    (void)state;
    maker *m = maker_create();
    const cnx_explanation *e = explain(residual(m), "third.bias", 0, NULL, 0);
    assert_string_equal(e->axis, "third.bias:0");
    assert_int_equal(e->extent, 2);
    assert_int_equal(e->part_count, 1);
    assert_false(e->parts[0].free);
    assert_string_equal(e->parts[0].pinned_by, "graph output \"third\"");
    expect_chain(&e->parts[0], 2, (const char *[]){"third", NULL});
    assert_string_equal(e->parts[0].steps[1].says, "graph output \"third\"");
    maker_destroy(m);
}

static void test_pinned_by_input(void **state)
{
    (void)state;
    maker *m = maker_create();
    const cnx_explanation *e = explain(residual(m), "first.weight", -1, NULL, 0);
    assert_string_equal(e->axis, "first.weight:1");
    expect_chain(&e->parts[0], 2, (const char *[]){"first", NULL});
    assert_string_equal(e->parts[0].steps[0].to, "x:1");
    assert_string_equal(e->parts[0].steps[1].says, "graph input \"x\"");
    maker_destroy(m);
}

static void test_free_axis(void **state)
{
    (void)state;
    maker *m = maker_create();
    const cnx_explanation *e = explain(residual(m), "first.weight", 0, NULL, 0);
    const cnx_explanation_part *part = &e->parts[0];
    assert_int_equal(e->part_count, 1);
    assert_true(part->free);
    assert_string_equal(part->group, "S_4");
    assert_string_equal(part->class_name, "first.weight:0");
    assert_true(ties(part, "first.bias:0") && ties(part, "second.weight:0") &&
                ties(part, "second.weight:1") && ties(part, "second.bias:0") && ties(part, "third.weight:1"));
    assert_false(ties(part, "third.weight:0"));
    maker_destroy(m);
}

static void test_two_axes(void **state)
{
    (void)state;
    maker *m = maker_create();
    cnx_model *model = residual(m);
    const cnx_explanation *e = explain(model, "second.bias", 0, "first.weight", 0);
    assert_true(e->tied);
    expect_chain(&e->parts[0], 4, (const char *[]){"second", "sum", "act", "first"});
    e = explain(model, "second.bias", 0, "third.weight", 0);
    assert_false(e->tied);
    assert_int_equal(e->part_count, 0);
    maker_destroy(m);
}

/* The pin stands behind nodes that have no parameters. */
static void test_long_way(void **state)
{
    (void)state;
    maker *m = maker_create();
    const char *x = maker_dense(m, "dense", maker_input(m, "x", 2, (int64_t[]){-1, 3}), 3, 4);
    x = maker_unary(m, "Tanh", "two", maker_unary(m, "Relu", "one", x));
    x = maker_unary(m, "ArgMax", "best", x);
    maker_int(m, "axis", 1);
    maker_output(m, x);
    const cnx_explanation *e = explain(maker_open(m), "dense.bias", 0, NULL, 0);
    expect_chain(&e->parts[0], 4, (const char *[]){"dense", "one", "two", "best"});
    assert_null(e->parts[0].steps[3].to);
    assert_string_equal(e->parts[0].steps[3].says, "reported positions of ArgMax best");
    maker_destroy(m);
}

/* Half of the positions go through another layer: two parts, and a note that tells them apart. */
static void test_parts(void **state)
{
    (void)state;
    maker *m = maker_create();
    const char *x = maker_input(m, "x", 2, (int64_t[]){-1, 3});
    x = maker_dense(m, "dense", x, 3, 5);
    int64_t numbers[2] = {0, 2}, one = 1;
    for (int i = 0; i < 2; i++)
        maker_tensor(m, i == 0 ? "start" : "end", CNX_TYPE_INT64, 1, &one, &numbers[i], 8);
    maker_tensor(m, "axis", CNX_TYPE_INT64, 1, &one, &one, 8);
    const char *cut = maker_node(m, "Slice", "cut", 4, (const char *[]){x, "start", "end", "axis"});
    maker_output(m, maker_dense(m, "left", cut, 2, 2));
    maker_output(m, maker_dense(m, "all", x, 5, 2));
    const cnx_explanation *e = explain(maker_open(m), "dense.weight", 0, NULL, 0);
    assert_int_equal(e->part_count, 2);
    assert_int_equal(e->parts[0].count, 2);
    assert_int_equal(e->parts[1].first, 2);
    assert_string_equal(e->parts[1].class_name, "dense.weight:0[2]");
    assert_true(ties(&e->parts[0], "left.weight:1") && ties(&e->parts[0], "all.weight:1"));
    assert_false(ties(&e->parts[1], "left.weight:1"));
    assert_int_equal(e->parts[0].note_count, 1);
    assert_non_null(strstr(e->parts[0].notes[0], "and position 2 does not"));
    maker_destroy(m);
}

static void refuse(cnx_model *model, const char *tensor, int64_t axis, int64_t position, const char *words)
{
    const cnx_explanation *explanation;
    cnx_error error = {0};
    cnx_axis_place place = {tensor, axis, position};
    assert_int_equal(cnx_explain_axis(model, &place, NULL, &explanation, &error), CNX_ERROR_USAGE);
    assert_string_equal(error.message, words);
    assert_null(explanation);
}

static void test_refusals(void **state)
{
    (void)state;
    maker *m = maker_create();
    cnx_model *model = residual(m);
    refuse(model, "fourth.weight", 0, -1, "the model has no tensor \"fourth.weight\"");
    refuse(model, "third.weight", 2, -1, "\"third.weight\" has no axis 2 (it has 2)");
    refuse(model, "third.weight", -3, -1, "\"third.weight\" has no axis -3 (it has 2)");
    refuse(model, "third.weight", 0, 2, "third.weight:0 has no position 2 (it has 2)");
    maker_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pinned_by_output), cmocka_unit_test(test_pinned_by_input),
        cmocka_unit_test(test_free_axis),        cmocka_unit_test(test_two_axes),
        cmocka_unit_test(test_long_way),         cmocka_unit_test(test_parts),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
