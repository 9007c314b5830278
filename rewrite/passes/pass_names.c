/* Inner names follow from the order, so they say nothing that the order does not say:
 *
 *     node                        Conv_0, Conv_1, Relu_0: the operator and a count of its own; nodes of
 * nested graphs are counted where they are met its outputs                 Conv_0, and Split_0_1 for output 1
 *     an initializer              Conv_0_in1: its first reader and the slot there; If_0_capture0 when only
 *                                 nested graphs of the node read it
 *     a nested graph              If_0_then_branch; its inputs Loop_0_body_in0, its constant outputs
 *                                 Loop_0_body_out0
 *     inputs of a function        in0, in1
 *
 * Inputs and outputs of the main graph are the interface and keep their names; where one of the names above
 * is taken already, underscores are appended. Names are unique in the whole main graph, nested ones
 * included, so nothing is ever hidden. A function has names of its own. */
#include "rewrite/pass.h"
#include "rewrite/trace.h"

#include <stdio.h>

enum { LONGEST_OPERATOR = 64 };

typedef struct namer {
    cnx_rewrite *rewrite;
    cnx_arena *arena; /* names */
    cnx_arena *scratch;
    cnx_intern values; /* names in use */
    cnx_intern nodes;
    cnx_intern operators;
    size_t counter_count, counter_capacity;
    uint32_t *counters; /* by operator */
    size_t changed;
} namer;

static const char *unique(cnx_intern *used, cnx_arena *scratch, const char *wanted)
{
    for (;;) {
        size_t known = used->count;
        if (cnx_intern_add(used, wanted, strlen(wanted)) == known)
            return wanted;
        wanted = cnx_print(scratch, "%s_", wanted);
    }
}

static char *keep(const namer *work, const char *name)
{
    return (char *)(uintptr_t)cnx_copy_text(work->arena, name);
}

static void name_value(namer *work, cnx_graph *graph, uint32_t id, bool *named, const char *wanted)
{
    cnx_value *value = &graph->values[id];
    named[id] = true;
    const char *name = unique(&work->values, work->scratch, wanted);
    if (strcmp(value->name, name) == 0)
        return;
    cnx_explain(work->rewrite, "value \"%s\" is called \"%s\"", value->name, name);
    value->name = keep(work, name);
    work->changed++;
}

/* The operator's name with everything but letters, digits and underscores replaced. */
static void spell_operator(const char *op_type, char out[LONGEST_OPERATOR + 1])
{
    size_t length = strnlen(op_type, LONGEST_OPERATOR);
    for (size_t i = 0; i < length; i++) {
        char c = op_type[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9' && i != 0);
        out[i] = plain ? c : '_';
    }
    out[length] = '\0';
}

/* Names the node; the result is valid until the run ends. */
static const char *name_node(namer *work, cnx_node *node)
{
    char spelled[LONGEST_OPERATOR + 1];
    spell_operator(node->op_type, spelled);
    uint32_t number = cnx_intern_add(&work->operators, spelled, strlen(spelled));
    if (number == work->counter_count)
        CNX_PUSH(work->scratch, work->counters, work->counter_count, work->counter_capacity, 0);
    const char *wanted = cnx_print(work->scratch, "%s_%u", spelled, work->counters[number]++);
    const char *name = unique(&work->nodes, work->scratch, wanted);
    if (node->proto->name == NULL || strcmp(node->proto->name, name) != 0) {
        cnx_explain(work->rewrite, "node \"%s\" is called \"%s\"",
                    node->proto->name != NULL ? node->proto->name : "", name);
        node->proto->name = keep(work, name);
        work->changed++;
    }
    return node->proto->name;
}

static bool is_constant(const cnx_graph *graph, uint32_t id)
{
    return graph->values[id].initializer != NULL || graph->values[id].sparse_initializer != NULL;
}

static void name_inputs(namer *work, cnx_graph *graph, const cnx_node *node, const char *prefix, bool *named)
{
    for (uint32_t slot = 0; slot < node->input_count; slot++) {
        uint32_t id = node->inputs[slot];
        if (id != CNX_NONE && !named[id] && is_constant(graph, id))
            name_value(work, graph, id, named, cnx_print(work->scratch, "%s_in%u", prefix, slot));
    }
}

static void name_outputs(namer *work, cnx_graph *graph, const cnx_node *node, const char *prefix, bool *named)
{
    for (uint32_t slot = 0; slot < node->output_count; slot++) {
        uint32_t id = node->outputs[slot];
        if (id == CNX_NONE || named[id])
            continue;
        const char *wanted = slot == 0 ? prefix : cnx_print(work->scratch, "%s_%u", prefix, slot);
        name_value(work, graph, id, named, wanted);
    }
}

static void name_captures(namer *work, cnx_graph *graph, const cnx_node *node, const char *prefix,
                          bool *named)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < node->subgraph_count; i++) {
        const cnx_graph *nested = node->subgraphs[i].graph;
        for (uint32_t v = 0; v < nested->value_count; v++) {
            uint32_t id = nested->values[v].captured_from;
            if (id != CNX_NONE && !named[id] && is_constant(graph, id))
                name_value(work, graph, id, named, cnx_print(work->scratch, "%s_capture%u", prefix, count++));
        }
    }
}

static void name_ports(namer *work, cnx_graph *graph, const uint32_t *ids, uint32_t count, const char *prefix,
                       const char *kind, bool *named)
{
    for (uint32_t i = 0; i < count; i++)
        if (!named[ids[i]])
            name_value(work, graph, ids[i], named, cnx_print(work->scratch, "%s%s%u", prefix, kind, i));
}

static void name_graph(namer *work, cnx_graph *graph, const char *prefix);

static void name_nested(namer *work, const cnx_node *node, const char *prefix)
{
    for (uint32_t i = 0; i < node->subgraph_count; i++) {
        const cnx_subgraph *subgraph = &node->subgraphs[i];
        const char *name = cnx_print(work->scratch, "%s_%s", prefix, subgraph->attribute->name);
        if (subgraph->attribute->n_graphs != 0)
            name = cnx_print(work->scratch, "%s%u", name, subgraph->position);
        subgraph->graph->proto->name = keep(work, name);
        name_graph(work, subgraph->graph, cnx_print(work->scratch, "%s_", name));
    }
}

/* What has its name from elsewhere: the interface of the main graph, captured values. */
static void mark_named(namer *work, cnx_graph *graph, bool *named)
{
    bool interface = graph->parent == NULL && graph->function == NULL;
    for (uint32_t i = 0; i < graph->value_count; i++) {
        cnx_value *value = &graph->values[i];
        if (value->captured_from != CNX_NONE) {
            value->name = graph->parent->values[value->captured_from].name;
            named[i] = true;
        } else if (interface && (value->is_input || value->is_output)) {
            cnx_intern_add(&work->values, value->name, strlen(value->name));
            named[i] = true;
        }
    }
}

static void name_graph(namer *work, cnx_graph *graph, const char *prefix)
{
    bool *named = CNX_NEW_ARRAY(work->scratch, bool, graph->value_count);
    mark_named(work, graph, named);
    name_ports(work, graph, graph->inputs, graph->input_count, prefix, "in", named);
    for (uint32_t i = 0; i < graph->order_count; i++) {
        cnx_node *node = &graph->nodes[graph->order[i]];
        const char *name = name_node(work, node);
        name_inputs(work, graph, node, name, named);
        name_captures(work, graph, node, name, named);
        name_outputs(work, graph, node, name, named);
        name_nested(work, node, name);
    }
    name_ports(work, graph, graph->outputs, graph->output_count, prefix, "out", named);
}

/* Names the main graph, or one function, with everything inside. */
static size_t name_scope(cnx_rewrite *rewrite, cnx_graph *graph)
{
    namer work = {
        .rewrite = rewrite, .arena = rewrite->model->arena, .scratch = cnx_arena_create(rewrite->arena)};
    cnx_intern_init(&work.values, work.scratch);
    cnx_intern_init(&work.nodes, work.scratch);
    cnx_intern_init(&work.operators, work.scratch);
    name_graph(&work, graph, "");
    cnx_arena_destroy(work.scratch);
    return work.changed;
}

size_t cnx_pass_names(cnx_rewrite *rewrite)
{
    cnx_model *model = rewrite->model;
    size_t changed = name_scope(rewrite, model->graph);
    model->graph->proto->name = (char *)(uintptr_t)cnx_copy_text(model->arena, "graph");
    for (uint32_t i = 0; i < model->function_count; i++)
        changed += name_scope(rewrite, model->functions[i]);
    return changed;
}
