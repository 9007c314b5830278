/* The whole of canon: what it reports, what it hashes, what it refuses, and what it does not depend on. */
#include "rewrite_text.h"

#include "rewrite/format.h"

#include <xxhash.h>

static const cnx_canon_report *canon(cnx_model *model, const char *passes, bool keep_metadata)
{
    const cnx_canon_report *report;
    cnx_error error;
    cnx_canon_options options = {.passes = passes, .keep_metadata = keep_metadata};
    if (cnx_canonicalize(model, &options, &report, &error) != CNX_OK)
        fail_msg("%s: %s", error.place, error.message);
    return report;
}

static cnx_canon_row row_named(const cnx_canon_report *report, const char *name)
{
    for (size_t i = 0; i < report->row_count; i++)
        if (strcmp(report->rows[i].name, name) == 0)
            return report->rows[i];
    fail_msg("no row \"%s\"", name);
    return (cnx_canon_row){0};
}

static void assert_row(const cnx_canon_report *report, const char *name, uint64_t before, uint64_t after)
{
    cnx_canon_row row = row_named(report, name);
    if (row.before != before || row.after != after)
        fail_msg("%s: %llu, %llu", name, (unsigned long long)row.before, (unsigned long long)row.after);
}

static bool has_note(const cnx_canon_report *report, const char *words)
{
    for (size_t i = 0; i < report->note_count; i++)
        if (strstr(report->notes[i], words) != NULL)
            return true;
    return false;
}

/* Canonical bytes of a text; the caller frees them. */
static buffer canon_of_text(const char *text)
{
    cnx_model *model = model_of_text(text);
    cnx_error error;
    canon(model, NULL, false);
    assert_int_equal(cnx_model_write(model, "canon.onnx", NULL, &error), CNX_OK);
    cnx_model_close(model);
    return read_bytes("canon.onnx");
}

/* ---- tests ---- */

static void report_counts(void **state)
{
    (void)state;
    cnx_model *model =
        model_of_text("in x\nw = float[2]{1 2}\nu = float[3]{1 2 3}\nc = Constant() value_ints=[0 0]\n"
                      "a = Identity(x)\nb = Add(a, w)\nd = Mul(b, c)\ny = Mul(d, w)\nout y\n");
    uint64_t size = model->file_size;
    const cnx_canon_report *report = canon(model, NULL, false);
    assert_row(report, "nodes", 5, 3);
    assert_row(report, "Identity", 1, 0);
    assert_row(report, "Constant", 1, 0);
    assert_row(report, "Mul", 2, 2);
    assert_row(report, "initializers", 2, 2);
    assert_row(report, "parameters", 7, 4);
    assert_row(report, "parameter bytes", 36, 24);
    uint64_t written;
    assert_int_equal(cnx_model_write(model, "out.onnx", &written, NULL), CNX_OK);
    assert_row(report, "file bytes", size, written);
    cnx_model_close(model);
}

/* The size of the file is known beforehand whether payloads are in headers or not. */
static void size_without_writing(void **state)
{
    (void)state;
    buffer graph = {0};
    put_port(&graph, GRAPH_INPUT, "x");
    put_port(&graph, GRAPH_OUTPUT, "y");
    put_floats(&graph, "w", 1000);
    put_node(&graph, "Add", "", "x,w", "y");
    buffer bytes = make_model(&graph);
    write_buffer("model.onnx", &bytes);
    const char *const passes[] = {"none", "names", "tensors", NULL};
    for (size_t i = 0; i < 4; i++) {
        cnx_model *model = open_model("model.onnx");
        const cnx_canon_report *report = canon(model, passes[i], false);
        uint64_t written;
        assert_int_equal(cnx_model_write(model, "out.onnx", &written, NULL), CNX_OK);
        assert_int_equal(row_named(report, "file bytes").after, written);
        cnx_model_close(model);
    }
}

static void no_passes_change_nothing(void **state)
{
    (void)state;
    cnx_model *model = model_of_text("in x\nb = Relu(a)\na = Identity(x)\nw = float[1]{1}\nout b\n");
    const cnx_canon_report *report = canon(model, "none", false);
    assert_int_equal(report->note_count, 0);
    assert_int_equal(cnx_model_write(model, "out.onnx", NULL, NULL), CNX_OK);
    cnx_model *again = open_model("out.onnx");
    buffer before = text_of(model), after = text_of(again);
    assert_string_equal(before.bytes, after.bytes);
    free(before.bytes);
    free(after.bytes);
    cnx_model_close(again);
    cnx_model_close(model);
}

static void hash_is_of_the_bytes(void **state)
{
    (void)state;
    cnx_model *model = model_of_text("in x\nw = float[2]{1 2}\ny = Add(x, w)\nout y\n");
    cnx_error error;
    char digest[33];
    canon(model, NULL, false);
    assert_int_equal(cnx_model_hash(model, digest, &error), CNX_OK);
    assert_int_equal(cnx_model_write(model, "out.onnx", NULL, &error), CNX_OK);
    cnx_model_close(model);
    buffer bytes = read_bytes("out.onnx");
    XXH128_hash_t expected = XXH3_128bits_withSeed(bytes.bytes, bytes.size, CNX_FORMAT_VERSION);
    char text[33];
    snprintf(text, sizeof text, "%016llx%016llx", (unsigned long long)expected.high64,
             (unsigned long long)expected.low64);
    assert_string_equal(digest, text);
    free(bytes.bytes);
}

/* The example of docs/FORMAT.md. When this test fails because the form was changed on purpose, the format
 * needs a new version and the document its new digest. */
static void example_of_the_format(void **state)
{
    (void)state;
    buffer graph = {0}, opset = {0}, model = {0}, attribute = {0};
    buffer constant = make_node("Constant", "", "", "k");
    put_text(&attribute, 1, "value_float");
    put_float_field(&attribute, 2, 2);
    put_number(&attribute, 20, 1);
    put_message(&constant, 5, &attribute);
    put_message(&graph, GRAPH_NODE, &constant);
    put_node(&graph, "Identity", "", "x", "t");
    put_node(&graph, "Relu", "", "t", "u");
    put_node(&graph, "Mul", "", "k,u", "v");
    put_node(&graph, "Identity", "", "v", "y");
    put_node(&graph, "Tanh", "", "x", "unread");
    for (int i = 0; i < 2; i++) {
        buffer rows = {0}, columns = {0}, shape = {0}, tensor = {0}, type = {0}, info = {0};
        put_text(&rows, 2, "N");
        put_number(&columns, 1, 4);
        put_message(&shape, 1, &rows);
        put_message(&shape, 1, &columns);
        put_number(&tensor, 1, CNX_TYPE_FLOAT);
        put_message(&tensor, 2, &shape);
        put_message(&type, 1, &tensor);
        put_text(&info, 1, i == 0 ? "x" : "y");
        put_message(&info, 2, &type);
        put_message(&graph, i == 0 ? GRAPH_INPUT : GRAPH_OUTPUT, &info);
    }
    put_number(&model, 1, 8);
    put_message(&model, 7, &graph);
    put_number(&opset, 2, 17);
    put_message(&model, 8, &opset);
    write_buffer("model.onnx", &model);
    cnx_model *opened = open_model("model.onnx");
    char digest[33];
    canon(opened, NULL, false);
    assert_int_equal(cnx_model_hash(opened, digest, NULL), CNX_OK);
    assert_string_equal(digest, "c5892fa359bae238b0f71f55ccb04212");
    cnx_model_close(opened);
}

static void unknown_pass(void **state)
{
    (void)state;
    cnx_model *model = model_of_text("in x\ny = Relu(x)\nout y\n");
    cnx_error error;
    const cnx_canon_report *report;
    const char *const wrong[] = {"nmaes", "names,", "names,,dead", ""};
    for (size_t i = 0; i < 4; i++) {
        cnx_canon_options options = {.passes = wrong[i]};
        assert_int_equal(cnx_canonicalize(model, &options, &report, &error), CNX_ERROR_USAGE);
        assert_non_null(strstr(error.message, "there is no pass"));
        assert_null(report);
    }
    assert_true(has_note(canon(model, "names", false), "only some passes"));
    assert_int_equal(cnx_canonicalize(model, NULL, NULL, NULL), CNX_OK);
    cnx_model_close(model);
}

/* All of these are one model. */
static void spellings(void **state)
{
    (void)state;
    const char *const texts[] = {
        "in x\nw = float[2]{1 2}\na = Relu(x)\nb = Add(a, w)\ny = Gemm(b, w)\nout y\n",
        "in x\nw = float[2]{1 2}\nv = float[2]{1 2}\na = Relu(x)\nb = Add(w, a)\ny = Gemm(b, v) "
        "alpha=1.0\nout y\n",
        "in x\nz = Gemm(q, w) transA=0\nq = Add(w, p)\np = Relu(x)\nw = float[2]{1 2}\ny = Identity(z)\nout "
        "y\n",
        "opset 14\nin x\nw = float[2]{1 2}\ni = Identity(x)\na = Relu(i)\nt = Transpose(a) perm=[1 0]\n"
        "u = Transpose(t)\nb = Add(u, w)\nd = Tanh(b)\ny = Gemm(b, w)\nout y\n",
    };
    buffer first = canon_of_text(texts[0]);
    for (size_t i = 1; i < sizeof texts / sizeof texts[0]; i++) {
        buffer other = canon_of_text(texts[i]);
        if (first.size != other.size || memcmp(first.bytes, other.bytes, first.size) != 0)
            fail_msg("spelling %zu has another canonical form", i);
        free(other.bytes);
    }
    free(first.bytes);
    buffer once = canon_of_text(texts[0]);
    cnx_model *model = open_model("canon.onnx");
    canon(model, NULL, false);
    assert_int_equal(cnx_model_write(model, "twice.onnx", NULL, NULL), CNX_OK);
    cnx_model_close(model);
    assert_same_files("canon.onnx", "twice.onnx");
    free(once.bytes);
}

/* A model with everything that people and tools attach, and its IR version. */
static void write_decorated(unsigned ir_version)
{
    buffer graph = {0}, model = {0}, opset = {0}, unused = {0}, entry = {0};
    buffer node = make_node("Add", "n", "x,w", "y");
    put_text(&node, 6, "documentation");
    put_text(&node, 7, "ai.onnx");
    put_message(&graph, GRAPH_NODE, &node);
    put_text(&graph, 10, "documentation");
    put_port(&graph, GRAPH_INPUT, "x");
    if (ir_version < 4)
        put_port(&graph, GRAPH_INPUT, "w");
    put_port(&graph, GRAPH_OUTPUT, "y");
    put_port(&graph, GRAPH_VALUE_INFO, "w");
    put_floats(&graph, "w", 1);
    put_number(&model, 1, ir_version);
    put_text(&model, 2, "producer");
    put_text(&model, 3, "1.0");
    put_text(&model, 4, "org.example");
    put_number(&model, 5, 7);
    put_text(&model, 6, "documentation");
    put_message(&model, 7, &graph);
    put_text(&unused, 1, "unused.domain");
    put_number(&unused, 2, 3);
    put_message(&model, 8, &unused);
    put_text(&opset, 1, "ai.onnx");
    put_number(&opset, 2, 14);
    put_message(&model, 8, &opset);
    put_text(&entry, 1, "key");
    put_text(&entry, 2, "value");
    put_message(&model, 14, &entry);
    write_buffer("decorated.onnx", &model);
}

static void decoration_goes(void **state)
{
    (void)state;
    write_decorated(8);
    cnx_model *model = open_model("decorated.onnx");
    const cnx_canon_report *report = canon(model, NULL, false);
    const Onnx__ModelProto *proto = model->proto;
    assert_true(has_note(report, "metadata dropped: 1 entries"));
    assert_int_equal(proto->n_metadata_props, 0);
    assert_null(proto->producer_name);
    assert_null(proto->doc_string);
    assert_false(proto->has_model_version);
    assert_int_equal(proto->n_opset_import, 1);
    assert_null(proto->opset_import[0]->domain);
    assert_int_equal(proto->graph->n_value_info, 0);
    assert_null(proto->graph->doc_string);
    assert_null(proto->graph->node[0]->doc_string);
    assert_null(proto->graph->node[0]->domain);
    assert_string_equal(proto->graph->node[0]->name, "Add_0");
    assert_int_equal(proto->ir_version, 8);
    cnx_model_close(model);
    model = open_model("decorated.onnx");
    report = canon(model, NULL, true);
    assert_false(has_note(report, "metadata"));
    assert_int_equal(model->proto->n_metadata_props, 1);
    cnx_model_close(model);
}

/* "y<b,y" for every renaming of a kind, in the order of the report. */
static void assert_renamed(const cnx_canon_report *report, cnx_renamed kind, const char *expected)
{
    buffer text = {0};
    for (size_t i = 0; i < report->renaming_count; i++) {
        const cnx_renaming *renaming = &report->renamings[i];
        if (renaming->kind != kind)
            continue;
        say(&text, "%s%s<", text.size == 0 ? "" : " ", renaming->name);
        for (size_t k = 0; k < renaming->old_count; k++)
            say(&text, "%s%s", k == 0 ? "" : ",", renaming->old[k]);
    }
    put_bytes(&text, "", 1);
    assert_string_equal(text.bytes, expected);
    free(text.bytes);
}

static void names_are_mapped(void **state)
{
    (void)state;
    cnx_model *model = model_of_text(
        "in c, x\nw = float[1]{1}\nu = float[1]{1}\nv = float[1]{2}\na = Identity(x)\nb = Add(a, w)\n"
        "d = Identity(b)\ny = Identity(d)\ne = Mul(b, u)\nk = Constant() value_float=2.0\nf = Mul(e, k)\n"
        "z = If(c) else_branch={g = Relu(f); h = Identity(g); out h} then_branch={i = Add(f, v); out i}\nout "
        "y, z, x\n");
    cnx_canon_options options = {.name_map = true, .explain = true};
    const cnx_canon_report *report;
    cnx_error error;
    assert_int_equal(cnx_canonicalize(model, &options, &report, &error), CNX_OK);
    assert_renamed(report, CNX_RENAMED_VALUE, "c<c x<x,a y<b,d,y Mul_0<e Mul_1<f z<z Relu_0<g,h Add_1<i");
    assert_renamed(report, CNX_RENAMED_INITIALIZER, "Add_0_in1<w,u Mul_1_in0<k If_0_capture0<v");
    assert_renamed(report, CNX_RENAMED_NODE, "Add_0< Mul_0< Mul_1< If_0< Relu_0< Add_1<");
    size_t lines = 0;
    for (size_t i = 0; i < report->pass_count; i++) {
        assert_true(report->passes[i].rounds != 0);
        assert_true(report->passes[i].changed != 0 || report->passes[i].line_count == 0);
        lines += report->passes[i].line_count;
    }
    assert_true(lines > 10);
    cnx_model_close(model);
}

/* In version 3 every initializer had to be an input too; from 4 on such an input is a default. */
static void old_interface(void **state)
{
    (void)state;
    write_decorated(3);
    cnx_model *model = open_model("decorated.onnx");
    assert_int_equal(model->graph->input_count, 2);
    const cnx_canon_report *report = canon(model, NULL, false);
    assert_true(has_note(report, "IR version raised from 3 to 4"));
    assert_int_equal(model->graph->input_count, 1);
    assert_int_equal(model->proto->graph->n_input, 1);
    assert_int_equal(model->proto->ir_version, 4);
    cnx_model_close(model);
}

/* Two branches that differ only in the arrangement of their weights. */
static void look_alikes(void **state)
{
    (void)state;
    static const char text[] =
        "in x\nv = float[2 2]{%s}\nw = float[2 2]{%s}\na = MatMul(x, v)\nb = MatMul(x, w)\n"
        "c = Relu(a)\nd = Relu(b)\ny = Add(c, d)\nout y\n";
    const char *const weights[][3] = {{"1 2 3 4", "1 2 3 4", ""}, {"1 2 3 4", "1 3 2 4", "look alike"}};
    for (size_t i = 0; i < 2; i++) {
        char model_text[512];
        snprintf(model_text, sizeof model_text, text, weights[i][0], weights[i][1]);
        cnx_model *model = model_of_text(model_text);
        const cnx_canon_report *report = canon(model, NULL, false);
        bool refused = weights[i][2][0] != '\0';
        assert_int_equal(has_note(report, "look alike"), refused);
        char digest[33];
        cnx_error error;
        assert_int_equal(cnx_model_hash(model, digest, &error), refused ? CNX_ERROR_NOT_CANONICAL : CNX_OK);
        cnx_model_close(model);
    }
}

/* The table of defaults is searched by halving. */
static void defaults_are_sorted(void **state)
{
    (void)state;
    static const struct {
        const char *texts[3];
        int since;
    } rows[] = {
#define ATTRIBUTE_DEFAULT(domain, operator, attribute, since, ...) {{domain, operator, attribute }, since},
#include "rewrite/passes/attribute_defaults.def"
#undef ATTRIBUTE_DEFAULT
    };
    for (size_t i = 1; i < sizeof rows / sizeof rows[0]; i++) {
        int order = 0;
        for (size_t k = 0; k < 3 && order == 0; k++)
            order = strcmp(rows[i - 1].texts[k], rows[i].texts[k]);
        if (order > 0 || (order == 0 && rows[i - 1].since >= rows[i].since))
            fail_msg("row %zu (%s, %s) is out of order", i, rows[i].texts[1], rows[i].texts[2]);
    }
}

static void passes_are_listed(void **state)
{
    (void)state;
    const cnx_list_row *rows;
    size_t count = cnx_pass_list(&rows);
    assert_true(count > 10);
    for (size_t i = 0; i < count; i++) {
        cnx_model *model = model_of_text("in x\nw = float[1]{1}\ny = Add(x, w)\nout y\n");
        canon(model, rows[i].name, false);
        assert_true(strlen(rows[i].summary) > 10);
        cnx_model_close(model);
    }
}

/* What the rows of passes.def claim: a pass that is called idempotent finds nothing the second time. */
static void passes_are_idempotent(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool idempotent;
    } rows[] = {
#define PASS(symbol, name, group, needs, makes, breaks, idempotent, summary) {name, idempotent},
#include "rewrite/passes.def"
#undef PASS
    };
    static const char text[] =
        "in c, x\nd = Constant() value_float=2.0\nunread = float[1]{1}\nw = float[1 3]{3 1 2}\nb = "
        "float[3]{0 5 5}\n"
        "v = float[3 1]{1 2 3}\ni = Identity(x)\nt = Transpose(i) perm=[0]\nu = Cast(t) to=1\n"
        "s = Gemm(z, v) alpha=1.0\nz = Relu(h)\nh = Gemm(u, w, b)\nr, m = Dropout(s)\nk = Add(r, d)\n"
        "y = If(c) then_branch={e = Mul(k, d); f = Identity(e); out f} else_branch={g = Add(d, k); out "
        "g}\nout y\n";
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!rows[i].idempotent)
            continue;
        cnx_model *model = model_of_text(text);
        canon(model, rows[i].name, false);
        assert_int_equal(cnx_model_write(model, "once.onnx", NULL, NULL), CNX_OK);
        cnx_model_close(model);
        model = open_model("once.onnx");
        canon(model, rows[i].name, false);
        assert_int_equal(cnx_model_write(model, "twice.onnx", NULL, NULL), CNX_OK);
        cnx_model_close(model);
        assert_same_files("once.onnx", "twice.onnx");
    }
}

/* A chain of nodes is walked, not recursed into. */
static void long_chain(void **state)
{
    (void)state;
    enum { LENGTH = 50000 };
    buffer graph = {0};
    put_port(&graph, GRAPH_INPUT, "v0");
    char names[2][16] = {"v0", ""};
    for (int i = 0; i < LENGTH; i++) {
        snprintf(names[1], sizeof names[1], "v%d", i + 1);
        put_node(&graph, i % 2 == 0 ? "Transpose" : "Identity", "", names[0], names[1]);
        memcpy(names[0], names[1], sizeof names[0]);
    }
    put_port(&graph, GRAPH_OUTPUT, names[0]);
    buffer bytes = make_model(&graph);
    write_buffer("chain.onnx", &bytes);
    cnx_model *model = open_model("chain.onnx");
    canon(model, NULL, false);
    assert_int_equal(model->graph->order_count, 1);
    cnx_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(report_counts),
        cmocka_unit_test(size_without_writing),
        cmocka_unit_test(no_passes_change_nothing),
        cmocka_unit_test(hash_is_of_the_bytes),
        cmocka_unit_test(example_of_the_format),
        cmocka_unit_test(unknown_pass),
        cmocka_unit_test(spellings),
        cmocka_unit_test(decoration_goes),
        cmocka_unit_test(names_are_mapped),
        cmocka_unit_test(old_interface),
        cmocka_unit_test(look_alikes),
        cmocka_unit_test(defaults_are_sorted),
        cmocka_unit_test(passes_are_listed),
        cmocka_unit_test(passes_are_idempotent),
        cmocka_unit_test(long_chain),
    };
    return cmocka_run_group_tests_name("rewrite_canon", tests, enter_folder, leave_folder);
}
