/* What changed about the nodes: those that came and went, and what differs between partners. Weights are
 * elsewhere (weights.c); shapes, axes and flags that are constants count as part of the node that reads them.
 */
#include "compare/comparison.h"

#include "rewrite/digest/hashes.h"

typedef struct details {
    cnx_comparison *c;
    size_t count, capacity;
    const char **items;
} details;

static void add_detail(details *d, const char *text)
{
    CNX_PUSH(d->c->arena, d->items, d->count, d->capacity, text);
}

/* ---- attributes ---- */

static bool holds_graph(const Onnx__AttributeProto *attribute)
{
    return attribute->g != NULL || attribute->n_graphs != 0;
}

static void compare_attributes(details *d, const cnx_node *a, const cnx_node *b)
{
    const cnx_side *left = d->c->a, *right = d->c->b;
    cnx_arena *arena = d->c->arena;
    for (size_t i = 0; i < a->proto->n_attribute; i++) {
        const Onnx__AttributeProto *x = a->proto->attribute[i], *y = cnx_attribute(b, x->name);
        if (y != NULL && cnx_same_attribute(left, x, right, y))
            continue;
        const char *before = cnx_attribute_value_text(arena, left->model, x);
        const char *after = cnx_attribute_value_text(arena, right->model, y);
        bool seen = strcmp(before, after) != 0;
        add_detail(d,
                   cnx_print(arena, seen ? "%s %s -> %s" : "%s %s: other contents", x->name, before, after));
    }
    for (size_t i = 0; i < b->proto->n_attribute; i++) {
        const Onnx__AttributeProto *y = b->proto->attribute[i];
        if (cnx_attribute(a, y->name) == NULL && !holds_graph(y))
            add_detail(d, cnx_print(arena, "%s not given -> %s", y->name,
                                    cnx_attribute_value_text(arena, right->model, y)));
    }
}

/* ---- wiring ---- */

static const char *origin_text(const cnx_side *side, const cnx_origin *origin)
{
    if (origin->kind == CNX_FROM_NOTHING)
        return "absent";
    if (origin->kind == CNX_FROM_STEP) {
        const char *label = cnx_side_label(side, origin->at);
        return origin->slot == 0 ? label : cnx_print(side->arena, "%s, output %u", label, origin->slot);
    }
    if (origin->kind == CNX_FROM_INPUT)
        return cnx_print(side->arena, "input %s", origin->graph->values[origin->value].name);
    return cnx_print(side->arena, "constant %s", origin->graph->values[origin->value].name);
}

static void compare_constants(details *d, uint32_t slot, const cnx_origin *a, const cnx_origin *b)
{
    const cnx_comparison *c = d->c;
    cnx_tensor *x = a->graph->values[a->value].initializer, *y = b->graph->values[b->value].initializer;
    const char *name = a->graph->values[a->value].name;
    if (!cnx_same_shape(x, y)) {
        add_detail(d,
                   cnx_print(c->arena, "input %u (%s) %s %s -> %s %s", slot, name, cnx_type_name(x->type),
                             cnx_dims_text(c->arena, x), cnx_type_name(y->type), cnx_dims_text(c->arena, y)));
        return;
    }
    if (!cnx_is_setting(a->graph, a->value, x) || cnx_same_contents(c->a, x, c->b, y))
        return;
    const char *before = cnx_tensor_text(c->arena, c->a->model, x);
    const char *after = cnx_tensor_text(c->arena, c->b->model, y);
    bool seen = strcmp(before, after) != 0;
    add_detail(d, cnx_print(c->arena, seen ? "input %u (%s) %s -> %s" : "input %u (%s) %s: other contents",
                            slot, name, before, after));
}

static void compare_input(details *d, uint32_t step, uint32_t partner, uint32_t slot)
{
    const cnx_comparison *c = d->c;
    cnx_origin a = cnx_side_input(c->a, step, slot);
    uint32_t other = cnx_partner_slot(c->alignment, step, partner, slot);
    cnx_origin b = {.kind = CNX_FROM_NOTHING, .at = CNX_NONE};
    if (other != CNX_NONE)
        b = cnx_side_input(c->b, partner, other);
    if (a.kind == CNX_FROM_TENSOR && b.kind == CNX_FROM_TENSOR) {
        compare_constants(d, slot, &a, &b);
    } else if (a.kind == CNX_FROM_SPARSE && b.kind == CNX_FROM_SPARSE) {
        if (!cnx_same_sparse(c->a, a.graph->values[a.value].sparse_initializer, c->b,
                             b.graph->values[b.value].sparse_initializer))
            add_detail(d, cnx_print(c->arena, "input %u (%s): other sparse contents", slot,
                                    a.graph->values[a.value].name));
    } else if (cnx_is_rewired(c->alignment, &a, &b)) {
        add_detail(
            d, cnx_print(c->arena, "input %u: %s -> %s", slot, origin_text(c->a, &a), origin_text(c->b, &b)));
    }
}

/* ---- nested graphs ---- */

/* The declared type of the input or output that is value x of a and value y of b. */
static void compare_port(details *d, const char *port, const cnx_value *x, const cnx_value *y)
{
    cnx_arena *arena = d->c->arena;
    const Onnx__TypeProto *a = cnx_declared_type(x), *b = cnx_declared_type(y);
    if (cnx_same_type(arena, a, b))
        return;
    const char *before = cnx_declared_text(arena, a), *after = cnx_declared_text(arena, b);
    bool seen = strcmp(before, after) != 0;
    add_detail(d,
               cnx_print(arena, seen ? "%s: declared %s -> %s" : "%s: declared %s -> %s, spelled otherwise",
                         port, before, after));
}

static void compare_body_output(details *d, const char *port, const cnx_origin *x, const cnx_origin *y)
{
    const cnx_comparison *c = d->c;
    if (x->kind == CNX_FROM_SPARSE && y->kind == CNX_FROM_SPARSE) {
        if (!cnx_same_sparse(c->a, x->graph->values[x->value].sparse_initializer, c->b,
                             y->graph->values[y->value].sparse_initializer))
            add_detail(d, cnx_print(c->arena, "%s: other sparse contents", port));
    } else if (x->kind == CNX_FROM_TENSOR && y->kind == CNX_FROM_TENSOR) {
        const cnx_tensor *a = x->graph->values[x->value].initializer,
                         *b = y->graph->values[y->value].initializer;
        if (!cnx_same_shape(a, b)) /* other contents are for the table of weights */
            add_detail(d, cnx_print(c->arena, "%s: %s %s -> %s %s", port, cnx_type_name(a->type),
                                    cnx_dims_text(c->arena, a), cnx_type_name(b->type),
                                    cnx_dims_text(c->arena, b)));
    } else if (cnx_is_rewired(c->alignment, x, y)) {
        add_detail(d, cnx_print(c->arena, "%s: %s -> %s", port, origin_text(c->a, x), origin_text(c->b, y)));
    }
}

/* What the node around two graphs sees of them. */
static void compare_bodies(details *d, const char *role, const cnx_graph *a, const cnx_graph *b)
{
    const cnx_comparison *c = d->c;
    if (a->input_count != b->input_count || a->output_count != b->output_count)
        add_detail(d, cnx_print(c->arena, "%s: %u inputs and %u outputs -> %u and %u", role, a->input_count,
                                a->output_count, b->input_count, b->output_count));
    for (uint32_t i = 0; i < a->input_count && i < b->input_count; i++)
        compare_port(d, cnx_print(c->arena, "%s, input %u", role, i), &a->values[a->inputs[i]],
                     &b->values[b->inputs[i]]);
    for (uint32_t i = 0; i < a->output_count && i < b->output_count; i++) {
        const char *port = cnx_print(c->arena, "%s, output %u", role, i);
        cnx_origin x = cnx_side_origin(c->a, a, a->outputs[i]), y = cnx_side_origin(c->b, b, b->outputs[i]);
        compare_port(d, port, &a->values[a->outputs[i]], &b->values[b->outputs[i]]);
        compare_body_output(d, port, &x, &y);
    }
}

static void compare_partners(details *d, uint32_t step, uint32_t partner)
{
    const cnx_comparison *c = d->c;
    const cnx_node *a = cnx_side_node(c->a, step), *b = cnx_side_node(c->b, partner);
    if (c->a->steps[step].local != c->b->steps[partner].local)
        compare_attributes(d, a, b);
    for (uint32_t slot = 0; slot < a->input_count; slot++)
        compare_input(d, step, partner, slot);
    for (uint32_t slot = a->input_count; slot < b->input_count; slot++) {
        cnx_origin origin = cnx_side_input(c->b, partner, slot);
        if (origin.kind != CNX_FROM_NOTHING)
            add_detail(d, cnx_print(c->arena, "input %u: absent -> %s", slot, origin_text(c->b, &origin)));
    }
    if (a->output_count != b->output_count)
        add_detail(d, cnx_print(c->arena, "%u outputs -> %u", a->output_count, b->output_count));
    for (uint32_t i = 0; i < a->subgraph_count; i++) {
        const cnx_graph *other = cnx_partner_body(a, i, b);
        if (other != NULL)
            compare_bodies(d, a->subgraphs[i].attribute->name, a->subgraphs[i].graph, other);
    }
    if (a->subgraph_count != b->subgraph_count)
        add_detail(d, cnx_print(c->arena, "%u nested graphs -> %u", a->subgraph_count, b->subgraph_count));
}

/* ---- outputs of graphs ---- */

/* Outputs made by something else; those of the main graph (`of` is empty) and of functions count as wiring of
 * no node. */
static void compare_outputs(cnx_comparison *c, const char *of, const cnx_graph *a, const cnx_graph *b)
{
    for (uint32_t i = 0; i < a->output_count && i < b->output_count; i++) {
        cnx_origin x = cnx_side_origin(c->a, a, a->outputs[i]), y = cnx_side_origin(c->b, b, b->outputs[i]);
        bool constant = (x.kind == CNX_FROM_TENSOR || x.kind == CNX_FROM_SPARSE) && x.kind == y.kind;
        const char *name = a->values[a->outputs[i]].name;
        cnx_interface_change change = {.what = "output source",
                                       .name = of[0] != '\0' ? cnx_print(c->arena, "%s/%s", of, name) : name,
                                       .before = origin_text(c->a, &x),
                                       .after = origin_text(c->b, &y),
                                       .matters = true};
        if (!constant && cnx_is_rewired(c->alignment, &x, &y))
            cnx_comparison_interface(c, change);
    }
}

static void compare_all_outputs(cnx_comparison *c)
{
    compare_outputs(c, "", c->a->model->graph, c->b->model->graph);
    for (uint32_t i = 0; i < c->a->model->function_count; i++) {
        const cnx_graph *a = c->a->model->functions[i], *b = cnx_partner_function(c->b, a);
        if (b != NULL)
            compare_outputs(c, a->function->name, a, b);
    }
}

/* ---- the list ---- */

static const char *operator_text(cnx_arena *arena, const cnx_node *node)
{
    return node->domain[0] == '\0' ? node->op_type : cnx_print(arena, "%s.%s", node->domain, node->op_type);
}

/* Behind which node a node stands: the one that makes its first input. */
static const char *place_text(const cnx_side *side, uint32_t step)
{
    const cnx_node *node = cnx_side_node(side, step);
    for (uint32_t slot = 0; slot < node->input_count; slot++) {
        cnx_origin origin = cnx_side_input(side, step, slot);
        if (origin.kind == CNX_FROM_STEP || origin.kind == CNX_FROM_INPUT)
            return cnx_print(side->arena, "after %s", origin_text(side, &origin));
    }
    return "without inputs";
}

typedef struct rows {
    size_t count;
    cnx_node_change *items;
} rows;

static void add_partners(cnx_comparison *c, rows *list, uint32_t a, uint32_t b)
{
    details d = {.c = c};
    if (!c->report->unrelated)
        compare_partners(&d, a, b);
    c->report->changed += d.count != 0;
    list->items[list->count++] =
        (cnx_node_change){.a = cnx_side_label(c->a, a),
                          .b = cnx_side_label(c->b, b),
                          .operator_name = operator_text(c->arena, cnx_side_node(c->a, a)),
                          .detail_count = d.count,
                          .details = d.items};
}

static void add_single(cnx_comparison *c, rows *list, const cnx_side *side, uint32_t step)
{
    cnx_node_change row = {.operator_name = operator_text(c->arena, cnx_side_node(side, step)),
                           .place = place_text(side, step)};
    *(side == c->a ? &row.a : &row.b) = cnx_side_label(side, step);
    *(side == c->a ? &c->report->deleted : &c->report->inserted) += 1;
    list->items[list->count++] = row;
}

/* Nodes of b that have no partner stand behind the partner of what comes before them in b. */
static void add_inserted(cnx_comparison *c, rows *list, uint32_t *next)
{
    while (*next < c->b->step_count && c->alignment->to_a[*next] == CNX_NONE)
        add_single(c, list, c->b, (*next)++);
}

void cnx_describe_nodes(cnx_comparison *c)
{
    const cnx_alignment *al = c->alignment;
    rows list = {.items =
                     CNX_NEW_ARRAY(c->arena, cnx_node_change, c->a->step_count + (size_t)c->b->step_count)};
    bool *listed = CNX_NEW_ARRAY(c->arena, bool, c->b->step_count);
    uint32_t start = 0;
    add_inserted(c, &list, &start);
    for (uint32_t i = 0; i < start; i++)
        listed[i] = true;
    for (uint32_t a = 0; a < c->a->step_count; a++) {
        uint32_t b = al->to_b[a], next = b + 1;
        if (b == CNX_NONE) {
            add_single(c, &list, c->a, a);
            continue;
        }
        add_partners(c, &list, a, b);
        if (next < c->b->step_count && !listed[next])
            add_inserted(c, &list, &next);
        for (uint32_t i = b + 1; i < next; i++)
            listed[i] = true;
    }
    compare_all_outputs(c);
    c->report->nodes = list.items;
    c->report->node_count = list.count;
}
