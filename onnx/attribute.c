#include "onnx/model.h"

const Onnx__AttributeProto *cnx_attribute(const cnx_node *node, const char *name)
{
    for (size_t i = 0; i < node->proto->n_attribute; i++) {
        const char *candidate = node->proto->attribute[i]->name;
        if (candidate != NULL && strcmp(candidate, name) == 0)
            return node->proto->attribute[i];
    }
    return NULL;
}

/* The attribute when it is there and of the right type, NULL when it is absent. Very
 * old files do not write types. */
static const Onnx__AttributeProto *typed(const cnx_graph *graph, const cnx_node *node, const char *name,
                                         Onnx__AttributeProto__AttributeType type, const char *expected)
{
    const Onnx__AttributeProto *attribute = cnx_attribute(node, name);
    if (attribute == NULL)
        return NULL;
    cnx_arena *arena = graph->model->arena;
    if (attribute->ref_attr_name != NULL && attribute->ref_attr_name[0] != '\0')
        cnx_fail(arena, CNX_ERROR_GRAPH, cnx_node_place(graph, node),
                 "attribute \"%s\" takes its value from a call of the function and has none here", name);
    if (attribute->has_type && attribute->type != type)
        cnx_fail(arena, CNX_ERROR_GRAPH, cnx_node_place(graph, node),
                 "attribute \"%s\" has the wrong type (expected %s)", name, expected);
    return attribute;
}

int64_t cnx_attribute_int(const cnx_graph *graph, const cnx_node *node, const char *name, int64_t otherwise)
{
    const Onnx__AttributeProto *found =
        typed(graph, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT, "an integer");
    return found == NULL ? otherwise : found->i;
}

double cnx_attribute_float(const cnx_graph *graph, const cnx_node *node, const char *name, double otherwise)
{
    const Onnx__AttributeProto *found =
        typed(graph, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT, "a float");
    return found == NULL ? otherwise : (double)found->f;
}

const char *cnx_attribute_text(const cnx_graph *graph, const cnx_node *node, const char *name,
                               const char *otherwise)
{
    const Onnx__AttributeProto *found =
        typed(graph, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING, "a string");
    if (found == NULL)
        return otherwise;
    char *text = cnx_alloc(graph->model->arena, found->s.len + 1);
    if (found->s.len != 0)
        memcpy(text, found->s.data, found->s.len);
    return text;
}

const int64_t *cnx_attribute_ints(const cnx_graph *graph, const cnx_node *node, const char *name,
                                  size_t *count)
{
    const Onnx__AttributeProto *found =
        typed(graph, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS, "a list of integers");
    *count = found == NULL ? 0 : found->n_ints;
    return *count == 0 ? NULL : found->ints;
}

Onnx__AttributeProto cnx_attribute_without_tensors(const Onnx__AttributeProto *attribute)
{
    Onnx__AttributeProto rest = *attribute;
    rest.t = NULL;
    rest.g = NULL;
    rest.sparse_tensor = NULL;
    rest.n_tensors = rest.n_graphs = rest.n_sparse_tensors = 0;
    rest.doc_string = NULL;
    return rest;
}
