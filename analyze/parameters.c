#include "analyze/parameters.h"

#include "analyze/constants.h"

/* Input positions that hold settings even when a float tensor stands there. */
static const struct setting {
    const char *op_type;
    uint32_t slots; /* a bit per position */
} SETTINGS[] = {
    {"Clip", 1u << 1 | 1u << 2},   {"Pow", 1u << 1},    {"Resize", 1u << 1 | 1u << 2},
    {"Upsample", 1u << 1},         {"Pad", 1u << 2},    {"Dropout", 1u << 1},
    {"OneHot", 1u << 1 | 1u << 2}, {"Range", 7u},       {"NonMaxSuppression", 1u << 2 | 1u << 3 | 1u << 4},
    {"Bernoulli", 1u << 0},        {"Shrink", 1u << 1},
};

/* Input positions where a 32- or 64-bit integer tensor is a weight. */
static const struct setting INTEGER_WEIGHTS[] = {
    {"DequantizeLinear", 1u << 0},
    {"QLinearConv", 1u << 8},
    {"QGemm", 1u << 6},
};

static bool slot_is_in(const struct setting *rows, size_t count, const cnx_node *node, uint32_t slot)
{
    for (size_t i = 0; i < count; i++)
        if (slot < 32 && (rows[i].slots >> slot & 1) != 0 && strcmp(rows[i].op_type, node->op_type) == 0)
            return true;
    return false;
}

#define SLOT_IS_IN(rows, node, slot) slot_is_in((rows), sizeof(rows) / sizeof((rows)[0]), (node), (slot))

static bool is_used_as_weight(const cnx_graph *graph, const cnx_value *value)
{
    for (uint32_t i = 0; i < value->use_count; i++)
        if (SLOT_IS_IN(INTEGER_WEIGHTS, &graph->nodes[value->uses[i].node], value->uses[i].slot))
            return true;
    return false;
}

static bool is_used_as_setting_only(const cnx_graph *graph, const cnx_value *value)
{
    for (uint32_t i = 0; i < value->use_count; i++)
        if (!SLOT_IS_IN(SETTINGS, &graph->nodes[value->uses[i].node], value->uses[i].slot))
            return false;
    return value->use_count != 0 && !value->is_output;
}

/* The stored tensor that defines a value of this graph itself, dense or sparse. */
static const cnx_tensor *stored_tensor(const cnx_graph *graph, uint32_t id)
{
    const cnx_value *value = &graph->values[id];
    if (value->captured_from != CNX_NONE)
        return NULL;
    if (value->sparse_initializer != NULL && value->sparse_initializer->values != NULL)
        return cnx_tensor_of(graph->model, value->sparse_initializer->values);
    return cnx_constant_tensor(graph, id);
}

static bool counts(const cnx_graph *graph, const cnx_value *value, const cnx_tensor *tensor)
{
    if (tensor->rank == 0)
        return false;
    switch (cnx_type_kind_of(tensor->type)) {
    case CNX_KIND_FLOAT:
    case CNX_KIND_COMPLEX:
        return !is_used_as_setting_only(graph, value);
    case CNX_KIND_INTEGER:
        return cnx_type_bits(tensor->type) <= 16 || is_used_as_weight(graph, value);
    case CNX_KIND_NONE:
    case CNX_KIND_BOOL:
    case CNX_KIND_STRING:
        break;
    }
    return false;
}

bool cnx_is_parameter(const cnx_graph *graph, uint32_t id)
{
    if (id == CNX_NONE)
        return false;
    const cnx_tensor *tensor = stored_tensor(graph, id);
    return tensor != NULL && counts(graph, &graph->values[id], tensor);
}

typedef struct visitor {
    void (*visit)(void *state, const cnx_tensor *tensor);
    void *state;
} visitor;

static void visit_value(const visitor *v, const cnx_graph *graph, uint32_t id)
{
    const cnx_tensor *tensor = id == CNX_NONE ? NULL : stored_tensor(graph, id);
    if (tensor != NULL && counts(graph, &graph->values[id], tensor))
        v->visit(v->state, tensor);
}

static void visit_graph(const visitor *v, const cnx_graph *graph)
{
    for (uint32_t i = 0; i < graph->initializer_count; i++)
        visit_value(v, graph, graph->initializers[i]);
    for (uint32_t i = 0; i < graph->order_count; i++) {
        const cnx_node *node = &graph->nodes[graph->order[i]];
        if (node->input_count == 0 && node->output_count == 1)
            visit_value(v, graph, node->outputs[0]);
        for (uint32_t j = 0; j < node->subgraph_count; j++)
            visit_graph(v, node->subgraphs[j].graph);
    }
}

void cnx_parameters_visit(const cnx_model *model, void (*visit)(void *state, const cnx_tensor *tensor),
                          void *state)
{
    visitor v = {.visit = visit, .state = state};
    visit_graph(&v, model->graph);
    for (uint32_t i = 0; i < model->function_count; i++)
        visit_graph(&v, model->functions[i]);
}
