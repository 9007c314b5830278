/* Small models for tests, built in memory and written to a temporary file, so that a test reads like the
 * network it is about. Everything lives in one arena. Header-only; a test program need not use all of it.
 *
 *     maker *m = maker_create();
 *     const char *x = maker_input(m, "x", 2, (int64_t[]){-1, 3});    // -1: the batch axis
 *     x = maker_node(m, "Gemm", "dense", 3, (const char *[]){x, maker_weight(m, "w", 3, 4), "b"});
 *     maker_output(m, x);
 *     cnx_model *model = maker_open(m);
 */
#ifndef CNX_TESTS_MODEL_MAKER_H
#define CNX_TESTS_MODEL_MAKER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "onnx/tensor.h"
#include "proto/onnx.pb-c.h"

typedef struct maker {
    cnx_arena *arena;
    Onnx__ModelProto *model;
    Onnx__GraphProto *graph;
    size_t node_capacity, input_capacity, output_capacity, tensor_capacity;
    uint32_t random;
    int64_t opset;
    cnx_model *opened;
} maker;

static inline maker *maker_create(void)
{
    cnx_arena *arena = cnx_arena_create(NULL);
    maker *m = CNX_NEW(arena, maker);
    m->arena = arena;
    m->random = 1;
    m->opset = 20;
    m->model = CNX_NEW(arena, Onnx__ModelProto);
    onnx__model_proto__init(m->model);
    m->graph = CNX_NEW(arena, Onnx__GraphProto);
    onnx__graph_proto__init(m->graph);
    m->model->graph = m->graph;
    m->graph->name = "test";
    m->model->has_ir_version = true;
    m->model->ir_version = 9;
    return m;
}

static inline void maker_destroy(maker *m)
{
    cnx_model_close(m->opened);
    cnx_arena_destroy(m->arena);
}

/* ---- values ---- */

static inline Onnx__ValueInfoProto *maker_value(maker *m, const char *name, size_t rank, const int64_t *dims)
{
    Onnx__ValueInfoProto *value = CNX_NEW(m->arena, Onnx__ValueInfoProto);
    Onnx__TypeProto *type = CNX_NEW(m->arena, Onnx__TypeProto);
    Onnx__TypeProto__Tensor *tensor = CNX_NEW(m->arena, Onnx__TypeProto__Tensor);
    Onnx__TensorShapeProto *shape = CNX_NEW(m->arena, Onnx__TensorShapeProto);
    onnx__value_info_proto__init(value);
    onnx__type_proto__init(type);
    onnx__type_proto__tensor__init(tensor);
    onnx__tensor_shape_proto__init(shape);
    shape->n_dim = rank;
    shape->dim = CNX_NEW_ARRAY(m->arena, Onnx__TensorShapeProto__Dimension *, rank);
    for (size_t i = 0; i < rank; i++) {
        shape->dim[i] = CNX_NEW(m->arena, Onnx__TensorShapeProto__Dimension);
        onnx__tensor_shape_proto__dimension__init(shape->dim[i]);
        shape->dim[i]->value_case = dims[i] < 0 ? ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM
                                                : ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        if (dims[i] < 0)
            shape->dim[i]->dim_param = "N";
        else
            shape->dim[i]->dim_value = dims[i];
    }
    tensor->has_elem_type = true;
    tensor->elem_type = CNX_TYPE_FLOAT;
    tensor->shape = rank == 0 ? NULL : shape;
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = tensor;
    value->name = (char *)(uintptr_t)name;
    value->type = type;
    return value;
}

/* A dimension of -1 is the symbol N. */
static inline const char *maker_input(maker *m, const char *name, size_t rank, const int64_t *dims)
{
    Onnx__ValueInfoProto *value = maker_value(m, name, rank, dims);
    CNX_PUSH(m->arena, m->graph->input, m->graph->n_input, m->input_capacity, value);
    return name;
}

/* An output of unstated shape. */
static inline void maker_output(maker *m, const char *name)
{
    Onnx__ValueInfoProto *value = maker_value(m, name, 0, NULL);
    CNX_PUSH(m->arena, m->graph->output, m->graph->n_output, m->output_capacity, value);
}

/* ---- tensors ---- */

static inline Onnx__TensorProto *maker_tensor(maker *m, const char *name, int32_t type, size_t rank,
                                              const int64_t *dims, const void *bytes, size_t size)
{
    Onnx__TensorProto *tensor = CNX_NEW(m->arena, Onnx__TensorProto);
    onnx__tensor_proto__init(tensor);
    tensor->name = (char *)(uintptr_t)name;
    tensor->has_data_type = true;
    tensor->data_type = type;
    tensor->n_dims = rank;
    tensor->dims = CNX_NEW_ARRAY(m->arena, int64_t, rank);
    if (rank > 0)
        memcpy(tensor->dims, dims, rank * sizeof *dims);
    tensor->has_raw_data = true;
    tensor->raw_data.len = size;
    tensor->raw_data.data = cnx_alloc(m->arena, size);
    memcpy(tensor->raw_data.data, bytes, size);
    CNX_PUSH(m->arena, m->graph->initializer, m->graph->n_initializer, m->tensor_capacity, tensor);
    return tensor;
}

/* The given numbers, as float32. */
static inline const char *maker_floats(maker *m, const char *name, size_t rank, const int64_t *dims,
                                       size_t count, const float *values)
{
    maker_tensor(m, name, CNX_TYPE_FLOAT, rank, dims, values, count * sizeof *values);
    return name;
}

/* Random float32 entries in (-1, 1); columns 0 makes a vector. */
static inline const char *maker_weight(maker *m, const char *name, int64_t rows, int64_t columns)
{
    size_t count = (size_t)(rows * (columns == 0 ? 1 : columns));
    float *values = CNX_NEW_ARRAY(m->arena, float, count);
    for (size_t i = 0; i < count; i++) {
        m->random = m->random * 1664525u + 1013904223u;
        values[i] = (float)(m->random >> 8) / 8388608.0f - 1.0f;
    }
    return maker_floats(m, name, columns == 0 ? 1 : 2, (int64_t[]){rows, columns}, count, values);
}

static inline const char *maker_number(maker *m, const char *name, float value)
{
    return maker_floats(m, name, 0, NULL, 1, &value);
}

/* ---- nodes ---- */

/* Adds a node with one output, named as the node; returns it. An input "" is omitted. */
static inline const char *maker_node(maker *m, const char *op_type, const char *name, size_t input_count,
                                     const char *const *inputs)
{
    Onnx__NodeProto *node = CNX_NEW(m->arena, Onnx__NodeProto);
    onnx__node_proto__init(node);
    node->op_type = (char *)(uintptr_t)op_type;
    node->name = (char *)(uintptr_t)name;
    node->n_input = input_count;
    node->input = CNX_NEW_ARRAY(m->arena, char *, input_count);
    memcpy(node->input, inputs, input_count * sizeof *inputs);
    node->n_output = 1;
    node->output = CNX_NEW_ARRAY(m->arena, char *, 1);
    node->output[0] = (char *)(uintptr_t)name;
    CNX_PUSH(m->arena, m->graph->node, m->graph->n_node, m->node_capacity, node);
    return name;
}

static inline const char *maker_unary(maker *m, const char *op_type, const char *name, const char *input)
{
    return maker_node(m, op_type, name, 1, &input);
}

static inline const char *maker_binary(maker *m, const char *op_type, const char *name, const char *a,
                                       const char *b)
{
    return maker_node(m, op_type, name, 2, (const char *[]){a, b});
}

/* An attribute of the newest node. */
static inline Onnx__AttributeProto *maker_attribute(maker *m, const char *name,
                                                    Onnx__AttributeProto__AttributeType type)
{
    Onnx__NodeProto *node = m->graph->node[m->graph->n_node - 1];
    Onnx__AttributeProto *attribute = CNX_NEW(m->arena, Onnx__AttributeProto);
    onnx__attribute_proto__init(attribute);
    attribute->name = (char *)(uintptr_t)name;
    attribute->has_type = true;
    attribute->type = type;
    Onnx__AttributeProto **list = CNX_NEW_ARRAY(m->arena, Onnx__AttributeProto *, node->n_attribute + 1);
    if (node->n_attribute > 0)
        memcpy(list, node->attribute, node->n_attribute * sizeof(Onnx__AttributeProto *));
    list[node->n_attribute++] = attribute;
    node->attribute = list;
    return attribute;
}

static inline void maker_int(maker *m, const char *name, int64_t value)
{
    Onnx__AttributeProto *attribute = maker_attribute(m, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    attribute->has_i = true;
    attribute->i = value;
}

static inline void maker_float(maker *m, const char *name, float value)
{
    Onnx__AttributeProto *attribute = maker_attribute(m, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    attribute->has_f = true;
    attribute->f = value;
}

static inline void maker_ints(maker *m, const char *name, size_t count, const int64_t *values)
{
    Onnx__AttributeProto *attribute = maker_attribute(m, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    attribute->n_ints = count;
    attribute->ints = CNX_NEW_ARRAY(m->arena, int64_t, count);
    memcpy(attribute->ints, values, count * sizeof *values);
}

/* A fully connected layer as PyTorch exports it: Gemm with the weight stored as outputs x inputs; the node's
 * parameters are NAME.weight and NAME.bias. */
static inline const char *maker_dense(maker *m, const char *name, const char *input, int64_t inputs,
                                      int64_t outputs)
{
    const char *weight = maker_weight(m, cnx_print(m->arena, "%s.weight", name), outputs, inputs);
    const char *bias = maker_weight(m, cnx_print(m->arena, "%s.bias", name), outputs, 0);
    maker_node(m, "Gemm", name, 3, (const char *[]){input, weight, bias});
    maker_int(m, "transB", 1);
    return name;
}

/* ---- opening ---- */

/* Writes the model to a temporary file and opens it; the file is gone afterwards. Fails the test on an error.
 */
static inline cnx_model *maker_open(maker *m)
{
    Onnx__OperatorSetIdProto *opset = CNX_NEW(m->arena, Onnx__OperatorSetIdProto);
    onnx__operator_set_id_proto__init(opset);
    opset->has_version = true;
    opset->version = m->opset;
    m->model->n_opset_import = 1;
    m->model->opset_import = CNX_NEW_ARRAY(m->arena, Onnx__OperatorSetIdProto *, 1);
    m->model->opset_import[0] = opset;
    size_t size = onnx__model_proto__get_packed_size(m->model);
    uint8_t *bytes = cnx_alloc(m->arena, size);
    onnx__model_proto__pack(m->model, bytes);
    char path[] = "/tmp/canonnx-test-XXXXXX.onnx";
    int file = mkstemps(path, 5);
    assert_true(file >= 0);
    assert_int_equal(write(file, bytes, size), size);
    close(file);
    cnx_error error = {0};
    cnx_code code = cnx_model_open(path, &m->opened, &error);
    unlink(path);
    if (code != CNX_OK)
        fail_msg("%s: %s", error.place, error.message);
    return m->opened;
}

#endif
