/* The digests of structure and weights: what they see and what they do not. */
#include "rewrite_text.h"

typedef cnx_code hash_function(cnx_model *model, char digest[33], cnx_error *error);

static void digest_of(hash_function *hash, const char *text, char digest[33])
{
    cnx_model *model = model_of_text(text);
    cnx_error error;
    if (hash == cnx_model_hash_weights)
        assert_int_equal(cnx_canonicalize(model, NULL, NULL, &error), CNX_OK);
    if (hash(model, digest, &error) != CNX_OK)
        fail_msg("%s: %s", error.place, error.message);
    assert_int_equal(strspn(digest, "0123456789abcdef"), 32);
    assert_int_equal(strlen(digest), 32);
    cnx_model_close(model);
}

static void compare(hash_function *hash, const char *a, const char *b, bool equal)
{
    char first[33], second[33];
    digest_of(hash, a, first);
    digest_of(hash, b, second);
    if ((strcmp(first, second) == 0) != equal)
        fail_msg("%s digests of\n%sand\n%s", equal ? "different" : "equal", a, b);
}

#define BRANCHES(v, w)                                                                                       \
    "in x\nv = float[2 2]{" v "}\nw = float[2 2]{" w "}\na = MatMul(x, v)\nb = MatMul(x, w)\n"

static void equal_structures(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        /* weights order the branches, and make them equal or not */
        {BRANCHES("1 2 3 4", "5 6 7 8") "c = Relu(a)\nd = Tanh(b)\ny = Add(a, b)\nout y, c, d\n",
         BRANCHES("5 6 7 8", "1 2 3 4") "c = Relu(b)\nd = Tanh(a)\ny = Add(b, a)\nout y, c, d\n"},
        {BRANCHES("1 2 3 4", "1 2 3 4") "y = Add(a, b)\nout y\n",
         BRANCHES("1 2 3 4", "1 2 3 5") "y = Add(a, b)\nout y\n"},
        /* this one has no canonical form */
        {BRANCHES("1 2 3 4", "1 3 2 4") "c = Relu(a)\nd = Relu(b)\ny = Add(c, d)\nout y\n",
         BRANCHES("1 2 3 4", "5 6 7 8") "c = Relu(a)\nd = Relu(b)\ny = Add(d, c)\nout y\n"},
        {"in x\nw = float[1]{1}\na = Add(x, w)\ny = Mul(a, w)\nout y\n",
         "in x\nw = float[1]{2}\nv = float[1]{3}\nb = Mul(v, a)\na = Add(w, x)\ny = Identity(b)\nout y\n"},
        {"in c, x\nw = float[1]{1}\ny = If(c) else_branch={d = Add(x, w); out d} then_branch={e = Relu(x); "
         "out e}\n"
         "out y\n",
         "in c, x\nw = float[1]{2}\ny = If(c) then_branch={q = Relu(x); out q} else_branch={p = Add(w, x); "
         "out p}\n"
         "out y\n"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        compare(cnx_model_hash_structure, pairs[i][0], pairs[i][1], true);
}

static void different_structures(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        /* who reads which of two branches that look alike from above */
        {BRANCHES("1 2 3 4", "5 6 7 8") "c = Tanh(a)\nd = Exp(a)\ne = Sin(b)\nout c, d, e\n",
         BRANCHES("1 2 3 4", "5 6 7 8") "c = Tanh(a)\nd = Exp(b)\ne = Sin(b)\nout c, d, e\n"},
        /* one node with two readers, or two nodes */
        {"in x\na = Relu(x)\ny = Sub(a, a)\nout y\n",
         "in x\na = Relu(x)\nb = Relu(x)\ny = Sub(a, b)\nout y\n"},
        {"in x\na = Relu(x)\ny = Sub(a, x)\nout y\n", "in x\na = Relu(x)\ny = Sub(x, a)\nout y\n"},
        {"in x\ns = int64[2]{2 3}\ny = Reshape(x, s)\nout y\n",
         "in x\ns = int64[2]{3 2}\ny = Reshape(x, s)\nout y\n"},
        {"in x\ns = float[]{2}\ny = Pow(x, s)\nout y\n", "in x\ns = float[]{3}\ny = Pow(x, s)\nout y\n"},
        {"in x\nw = float[2]{1 2}\ny = Add(x, w)\nout y\n",
         "in x\nw = float[1 2]{1 2}\ny = Add(x, w)\nout y\n"},
        {"in x\ny = Relu(x)\nout y\n", "in x\nz = Relu(x)\nout z\n"},
        {"in x\ny = Relu(x)\nout y\n", "opset 13\nin x\ny = Relu(x)\nout y\n"},
        {"in x\ny = Relu(x)\nout y\n", "in x, z\ny = Relu(x)\nout y\n"},
        {"in x\ny = Relu(x)\nout y\n", "in x\ny = custom.Relu(x)\nout y\n"},
        {"in x\ny = Softmax(x) axis=1\nout y\n", "in x\ny = Softmax(x) axis=0\nout y\n"},
        {"in x, z\na = Relu(x)\nb = Relu(z)\nout a, b\n", "in x, z\nb = Relu(x)\na = Relu(z)\nout a, b\n"},
        {"in c, x\na = Relu(x)\nb = Tanh(x)\n"
         "y = If(c) else_branch={d = Exp(a); out d} then_branch={e = Sin(b); out e}\nout y\n",
         "in c, x\na = Relu(x)\nb = Tanh(x)\n"
         "y = If(c) else_branch={d = Exp(b); out d} then_branch={e = Sin(a); out e}\nout y\n"},
        {"in c, x\ny = If(c) else_branch={d = Exp(x); out d} then_branch={e = Sin(x); out e}\nout y\n",
         "in c, x\ny = If(c) else_branch={d = Sin(x); out d} then_branch={e = Exp(x); out e}\nout y\n"},
        {"in x, w\nw = float[1]{1}\ny = Add(x, w)\nout y\n", "in x, w\ny = Add(x, w)\nout y\n"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        compare(cnx_model_hash_structure, pairs[i][0], pairs[i][1], false);
}

static void weights_are_a_set(void **state)
{
    (void)state;
    static const char text[] =
        "in x\nw = float[2]{1 2}\nv = float[2]{3 4}\na = Add(x, w)\ny = Mul(a, v)\nout y\n";
    compare(cnx_model_hash_weights, text,
            "in x\nv = float[2]{3 4}\nu = float[2]{3 4}\nw = float[2]{1 2}\na = Sub(v, x)\nb = Div(a, w)\n"
            "y = Add(b, u)\nout y\n",
            true);
    compare(cnx_model_hash_weights, text,
            "in x\nw = float[2]{1 2}\nv = float[2]{3 4}\ns = float[]{7}\nb = Sub(x, s)\na = Add(b, w)\n"
            "y = Mul(a, v)\nout y\n",
            true);
    compare(cnx_model_hash_weights, text,
            "in x\nw = float[2]{1 2}\nv = float[2]{3 5}\na = Add(x, w)\ny = Mul(a, v)\nout y\n", false);
    compare(cnx_model_hash_weights, text,
            "in x\nw = float[1 2]{1 2}\nv = float[2]{3 4}\na = Add(x, w)\ny = Mul(a, v)\nout y\n", false);
}

/* A hidden layer permuted: other weights in the file, the same in the canonical form. */
static void weights_of_a_class(void **state)
{
    (void)state;
    static const char text[] = "in x\nw = float[1 3]{%s}\nb = float[3]{%s}\nv = float[3 1]{%s}\n"
                               "m = MatMul(x, w)\nh = Add(m, b)\nr = Relu(h)\ny = MatMul(r, v)\nout y\n";
    static const char *const numbers[][3] = {
        {"1 2 3", "4 5 6", "7 8 9"}, {"3 1 2", "6 4 5", "9 7 8"}, {"3 1 2", "6 4 5", "9 8 7"}};
    char texts[3][256];
    for (size_t i = 0; i < 3; i++)
        snprintf(texts[i], sizeof texts[i], text, numbers[i][0], numbers[i][1], numbers[i][2]);
    compare(cnx_model_hash_weights, texts[0], texts[1], true);
    compare(cnx_model_hash_weights, texts[0], texts[2], false);
}

static void refused(void **state)
{
    (void)state;
    cnx_model *model =
        model_of_text(BRANCHES("1 2 3 4", "1 3 2 4") "c = Relu(a)\nd = Relu(b)\ny = Add(c, d)\nout y\n");
    cnx_error error;
    char digest[33];
    assert_int_equal(cnx_canonicalize(model, NULL, NULL, &error), CNX_OK);
    assert_int_equal(cnx_model_hash_weights(model, digest, &error), CNX_ERROR_NOT_CANONICAL);
    assert_int_equal(cnx_model_hash(model, digest, &error), CNX_ERROR_NOT_CANONICAL);
    const char *const some[] = {"none", "dead"};
    for (size_t i = 0; i < 2; i++) {
        cnx_canon_options options = {.passes = some[i], .embed_hash = true};
        assert_int_equal(cnx_canonicalize(model, &options, NULL, &error), CNX_ERROR_NOT_CANONICAL);
    }
    cnx_model_close(model);
}

/* A long chain, and a graph whose colours take many rounds: linear in both. */
static void large_graphs(void **state)
{
    (void)state;
    enum { LENGTH = 20000 };
    buffer graph = {0};
    put_port(&graph, GRAPH_INPUT, "v0");
    put_port(&graph, GRAPH_INPUT, "w0");
    for (int i = 0; i < LENGTH; i++) {
        char inputs[64], outputs[2][16];
        snprintf(inputs, sizeof inputs, "v%d,w%d", i, i);
        snprintf(outputs[0], sizeof outputs[0], "v%d", i + 1);
        snprintf(outputs[1], sizeof outputs[1], "w%d", i + 1);
        put_node(&graph, "Add", "", inputs, outputs[0]);
        put_node(&graph, "Mul", "", inputs, outputs[1]);
    }
    char last[16];
    snprintf(last, sizeof last, "v%d", LENGTH);
    put_port(&graph, GRAPH_OUTPUT, last);
    buffer bytes = make_model(&graph);
    write_buffer("model.onnx", &bytes);
    cnx_model *model = open_model("model.onnx");
    char digest[33];
    assert_int_equal(cnx_model_hash_structure(model, digest, NULL), CNX_OK);
    cnx_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_structures),  cmocka_unit_test(different_structures),
        cmocka_unit_test(weights_are_a_set), cmocka_unit_test(weights_of_a_class),
        cmocka_unit_test(refused),           cmocka_unit_test(large_graphs),
    };
    return cmocka_run_group_tests_name("rewrite_hash", tests, enter_folder, leave_folder);
}
