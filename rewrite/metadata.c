#include "rewrite/metadata.h"

static void visit_graph(cnx_graph *graph, void (*visit)(void *state, size_t *entries), void *state)
{
    for (uint32_t i = 0; i < graph->order_count; i++) {
        cnx_node *node = &graph->nodes[graph->order[i]];
        visit(state, &node->proto->n_metadata_props);
        for (uint32_t k = 0; k < node->subgraph_count; k++)
            visit_graph(node->subgraphs[k].graph, visit, state);
    }
    if (graph->function != NULL) {
        visit(state, &graph->function->n_metadata_props);
        return;
    }
    Onnx__GraphProto *proto = graph->proto;
    visit(state, &proto->n_metadata_props);
    for (size_t i = 0; i < proto->n_input; i++)
        visit(state, &proto->input[i]->n_metadata_props);
    for (size_t i = 0; i < proto->n_output; i++)
        visit(state, &proto->output[i]->n_metadata_props);
}

void cnx_metadata_visit(cnx_model *model, void (*visit)(void *state, size_t *entries), void *state)
{
    visit(state, &model->proto->n_metadata_props);
    visit_graph(model->graph, visit, state);
    for (uint32_t i = 0; i < model->function_count; i++)
        visit_graph(model->functions[i], visit, state);
    for (size_t i = 0; i < model->tensor_count; i++)
        visit(state, &model->tensors[i]->proto->n_metadata_props);
}

Onnx__StringStringEntryProto *cnx_metadata_find(const cnx_model *model, const char *key)
{
    const Onnx__ModelProto *proto = model->proto;
    for (size_t i = 0; i < proto->n_metadata_props; i++)
        if (proto->metadata_props[i]->key != NULL && strcmp(proto->metadata_props[i]->key, key) == 0)
            return proto->metadata_props[i];
    return NULL;
}

void cnx_metadata_set(cnx_model *model, const char *key, const char *value)
{
    Onnx__ModelProto *proto = model->proto;
    Onnx__StringStringEntryProto *entry = cnx_metadata_find(model, key);
    if (entry == NULL) {
        entry = CNX_NEW(model->arena, Onnx__StringStringEntryProto);
        onnx__string_string_entry_proto__init(entry);
        entry->key = (char *)(uintptr_t)cnx_copy_text(model->arena, key);
        Onnx__StringStringEntryProto **entries =
            CNX_NEW_ARRAY(model->arena, Onnx__StringStringEntryProto *, proto->n_metadata_props + 1);
        for (size_t i = 0; i < proto->n_metadata_props; i++)
            entries[i] = proto->metadata_props[i];
        entries[proto->n_metadata_props++] = entry;
        proto->metadata_props = entries;
    }
    entry->value = (char *)(uintptr_t)cnx_copy_text(model->arena, value);
}
