/* Nested graphs come before the node that holds them: what they capture is the outer value itself, their
 * inputs know the label of that node, and it reads their outputs behind its own inputs. Every use of a
 * constant is a leaf of its own, so sharing does not show. */
#include "rewrite/digest/flat.h"

#include "analyze/parameters.h"
#include "rewrite/digest/hashes.h"
#include "rewrite/pass.h"

/* ---- labels ---- */

static void feed_tensor(cnx_digest *digest, cnx_model *model, const Onnx__TensorProto *proto)
{
    cnx_tensor *tensor = cnx_tensor_of(model, proto);
    cnx_digest_shape(digest, tensor);
    cnx_digest_elements(digest, model, tensor);
}

static void feed_sparse(cnx_digest *digest, cnx_model *model, const Onnx__SparseTensorProto *sparse)
{
    for (size_t i = 0; i < sparse->n_dims; i++)
        cnx_digest_number(digest, (uint64_t)sparse->dims[i]);
    if (sparse->values != NULL)
        feed_tensor(digest, model, sparse->values);
    if (sparse->indices != NULL)
        feed_tensor(digest, model, sparse->indices);
}

void cnx_flat_attribute(cnx_digest *digest, cnx_model *model, const Onnx__AttributeProto *attribute)
{
    Onnx__AttributeProto rest = cnx_attribute_without_tensors(attribute);
    cnx_digest_message(digest, &rest.base);
    cnx_digest_number(digest, attribute->n_graphs);
    if (attribute->t != NULL)
        feed_tensor(digest, model, attribute->t);
    for (size_t i = 0; i < attribute->n_tensors; i++)
        feed_tensor(digest, model, attribute->tensors[i]);
    if (attribute->sparse_tensor != NULL)
        feed_sparse(digest, model, attribute->sparse_tensor);
    for (size_t i = 0; i < attribute->n_sparse_tensors; i++)
        feed_sparse(digest, model, attribute->sparse_tensors[i]);
}

cnx_digest_value cnx_flat_constant(cnx_digest *digest, const cnx_graph *graph, uint32_t id)
{
    const cnx_value *value = &graph->values[id];
    bool weight = cnx_is_parameter(graph, id);
    if (value->sparse_initializer != NULL && weight) {
        cnx_digest_begin(digest, CNX_ABOUT_SPARSE);
        for (size_t i = 0; i < value->sparse_initializer->n_dims; i++)
            cnx_digest_number(digest, (uint64_t)value->sparse_initializer->dims[i]);
    } else if (value->sparse_initializer != NULL) {
        cnx_digest_begin(digest, CNX_ABOUT_SETTING);
        feed_sparse(digest, graph->model, value->sparse_initializer);
    } else {
        cnx_digest_begin(digest, weight ? CNX_ABOUT_WEIGHT : CNX_ABOUT_SETTING);
        cnx_digest_shape(digest, value->initializer);
        if (!weight)
            cnx_digest_elements(digest, graph->model, value->initializer);
    }
    return cnx_digest_get(digest);
}

/* A Constant node that holds a parameter (functions have no initializers) counts without its elements. */
static bool holds_parameter(const cnx_graph *graph, const cnx_node *node)
{
    return cnx_node_is(node, "Constant") && node->output_count == 1 && node->proto->n_attribute == 1 &&
           node->proto->attribute[0]->t != NULL && cnx_is_parameter(graph, node->outputs[0]);
}

/* Declared types in a nested graph: runtimes take from there what they cannot infer. */
static void feed_port_types(cnx_digest *digest, const cnx_graph *nested, const uint32_t *ids, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const Onnx__ValueInfoProto *info = nested->values[ids[i]].info;
        cnx_digest_number(digest, info != NULL && info->type != NULL);
        if (info != NULL && info->type != NULL)
            cnx_digest_message(digest, &info->type->base);
    }
}

static cnx_digest_value node_label(cnx_flat *flat, const cnx_graph *graph, const cnx_node *node)
{
    cnx_digest_begin(flat->digest, CNX_ABOUT_NODE);
    cnx_digest_text(flat->digest, node->domain);
    cnx_digest_text(flat->digest, node->op_type);
    cnx_digest_text(flat->digest, node->overload);
    cnx_digest_number(flat->digest, node->input_count);
    cnx_digest_number(flat->digest, node->output_count);
    cnx_digest_number(flat->digest, node->proto->n_attribute);
    if (holds_parameter(graph, node))
        cnx_digest_shape(flat->digest, cnx_tensor_of(flat->model, node->proto->attribute[0]->t));
    else
        for (size_t i = 0; i < node->proto->n_attribute; i++)
            cnx_flat_attribute(flat->digest, flat->model, node->proto->attribute[i]);
    for (uint32_t i = 0; i < node->subgraph_count; i++) {
        const cnx_graph *nested = node->subgraphs[i].graph;
        feed_port_types(flat->digest, nested, nested->inputs, nested->input_count);
        feed_port_types(flat->digest, nested, nested->outputs, nested->output_count);
    }
    return cnx_digest_get(flat->digest);
}

/* ---- laying out flat ---- */

static uint32_t add_value(cnx_flat *flat, uint32_t node, uint32_t slot, cnx_digest_value leaf)
{
    cnx_flat_value value = {node, slot, leaf};
    CNX_PUSH(flat->arena, flat->values, flat->value_count, flat->value_capacity, value);
    return (uint32_t)(flat->value_count - 1);
}

static void add_input(cnx_flat *flat, uint32_t value)
{
    CNX_PUSH(flat->arena, flat->inputs, flat->input_count, flat->input_capacity, value);
}

/* Numbers of the values that no node of the graph makes. `holder` is the label of the node around a nested
 * graph, `place` tells the graphs of that node apart. */
static uint32_t *number_leaves(cnx_flat *flat, const cnx_graph *graph, const uint32_t *outer,
                               const cnx_digest_value *holder, uint32_t place)
{
    uint32_t *number = CNX_NEW_ARRAY(flat->arena, uint32_t, graph->value_count);
    for (uint32_t i = 0; i < graph->value_count; i++) {
        const cnx_value *value = &graph->values[i];
        number[i] = CNX_NONE;
        if (value->captured_from != CNX_NONE && outer != NULL)
            number[i] = outer[value->captured_from];
        else if (!value->is_input && (value->initializer != NULL || value->sparse_initializer != NULL))
            number[i] = add_value(flat, CNX_NONE, 0, cnx_flat_constant(flat->digest, graph, i));
    }
    for (uint32_t i = 0; i < graph->input_count; i++) {
        cnx_digest_begin(flat->digest, holder != NULL ? CNX_ABOUT_INNER_INPUT : CNX_ABOUT_INPUT);
        if (holder != NULL)
            cnx_digest_add(flat->digest, holder);
        cnx_digest_number(flat->digest, place);
        cnx_digest_number(flat->digest, i);
        number[graph->inputs[i]] = add_value(flat, CNX_NONE, 0, cnx_digest_get(flat->digest));
    }
    return number;
}

static uint32_t *lay_out(cnx_flat *flat, const cnx_graph *graph, const uint32_t *outer,
                         const cnx_digest_value *holder, uint32_t place);

static void lay_out_node(cnx_flat *flat, const cnx_graph *graph, const cnx_node *node, uint32_t *number)
{
    cnx_flat_node laid = {.label = node_label(flat, graph, node), .commutes = cnx_node_commutes(node)};
    cnx_arena *scratch = cnx_arena_create(flat->arena);
    uint32_t **inside = CNX_NEW_ARRAY(scratch, uint32_t *, node->subgraph_count);
    for (uint32_t i = 0; i < node->subgraph_count; i++)
        inside[i] = lay_out(flat, node->subgraphs[i].graph, number, &laid.label, i);
    laid.first_input = flat->input_count;
    for (uint32_t slot = 0; slot < node->input_count; slot++)
        add_input(flat, node->inputs[slot] == CNX_NONE ? CNX_NONE : number[node->inputs[slot]]);
    for (uint32_t i = 0; i < node->subgraph_count; i++) {
        const cnx_graph *nested = node->subgraphs[i].graph;
        for (uint32_t k = 0; k < nested->output_count; k++)
            add_input(flat, inside[i][nested->outputs[k]]);
    }
    laid.input_count = (uint32_t)(flat->input_count - laid.first_input);
    uint32_t id = (uint32_t)flat->node_count;
    CNX_PUSH(flat->arena, flat->nodes, flat->node_count, flat->node_capacity, laid);
    for (uint32_t slot = 0; slot < node->output_count; slot++)
        if (node->outputs[slot] != CNX_NONE)
            number[node->outputs[slot]] = add_value(flat, id, slot, (cnx_digest_value){{0}});
    cnx_arena_destroy(scratch);
}

/* Appends the graph's nodes, in topological order, each behind what is nested in it. Returns the numbers of
 * its values. */
static uint32_t *lay_out(cnx_flat *flat, const cnx_graph *graph, const uint32_t *outer,
                         const cnx_digest_value *holder, uint32_t place)
{
    uint32_t *number = number_leaves(flat, graph, outer, holder, place);
    for (uint32_t i = 0; i < graph->order_count; i++)
        lay_out_node(flat, graph, &graph->nodes[graph->order[i]], number);
    return number;
}

/* Calls `see` for every use of a node's output. */
static void each_use(cnx_flat *flat,
                     void (*see)(cnx_flat *flat, size_t *next, uint32_t value, cnx_flat_use use),
                     size_t *next)
{
    for (uint32_t id = 0; id < flat->node_count; id++) {
        const cnx_flat_node *node = &flat->nodes[id];
        for (uint32_t i = 0; i < node->input_count; i++)
            see(flat, next, flat->inputs[node->first_input + i],
                (cnx_flat_use){.node = id, .slot = node->commutes ? CNX_ANY_SLOT : i});
    }
    for (uint32_t i = 0; i < flat->output_count; i++)
        see(flat, next, flat->outputs[i], (cnx_flat_use){.node = CNX_NONE, .slot = i});
}

static void count_use(cnx_flat *flat, size_t *next, uint32_t value, cnx_flat_use use)
{
    (void)use;
    if (value != CNX_NONE && flat->values[value].node != CNX_NONE)
        next[flat->values[value].node + 1]++;
}

static void list_use(cnx_flat *flat, size_t *next, uint32_t value, cnx_flat_use use)
{
    if (value == CNX_NONE || flat->values[value].node == CNX_NONE)
        return;
    use.output = flat->values[value].slot;
    flat->uses[next[flat->values[value].node]++] = use;
}

static void list_uses(cnx_flat *flat)
{
    flat->first_use = CNX_NEW_ARRAY(flat->arena, size_t, flat->node_count + 1);
    each_use(flat, count_use, flat->first_use);
    for (size_t id = 0; id < flat->node_count; id++)
        flat->first_use[id + 1] += flat->first_use[id];
    flat->uses = CNX_NEW_ARRAY(flat->arena, cnx_flat_use, flat->first_use[flat->node_count]);
    size_t *next = CNX_NEW_ARRAY(flat->arena, size_t, flat->node_count + 1);
    memcpy(next, flat->first_use, flat->node_count * sizeof *next);
    each_use(flat, list_use, next);
}

cnx_flat *cnx_flat_create(cnx_arena *arena, const cnx_graph *graph)
{
    cnx_flat *flat = CNX_NEW(arena, cnx_flat);
    *flat = (cnx_flat){.model = graph->model, .arena = arena, .digest = cnx_digest_create(arena)};
    const uint32_t *number = lay_out(flat, graph, NULL, NULL, 0);
    flat->output_count = graph->output_count;
    flat->outputs = CNX_NEW_ARRAY(arena, uint32_t, graph->output_count);
    for (uint32_t i = 0; i < graph->output_count; i++)
        flat->outputs[i] = number[graph->outputs[i]];
    list_uses(flat);
    return flat;
}
