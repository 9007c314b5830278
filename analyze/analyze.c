/* One sweep over the graph in topological order. For every node: gather the facts of its inputs, apply its
 * row's rule, then see to it that nothing was forgotten (unread axes are pinned) and that the outputs hold
 * together.
 */
#include "analyze/ops/rejoin.h"
#include "analyze/scaling/scaling.h"
#include "analyze/shapes/content.h"
#include "analyze/sweep.h"
#include "analyze/symmetry/points.h"

/* A rule may look at the inputs its operator has; a malformed node may lack them. They are then absent facts
 * without axes, not memory of others. */
#define LEAST_INPUTS 32

/* ---- one node ---- */

static void note_unknown(cnx_analysis *a, const cnx_node *node)
{
    const char *name =
        node->domain[0] == '\0' ? node->op_type : cnx_print(a->arena, "%s.%s", node->domain, node->op_type);
    for (size_t i = 0; i < a->unknown_count; i++)
        if (strcmp(a->unknown[i], name) == 0)
            return;
    CNX_PUSH(a->arena, a->unknown, a->unknown_count, a->unknown_capacity, name);
}

static cnx_fact known_or_initializer(cnx_sweep *s, uint32_t id);

/* Values that a nested graph reads from outside may not move: its body is not followed. */
static void pin_captured(cnx_sweep *s, cnx_rule *rule, const cnx_graph *body)
{
    uint32_t reason = cnx_rule_reason(rule, "use inside the body");
    for (uint32_t v = 0; v < body->value_count; v++) {
        uint32_t outer = body->values[v].captured_from;
        if (outer == CNX_NONE || body->parent != rule->graph)
            continue;
        cnx_fact fact = known_or_initializer(s, outer);
        cnx_fact_pin(rule->points, &fact, reason);
        cnx_scaling_fix(s->analysis->scaling, CNX_SIGN_AND_SCALE, fact.scaling);
    }
}

/* Room for what a rule reads and makes, all of it absent. A sweep has one rule at a time, and millions in
 * all. */
static void make_room(cnx_sweep *s, cnx_rule *rule)
{
    cnx_rule_room *room = &s->room;
    uint32_t inputs = rule->input_count > LEAST_INPUTS ? rule->input_count : LEAST_INPUTS;
    uint32_t outputs = rule->output_count + 1u;
    if (inputs > room->inputs_capacity) {
        room->inputs_capacity = 2 * inputs;
        room->inputs = CNX_NEW_ARRAY(rule->arena, cnx_fact, room->inputs_capacity);
        room->present = CNX_NEW_ARRAY(rule->arena, bool, room->inputs_capacity);
        room->read = CNX_NEW_ARRAY(rule->arena, uint64_t, room->inputs_capacity);
    }
    if (outputs > room->outputs_capacity) {
        room->outputs_capacity = 2 * outputs;
        room->outputs = CNX_NEW_ARRAY(rule->arena, cnx_fact, room->outputs_capacity);
    }
    rule->inputs = memset(room->inputs, 0, inputs * sizeof *room->inputs);
    rule->present = memset(room->present, 0, inputs * sizeof *room->present);
    rule->read = memset(room->read, 0, inputs * sizeof *room->read);
    rule->outputs = memset(room->outputs, 0, outputs * sizeof *room->outputs);
}

/* Blocks that a Reshape made are read by whatever does more than to move elements, or treats each by itself.
 */
static void read_blocks(cnx_rule *rule)
{
    void (*apply)(cnx_rule *) = rule->op != NULL ? rule->op->rule : NULL;
    if (apply == cnx_apply_reshape || apply == cnx_apply_transpose || apply == cnx_apply_shape ||
        (apply == cnx_apply_elementwise && rule->input_count == 1))
        return;
    for (uint32_t i = 0; i < rule->input_count; i++)
        for (uint32_t k = 0; rule->present[i] && k < rule->inputs[i].rank; k++)
            cnx_axis_read(rule->points, rule->inputs[i].axes[k]);
}

static cnx_rule start_rule(cnx_sweep *s, const cnx_node *node)
{
    cnx_analysis *a = s->analysis;
    cnx_rule rule = {.analysis = a,
                     .arena = a->arena,
                     .points = a->points,
                     .dims = a->dims,
                     .sweep = s,
                     .graph = s->graph,
                     .node = node,
                     .op = cnx_operator_find(node->domain, node->op_type, node->opset),
                     .input_count = node->input_count,
                     .output_count = node->output_count};
    make_room(s, &rule);
    for (uint32_t i = 0; i < node->input_count; i++) {
        rule.present[i] = node->inputs[i] != CNX_NONE;
        if (rule.present[i])
            rule.inputs[i] = known_or_initializer(s, node->inputs[i]);
    }
    read_blocks(&rule);
    return rule;
}

/* Whether input `i` is a sequence, and the operator knows what to do with one. */
static bool is_for_sequence(const cnx_rule *rule, uint32_t i)
{
    return rule->inputs[i].sequence != NULL && strstr(rule->op->rule_name, "sequence") != NULL;
}

static bool inputs_known(const cnx_rule *rule)
{
    for (uint32_t i = 0; i < rule->input_count; i++)
        if (rule->present[i] && !rule->inputs[i].known && !is_for_sequence(rule, i))
            return false;
    return rule->input_count == 0 || rule->present[0];
}

/* The reason that names the first input whose shape is not known. */
static uint32_t unknown_input(const cnx_rule *rule)
{
    uint32_t i = 0;
    while (i < rule->input_count && (!rule->present[i] || rule->inputs[i].known))
        i++;
    if (i == rule->input_count)
        return cnx_rule_reason(rule, "missing input");
    return cnx_reason_named(rule->points, "unknown shape of input",
                            rule->graph->values[rule->node->inputs[i]].name, rule->graph, rule->node);
}

/* A Gemm is between matrices and a Conv's input has as many axes as its weight, whatever came before. */
static void assume_rank(cnx_rule *rule)
{
    uint32_t rank = 0;
    if (rule->op == NULL || rule->input_count < 2 || !rule->present[0] || rule->inputs[0].known ||
        !rule->inputs[1].known)
        return;
    if (rule->op->rule == cnx_apply_gemm)
        rank = 2;
    else if (rule->op->rule == cnx_apply_conv || rule->op->rule == cnx_apply_conv_transpose)
        rank = rule->inputs[1].rank;
    if (rank == 0)
        return;
    cnx_fact fact = cnx_rule_fact(rule, rule->inputs[0].type, rank);
    uint32_t reason = unknown_input(rule);
    for (uint32_t k = 0; k < rank; k++)
        fact.axes[k] = cnx_axis_pinned(cnx_dim_fresh(rule->dims), reason);
    rule->inputs[0] = fact;
}

static void apply_row(cnx_rule *rule)
{
    assume_rank(rule);
    if (cnx_rejoin_end(rule)) {
        rule->followed = true;
    } else if (rule->node->function != NULL) {
        cnx_apply_function(rule);
    } else if (rule->op == NULL) {
        note_unknown(rule->analysis, rule->node);
        cnx_rule_pin_all(rule, "operator without a rule: input");
    } else if (rule->op->rule == NULL) {
        cnx_rule_pin_all(rule, "axis whose order matters, input");
    } else if (!inputs_known(rule) && rule->op->class != CNX_OP_CONTROL) {
        cnx_rule_pin_inputs(rule, unknown_input(rule));
    } else {
        rule->op->rule(rule);
        rule->followed = true;
        cnx_propagate_content(rule);
    }
}

/* Pins what the rule has not read. */
static void pin_unread(cnx_rule *rule)
{
    uint32_t reason = CNX_NONE;
    for (uint32_t i = 0; i < rule->input_count; i++)
        if (rule->inputs[i].sequence != NULL && rule->read[i] == 0)
            cnx_fact_pin(rule->points, &rule->inputs[i],
                         cnx_rule_reason(rule, "sequence whose order may matter"));
    for (uint32_t i = 0; i < rule->input_count; i++)
        for (uint32_t k = 0; rule->present[i] && k < rule->inputs[i].rank; k++)
            if ((rule->read[i] >> k & 1) == 0) {
                if (reason == CNX_NONE)
                    reason = cnx_rule_reason(rule, "input whose order may matter");
                cnx_axis_pin(rule->points, rule->inputs[i].axes[k], reason);
            }
}

static void finish_outputs(cnx_sweep *s, cnx_rule *rule)
{
    for (uint32_t o = 0; o < rule->output_count; o++) {
        uint32_t id = rule->node->outputs[o];
        if (id == CNX_NONE)
            continue;
        const cnx_value *value = &s->graph->values[id];
        if (!rule->outputs[o].known && rule->outputs[o].sequence == NULL) {
            int32_t type = rule->outputs[o].type;
            rule->outputs[o] = cnx_declared_fact(s, value, cnx_rule_reason(rule, "output of unknown shape"));
            if (rule->outputs[o].type == 0)
                rule->outputs[o].type = type;
        }
        cnx_rule_follow_orphans(rule, &rule->outputs[o]);
        cnx_rule_touch_mixed(rule, &rule->outputs[o]);
        if (rule->outputs[o].type == 0 && cnx_declared_tensor(value) != NULL)
            rule->outputs[o].type = cnx_declared_tensor(value)->elem_type;
    }
}

static void store_outputs(cnx_sweep *s, const cnx_rule *rule)
{
    for (uint32_t o = 0; o < rule->output_count; o++)
        if (rule->node->outputs[o] != CNX_NONE)
            s->facts[rule->node->outputs[o]] = rule->outputs[o];
}

/* Constant: its tensor is an initializer by another name. Lists of numbers are contents. */
static bool constant_fact(cnx_sweep *s, const cnx_node *node)
{
    const Onnx__AttributeProto *value = cnx_attribute(node, "value");
    cnx_tensor *tensor =
        value != NULL && value->t != NULL ? cnx_tensor_of(s->analysis->model, value->t) : NULL;
    if (strcmp(node->op_type, "Constant") != 0 || node->domain[0] != '\0' || node->output_count != 1 ||
        node->outputs[0] == CNX_NONE)
        return false;
    cnx_fact *fact = &s->facts[node->outputs[0]];
    cnx_dims *dims = s->analysis->dims;
    if (tensor != NULL) {
        *fact = cnx_tensor_fact(s, node->outputs[0], tensor);
        return true;
    }
    const Onnx__AttributeProto *ints = cnx_attribute(node, "value_ints"),
                               *number = cnx_attribute(node, "value_int");
    const Onnx__AttributeProto *floats = cnx_attribute(node, "value_floats");
    fact->known =
        ints != NULL || number != NULL || floats != NULL || cnx_attribute(node, "value_float") != NULL;
    fact->type = ints != NULL || number != NULL ? CNX_TYPE_INT64 : CNX_TYPE_FLOAT;
    size_t count = ints != NULL ? ints->n_ints : floats != NULL ? floats->n_floats : 1;
    fact->rank = ints != NULL || floats != NULL ? 1 : 0;
    fact->axes = CNX_NEW_ARRAY(s->analysis->arena, cnx_axis, fact->rank);
    if (fact->rank == 1)
        fact->axes[0] = cnx_axis_pinned(cnx_dim_number(dims, (int64_t)count),
                                        cnx_reason(s->analysis->points, "value", s->graph, node));
    if (fact->type != CNX_TYPE_INT64 || count > CNX_LARGEST_CONTENT || !fact->known)
        return true;
    cnx_dim *content = CNX_NEW_ARRAY(s->analysis->arena, cnx_dim, count);
    for (size_t k = 0; k < count; k++)
        content[k] = cnx_dim_number(dims, ints != NULL ? ints->ints[k] : number->i);
    fact->has_content = true;
    fact->content = content;
    fact->content_count = count;
    return true;
}

static void visit_node(cnx_sweep *s, const cnx_node *node)
{
    if (constant_fact(s, node))
        return;
    cnx_rule rule = start_rule(s, node);
    apply_row(&rule);
    pin_unread(&rule);
    for (uint32_t g = 0; g < node->subgraph_count && !rule.follows_bodies; g++)
        pin_captured(s, &rule, node->subgraphs[g].graph);
    finish_outputs(s, &rule);
    if (!s->analysis->only_shapes)
        cnx_follow_scaling(&rule);
    store_outputs(s, &rule);
}

/* ---- the sweep ---- */

static cnx_fact known_or_initializer(cnx_sweep *s, uint32_t id)
{
    const cnx_value *value = &s->graph->values[id];
    cnx_fact *fact = &s->facts[id];
    if (value->captured_from != CNX_NONE && s->outer != NULL)
        return known_or_initializer(s->outer, value->captured_from);
    if (!fact->known && fact->type == 0 && value->producer == CNX_NONE)
        *fact = cnx_given_fact(s, id);
    return cnx_fact_of_use(s, id);
}

static void pin_outputs(cnx_sweep *s)
{
    cnx_points *points = s->analysis->points;
    for (uint32_t i = 0; i < s->graph->output_count; i++) {
        uint32_t id = s->graph->outputs[i];
        uint32_t reason = cnx_reason_named(points, "graph output", s->graph->values[id].name, NULL, NULL);
        cnx_fact fact = known_or_initializer(s, id);
        cnx_fact_pin(points, &fact, reason);
        cnx_scaling_fix(s->analysis->scaling, CNX_SIGN_AND_SCALE, fact.scaling);
    }
}

static cnx_sweep new_sweep(cnx_analysis *a, const cnx_graph *graph, cnx_sweep *outer)
{
    cnx_sweep s = {.analysis = a, .graph = graph, .outer = outer};
    s.facts = CNX_NEW_ARRAY(a->arena, cnx_fact, graph->value_count);
    s.tensors = CNX_NEW_ARRAY(a->arena, cnx_tensor *, graph->value_count);
    s.constant_axes = CNX_NEW_ARRAY(a->arena, uint64_t, graph->value_count);
    s.used = CNX_NEW_ARRAY(a->arena, bool, graph->value_count);
    s.examined = CNX_NEW_ARRAY(a->arena, bool, graph->value_count);
    cnx_walk walk = {.graph = graph,
                     .facts = s.facts,
                     .outer = outer != NULL ? outer->walk : CNX_NONE,
                     .caller = a->points->speaker,
                     .first_node = a->node_numbers,
                     .first_value = a->value_numbers};
    s.walk = (uint32_t)a->walk_count;
    CNX_PUSH(a->arena, a->walks, a->walk_count, a->walk_capacity, walk);
    a->node_numbers += graph->node_count;
    a->value_numbers += graph->value_count;
    return s;
}

static void visit_nodes(cnx_sweep *s)
{
    cnx_analysis *a = s->analysis;
    for (uint32_t i = 0; i < s->graph->order_count; i++) {
        a->points->speaker = a->walks[s->walk].first_node + s->graph->order[i];
        visit_node(s, &s->graph->nodes[s->graph->order[i]]);
    }
    a->points->speaker = a->walks[s->walk].caller;
}

const cnx_fact *cnx_sweep_fact(const cnx_rule *rule, uint32_t value)
{
    return &rule->sweep->facts[value];
}

void cnx_sweep_set_aside(cnx_rule *rule, cnx_fact whole, uint32_t axis)
{
    cnx_sweep *s = rule->sweep;
    cnx_aside kept = {.node = rule->node, .whole = whole, .axis = axis};
    CNX_PUSH(rule->arena, s->asides, s->aside_count, s->aside_capacity, kept);
}

const cnx_fact *cnx_sweep_take_aside(const cnx_rule *rule, const cnx_node *node, uint32_t *axis)
{
    const cnx_sweep *s = rule->sweep;
    for (size_t i = 0; i < s->aside_count; i++)
        if (s->asides[i].node == node) {
            *axis = s->asides[i].axis;
            return &s->asides[i].whole;
        }
    return NULL;
}

cnx_fact *cnx_sweep_body(cnx_rule *rule, const cnx_graph *body, const cnx_fact *inputs, uint32_t count)
{
    cnx_sweep s = new_sweep(rule->analysis, body, body->parent != NULL ? rule->sweep : NULL);
    for (uint32_t i = 0; i < body->input_count; i++) {
        cnx_fact *fact = &s.facts[body->inputs[i]];
        *fact = i < count ? inputs[i] : (cnx_fact){.known = false};
        if (body->parent != NULL && !rule->iterates) /* another value in every iteration */
            fact->scaling = 0;
        if (!fact->known && fact->type == 0)
            fact->type =
                CNX_TYPE_UNDEFINED - 1; /* bound to something unknown: not to be taken from the file */
    }
    visit_nodes(&s);
    cnx_fact *outputs = CNX_NEW_ARRAY(rule->arena, cnx_fact, body->output_count);
    for (uint32_t i = 0; i < body->output_count; i++) {
        outputs[i] = known_or_initializer(&s, body->outputs[i]);
        bool once = rule->op != NULL && rule->op->scaling == cnx_scale_branch;
        if (body->parent == NULL || once || rule->iterates)
            continue; /* a function's outputs are the call's, a branch's the If's, or a loop's */
        cnx_scaling_fix(rule->analysis->scaling, CNX_SIGN_AND_SCALE, outputs[i].scaling);
        outputs[i].scaling = 0;
    }
    return outputs;
}

static cnx_analysis *analyze(cnx_arena *arena, cnx_model *model, bool only_shapes)
{
    const cnx_graph *graph = model->graph;
    cnx_analysis *a = CNX_NEW(arena, cnx_analysis);
    *a = (cnx_analysis){
        .arena = arena, .model = model, .only_shapes = only_shapes, .dims = cnx_dims_create(arena)};
    a->points = cnx_points_create(arena, a->dims);
    a->scaling = cnx_scaling_log_create(arena);
    cnx_intern_init(&a->swept_tensors, arena);
    cnx_sweep s = new_sweep(a, graph, NULL);
    a->facts = s.facts;
    for (uint32_t i = 0; i < graph->input_count; i++)
        s.facts[graph->inputs[i]] = cnx_given_fact(&s, graph->inputs[i]);
    visit_nodes(&s);
    pin_outputs(&s);
    return a;
}

cnx_analysis *cnx_analyze(cnx_arena *arena, cnx_model *model)
{
    return analyze(arena, model, false);
}

cnx_analysis *cnx_infer_shapes(cnx_arena *arena, cnx_model *model)
{
    return analyze(arena, model, true);
}
