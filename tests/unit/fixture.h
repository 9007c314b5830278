/* For tests of loading and saving: a folder of its own, and models written byte by byte, so that a test can
 * write what no library would. Tests may use malloc and abort. */
#ifndef CNX_TESTS_FIXTURE_H
#define CNX_TESTS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "onnx/model.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- protobuf, written by hand ---- */

typedef struct buffer {
    uint8_t *bytes;
    size_t size;
    size_t capacity;
} buffer;

static inline void put_bytes(buffer *out, const void *bytes, size_t size)
{
    if (out->size + size > out->capacity) {
        out->capacity = 2 * (out->size + size);
        out->bytes = realloc(out->bytes, out->capacity);
        assert_non_null(out->bytes);
    }
    if (size != 0)
        memcpy(out->bytes + out->size, bytes, size);
    out->size += size;
}

static inline void put_varint(buffer *out, uint64_t value)
{
    uint8_t byte;
    for (; value >= 0x80; value >>= 7) {
        byte = (uint8_t)(value | 0x80);
        put_bytes(out, &byte, 1);
    }
    byte = (uint8_t)value;
    put_bytes(out, &byte, 1);
}

static inline void put_number(buffer *out, uint32_t field, uint64_t value)
{
    put_varint(out, (uint64_t)field << 3);
    put_varint(out, value);
}

static inline void put_field(buffer *out, uint32_t field, const void *bytes, size_t size)
{
    put_varint(out, (uint64_t)field << 3 | 2);
    put_varint(out, size);
    put_bytes(out, bytes, size);
}

static inline void put_text(buffer *out, uint32_t field, const char *text)
{
    put_field(out, field, text, strlen(text));
}

/* Appends a message and frees it. */
static inline void put_message(buffer *out, uint32_t field, buffer *message)
{
    put_field(out, field, message->bytes, message->size);
    free(message->bytes);
    *message = (buffer){0};
}

/* ---- ONNX on top of it: field numbers as in proto/onnx.proto ---- */

enum { GRAPH_NODE = 1, GRAPH_INITIALIZER = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12, GRAPH_VALUE_INFO = 13 };

/* Comma-separated names, an empty one between two commas. */
static inline void put_names(buffer *out, uint32_t field, const char *names)
{
    while (*names != '\0') {
        size_t size = strcspn(names, ",");
        put_field(out, field, names, size);
        names += size;
        names += *names == ',';
    }
}

/* A node without its attributes; op NULL: no op_type. */
static inline buffer make_node(const char *op, const char *name, const char *inputs, const char *outputs)
{
    buffer node = {0};
    put_names(&node, 1, inputs);
    put_names(&node, 2, outputs);
    if (name[0] != '\0')
        put_text(&node, 3, name);
    if (op != NULL)
        put_text(&node, 4, op);
    return node;
}

static inline void put_node(buffer *graph, const char *op, const char *name, const char *inputs,
                            const char *outputs)
{
    buffer node = make_node(op, name, inputs, outputs);
    put_message(graph, GRAPH_NODE, &node);
}

/* An input, output or value_info of type float and one axis of one element. */
static inline void put_port(buffer *graph, uint32_t field, const char *name)
{
    buffer dim = {0}, shape = {0}, tensor = {0}, type = {0}, info = {0};
    put_number(&dim, 1, 1);
    put_message(&shape, 1, &dim);
    put_number(&tensor, 1, CNX_TYPE_FLOAT);
    put_message(&tensor, 2, &shape);
    put_message(&type, 1, &tensor);
    put_text(&info, 1, name);
    put_message(&info, 2, &type);
    put_message(graph, field, &info);
}

/* A tensor without payload. */
static inline buffer make_tensor(const char *name, int type, size_t rank, const uint64_t *dims)
{
    buffer tensor = {0};
    for (size_t i = 0; i < rank; i++)
        put_number(&tensor, 1, dims[i]);
    put_number(&tensor, 2, (uint64_t)type);
    put_text(&tensor, 8, name);
    return tensor;
}

/* ... and one with raw_data of one axis of `count` floats, all zero. */
static inline void put_floats(buffer *graph, const char *name, uint64_t count)
{
    buffer tensor = make_tensor(name, CNX_TYPE_FLOAT, 1, &count);
    void *zeros = calloc(count + 1, 4);
    put_field(&tensor, 9, zeros, count * 4);
    free(zeros);
    put_message(graph, GRAPH_INITIALIZER, &tensor);
}

/* The file around a graph, which is freed. */
static inline buffer make_model(buffer *graph)
{
    buffer model = {0}, opset = {0};
    put_number(&model, 1, 8);
    put_message(&model, 7, graph);
    put_number(&opset, 2, 14);
    put_message(&model, 8, &opset);
    return model;
}

/* x -> Relu -> y */
static inline buffer make_small_model(void)
{
    buffer graph = {0};
    put_node(&graph, "Relu", "n", "x", "y");
    put_port(&graph, GRAPH_INPUT, "x");
    put_port(&graph, GRAPH_OUTPUT, "y");
    return make_model(&graph);
}

/* ---- a folder for files ---- */

static char scratch_folder[64];

static inline int enter_folder(void **state)
{
    (void)state;
    snprintf(scratch_folder, sizeof scratch_folder, "/tmp/canonnx-test-XXXXXX");
    return mkdtemp(scratch_folder) == NULL || chdir(scratch_folder) != 0;
}

static inline int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

static inline int leave_folder(void **state)
{
    (void)state;
    return chdir("/") != 0 || nftw(scratch_folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS) != 0;
}

static inline void write_bytes(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    if (size != 0)
        assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* Writes and frees. */
static inline void write_buffer(const char *path, buffer *bytes)
{
    write_bytes(path, bytes->bytes, bytes->size);
    free(bytes->bytes);
    *bytes = (buffer){0};
}

static inline buffer read_bytes(const char *path)
{
    buffer out = {0};
    uint8_t block[4096];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    for (size_t got; (got = fread(block, 1, sizeof block, file)) != 0;)
        put_bytes(&out, block, got);
    fclose(file);
    return out;
}

static inline void assert_same_files(const char *path, const char *other)
{
    buffer a = read_bytes(path), b = read_bytes(other);
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.bytes, b.bytes, a.size);
    free(a.bytes);
    free(b.bytes);
}

/* ---- opening ---- */

static inline cnx_model *open_model(const char *path)
{
    cnx_model *model;
    cnx_error error;
    if (cnx_model_open(path, &model, &error) != CNX_OK)
        fail_msg("%s: %s: %s", path, error.place, error.message);
    return model;
}

/* Opening has to fail with this code and these words in place and message, on one line. */
static inline void assert_refused(const char *path, cnx_code code, const char *place, const char *words)
{
    cnx_model *model;
    cnx_error error;
    cnx_code got = cnx_model_open(path, &model, &error);
    if (got == CNX_OK)
        cnx_model_close(model);
    if (got != code || strstr(error.place, place) == NULL || strstr(error.message, words) == NULL)
        fail_msg("%s: got code %d, \"%s\": \"%s\"", path, (int)got, error.place, error.message);
    assert_null(model);
    assert_int_equal(error.code, code);
    assert_null(strchr(error.message, '\n'));
}

/* The code that `action` fails with. (What must not fail needs no trap: without one, a failure aborts.) */
static inline cnx_code failure_of(cnx_model *model, void (*action)(cnx_model *, void *), void *argument,
                                  cnx_error *error)
{
    cnx_trap trap;
    if (CNX_ENTER(model->arena, trap, error) == CNX_OK)
        action(model, argument);
    return cnx_leave(model->arena, &trap);
}

#endif
