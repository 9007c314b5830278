/* The canonical order: a depth-first walk from the graph outputs, in the order of the interface; the inputs
 * of a node, in the order of its slots, come before the node itself, and then what its nested graphs capture.
 * Nodes are stored in that order and values are numbered by it:
 *
 *     graph inputs; then for every node the inputs it is the first to read, and its outputs; then outputs
 *     that no node reads; then what is left (defaults of inputs are inputs already)
 *
 * Nested graphs are ordered before the graph around them, so that "what they capture" has an order. Nodes
 * that no output needs come last (there are none after the pass `dead`). Functions are sorted by domain,
 * name and overload.
 *
 * The walk keeps its own stack: a chain of a million nodes is not a recursion of a million calls. */
#include "rewrite/pass.h"
#include "rewrite/trace.h"

#include <stdlib.h>

typedef struct step {
    uint32_t node;
    uint32_t next; /* the next of its inputs to look at; captured ones are counted behind the slots */
} step;

typedef struct walker {
    cnx_arena *arena;
    cnx_graph *graph;
    uint32_t *first_capture; /* by node: where its captured values begin; one more at the end */
    uint32_t *captures;
    bool *visited; /* by node */
    uint32_t *order;
    uint32_t order_count;
    size_t depth, capacity;
    step *stack;
    uint32_t *number; /* by old value: its new number, or CNX_NONE */
    uint32_t value_count;
} walker;

/* ---- captured values ---- */

static bool is_needed(const cnx_value *value)
{
    return value->captured_from != CNX_NONE && (value->use_count != 0 || value->is_output);
}

/* Values that the nested graphs of a node need, in their order; repetitions do no harm. */
static void list_captures(walker *work)
{
    const cnx_graph *graph = work->graph;
    work->first_capture = CNX_NEW_ARRAY(work->arena, uint32_t, (size_t)graph->node_count + 1);
    size_t count = 0;
    size_t capacity = 0;
    for (uint32_t id = 0; id < graph->node_count; id++) {
        const cnx_node *node = &graph->nodes[id];
        work->first_capture[id] = (uint32_t)count;
        for (uint32_t i = 0; !node->dead && i < node->subgraph_count; i++) {
            const cnx_graph *nested = node->subgraphs[i].graph;
            for (uint32_t v = 0; v < nested->value_count; v++)
                if (is_needed(&nested->values[v]))
                    CNX_PUSH(work->arena, work->captures, count, capacity, nested->values[v].captured_from);
        }
    }
    work->first_capture[graph->node_count] = (uint32_t)count;
}

static uint32_t needed_count(const walker *work, uint32_t id)
{
    return work->graph->nodes[id].input_count + work->first_capture[id + 1] - work->first_capture[id];
}

static uint32_t needed_value(const walker *work, uint32_t id, uint32_t index)
{
    const cnx_node *node = &work->graph->nodes[id];
    return index < node->input_count ? node->inputs[index]
                                     : work->captures[work->first_capture[id] + index - node->input_count];
}

/* ---- the walk ---- */

static void enter(walker *work, uint32_t node)
{
    if (node == CNX_NONE || work->visited[node])
        return;
    work->visited[node] = true;
    step first = {node, 0};
    CNX_PUSH(work->arena, work->stack, work->depth, work->capacity, first);
}

static uint32_t producer_of(const walker *work, uint32_t value)
{
    return value == CNX_NONE ? CNX_NONE : work->graph->values[value].producer;
}

static void walk_from(walker *work, uint32_t node)
{
    enter(work, node);
    while (work->depth != 0) {
        step *top = &work->stack[work->depth - 1];
        if (top->next < needed_count(work, top->node)) {
            uint32_t value = needed_value(work, top->node, top->next++);
            enter(work, producer_of(work, value));
        } else {
            work->order[work->order_count++] = top->node;
            work->depth--;
        }
    }
}

static void walk(walker *work)
{
    const cnx_graph *graph = work->graph;
    work->visited = CNX_NEW_ARRAY(work->arena, bool, graph->node_count);
    work->order = CNX_NEW_ARRAY(work->arena, uint32_t, graph->node_count);
    for (uint32_t i = 0; i < graph->output_count; i++)
        walk_from(work, producer_of(work, graph->outputs[i]));
    for (uint32_t i = 0; i < graph->order_count; i++)
        walk_from(work, graph->order[i]);
}

/* ---- new numbers ---- */

static void give_number(walker *work, uint32_t value)
{
    if (value != CNX_NONE && work->number[value] == CNX_NONE)
        work->number[value] = work->value_count++;
}

static void number_values(walker *work)
{
    const cnx_graph *graph = work->graph;
    work->number = CNX_NEW_ARRAY(work->arena, uint32_t, graph->value_count);
    for (uint32_t i = 0; i < graph->value_count; i++)
        work->number[i] = CNX_NONE;
    for (uint32_t i = 0; i < graph->input_count; i++)
        give_number(work, graph->inputs[i]);
    for (uint32_t i = 0; i < work->order_count; i++) {
        uint32_t id = work->order[i];
        for (uint32_t k = 0; k < needed_count(work, id); k++)
            give_number(work, needed_value(work, id, k));
        for (uint32_t k = 0; k < graph->nodes[id].output_count; k++)
            give_number(work, graph->nodes[id].outputs[k]);
    }
    for (uint32_t i = 0; i < graph->output_count; i++)
        give_number(work, graph->outputs[i]);
    for (uint32_t i = 0; i < graph->initializer_count; i++)
        give_number(work, graph->initializers[i]);
}

static void renumber_ids(const walker *work, uint32_t *ids, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (ids[i] != CNX_NONE)
            ids[i] = work->number[ids[i]];
}

/* Moves the records of values, and the names that the messages know them by, to their new places. */
static void move_values(walker *work)
{
    cnx_graph *graph = work->graph;
    cnx_value *values = CNX_NEW_ARRAY(graph->model->arena, cnx_value, work->value_count);
    const char **named = CNX_NEW_ARRAY(graph->model->arena, const char *, work->value_count);
    for (uint32_t i = 0; i < work->value_count; i++)
        named[i] = "";
    for (uint32_t i = 0; i < graph->value_count; i++) {
        if (work->number[i] == CNX_NONE)
            continue;
        values[work->number[i]] = graph->values[i];
        if (i < graph->named_count)
            named[work->number[i]] = graph->named[i];
    }
    graph->values = values;
    graph->value_count = work->value_count;
    graph->value_capacity = work->value_count;
    graph->named = named;
    graph->named_count = work->value_count;
    renumber_ids(work, graph->inputs, graph->input_count);
    renumber_ids(work, graph->outputs, graph->output_count);
    renumber_ids(work, graph->initializers, graph->initializer_count);
}

static void move_captures(const walker *work, cnx_graph *nested, uint32_t parent_node)
{
    nested->parent_node = parent_node;
    for (uint32_t v = 0; v < nested->value_count; v++) {
        cnx_value *value = &nested->values[v];
        if (value->captured_from != CNX_NONE)
            value->captured_from = work->number[value->captured_from];
    }
}

static void move_nodes(walker *work)
{
    cnx_graph *graph = work->graph;
    cnx_node *nodes = CNX_NEW_ARRAY(graph->model->arena, cnx_node, work->order_count);
    for (uint32_t i = 0; i < work->order_count; i++) {
        nodes[i] = graph->nodes[work->order[i]];
        renumber_ids(work, nodes[i].inputs, nodes[i].input_count);
        renumber_ids(work, nodes[i].outputs, nodes[i].output_count);
        for (uint32_t k = 0; k < nodes[i].subgraph_count; k++)
            move_captures(work, nodes[i].subgraphs[k].graph, i);
    }
    graph->nodes = nodes;
    graph->node_count = work->order_count;
}

static int compare_ids(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static size_t count_moves(const walker *work)
{
    const cnx_graph *graph = work->graph;
    size_t moves = work->value_count != graph->value_count || work->order_count != graph->node_count;
    for (uint32_t i = 0; i < work->order_count; i++)
        moves += work->order[i] != i;
    for (uint32_t i = 0; i < graph->value_count; i++)
        moves += work->number[i] != i;
    return moves;
}

static size_t order_graph(cnx_rewrite *rewrite, cnx_graph *graph)
{
    walker work = {.arena = cnx_arena_create(rewrite->arena), .graph = graph};
    list_captures(&work);
    walk(&work);
    number_values(&work);
    size_t moves = count_moves(&work);
    if (moves != 0) {
        const char *name = graph->proto != NULL ? graph->proto->name : graph->function->name;
        cnx_explain(rewrite, "graph \"%s\": %u nodes and their values in canonical order",
                    name != NULL ? name : "", work.order_count);
        move_values(&work);
        move_nodes(&work);
        if (graph->initializer_count > 1)
            qsort(graph->initializers, graph->initializer_count, sizeof *graph->initializers, compare_ids);
        cnx_graph_index(graph); /* the graph that holds this one is next and looks at its uses */
    }
    cnx_arena_destroy(work.arena);
    return moves;
}

/* ---- functions ---- */

static int compare_texts(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "");
}

static int compare_functions(const void *a, const void *b)
{
    const Onnx__FunctionProto *left = (*(cnx_graph *const *)a)->function;
    const Onnx__FunctionProto *right = (*(cnx_graph *const *)b)->function;
    int order = compare_texts(left->domain, right->domain);
    if (order == 0)
        order = compare_texts(left->name, right->name);
    return order != 0 ? order : compare_texts(left->overload, right->overload);
}

static size_t order_functions(cnx_model *model)
{
    size_t moves = 0;
    for (uint32_t i = 1; i < model->function_count; i++)
        moves += compare_functions(&model->functions[i - 1], &model->functions[i]) > 0;
    if (moves != 0)
        qsort(model->functions, model->function_count, sizeof(cnx_graph *), compare_functions);
    return moves;
}

size_t cnx_pass_order(cnx_rewrite *rewrite)
{
    size_t moves = order_functions(rewrite->model);
    size_t count;
    cnx_graph **graphs = cnx_rewrite_graphs(rewrite, &count);
    while (count != 0)
        moves += order_graph(rewrite, graphs[--count]);
    return moves;
}
