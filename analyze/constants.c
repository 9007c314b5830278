#include "analyze/constants.h"

/* The Constant node that makes a value, or NULL. */
static const cnx_node *constant_node(const cnx_graph *graph, const cnx_value *value)
{
    if (value->producer == CNX_NONE)
        return NULL;
    const cnx_node *node = &graph->nodes[value->producer];
    return strcmp(node->op_type, "Constant") == 0 && node->domain[0] == '\0' ? node : NULL;
}

/* Follows a captured value to the graph that defines it. */
static const cnx_value *definition(const cnx_graph **graph, uint32_t id)
{
    if (id == CNX_NONE)
        return NULL;
    const cnx_value *value = &(*graph)->values[id];
    while (value->captured_from != CNX_NONE && (*graph)->parent != NULL) {
        *graph = (*graph)->parent;
        value = &(*graph)->values[value->captured_from];
    }
    return value;
}

cnx_tensor *cnx_constant_tensor(const cnx_graph *graph, uint32_t id)
{
    const cnx_value *value = definition(&graph, id);
    if (value == NULL)
        return NULL;
    if (value->initializer != NULL)
        return value->initializer;
    const cnx_node *node = constant_node(graph, value);
    const Onnx__AttributeProto *attribute = node == NULL ? NULL : cnx_attribute(node, "value");
    if (attribute == NULL || attribute->t == NULL)
        return NULL;
    return cnx_tensor_of(graph->model, attribute->t);
}

bool cnx_is_replaceable(const cnx_graph *graph, const cnx_value *value)
{
    return value->is_input && graph->model->proto->ir_version >= 4;
}

cnx_tensor *cnx_fixed_tensor(const cnx_graph *graph, uint32_t id)
{
    const cnx_graph *home = graph;
    const cnx_value *value = definition(&home, id);
    return value == NULL || cnx_is_replaceable(home, value) ? NULL : cnx_constant_tensor(graph, id);
}

bool cnx_constant_number(const cnx_graph *graph, uint32_t id, double *number)
{
    cnx_tensor *tensor = cnx_fixed_tensor(graph, id);
    if (tensor != NULL) {
        cnx_type_kind kind = cnx_type_kind_of(tensor->type);
        if (tensor->count != 1 ||
            (kind != CNX_KIND_FLOAT && kind != CNX_KIND_INTEGER && kind != CNX_KIND_BOOL))
            return false;
        *number = kind == CNX_KIND_FLOAT ? cnx_tensor_float(graph->model, tensor, 0)
                                         : (double)cnx_tensor_integer(graph->model, tensor, 0);
        return true;
    }
    const cnx_value *value = definition(&graph, id);
    const cnx_node *node = value == NULL ? NULL : constant_node(graph, value);
    if (node != NULL && cnx_attribute(node, "value_float") != NULL) {
        *number = cnx_attribute_float(graph, node, "value_float", 0);
        return true;
    }
    if (node != NULL && cnx_attribute(node, "value_int") != NULL) {
        *number = (double)cnx_attribute_int(graph, node, "value_int", 0);
        return true;
    }
    return false;
}
