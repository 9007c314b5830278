#include "rewrite/report.h"

#include "rewrite/trace.h"

/* What is counted, apart from the nodes of each operator. */
enum { NODES, INITIALIZERS, PARAMETERS, PARAMETER_BYTES, FILE_BYTES, FIXED_ROWS };

static const char *const fixed_names[FIXED_ROWS] = {
    [NODES] = "nodes",           [INITIALIZERS] = "initializers",
    [PARAMETERS] = "parameters", [PARAMETER_BYTES] = "parameter bytes",
    [FILE_BYTES] = "file bytes",
};

typedef struct count_row {
    uint64_t before;
    uint64_t after;
} count_row;

struct cnx_report_builder {
    count_row fixed[FIXED_ROWS];
    cnx_intern operators;
    size_t operator_count;
    size_t operator_capacity;
    count_row *operators_by_number;
    size_t class_count;
    size_t class_capacity;
    cnx_canon_class *classes;
    size_t note_count;
    size_t note_capacity;
    const char **notes;
};

typedef struct counter {
    cnx_rewrite *rewrite;
    bool after;
} counter;

static void add(counter *now, count_row *row, uint64_t amount)
{
    uint64_t *cell = now->after ? &row->after : &row->before;
    *cell += amount;
}

static void count_elements(counter *now, uint64_t elements, uint64_t bytes)
{
    add(now, &now->rewrite->report->fixed[PARAMETERS], elements);
    add(now, &now->rewrite->report->fixed[PARAMETER_BYTES], bytes);
}

static void count_tensor(counter *now, const Onnx__TensorProto *proto)
{
    if (proto == NULL)
        return;
    const cnx_tensor *tensor = cnx_tensor_of(now->rewrite->model, proto);
    count_elements(now, tensor->count, tensor->size);
}

/* The payload of a Constant node, in whichever attribute it is. */
static void count_constant(counter *now, const cnx_node *node)
{
    for (size_t i = 0; i < node->proto->n_attribute; i++) {
        const Onnx__AttributeProto *attribute = node->proto->attribute[i];
        size_t floats = attribute->n_floats + (attribute->has_f ? 1 : 0);
        size_t integers = attribute->n_ints + (attribute->has_i ? 1 : 0);
        count_elements(now, floats, floats * sizeof(float));
        count_elements(now, integers, integers * sizeof(int64_t));
        count_tensor(now, attribute->t);
        if (attribute->sparse_tensor != NULL)
            count_tensor(now, attribute->sparse_tensor->values);
    }
}

static count_row *operator_row(cnx_rewrite *rewrite, const cnx_node *node)
{
    struct cnx_report_builder *report = rewrite->report;
    const char *name = node->op_type;
    if (node->domain[0] != '\0')
        name = cnx_print(rewrite->arena, "%s.%s", node->domain, node->op_type);
    uint32_t number = cnx_intern_add(&report->operators, name, strlen(name));
    if (number == report->operator_count) {
        count_row empty = {0};
        CNX_PUSH(rewrite->model->arena, report->operators_by_number, report->operator_count,
                 report->operator_capacity, empty);
    }
    return &report->operators_by_number[number];
}

static void count_graph(counter *now, const cnx_graph *graph)
{
    struct cnx_report_builder *report = now->rewrite->report;
    for (uint32_t i = 0; i < graph->order_count; i++) {
        const cnx_node *node = &graph->nodes[graph->order[i]];
        add(now, &report->fixed[NODES], 1);
        add(now, operator_row(now->rewrite, node), 1);
        if (cnx_node_is(node, "Constant"))
            count_constant(now, node);
    }
    add(now, &report->fixed[INITIALIZERS], graph->initializer_count);
    for (uint32_t i = 0; i < graph->initializer_count; i++) {
        const cnx_value *value = &graph->values[graph->initializers[i]];
        if (value->initializer != NULL)
            count_elements(now, value->initializer->count, value->initializer->size);
        else if (value->sparse_initializer != NULL)
            count_tensor(now, value->sparse_initializer->values);
    }
}

static void count_model(cnx_rewrite *rewrite, bool after)
{
    counter now = {rewrite, after};
    size_t count;
    cnx_graph **graphs = cnx_rewrite_graphs(rewrite, &count);
    for (size_t i = 0; i < count; i++)
        count_graph(&now, graphs[i]);
}

/* Of the file, and of what it refers to elsewhere. */
static uint64_t bytes_before(const cnx_model *model)
{
    uint64_t bytes = model->file_size;
    for (size_t i = 0; i < model->tensor_count; i++)
        if (model->tensors[i]->external)
            bytes += model->tensors[i]->size;
    return bytes;
}

struct cnx_report_builder *cnx_report_begin(cnx_rewrite *rewrite)
{
    struct cnx_report_builder *report = CNX_NEW(rewrite->model->arena, struct cnx_report_builder);
    cnx_intern_init(&report->operators, rewrite->model->arena);
    rewrite->report = report;
    count_model(rewrite, false);
    report->fixed[FILE_BYTES].before = bytes_before(rewrite->model);
    return report;
}

const cnx_canon_report *cnx_report_end(cnx_rewrite *rewrite)
{
    cnx_arena *arena = rewrite->model->arena;
    struct cnx_report_builder *builder = rewrite->report;
    count_model(rewrite, true);
    builder->fixed[FILE_BYTES].after = cnx_saved_size(rewrite->model);

    cnx_canon_row *rows = CNX_NEW_ARRAY(arena, cnx_canon_row, FIXED_ROWS + builder->operator_count);
    size_t count = 0;
    for (size_t i = 0; i < FIXED_ROWS; i++)
        rows[count++] = (cnx_canon_row){fixed_names[i], builder->fixed[i].before, builder->fixed[i].after};
    for (size_t i = 0; i < builder->operator_count; i++) {
        const char *name = cnx_intern_bytes(&builder->operators, (uint32_t)i, NULL);
        count_row row = builder->operators_by_number[i];
        rows[count++] = (cnx_canon_row){name, row.before, row.after};
    }
    cnx_canon_report *report = CNX_NEW(arena, cnx_canon_report);
    *report = (cnx_canon_report){.row_count = count,
                                 .rows = rows,
                                 .class_count = builder->class_count,
                                 .classes = builder->classes,
                                 .note_count = builder->note_count,
                                 .notes = builder->notes};
    cnx_trace_end(rewrite, report);
    return report;
}

void cnx_rewrite_note(cnx_rewrite *rewrite, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *text = cnx_print_list(rewrite->model->arena, format, arguments);
    va_end(arguments);
    struct cnx_report_builder *report = rewrite->report;
    CNX_PUSH(rewrite->model->arena, report->notes, report->note_count, report->note_capacity, text);
}

void cnx_rewrite_refuse(cnx_rewrite *rewrite, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    rewrite->model->not_canonical = cnx_print_list(rewrite->model->arena, format, arguments);
    va_end(arguments);
    cnx_rewrite_note(rewrite, "not canonical: %s", rewrite->model->not_canonical);
}

void cnx_rewrite_class(cnx_rewrite *rewrite, const char *name, uint64_t extent, uint64_t moved,
                       const char *sorted_by)
{
    cnx_arena *arena = rewrite->model->arena;
    struct cnx_report_builder *report = rewrite->report;
    cnx_canon_class row = {cnx_copy_text(arena, name), extent, moved, cnx_copy_text(arena, sorted_by)};
    CNX_PUSH(arena, report->classes, report->class_count, report->class_capacity, row);
}
