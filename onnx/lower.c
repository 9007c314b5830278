/* Lowering: an edited graph is written back into its messages.
 *
 * Messages refer to values by name, and not only where nodes and ports are: quantization annotations,
 * sharding specifications and training bindings do too. Those are followed by a table from the names that
 * the messages used until now to values; names that mean nothing are left alone. New arrays are made in the
 * model's arena; messages are reused, so unknown fields stay.
 *
 * Declared types of values that are neither inputs nor outputs (value_info) come out in the order of
 * initializers, then of node outputs, then of captured values; those of values that are gone are dropped.
 */
#include "onnx/load.h"

typedef struct lowering {
    cnx_graph *graph;
    cnx_arena *arena; /* the model's */
    cnx_arena *scratch;
    cnx_intern old_names; /* number: name in the messages; made on first need */
    bool has_old_names;
} lowering;

static char *text(const char *name)
{
    return (char *)(uintptr_t)name; /* protobuf-c knows no const; nothing writes through it */
}

static const char *name_of(const cnx_graph *graph, uint32_t id)
{
    return id == CNX_NONE ? "" : graph->values[id].name;
}

/* ---- names ---- */

/* Captured values are called as in the graph around. */
static void name_captured(cnx_graph *graph)
{
    for (uint32_t i = 0; i < graph->value_count; i++)
        if (graph->values[i].captured_from != CNX_NONE)
            graph->values[i].name = graph->parent->values[graph->values[i].captured_from].name;
}

static bool is_live(const cnx_value *value)
{
    return value->use_count != 0 || value->is_output || value->is_input || value->producer != CNX_NONE ||
           value->initializer != NULL || value->sparse_initializer != NULL;
}

/* Two values of one name would become one. */
static void check_names(const lowering *work)
{
    cnx_graph *graph = work->graph;
    cnx_intern names;
    cnx_intern_init(&names, work->scratch);
    for (uint32_t i = 0; i < graph->value_count; i++) {
        const cnx_value *value = &graph->values[i];
        if (!is_live(value))
            continue;
        size_t before = names.count;
        cnx_intern_add(&names, value->name, strlen(value->name));
        if (names.count == before || value->name[0] == '\0')
            cnx_fail(work->arena, CNX_ERROR_GRAPH, NULL, "two values have the name \"%s\"", value->name);
    }
}

/* The name now of what the messages called `name`. */
static char *renamed(lowering *work, char *name)
{
    cnx_graph *graph = work->graph;
    if (name == NULL)
        return NULL;
    if (!work->has_old_names) {
        cnx_intern_init(&work->old_names, work->scratch);
        for (uint32_t i = 0; i < graph->named_count; i++)
            cnx_intern_add(&work->old_names, graph->named[i], strlen(graph->named[i]));
        work->has_old_names = true;
    }
    uint32_t id = cnx_intern_find(&work->old_names, name, strlen(name));
    return id == CNX_NONE ? name : text(graph->values[id].name);
}

static void rename_values(lowering *work, Onnx__StringStringEntryProto *const *entries, size_t count)
{
    for (size_t i = 0; i < count; i++)
        entries[i]->value = renamed(work, entries[i]->value);
}

static void rename_references(lowering *work)
{
    cnx_graph *graph = work->graph;
    for (uint32_t i = 0; i < graph->order_count; i++) {
        const Onnx__NodeProto *node = graph->nodes[graph->order[i]].proto;
        for (size_t k = 0; k < node->n_device_configurations; k++)
            for (size_t s = 0; s < node->device_configurations[k]->n_sharding_spec; s++) {
                Onnx__ShardingSpecProto *spec = node->device_configurations[k]->sharding_spec[s];
                spec->tensor_name = renamed(work, spec->tensor_name);
            }
    }
    const Onnx__GraphProto *proto = graph->proto;
    for (size_t i = 0; proto != NULL && i < proto->n_quantization_annotation; i++) {
        Onnx__TensorAnnotation *annotation = proto->quantization_annotation[i];
        annotation->tensor_name = renamed(work, annotation->tensor_name);
        rename_values(work, annotation->quant_parameter_tensor_names,
                      annotation->n_quant_parameter_tensor_names);
    }
    const Onnx__ModelProto *model = graph->model->proto;
    for (size_t i = 0; graph == graph->model->graph && i < model->n_training_info; i++) {
        const Onnx__TrainingInfoProto *training = model->training_info[i];
        for (size_t k = 0; k < training->n_initialization_binding; k++)
            training->initialization_binding[k]->key =
                renamed(work, training->initialization_binding[k]->key);
        for (size_t k = 0; k < training->n_update_binding; k++)
            training->update_binding[k]->key = renamed(work, training->update_binding[k]->key);
    }
}

static void remember_names(const lowering *work)
{
    cnx_graph *graph = work->graph;
    if (graph->value_count > graph->named_count)
        graph->named = CNX_NEW_ARRAY(work->arena, const char *, graph->value_count);
    graph->named_count = graph->value_count;
    for (uint32_t i = 0; i < graph->value_count; i++)
        graph->named[i] = graph->values[i].name;
}

/* ---- nodes ---- */

static char **lower_names(const lowering *work, char **old, size_t old_count, const uint32_t *ids,
                          uint32_t count)
{
    char **names = count <= old_count ? old : CNX_NEW_ARRAY(work->arena, char *, count);
    for (uint32_t i = 0; i < count; i++)
        names[i] = text(name_of(work->graph, ids[i]));
    return names;
}

static void lower_node(const lowering *work, const cnx_node *node)
{
    Onnx__NodeProto *proto = node->proto;
    proto->input = lower_names(work, proto->input, proto->n_input, node->inputs, node->input_count);
    proto->n_input = node->input_count;
    proto->output = lower_names(work, proto->output, proto->n_output, node->outputs, node->output_count);
    proto->n_output = node->output_count;
}

static Onnx__NodeProto **lower_nodes(const lowering *work)
{
    const cnx_graph *graph = work->graph;
    Onnx__NodeProto **list = CNX_NEW_ARRAY(work->arena, Onnx__NodeProto *, graph->order_count);
    for (uint32_t i = 0; i < graph->order_count; i++) {
        const cnx_node *node = &graph->nodes[graph->order[i]];
        lower_node(work, node);
        list[i] = node->proto;
    }
    return list;
}

/* ---- ports and declared types ---- */

static Onnx__ValueInfoProto *new_info(cnx_arena *arena)
{
    Onnx__ValueInfoProto *info = CNX_NEW(arena, Onnx__ValueInfoProto);
    onnx__value_info_proto__init(info);
    return info;
}

/* A value that is an input and an output has two messages; `old` is the one in the list until now. */
static Onnx__ValueInfoProto **lower_ports(const lowering *work, Onnx__ValueInfoProto *const *old,
                                          size_t old_count, const uint32_t *ids, uint32_t count)
{
    Onnx__ValueInfoProto **list = CNX_NEW_ARRAY(work->arena, Onnx__ValueInfoProto *, count);
    for (uint32_t i = 0; i < count; i++) {
        cnx_value *value = &work->graph->values[ids[i]];
        bool same = i < old_count && ids[i] < work->graph->named_count && old[i]->name != NULL &&
                    strcmp(old[i]->name, work->graph->named[ids[i]]) == 0;
        if (same && value->is_input && value->is_output)
            list[i] = old[i];
        else
            list[i] = value->info != NULL ? value->info : (value->info = new_info(work->arena));
    }
    return list;
}

static void name_infos(const lowering *work, Onnx__ValueInfoProto *const *list, const uint32_t *ids,
                       uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        list[i]->name = text(work->graph->values[ids[i]].name);
}

typedef struct info_list {
    Onnx__ValueInfoProto **items;
    size_t count;
    size_t capacity;
} info_list;

static void add_info(const lowering *work, info_list *list, const cnx_value *value)
{
    if (value->info == NULL || value->is_input || value->is_output)
        return;
    value->info->name = text(value->name);
    CNX_PUSH(work->arena, list->items, list->count, list->capacity, value->info);
}

static info_list lower_infos(const lowering *work)
{
    const cnx_graph *graph = work->graph;
    info_list list = {0};
    for (uint32_t i = 0; i < graph->initializer_count; i++)
        add_info(work, &list, &graph->values[graph->initializers[i]]);
    for (uint32_t i = 0; i < graph->order_count; i++) {
        const cnx_node *node = &graph->nodes[graph->order[i]];
        for (uint32_t k = 0; k < node->output_count; k++)
            if (node->outputs[k] != CNX_NONE)
                add_info(work, &list, &graph->values[node->outputs[k]]);
    }
    for (uint32_t i = 0; i < graph->value_count; i++)
        if (graph->values[i].captured_from != CNX_NONE && graph->values[i].use_count != 0)
            add_info(work, &list, &graph->values[i]);
    return list;
}

/* ---- graphs ---- */

static void lower_initializers(const lowering *work)
{
    const cnx_graph *graph = work->graph;
    Onnx__GraphProto *proto = graph->proto;
    proto->initializer = CNX_NEW_ARRAY(work->arena, Onnx__TensorProto *, graph->initializer_count);
    proto->sparse_initializer =
        CNX_NEW_ARRAY(work->arena, Onnx__SparseTensorProto *, graph->initializer_count);
    proto->n_initializer = proto->n_sparse_initializer = 0;
    for (uint32_t i = 0; i < graph->initializer_count; i++) {
        const cnx_value *value = &graph->values[graph->initializers[i]];
        if (value->initializer != NULL) {
            value->initializer->proto->name = text(value->name);
            proto->initializer[proto->n_initializer++] = value->initializer->proto;
        } else {
            value->sparse_initializer->values->name = text(value->name);
            proto->sparse_initializer[proto->n_sparse_initializer++] = value->sparse_initializer;
        }
    }
}

static void lower_graph_proto(const lowering *work)
{
    const cnx_graph *graph = work->graph;
    Onnx__GraphProto *proto = graph->proto;
    proto->node = lower_nodes(work);
    proto->n_node = graph->order_count;
    lower_initializers(work);
    Onnx__ValueInfoProto **inputs =
        lower_ports(work, proto->input, proto->n_input, graph->inputs, graph->input_count);
    Onnx__ValueInfoProto **outputs =
        lower_ports(work, proto->output, proto->n_output, graph->outputs, graph->output_count);
    name_infos(work, inputs, graph->inputs, graph->input_count);
    name_infos(work, outputs, graph->outputs, graph->output_count);
    proto->input = inputs;
    proto->n_input = graph->input_count;
    proto->output = outputs;
    proto->n_output = graph->output_count;
    info_list infos = lower_infos(work);
    proto->value_info = infos.items;
    proto->n_value_info = infos.count;
}

static void lower_function_proto(const lowering *work)
{
    const cnx_graph *graph = work->graph;
    Onnx__FunctionProto *proto = graph->function;
    proto->node = lower_nodes(work);
    proto->n_node = graph->order_count;
    proto->input = lower_names(work, proto->input, proto->n_input, graph->inputs, graph->input_count);
    proto->n_input = graph->input_count;
    proto->output = lower_names(work, proto->output, proto->n_output, graph->outputs, graph->output_count);
    proto->n_output = graph->output_count;
    info_list infos = lower_infos(work);
    proto->value_info = infos.items;
    proto->n_value_info = infos.count;
}

static void lower_graph(cnx_graph *graph)
{
    cnx_arena *arena = graph->model->arena;
    lowering work = {.graph = graph, .arena = arena, .scratch = cnx_arena_create(arena)};
    if (graph->parent != NULL)
        name_captured(graph);
    check_names(&work);
    rename_references(&work);
    if (graph->function != NULL)
        lower_function_proto(&work);
    else
        lower_graph_proto(&work);
    remember_names(&work);
    cnx_arena_destroy(work.scratch);
    for (uint32_t i = 0; i < graph->order_count; i++) {
        const cnx_node *node = &graph->nodes[graph->order[i]];
        for (uint32_t k = 0; k < node->subgraph_count; k++)
            lower_graph(node->subgraphs[k].graph);
    }
}

static void lower_functions(cnx_model *model)
{
    Onnx__ModelProto *proto = model->proto;
    if (model->function_count > proto->n_functions)
        proto->functions = CNX_NEW_ARRAY(model->arena, Onnx__FunctionProto *, model->function_count);
    proto->n_functions = model->function_count;
    for (uint32_t i = 0; i < model->function_count; i++) {
        lower_graph(model->functions[i]);
        proto->functions[i] = model->functions[i]->function;
    }
}

void cnx_model_lower(cnx_model *model)
{
    lower_graph(model->graph);
    lower_functions(model);
}
