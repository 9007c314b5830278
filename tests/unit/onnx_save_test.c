/* Saving: what was loaded comes out byte for byte, and a failure leaves nothing behind. */
#include "fixture.h"
#include "onnx/reader.h"

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

/* The same weights, and the model alone is small; read again, it is what it was. */
static void test_two_files(void **state)
{
    (void)state;
    cnx_model *model = open_model(SAMPLES "/digits_mlp.onnx");
    uint64_t size = cnx_save_two_files(model, NULL, "two.onnx");
    cnx_model_close(model);
    buffer alone = read_bytes("two.onnx"), data = read_bytes("two.onnx.data");
    assert_int_equal(alone.size + data.size, size);
    assert_true(alone.size < 4096);
    free(alone.bytes);
    free(data.bytes);
    model = open_model("two.onnx");
    size_t beside = 0;
    for (size_t i = 0; i < model->tensor_count; i++) {
        beside += model->tensors[i]->external;
        assert_int_equal(model->tensors[i]->external, model->tensors[i]->size >= 1024);
        if (model->tensors[i]->external)
            assert_string_equal(model->tensors[i]->proto->external_data[0]->value, "two.onnx.data");
    }
    assert_true(beside > 1);
    cnx_save_file(model, NULL, "one.onnx");
    assert_same_files(SAMPLES "/digits_mlp.onnx", "one.onnx");
    /* Over itself, and never over weights that another model refers to. */
    cnx_save_two_files(model, NULL, "two.onnx");
    assert_int_equal(rename("two.onnx", "other.onnx"), 0);
    cnx_model_close(model);
    model = open_model("other.onnx");
    cnx_error error;
    cnx_trap trap;
    if (CNX_ENTER(model->arena, trap, &error) == CNX_OK)
        cnx_save_two_files(model, NULL, "two.onnx");
    assert_int_equal(cnx_leave(model->arena, &trap), CNX_ERROR_FILE);
    assert_string_equal(
        error.message, "cannot write: weights would go to \"two.onnx.data\", which holds those of the input");
    cnx_save_file(model, NULL, "one.onnx");
    assert_same_files(SAMPLES "/digits_mlp.onnx", "one.onnx");
    cnx_model_close(model);
    assert_int_equal(files_here(), 3);
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

/* A permuted tensor comes from the reader, in pieces, as raw_data. This reader turns the elements of each row
 * around, and the rows too; how long a row is, `row_length` says. */
static uint64_t row_length;

static uint64_t row_size(const cnx_tensor *tensor)
{
    (void)tensor;
    return row_length;
}

static void read_reversed(const cnx_tensor *tensor, const cnx_unpermuted *from, uint64_t offset, uint8_t *out,
                          size_t size)
{
    size_t step = from->room_size != 0 ? (size_t)row_length : 4;
    for (size_t done = 0; done < size; done += step) {
        size_t count = size - done < step ? size - done : step;
        const uint8_t *bytes = from->bytes + (tensor->size - offset - done - count);
        if (from->view != NULL) {
            cnx_view_copy(from->view, bytes, count, from->room);
            bytes = from->room;
        }
        for (size_t i = 0; i < count; i++)
            out[done + i] = bytes[count - 4 - i / 4 * 4 + i % 4];
    }
}

static void save_reversed(const char *path, uint64_t row, unsigned count)
{
    static const cnx_tensor_reader reversed = {.row_size = row_size, .read = read_reversed};
    row_length = row;
    cnx_model *model = open_model(path);
    int any;
    model->tensors[0]->permutation =
        (struct cnx_permutation *)&any; /* only whether there is one matters here */
    cnx_save_file(model, &reversed, "out.onnx");
    cnx_model_close(model);
    model = open_model("out.onnx");
    assert_int_equal(model->payloads[0].field, 9);
    for (unsigned i = 0; i < count; i++)
        assert_true(cnx_tensor_float(model, model->tensors[0], i) == count - 1 - i);
    cnx_model_close(model);
}

static void write_counting(const char *path, unsigned count, uint32_t field)
{
    uint64_t dims[] = {count};
    buffer graph = {0}, data = {0}, tensor = make_tensor("w", CNX_TYPE_FLOAT, 1, dims);
    for (unsigned i = 0; i < count; i++) {
        float value = (float)i;
        put_bytes(&data, &value, 4);
    }
    put_message(&tensor, field, &data);
    put_message(&graph, GRAPH_INITIALIZER, &tensor);
    put_node(&graph, "Add", "n", "x,w", "y");
    put_port(&graph, GRAPH_INPUT, "x");
    put_port(&graph, GRAPH_OUTPUT, "y");
    buffer bytes = make_model(&graph);
    write_buffer(path, &bytes);
}

static void test_permuted(void **state)
{
    (void)state;
    enum { FLOAT_DATA = 4, COUNT = 3000000 };
    write_counting("m.onnx", COUNT, FLOAT_DATA);
    save_reversed("m.onnx", 40, COUNT);        /* short rows of a large tensor: in place in the mapping */
    save_reversed("m.onnx", 12000, COUNT);     /* rows that are read one by one */
    save_reversed("m.onnx", 4 * COUNT, COUNT); /* a row that is longer than a block */
}

static void test_permuted_small(void **state)
{
    (void)state;
    enum { RAW_DATA = 9, COUNT = 700000 };
    write_counting("m.onnx", COUNT, RAW_DATA);
    save_reversed("m.onnx", 40, COUNT); /* read whole, then gathered */
    save_reversed("m.onnx", 4000, COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_samples, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_two_files, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_over_itself, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_failures, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_permuted, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_permuted_small, enter_folder, leave_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
