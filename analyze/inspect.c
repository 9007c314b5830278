/* What is in a model: the public report behind `canonnx inspect`. Weights are never read. */
#include "analyze/blocks.h"
#include "analyze/parameters.h"
#include "analyze/shapes/type_text.h"

#include <inttypes.h>
#include <stdlib.h>

/* Room for a quantity as text: of one block, and of the whole model. */
#define COLUMN_WIDTH 32
#define LINE_WIDTH 400

/* ---- types and shapes ---- */

static const char *text_or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

/* The shape that was inferred; where that left an extent open, what the file declares. */
static const char *tensor_shape(cnx_analysis *analysis, const cnx_fact *fact,
                                const Onnx__TensorShapeProto *declared)
{
    cnx_arena *arena = analysis->arena;
    if (!fact->known && declared == NULL)
        return "?";
    size_t rank = fact->known ? fact->rank : declared->n_dim;
    const char *text = rank == 0 ? "scalar" : "";
    for (size_t i = 0; i < rank; i++) {
        const char *extent = "?";
        if (fact->known && !cnx_dim_has_unknown(analysis->dims, fact->axes[i].extent))
            extent = cnx_dim_text(analysis->dims, fact->axes[i].extent);
        else if (declared != NULL && declared->n_dim == rank)
            extent = cnx_declared_dim_text(arena, declared->dim[i]);
        text = cnx_print(arena, "%s%s%s", text, i == 0 ? "" : " x ", extent);
    }
    return text;
}

static cnx_port describe_port(cnx_analysis *analysis, uint32_t id)
{
    const cnx_value *value = &analysis->model->graph->values[id];
    const cnx_fact *fact = &analysis->facts[id];
    const Onnx__TypeProto *type = value->info == NULL ? NULL : value->info->type;
    cnx_port port = {.name = value->name};
    bool is_tensor = type == NULL || type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    if (!is_tensor) {
        port.type = cnx_type_text(analysis->arena, type);
        port.shape = "-";
        return port;
    }
    int32_t element = fact->type != 0 || type == NULL ? fact->type : type->tensor_type->elem_type;
    port.type = element == 0 ? "?" : cnx_type_name(element);
    port.shape = tensor_shape(analysis, fact, type == NULL ? NULL : type->tensor_type->shape);
    return port;
}

/* Inputs that have an initializer are parameters with a default, not something a caller has to give. */
static void describe_ports(cnx_analysis *analysis, cnx_inspection *report)
{
    const cnx_graph *graph = analysis->model->graph;
    cnx_port *inputs = CNX_NEW_ARRAY(analysis->arena, cnx_port, graph->input_count);
    for (uint32_t i = 0; i < graph->input_count; i++) {
        const cnx_value *value = &graph->values[graph->inputs[i]];
        if (value->initializer == NULL && value->sparse_initializer == NULL)
            inputs[report->input_count++] = describe_port(analysis, graph->inputs[i]);
    }
    cnx_port *outputs = CNX_NEW_ARRAY(analysis->arena, cnx_port, graph->output_count);
    for (uint32_t i = 0; i < graph->output_count; i++)
        outputs[report->output_count++] = describe_port(analysis, graph->outputs[i]);
    report->inputs = inputs;
    report->outputs = outputs;
}

static void describe_header(const cnx_model *model, cnx_inspection *report)
{
    const Onnx__ModelProto *proto = model->proto;
    report->producer = text_or_empty(proto->producer_name);
    report->producer_version = text_or_empty(proto->producer_version);
    report->ir_version = proto->ir_version;
    cnx_opset *opsets = CNX_NEW_ARRAY(model->arena, cnx_opset, proto->n_opset_import);
    for (size_t i = 0; i < proto->n_opset_import; i++) {
        const char *domain = text_or_empty(proto->opset_import[i]->domain);
        opsets[i] = (cnx_opset){.domain = strcmp(domain, "ai.onnx") == 0 ? "" : domain,
                                .version = proto->opset_import[i]->version};
    }
    report->opsets = opsets;
    report->opset_count = proto->n_opset_import;
}

/* ---- operators ---- */

typedef struct operator_counter {
    cnx_arena *arena;
    cnx_intern names;
    uint64_t total;
    size_t count, capacity;
    cnx_operator_count *rows;
} operator_counter;

static void count_operators(operator_counter *c, const cnx_graph *graph)
{
    for (uint32_t i = 0; i < graph->order_count; i++) {
        const cnx_node *node = &graph->nodes[graph->order[i]];
        const char *name = node->op_type;
        if (node->domain[0] != '\0')
            name = cnx_print(c->arena, "%s.%s", node->domain, node->op_type);
        uint32_t index = cnx_intern_add(&c->names, name, strlen(name));
        cnx_operator_count row = {.name = cnx_intern_bytes(&c->names, index, NULL)};
        if (index == c->count)
            CNX_PUSH(c->arena, c->rows, c->count, c->capacity, row);
        c->rows[index].count++;
        c->total++;
        for (uint32_t j = 0; j < node->subgraph_count; j++)
            count_operators(c, node->subgraphs[j].graph);
    }
}

static int compare_operator_counts(const void *left, const void *right)
{
    const cnx_operator_count *a = left, *b = right;
    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    return strcmp(a->name, b->name);
}

/* Nodes of nested graphs count where they stand; those of a function once, however often it is called. */
static void describe_operators(const cnx_model *model, cnx_inspection *report)
{
    operator_counter c = {.arena = model->arena};
    cnx_intern_init(&c.names, model->arena);
    count_operators(&c, model->graph);
    for (uint32_t i = 0; i < model->function_count; i++)
        count_operators(&c, model->functions[i]);
    if (c.count != 0)
        qsort(c.rows, c.count, sizeof c.rows[0], compare_operator_counts);
    report->operators = c.rows;
    report->operator_count = c.count;
    report->node_count = c.total;
}

/* ---- parameters ---- */

typedef struct type_counter {
    cnx_arena *arena;
    size_t count, capacity;
    cnx_type_total *rows;
} type_counter;

static void count_parameter(void *state, const cnx_tensor *tensor)
{
    type_counter *c = state;
    const char *name = cnx_type_name(tensor->type); /* one string per type */
    size_t i = 0;
    while (i < c->count && c->rows[i].type != name)
        i++;
    cnx_type_total row = {.type = name};
    if (i == c->count)
        CNX_PUSH(c->arena, c->rows, c->count, c->capacity, row);
    c->rows[i].tensors++;
    c->rows[i].elements += tensor->count;
    c->rows[i].bytes += tensor->size;
}

static int compare_type_totals(const void *left, const void *right)
{
    const cnx_type_total *a = left, *b = right;
    if (a->bytes != b->bytes)
        return a->bytes > b->bytes ? -1 : 1;
    return strcmp(a->type, b->type);
}

static void describe_parameters(const cnx_model *model, cnx_inspection *report)
{
    type_counter c = {.arena = model->arena};
    cnx_parameters_visit(model, count_parameter, &c);
    if (c.count != 0)
        qsort(c.rows, c.count, sizeof c.rows[0], compare_type_totals);
    for (size_t i = 0; i < c.count; i++) {
        report->parameter_count += c.rows[i].elements;
        report->parameter_bytes += c.rows[i].bytes;
    }
    report->types = c.rows;
    report->type_count = c.count;
}

/* ---- blocks ---- */

/* Terms with unknown extents are shown as "?", behind what is known. */
static cnx_quantity describe_quantity(cnx_dims *dims, cnx_arena *arena, cnx_dim dim, size_t width)
{
    int64_t number;
    cnx_quantity quantity = {.exact = cnx_dim_text(dims, dim), .text = cnx_dim_brief_text(dims, dim, width)};
    quantity.is_number = cnx_dim_is_number(dims, dim, &number);
    if (quantity.is_number)
        quantity.value = (double)number;
    if (!cnx_dim_has_unknown(dims, dim))
        return quantity;
    cnx_dim known = cnx_dim_known_part(dims, dim);
    bool nothing = cnx_dim_equals(dims, known, 0);
    quantity.text = nothing ? "?" : cnx_print(arena, "%s + ?", cnx_dim_brief_text(dims, known, width));
    quantity.exact = nothing ? "?" : cnx_print(arena, "%s + ?", cnx_dim_text(dims, known));
    return quantity;
}

static const char *const *node_names(cnx_arena *arena, const cnx_node_reference *nodes, size_t count)
{
    const char **names = CNX_NEW_ARRAY(arena, const char *, count);
    for (size_t i = 0; i < count; i++)
        names[i] = cnx_node_label(nodes[i].graph, &nodes[i].graph->nodes[nodes[i].node]);
    return names;
}

static void describe_blocks(cnx_analysis *analysis, cnx_inspection *report)
{
    cnx_arena *arena = analysis->arena;
    const cnx_blocks *found = cnx_find_blocks(arena, analysis);
    cnx_block *blocks = CNX_NEW_ARRAY(arena, cnx_block, found->count);
    for (size_t i = 0; i < found->count; i++) {
        const cnx_block_found *block = &found->blocks[i];
        blocks[i] = (cnx_block){.kind = block->kind,
                                .detail = block->detail,
                                .node_count = block->node_count,
                                .nodes = node_names(arena, block->nodes, block->node_count),
                                .parameters = block->parameters,
                                .macs = describe_quantity(analysis->dims, arena, block->macs, COLUMN_WIDTH)};
    }
    report->blocks = blocks;
    report->block_count = found->count;
    report->unassigned = node_names(arena, found->unassigned, found->unassigned_count);
    report->unassigned_count = found->unassigned_count;
    report->macs = describe_quantity(analysis->dims, arena, found->macs, LINE_WIDTH);
}

static const cnx_inspection *inspect(cnx_model *model)
{
    cnx_inspection *report = CNX_NEW(model->arena, cnx_inspection);
    cnx_analysis *analysis = cnx_infer_shapes(model->arena, model);
    describe_header(model, report);
    describe_ports(analysis, report);
    describe_operators(model, report);
    describe_parameters(model, report);
    describe_blocks(analysis, report);
    return report;
}

cnx_code cnx_inspect(cnx_model *model, const cnx_inspection **inspection, cnx_error *error)
{
    cnx_trap trap;
    *inspection = NULL;
    if (CNX_ENTER(model->arena, trap, error) == CNX_OK)
        *inspection = inspect(model);
    return cnx_leave(model->arena, &trap);
}
