/* Activations: one operator, or a group of elementwise nodes that spells one.
 *
 * A spelled activation is a function of one variable that uses it more than once: x * Sigmoid(x),
 * x * (1 + Erf(x / sqrt 2)) / 2. So there is no list of patterns: from the value on, elementwise nodes are
 * collected whose inputs are the value, nodes collected before, or scalar settings, until everything meets
 * again in one result and nothing inside is read from outside. What the group contains gives its name. This
 * is blind to the order of factors and to where an exporter puts the constants.
 */
#include "analyze/blocks/matcher.h"

#define MAX_GROUP 12u
#define MAX_USES 4u

typedef struct group {
    uint32_t count;
    uint32_t nodes[MAX_GROUP];
    uint32_t values[MAX_GROUP + 1]; /* the start, then the nodes' outputs */
} group;

static bool is_elementwise(cnx_block_op op)
{
    switch (op) {
    case OP_Add:
    case OP_Cast:
    case OP_Clip:
    case OP_Div:
    case OP_Erf:
    case OP_Exp:
    case OP_HardSigmoid:
    case OP_Max:
    case OP_Min:
    case OP_Mul:
    case OP_Neg:
    case OP_Pow:
    case OP_Relu:
    case OP_Sigmoid:
    case OP_Softplus:
    case OP_Sqrt:
    case OP_Sub:
    case OP_Tanh:
        return true;
    default:
        return false;
    }
}

static bool group_has_value(const group *g, uint32_t value)
{
    for (uint32_t i = 0; i <= g->count; i++)
        if (g->values[i] == value)
            return true;
    return false;
}

static bool may_join(const cnx_matcher *m, const group *g, uint32_t node)
{
    if (!cnx_is_free(m, node) || !is_elementwise(cnx_op(m, node)) ||
        group_has_value(g, cnx_output(m, node, 0)))
        return false;
    for (uint32_t i = 0; i < cnx_node_at(m, node)->input_count; i++) {
        uint32_t input = cnx_input(m, node, i);
        if (input != CNX_NONE && !group_has_value(g, input) && !cnx_is_scalar_setting(m, input))
            return false;
    }
    return true;
}

/* The first node in graph order that may join, or CNX_NONE. */
static uint32_t next_member(const cnx_matcher *m, const group *g)
{
    uint32_t best = CNX_NONE;
    for (uint32_t i = 0; i <= g->count; i++) {
        const cnx_value *value = &m->view->graph->values[g->values[i]];
        for (uint32_t j = 0; j < value->use_count && j < MAX_USES + 1; j++) {
            uint32_t node = value->uses[j].node;
            bool earlier = best == CNX_NONE || m->view->positions[node] < m->view->positions[best];
            if (earlier && may_join(m, g, node))
                best = node;
        }
    }
    return best;
}

static uint32_t reads_inside(const cnx_matcher *m, const group *g, uint32_t value)
{
    uint32_t reads = 0;
    for (uint32_t i = 0; i < g->count; i++)
        for (uint32_t j = 0; j < cnx_node_at(m, g->nodes[i])->input_count; j++)
            reads += cnx_input(m, g->nodes[i], j) == value;
    return reads;
}

/* Whether everything but the newest result is read inside the group only. */
static bool is_closed(const cnx_matcher *m, const group *g)
{
    for (uint32_t i = 0; i < g->count; i++)
        if (cnx_use_count(m, g->values[i]) != reads_inside(m, g, g->values[i]))
            return false;
    return true;
}

static bool collect(const cnx_matcher *m, uint32_t value, group *g)
{
    *g = (group){.values = {value}};
    uint32_t uses = cnx_use_count(m, value);
    if (uses < 2 || uses > MAX_USES)
        return false;
    while (g->count < MAX_GROUP) {
        uint32_t node = next_member(m, g);
        if (node == CNX_NONE)
            return false;
        g->nodes[g->count++] = node;
        g->values[g->count] = cnx_output(m, node, 0);
        if (is_closed(m, g))
            return true;
    }
    return false;
}

static bool contains(const cnx_matcher *m, const group *g, cnx_block_op op)
{
    for (uint32_t i = 0; i < g->count; i++)
        if (cnx_op(m, g->nodes[i]) == op)
            return true;
    return false;
}

static bool contains_number(const cnx_matcher *m, const group *g, double number)
{
    for (uint32_t i = 0; i < g->count; i++)
        for (uint32_t j = 0; j < cnx_node_at(m, g->nodes[i])->input_count; j++)
            if (cnx_is_number(m, cnx_input(m, g->nodes[i], j), number))
                return true;
    return false;
}

/* The name of what the group computes, or NULL. */
static const char *name_of(const cnx_matcher *m, const group *g)
{
    if (contains(m, g, OP_Erf))
        return "Gelu";
    if (contains(m, g, OP_Tanh))
        return contains(m, g, OP_Softplus) ? "Mish" : contains_number(m, g, 0.044715) ? "Gelu (tanh)" : NULL;
    if (!contains(m, g, OP_Mul))
        return NULL;
    if (contains(m, g, OP_Sigmoid))
        return contains_number(m, g, 1.702) ? "Gelu (sigmoid)" : "SiLU";
    if (contains(m, g, OP_HardSigmoid) ||
        ((contains(m, g, OP_Clip) || contains(m, g, OP_Relu) || contains(m, g, OP_Min)) &&
         contains_number(m, g, 3)))
        return "HardSwish";
    return NULL;
}

/* Takes a last Mul or Div by a constant, when it is the one that completes the activation. */
static uint32_t take_last_factor(cnx_matcher *m, const char *name, uint32_t value)
{
    uint32_t user = cnx_only_user(m, value), factor = cnx_other_input(m, user, value);
    bool hard = strcmp(name, "HardSwish") == 0, gelu = strncmp(name, "Gelu", 4) == 0;
    bool completes = (cnx_op(m, user) == OP_Mul && ((gelu && cnx_is_number(m, factor, 0.5)) ||
                                                    (hard && cnx_is_number(m, factor, 1.0 / 6)))) ||
                     (cnx_op(m, user) == OP_Div && cnx_reads(m, user, 0, value) &&
                      ((gelu && cnx_is_number(m, factor, 2)) || (hard && cnx_is_number(m, factor, 6))));
    return completes && cnx_take(m, user) ? cnx_output(m, user, 0) : value;
}

static uint32_t take_group(cnx_matcher *m, uint32_t value, const char **name)
{
    group g;
    if (!collect(m, value, &g))
        return CNX_NONE;
    *name = name_of(m, &g);
    if (*name == NULL)
        return CNX_NONE;
    for (uint32_t i = 0; i < g.count; i++)
        cnx_take(m, g.nodes[i]);
    return take_last_factor(m, *name, g.values[g.count]);
}

/* clip(x + 3, 0, 6) / 6 */
static uint32_t take_hard_sigmoid(cnx_matcher *m, uint32_t value)
{
    uint32_t add = cnx_only_user(m, value);
    if (cnx_op(m, add) != OP_Add || !cnx_is_number(m, cnx_other_input(m, add, value), 3))
        return CNX_NONE;
    uint32_t sum = cnx_output(m, add, 0), clip = cnx_only_user(m, sum), clipped = cnx_output(m, clip, 0);
    uint32_t last = cnx_only_user(m, clipped), factor = cnx_other_input(m, last, clipped);
    bool divides = cnx_op(m, last) == OP_Div && cnx_is_number(m, factor, 6);
    bool multiplies = cnx_op(m, last) == OP_Mul && cnx_is_number(m, factor, 1.0 / 6);
    if (cnx_op(m, clip) != OP_Clip || (!divides && !multiplies))
        return CNX_NONE;
    if (!cnx_is_free(m, add) || !cnx_is_free(m, clip) || !cnx_is_free(m, last))
        return CNX_NONE;
    cnx_take(m, add);
    cnx_take(m, clip);
    cnx_take(m, last);
    return cnx_output(m, last, 0);
}

static bool is_activation(const cnx_matcher *m, uint32_t node)
{
    switch (cnx_op(m, node)) {
    case OP_Erf:
        return false;
    case OP_BiasGelu:
    case OP_FastGelu:
    case OP_Gelu:
    case OP_QuickGelu:
        return true;
    default:
        return cnx_class(m, node) == CNX_OP_ACTIVATION || cnx_class(m, node) == CNX_OP_SOFTMAX;
    }
}

/* Bounds are attributes before operator set 11 and inputs since. */
static bool clip_bound_is(const cnx_matcher *m, uint32_t node, const char *attribute, uint32_t slot,
                          double expected)
{
    const cnx_node *clip = cnx_node_at(m, node);
    double bound;
    if (cnx_number(m, cnx_input(m, node, slot), &bound))
        return bound == expected;
    return cnx_attribute(clip, attribute) != NULL &&
           cnx_attribute_float(m->view->graph, clip, attribute, 0) == expected;
}

static const char *operator_name(const cnx_matcher *m, uint32_t node)
{
    if (cnx_op(m, node) == OP_Clip && clip_bound_is(m, node, "min", 1, 0) &&
        clip_bound_is(m, node, "max", 2, 6))
        return "Relu6";
    return cnx_node_at(m, node)->op_type;
}

uint32_t cnx_take_activation(cnx_matcher *m, uint32_t value, const char **name)
{
    uint32_t user = cnx_only_user(m, value);
    if (user == CNX_NONE)
        return take_group(m, value, name);
    if (is_activation(m, user) && cnx_reads(m, user, 0, value)) {
        *name = operator_name(m, user);
        return cnx_take(m, user) ? cnx_output(m, user, 0) : CNX_NONE;
    }
    *name = "HardSigmoid";
    return take_hard_sigmoid(m, value);
}

/* A spelled one goes before a single operator, which may be the first node of it. */
bool cnx_match_activation(cnx_matcher *m, uint32_t node)
{
    const char *name;
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t value = cnx_input(m, node, i);
        if (!cnx_is_data(m, value) || !is_elementwise(cnx_op(m, node)))
            continue;
        m->taken_count = 0;
        if (cnx_take_activation(m, value, &name) != CNX_NONE && cnx_is_taken(m, node)) {
            cnx_say(m, "%s", name);
            return true;
        }
    }
    m->taken_count = 0;
    if (!is_activation(m, node) || !cnx_is_data(m, cnx_input(m, node, 0)))
        return false;
    cnx_take(m, node);
    cnx_say(m, "%s", operator_name(m, node));
    return true;
}
