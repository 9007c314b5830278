/* Multiply-accumulates of single nodes, from the shapes of their inputs and outputs. A shape is written as
 * text: "N 3 8 8"; "?" is a value whose shape is unknown, "-" an omitted one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "analyze/macs.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_VALUES 16

typedef struct fixture {
    cnx_arena *arena;
    cnx_analysis analysis;
    cnx_model model;
    cnx_graph graph;
    cnx_node node;
    Onnx__NodeProto proto;
    cnx_fact facts[MAX_VALUES];
    uint32_t inputs[MAX_VALUES], outputs[MAX_VALUES];
    uint32_t value_count;
    Onnx__AttributeProto *attributes[4];
} fixture;

static int set_up(void **state)
{
    fixture *f = test_calloc(1, sizeof *f);
    f->arena = cnx_arena_create(NULL);
    f->analysis.arena = f->model.arena = f->arena;
    f->analysis.dims = cnx_dims_create(f->arena);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    cnx_arena_destroy(f->arena);
    test_free(f);
    return 0;
}

static cnx_fact read_shape(fixture *f, const char *text, size_t size)
{
    cnx_fact fact = {.known = true, .axes = CNX_NEW_ARRAY(f->arena, cnx_axis, size)};
    for (size_t i = 0; i < size;) {
        size_t word = strcspn(text + i, " ;");
        char name[16] = {0};
        snprintf(name, sizeof name, "%.*s", (int)word, text + i);
        if (name[0] == '?')
            return (cnx_fact){.known = false};
        if (name[0] != '\0')
            fact.axes[fact.rank++].extent = isdigit((unsigned char)name[0])
                                                ? cnx_dim_number(f->analysis.dims, atoll(name))
                                                : cnx_dim_symbol(f->analysis.dims, name);
        i += word + 1;
    }
    return fact;
}

static uint32_t read_values(fixture *f, const char *text, uint32_t *values)
{
    uint32_t count = 0;
    while (*text != '\0') {
        while (*text == ' ')
            text++;
        size_t size = strcspn(text, ";");
        values[count] = *text == '-' ? CNX_NONE : f->value_count;
        if (*text != '-')
            f->facts[f->value_count++] = read_shape(f, text, size);
        count++;
        text += size;
        text += *text == ';';
    }
    return count;
}

static Onnx__AttributeProto *attribute(fixture *f, const char *name, Onnx__AttributeProto__AttributeType type)
{
    Onnx__AttributeProto *made = CNX_NEW(f->arena, Onnx__AttributeProto);
    onnx__attribute_proto__init(made);
    made->name = (char *)(uintptr_t)name;
    made->has_type = true;
    made->type = type;
    f->attributes[f->proto.n_attribute++] = made;
    return made;
}

static void set_int(fixture *f, const char *name, int64_t value)
{
    Onnx__AttributeProto *made = attribute(f, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    made->has_i = true;
    made->i = value;
}

/* Checks the count, and forgets the attributes. */
static void check(fixture *f, const char *op, const char *inputs, const char *outputs, const char *expected)
{
    const char *dot = strrchr(op, '.');
    f->value_count = 0;
    f->proto.attribute = f->attributes;
    f->node = (cnx_node){
        .proto = &f->proto,
        .op_type = dot == NULL ? op : dot + 1,
        .domain = dot == NULL ? "" : "com.microsoft",
        .inputs = f->inputs,
        .outputs = f->outputs,
        .input_count = read_values(f, inputs, f->inputs),
    };
    f->node.output_count = read_values(f, outputs, f->outputs);
    f->graph = (cnx_graph){.model = &f->model, .nodes = &f->node, .node_count = 1};
    cnx_dim macs = cnx_node_macs(&f->analysis, &f->graph, &f->node, f->facts);
    const char *text =
        cnx_dim_has_unknown(f->analysis.dims, macs) ? "?" : cnx_dim_text(f->analysis.dims, macs);
    assert_string_equal(text, expected);
    f->proto.n_attribute = 0;
}

static void test_convolutions(void **state)
{
    fixture *f = *state;
    check(f, "Conv", "N 3 8 8; 5 3 3 3", "N 5 6 6", "4860*N"); /* 5*36 outputs, 27 products each */
    check(f, "Conv", "N 3 H W; 5 3 1 1", "N 5 H W", "15*H*N*W");
    set_int(f, "group", 4);
    check(f, "Conv", "2 8 8 8; 12 2 3 3; 12", "2 12 4 4", "6912"); /* depth per group is the weight's */
    check(f, "Conv", "N 3 20; 5 3 4", "N 5 17", "1020*N");
    check(f, "ConvTranspose", "N 6 5 5; 6 4 2 2", "N 4 10 10", "2400*N");
    check(f, "ConvInteger", "N 3 8 8; 5 3 3 3", "N 5 6 6", "4860*N");
    check(f, "QLinearConv", "N 3 8 8; 1; 1; 5 3 3 3; 1; 1; 1; 1; 5", "N 5 6 6", "4860*N");
    check(f, "com.microsoft.FusedConv", "N 3 8 8; 5 3 3 3", "N 5 6 6", "4860*N");
}

static void test_products(void **state)
{
    fixture *f = *state;
    check(f, "Gemm", "N 6; 6 4; 4", "N 4", "24*N");
    set_int(f, "transA", 1);
    check(f, "Gemm", "6 N; 6 4", "N 4", "24*N");
    check(f, "MatMul", "N 7 6; 6 4", "N 7 4", "168*N");
    check(f, "MatMul", "N 1 7 6; 3 6 4", "N 3 7 4", "504*N");
    check(f, "MatMul", "6; 6", " ", "6"); /* a scalar */
    check(f, "MatMul", "6; 6 4", "4", "24");
    check(f, "QLinearMatMul", "N 6; 1; 1; 6 4; 1; 1; 1; 1", "N 4", "24*N");
    set_int(f, "K", 6);
    check(f, "com.microsoft.MatMulNBits", "N 6; 4 1 3; 4", "N 4", "24*N");
}

static void set_equation(fixture *f, const char *equation)
{
    Onnx__AttributeProto *made = attribute(f, "equation", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);
    made->has_s = true;
    made->s.len = strlen(equation);
    made->s.data = (uint8_t *)(uintptr_t)equation;
}

static void check_einsum(fixture *f, const char *equation, const char *inputs, const char *output,
                         const char *expected)
{
    set_equation(f, equation);
    check(f, "Einsum", inputs, output, expected);
}

static void test_einsum(void **state)
{
    fixture *f = *state;
    check_einsum(f, "ij,jk->ik", "N 6; 6 4", "N 4", "24*N");
    check_einsum(f, "b h q d, b h k d -> b h q k", "N 3 5 8; N 3 7 8", "N 3 5 7", "840*N");
    check_einsum(f, "...ij,...jk->...ik", "N 3 5 6; 3 6 4", "N 3 5 4", "360*N");
    check_einsum(f, "ii->i", "6 6", "6", "0");
    check_einsum(f, "i,i,i->", "6; 6; 6", "", "12");
    check_einsum(f, "ij,jk", "N 6 2; 6 4", "N 4", "?");
    check_einsum(f, "ij", "N 6; 6 4", "N 4", "?");
    check_einsum(f, "i%,jk->ik", "N 6; 6 4", "N 4", "?");
}

static void test_recurrent(void **state)
{
    fixture *f = *state;
    /* 4 gates of 6 units, 4 inputs: 4*6*(4 + 6) for each of 5*N steps */
    check(f, "LSTM", "5 N 4; 1 24 4; 1 24 6; 1 48", "5 1 N 6", "1200*N");
    check(f, "GRU", "5 N 4; 2 18 4; 2 18 6", "5 2 N 6", "1800*N");
    check(f, "RNN", "S N 4; 1 6 4; 1 6 6; -; -", "S 1 N 6", "60*N*S");
}

static void test_attention(void **state)
{
    fixture *f = *state;
    check(f, "Attention", "2 3 5 4; 2 3 7 4; 2 3 7 6", "2 3 5 6", "2100"); /* 2*3*5*7*(4 + 6) */
    check(f, "Attention", "2 3 1 4; 2 3 1 4; 2 3 1 4; -; 2 3 P 4", "2 3 1 4", "48*P + 48");
    check(f, "com.microsoft.MultiHeadAttention", "2 5 12; 2 7 12; 2 7 18", "2 5 18", "2100");
    /* packed: 2*5 tokens of 12 times 36 columns, then 2*5*5*(12 + 12) */
    check(f, "com.microsoft.Attention", "2 5 12; 12 36; 36", "2 5 12", "5520");
    check(f, "com.microsoft.Attention", "2 5 12; 12 36; 36; -; 2 2 3 1 4", "2 5 12", "?");
}

static void test_nothing_and_unknown(void **state)
{
    fixture *f = *state;
    check(f, "Relu", "N 6", "N 6", "0");
    check(f, "Add", "N 6; 6", "N 6", "0");
    check(f, "com.microsoft.Conv", "N 3 8 8; 5 3 3 3", "N 5 6 6", "0"); /* there is no such operator */
    check(f, "Conv", "N 3 8 8; ?", "N 5 6 6", "?");
    check(f, "Conv", "N 3 8 8", "N 5 6 6", "?");
    check(f, "Gemm", "?; 6 4", "N 4", "?");
    check(f, "LSTM", "5; 1 24 4; 1 24 6", "5 1 N 6", "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_convolutions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_products, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_einsum, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_recurrent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_attention, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_and_unknown, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("macs", tests, NULL, NULL);
}
