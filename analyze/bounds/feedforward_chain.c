/* One path of a graph, node by node, as layers. Every taker below looks at one node and either takes it into
 * the chain (returns NULL) or says why the theorems' networks have no such node. */
#include "analyze/bounds/feedforward_internal.h"

#include "analyze/constants.h"
#include "analyze/spelled.h"

#include <inttypes.h>
#include <math.h>

/* Weights may pass through this many nodes between the file and the layer. */
#define WEIGHT_STEPS 8
/* Of activations in a row, so many are named. */
#define MOST_NAMES 4

typedef const char *(*taker)(cnx_chain *chain, const cnx_node *node);

static const char *refuse(const cnx_chain *chain, const cnx_node *node, const char *why)
{
    return cnx_print(chain->arena, "%s: %s", cnx_node_place(chain->graph, node), why);
}

static void note(cnx_chain *chain, const cnx_node *node, const char *what)
{
    cnx_feedforward_note(chain->arena, chain->report, refuse(chain, node, what));
}

static bool is_operator(const cnx_node *node, const char *name)
{
    return node->domain[0] == '\0' && strcmp(node->op_type, name) == 0;
}

static bool is_fixed(const cnx_chain *chain, const cnx_node *node, uint32_t slot)
{
    return slot < node->input_count && node->inputs[slot] != CNX_NONE && chain->fixed[node->inputs[slot]];
}

/* ---- parameters ---- */

/* A matrix or vector of the file as a layer sees it. */
typedef struct parameter {
    cnx_tensor *tensor;
    const char *name;
    bool transposed;
} parameter;

/* Whether a node between the file and the layer leaves the entries alone; a Transpose of a matrix is undone.
 */
static bool passes_parameter(const cnx_graph *graph, const cnx_node *node, bool *transposed)
{
    if (is_operator(node, "Identity"))
        return true;
    if (is_operator(node, "Cast")) {
        int32_t type = (int32_t)cnx_attribute_int(graph, node, "to", 0);
        return type == CNX_TYPE_FLOAT || type == CNX_TYPE_DOUBLE;
    }
    if (!is_operator(node, "Transpose"))
        return false;
    size_t count;
    const int64_t *order = cnx_attribute_ints(graph, node, "perm", &count);
    if (order == NULL || (count == 2 && order[0] == 1 && order[1] == 0))
        *transposed = !*transposed;
    else if (count != 2 || order[0] != 0 || order[1] != 1)
        return false;
    return true;
}

static bool find_parameter(const cnx_chain *chain, uint32_t value, parameter *found)
{
    const cnx_graph *graph = chain->graph;
    found->transposed = false;
    for (int step = 0; step < WEIGHT_STEPS; step++) {
        found->name = graph->values[value].name;
        found->tensor = cnx_constant_tensor(graph, value);
        if (found->tensor != NULL)
            return cnx_type_kind_of(found->tensor->type) == CNX_KIND_FLOAT;
        uint32_t producer = graph->values[value].producer;
        if (producer == CNX_NONE || graph->nodes[producer].input_count == 0 ||
            !passes_parameter(graph, &graph->nodes[producer], &found->transposed))
            return false;
        value = graph->nodes[producer].inputs[0];
        if (value == CNX_NONE)
            return false;
    }
    return false;
}

/* A bias is one number for each unit, or one for all: its last axis has `units` entries and the others one.
 */
static const char *take_bias_value(cnx_chain *chain, const cnx_node *node, uint32_t value, double scale)
{
    cnx_feedforward_layer *layer = &chain->layers[chain->layer_count - 1];
    parameter bias;
    if (!find_parameter(chain, value, &bias))
        return refuse(chain, node, "the bias is not a float tensor of the file");
    const cnx_tensor *tensor = bias.tensor;
    uint64_t last = 1;
    if (tensor->rank > 0)
        last = (uint64_t)tensor->dims[bias.transposed ? 0 : tensor->rank - 1];
    if (tensor->count != last || (last != layer->outputs && last != 1))
        return refuse(chain, node, "what is added is not one number for each unit");
    if (last != layer->outputs)
        note(chain, node, "one bias for all units; the class has one for each, and S counts them");
    layer->bias = bias.tensor;
    layer->bias_name = bias.name;
    layer->bias_scale = scale;
    return NULL;
}

/* ---- layers ---- */

/* Starts the layer that `node` computes with the matrix `value`, stored as outputs x inputs when `by_rows`.
 */
static const char *start_layer(cnx_chain *chain, const cnx_node *node, uint32_t value, bool by_rows,
                               double scale)
{
    parameter weight;
    if (chain->forbidden != NULL)
        return chain->forbidden;
    if (!find_parameter(chain, value, &weight))
        return refuse(chain, node, "the weight is not a float tensor of the file");
    if (weight.tensor->rank != 2 || weight.tensor->count == 0)
        return refuse(chain, node, "the weight is not a matrix");
    bool rows_are_outputs = by_rows != weight.transposed;
    cnx_feedforward_layer layer = {
        .node = (uint32_t)(node - chain->graph->nodes),
        .inputs = (uint64_t)weight.tensor->dims[rows_are_outputs ? 1 : 0],
        .outputs = (uint64_t)weight.tensor->dims[rows_are_outputs ? 0 : 1],
        .weight = weight.tensor,
        .weight_name = weight.name,
        .weight_scale = scale,
        .growth = {.lipschitz = 1.0, .at_zero = 0.0, .bound = INFINITY},
    };
    if (chain->layer_count > 0) {
        const cnx_feedforward_layer *before = &chain->layers[chain->layer_count - 1];
        if (before->outputs != layer.inputs)
            return refuse(chain, node,
                          cnx_print(chain->arena,
                                    "reads %" PRIu64 " values where the layer before has %" PRIu64 " units",
                                    layer.inputs, before->outputs));
        if (before->activation == NULL)
            note(chain, node, "no activation since the layer before; the identity is taken as one");
    }
    CNX_PUSH(chain->arena, chain->layers, chain->layer_count, chain->layer_capacity, layer);
    chain->bias_open = true;
    return NULL;
}

static const char *take_gemm(cnx_chain *chain, const cnx_node *node)
{
    const cnx_graph *graph = chain->graph;
    if (node->inputs[0] != chain->data || !is_fixed(chain, node, 1))
        return refuse(chain, node, "the weight is not the second factor");
    if (cnx_attribute_int(graph, node, "transA", 0) != 0)
        return refuse(chain, node, "transA turns the batch axis into features");
    double alpha = cnx_attribute_float(graph, node, "alpha", 1.0);
    double beta = cnx_attribute_float(graph, node, "beta", 1.0);
    if (!isfinite(alpha) || !isfinite(beta))
        return refuse(chain, node, "alpha or beta is not finite");
    bool by_rows = cnx_attribute_int(graph, node, "transB", 0) != 0;
    const char *why = start_layer(chain, node, node->inputs[1], by_rows, alpha);
    if (why != NULL)
        return why;
    chain->bias_open = false;
    bool has_bias = node->input_count > 2 && node->inputs[2] != CNX_NONE;
    if (alpha != 1.0 || (has_bias && beta != 1.0))
        note(chain, node, "alpha and beta are multiplied into the parameters before B is measured");
    if (!has_bias || beta == 0.0)
        return NULL;
    if (!is_fixed(chain, node, 2))
        return refuse(chain, node, "adds a computed value");
    return take_bias_value(chain, node, node->inputs[2], beta);
}

static const char *take_matmul(cnx_chain *chain, const cnx_node *node)
{
    if (node->inputs[0] != chain->data)
        return refuse(chain, node, "the weight is not the second factor");
    if (!is_fixed(chain, node, 1))
        return refuse(chain, node, "multiplies two computed values");
    const char *why = start_layer(chain, node, node->inputs[1], false, 1.0);
    const cnx_fact *fact = &chain->analysis->facts[chain->data];
    if (why == NULL && chain->layer_count == 1 && fact->known && fact->rank > 2)
        note(chain, node,
             "the network is applied at every position of its input; the bound is for one position");
    return why;
}

static const char *take_add(cnx_chain *chain, const cnx_node *node)
{
    if (node->input_count != 2 || is_fixed(chain, node, 0) == is_fixed(chain, node, 1))
        return refuse(chain, node, "joins two computed values");
    if (chain->layer_count == 0)
        return refuse(chain, node, "works on the input before the first layer");
    if (!chain->bias_open)
        return refuse(chain, node, "adds a constant that is not the bias of a layer");
    chain->bias_open = false;
    return take_bias_value(chain, node, node->inputs[is_fixed(chain, node, 0) ? 0 : 1], 1.0);
}

/* ---- what leaves the units alone ---- */

static const char *take_identity(cnx_chain *chain, const cnx_node *node)
{
    (void)chain;
    (void)node;
    return NULL;
}

static const char *take_cast(cnx_chain *chain, const cnx_node *node)
{
    int32_t type = (int32_t)cnx_attribute_int(chain->graph, node, "to", 0);
    if (cnx_type_kind_of(type) == CNX_KIND_FLOAT)
        return NULL;
    return refuse(chain, node, "rounds to a type that is not a float type");
}

/* Version 1 and 6 trained unless told otherwise, 7 to 11 never did, 12 and later have an input for it. */
static const char *take_dropout(cnx_chain *chain, const cnx_node *node)
{
    double training = 0.0;
    if (node->opset != 0 && node->opset < 7)
        training = cnx_attribute_int(chain->graph, node, "is_test", 0) == 0;
    else if (node->input_count > 2 && node->inputs[2] != CNX_NONE &&
             !cnx_constant_number(chain->graph, node->inputs[2], &training))
        training = 1.0;
    return training == 0.0 ? NULL : refuse(chain, node, "drops units at random (training mode)");
}

/* Row-major order survives these; whether the units are still together shows when the next layer reads them.
 */
static const char *take_layout(cnx_chain *chain, const cnx_node *node)
{
    (void)node;
    chain->bias_open = false;
    return NULL;
}

static const char *take_transpose(cnx_chain *chain, const cnx_node *node)
{
    size_t count;
    const int64_t *order = cnx_attribute_ints(chain->graph, node, "perm", &count);
    size_t first_moved = 0;
    while (order != NULL && first_moved < count && order[first_moved] == (int64_t)first_moved)
        first_moved++;
    chain->bias_open = false;
    if (order != NULL && first_moved == count)
        return NULL;
    if (chain->layer_count == 0 && first_moved > 0) {
        note(chain, node, "reorders the entries of an input");
        return NULL;
    }
    if (chain->layer_count == 0)
        return refuse(chain, node, "moves the batch axis");
    chain->forbidden = refuse(chain, node, "moves the axes between two layers");
    return NULL;
}

/* ---- functions ---- */

/* Puts s (NULL: a softmax, whose value at 0 nobody needs) after what the last layer computes so far. */
static void compose(cnx_chain *chain, const char *name, const cnx_activation *s, const cnx_growth *after)
{
    cnx_feedforward_layer *layer = &chain->layers[chain->layer_count - 1];
    cnx_growth before = layer->growth;
    layer->activation_count++;
    if (layer->activation == NULL)
        layer->activation = name;
    else if (layer->activation_count <= MOST_NAMES)
        layer->activation = cnx_print(chain->arena, "%s, %s", layer->activation, name);
    else if (layer->activation_count == MOST_NAMES + 1)
        layer->activation = cnx_print(chain->arena, "%s ...", layer->activation);
    layer->growth.lipschitz = before.lipschitz * after->lipschitz;
    layer->growth.at_zero = s == NULL ? 0.0 : cnx_activation_value(s, before.at_zero);
    layer->growth.bound = fmin(after->bound, fabs(after->at_zero) + after->lipschitz * before.bound);
    chain->bias_open = false;
}

static const char *take_activation(cnx_chain *chain, const cnx_node *node, const cnx_activation *s)
{
    if (chain->layer_count == 0)
        return refuse(chain, node, "works on the input before the first layer");
    if (s->per_unit)
        return refuse(chain, node, "its function differs from unit to unit");
    if (s->trained)
        note(chain, node, "its slope is held fixed: it is not among the parameters that S counts");
    cnx_growth growth = {
        .lipschitz = s->lipschitz,
        .at_zero = s->at_zero,
        .bound = fmax(fabs(s->low), fabs(s->high)),
    };
    compose(chain, s->name, s, &growth);
    return NULL;
}

/* Rows of a softmax are not functions of one unit, so no layer may follow. J = diag(p) - p p^T has rows of
 * l1 norm 2 p (1 - p) <= 1/2, and the logarithm's are (1 - p_i) + sum of the others <= 2. */
static const char *take_softmax(cnx_chain *chain, const cnx_node *node)
{
    if (chain->layer_count == 0)
        return refuse(chain, node, "works on the input before the first layer");
    bool logarithm = is_operator(node, "LogSoftmax");
    cnx_growth growth = {
        .lipschitz = logarithm ? 2.0 : 0.5, .at_zero = 0.0, .bound = logarithm ? INFINITY : 1.0};
    compose(chain, node->op_type, NULL, &growth);
    chain->forbidden = refuse(chain, node, "is not a function of one unit, yet a layer follows");
    return NULL;
}

/* ---- the path ---- */

static taker find_taker(const cnx_node *node)
{
    static const struct {
        const char *name;
        taker take;
    } takers[] = {
        {"Gemm", take_gemm},          {"MatMul", take_matmul},       {"Add", take_add},
        {"Identity", take_identity},  {"Cast", take_cast},           {"Dropout", take_dropout},
        {"Flatten", take_layout},     {"Reshape", take_layout},      {"Squeeze", take_layout},
        {"Unsqueeze", take_layout},   {"Transpose", take_transpose}, {"Softmax", take_softmax},
        {"LogSoftmax", take_softmax},
    };
    for (size_t i = 0; i < sizeof takers / sizeof takers[0]; i++)
        if (is_operator(node, takers[i].name))
            return takers[i].take;
    return NULL;
}

static const char *take(cnx_chain *chain, const cnx_step *step)
{
    const cnx_node *node = &chain->graph->nodes[step->node];
    if (step->output != 0)
        return refuse(chain, node, "the chain goes through an output other than its first");
    taker special = find_taker(node);
    if (special != NULL) {
        chain->data = step->data;
        return special(chain, node);
    }
    cnx_activation s;
    if (cnx_activation_of_node(chain->graph, node, &s))
        return take_activation(chain, node, &s);
    for (uint32_t k = 0; k < node->input_count; k++)
        if (node->inputs[k] != CNX_NONE && node->inputs[k] != step->data && !is_fixed(chain, node, k))
            return refuse(chain, node, "joins two computed values");
    return refuse(chain, node, "is neither a fully connected layer nor a known activation");
}

/* Says so once for every activation that is spelled. */
static void note_spelled(cnx_chain *chain, const cnx_node *last, const cnx_spelled *spelled)
{
    const char *start = cnx_print(chain->arena, "%s is spelled with", spelled->activation.name);
    for (size_t i = 0; i < chain->report->note_count; i++)
        if (strncmp(chain->report->notes[i], start, strlen(start)) == 0)
            return;
    cnx_feedforward_note(chain->arena, chain->report,
                         cnx_print(chain->arena,
                                   "%s %u nodes, up to %s (the function was compared at 65 points)", start,
                                   spelled->node_count, cnx_node_place(chain->graph, last)));
}

/* Takes an activation that several nodes spell. Returns the position after it, or `position` when there is
 * none. */
static size_t take_spelled(cnx_chain *chain, const cnx_path *path, size_t position)
{
    const cnx_step *step = &path->steps[position];
    cnx_spelled spelled;
    if (chain->layer_count == 0 || !cnx_find_spelled(chain->graph, chain->positions, step->data, &spelled))
        return position;
    size_t end = position;
    while (end < path->count &&
           chain->graph->nodes[path->steps[end].node].outputs[path->steps[end].output] != spelled.result)
        end++;
    if (end == path->count)
        return position;
    const cnx_node *node = &chain->graph->nodes[path->steps[end].node];
    note_spelled(chain, node, &spelled);
    return take_activation(chain, node, &spelled.activation) == NULL ? end + 1 : position;
}

/* Reads the node at `*position` and moves past it, or past all nodes of a spelled activation. */
static const char *take_next(cnx_chain *chain, const cnx_path *path, size_t *position)
{
    const cnx_step *step = &path->steps[*position];
    const char *why = NULL;
    bool branches = chain->graph->values[step->data].use_count > 1;
    size_t after = branches ? take_spelled(chain, path, *position) : *position;
    if (after == *position) {
        why = take(chain, step);
        if (why == NULL)
            after = *position + 1;
        else if (!branches)
            after = take_spelled(chain, path, *position);
    }
    if (after == *position)
        return why;
    *position = after;
    return NULL;
}

const char *cnx_chain_read(cnx_chain *chain, const cnx_path *path)
{
    size_t position = 0;
    while (position < path->count) {
        size_t layers = chain->layer_count;
        size_t here = position;
        const char *why = take_next(chain, path, &position);
        if (why != NULL)
            return why;
        if (chain->layer_count > layers)
            chain->last_layer_position = here;
    }
    if (chain->layer_count == 0)
        return "no fully connected layer lies between the input and the output";
    if (chain->layer_count == 1)
        return refuse(chain, &chain->graph->nodes[chain->layers[0].node],
                      "the only layer; the theorems need a hidden one");
    return NULL;
}
