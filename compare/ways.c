/* In which ways the files of equal models differ: what the structure passes removed is found by looking at
 * the messages as they were read. */
#include "compare/ways.h"

/* ---- names and order of nodes ---- */

static bool same_text(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

static bool same_value_names(const cnx_graph *a, const uint32_t *x, const cnx_graph *b, const uint32_t *y,
                             uint32_t count)
{
    bool same = true;
    for (uint32_t i = 0; i < count && same; i++)
        same = x[i] == CNX_NONE || y[i] == CNX_NONE || same_text(a->values[x[i]].name, b->values[y[i]].name);
    return same;
}

static bool same_names(const cnx_comparison *c)
{
    bool same = true;
    for (uint32_t i = 0; i < c->a->step_count && same; i++) {
        const cnx_node *a = cnx_side_node(c->a, i), *b = cnx_side_node(c->b, i);
        const cnx_graph *left = cnx_side_graph(c->a, i), *right = cnx_side_graph(c->b, i);
        same = same_text(a->proto->name, b->proto->name) &&
               same_value_names(left, a->inputs, right, b->inputs, a->input_count) &&
               same_value_names(left, a->outputs, right, b->outputs, a->output_count);
    }
    return same;
}

/* The lists of two given graphs: operators in the order of the files. */
static bool same_node_order(const cnx_comparison *c)
{
    const Onnx__GraphProto *a = c->a->given->proto->graph, *b = c->b->given->proto->graph;
    bool same = a->n_node == b->n_node;
    for (size_t i = 0; i < a->n_node && same; i++)
        same =
            same_text(a->node[i]->op_type, b->node[i]->op_type) && a->node[i]->n_input == b->node[i]->n_input;
    return same;
}

/* The given tensors of a, by their place in its file, against the places of their partners. */
static bool same_tensor_order(const cnx_comparison *c)
{
    const Onnx__GraphProto *a = c->a->given->proto->graph, *b = c->b->given->proto->graph;
    bool same = a->n_initializer == b->n_initializer;
    cnx_intern partner;
    cnx_intern_init(&partner, cnx_arena_create(c->arena));
    const void **of = CNX_NEW_ARRAY(partner.arena, const void *, c->pair_count);
    for (size_t i = 0; i < c->pair_count; i++) {
        const cnx_tensor *x = cnx_side_given(c->a, c->pairs[i].a), *y = cnx_side_given(c->b, c->pairs[i].b);
        const void *key = x != NULL ? x->proto : NULL;
        of[cnx_intern_add(&partner, &key, sizeof key)] = y != NULL ? y->proto : NULL;
    }
    for (size_t i = 0; i < a->n_initializer && same; i++) {
        const void *key = a->initializer[i];
        uint32_t number = cnx_intern_find(&partner, &key, sizeof key);
        same = number == CNX_NONE || of[number] == b->initializer[i];
    }
    cnx_arena_destroy(partner.arena);
    return same;
}

/* ---- storage ---- */

static bool stored_alike(const cnx_tensor *a, const cnx_tensor *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    const Onnx__TensorProto *x = a->proto, *y = b->proto;
    return a->external == b->external && (a->payload == CNX_NONE) == (b->payload == CNX_NONE) &&
           (x->raw_data.len != 0) == (y->raw_data.len != 0);
}

static bool same_storage(const cnx_comparison *c)
{
    bool same = c->a->given_count == c->b->given_count;
    for (size_t i = 0; i < c->pair_count && same; i++)
        same = stored_alike(cnx_side_given(c->a, c->pairs[i].a), cnx_side_given(c->b, c->pairs[i].b));
    return same;
}

/* ---- symmetry ---- */

static void add_symmetry(cnx_comparison *c, const char *what, size_t classes, size_t tensors)
{
    if (classes != 0 && tensors != 0)
        cnx_comparison_way(c, "%s of %zu %s (%zu %s)", what, classes, classes == 1 ? "class" : "classes",
                           tensors, tensors == 1 ? "tensor" : "tensors");
}

static void add_symmetries(cnx_comparison *c)
{
    size_t permuted = 0, flipped = 0, scaled = 0;
    for (size_t i = 0; i < c->report->class_count; i++) {
        permuted += c->report->classes[i].permuted != 0;
        flipped += c->report->classes[i].flipped != 0;
        scaled += c->report->classes[i].scaled != 0;
    }
    add_symmetry(c, "permutation", permuted, c->permuted_tensors);
    add_symmetry(c, "signs", flipped, c->flipped_tensors);
    add_symmetry(c, "scales", scaled, c->scaled_tensors);
}

void cnx_find_ways(cnx_comparison *c)
{
    bool more = c->a->given->proto->graph->n_node != c->b->given->proto->graph->n_node;
    if (!same_names(c))
        cnx_comparison_way(c, "names");
    if (more)
        cnx_comparison_way(c, "nodes without effect");
    else if (!same_node_order(c))
        cnx_comparison_way(c, "order of nodes");
    if (!same_tensor_order(c))
        cnx_comparison_way(c, "order of tensors");
    if (!same_storage(c))
        cnx_comparison_way(c, "storage of tensors");
    if (c->report->interface_count != 0)
        cnx_comparison_way(c, "remarks");
    add_symmetries(c);
}
