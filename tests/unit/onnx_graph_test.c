/* Graphs: names become values, orders are found, edits are written back, and bad graphs are refused. */
#include "fixture.h"

static uint32_t value_named(const cnx_graph *graph, const char *name)
{
    for (uint32_t i = 0; i < graph->value_count; i++)
        if (strcmp(graph->values[i].name, name) == 0)
            return i;
    fail_msg("no value \"%s\"", name);
    return CNX_NONE;
}

/* Adds input x and output y, writes the file, and frees the graph. */
static const char *write_graph(buffer *graph)
{
    put_port(graph, GRAPH_INPUT, "x");
    put_port(graph, GRAPH_OUTPUT, "y");
    buffer model = make_model(graph);
    write_buffer("m.onnx", &model);
    return "m.onnx";
}

/* An attribute that holds a graph. Frees the graph. */
static void put_graph_attribute(buffer *node, const char *name, buffer *graph)
{
    buffer attribute = {0};
    put_text(&attribute, 1, name);
    put_message(&attribute, 6, graph);
    put_number(&attribute, 20, 5);
    put_message(node, 5, &attribute);
}

/* ---- what graphs know ---- */

static void test_values_and_uses(void **state)
{
    (void)state;
    buffer graph = {0};
    put_floats(&graph, "w", 2);
    put_node(&graph, "Add", "a", "x,w", "s");
    put_node(&graph, "Clip", "c", "s,,w", "t,");
    put_node(&graph, "Mul", "m", "s,s", "y");
    cnx_model *model = open_model(write_graph(&graph));
    const cnx_graph *g = model->graph;
    assert_int_equal(g->node_count, 3);
    assert_int_equal(g->order_count, 3);
    const cnx_value *s = &g->values[value_named(g, "s")];
    assert_int_equal(s->producer, 0);
    assert_int_equal(s->use_count, 3);
    assert_int_equal(s->uses[2].node, 2);
    assert_int_equal(s->uses[2].slot, 1);
    assert_int_equal(g->nodes[1].input_count, 3);
    assert_int_equal(g->nodes[1].inputs[1], CNX_NONE);
    assert_int_equal(g->nodes[1].output_count, 1);
    assert_int_equal(g->nodes[0].opset, 14);
    const cnx_value *w = &g->values[value_named(g, "w")];
    assert_non_null(w->initializer);
    assert_int_equal(w->producer, CNX_NONE);
    assert_true(g->values[value_named(g, "y")].is_output);
    assert_true(g->values[value_named(g, "x")].is_input);
    assert_non_null(g->values[value_named(g, "x")].info);
    assert_string_equal(cnx_node_place(g, &g->nodes[2]), "node \"m\" (Mul)");
    cnx_graph_check(g);
    cnx_model_close(model);
}

/* The file's order is kept where it is topological, and the smallest one is found where it is not. */
static void test_order(void **state)
{
    (void)state;
    buffer graph = {0};
    put_node(&graph, "Relu", "last", "b", "y");
    put_node(&graph, "Relu", "free", "x", "unused");
    put_node(&graph, "Relu", "middle", "a", "b");
    put_node(&graph, "Relu", "first", "x", "a");
    cnx_model *model = open_model(write_graph(&graph));
    static const uint32_t expected[] = {1, 3, 2, 0};
    assert_memory_equal(model->graph->order, expected, sizeof expected);
    cnx_graph_check(model->graph);
    cnx_model_close(model);
}

static void test_nested(void **state)
{
    (void)state;
    buffer innermost = {0}, inner = {0}, graph = {0};
    put_node(&innermost, "Add", "deep", "w,late", "z");
    put_port(&innermost, GRAPH_OUTPUT, "z");
    buffer node = make_node("If", "inside", "c", "q");
    put_graph_attribute(&node, "then_branch", &innermost);
    put_message(&inner, GRAPH_NODE, &node);
    put_node(&inner, "Relu", "shadow", "q", "w2");
    put_port(&inner, GRAPH_OUTPUT, "w2");
    buffer outer = make_node("If", "outside", "c", "y");
    put_graph_attribute(&outer, "then_branch", &inner);
    put_message(&graph, GRAPH_NODE, &outer);
    put_node(&graph, "Relu", "maker", "x", "late"); /* stored behind the node whose body reads it */
    put_node(&graph, "Cast", "cast", "x", "c");
    put_floats(&graph, "w", 1);
    cnx_model *model = open_model(write_graph(&graph));
    cnx_graph *main_graph = model->graph;
    cnx_graph *middle = main_graph->nodes[0].subgraphs[0].graph;
    const cnx_graph *deep = middle->nodes[0].subgraphs[0].graph;
    assert_ptr_equal(deep->parent, middle);
    uint32_t in_deep = value_named(deep, "w"), in_middle = value_named(middle, "w");
    assert_int_equal(deep->values[in_deep].captured_from, in_middle);
    assert_int_equal(middle->values[in_middle].captured_from, value_named(main_graph, "w"));
    const cnx_value *w = &main_graph->values[value_named(main_graph, "w")];
    assert_int_equal(w->use_count, 1);
    assert_int_equal(w->uses[0].node, 0);
    assert_int_equal(w->uses[0].slot, CNX_NONE);
    assert_int_equal(main_graph->order[2], 0);
    cnx_graph_check(main_graph);
    assert_string_equal(cnx_node_place(deep, &deep->nodes[0]),
                        "node \"outside\" (If), node \"inside\" (If), node \"deep\" (Add)");
    cnx_model_close(model);
}

static void put_function(buffer *model, const char *name, const char *callee)
{
    buffer function = {0}, node = make_node(callee, "", "a", "b");
    put_text(&function, 1, name);
    put_text(&function, 4, "a");
    put_text(&function, 5, "b");
    put_text(&node, 7, strcmp(callee, "Relu") == 0 ? "ai.onnx" : "own");
    put_message(&function, 7, &node);
    put_text(&function, 10, "own");
    put_message(model, 25, &function);
}

static buffer model_that_calls(const char *name)
{
    buffer graph = {0}, node = make_node(name, "call", "x", "y");
    put_text(&node, 7, "own");
    put_message(&graph, GRAPH_NODE, &node);
    put_port(&graph, GRAPH_INPUT, "x");
    put_port(&graph, GRAPH_OUTPUT, "y");
    return make_model(&graph);
}

static void test_functions(void **state)
{
    (void)state;
    buffer bytes = model_that_calls("F");
    put_function(&bytes, "F", "G");
    put_function(&bytes, "G", "Relu");
    write_buffer("f.onnx", &bytes);
    cnx_model *model = open_model("f.onnx");
    assert_int_equal(model->function_count, 2);
    assert_ptr_equal(model->graph->nodes[0].function, model->functions[0]);
    assert_ptr_equal(model->functions[0]->nodes[0].function, model->functions[1]);
    assert_null(model->functions[1]->nodes[0].function);
    assert_string_equal(model->functions[1]->nodes[0].domain, "");
    cnx_model_close(model);

    bytes = model_that_calls("F");
    put_function(&bytes, "F", "G");
    put_function(&bytes, "G", "F");
    write_buffer("f.onnx", &bytes);
    assert_refused("f.onnx", CNX_ERROR_GRAPH, "function \"F\"", "circle of functions");
    bytes = model_that_calls("F");
    put_function(&bytes, "F", "Relu");
    put_function(&bytes, "F", "Relu");
    write_buffer("f.onnx", &bytes);
    assert_refused("f.onnx", CNX_ERROR_GRAPH, "function \"F\"", "defined twice");
}

/* ---- what is refused ---- */

static void assert_bad_graph(buffer *graph, const char *place, const char *words)
{
    assert_refused(write_graph(graph), CNX_ERROR_GRAPH, place, words);
}

static void test_cycles(void **state)
{
    (void)state;
    buffer graph = {0};
    put_node(&graph, "Relu", "before", "x", "u");
    put_node(&graph, "Add", "one", "u,b", "a");
    put_node(&graph, "Relu", "two", "a", "b");
    put_node(&graph, "Relu", "behind", "b", "y");
    assert_bad_graph(&graph, "node \"one\" (Add)", "cycle");
    put_node(&graph, "Add", "self", "x,y", "y");
    assert_bad_graph(&graph, "node \"self\" (Add)", "cycle");
    buffer body = {0}, node = make_node("If", "loop", "x", "y"); /* the body reads what the node makes */
    put_node(&body, "Relu", "", "y", "z");
    put_port(&body, GRAPH_OUTPUT, "z");
    put_graph_attribute(&node, "then_branch", &body);
    put_message(&graph, GRAPH_NODE, &node);
    assert_bad_graph(&graph, "node \"loop\" (If)", "cycle");
}

static void test_definitions(void **state)
{
    (void)state;
    buffer graph = {0};
    put_node(&graph, "Relu", "n", "x", "y");
    put_node(&graph, "Relu", "m", "x", "y");
    assert_bad_graph(&graph, "node \"m\" (Relu)", "\"y\" is defined twice");
    put_node(&graph, "Relu", "n", "x", "x");
    assert_bad_graph(&graph, "node \"n\" (Relu)", "\"x\" is defined twice");
    put_node(&graph, "Relu", "n", "x", "y");
    put_floats(&graph, "w", 1);
    put_floats(&graph, "w", 1);
    assert_bad_graph(&graph, "initializer \"w\"", "defined twice");
    put_node(&graph, "Relu", "n", "x", "y");
    put_port(&graph, GRAPH_INPUT, "x");
    assert_bad_graph(&graph, "input \"x\"", "defined twice");
    put_node(&graph, "Relu", "n", "q", "y");
    assert_bad_graph(&graph, "node \"n\" (Relu)", "\"q\" is defined nowhere");
    put_node(&graph, "Relu", "n", "x", "z");
    assert_bad_graph(&graph, "output \"y\"", "nothing makes this output");
    put_node(&graph, "", "n", "x", "y");
    assert_bad_graph(&graph, "node \"n\"", "no op_type");
    put_port(&graph, GRAPH_INPUT, "");
    assert_bad_graph(&graph, "input #0", "no name");
    put_floats(&graph, "", 1);
    assert_bad_graph(&graph, "initializer #0", "no name");
}

static void test_attributes_twice(void **state)
{
    (void)state;
    for (unsigned others = 0; others < 40; others += 39) { /* few and many attributes take different ways */
        buffer graph = {0}, node = make_node("Relu", "n", "x", "y");
        for (unsigned i = 0; i < others + 2; i++) {
            char name[16];
            snprintf(name, sizeof name, "a%u", i < others ? i + 1 : 0);
            buffer attribute = {0};
            put_text(&attribute, 1, name);
            put_message(&node, 5, &attribute);
        }
        put_message(&graph, GRAPH_NODE, &node);
        assert_bad_graph(&graph, "node \"n\" (Relu)", "attribute \"a0\" is given twice");
    }
}

/* Names with control characters stay on one line of an error. */
static void test_hostile_names(void **state)
{
    (void)state;
    buffer graph = {0};
    put_node(&graph, "Relu", "a\nb\x1b[31m", "x\r\n", "y");
    assert_bad_graph(&graph, "node \"a?b?[31m\"", "\"x??\" is defined nowhere");
}

/* ---- attributes ---- */

static void read_attribute_as_int(cnx_model *model, void *name)
{
    cnx_attribute_int(model->graph, &model->graph->nodes[0], name, 0);
}

static void test_attributes(void **state)
{
    (void)state;
    buffer graph = {0}, node = make_node("Op", "n", "x", "y"), integer = {0}, text = {0}, list = {0},
           reference = {0};
    put_text(&integer, 1, "axis");
    put_number(&integer, 3, (uint64_t)-1);
    put_number(&integer, 20, 2);
    put_message(&node, 5, &integer);
    put_text(&text, 1, "mode");
    put_text(&text, 4, "linear");
    put_number(&text, 20, 3);
    put_message(&node, 5, &text);
    put_text(&list, 1, "pads");
    put_number(&list, 8, 1);
    put_number(&list, 8, 2);
    put_number(&list, 20, 7);
    put_message(&node, 5, &list);
    put_text(&reference, 1, "alpha");
    put_number(&reference, 20, 2);
    put_text(&reference, 21, "outer");
    put_message(&node, 5, &reference);
    put_message(&graph, GRAPH_NODE, &node);
    cnx_model *model = open_model(write_graph(&graph));
    const cnx_node *n = &model->graph->nodes[0];
    size_t count;
    assert_int_equal(cnx_attribute_int(model->graph, n, "axis", 7), -1);
    assert_int_equal(cnx_attribute_int(model->graph, n, "absent", 7), 7);
    assert_string_equal(cnx_attribute_text(model->graph, n, "mode", "x"), "linear");
    assert_int_equal(cnx_attribute_ints(model->graph, n, "pads", &count)[1], 2);
    assert_int_equal(count, 2);
    assert_null(cnx_attribute_ints(model->graph, n, "absent", &count));
    cnx_error error;
    char mode[] = "mode", alpha[] = "alpha";
    assert_int_equal(failure_of(model, read_attribute_as_int, mode, &error), CNX_ERROR_GRAPH);
    assert_string_equal(error.place, "node \"n\" (Op)");
    assert_int_equal(failure_of(model, read_attribute_as_int, alpha, &error), CNX_ERROR_GRAPH);
    cnx_model_close(model);
}

/* ---- edits ---- */

/* Bypasses a node in the middle, adds an initializer, renames everything, and reads the result back. */
static void test_edit_and_lower(void **state)
{
    (void)state;
    buffer graph = {0}, body = {0}, node = make_node("If", "if", "b", "y");
    put_node(&body, "Add", "inner", "b,w", "z");
    put_port(&body, GRAPH_OUTPUT, "z");
    put_graph_attribute(&node, "then_branch", &body);
    put_message(&graph, GRAPH_NODE, &node);
    put_node(&graph, "Identity", "idle", "x", "a");
    put_node(&graph, "Add", "plus", "a,w", "b");
    put_floats(&graph, "w", 1);
    put_port(&graph, GRAPH_VALUE_INFO, "b");
    put_port(&graph, GRAPH_VALUE_INFO, "stale");
    cnx_model *model = open_model(write_graph(&graph));
    cnx_graph *g = model->graph;
    g->nodes[1].dead = true;
    g->nodes[2].inputs[0] = value_named(g, "x");
    uint32_t added = cnx_graph_add_value(g, "v");
    Onnx__TensorProto *proto = CNX_NEW(model->arena, Onnx__TensorProto);
    onnx__tensor_proto__init(proto);
    proto->has_data_type = true;
    proto->data_type = CNX_TYPE_FLOAT;
    proto->has_raw_data = true;
    proto->raw_data = (ProtobufCBinaryData){.len = 4, .data = (uint8_t *)proto};
    g->values[added].initializer = cnx_tensor_register(model, proto);
    g->nodes[2].inputs[1] = added;
    g->values[value_named(g, "w")].name = "renamed";
    g->values[value_named(g, "b")].name = "sum";
    cnx_graph_index(g);
    cnx_graph_check(g);
    cnx_model_lower(model);
    cnx_save_file(model, NULL, "edited.onnx");
    cnx_model_close(model);

    model = open_model("edited.onnx");
    g = model->graph;
    assert_int_equal(g->node_count, 2);
    assert_string_equal(g->nodes[0].op_type, "Add");
    assert_string_equal(g->nodes[0].proto->input[1], "v");
    assert_int_equal(g->initializer_count, 2);
    assert_int_equal(g->proto->n_value_info, 1);
    assert_string_equal(g->proto->value_info[0]->name, "sum");
    const cnx_graph *inner = g->nodes[1].subgraphs[0].graph;
    assert_string_equal(inner->nodes[0].proto->input[0], "sum");
    assert_string_equal(inner->nodes[0].proto->input[1], "renamed");
    cnx_model_close(model);
}

static void lower(cnx_model *model, void *nothing)
{
    (void)nothing;
    cnx_model_lower(model);
}

static void test_names_collide(void **state)
{
    (void)state;
    buffer graph = {0};
    put_node(&graph, "Relu", "n", "x", "a");
    put_node(&graph, "Relu", "m", "a", "y");
    cnx_model *model = open_model(write_graph(&graph));
    model->graph->values[value_named(model->graph, "a")].name = "x";
    cnx_error error;
    assert_int_equal(failure_of(model, lower, NULL, &error), CNX_ERROR_GRAPH);
    cnx_model_close(model);
}

/* Names outside of nodes and ports follow, too. */
static void test_references_follow(void **state)
{
    (void)state;
    buffer graph = {0}, annotation = {0}, entry = {0};
    put_floats(&graph, "scale", 1);
    put_node(&graph, "Mul", "n", "x,scale", "y");
    put_text(&annotation, 1, "y");
    put_text(&entry, 1, "SCALE_TENSOR");
    put_text(&entry, 2, "scale");
    put_message(&annotation, 2, &entry);
    put_message(&graph, 14, &annotation);
    cnx_model *model = open_model(write_graph(&graph));
    model->graph->values[value_named(model->graph, "scale")].name = "s";
    cnx_model_lower(model);
    const Onnx__TensorAnnotation *lowered = model->proto->graph->quantization_annotation[0];
    assert_string_equal(lowered->tensor_name, "y");
    assert_string_equal(lowered->quant_parameter_tensor_names[0]->value, "s");
    model->graph->values[value_named(model->graph, "s")].name = "t"; /* and a second time */
    cnx_model_lower(model);
    assert_string_equal(lowered->quant_parameter_tensor_names[0]->value, "t");
    cnx_model_close(model);
}

/* ---- many nodes ---- */

static void test_long_chains(void **state)
{
    (void)state;
    enum { LENGTH = 50000 };
    for (int backwards = 0; backwards < 2; backwards++) {
        buffer graph = {0};
        for (int i = 0; i < LENGTH; i++) {
            int at = backwards != 0 ? LENGTH - 1 - i : i;
            char from[16], to[16];
            snprintf(from, sizeof from, at == 0 ? "x" : "v%d", at);
            snprintf(to, sizeof to, at == LENGTH - 1 ? "y" : "v%d", at + 1);
            put_node(&graph, "Relu", "", from, to);
        }
        cnx_model *model = open_model(write_graph(&graph));
        assert_int_equal(model->graph->order_count, LENGTH);
        assert_int_equal(model->graph->order[1], backwards != 0 ? LENGTH - 2 : 1);
        cnx_graph_check(model->graph);
        cnx_model_close(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_and_uses),  cmocka_unit_test(test_order),
        cmocka_unit_test(test_nested),           cmocka_unit_test(test_functions),
        cmocka_unit_test(test_cycles),           cmocka_unit_test(test_definitions),
        cmocka_unit_test(test_attributes_twice), cmocka_unit_test(test_hostile_names),
        cmocka_unit_test(test_attributes),       cmocka_unit_test(test_edit_and_lower),
        cmocka_unit_test(test_names_collide),    cmocka_unit_test(test_references_follow),
        cmocka_unit_test(test_long_chains),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
