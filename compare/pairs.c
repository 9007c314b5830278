/* Constants that correspond: what partners read at the same slot. */
#include "compare/comparison.h"

static const char *value_name(const cnx_side *side, const cnx_origin *origin)
{
    (void)side;
    return origin->graph->values[origin->value].name;
}

static void add_pair(cnx_comparison *c, const cnx_origin *a, const cnx_origin *b, uint32_t step)
{
    cnx_pair pair = {.a = a->graph->values[a->value].initializer,
                     .b = b->graph->values[b->value].initializer,
                     .a_name = value_name(c->a, a),
                     .b_name = value_name(c->b, b),
                     .a_step = step,
                     .a_value = a->value,
                     .a_graph = a->graph,
                     .parameter = CNX_NONE};
    if (pair.a == NULL || pair.b == NULL || !cnx_same_shape(pair.a, pair.b) ||
        (step != CNX_NONE && cnx_is_setting(a->graph, a->value, pair.a)))
        return;
    CNX_PUSH(c->arena, c->pairs, c->pair_count, c->pair_capacity, pair);
}

/* What partners read. A default of an input is an input, and comes with the interface. */
static void pair_inputs(cnx_comparison *c, uint32_t step, uint32_t partner)
{
    const cnx_node *node = cnx_side_node(c->a, step);
    for (uint32_t slot = 0; slot < node->input_count; slot++) {
        cnx_origin a = cnx_side_input(c->a, step, slot);
        uint32_t other =
            a.kind == CNX_FROM_TENSOR ? cnx_partner_slot(c->alignment, step, partner, slot) : CNX_NONE;
        if (other == CNX_NONE)
            continue;
        cnx_origin b = cnx_side_input(c->b, partner, other);
        if (b.kind == CNX_FROM_TENSOR)
            add_pair(c, &a, &b, step);
    }
}

static uint32_t find_input(const cnx_graph *graph, const char *name)
{
    for (uint32_t i = 0; i < graph->input_count; i++)
        if (strcmp(graph->values[graph->inputs[i]].name, name) == 0)
            return graph->inputs[i];
    return CNX_NONE;
}

static void pair_defaults(cnx_comparison *c)
{
    const cnx_graph *a = c->a->model->graph, *b = c->b->model->graph;
    for (uint32_t i = 0; i < a->input_count; i++) {
        if (a->values[a->inputs[i]].initializer == NULL)
            continue;
        cnx_origin x = {.kind = CNX_FROM_TENSOR, .graph = a, .value = a->inputs[i]}, y = x;
        y.graph = b;
        y.value = find_input(b, a->values[a->inputs[i]].name);
        if (y.value != CNX_NONE)
            add_pair(c, &x, &y, CNX_NONE);
    }
}

/* Outputs that are constants. */
static void pair_outputs(cnx_comparison *c, const cnx_graph *a, const cnx_graph *b)
{
    for (uint32_t i = 0; i < a->output_count && i < b->output_count; i++) {
        cnx_origin x = cnx_side_origin(c->a, a, a->outputs[i]), y = cnx_side_origin(c->b, b, b->outputs[i]);
        if (x.kind == CNX_FROM_TENSOR && y.kind == CNX_FROM_TENSOR)
            add_pair(c, &x, &y, CNX_NONE);
    }
}

static void pair_partners(cnx_comparison *c, uint32_t step, uint32_t partner)
{
    const cnx_node *a = cnx_side_node(c->a, step), *b = cnx_side_node(c->b, partner);
    pair_inputs(c, step, partner);
    for (uint32_t i = 0; i < a->subgraph_count; i++) {
        const cnx_graph *other = cnx_partner_body(a, i, b);
        if (other != NULL)
            pair_outputs(c, a->subgraphs[i].graph, other);
    }
}

/* Tensors that the file holds once count once, with their first reader. */
static void mark_repeated(cnx_comparison *c)
{
    cnx_intern seen;
    cnx_intern_init(&seen, cnx_arena_create(c->arena));
    for (size_t i = 0; i < c->pair_count; i++) {
        const void *address = cnx_side_given(c->a, c->pairs[i].a);
        size_t known = seen.count;
        if (address != NULL)
            c->pairs[i].again = cnx_intern_add(&seen, &address, sizeof address) < known;
    }
    cnx_arena_destroy(seen.arena);
}

void cnx_find_pairs(cnx_comparison *c)
{
    pair_defaults(c);
    for (uint32_t i = 0; i < c->a->step_count; i++)
        if (c->alignment->to_b[i] != CNX_NONE)
            pair_partners(c, i, c->alignment->to_b[i]);
    pair_outputs(c, c->a->model->graph, c->b->model->graph);
    mark_repeated(c);
    for (size_t i = 0; i < c->pair_count; i++)
        c->pairs[i].same = cnx_same_contents(c->a, c->pairs[i].a, c->b, c->pairs[i].b);
}
