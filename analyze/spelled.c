#include "analyze/spelled.h"

#include "analyze/constants.h"

#include <math.h>

#define MOST_NODES 12u
#define MOST_USES 6u

/* The points at which functions are compared: both tails, and between the round numbers where pieces meet. */
#define POINT_COUNT 65
/* Constants in files are float32; the two forms of Gelu differ by 5e-4. */
#define TOLERANCE 2e-6

static double point(int i)
{
    return -8.0 + 0.2503 * i;
}

typedef struct group {
    const cnx_graph *graph;
    const uint32_t *positions;
    uint32_t count;
    uint32_t nodes[MOST_NODES];
    uint32_t values[MOST_NODES + 1]; /* x, then the nodes' outputs */
} group;

/* ---- evaluating one node ---- */

typedef double (*two_arguments)(double a, double b);

static double add(double a, double b)
{
    return a + b;
}

static double subtract(double a, double b)
{
    return a - b;
}

static double multiply(double a, double b)
{
    return a * b;
}

static double divide(double a, double b)
{
    return a / b;
}

static two_arguments find_operation(const cnx_node *node)
{
    static const struct {
        const char *name;
        two_arguments apply;
    } operations[] = {{"Add", add}, {"Sub", subtract}, {"Mul", multiply}, {"Div", divide},
                      {"Pow", pow}, {"Max", fmax},     {"Min", fmin}};
    if (node->domain[0] != '\0' || node->input_count != 2)
        return NULL;
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
        if (strcmp(node->op_type, operations[i].name) == 0)
            return operations[i].apply;
    return NULL;
}

/* The place of a value in the group, or CNX_NONE. */
static uint32_t place_of(const group *g, uint32_t value)
{
    for (uint32_t i = 0; i <= g->count; i++)
        if (g->values[i] == value)
            return i;
    return CNX_NONE;
}

static bool argument(const group *g, const double *values, uint32_t value, double *result)
{
    uint32_t place = place_of(g, value);
    if (place == CNX_NONE)
        return cnx_constant_number(g->graph, value, result);
    *result = values[place];
    return true;
}

static bool evaluate(const group *g, const cnx_node *node, const double *values, double *result)
{
    double a, b;
    cnx_activation s;
    two_arguments operation = find_operation(node);
    if (operation != NULL) {
        if (!argument(g, values, node->inputs[0], &a) || !argument(g, values, node->inputs[1], &b))
            return false;
        *result = operation(a, b);
        return true;
    }
    if (!cnx_activation_of_node(g->graph, node, &s) || s.per_unit ||
        !argument(g, values, node->inputs[0], &a))
        return false;
    *result = cnx_activation_value(&s, a);
    return true;
}

/* ---- collecting ---- */

static bool may_join(const group *g, uint32_t id)
{
    const cnx_node *node = &g->graph->nodes[id];
    double ignored;
    if (node->output_count != 1 || node->outputs[0] == CNX_NONE || place_of(g, node->outputs[0]) != CNX_NONE)
        return false;
    for (uint32_t i = 0; i < node->input_count; i++)
        if (node->inputs[i] != CNX_NONE && place_of(g, node->inputs[i]) == CNX_NONE &&
            !cnx_constant_number(g->graph, node->inputs[i], &ignored))
            return false;
    double values[MOST_NODES + 1] = {0};
    return evaluate(g, node, values, &ignored);
}

/* The first node in graph order that may join, or CNX_NONE. */
static uint32_t next_member(const group *g)
{
    uint32_t best = CNX_NONE;
    for (uint32_t i = 0; i <= g->count; i++) {
        const cnx_value *value = &g->graph->values[g->values[i]];
        for (uint32_t k = 0; k < value->use_count && k < MOST_USES; k++) {
            uint32_t node = value->uses[k].node;
            if (best != CNX_NONE && g->positions[node] >= g->positions[best])
                continue;
            if (may_join(g, node))
                best = node;
        }
    }
    return best;
}

static bool is_member(const group *g, uint32_t node)
{
    for (uint32_t i = 0; i < g->count; i++)
        if (g->nodes[i] == node)
            return true;
    return false;
}

/* Whether nothing but the newest result is visible from outside. */
static bool is_closed(const group *g)
{
    for (uint32_t i = 0; i < g->count; i++) {
        const cnx_value *value = &g->graph->values[g->values[i]];
        if (value->is_output || value->use_count > MOST_USES)
            return false;
        for (uint32_t k = 0; k < value->use_count; k++)
            if (!is_member(g, value->uses[k].node))
                return false;
    }
    return true;
}

/* ---- comparing ---- */

static bool tabulate(const group *g, double *results)
{
    for (int i = 0; i < POINT_COUNT; i++) {
        double values[MOST_NODES + 1] = {point(i)};
        for (uint32_t n = 0; n < g->count; n++)
            if (!evaluate(g, &g->graph->nodes[g->nodes[n]], values, &values[n + 1]))
                return false;
        results[i] = values[g->count];
    }
    return true;
}

static bool agrees(const cnx_activation *s, const double *results)
{
    for (int i = 0; i < POINT_COUNT; i++) {
        double expected = cnx_activation_value(s, point(i));
        if (!(fabs(results[i] - expected) <= TOLERANCE * (1.0 + fabs(expected))))
            return false;
    }
    return true;
}

/* clip(x + 3, 0, 6) / 6, which has other parameters than the operator's defaults. */
static bool find_sixth(cnx_activation *activation)
{
    cnx_activation_parameters sixth = CNX_ACTIVATION_DEFAULTS;
    sixth.alpha = 1.0 / 6.0;
    sixth.beta = 0.5;
    return cnx_activation_find("", "HardSigmoid", NULL, 0, &sixth, activation);
}

static bool identify(const group *g, cnx_activation *activation)
{
    double results[POINT_COUNT];
    if (!tabulate(g, results))
        return false;
    for (size_t i = 0; cnx_activation_at(i, activation); i++)
        if (isfinite(activation->lipschitz) && agrees(activation, results))
            return true;
    return find_sixth(activation) && agrees(activation, results);
}

bool cnx_find_spelled(const cnx_graph *graph, const uint32_t *positions, uint32_t value, cnx_spelled *spelled)
{
    group g = {.graph = graph, .positions = positions, .values = {value}};
    while (g.count < MOST_NODES) {
        uint32_t node = next_member(&g);
        if (node == CNX_NONE)
            return false;
        g.nodes[g.count++] = node;
        g.values[g.count] = graph->nodes[node].outputs[0];
        if (g.count > 1 && is_closed(&g) && identify(&g, &spelled->activation)) {
            spelled->result = g.values[g.count];
            spelled->node_count = g.count;
            return true;
        }
    }
    return false;
}
