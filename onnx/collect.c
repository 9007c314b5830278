/* Every tensor of a model, wherever the format allows one: initializers, attributes, the parts of sparse
 * tensors, nested graphs, functions, training graphs. The depth is bounded by the wire scan. */
#include "onnx/load.h"

static void collect_graph(cnx_model *model, const Onnx__GraphProto *graph, const cnx_place *outer);

static void collect_sparse(cnx_model *model, const Onnx__SparseTensorProto *sparse, const cnx_place *place)
{
    if (sparse->values == NULL || sparse->indices == NULL)
        cnx_fail(model->arena, CNX_ERROR_FORMAT, cnx_place_text(model->arena, place),
                 "the sparse tensor lacks its values or its indices");
    cnx_tensor_bind(model, sparse->values, place);
    cnx_tensor_bind(model, sparse->indices, place);
}

static void collect_attribute(cnx_model *model, const Onnx__AttributeProto *attribute, const cnx_place *place)
{
    if (attribute->t != NULL)
        cnx_tensor_bind(model, attribute->t, place);
    for (size_t i = 0; i < attribute->n_tensors; i++)
        cnx_tensor_bind(model, attribute->tensors[i], place);
    if (attribute->sparse_tensor != NULL)
        collect_sparse(model, attribute->sparse_tensor, place);
    for (size_t i = 0; i < attribute->n_sparse_tensors; i++)
        collect_sparse(model, attribute->sparse_tensors[i], place);
    if (attribute->g != NULL)
        collect_graph(model, attribute->g, place);
    for (size_t i = 0; i < attribute->n_graphs; i++)
        collect_graph(model, attribute->graphs[i], place);
}

static void collect_attributes(cnx_model *model, Onnx__AttributeProto *const *attributes, size_t count,
                               const cnx_place *outer)
{
    for (size_t i = 0; i < count; i++) {
        cnx_place place = {.outer = outer, .kind = "attribute", .name = attributes[i]->name, .index = i};
        collect_attribute(model, attributes[i], &place);
    }
}

static void collect_nodes(cnx_model *model, Onnx__NodeProto *const *nodes, size_t count,
                          const cnx_place *outer)
{
    for (size_t i = 0; i < count; i++) {
        cnx_place place = {outer, "node", nodes[i]->name, i, nodes[i]->op_type};
        collect_attributes(model, nodes[i]->attribute, nodes[i]->n_attribute, &place);
    }
}

static void collect_graph(cnx_model *model, const Onnx__GraphProto *graph, const cnx_place *outer)
{
    collect_nodes(model, graph->node, graph->n_node, outer);
    for (size_t i = 0; i < graph->n_initializer; i++) {
        cnx_place place = {
            .outer = outer, .kind = "initializer", .name = graph->initializer[i]->name, .index = i};
        cnx_tensor_bind(model, graph->initializer[i], &place);
    }
    for (size_t i = 0; i < graph->n_sparse_initializer; i++) {
        const Onnx__TensorProto *values = graph->sparse_initializer[i]->values;
        cnx_place place = {outer, "sparse initializer", values != NULL ? values->name : NULL, i, NULL};
        collect_sparse(model, graph->sparse_initializer[i], &place);
    }
}

void cnx_tensors_collect(cnx_model *model)
{
    const Onnx__ModelProto *proto = model->proto;
    collect_graph(model, proto->graph, NULL);
    for (size_t i = 0; i < proto->n_functions; i++) {
        const Onnx__FunctionProto *function = proto->functions[i];
        cnx_place place = {.kind = "function", .name = function->name, .index = i};
        collect_attributes(model, function->attribute_proto, function->n_attribute_proto, &place);
        collect_nodes(model, function->node, function->n_node, &place);
    }
    for (size_t i = 0; i < proto->n_training_info; i++) {
        cnx_place place = {.kind = "training information", .index = i};
        if (proto->training_info[i]->initialization != NULL)
            collect_graph(model, proto->training_info[i]->initialization, &place);
        if (proto->training_info[i]->algorithm != NULL)
            collect_graph(model, proto->training_info[i]->algorithm, &place);
    }
}
