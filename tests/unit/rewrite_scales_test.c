/* Scales are changed as far as no element loses a bit by that (docs/FORMAT.md, 6.6). cnx_path_hash and
 * cnx_canonicalize_to, which see that late, make the same form. */
#include "rewrite_text.h"

#include <unistd.h>

/* A unit with bias 8 is divided by 8, one with bias 1/8 multiplied by 8; what follows is treated the other
 * way round. */
#define NETWORK(bias, before, after)                                                                         \
    "in x\ns = int64[2]{-1 2}\nb = float[2]{" bias "}\nw = float[2 2]{" before "}\nv = float[2 2]{" after    \
    "}\n"                                                                                                    \
    "a = Reshape(x, s)\nh = Gemm(a, w, b)\nr = Relu(h)\ny = Gemm(r, v)\nout y\n"

static void digest_of(const cnx_canon_options *options, char digest[33])
{
    cnx_error error = {0};
    cnx_model *model;
    if (cnx_model_open("scales.onnx", &model, &error) != CNX_OK ||
        cnx_canonicalize(model, options, NULL, &error) != CNX_OK ||
        cnx_model_hash(model, digest, &error) != CNX_OK)
        fail_msg("%s: %s", error.place, error.message);
    cnx_model_close(model);
}

/* The form is written in one go as it is in two steps. */
static void compare_files(const cnx_canon_options *options)
{
    cnx_error error = {0};
    cnx_model *model;
    const cnx_canon_report *steps = NULL, *one = NULL;
    uint64_t bytes = 0, again = 1;
    if (cnx_model_open("scales.onnx", &model, &error) != CNX_OK ||
        cnx_canonicalize(model, options, &steps, &error) != CNX_OK ||
        cnx_model_write(model, "steps.onnx", &bytes, &error) != CNX_OK)
        fail_msg("%s: %s", error.place, error.message);
    cnx_model *other;
    if (cnx_model_open("scales.onnx", &other, &error) != CNX_OK ||
        cnx_canonicalize_to(other, options, "one.onnx", &one, &again, &error) != CNX_OK)
        fail_msg("%s: %s", error.place, error.message);
    assert_same_files("steps.onnx", "one.onnx");
    assert_int_equal(bytes, again);
    assert_int_equal(steps->note_count, one->note_count);
    for (size_t i = 0; i < one->note_count; i++)
        assert_string_equal(steps->notes[i], one->notes[i]);
    cnx_model_close(model);
    cnx_model_close(other);
}

static void check(const char *text, bool kept)
{
    static const cnx_canon_options without_scales = {.keep_scales = true};
    char expected[33], unscaled[33], digest[33];
    cnx_error error = {0};
    cnx_model *model = model_of_text(text);
    assert_int_equal(cnx_model_write(model, "scales.onnx", NULL, &error), CNX_OK);
    cnx_model_close(model);
    digest_of(NULL, expected);
    digest_of(&without_scales, unscaled);
    if ((strcmp(expected, unscaled) == 0) != kept)
        fail_msg("scales were %s in\n%s", kept ? "not kept" : "kept", text);
    if (cnx_path_hash("scales.onnx", digest, &error) != CNX_OK)
        fail_msg("%s: %s\n%s", error.place, error.message, text);
    if (strcmp(digest, expected) != 0)
        fail_msg("the file's hash differs from that of its form:\n%s", text);
    compare_files(NULL);
    compare_files(&without_scales);
}

static void changed_scales(void **state)
{
    (void)state;
    check(NETWORK("8 0.125", "1 2 3 4", "5 6 7 8"), false);
    check(NETWORK("8 0.125", "0 -2 0 4", "0 0 0 0"), false);
    check(NETWORK("0.125 0.125", "1.2e-38 1 1.2e-38 1", "1 1 1 1"), false);
}

/* Units move away from the scales that their biases ask for: 2^-3 for a bias of 8. */
static void moved_scales(void **state)
{
    (void)state;
    check(NETWORK("8 1", "1.2e-38 1 1 1", "1 1 1 1"), false);      /* becomes subnormal */
    check(NETWORK("1e15 1", "1e-30 1 1 1", "1e-20 1 1 1"), false); /* vanishes */
    check(NETWORK("8 1", "1 1 1 1", "4e18 1 1 1"), false);         /* gets beyond 2^64 */
    check(NETWORK("8 1", "1 1e-40 1 1", "1 1 1 1"), false);        /* is subnormal */
    check(NETWORK("8 1", "1e-45 1 1 1", "1 1 1 1"), true);         /* the last bit that there is */
}

static void kept_scales(void **state)
{
    (void)state;
    check(NETWORK("8 0.125", "1 2 3 4", "5 6 inf 8"), true);
    check(NETWORK("8 0.125", "1 2 3 nan", "5 6 7 8"), true);
    check(NETWORK("8 0.125", "1 2 3 4", "1e38 6 7 8"), true); /* whatever the bias is, one is beyond 2^64 */
}

static void long_tensors(void **state)
{
    (void)state;
    /* more elements than are looked at at once, and the one that counts among the last */
    static char text[20000];
    for (int troubled = 0; troubled < 2; troubled++) {
        size_t at = (size_t)snprintf(text, sizeof text,
                                     "in x\ns = int64[2]{-1 2000}\nb = float[2]{1 8}\nw = float[2000 2]{");
        for (int i = 0; i < 3999; i++)
            at += (size_t)snprintf(text + at, sizeof text - at, "1 ");
        snprintf(text + at, sizeof text - at,
                 "%s}\nv = float[2 2]{1 1 1 1}\na = Reshape(x, s)\nh = Gemm(a, w, b)\n"
                 "r = Relu(h)\ny = Gemm(r, v)\nout y\n",
                 troubled != 0 ? "1e-45" : "1");
        check(text, troubled != 0);
    }
}

/* Whose fault a failure is, and that nothing is left of it. */
static void failures(void **state)
{
    (void)state;
    static const cnx_canon_options unknown_pass = {.passes = "sorcery"};
    cnx_error error = {0};
    const cnx_canon_report *report;
    uint64_t bytes;
    cnx_model *model = model_of_text(NETWORK("8 0.125", "1 2 3 4", "5 6 7 8"));
    assert_int_equal(cnx_canonicalize_to(model, &unknown_pass, "none.onnx", &report, &bytes, &error),
                     CNX_ERROR_USAGE);
    assert_null(report);
    cnx_model_close(model);
    model = model_of_text(NETWORK("8 0.125", "1 2 3 4", "5 6 7 8"));
    assert_int_equal(cnx_canonicalize_to(model, NULL, "no/folder/none.onnx", &report, &bytes, &error),
                     CNX_ERROR_FILE);
    assert_non_null(report);
    cnx_model_close(model);
    assert_int_equal(access("none.onnx", F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changed_scales), cmocka_unit_test(moved_scales), cmocka_unit_test(kept_scales),
        cmocka_unit_test(long_tensors),   cmocka_unit_test(failures),
    };
    return cmocka_run_group_tests_name("rewrite_scales", tests, enter_folder, leave_folder);
}
