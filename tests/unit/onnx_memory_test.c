/* Memory runs out at the n-th allocation, for every n: the error says so, and nothing leaks (the sanitizers
 * look). calloc is the arena's only source; the linker sends its calls here. */
#include "fixture.h"

static size_t left; /* allocations until the one that fails; 0: never */

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
    if (left != 0 && --left == 0)
        return NULL;
    return __real_calloc(count, size);
}

static size_t open_with_failures(const char *path)
{
    for (size_t n = 1;; n++) {
        cnx_model *model;
        cnx_error error;
        left = n;
        cnx_code code = cnx_model_open(path, &model, &error);
        bool reached = left == 0;
        left = 0;
        cnx_model_close(model);
        if (!reached) {
            assert_int_equal(code, CNX_OK);
            return n - 1;
        }
        assert_int_equal(code, CNX_ERROR_MEMORY);
        assert_null(model);
    }
}

static void test_open(void **state)
{
    (void)state;
    assert_true(open_with_failures(SAMPLES "/digits_mlp.onnx") > 3);
}

static void save(cnx_model *model, void *path)
{
    cnx_save_file(model, NULL, path);
}

static void test_save(void **state)
{
    (void)state;
    cnx_model *model = open_model(SAMPLES "/digits_mlp.onnx");
    char path[] = "out.onnx";
    for (size_t n = 1;; n++) {
        cnx_error error;
        left = n;
        cnx_code code = failure_of(model, save, path, &error);
        bool reached = left == 0;
        left = 0;
        if (!reached) {
            assert_int_equal(code, CNX_OK);
            break;
        }
        assert_int_equal(code, CNX_ERROR_MEMORY);
        assert_int_not_equal(access(path, F_OK), 0);
    }
    cnx_model_close(model);
    assert_same_files(SAMPLES "/digits_mlp.onnx", path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_open, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_save, enter_folder, leave_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
