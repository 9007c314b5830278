/* The names that people may ask about. */
#include "onnx/model.h"

typedef struct value_list {
    cnx_model *model;
    size_t count;
    size_t capacity;
    cnx_value_info *items;
} value_list;

static const cnx_tensor *stored_tensor(value_list *list, const cnx_graph *graph, const cnx_value *value)
{
    if (value->initializer != NULL || value->producer == CNX_NONE)
        return value->initializer;
    const cnx_node *node = &graph->nodes[value->producer];
    const Onnx__AttributeProto *attribute = cnx_attribute(node, "value");
    if (strcmp(node->op_type, "Constant") != 0 || attribute == NULL || attribute->t == NULL)
        return NULL;
    return cnx_tensor_of(list->model, attribute->t);
}

static void list_graph(value_list *list, const cnx_graph *graph)
{
    for (uint32_t v = 0; v < graph->value_count; v++) {
        const cnx_tensor *tensor = stored_tensor(list, graph, &graph->values[v]);
        cnx_value_info info = {.name = graph->values[v].name, .stored = tensor != NULL};
        if (tensor != NULL) {
            info.rank = tensor->rank;
            info.dims = tensor->dims;
        }
        if (info.name != NULL && (tensor != NULL || graph == list->model->graph))
            CNX_PUSH(list->model->arena, list->items, list->count, list->capacity, info);
    }
    for (uint32_t n = 0; n < graph->node_count; n++)
        for (uint32_t g = 0; g < graph->nodes[n].subgraph_count; g++)
            list_graph(list, graph->nodes[n].subgraphs[g].graph);
}

cnx_code cnx_list_values(cnx_model *model, const cnx_value_info **values, size_t *count, cnx_error *error)
{
    cnx_trap trap;
    *values = NULL;
    *count = 0;
    if (CNX_ENTER(model->arena, trap, error) == CNX_OK) {
        value_list list = {.model = model};
        list_graph(&list, model->graph);
        for (uint32_t f = 0; f < model->function_count; f++)
            list_graph(&list, model->functions[f]);
        *values = list.items;
        *count = list.count;
    }
    return cnx_leave(model->arena, &trap);
}
