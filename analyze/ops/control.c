/* Nested graphs: a branch is swept once, the body of a loop until what it carries fits what it is given.
 *
 * A loop's body is one graph for all iterations. What it carries keeps its labels if the body hands them on
 * with the same extents: input, result and initial value are then the same axes. Where extents do not fit (a
 * tensor that grows) the body is swept again with that axis unknown and pinned. Relations stated in an
 * earlier sweep stay; they can only make the group smaller.
 */
#include "analyze/rule.h"
#include "analyze/scaling/scaling.h"

static const cnx_graph *body_called(const cnx_node *node, const char *attribute)
{
    for (uint32_t g = 0; g < node->subgraph_count; g++)
        if (strcmp(node->subgraphs[g].attribute->name, attribute) == 0)
            return node->subgraphs[g].graph;
    return NULL;
}

/* All inputs taken over; unknown ones stay unknown. */
static cnx_fact *all_inputs(cnx_rule *rule)
{
    cnx_fact *facts = CNX_NEW_ARRAY(rule->arena, cnx_fact, rule->input_count);
    for (uint32_t i = 0; i < rule->input_count; i++)
        if (rule->present[i])
            facts[i] = cnx_rule_input(rule, i);
    return facts;
}

/* Whether a value is one number that is known. */
static bool is_number(const cnx_rule *rule, const cnx_fact *fact, int64_t *number)
{
    return fact->has_content && fact->content_count == 1 && fact->content_divisor <= 1 &&
           cnx_dim_is_number(rule->dims, fact->content[0], number);
}

static bool same_extents(const cnx_fact *a, const cnx_fact *b)
{
    if (!a->known || !b->known || a->rank != b->rank)
        return false;
    for (uint32_t k = 0; k < a->rank; k++)
        if (a->axes[k].extent != b->axes[k].extent)
            return false;
    return true;
}

/* Two facts of one value. Axes whose extents differ are pinned, with an unknown extent; different ranks are
 * given up. */
static cnx_fact join_facts(cnx_rule *rule, cnx_fact a, cnx_fact b, const char *what)
{
    if (same_extents(&a, &b)) {
        cnx_fact both[2] = {a, b};
        return cnx_rule_broadcast(rule, both, 2, a.type);
    }
    cnx_rule_pin_fact(rule, a, what);
    cnx_rule_pin_fact(rule, b, what);
    if (!a.known || !b.known || a.rank != b.rank)
        return (cnx_fact){.type = a.type};
    cnx_fact result = cnx_rule_fact(rule, a.type, a.rank);
    for (uint32_t k = 0; k < a.rank; k++)
        result.axes[k] = cnx_axis_pinned(a.axes[k].extent == b.axes[k].extent ? a.axes[k].extent
                                                                              : cnx_dim_fresh(rule->dims),
                                         cnx_rule_reason(rule, what));
    return result;
}

static bool is_weight(int32_t type, size_t rank)
{
    return rank != 0 && (type == CNX_TYPE_FLOAT || type == CNX_TYPE_DOUBLE || type == CNX_TYPE_FLOAT16 ||
                         type == CNX_TYPE_BFLOAT16);
}

static bool is_weight_node(const cnx_node *node)
{
    bool weight = false;
    for (size_t i = 0; strcmp(node->op_type, "Constant") == 0 && i < node->proto->n_attribute; i++) {
        const Onnx__TensorProto *tensor = node->proto->attribute[i]->t;
        weight = weight || (tensor != NULL && is_weight(tensor->data_type, tensor->n_dims));
    }
    return weight;
}

/* Whether a branch has parameters, wherever they are stored: its own, captured, in nodes, in graphs inside.
 */
static bool has_weights(const cnx_graph *branch)
{
    for (uint32_t v = 0; v < branch->value_count; v++) {
        const cnx_graph *graph = branch;
        const cnx_value *value = &branch->values[v];
        for (; value->captured_from != CNX_NONE && graph->parent != NULL; graph = graph->parent)
            value = &graph->parent->values[value->captured_from];
        if (value->initializer != NULL && is_weight(value->initializer->type, value->initializer->rank))
            return true;
    }
    for (uint32_t i = 0; i < branch->node_count; i++) {
        const cnx_node *node = &branch->nodes[i];
        bool found = !node->dead && is_weight_node(node);
        for (uint32_t g = 0; g < node->subgraph_count && !found && !node->dead; g++)
            found = has_weights(node->subgraphs[g].graph);
        if (found)
            return true;
    }
    return false;
}

/* If: both branches give the same value. Where the condition is known (is this extent 1?), only the branch
 * that is taken matters; the other one is swept all the same when it has parameters, so that they are seen.
 */
void cnx_apply_branch(cnx_rule *rule)
{
    const cnx_graph *yes = body_called(rule->node, "then_branch"),
                    *no = body_called(rule->node, "else_branch");
    if (yes == NULL || no == NULL || yes->output_count != rule->output_count ||
        no->output_count != rule->output_count) {
        cnx_rule_pin_all(rule, "branches that do not match");
        return;
    }
    rule->follows_bodies = true;
    int64_t condition = 0;
    bool known = is_number(rule, &rule->inputs[0], &condition);
    all_inputs(rule);
    const cnx_fact *facts[2] = {NULL, NULL};
    for (uint32_t i = 0; i < 2; i++) {
        const cnx_graph *branch = i == 0 ? no : yes;
        if (!known || (condition != 0) == (i != 0) || has_weights(branch))
            facts[i] = cnx_sweep_body(rule, branch, NULL, 0);
    }
    rule->branches[0] = facts[known ? condition != 0 : 1];
    rule->branches[1] = known ? NULL : facts[0];
    rule->never_taken = known ? facts[condition == 0] : NULL;
    for (uint32_t i = 0; i < rule->output_count; i++)
        cnx_rule_output(rule, i,
                        known ? facts[condition != 0][i]
                              : join_facts(rule, facts[1][i], facts[0][i], "branches of different shape"));
}

/* A carried value as the body first sees it. It need not stay constant along an axis, and no contents are
 * known. */
static cnx_fact carried_fact(cnx_rule *rule, cnx_fact initial)
{
    if (!initial.known)
        return (cnx_fact){.type = initial.type};
    cnx_fact fact = cnx_rule_fact(rule, initial.type, initial.rank);
    for (uint32_t k = 0; k < initial.rank; k++) {
        int64_t extent;
        fact.axes[k] = initial.axes[k];
        if (initial.axes[k].kind != CNX_AXIS_ANY || cnx_dim_equals(rule->dims, initial.axes[k].extent, 1))
            continue;
        bool fits = cnx_dim_is_number(rule->dims, initial.axes[k].extent, &extent) && extent > 0 &&
                    extent <= (int64_t)CNX_LARGEST_AXIS;
        fact.axes[k] = fits ? cnx_axis_fresh(rule->points, (uint32_t)extent, NULL)
                            : cnx_axis_pinned(initial.axes[k].extent, cnx_rule_reason(rule, "carried axis"));
    }
    return fact;
}

/* What the body may assume after it handed on something else: axes that differ are pinned and unknown, and
 * get their bit in *unknown. */
static cnx_fact weaker_fact(cnx_rule *rule, cnx_fact assumed, cnx_fact handed_on, uint64_t *unknown)
{
    cnx_rule_pin_fact(rule, handed_on, "carried value that changes shape");
    if (!assumed.known || !handed_on.known || assumed.rank != handed_on.rank) {
        cnx_rule_pin_fact(rule, assumed, "carried value that changes shape");
        return (cnx_fact){.type = assumed.type};
    }
    cnx_fact fact = cnx_rule_fact(rule, assumed.type, assumed.rank);
    for (uint32_t k = 0; k < assumed.rank; k++) {
        bool fits = assumed.axes[k].extent == handed_on.axes[k].extent && (*unknown >> k & 1) == 0;
        *unknown |= (uint64_t)!fits << k;
        cnx_axis_pin(rule->points, assumed.axes[k],
                     cnx_rule_reason(rule, "carried value that changes shape"));
        fact.axes[k] = cnx_axis_pinned(fits ? assumed.axes[k].extent : cnx_dim_fresh(rule->dims),
                                       cnx_rule_reason(rule, "carried value that changes shape"));
    }
    return fact;
}

/* Whether what is handed on fits what was assumed; axes with a bit in `unknown` were assumed to be anything.
 */
static bool is_settled(const cnx_fact *assumed, const cnx_fact *handed_on, uint64_t unknown)
{
    if (!assumed->known)
        return true;
    if (!handed_on->known || assumed->rank != handed_on->rank)
        return false;
    for (uint32_t k = 0; k < assumed->rank; k++)
        if (assumed->axes[k].extent != handed_on->axes[k].extent && (unknown >> k & 1) == 0)
            return false;
    return true;
}

/* One sweep of a body that runs several times: what it is given has factors of its own. */
static cnx_fact *sweep_iteration(cnx_rule *rule, const cnx_graph *body, cnx_fact *inputs)
{
    for (uint32_t i = 0; i < body->input_count; i++)
        inputs[i].scaling = cnx_scaling_value(rule->analysis->scaling, &inputs[i]);
    rule->iterates = true;
    cnx_fact *outputs = cnx_sweep_body(rule, body, inputs, body->input_count);
    rule->iterates = false;
    return outputs;
}

/* What was assumed of the body did not hold: in that sweep nothing is multiplied. */
static void fix_iteration(cnx_rule *rule, const cnx_graph *body, const cnx_fact *inputs,
                          const cnx_fact *outputs)
{
    for (uint32_t i = 0; i < body->input_count; i++)
        cnx_scaling_fix(rule->analysis->scaling, CNX_SIGN_AND_SCALE, inputs[i].scaling);
    for (uint32_t i = 0; i < body->output_count; i++)
        cnx_scaling_fix(rule->analysis->scaling, CNX_SIGN_AND_SCALE, outputs[i].scaling);
}

static const cnx_fact *copy_facts(cnx_rule *rule, const cnx_fact *facts, uint32_t count)
{
    cnx_fact *copy = CNX_NEW_ARRAY(rule->arena, cnx_fact, count);
    if (count != 0)
        memcpy(copy, facts, count * sizeof *copy);
    return copy;
}

/* Sweeps the body until `states` (facts [first, first + count) of `inputs`) fit what it hands on, which are
 * its outputs from `from` on. Returns the outputs of the last sweep, with the carried ones joined to the
 * inputs. */
static cnx_fact *settle_body(cnx_rule *rule, const cnx_graph *body, cnx_fact *inputs, uint32_t first,
                             uint32_t count, uint32_t from)
{
    cnx_fact *outputs;
    bool settled;
    unsigned round = 0;
    uint64_t *unknown = CNX_NEW_ARRAY(rule->arena, uint64_t, count);
    do {
        settled = true;
        outputs = sweep_iteration(rule, body, inputs);
        const cnx_fact *assumed = copy_facts(rule, inputs, body->input_count);
        for (uint32_t i = 0; i < count; i++)
            if (!is_settled(&inputs[first + i], &outputs[from + i], unknown[i])) {
                settled = false;
                inputs[first + i] = round < 2
                                        ? weaker_fact(rule, inputs[first + i], outputs[from + i], &unknown[i])
                                        : (cnx_fact){.type = inputs[first + i].type};
            }
        if (!settled)
            fix_iteration(rule, body, assumed, outputs);
        rule->body_inputs = assumed;
    } while (!settled && ++round < 4); /* by then all that does not fit is unknown */
    rule->body_outputs = copy_facts(rule, outputs, body->output_count);
    for (uint32_t i = 0; i < count; i++)
        outputs[from + i] =
            join_facts(rule, inputs[first + i], outputs[from + i], "carried value that changes shape");
    return outputs;
}

/* A fact with one more axis, of unknown extent, at `at`: iterations stacked. */
static cnx_fact stacked(cnx_rule *rule, cnx_fact fact, uint32_t at, cnx_dim extent)
{
    if (!fact.known)
        return fact;
    cnx_fact result = cnx_rule_fact(rule, fact.type, fact.rank + 1);
    for (uint32_t k = 0; k < result.rank; k++)
        if (k != at)
            result.axes[k] = fact.axes[k < at ? k : k - 1];
    result.axes[at] = cnx_axis_pinned(extent, cnx_rule_reason(rule, "iterations"));
    return result;
}

/* Loops that run more nodes than this are not unrolled. */
#define MOST_UNROLLED 20000

static cnx_fact number_fact(cnx_rule *rule, int32_t type, int64_t number)
{
    cnx_fact fact = cnx_rule_fact(rule, type, 0);
    cnx_dim *content = CNX_NEW(rule->arena, cnx_dim);
    *content = cnx_rule_number(rule, number);
    fact.has_content = true;
    fact.content = content;
    fact.content_count = 1;
    return fact;
}

/* A loop that fills sequences, a known number of times: its iterations one after the other, so that the
 * sequences have known lengths. False when it is none, or may end early. Relations that were stated by then
 * stay; they can only make the group smaller. */
static bool unroll(cnx_rule *rule, const cnx_graph *body, const cnx_fact *given, uint32_t count)
{
    int64_t rounds, go_on = 1;
    bool fills = false;
    for (uint32_t i = 0; i < count; i++)
        fills = fills || given[2 + i].sequence != NULL;
    if (!fills || rule->output_count != count || !rule->present[0] ||
        !is_number(rule, &rule->inputs[0], &rounds) || rounds < 0 ||
        rounds > MOST_UNROLLED / ((int64_t)body->node_count + 1) ||
        (rule->present[1] && !is_number(rule, &rule->inputs[1], &go_on)) || go_on != 1)
        return false;
    cnx_fact *states = CNX_NEW_ARRAY(rule->arena, cnx_fact, body->input_count);
    memcpy(states, given, body->input_count * sizeof *states);
    for (int64_t round = 0; round < rounds; round++) {
        states[0] = number_fact(rule, CNX_TYPE_INT64, round);
        states[1] = number_fact(rule, CNX_TYPE_BOOL, 1);
        const cnx_fact *outputs = cnx_sweep_body(rule, body, states, body->input_count);
        if (!is_number(rule, &outputs[0], &go_on) || go_on != 1)
            return false;
        memcpy(states + 2, outputs + 1, count * sizeof *states);
    }
    for (uint32_t i = 0; i < count; i++)
        cnx_rule_output(rule, i, states[2 + i]);
    return true;
}

/* Loop(M, condition, carried...) with a body (iteration, condition, carried...) -> (condition, carried...,
 * stacked...). */
void cnx_apply_loop(cnx_rule *rule)
{
    const cnx_graph *body = body_called(rule->node, "body");
    uint32_t count = rule->input_count >= 2 ? rule->input_count - 2 : 0;
    if (body == NULL || body->input_count != count + 2 || body->output_count != rule->output_count + 1 ||
        rule->output_count < count) {
        cnx_rule_pin_all(rule, "body that does not match");
        return;
    }
    rule->follows_bodies = true;
    const cnx_fact *given = all_inputs(rule);
    if (unroll(rule, body, given, count))
        return;
    cnx_fact *inputs = CNX_NEW_ARRAY(rule->arena, cnx_fact, body->input_count);
    inputs[0] = cnx_rule_fact(rule, CNX_TYPE_INT64, 0);
    inputs[1] = cnx_rule_fact(rule, CNX_TYPE_BOOL, 0);
    for (uint32_t i = 0; i < count; i++)
        inputs[2 + i] = carried_fact(rule, given[2 + i]);
    cnx_fact *outputs = settle_body(rule, body, inputs, 2, count, 1);
    for (uint32_t i = 0; i < rule->output_count; i++) {
        if (i < count) /* no iteration at all gives the initial value */
            cnx_rule_output(
                rule, i, join_facts(rule, outputs[1 + i], given[2 + i], "carried value that changes shape"));
        else
            cnx_rule_output(rule, i, stacked(rule, outputs[1 + i], 0, cnx_dim_fresh(rule->dims)));
    }
}

/* Scan(states..., sequences...) with a body (states..., elements...) -> (states..., elements...). Before
 * operator set 9 it had a batch axis of its own. */
void cnx_apply_scan(cnx_rule *rule)
{
    const cnx_graph *body = body_called(rule->node, "body");
    int64_t sequences = cnx_rule_int(rule, "num_scan_inputs", 0);
    size_t axes, output_axes;
    const int64_t *axis = cnx_rule_ints(rule, "scan_input_axes", &axes);
    const int64_t *output_axis = cnx_rule_ints(rule, "scan_output_axes", &output_axes);
    if (rule->node->opset < 9 || body == NULL || sequences < 1 || sequences > (int64_t)rule->input_count ||
        body->input_count != rule->input_count || body->output_count != rule->output_count ||
        rule->output_count + (uint32_t)sequences < rule->input_count) {
        cnx_rule_pin_all(rule, "body that does not match");
        return;
    }
    uint32_t states = rule->input_count - (uint32_t)sequences;
    rule->follows_bodies = true;
    cnx_fact *inputs = all_inputs(rule);
    const cnx_fact *given = all_inputs(rule);
    cnx_dim extent = cnx_dim_fresh(rule->dims);
    for (uint32_t i = 0; i < rule->input_count; i++) {
        if (i < states) {
            inputs[i] = carried_fact(rule, inputs[i]);
        } else if (inputs[i].known && inputs[i].rank > 0) {
            uint32_t k = cnx_rule_axis_number(rule, i - states < axes ? axis[i - states] : 0, inputs[i].rank);
            extent = inputs[i].axes[k].extent;
            cnx_rule_pin_fact_axis(rule, &inputs[i], k, "sequence axis");
            inputs[i] = cnx_rule_reduce(rule, inputs[i], UINT64_C(1) << k, false);
        }
    }
    cnx_fact *outputs = settle_body(rule, body, inputs, 0, states, 0);
    for (uint32_t i = 0; i < rule->output_count; i++) {
        if (i < states) {
            cnx_rule_output(rule, i,
                            join_facts(rule, outputs[i], given[i], "carried value that changes shape"));
            continue;
        }
        int64_t at = i - states < output_axes ? output_axis[i - states] : 0;
        cnx_rule_output(
            rule, i,
            outputs[i].known
                ? stacked(rule, outputs[i], cnx_rule_axis_number(rule, at, outputs[i].rank + 1), extent)
                : outputs[i]);
    }
}

/* ---- functions ---- */

static const Onnx__AttributeProto *called_with(const cnx_rule *rule, const cnx_graph *body, const char *name)
{
    const Onnx__AttributeProto *given = cnx_attribute(rule->node, name);
    for (size_t i = 0; given == NULL && i < body->function->n_attribute_proto; i++)
        if (strcmp(body->function->attribute_proto[i]->name, name) == 0)
            given = body->function->attribute_proto[i];
    return given;
}

/* The node with attributes that refer to the call's replaced by those; a reference to nothing leaves the
 * default. */
static Onnx__NodeProto *bind_attributes(const cnx_rule *rule, const cnx_graph *body, Onnx__NodeProto *proto)
{
    Onnx__NodeProto *bound = CNX_NEW(rule->arena, Onnx__NodeProto);
    *bound = *proto;
    bound->attribute = CNX_NEW_ARRAY(rule->arena, Onnx__AttributeProto *, proto->n_attribute);
    bound->n_attribute = 0;
    for (size_t i = 0; i < proto->n_attribute; i++) {
        Onnx__AttributeProto *attribute = proto->attribute[i];
        if (attribute->ref_attr_name != NULL && attribute->ref_attr_name[0] != '\0') {
            const Onnx__AttributeProto *given = called_with(rule, body, attribute->ref_attr_name);
            if (given == NULL)
                continue;
            Onnx__AttributeProto *renamed = CNX_NEW(rule->arena, Onnx__AttributeProto);
            *renamed = *given;
            renamed->name = attribute->name;
            attribute = renamed;
        }
        bound->attribute[bound->n_attribute++] = attribute;
    }
    return bound;
}

static bool refers_to_call(const Onnx__NodeProto *proto)
{
    for (size_t i = 0; i < proto->n_attribute; i++)
        if (proto->attribute[i]->ref_attr_name != NULL && proto->attribute[i]->ref_attr_name[0] != '\0')
            return true;
    return false;
}

/* A function is followed as if its nodes stood in place of the call. */
void cnx_apply_function(cnx_rule *rule)
{
    const cnx_graph *function = rule->node->function;
    cnx_graph *body = CNX_NEW(rule->arena, cnx_graph);
    *body = *function;
    body->nodes = CNX_NEW_ARRAY(rule->arena, cnx_node, function->node_count);
    for (uint32_t n = 0; n < function->node_count; n++) {
        body->nodes[n] = function->nodes[n];
        if (refers_to_call(function->nodes[n].proto))
            body->nodes[n].proto = bind_attributes(rule, function, function->nodes[n].proto);
    }
    const cnx_fact *outputs = cnx_sweep_body(rule, body, all_inputs(rule), rule->input_count);
    for (uint32_t i = 0; i < rule->output_count && i < body->output_count; i++)
        cnx_rule_output(rule, i, outputs[i]);
}
