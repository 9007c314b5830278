/* Operators that treat every position alike. */
#include "analyze/constants.h"
#include "analyze/ops/compose.h"
#include "analyze/ops/shape_only.h"

#include <strings.h>

static cnx_fact broadcast_inputs(cnx_rule *rule, uint32_t first, int32_t type)
{
    cnx_fact *facts = CNX_NEW_ARRAY(rule->arena, cnx_fact, rule->input_count);
    size_t count = 0;
    for (uint32_t i = first; i < rule->input_count; i++)
        if (cnx_rule_has(rule, i))
            facts[count++] = cnx_rule_input(rule, i);
    return cnx_rule_broadcast(rule, facts, count, type);
}

/* Add, Mul, Relu, Clip, Sum ...: equal positions of all inputs, with broadcasting. */
void cnx_apply_elementwise(cnx_rule *rule)
{
    cnx_rule_output(rule, 0, broadcast_inputs(rule, 0, rule->inputs[0].type));
}

/* Equal, Less, And, IsNaN ... */
void cnx_apply_compare(cnx_rule *rule)
{
    cnx_rule_output(rule, 0, broadcast_inputs(rule, 0, CNX_TYPE_BOOL));
}

/* Where(condition, X, Y) */
void cnx_apply_where(cnx_rule *rule)
{
    cnx_rule_output(rule, 0, broadcast_inputs(rule, 0, rule->input_count > 1 ? rule->inputs[1].type : 0));
}

/* The type that Cast makes: its number, before operator set 6 its name. */
static int32_t cast_target(const cnx_rule *rule)
{
    const Onnx__AttributeProto *to = cnx_attribute(rule->node, "to");
    if (to == NULL || to->type != ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING)
        return (int32_t)cnx_rule_int(rule, "to", 0);
    const char *name = cnx_attribute_text(rule->graph, rule->node, "to", "");
    for (int32_t type = CNX_TYPE_FLOAT; type <= CNX_TYPE_BFLOAT16; type++)
        if (strcasecmp(cnx_type_name(type), name) == 0)
            return type;
    return 0;
}

/* Cast, and CastLike, whose second input gives only its type. */
void cnx_apply_cast(cnx_rule *rule)
{
    cnx_fact fact = cnx_rule_input(rule, 0);
    if (rule->input_count > 1) {
        cnx_rule_input(rule, 1);
        fact.type = rule->inputs[1].type;
    } else {
        fact.type = cast_target(rule);
    }
    cnx_rule_output(rule, 0, fact);
}

/* Identity: what was selected of an axis, be it one position, is still that. */
void cnx_apply_identity(cnx_rule *rule)
{
    cnx_rule_output(rule, 0, cnx_rule_input(rule, 0));
}

/* PRelu: the slope broadcasts to X, never the other way. */
void cnx_apply_prelu(cnx_rule *rule)
{
    cnx_apply_elementwise(rule);
}

/* Before operator set 7: B has A's shape or, with `broadcast`, one element or A's axes from `axis` on (by
 * default its last ones). */
static void apply_old_broadcast(cnx_rule *rule, int32_t type)
{
    uint32_t rank = rule->inputs[0].rank, places[64];
    int64_t axis = cnx_rule_int(rule, "axis", -1);
    if (!cnx_rule_has(rule, 1) || cnx_rule_int(rule, "broadcast", 0) == 0 || cnx_rule_is_single(rule, 1)) {
        cnx_rule_output(rule, 0, broadcast_inputs(rule, 0, type));
        return;
    }
    cnx_fact facts[2] = {cnx_rule_input(rule, 0), cnx_rule_input(rule, 1)};
    uint32_t own = facts[1].rank;
    if (axis < 0)
        axis = (int64_t)rank - own;
    if (axis < 0 || axis + own > (int64_t)rank) {
        cnx_rule_pin_all(rule, "operands that do not fit");
        return;
    }
    for (uint32_t k = 0; k < own; k++)
        places[k] = (uint32_t)axis + k;
    facts[1] = cnx_fact_place(rule, facts[1], places, rank);
    cnx_rule_output(rule, 0, cnx_rule_broadcast(rule, facts, 2, type));
}

void cnx_apply_old_elementwise(cnx_rule *rule)
{
    apply_old_broadcast(rule, rule->inputs[0].type);
}

void cnx_apply_old_compare(cnx_rule *rule)
{
    apply_old_broadcast(rule, CNX_TYPE_BOOL);
}

/* PRelu before operator set 7: one slope, or one for every channel, X's axis 1. */
void cnx_apply_old_prelu(cnx_rule *rule)
{
    cnx_fact fact = cnx_rule_input(rule, 0);
    cnx_fact_scaled_along(rule, &fact, fact.rank > 1 ? 1 : 0, 1);
    cnx_rule_output(rule, 0, fact);
}

/* Y, and a mask, which was a number before operator set 10. */
static void keep_shape(cnx_rule *rule, cnx_fact fact)
{
    cnx_rule_output(rule, 0, fact);
    if (rule->node->opset == 0 || rule->node->opset >= 10)
        fact.type = CNX_TYPE_BOOL;
    cnx_rule_output(rule, 1, fact);
}

/* Whether a Dropout may be in training: before operator set 7 an attribute says that it is not, from 12 on an
 * input that it is, and in between it never is. */
static bool drops_at_random(const cnx_rule *rule)
{
    const int64_t *training;
    size_t count;
    double ratio;
    if (rule->node->opset != 0 && rule->node->opset < 7)
        return cnx_rule_int(rule, "is_test", 0) == 0;
    if (!cnx_rule_has(rule, 2) ||
        (cnx_rule_has(rule, 1) && cnx_constant_number(rule->graph, rule->node->inputs[1], &ratio) &&
         ratio == 0))
        return false;
    return !cnx_rule_numbers(rule, 2, &training, &count) || count != 1 || training[0] != 0;
}

/* Dropout: Y and the mask are laid out as X. In training it draws a number a position: still exchangeable in
 * distribution but not equal, so everything is pinned. */
void cnx_apply_dropout(cnx_rule *rule)
{
    if (drops_at_random(rule)) {
        cnx_rule_pin_all(rule, "random training mode");
        keep_shape(rule, cnx_shape_like(rule, 0, rule->inputs[0].type, "random training mode"));
        return;
    }
    keep_shape(rule, cnx_rule_input(rule, 0));
}
