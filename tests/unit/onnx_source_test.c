/* Where models come from: files, folders, archives, standard input, external data; and what is refused. */
#include "fixture.h"

#include "proto/limits.h"

#include <zip.h>

static void assert_opens(const char *path)
{
    cnx_model *model = open_model(path);
    cnx_graph_check(model->graph);
    cnx_model_close(model);
}

static void write_small(const char *path)
{
    buffer bytes = make_small_model();
    write_buffer(path, &bytes);
}

/* ---- files and folders ---- */

static void test_no_model(void **state)
{
    (void)state;
    assert_refused("missing.onnx", CNX_ERROR_FILE, "", "No such file");
    write_bytes("empty.onnx", "", 0);
    assert_refused("empty.onnx", CNX_ERROR_FORMAT, "", "empty");
    write_bytes("text.onnx", "This is a text.\nIt has lines.\n", 30);
    assert_refused("text.onnx", CNX_ERROR_FORMAT, "byte ", "");
    write_bytes("zeros.onnx", (char[100]){0}, 100);
    assert_refused("zeros.onnx", CNX_ERROR_FORMAT, "byte 0", "expected an ONNX model");
    write_bytes("no_graph.onnx", "\x08\x08", 2);
    assert_refused("no_graph.onnx", CNX_ERROR_FORMAT, "", "no graph");
    assert_refused("/dev/zero", CNX_ERROR_FILE, "", "not a regular file");
    assert_int_equal(mkfifo("pipe.onnx", 0600), 0);
    assert_refused("pipe.onnx", CNX_ERROR_FILE, "", "not a regular file");
}

static void test_folder(void **state)
{
    (void)state;
    assert_int_equal(mkdir("folder", 0700), 0);
    assert_refused("folder", CNX_ERROR_FILE, "", "holds 0 .onnx files");
    write_bytes("folder/.hidden.onnx", "", 0);
    write_bytes("folder/weights.bin", "", 0);
    write_small("folder/a.onnx");
    assert_opens("folder");
    assert_opens("folder/");
    write_small("folder/b.onnx");
    assert_refused("folder", CNX_ERROR_FILE, "", "holds 2 .onnx files");
}

static void test_truncated(void **state)
{
    (void)state;
    buffer bytes = read_bytes(SAMPLES "/digits_mlp.onnx");
    for (size_t size = 0; size < bytes.size; size += size < 1200 ? 7 : 611) {
        cnx_model *model;
        cnx_error error;
        write_bytes("cut.onnx", bytes.bytes, size);
        assert_int_not_equal(cnx_model_open("cut.onnx", &model, &error), CNX_OK);
        assert_int_not_equal(error.message[0], '\0');
    }
    free(bytes.bytes);
}

/* ---- standard input ---- */

static void assert_standard_input(int descriptor, bool opens)
{
    int kept = dup(STDIN_FILENO);
    assert_true(dup2(descriptor, STDIN_FILENO) >= 0);
    cnx_model *model;
    cnx_error error;
    assert_int_equal(cnx_model_open("-", &model, &error) == CNX_OK, opens);
    cnx_model_close(model);
    dup2(kept, STDIN_FILENO);
    close(kept);
    close(descriptor);
}

static void test_standard_input(void **state)
{
    (void)state;
    write_small("in.onnx");
    assert_standard_input(open("in.onnx", O_RDONLY), true);
    assert_standard_input(open("/dev/null", O_RDONLY), false);
    for (int full = 0; full < 2; full++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        buffer bytes = make_small_model();
        if (full != 0)
            assert_int_equal(write(ends[1], bytes.bytes, bytes.size), bytes.size);
        free(bytes.bytes);
        close(ends[1]);
        assert_standard_input(ends[0], full != 0);
    }
}

/* ---- archives ---- */

typedef struct member {
    const char *name;
    const char *file;
    int method;
} member;

static void write_zip(const char *path, const member *members, size_t count)
{
    zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, NULL);
    assert_non_null(zip);
    for (size_t i = 0; i < count; i++) {
        zip_int64_t index = zip_file_add(zip, members[i].name, zip_source_file(zip, members[i].file, 0, -1),
                                         ZIP_FL_ENC_UTF_8);
        assert_true(index >= 0);
        assert_int_equal(zip_set_file_compression(zip, (zip_uint64_t)index, members[i].method, 0), 0);
    }
    assert_int_equal(zip_close(zip), 0);
}

static void test_zip(void **state)
{
    (void)state;
    write_small("m.onnx");
    static const member stored[] = {{"read.me", "m.onnx", ZIP_CM_STORE},
                                    {"deep/m.onnx", SAMPLES "/digits_mlp.onnx", ZIP_CM_STORE}};
    write_zip("stored.zip", stored, 2);
    cnx_model *model = open_model("stored.zip");
    assert_int_equal(model->graph->node_count, 6);
    assert_null(model->folder);
    cnx_model_close(model);
    assert_opens("stored.zip!deep/m.onnx");
    assert_refused("stored.zip!m.onnx", CNX_ERROR_FILE, "member \"m.onnx\"", "no such member");
    assert_refused("m.onnx!m.onnx", CNX_ERROR_FORMAT, "", "no zip archive");

    static const member deflated[] = {{"m.onnx", SAMPLES "/digits_mlp.onnx", ZIP_CM_DEFLATE},
                                      {"__MACOSX/._m.onnx", "m.onnx", ZIP_CM_STORE}};
    write_zip("deflated.zip", deflated, 2);
    model = open_model("deflated.zip");
    assert_int_equal(model->graph->node_count, 6);
    cnx_model_close(model);

    static const member several[] = {{"a.onnx", "m.onnx", ZIP_CM_STORE},
                                     {"b.onnx", "m.onnx", ZIP_CM_DEFLATE}};
    write_zip("several.zip", several, 2);
    assert_refused("several.zip", CNX_ERROR_USAGE, "", "holds 2 .onnx files");
    assert_opens("several.zip!b.onnx");
    static const member none[] = {{"a.txt", "m.onnx", ZIP_CM_STORE}};
    write_zip("none.zip", none, 1);
    assert_refused("none.zip", CNX_ERROR_FORMAT, "", "no .onnx file");
    static const member outside[] = {{"a/../../m.onnx", "m.onnx", ZIP_CM_STORE}};
    write_zip("outside.zip", outside, 1);
    assert_refused("outside.zip", CNX_ERROR_FORMAT, "member \"a/../../m.onnx\"", "outside");
    static const member odd[] = {{"m.onnx", "m.onnx", ZIP_CM_BZIP2}};
    write_zip("odd.zip", odd, 1);
    assert_refused("odd.zip", CNX_ERROR_FORMAT, "member \"m.onnx\"", "compression method 12");
}

/* Every byte of an archive changed, every length cut off: no crash, no hang, and never a wrong model that is
 * noticed too late. */
static void test_damaged_zip(void **state)
{
    (void)state;
    write_small("m.onnx");
    for (int method = ZIP_CM_STORE; method <= ZIP_CM_DEFLATE; method += ZIP_CM_DEFLATE) {
        member one = {"m.onnx", "m.onnx", method};
        write_zip("whole.zip", &one, 1);
        buffer bytes = read_bytes("whole.zip");
        cnx_model *model;
        cnx_error error;
        for (size_t size = 0; size < bytes.size; size++) {
            write_bytes("damaged.zip", bytes.bytes, size);
            assert_int_not_equal(cnx_model_open("damaged.zip", &model, &error), CNX_OK);
        }
        for (size_t i = 0; i < bytes.size; i++) {
            bytes.bytes[i] ^= 0xff;
            write_bytes("damaged.zip", bytes.bytes, bytes.size);
            if (cnx_model_open("damaged.zip", &model, &error) == CNX_OK)
                cnx_model_close(model);
            bytes.bytes[i] ^= 0xff;
        }
        free(bytes.bytes);
    }
}

static void test_zip_bomb(void **state)
{
    (void)state;
    size_t size = (CNX_LIMIT_INFLATE_FLOOR + 1) * (size_t)CNX_MEBIBYTE;
    void *zeros = calloc(size, 1);
    write_bytes("zeros", zeros, size);
    free(zeros);
    static const member bomb[] = {{"m.onnx", "zeros", ZIP_CM_DEFLATE}};
    write_zip("bomb.zip", bomb, 1);
    assert_refused("bomb.zip", CNX_ERROR_LIMIT, "member \"m.onnx\"", "inflate-ratio");
}

/* ---- external data ---- */

/* A model whose initializer "w", four floats, is external data. NULL: the key is left out. */
static void write_external(const char *path, const char *location, const char *offset, const char *length)
{
    const char *pairs[3][2] = {{"location", location}, {"offset", offset}, {"length", length}};
    uint64_t dims[] = {4};
    buffer tensor = make_tensor("w", CNX_TYPE_FLOAT, 1, dims), graph = {0};
    for (size_t i = 0; i < 3; i++) {
        buffer entry = {0};
        if (pairs[i][1] == NULL)
            continue;
        put_text(&entry, 1, pairs[i][0]);
        put_text(&entry, 2, pairs[i][1]);
        put_message(&tensor, 13, &entry);
    }
    put_number(&tensor, 14, 1);
    put_message(&graph, GRAPH_INITIALIZER, &tensor);
    put_node(&graph, "Add", "n", "x,w", "y");
    put_port(&graph, GRAPH_INPUT, "x");
    put_port(&graph, GRAPH_OUTPUT, "y");
    buffer model = make_model(&graph);
    write_buffer(path, &model);
}

static const float weights[] = {0, 1, 2, 3, 4, 5, 6, 7};

static void make_external_folder(void)
{
    mkdir("ext", 0700);
    mkdir("ext/sub", 0700);
    write_bytes("ext/data", weights, sizeof weights);
    write_bytes("ext/sub/data", weights, sizeof weights);
    write_bytes("outside", weights, sizeof weights);
}

static void assert_external(const char *path, float first)
{
    cnx_model *model = open_model(path);
    assert_true(model->tensors[0]->external);
    assert_true(cnx_tensor_float(model, model->tensors[0], 0) == (double)first);
    cnx_model_close(model);
}

static void test_external(void **state)
{
    (void)state;
    make_external_folder();
    write_external("ext/m.onnx", "data", NULL, NULL);
    assert_external("ext/m.onnx", 0);
    write_external("ext/m.onnx", "./data", "16", "16");
    assert_external("ext/m.onnx", 4);
    write_external("ext/m.onnx", "sub//./data", "4", NULL);
    assert_external("ext/m.onnx", 1);
    assert_external("ext", 1);
    unlink("ext/inside");
    assert_int_equal(symlink("sub/data", "ext/inside"), 0);
    write_external("ext/m.onnx", "inside", NULL, NULL);
    assert_external("ext/m.onnx", 0);
    /* Saving puts the data into the file. */
    cnx_model *model = open_model("ext/m.onnx");
    cnx_save_file(model, NULL, "inlined.onnx");
    assert_true(model->tensors[0]->external);
    assert_int_equal(model->tensors[0]->proto->n_external_data, 1);
    cnx_model_close(model);
    model = open_model("inlined.onnx");
    assert_false(model->tensors[0]->external);
    assert_int_equal(model->tensors[0]->proto->raw_data.len, 16);
    assert_true(cnx_tensor_float(model, model->tensors[0], 3) == 3);
    cnx_model_close(model);
}

static void test_external_outside(void **state)
{
    (void)state;
    make_external_folder();
    static const struct {
        const char *location;
        const char *target; /* of a symbolic link of that name, or NULL */
        const char *words;
    } cases[] = {
        {"/etc/passwd", NULL, "outside"},
        {"../outside", NULL, "outside"},
        {"sub/../../outside", NULL, "outside"},
        {"..", NULL, "outside"},
        {"", NULL, "empty"},
        {".", NULL, "empty"},
        {"sub", NULL, "not a regular file"},
        {"nothing", NULL, "No such file"},
        {"link", "../outside", "outside"},
        {"absolute", "/etc/passwd", "outside"},
        {"device", "/dev/zero", "outside"},
        {"loop", "loop", "link"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[64];
        snprintf(name, sizeof name, "ext/%s", cases[i].location);
        if (cases[i].target != NULL)
            assert_int_equal(symlink(cases[i].target, name), 0);
        write_external("ext/m.onnx", cases[i].location, NULL, NULL);
        cnx_model *model;
        cnx_error error;
        assert_int_not_equal(cnx_model_open("ext/m.onnx", &model, &error), CNX_OK);
        if (strstr(error.message, cases[i].words) == NULL)
            fail_msg("%s: %s", cases[i].location, error.message);
        assert_string_equal(error.place, "initializer \"w\"");
    }
    assert_int_equal(symlink("..", "ext/up"), 0);
    write_external("ext/m.onnx", "up/outside", NULL, NULL);
    assert_refused("ext/m.onnx", CNX_ERROR_FORMAT, "initializer \"w\"", "outside");
    assert_int_equal(link("outside", "ext/hard"), 0);
    write_external("ext/m.onnx", "hard", NULL, NULL);
    assert_refused("ext/m.onnx", CNX_ERROR_FORMAT, "initializer \"w\"", "hard links");
    assert_int_equal(mkfifo("ext/pipe", 0600), 0);
    write_external("ext/m.onnx", "pipe", NULL, NULL);
    assert_refused("ext/m.onnx", CNX_ERROR_FORMAT, "initializer \"w\"", "not a regular file");
}

static void test_external_amounts(void **state)
{
    (void)state;
    make_external_folder();
    static const struct {
        const char *offset;
        const char *length;
        const char *words;
    } cases[] = {
        {"20", NULL, "ends at byte 32, but the tensor is at 20 and takes 16"},
        {"18446744073709551608", NULL, "ends at byte 32"},
        {"99999999999999999999", NULL, "expected a number"},
        {"-4", NULL, "expected a number"},
        {"", NULL, "offset is empty"},
        {"0", "12", "length 12 (expected 16"},
        {"0", "20", "length 20 (expected 16"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_external("ext/m.onnx", "data", cases[i].offset, cases[i].length);
        assert_refused("ext/m.onnx", CNX_ERROR_FORMAT, "initializer \"w\"", cases[i].words);
    }
    write_external("ext/m.onnx", NULL, NULL, NULL);
    assert_refused("ext/m.onnx", CNX_ERROR_FORMAT, "initializer \"w\"", "no location");
    write_external("ext/m.onnx", "data", NULL, NULL);
    assert_standard_input(open("ext/m.onnx", O_RDONLY), false);
}

/* As many files as the limit allows can be mapped, and are not open all at once; one more is refused. */
static void test_many_external_files(void **state)
{
    (void)state;
    make_external_folder();
    buffer graph = {0};
    for (size_t i = 0; i <= CNX_LIMIT_EXTERNAL_FILES; i++) {
        char name[32], path[48];
        snprintf(name, sizeof name, "d%zu", i);
        snprintf(path, sizeof path, "ext/%s", name);
        write_bytes(path, "abcd", 4);
        buffer tensor = make_tensor(name, CNX_TYPE_FLOAT, 0, NULL), entry = {0};
        put_text(&entry, 1, "location");
        put_text(&entry, 2, name);
        put_message(&tensor, 13, &entry);
        put_number(&tensor, 14, 1);
        put_message(&graph, GRAPH_INITIALIZER, &tensor);
    }
    buffer model = make_model(&graph);
    write_buffer("ext/m.onnx", &model);
    assert_refused("ext/m.onnx", CNX_ERROR_LIMIT, "initializer \"d10000\"", "limit external-files");
}

static void test_external_in_zip(void **state)
{
    (void)state;
    make_external_folder();
    write_external("ext/m.onnx", "data", "8", NULL);
    for (int method = ZIP_CM_STORE; method <= ZIP_CM_DEFLATE; method += ZIP_CM_DEFLATE) {
        const member members[] = {{"in/m.onnx", "ext/m.onnx", method}, {"in/data", "ext/data", method}};
        write_zip("bundle.zip", members, 2);
        assert_external("bundle.zip", 2);
        write_zip("bundle.zip", members, 1);
        assert_refused("bundle.zip", CNX_ERROR_FILE, "member \"in/data\"", "no such member");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_no_model, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_folder, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_truncated, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_standard_input, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_zip, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_damaged_zip, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_zip_bomb, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_external, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_external_outside, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_external_amounts, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_many_external_files, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_external_in_zip, enter_folder, leave_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
