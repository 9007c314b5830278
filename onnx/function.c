/* Calls of the model's own functions. They may nest but not recurse: inlining has to end. */
#include "onnx/load.h"

typedef struct linker {
    cnx_model *model;
    cnx_arena *scratch;
    cnx_intern names;  /* "domain\0name\0overload" of each function */
    uint32_t *waiting; /* by function: calls of it by functions that are not done */
    uint32_t *ready;   /* functions that wait for none */
    uint32_t ready_count;
} linker;

static uint32_t find_or_add(linker *link, const char *domain, const char *name, const char *overload,
                            bool add)
{
    const char *parts[] = {domain, name, overload};
    size_t sizes[] = {strlen(domain) + 1, strlen(name) + 1, strlen(overload)};
    char *key = cnx_alloc(link->scratch, sizes[0] + sizes[1] + sizes[2]);
    size_t size = 0;
    for (size_t i = 0; i < 3; size += sizes[i++])
        memcpy(key + size, parts[i], sizes[i]);
    return add ? cnx_intern_add(&link->names, key, size) : cnx_intern_find(&link->names, key, size);
}

static void enter_functions(linker *link)
{
    for (uint32_t i = 0; i < link->model->function_count; i++) {
        const Onnx__FunctionProto *proto = link->model->functions[i]->function;
        cnx_place place = {.kind = "function", .name = proto->name, .index = i};
        const char *text = cnx_place_text(link->model->arena, &place);
        if (proto->name == NULL || proto->name[0] == '\0')
            cnx_fail(link->model->arena, CNX_ERROR_GRAPH, text, "the function has no name");
        const char *overload = proto->overload != NULL ? proto->overload : "";
        if (find_or_add(link, cnx_domain_name(proto->domain), proto->name, overload, true) != i)
            cnx_fail(link->model->arena, CNX_ERROR_GRAPH, text, "the function is defined twice");
    }
}

/* Finds the callee of every node of a graph and counts the calls. */
static void link_graph(linker *link, cnx_graph *graph)
{
    for (uint32_t i = 0; i < graph->node_count; i++) {
        cnx_node *node = &graph->nodes[i];
        uint32_t callee = find_or_add(link, node->domain, node->op_type, node->overload, false);
        node->function = callee == CNX_NONE ? NULL : link->model->functions[callee];
        for (uint32_t k = 0; k < node->subgraph_count; k++)
            link_graph(link, node->subgraphs[k].graph);
    }
}

typedef void visit_call(linker *link, uint32_t callee);

static void for_each_call(linker *link, const cnx_graph *graph, visit_call *visit)
{
    for (uint32_t i = 0; i < graph->node_count; i++) {
        const cnx_node *node = &graph->nodes[i];
        if (node->function != NULL)
            visit(link, find_or_add(link, node->domain, node->op_type, node->overload, false));
        for (uint32_t k = 0; k < node->subgraph_count; k++)
            for_each_call(link, node->subgraphs[k].graph, visit);
    }
}

static void count_call(linker *link, uint32_t callee)
{
    link->waiting[callee]++;
}

static void finish_call(linker *link, uint32_t callee)
{
    if (--link->waiting[callee] == 0)
        link->ready[link->ready_count++] = callee;
}

/* Kahn's algorithm, callers first. */
static void check_recursion(linker *link)
{
    const cnx_model *model = link->model;
    link->waiting = CNX_NEW_ARRAY(link->scratch, uint32_t, model->function_count);
    link->ready = CNX_NEW_ARRAY(link->scratch, uint32_t, model->function_count);
    for (uint32_t i = 0; i < model->function_count; i++)
        for_each_call(link, model->functions[i], count_call);
    for (uint32_t i = 0; i < model->function_count; i++)
        if (link->waiting[i] == 0)
            link->ready[link->ready_count++] = i;
    while (link->ready_count != 0)
        for_each_call(link, model->functions[link->ready[--link->ready_count]], finish_call);
    for (uint32_t i = 0; i < model->function_count; i++) {
        cnx_place place = {.kind = "function", .name = model->functions[i]->function->name, .index = i};
        if (link->waiting[i] != 0)
            cnx_fail(model->arena, CNX_ERROR_GRAPH, cnx_place_text(model->arena, &place),
                     "the function is called in a circle of functions");
    }
}

void cnx_functions_link(cnx_model *model)
{
    if (model->function_count == 0)
        return;
    linker link = {.model = model, .scratch = cnx_arena_create(model->arena)};
    cnx_intern_init(&link.names, link.scratch);
    enter_functions(&link);
    link_graph(&link, model->graph);
    for (uint32_t i = 0; i < model->function_count; i++)
        link_graph(&link, model->functions[i]);
    check_recursion(&link);
    cnx_arena_destroy(link.scratch);
}
