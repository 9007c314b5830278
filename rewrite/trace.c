/* Origins are lists that never change, so values may share their tails: joining copies the records of one
 * list in front of the other. The shorter one is copied, which makes n joins cost n log n records at most. */
#include "rewrite/trace.h"

#include <stdlib.h>

struct cnx_origin {
    const char *name;
    uint32_t number; /* in the order in which the model was read: names of different graphs may be equal */
    uint32_t count;  /* records from here on */
    const struct cnx_origin *next;
};

typedef struct row_trace {
    size_t rounds;
    size_t changed;
    size_t line_count, line_capacity;
    const char **lines;
} row_trace;

struct cnx_trace {
    cnx_arena *arena; /* the model's */
    bool explain;
    bool names;
    size_t row; /* that runs */
    size_t row_count;
    row_trace *rows;
    uint32_t origin_count;
    cnx_intern protos; /* addresses of the messages of nodes */
    size_t node_count, node_capacity;
    const struct cnx_origin **nodes; /* by number in `protos` */
    size_t renaming_count, renaming_capacity;
    cnx_renaming *renamings;
};

/* ---- origins ---- */

static const struct cnx_origin *new_origin(cnx_trace *trace, const char *name)
{
    struct cnx_origin *origin = CNX_NEW(trace->arena, struct cnx_origin);
    *origin = (struct cnx_origin){.name = name, .number = trace->origin_count++, .count = 1};
    return origin;
}

static const struct cnx_origin *join(cnx_trace *trace, const struct cnx_origin *a, const struct cnx_origin *b)
{
    if (a == b || b == NULL)
        return a;
    if (a == NULL)
        return b;
    const struct cnx_origin *shorter = a->count < b->count ? a : b, *result = a->count < b->count ? b : a;
    for (; shorter != NULL; shorter = shorter->next) {
        struct cnx_origin *copy = CNX_NEW(trace->arena, struct cnx_origin);
        *copy = (struct cnx_origin){shorter->name, shorter->number, result->count + 1, result};
        result = copy;
    }
    return result;
}

static void remember_graph(cnx_trace *trace, cnx_graph *graph)
{
    for (uint32_t i = 0; i < graph->value_count; i++) {
        cnx_value *value = &graph->values[i];
        value->origins = value->captured_from == CNX_NONE ? new_origin(trace, value->name) : NULL;
    }
    for (uint32_t i = 0; i < graph->order_count; i++) {
        const Onnx__NodeProto *proto = graph->nodes[graph->order[i]].proto;
        bool named = proto->name != NULL && proto->name[0] != '\0';
        const struct cnx_origin *origin = named ? new_origin(trace, proto->name) : NULL;
        cnx_intern_add(&trace->protos, &proto, sizeof proto);
        CNX_PUSH(trace->arena, trace->nodes, trace->node_count, trace->node_capacity, origin);
    }
}

void cnx_trace_join(cnx_rewrite *rewrite, cnx_graph *graph, uint32_t into, uint32_t from)
{
    if (rewrite->trace == NULL || !rewrite->trace->names || into == from)
        return;
    graph->values[into].origins =
        join(rewrite->trace, graph->values[into].origins, graph->values[from].origins);
}

void cnx_trace_join_nodes(cnx_rewrite *rewrite, const cnx_node *into, const cnx_node *from)
{
    cnx_trace *trace = rewrite->trace;
    if (trace == NULL || !trace->names)
        return;
    uint32_t a = cnx_intern_find(&trace->protos, &into->proto, sizeof into->proto);
    uint32_t b = cnx_intern_find(&trace->protos, &from->proto, sizeof from->proto);
    if (a != CNX_NONE && b != CNX_NONE)
        trace->nodes[a] = join(trace, trace->nodes[a], trace->nodes[b]);
}

/* ---- a run ---- */

cnx_trace *cnx_trace_begin(cnx_rewrite *rewrite, bool explain, bool names)
{
    if (!explain && !names)
        return NULL;
    cnx_arena *arena = rewrite->model->arena;
    cnx_trace *trace = CNX_NEW(arena, cnx_trace);
    *trace = (cnx_trace){.arena = arena, .explain = explain, .names = names};
    const cnx_list_row *rows;
    trace->row_count = cnx_pass_list(&rows);
    trace->rows = CNX_NEW_ARRAY(arena, row_trace, trace->row_count);
    cnx_intern_init(&trace->protos, arena);
    size_t count;
    cnx_graph **graphs = cnx_rewrite_graphs(rewrite, &count);
    for (size_t i = 0; names && i < count; i++)
        remember_graph(trace, graphs[i]);
    return trace;
}

void cnx_trace_enter(cnx_trace *trace, size_t row)
{
    if (trace != NULL)
        trace->row = row;
}

void cnx_trace_leave(cnx_trace *trace, size_t row, size_t changed)
{
    if (trace == NULL)
        return;
    trace->rows[row].rounds++;
    trace->rows[row].changed += changed;
}

static void add_line(cnx_trace *trace, const char *line)
{
    row_trace *row = &trace->rows[trace->row];
    CNX_PUSH(trace->arena, row->lines, row->line_count, row->line_capacity, line);
}

static void say(cnx_rewrite *rewrite, const char *before, const char *format, va_list arguments)
{
    char text[1024];
    vsnprintf(text, sizeof text, format, arguments);
    add_line(rewrite->trace, cnx_print(rewrite->trace->arena, "%s%s", before, text));
}

void cnx_explain(cnx_rewrite *rewrite, const char *format, ...)
{
    if (rewrite->trace == NULL || !rewrite->trace->explain)
        return;
    va_list arguments;
    va_start(arguments, format);
    say(rewrite, "", format, arguments);
    va_end(arguments);
}

void cnx_explain_node(cnx_rewrite *rewrite, const cnx_graph *graph, const cnx_node *node, const char *format,
                      ...)
{
    if (rewrite->trace == NULL || !rewrite->trace->explain)
        return;
    va_list arguments;
    va_start(arguments, format);
    say(rewrite, cnx_print(rewrite->arena, "%s: ", cnx_node_place(graph, node)), format, arguments);
    va_end(arguments);
}

/* ---- the report ---- */

static int by_number(const void *a, const void *b)
{
    const struct cnx_origin *left = *(const struct cnx_origin *const *)a;
    const struct cnx_origin *right = *(const struct cnx_origin *const *)b;
    return (left->number > right->number) - (left->number < right->number);
}

static void add_renaming(cnx_trace *trace, cnx_renamed kind, const cnx_graph *graph, const char *name,
                         const struct cnx_origin *origins, bool made)
{
    cnx_renaming renaming = {.kind = kind, .name = name, .made = made};
    for (; graph->parent != NULL;)
        graph = graph->parent;
    if (graph->function != NULL)
        renaming.function = graph->function->name != NULL ? graph->function->name : "";
    size_t count = 0, limit = origins != NULL ? origins->count : 0;
    const struct cnx_origin **sorted = CNX_NEW_ARRAY(trace->arena, const struct cnx_origin *, limit);
    for (; origins != NULL; origins = origins->next)
        sorted[count++] = origins;
    if (count > 1)
        qsort(sorted, count, sizeof(const struct cnx_origin *), by_number);
    const char **old = CNX_NEW_ARRAY(trace->arena, const char *, count);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || sorted[i]->number != sorted[i - 1]->number)
            old[renaming.old_count++] = sorted[i]->name;
    renaming.old = old;
    CNX_PUSH(trace->arena, trace->renamings, trace->renaming_count, trace->renaming_capacity, renaming);
}

static void list_value(cnx_trace *trace, const cnx_graph *graph, uint32_t id, cnx_renamed kind)
{
    const cnx_value *value = &graph->values[id];
    add_renaming(trace, kind, graph, value->name, value->origins, value->origins == NULL);
}

static void list_node(cnx_trace *trace, const cnx_graph *graph, const cnx_node *node)
{
    uint32_t number = cnx_intern_find(&trace->protos, &node->proto, sizeof node->proto);
    const char *name = node->proto->name != NULL ? node->proto->name : "";
    add_renaming(trace, CNX_RENAMED_NODE, graph, name, number != CNX_NONE ? trace->nodes[number] : NULL,
                 number == CNX_NONE);
    for (uint32_t slot = 0; slot < node->output_count; slot++)
        if (node->outputs[slot] != CNX_NONE)
            list_value(trace, graph, node->outputs[slot], CNX_RENAMED_VALUE);
}

static void list_graph(cnx_trace *trace, const cnx_graph *graph)
{
    for (uint32_t i = 0; i < graph->input_count; i++)
        list_value(trace, graph, graph->inputs[i], CNX_RENAMED_VALUE);
    for (uint32_t i = 0; i < graph->initializer_count; i++)
        list_value(trace, graph, graph->initializers[i], CNX_RENAMED_INITIALIZER);
    for (uint32_t i = 0; i < graph->order_count; i++)
        list_node(trace, graph, &graph->nodes[graph->order[i]]);
}

void cnx_trace_end(cnx_rewrite *rewrite, cnx_canon_report *report)
{
    cnx_trace *trace = rewrite->trace;
    if (trace == NULL)
        return;
    const cnx_list_row *names;
    cnx_pass_list(&names);
    cnx_canon_pass *passes = CNX_NEW_ARRAY(trace->arena, cnx_canon_pass, trace->row_count);
    for (size_t i = 0; trace->explain && i < trace->row_count; i++) {
        const row_trace *row = &trace->rows[i];
        if (row->rounds != 0)
            passes[report->pass_count++] =
                (cnx_canon_pass){names[i].name, row->rounds, row->changed, row->line_count, row->lines};
    }
    report->passes = passes;
    size_t count;
    cnx_graph **graphs = cnx_rewrite_graphs(rewrite, &count);
    for (size_t i = 0; trace->names && i < count; i++)
        list_graph(trace, graphs[i]);
    report->renaming_count = trace->renaming_count;
    report->renamings = trace->renamings;
}
