/* From messages to graphs: names become value ids.
 *
 * A name is looked up in its own graph first and then in the graphs around it. All names that a graph
 * defines (inputs, initializers, node outputs) are entered before any node reads one, since the order of
 * nodes in the file is not relied on. A name found further out becomes a captured value of every graph in
 * between, so each graph only refers to values of its own.
 */
#include "onnx/load.h"

/* A graph under construction. A value's id is its name's number in `names`. */
typedef struct builder {
    cnx_model *model;
    cnx_arena *scratch;
    cnx_graph *graph;
    cnx_intern names;
    cnx_intern *operators; /* of all graphs */
    struct builder *outer;
    const cnx_place *place; /* of the graph; NULL for the main graph */
    Onnx__OperatorSetIdProto *const *opsets;
    size_t opset_count;
} builder;

static void build(builder *work);

static const char *place_text(const builder *work, cnx_place place)
{
    place.outer = work->place;
    return cnx_place_text(work->model->arena, &place);
}

#define fail_at(work, place, ...)                                                                            \
    cnx_fail((work)->model->arena, CNX_ERROR_GRAPH, place_text((work), (place)), __VA_ARGS__)

uint32_t cnx_graph_add_value(cnx_graph *graph, const char *name)
{
    size_t count = graph->value_count;
    cnx_value value = {.name = name, .producer = CNX_NONE, .captured_from = CNX_NONE};
    CNX_PUSH(graph->model->arena, graph->values, count, graph->value_capacity, value);
    graph->value_count = (uint32_t)count;
    return graph->value_count - 1;
}

static bool is_omitted(const char *name)
{
    return name == NULL || name[0] == '\0';
}

static uint32_t value_of(builder *work, const char *name)
{
    uint32_t number = cnx_intern_add(&work->names, name, strlen(name));
    if (number == work->graph->value_count)
        cnx_graph_add_value(work->graph, name);
    return number;
}

static bool is_defined(const cnx_value *value)
{
    return value->producer != CNX_NONE || value->captured_from != CNX_NONE || value->is_input ||
           value->initializer != NULL || value->sparse_initializer != NULL;
}

/* ---- definitions ---- */

static void define_input(builder *work, size_t index, const char *name, Onnx__ValueInfoProto *info)
{
    cnx_place place = {.kind = "input", .name = name, .index = index};
    if (is_omitted(name))
        fail_at(work, place, "the input has no name");
    uint32_t id = value_of(work, name);
    cnx_value *value = &work->graph->values[id];
    if (value->is_input)
        fail_at(work, place, "\"%s\" is defined twice", name);
    value->is_input = true;
    value->info = info;
    work->graph->inputs[index] = id;
}

static void define_initializer(builder *work, uint32_t index, const char *name, cnx_tensor *tensor,
                               Onnx__SparseTensorProto *sparse)
{
    cnx_place place = {.kind = "initializer", .name = name, .index = index};
    if (is_omitted(name))
        fail_at(work, place, "the initializer has no name");
    uint32_t id = value_of(work, name);
    cnx_value *value = &work->graph->values[id];
    if (value->initializer != NULL || value->sparse_initializer != NULL)
        fail_at(work, place, "\"%s\" is defined twice", name);
    value->initializer = tensor;
    value->sparse_initializer = sparse;
    work->graph->initializers[index] = id;
}

static cnx_place place_of(const Onnx__NodeProto *proto, uint32_t index)
{
    return (cnx_place){.kind = "node", .name = proto->name, .index = index, .detail = proto->op_type};
}

static void define_outputs(builder *work, uint32_t index)
{
    cnx_node *node = &work->graph->nodes[index];
    const Onnx__NodeProto *proto = node->proto;
    node->output_count = (uint32_t)proto->n_output;
    node->outputs = CNX_NEW_ARRAY(work->model->arena, uint32_t, node->output_count);
    for (uint32_t i = 0; i < node->output_count; i++) {
        node->outputs[i] = CNX_NONE;
        if (is_omitted(proto->output[i]))
            continue;
        node->outputs[i] = value_of(work, proto->output[i]);
        cnx_value *value = &work->graph->values[node->outputs[i]];
        if (is_defined(value))
            fail_at(work, place_of(proto, index), "its output \"%s\" is defined twice", proto->output[i]);
        value->producer = index;
        value->producer_slot = i;
    }
}

/* ---- references ---- */

/* The id of a value that a graph can see, or CNX_NONE. */
static uint32_t resolve(builder *work, const char *name)
{
    size_t size = strlen(name);
    uint32_t id = cnx_intern_find(&work->names, name, size);
    if (id != CNX_NONE && is_defined(&work->graph->values[id]))
        return id;
    uint32_t outside = work->outer == NULL ? CNX_NONE : resolve(work->outer, name);
    if (outside == CNX_NONE)
        return CNX_NONE;
    id = value_of(work, name);
    work->graph->values[id].captured_from = outside;
    return id;
}

static void read_inputs(builder *work, uint32_t index)
{
    cnx_node *node = &work->graph->nodes[index];
    const Onnx__NodeProto *proto = node->proto;
    node->input_count = (uint32_t)proto->n_input;
    node->inputs = CNX_NEW_ARRAY(work->model->arena, uint32_t, node->input_count);
    for (uint32_t i = 0; i < node->input_count; i++) {
        node->inputs[i] = CNX_NONE;
        if (is_omitted(proto->input[i]))
            continue;
        node->inputs[i] = resolve(work, proto->input[i]);
        if (node->inputs[i] == CNX_NONE)
            fail_at(work, place_of(proto, index), "its input \"%s\" is defined nowhere", proto->input[i]);
    }
}

static void define_output(builder *work, size_t index, const char *name, Onnx__ValueInfoProto *info)
{
    cnx_place place = {.kind = "output", .name = name, .index = index};
    if (is_omitted(name))
        fail_at(work, place, "the output has no name");
    uint32_t id = resolve(work, name);
    if (id == CNX_NONE)
        fail_at(work, place, "nothing makes this output (expected a node with the output \"%s\")", name);
    cnx_value *value = &work->graph->values[id];
    value->is_output = true;
    if (value->info == NULL)
        value->info = info;
    work->graph->outputs[index] = id;
}

static void read_infos(builder *work, Onnx__ValueInfoProto *const *infos, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (is_omitted(infos[i]->name))
            continue;
        uint32_t id = cnx_intern_find(&work->names, infos[i]->name, strlen(infos[i]->name));
        if (id != CNX_NONE && work->graph->values[id].info == NULL)
            work->graph->values[id].info = infos[i];
    }
}

/* ---- nodes ---- */

static int64_t find_opset(const builder *work, const char *domain)
{
    for (size_t i = 0; i < work->opset_count; i++)
        if (strcmp(cnx_domain_name(work->opsets[i]->domain), domain) == 0)
            return work->opsets[i]->version;
    return work->outer == NULL ? 0 : find_opset(work->outer, domain);
}

static void check_attributes(builder *work, uint32_t index)
{
    const Onnx__NodeProto *proto = work->graph->nodes[index].proto;
    enum { FEW = 16 };
    cnx_intern names;
    cnx_intern_init(&names, work->scratch);
    for (size_t i = 0; i < proto->n_attribute; i++) {
        const char *name = proto->attribute[i]->name;
        if (is_omitted(name))
            fail_at(work, place_of(proto, index), "an attribute has no name");
        bool twice = false;
        if (proto->n_attribute > FEW)
            twice = cnx_intern_add(&names, name, strlen(name)) != i;
        for (size_t k = 0; proto->n_attribute <= FEW && k < i; k++)
            twice = twice || strcmp(proto->attribute[k]->name, name) == 0;
        if (twice)
            fail_at(work, place_of(proto, index), "attribute \"%s\" is given twice", name);
    }
}

static void read_node(builder *work, uint32_t index, Onnx__NodeProto *proto)
{
    cnx_node *node = &work->graph->nodes[index];
    node->proto = proto;
    if (is_omitted(proto->op_type))
        fail_at(work, place_of(proto, index), "the node has no op_type");
    /* One text for all nodes of an operator: they are compared often, and texts of their own are far apart.
     */
    uint32_t number = cnx_intern_add(work->operators, proto->op_type, strlen(proto->op_type));
    node->op_type = cnx_intern_bytes(work->operators, number, NULL);
    node->domain = cnx_domain_name(proto->domain);
    node->overload = proto->overload != NULL ? proto->overload : "";
    node->opset = find_opset(work, node->domain);
    check_attributes(work, index);
    define_outputs(work, index);
}

static void build_subgraph(builder *work, uint32_t node, Onnx__AttributeProto *attribute, uint32_t position,
                           cnx_subgraph *out)
{
    cnx_place node_place = place_of(work->graph->nodes[node].proto, node);
    node_place.outer = work->place;
    cnx_place place = {.outer = &node_place, .kind = "attribute", .name = attribute->name};
    cnx_graph *graph = CNX_NEW(work->model->arena, cnx_graph);
    graph->model = work->model;
    graph->parent = work->graph;
    graph->parent_node = node;
    graph->proto = attribute->g != NULL ? attribute->g : attribute->graphs[position];
    builder inner = {.model = work->model,
                     .scratch = work->scratch,
                     .graph = graph,
                     .operators = work->operators,
                     .outer = work,
                     .place = &place};
    build(&inner);
    *out = (cnx_subgraph){.attribute = attribute, .position = position, .graph = graph};
}

static void build_subgraphs(builder *work, uint32_t index)
{
    cnx_node *node = &work->graph->nodes[index];
    const Onnx__NodeProto *proto = node->proto;
    size_t count = 0;
    for (size_t i = 0; i < proto->n_attribute; i++) {
        const Onnx__AttributeProto *attribute = proto->attribute[i];
        if (attribute->g != NULL && attribute->n_graphs != 0)
            fail_at(work, place_of(proto, index), "attribute \"%s\" is both a graph and a list of graphs",
                    attribute->name);
        count += attribute->n_graphs + (attribute->g != NULL);
    }
    node->subgraph_count = (uint32_t)count;
    if (count == 0)
        return;
    node->subgraphs = CNX_NEW_ARRAY(work->model->arena, cnx_subgraph, count);
    cnx_subgraph *next = node->subgraphs;
    for (size_t i = 0; i < proto->n_attribute; i++) {
        Onnx__AttributeProto *attribute = proto->attribute[i];
        size_t graphs = attribute->n_graphs + (attribute->g != NULL);
        for (size_t k = 0; k < graphs; k++)
            build_subgraph(work, index, attribute, (uint32_t)k, next++);
    }
}

/* ---- graphs ---- */

static void read_nodes(builder *work, Onnx__NodeProto *const *nodes, size_t count)
{
    cnx_graph *graph = work->graph;
    graph->node_count = (uint32_t)count;
    graph->nodes = CNX_NEW_ARRAY(work->model->arena, cnx_node, count);
    for (uint32_t i = 0; i < graph->node_count; i++)
        read_node(work, i, nodes[i]);
    for (uint32_t i = 0; i < graph->node_count; i++) {
        read_inputs(work, i);
        build_subgraphs(work, i);
    }
}

static void allocate_ports(builder *work, size_t inputs, size_t outputs, size_t initializers)
{
    cnx_graph *graph = work->graph;
    graph->input_count = (uint32_t)inputs;
    graph->inputs = CNX_NEW_ARRAY(work->model->arena, uint32_t, inputs);
    graph->output_count = (uint32_t)outputs;
    graph->outputs = CNX_NEW_ARRAY(work->model->arena, uint32_t, outputs);
    graph->initializer_count = (uint32_t)initializers;
    graph->initializers = CNX_NEW_ARRAY(work->model->arena, uint32_t, initializers);
}

static void read_graph(builder *work, const Onnx__GraphProto *proto)
{
    allocate_ports(work, proto->n_input, proto->n_output, proto->n_initializer + proto->n_sparse_initializer);
    for (size_t i = 0; i < proto->n_input; i++)
        define_input(work, i, proto->input[i]->name, proto->input[i]);
    uint32_t next = 0;
    for (size_t i = 0; i < proto->n_initializer; i++)
        define_initializer(work, next++, proto->initializer[i]->name,
                           cnx_tensor_of(work->model, proto->initializer[i]), NULL);
    for (size_t i = 0; i < proto->n_sparse_initializer; i++)
        define_initializer(work, next++, proto->sparse_initializer[i]->values->name, NULL,
                           proto->sparse_initializer[i]);
    read_nodes(work, proto->node, proto->n_node);
    for (size_t i = 0; i < proto->n_output; i++)
        define_output(work, i, proto->output[i]->name, proto->output[i]);
    read_infos(work, proto->value_info, proto->n_value_info);
}

static void read_function(builder *work, const Onnx__FunctionProto *proto)
{
    allocate_ports(work, proto->n_input, proto->n_output, 0);
    for (size_t i = 0; i < proto->n_input; i++)
        define_input(work, i, proto->input[i], NULL);
    read_nodes(work, proto->node, proto->n_node);
    for (size_t i = 0; i < proto->n_output; i++)
        define_output(work, i, proto->output[i], NULL);
    read_infos(work, proto->value_info, proto->n_value_info);
}

static void build(builder *work)
{
    cnx_graph *graph = work->graph;
    cnx_intern_init(&work->names, work->scratch);
    if (graph->function != NULL)
        read_function(work, graph->function);
    else
        read_graph(work, graph->proto);
    graph->named_count = graph->value_count;
    graph->named = CNX_NEW_ARRAY(work->model->arena, const char *, graph->value_count);
    for (uint32_t i = 0; i < graph->value_count; i++)
        graph->named[i] = graph->values[i].name;
}

static cnx_graph *new_graph(cnx_model *model)
{
    cnx_graph *graph = CNX_NEW(model->arena, cnx_graph);
    graph->model = model;
    graph->parent_node = CNX_NONE;
    return graph;
}

/* A function may rely on the model's operator sets for domains that it does not import itself. */
static cnx_graph *build_function(builder *model_scope, Onnx__FunctionProto *proto, size_t index)
{
    cnx_model *model = model_scope->model;
    cnx_place place = {.kind = "function", .name = proto->name, .index = index};
    builder work = *model_scope;
    work.graph = new_graph(model);
    work.graph->function = proto;
    work.outer = NULL;
    work.place = &place;
    work.opsets = proto->opset_import;
    work.opset_count = proto->n_opset_import;
    build(&work);
    cnx_graph_index(work.graph);
    return work.graph;
}

void cnx_graphs_build(cnx_model *model)
{
    const Onnx__ModelProto *proto = model->proto;
    cnx_arena *scratch = cnx_arena_create(model->arena);
    model->graph = new_graph(model);
    model->graph->proto = proto->graph;
    cnx_intern operators;
    cnx_intern_init(&operators, model->arena);
    builder work = {
        .model = model,
        .scratch = scratch,
        .graph = model->graph,
        .operators = &operators,
        .opsets = proto->opset_import,
        .opset_count = proto->n_opset_import,
    };
    build(&work);
    cnx_graph_index(model->graph);
    model->function_count = (uint32_t)proto->n_functions;
    model->functions = CNX_NEW_ARRAY(model->arena, cnx_graph *, proto->n_functions);
    for (uint32_t i = 0; i < model->function_count; i++)
        model->functions[i] = build_function(&work, proto->functions[i], i);
    cnx_arena_destroy(scratch);
}
