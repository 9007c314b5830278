/* Producers, uses and a topological order, from the inputs and outputs of nodes. */
#include "base/heap.h"
#include "onnx/load.h"

/* ---- what people call a node ---- */

static const char *graph_place(const cnx_graph *graph)
{
    if (graph->parent != NULL)
        return cnx_print(graph->model->arena, "%s, ",
                         cnx_node_place(graph->parent, &graph->parent->nodes[graph->parent_node]));
    if (graph->function != NULL && graph->function->name != NULL)
        return cnx_print(graph->model->arena, "function \"%s\", ", graph->function->name);
    return "";
}

static bool has_name(const cnx_node *node)
{
    return node->proto->name != NULL && node->proto->name[0] != '\0';
}

const char *cnx_node_place(const cnx_graph *graph, const cnx_node *node)
{
    cnx_place place = {
        .kind = "node",
        .name = node->proto->name,
        .index = (uint64_t)(node - graph->nodes),
        .detail = node->op_type,
    };
    cnx_arena *arena = graph->model->arena;
    return cnx_print(arena, "%s%s", graph_place(graph), cnx_place_text(arena, &place));
}

const char *cnx_node_label(const cnx_graph *graph, const cnx_node *node)
{
    if (has_name(node))
        return node->proto->name;
    return cnx_print(graph->model->arena, "#%llu %s", (unsigned long long)(node - graph->nodes),
                     node->op_type);
}

/* ---- definitions ---- */

static void index_ports(cnx_graph *graph)
{
    for (uint32_t i = 0; i < graph->value_count; i++) {
        cnx_value *value = &graph->values[i];
        value->producer = CNX_NONE;
        value->producer_slot = 0;
        value->is_input = false;
        value->is_output = false;
        value->use_count = 0;
    }
    for (uint32_t i = 0; i < graph->input_count; i++)
        graph->values[graph->inputs[i]].is_input = true;
    for (uint32_t i = 0; i < graph->output_count; i++)
        graph->values[graph->outputs[i]].is_output = true;
}

static bool has_initializer(const cnx_value *value)
{
    return value->initializer != NULL || value->sparse_initializer != NULL;
}

/* Keeps the order of the ids that stay; use_count marks those already listed. */
static void index_initializers(cnx_graph *graph)
{
    uint32_t count = 0;
    uint32_t total = 0;
    for (uint32_t i = 0; i < graph->value_count; i++)
        total += has_initializer(&graph->values[i]);
    uint32_t *list = graph->initializers;
    if (total > graph->initializer_count)
        list = CNX_NEW_ARRAY(graph->model->arena, uint32_t, total);
    for (uint32_t i = 0; i < graph->initializer_count; i++) {
        uint32_t id = graph->initializers[i];
        if (!has_initializer(&graph->values[id]) || graph->values[id].use_count != 0)
            continue;
        list[count++] = id;
        graph->values[id].use_count = 1;
    }
    for (uint32_t i = 0; i < graph->value_count; i++) {
        if (has_initializer(&graph->values[i]) && graph->values[i].use_count == 0)
            list[count++] = i;
        graph->values[i].use_count = 0;
    }
    graph->initializers = list;
    graph->initializer_count = count;
}

static void index_producers(cnx_graph *graph)
{
    for (uint32_t i = 0; i < graph->node_count; i++) {
        const cnx_node *node = &graph->nodes[i];
        for (uint32_t k = 0; !node->dead && k < node->output_count; k++) {
            if (node->outputs[k] == CNX_NONE)
                continue;
            cnx_value *value = &graph->values[node->outputs[k]];
            if (value->producer != CNX_NONE || value->is_input || has_initializer(value) ||
                value->captured_from != CNX_NONE)
                cnx_fail(graph->model->arena, CNX_ERROR_GRAPH, cnx_node_place(graph, node),
                         "its output \"%s\" is defined twice", value->name);
            value->producer = i;
            value->producer_slot = k;
        }
    }
}

/* ---- uses ---- */

/* Whether something in the nested graph needs the captured value. */
static bool is_needed(const cnx_value *value)
{
    return value->captured_from != CNX_NONE && (value->use_count != 0 || value->is_output);
}

typedef void visit_use(cnx_graph *graph, uint32_t value, uint32_t node, uint32_t slot);

static void for_each_use(cnx_graph *graph, visit_use *visit)
{
    for (uint32_t i = 0; i < graph->node_count; i++) {
        const cnx_node *node = &graph->nodes[i];
        if (node->dead)
            continue;
        for (uint32_t k = 0; k < node->input_count; k++)
            if (node->inputs[k] != CNX_NONE)
                visit(graph, node->inputs[k], i, k);
        for (uint32_t k = 0; k < node->subgraph_count; k++) {
            const cnx_graph *inner = node->subgraphs[k].graph;
            for (uint32_t v = 0; v < inner->value_count; v++)
                if (is_needed(&inner->values[v]))
                    visit(graph, inner->values[v].captured_from, i, CNX_NONE);
        }
    }
}

static void count_use(cnx_graph *graph, uint32_t value, uint32_t node, uint32_t slot)
{
    (void)node;
    (void)slot;
    graph->values[value].use_count++;
}

static void record_use(cnx_graph *graph, uint32_t value, uint32_t node, uint32_t slot)
{
    cnx_value *record = &graph->values[value];
    cnx_use *uses = graph->uses + (record->uses - graph->uses);
    uses[record->use_count++] = (cnx_use){.node = node, .slot = slot};
}

static void index_uses(cnx_graph *graph)
{
    for_each_use(graph, count_use);
    size_t total = 0;
    for (uint32_t i = 0; i < graph->value_count; i++)
        total += graph->values[i].use_count;
    if (total > graph->use_capacity || graph->uses == NULL) {
        graph->uses = CNX_NEW_ARRAY(graph->model->arena, cnx_use, total);
        graph->use_capacity = total;
    }
    size_t next = 0;
    for (uint32_t i = 0; i < graph->value_count; i++) {
        cnx_value *value = &graph->values[i];
        value->uses = graph->uses + next;
        next += value->use_count;
        value->use_count = 0;
    }
    for_each_use(graph, record_use);
}

/* ---- order ---- */

static bool file_order_is_topological(const cnx_graph *graph)
{
    for (uint32_t i = 0; i < graph->value_count; i++) {
        const cnx_value *value = &graph->values[i];
        for (uint32_t k = 0; value->producer != CNX_NONE && k < value->use_count; k++)
            if (value->uses[k].node <= value->producer)
                return false;
    }
    return true;
}

/* Walks backwards over nodes that wait for something until one comes again: it is on a cycle. */
static _Noreturn void fail_cycle(const cnx_graph *graph, uint32_t *waiting)
{
    uint32_t node = 0;
    while (waiting[node] == 0)
        node++;
    for (bool moved = true; moved && waiting[node] != CNX_NONE;) {
        const cnx_node *record = &graph->nodes[node];
        waiting[node] = CNX_NONE; /* visited */
        moved = false;
        for (uint32_t k = 0; !moved && k < record->input_count; k++) {
            uint32_t producer =
                record->inputs[k] == CNX_NONE ? CNX_NONE : graph->values[record->inputs[k]].producer;
            moved = producer != CNX_NONE && waiting[producer] != 0;
            node = moved ? producer : node;
        }
    }
    cnx_fail(graph->model->arena, CNX_ERROR_GRAPH, cnx_node_place(graph, &graph->nodes[node]),
             "the node needs its own output (the graph has a cycle)");
}

/* Kahn's algorithm. Of the nodes that are ready, the first in the file is next. */
static void sort_nodes(cnx_graph *graph, cnx_arena *scratch)
{
    uint32_t *waiting = CNX_NEW_ARRAY(scratch, uint32_t, graph->node_count); /* inputs not made yet */
    cnx_heap ready = {0};
    for (uint32_t i = 0; i < graph->value_count; i++)
        for (uint32_t k = 0; graph->values[i].producer != CNX_NONE && k < graph->values[i].use_count; k++)
            waiting[graph->values[i].uses[k].node]++;
    for (uint32_t i = 0; i < graph->node_count; i++)
        if (!graph->nodes[i].dead && waiting[i] == 0)
            cnx_heap_push(scratch, &ready, i);
    uint32_t done = 0;
    while (ready.count != 0) {
        uint32_t id = cnx_heap_pop(&ready);
        const cnx_node *node = &graph->nodes[id];
        graph->order[done++] = id;
        for (uint32_t k = 0; k < node->output_count; k++) {
            const cnx_value *value = node->outputs[k] == CNX_NONE ? NULL : &graph->values[node->outputs[k]];
            for (uint32_t u = 0; value != NULL && u < value->use_count; u++)
                if (--waiting[value->uses[u].node] == 0)
                    cnx_heap_push(scratch, &ready, value->uses[u].node);
        }
    }
    if (done != graph->order_count)
        fail_cycle(graph, waiting);
}

static void index_order(cnx_graph *graph)
{
    if (graph->node_count > graph->order_capacity) {
        graph->order = CNX_NEW_ARRAY(graph->model->arena, uint32_t, graph->node_count);
        graph->order_capacity = graph->node_count;
    }
    graph->order_count = 0;
    for (uint32_t i = 0; i < graph->node_count; i++)
        if (!graph->nodes[i].dead)
            graph->order[graph->order_count++] = i;
    if (file_order_is_topological(graph))
        return;
    cnx_arena *scratch = cnx_arena_create(graph->model->arena);
    sort_nodes(graph, scratch);
    cnx_arena_destroy(scratch);
}

void cnx_graph_index(cnx_graph *graph)
{
    for (uint32_t i = 0; i < graph->node_count; i++)
        for (uint32_t k = 0; !graph->nodes[i].dead && k < graph->nodes[i].subgraph_count; k++)
            cnx_graph_index(graph->nodes[i].subgraphs[k].graph);
    index_ports(graph);
    index_initializers(graph);
    index_producers(graph);
    index_uses(graph);
    index_order(graph);
}
