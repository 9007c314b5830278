/* For tests of blocks: the layers that the models are made of, and checks of a report's rows, written as
 * "Kind: detail". */
#ifndef CNX_TESTS_BLOCKS_FIXTURE_H
#define CNX_TESTS_BLOCKS_FIXTURE_H

#include "model_maker.h"

#include <stdio.h>

#include "onnx/model.h"

#define LIST(...)                                                                                            \
    (const char *const[])                                                                                    \
    {                                                                                                        \
        __VA_ARGS__, NULL                                                                                    \
    }
#define INPUTS(...)                                                                                          \
    (sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)), (const char *const[])                     \
    {                                                                                                        \
        __VA_ARGS__                                                                                          \
    }
#define DIMS(...)                                                                                            \
    (sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[])                                        \
    {                                                                                                        \
        __VA_ARGS__                                                                                          \
    }

/* ---- building ---- */

static inline const char *tensor(maker *m, const char *name, size_t rank, const int64_t *dims)
{
    size_t count = 1;
    for (size_t i = 0; i < rank; i++)
        count *= (size_t)dims[i];
    float *values = CNX_NEW_ARRAY(m->arena, float, count);
    for (size_t i = 0; i < count; i++)
        values[i] = 0.01f * (float)(i % 97) - 0.3f;
    return maker_floats(m, name, rank, dims, count, values);
}

static inline const char *integers(maker *m, const char *name, size_t count, const int64_t *values)
{
    maker_tensor(m, name, CNX_TYPE_INT64, 1, (int64_t[]){(int64_t)count}, values, count * sizeof *values);
    return name;
}

static inline const char *named(maker *m, const char *stem, const char *suffix)
{
    return cnx_print(m->arena, "%s.%s", stem, suffix);
}

/* Linear layer of the last axis as PyTorch exports it for rank 3: MatMul, and Add with the bias first. */
static inline const char *linear(maker *m, const char *name, const char *x, int64_t in, int64_t out)
{
    const char *w = tensor(m, named(m, name, "weight"), DIMS(in, out));
    const char *b = tensor(m, named(m, name, "bias"), DIMS(out));
    const char *product = maker_binary(m, "MatMul", named(m, name, "matmul"), x, w);
    return maker_binary(m, "Add", named(m, name, "add"), b, product);
}

static inline const char *conv(maker *m, const char *name, const char *x, int64_t in, int64_t out,
                               int64_t kernel)
{
    const char *w = tensor(m, named(m, name, "weight"), DIMS(out, in, kernel, kernel));
    maker_node(m, "Conv", name, INPUTS(x, w));
    maker_ints(m, "pads", 4, (int64_t[]){kernel / 2, kernel / 2, kernel / 2, kernel / 2});
    return name;
}

static inline const char *batch_norm(maker *m, const char *name, const char *x, int64_t channels)
{
    const char *parts[5] = {x};
    static const char *const SUFFIXES[] = {"", "weight", "bias", "mean", "var"};
    for (int i = 1; i < 5; i++)
        parts[i] = tensor(m, named(m, name, SUFFIXES[i]), DIMS(channels));
    return maker_node(m, "BatchNormalization", name, 5, parts);
}

static inline const char *reduce_mean(maker *m, const char *name, const char *x, int64_t axis)
{
    maker_unary(m, "ReduceMean", name, x);
    maker_ints(m, "axes", 1, &axis);
    return name;
}

static inline const char *reshape(maker *m, const char *name, const char *x, size_t rank, const int64_t *dims)
{
    return maker_binary(m, "Reshape", name, x, integers(m, named(m, name, "shape"), rank, dims));
}

static inline const char *transpose(maker *m, const char *name, const char *x, size_t rank,
                                    const int64_t *axes)
{
    maker_unary(m, "Transpose", name, x);
    maker_ints(m, "perm", rank, axes);
    return name;
}

static inline maker *start(void)
{
    maker *m = maker_create();
    m->opset = 13;
    return m;
}

static inline const char *number(maker *m, float value)
{
    static int count;
    return maker_number(m, cnx_print(m->arena, "number%d", count++), value);
}

/* Layer normalization as PyTorch spells it, and in some other ways. */
static inline const char *layer_norm(maker *m, const char *stem, const char *x, int64_t width, int way)
{
    const char *mean = reduce_mean(m, named(m, stem, "mean"), x, -1);
    const char *d = maker_binary(m, "Sub", named(m, stem, "sub"), x, mean);
    const char *square = way == 1 ? maker_binary(m, "Mul", named(m, stem, "square"), d, d)
                                  : maker_binary(m, "Pow", named(m, stem, "square"), d, number(m, 2));
    const char *variance = reduce_mean(m, named(m, stem, "variance"), square, -1);
    const char *sum = maker_binary(m, "Add", named(m, stem, "eps"), variance, number(m, 1e-5f));
    const char *root = maker_unary(m, "Sqrt", named(m, stem, "root"), sum);
    if (way == 2) /* the mean subtracted twice */
        d = maker_binary(m, "Sub", named(m, stem, "sub2"), x, mean);
    const char *quotient = way == 3
                               ? maker_binary(m, "Mul", named(m, stem, "div"), d,
                                              maker_unary(m, "Reciprocal", named(m, stem, "inverse"), root))
                               : maker_binary(m, "Div", named(m, stem, "div"), d, root);
    const char *scaled = maker_binary(m, "Mul", named(m, stem, "mul"), quotient,
                                      tensor(m, named(m, stem, "weight"), DIMS(width)));
    return maker_binary(m, "Add", named(m, stem, "add"), scaled,
                        tensor(m, named(m, stem, "bias"), DIMS(width)));
}

/* ---- checking ---- */

static inline const cnx_inspection *inspect(maker *m, const char *output)
{
    maker_output(m, output);
    const cnx_inspection *report;
    cnx_error error;
    if (cnx_inspect(maker_open(m), &report, &error) != CNX_OK)
        fail_msg("%s: %s", error.place, error.message);
    return report;
}

static inline bool is_gathered(const cnx_block *block)
{
    return strcmp(block->kind, "Layout") == 0 || strcmp(block->kind, "Shape") == 0 ||
           strcmp(block->kind, "Constant") == 0 || strcmp(block->kind, "Quantization") == 0;
}

/* Every node is in one place, every parameter and product is counted once. */
static inline void check_sums(const cnx_inspection *report)
{
    uint64_t nodes = report->unassigned_count, parameters = 0;
    double macs = 0;
    bool numbers = true;
    for (size_t i = 0; i < report->block_count; i++) {
        nodes += report->blocks[i].node_count;
        parameters += report->blocks[i].parameters;
        macs += report->blocks[i].macs.value;
        numbers &= report->blocks[i].macs.is_number;
    }
    assert_int_equal(nodes, report->node_count);
    assert_int_equal(parameters, report->parameter_count);
    if (numbers && report->macs.is_number)
        assert_true(macs == report->macs.value);
}

/* The rows, without those that are gathered; ends the test's model. */
static inline void expect(maker *m, const char *output, const char *const *rows)
{
    const cnx_inspection *report = inspect(m, output);
    size_t found = 0;
    check_sums(report);
    for (size_t i = 0; i < report->block_count; i++) {
        const cnx_block *block = &report->blocks[i];
        if (is_gathered(block))
            continue;
        assert_non_null(rows[found]);
        assert_string_equal(cnx_print(m->arena, "%s: %s", block->kind, block->detail), rows[found]);
        found++;
    }
    assert_null(rows[found]);
    maker_destroy(m);
}

#endif
