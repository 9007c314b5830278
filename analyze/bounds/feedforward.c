/* Paths from the outputs back to the input, the heads they end in, and the size of the parameters. */
#include "analyze/bounds/feedforward.h"

#include "analyze/bounds/feedforward_internal.h"
#include "analyze/constants.h"

#include <math.h>

/* More outputs than this are not followed; each path may be as long as the graph. */
#define MOST_OUTPUTS 64
#define MOST_NOTES 32

void cnx_feedforward_note(cnx_arena *arena, cnx_feedforward *report, const char *note)
{
    if (report->note_count > MOST_NOTES)
        return;
    for (size_t i = 0; i < report->note_count; i++)
        if (strcmp(report->notes[i], note) == 0)
            return;
    if (report->note_count == MOST_NOTES)
        note = "there are more notes of these kinds; they are left out";
    CNX_PUSH(arena, report->notes, report->note_count, report->note_capacity, note);
}

/* ---- paths ---- */

/* Marks what is computed from the file alone. */
static const bool *find_fixed(cnx_arena *arena, const cnx_graph *graph)
{
    bool *fixed = CNX_NEW_ARRAY(arena, bool, graph->value_count);
    for (uint32_t v = 0; v < graph->value_count; v++)
        fixed[v] = graph->values[v].initializer != NULL || graph->values[v].sparse_initializer != NULL;
    for (uint32_t i = 0; i < graph->order_count; i++) {
        const cnx_node *node = &graph->nodes[graph->order[i]];
        bool all =
            node->subgraph_count == 0 && (node->input_count > 0 || strcmp(node->op_type, "Constant") == 0);
        for (uint32_t k = 0; k < node->input_count; k++)
            all = all && (node->inputs[k] == CNX_NONE || fixed[node->inputs[k]]);
        for (uint32_t k = 0; k < node->output_count; k++)
            if (node->outputs[k] != CNX_NONE)
                fixed[node->outputs[k]] = all;
    }
    return fixed;
}

static const uint32_t *find_positions(cnx_arena *arena, const cnx_graph *graph)
{
    uint32_t *positions = CNX_NEW_ARRAY(arena, uint32_t, graph->node_count);
    for (uint32_t i = 0; i < graph->order_count; i++)
        positions[graph->order[i]] = i;
    return positions;
}

/* The first input that depends on the graph's inputs, or CNX_NONE. */
static uint32_t data_input(const cnx_node *node, const bool *fixed)
{
    for (uint32_t k = 0; k < node->input_count; k++)
        if (node->inputs[k] != CNX_NONE && !fixed[node->inputs[k]])
            return node->inputs[k];
    return CNX_NONE;
}

/* Walks from an output back to a graph input, along the first computed input of every node: where there is a
 * second one, the node will be refused when the path is read. Returns the input, or CNX_NONE. */
static uint32_t find_path(cnx_arena *arena, const cnx_graph *graph, const bool *fixed, uint32_t output,
                          cnx_path *path)
{
    uint32_t value = output;
    while (value != CNX_NONE && graph->values[value].producer != CNX_NONE) {
        const cnx_value *made = &graph->values[value];
        cnx_step step = {made->producer, data_input(&graph->nodes[made->producer], fixed),
                         made->producer_slot};
        CNX_PUSH(arena, path->steps, path->count, path->capacity, step);
        value = step.data;
    }
    for (size_t i = 0; i < path->count / 2; i++) {
        cnx_step swapped = path->steps[i];
        path->steps[i] = path->steps[path->count - 1 - i];
        path->steps[path->count - 1 - i] = swapped;
    }
    return value != CNX_NONE && !fixed[value] ? value : CNX_NONE;
}

/* ---- heads ---- */

typedef struct reading {
    cnx_arena *arena;
    const cnx_analysis *analysis;
    const cnx_graph *graph;
    const uint32_t *positions;
    const bool *fixed;
    cnx_feedforward *report;
    uint32_t input;
    cnx_path path;   /* of the first output */
    cnx_chain chain; /* idem */
    size_t head_capacity;
    cnx_feedforward_layer *heads;
    size_t without_bias_count;
    uint32_t first_without_bias;
} reading;

/* Adds the last layer of a chain unless it is there already, and what follows it. */
static void add_head(reading *r, const cnx_chain *chain)
{
    cnx_feedforward *report = r->report;
    const cnx_feedforward_layer *layer = &chain->layers[chain->layer_count - 1];
    report->final_lipschitz = fmax(report->final_lipschitz, layer->growth.lipschitz);
    if (layer->activation != NULL) {
        const char *others = report->final_operators;
        report->final_operators = others == NULL || strcmp(others, layer->activation) == 0
                                      ? layer->activation
                                      : cnx_print(r->arena, "%s; %s", others, layer->activation);
    }
    for (size_t i = 0; i < report->head_count; i++)
        if (r->heads[i].node == layer->node)
            return;
    CNX_PUSH(r->arena, r->heads, report->head_count, r->head_capacity, *layer);
    report->heads = r->heads;
}

/* Whether two paths are the same up to (not including) their last layers. */
static bool same_trunk(const cnx_path *a, const cnx_chain *chain_a, const cnx_path *b,
                       const cnx_chain *chain_b)
{
    if (chain_a->last_layer_position != chain_b->last_layer_position)
        return false;
    for (size_t i = 0; i < chain_a->last_layer_position; i++)
        if (a->steps[i].node != b->steps[i].node)
            return false;
    return true;
}

static const char *read_output(reading *r, uint32_t output)
{
    bool first = r->report->head_count == 0;
    cnx_path path = {0};
    const char *name = r->graph->values[output].name;
    uint32_t input = find_path(r->arena, r->graph, r->fixed, output, &path);
    if (input == CNX_NONE)
        return cnx_print(r->arena, "output \"%s\": does not depend on the inputs of the graph", name);
    cnx_chain chain = {.arena = r->arena,
                       .analysis = r->analysis,
                       .graph = r->graph,
                       .positions = r->positions,
                       .fixed = r->fixed,
                       .report = r->report};
    const char *why = cnx_chain_read(&chain, &path);
    if (why != NULL)
        return why;
    if (!first && (input != r->input || !same_trunk(&r->path, &r->chain, &path, &chain)))
        return cnx_print(r->arena, "outputs \"%s\" and \"%s\" are not last layers over one last hidden layer",
                         r->graph->values[r->graph->outputs[0]].name, name);
    if (first) {
        r->input = input;
        r->path = path;
        r->chain = chain;
        r->report->hidden_count = chain.layer_count - 1;
        r->report->hidden = chain.layers;
    }
    add_head(r, &chain);
    return NULL;
}

static const char *read_outputs(reading *r)
{
    if (r->graph->output_count == 0)
        return "the graph has no output";
    if (r->graph->output_count > MOST_OUTPUTS)
        return "the graph has more than 64 outputs";
    for (uint32_t i = 0; i < r->graph->output_count; i++) {
        const char *why = read_output(r, r->graph->outputs[i]);
        if (why != NULL)
            return why;
    }
    return NULL;
}

/* ---- parameters ---- */

/* The largest absolute entry; INFINITY when one is infinite, NAN when one is not a number. */
static double largest_entry(cnx_model *model, cnx_tensor *tensor)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (tensor->type == CNX_TYPE_FLOAT) {
        /* Without their sign, floats are ordered as their bits are, with NaN above all. */
        const uint8_t *bytes = cnx_tensor_bytes(model, tensor);
        uint32_t largest = 0;
        for (uint64_t i = 0; i < tensor->count; i++) {
            uint32_t bits;
            memcpy(&bits, bytes + 4 * i, sizeof bits);
            bits &= 0x7fffffffu;
            largest = bits > largest ? bits : largest;
        }
        float value;
        memcpy(&value, &largest, sizeof value);
        return (double)value;
    }
#endif
    double largest = 0.0;
    for (uint64_t i = 0; i < tensor->count; i++) {
        double value = fabs(cnx_tensor_float(model, tensor, i));
        if (isnan(value))
            return value;
        largest = fmax(largest, value);
    }
    return largest;
}

static bool is_uniform(cnx_model *model, cnx_tensor *tensor)
{
    for (uint64_t i = 1; i < tensor->count; i++)
        if (cnx_tensor_float(model, tensor, i) != cnx_tensor_float(model, tensor, 0))
            return false;
    return true;
}

/* A tensor that two layers use ties their units to each other, except where all its entries are equal:
 * exporters make one tensor of the zero biases of unrelated layers. */
static const char *check_unshared(reading *r, cnx_intern *seen, cnx_tensor *tensor, const char *name)
{
    size_t before = seen->count;
    uint32_t number = cnx_intern_add(seen, &tensor, sizeof tensor);
    if (number == before)
        return NULL;
    if (!is_uniform(r->analysis->model, tensor))
        return cnx_print(r->arena,
                         "initializer \"%s\": used more than once, which ties the units of its layers", name);
    cnx_feedforward_note(r->arena, r->report,
                         cnx_print(r->arena,
                                   "initializer \"%s\": used more than once, but all its entries are equal, "
                                   "so it counts as separate parameters",
                                   name));
    return NULL;
}

static const char *measure_tensor(reading *r, cnx_intern *seen, cnx_tensor *tensor, const char *name,
                                  double scale)
{
    const char *why = check_unshared(r, seen, tensor, name);
    if (why != NULL)
        return why;
    double largest = fabs(scale) * largest_entry(r->analysis->model, tensor);
    if (!isfinite(largest))
        return cnx_print(r->arena, "initializer \"%s\": has an entry that is not a finite number", name);
    r->report->largest_parameter = fmax(r->report->largest_parameter, largest);
    return NULL;
}

static const char *measure_layer(reading *r, cnx_intern *seen, const cnx_feedforward_layer *layer)
{
    const char *why = measure_tensor(r, seen, layer->weight, layer->weight_name, layer->weight_scale);
    if (why != NULL)
        return why;
    if (layer->bias != NULL)
        return measure_tensor(r, seen, layer->bias, layer->bias_name, layer->bias_scale);
    if (r->without_bias_count++ == 0)
        r->first_without_bias = layer->node;
    return NULL;
}

static void note_missing_biases(const reading *r)
{
    if (r->without_bias_count == 0)
        return;
    const char *place = cnx_node_place(r->graph, &r->graph->nodes[r->first_without_bias]);
    const char *others =
        r->without_bias_count == 1 ? "" : cnx_print(r->arena, " and %zu more", r->without_bias_count - 1);
    cnx_feedforward_note(
        r->arena, r->report,
        cnx_print(r->arena, "%s%s: no bias; the class has one (zero here), and S counts it", place, others));
}

static const char *measure(reading *r)
{
    cnx_intern seen;
    cnx_intern_init(&seen, r->arena);
    const char *why = NULL;
    for (size_t l = 0; l < r->report->hidden_count && why == NULL; l++)
        why = measure_layer(r, &seen, &r->report->hidden[l]);
    for (size_t i = 0; i < r->report->head_count && why == NULL; i++)
        why = measure_layer(r, &seen, &r->report->heads[i]);
    if (why == NULL)
        note_missing_biases(r);
    return why;
}

static void fill_shape(cnx_arena *arena, cnx_feedforward *report)
{
    size_t hidden = report->hidden_count;
    uint64_t *widths = CNX_NEW_ARRAY(arena, uint64_t, hidden + 2);
    cnx_growth *growths = CNX_NEW_ARRAY(arena, cnx_growth, hidden);
    widths[0] = report->hidden[0].inputs;
    for (size_t l = 0; l < hidden; l++) {
        widths[l + 1] = report->hidden[l].outputs;
        growths[l] = report->hidden[l].growth;
    }
    for (size_t i = 0; i < report->head_count; i++)
        widths[hidden + 1] += report->heads[i].outputs;
    report->shape = (cnx_shape){.hidden = hidden, .widths = widths};
    report->growths = growths;
}

cnx_feedforward *cnx_feedforward_find(cnx_arena *arena, const cnx_analysis *analysis)
{
    const cnx_graph *graph = analysis->model->graph;
    cnx_feedforward *report = CNX_NEW(arena, cnx_feedforward);
    report->final_lipschitz = 0.0;
    reading r = {.arena = arena, .analysis = analysis, .graph = graph, .report = report};
    r.fixed = find_fixed(arena, graph);
    r.positions = find_positions(arena, graph);
    report->why_not = read_outputs(&r);
    if (report->why_not == NULL)
        report->why_not = measure(&r);
    report->found = report->why_not == NULL;
    if (report->found)
        fill_shape(arena, report);
    return report;
}
