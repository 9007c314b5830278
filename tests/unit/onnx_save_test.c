/* Saving: what was loaded comes out byte for byte, and a failure leaves nothing behind. */
#include "fixture.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>

static size_t files_here(void)
{
    DIR *folder = opendir(".");
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(folder);
    return count;
}

static void test_samples(void **state)
{
    (void)state;
    static const char *const names[] = {"mlp", "convnet", "resnet", "attention"};
    for (size_t i = 0; i < 4; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/digits_%s.onnx", SAMPLES, names[i]);
        cnx_model *model = open_model(path);
        uint64_t size = cnx_save_file(model, NULL, "out.onnx");
        assert_int_equal(size, model->file_size);
        cnx_model_close(model);
        assert_same_files(path, "out.onnx");
    }
    assert_int_equal(files_here(), 1);
}

static void save_over(const char *path)
{
    cnx_model *model = open_model(path);
    cnx_save_file(model, NULL, path);
    cnx_save_file(model, NULL, path); /* the mapping of the old file still serves */
    cnx_model_close(model);
    assert_same_files(SAMPLES "/digits_mlp.onnx", path);
}

static void test_over_itself(void **state)
{
    (void)state;
    buffer bytes = read_bytes(SAMPLES "/digits_mlp.onnx");
    write_buffer("m.onnx", &bytes);
    assert_int_equal(chmod("m.onnx", 0640), 0);
    save_over("m.onnx");
    struct stat status;
    assert_int_equal(stat("m.onnx", &status), 0);
    assert_int_equal(status.st_mode & 0777, 0640);
    assert_int_equal(symlink("m.onnx", "link.onnx"), 0);
    save_over("link.onnx");
    assert_int_equal(lstat("link.onnx", &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    assert_int_equal(files_here(), 2);
}

static void save(cnx_model *model, void *path)
{
    cnx_save_file(model, NULL, path);
}

static void assert_not_saved(cnx_model *model, const char *path, const char *words)
{
    cnx_error error;
    size_t before = files_here();
    assert_int_equal(failure_of(model, save, (void *)(uintptr_t)path, &error), CNX_ERROR_FILE);
    if (strstr(error.message, words) == NULL)
        fail_msg("%s: %s", path, error.message);
    assert_int_equal(files_here(), before);
}

static void test_failures(void **state)
{
    (void)state;
    cnx_model *model = open_model(SAMPLES "/digits_mlp.onnx");
    assert_int_equal(mkdir("folder", 0700), 0);
    assert_not_saved(model, "folder", "folder");
    assert_not_saved(model, "nowhere/m.onnx", "No such file");
    assert_not_saved(model, "/dev/null", "not a regular file");
    write_bytes("old.onnx", "old", 3);
    /* A full disk: the kernel lets no file grow beyond some bytes. */
    struct rlimit old, small = {.rlim_cur = 5000};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small.rlim_max = old.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_not_saved(model, "new.onnx", "cannot write");
    assert_not_saved(model, "old.onnx", "cannot write");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    buffer bytes = read_bytes("old.onnx");
    assert_int_equal(bytes.size, 3);
    free(bytes.bytes);
    /* After all that the model is as it was. */
    cnx_save_file(model, NULL, "good.onnx");
    cnx_model_close(model);
    assert_same_files(SAMPLES "/digits_mlp.onnx", "good.onnx");
}

/* A permuted tensor comes from the reader, in pieces, as raw_data. */
static void reversed(cnx_model *model, cnx_tensor *tensor, uint64_t offset, uint8_t *out, size_t size)
{
    const uint8_t *bytes = cnx_tensor_bytes(model, tensor);
    for (size_t i = 0; i < size; i++)
        out[i] = bytes[(tensor->size - 4 - (offset + i) / 4 * 4) + i % 4];
}

static void test_permuted(void **state)
{
    (void)state;
    enum { COUNT = 700000 };
    uint64_t dims[] = {COUNT};
    buffer graph = {0}, data = {0}, tensor = make_tensor("w", CNX_TYPE_FLOAT, 1, dims);
    for (unsigned i = 0; i < COUNT; i++) {
        float value = (float)i;
        put_bytes(&data, &value, 4);
    }
    put_message(&tensor, 4, &data); /* float_data */
    put_message(&graph, GRAPH_INITIALIZER, &tensor);
    put_node(&graph, "Add", "n", "x,w", "y");
    put_port(&graph, GRAPH_INPUT, "x");
    put_port(&graph, GRAPH_OUTPUT, "y");
    buffer bytes = make_model(&graph);
    write_buffer("m.onnx", &bytes);
    cnx_model *model = open_model("m.onnx");
    int any;
    model->tensors[0]->permutation =
        (struct cnx_permutation *)&any; /* only whether there is one matters here */
    cnx_save_file(model, reversed, "out.onnx");
    cnx_model_close(model);
    model = open_model("out.onnx");
    assert_int_equal(model->payloads[0].field, 9);
    for (unsigned i = 0; i < COUNT; i++)
        assert_true(cnx_tensor_float(model, model->tensors[0], i) == COUNT - 1 - i);
    cnx_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_samples, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_over_itself, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_failures, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_permuted, enter_folder, leave_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
