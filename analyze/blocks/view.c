/* One graph as the matchers see it: operators by number, what values are computed from, facts. */
#include "analyze/blocks/matcher.h"
#include "analyze/constants.h"
#include "analyze/macs.h"
#include "analyze/parameters.h"

#define MAX_CONTENT 64u

static const struct op_name {
    const char *name;
    cnx_block_op op;
} OP_NAMES[] = {
#define NAME(op) {#op, OP_##op},
#include "analyze/blocks/names.def"
#undef NAME
};

/* The table is sorted; a test checks it. */
static cnx_block_op op_named(const char *name)
{
    size_t low = 0, high = sizeof OP_NAMES / sizeof OP_NAMES[0];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(OP_NAMES[middle].name, name);
        if (order == 0)
            return OP_NAMES[middle].op;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return OP_NONE;
}

static void name_nodes(cnx_view *view)
{
    for (uint32_t i = 0; i < view->graph->order_count; i++) {
        uint32_t id = view->graph->order[i];
        const cnx_node *node = &view->graph->nodes[id];
        bool known_domain = node->domain[0] == '\0' || strcmp(node->domain, "com.microsoft") == 0;
        const cnx_operator *row = cnx_operator_find(node->domain, node->op_type, node->opset);
        bool standard = known_domain && node->function == NULL;
        view->positions[id] = i;
        view->owners[id] = CNX_NONE;
        view->ops[id] = standard ? op_named(node->op_type) : OP_NONE;
        view->classes[id] = standard && row != NULL ? row->class : CNX_OP_OTHER;
    }
}

/* ---- what values are computed from ---- */

/* A value that no node of the graph makes. */
static uint8_t origin_of_given(const cnx_view *view, const cnx_value *value)
{
    if (value->captured_from != CNX_NONE && view->parent != NULL)
        return view->parent->origins[value->captured_from];
    bool fixed = value->initializer != NULL || value->sparse_initializer != NULL;
    return fixed ? 0 : CNX_FROM_DATA;
}

static void find_parameter(cnx_view *view, uint32_t id)
{
    const cnx_value *value = &view->graph->values[id];
    if (value->captured_from != CNX_NONE && view->parent != NULL) {
        view->parameters[id] = view->parent->parameters[value->captured_from];
        return;
    }
    if (!cnx_is_parameter(view->graph, id))
        return;
    view->origins[id] |= CNX_FROM_PARAMETER;
    view->parameters[id] = value->sparse_initializer != NULL
                               ? cnx_tensor_of(view->graph->model, value->sparse_initializer->values)
                               : cnx_constant_tensor(view->graph, id);
}

static uint8_t origin_of_node(const cnx_view *view, uint32_t id)
{
    const cnx_node *node = &view->graph->nodes[id];
    if (view->ops[id] == OP_Shape || view->ops[id] == OP_Size)
        return CNX_FROM_SHAPE;
    uint8_t origin = node->subgraph_count != 0 ? CNX_FROM_DATA : 0;
    for (uint32_t i = 0; i < node->input_count; i++)
        if (node->inputs[i] != CNX_NONE)
            origin |= view->origins[node->inputs[i]];
    return origin;
}

static void find_origins(cnx_view *view)
{
    const cnx_graph *graph = view->graph;
    for (uint32_t i = 0; i < graph->value_count; i++)
        if (graph->values[i].producer == CNX_NONE) {
            view->origins[i] = origin_of_given(view, &graph->values[i]);
            find_parameter(view, i);
        }
    for (uint32_t i = 0; i < graph->order_count; i++) {
        const cnx_node *node = &graph->nodes[graph->order[i]];
        for (uint32_t j = 0; j < node->output_count; j++) {
            if (node->outputs[j] == CNX_NONE)
                continue;
            view->origins[node->outputs[j]] = origin_of_node(view, graph->order[i]);
            if (view->ops[graph->order[i]] == OP_Constant)
                find_parameter(view, node->outputs[j]);
        }
    }
}

/* ---- who reads what ---- */

/* Shape and Size look at a value without reading it. Counted once here, because matchers ask often and some
 * values have very many readers. */
static void find_readers(cnx_view *view)
{
    for (uint32_t id = 0; id < view->graph->value_count; id++) {
        const cnx_value *value = &view->graph->values[id];
        uint32_t count = 0, reader = CNX_NONE;
        bool alone = !value->is_output;
        for (uint32_t i = 0; i < value->use_count; i++) {
            uint32_t node = value->uses[i].node;
            if (view->ops[node] == OP_Shape || view->ops[node] == OP_Size)
                continue;
            alone &= count == 0 || node == reader;
            reader = node;
            count++;
        }
        view->read_counts[id] = count + value->is_output;
        view->only_readers[id] = alone ? reader : CNX_NONE;
    }
}

/* ---- facts of graphs that were not analysed ---- */

static void declare_tensor(cnx_arena *arena, cnx_dims *dims, cnx_fact *fact, const cnx_graph *graph,
                           cnx_tensor *tensor)
{
    fact->known = true;
    fact->type = tensor->type;
    fact->rank = tensor->rank;
    fact->axes = CNX_NEW_ARRAY(arena, cnx_axis, tensor->rank);
    for (uint32_t i = 0; i < tensor->rank; i++)
        fact->axes[i].extent = cnx_dim_number(dims, tensor->dims[i]);
    if (cnx_type_kind_of(tensor->type) != CNX_KIND_INTEGER || tensor->rank > 1 || tensor->count > MAX_CONTENT)
        return;
    cnx_dim *content = CNX_NEW_ARRAY(arena, cnx_dim, tensor->count);
    for (uint64_t i = 0; i < tensor->count; i++)
        content[i] = cnx_dim_number(dims, cnx_tensor_integer(graph->model, tensor, i));
    fact->has_content = true;
    fact->content = content;
    fact->content_count = tensor->count;
}

static void declare_info(cnx_arena *arena, cnx_dims *dims, cnx_fact *fact, const Onnx__ValueInfoProto *info)
{
    if (info == NULL || info->type == NULL || info->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
        return;
    const Onnx__TypeProto__Tensor *type = info->type->tensor_type;
    fact->type = type->elem_type;
    if (type->shape == NULL)
        return;
    fact->known = true;
    fact->rank = (uint32_t)type->shape->n_dim;
    fact->axes = CNX_NEW_ARRAY(arena, cnx_axis, fact->rank);
    for (uint32_t i = 0; i < fact->rank; i++) {
        const Onnx__TensorShapeProto__Dimension *dim = type->shape->dim[i];
        bool number = dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        bool symbol = dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM &&
                      dim->dim_param != NULL && dim->dim_param[0] != '\0';
        fact->axes[i].extent = number   ? cnx_dim_number(dims, dim->dim_value)
                               : symbol ? cnx_dim_symbol(dims, dim->dim_param)
                                        : cnx_dim_fresh(dims);
    }
}

static const cnx_fact *declared_facts(cnx_arena *arena, cnx_dims *dims, const cnx_view *view)
{
    const cnx_graph *graph = view->graph;
    cnx_fact *facts = CNX_NEW_ARRAY(arena, cnx_fact, graph->value_count);
    for (uint32_t i = 0; i < graph->value_count; i++) {
        const cnx_value *value = &graph->values[i];
        cnx_tensor *tensor = cnx_constant_tensor(graph, i);
        if (tensor != NULL)
            declare_tensor(arena, dims, &facts[i], graph, tensor);
        else if (value->captured_from != CNX_NONE && view->parent != NULL)
            facts[i] = view->parent->facts[value->captured_from];
        else
            declare_info(arena, dims, &facts[i], value->info);
    }
    return facts;
}

/* The facts of a nested graph as it was walked through last, or NULL: it was not, or for several callers (a
 * function's), whose shapes need not be the same. */
static const cnx_fact *walked_facts(const cnx_analysis *analysis, const cnx_graph *graph)
{
    const cnx_walk *last = NULL;
    for (size_t i = 0; i < analysis->walk_count; i++) {
        const cnx_walk *walk = &analysis->walks[i];
        if (walk->graph != graph)
            continue;
        if (last != NULL && last->caller != walk->caller)
            return NULL;
        last = walk;
    }
    return last != NULL ? last->facts : NULL;
}

/* What the analysis found out in a nested graph, and what is declared where it did not. */
static const cnx_fact *nested_facts(cnx_arena *arena, const cnx_analysis *analysis, const cnx_view *view)
{
    const cnx_fact *declared = declared_facts(arena, analysis->dims, view);
    const cnx_fact *walked = walked_facts(analysis, view->graph);
    if (walked == NULL)
        return declared;
    cnx_fact *facts = CNX_NEW_ARRAY(arena, cnx_fact, view->graph->value_count);
    for (uint32_t i = 0; i < view->graph->value_count; i++)
        facts[i] = walked[i].known ? walked[i] : declared[i];
    return facts;
}

/* ---- the view ---- */

static void count_macs(cnx_view *view, cnx_analysis *analysis)
{
    for (uint32_t i = 0; i < view->graph->order_count; i++) {
        uint32_t id = view->graph->order[i];
        view->macs[id] = cnx_node_macs(analysis, view->graph, &view->graph->nodes[id], view->facts);
    }
}

static void create_children(cnx_arena *arena, cnx_analysis *analysis, cnx_view *view)
{
    const cnx_graph *graph = view->graph;
    for (uint32_t i = 0; i < graph->order_count; i++)
        view->child_count += graph->nodes[graph->order[i]].subgraph_count;
    view->children = CNX_NEW_ARRAY(arena, cnx_view *, view->child_count);
    uint32_t next = 0;
    for (uint32_t i = 0; i < graph->order_count; i++) {
        const cnx_node *node = &graph->nodes[graph->order[i]];
        view->first_child[graph->order[i]] = next;
        for (uint32_t j = 0; j < node->subgraph_count; j++) {
            const char *where =
                cnx_print(arena, "%s of %s", node->subgraphs[j].attribute->name, cnx_node_label(graph, node));
            view->children[next++] = cnx_view_create(arena, analysis, node->subgraphs[j].graph, view, where);
        }
    }
}

cnx_view *cnx_view_create(cnx_arena *arena, cnx_analysis *analysis, const cnx_graph *graph,
                          const cnx_view *parent, const char *where)
{
    cnx_view *view = CNX_NEW(arena, cnx_view);
    *view = (cnx_view){
        .graph = graph,
        .parent = parent,
        .where = where,
        .ops = CNX_NEW_ARRAY(arena, cnx_block_op, graph->node_count),
        .classes = CNX_NEW_ARRAY(arena, cnx_op_class, graph->node_count),
        .positions = CNX_NEW_ARRAY(arena, uint32_t, graph->node_count),
        .owners = CNX_NEW_ARRAY(arena, uint32_t, graph->node_count),
        .macs = CNX_NEW_ARRAY(arena, cnx_dim, graph->node_count),
        .origins = CNX_NEW_ARRAY(arena, uint8_t, graph->value_count),
        .marks = CNX_NEW_ARRAY(arena, uint32_t, graph->value_count),
        .parameters = CNX_NEW_ARRAY(arena, const cnx_tensor *, graph->value_count),
        .read_counts = CNX_NEW_ARRAY(arena, uint32_t, graph->value_count),
        .only_readers = CNX_NEW_ARRAY(arena, uint32_t, graph->value_count),
        .first_child = CNX_NEW_ARRAY(arena, uint32_t, graph->node_count),
    };
    bool analysed = graph == analysis->model->graph;
    view->facts = analysed ? analysis->facts : nested_facts(arena, analysis, view);
    name_nodes(view);
    find_readers(view);
    find_origins(view);
    count_macs(view, analysis);
    create_children(arena, analysis, view);
    return view;
}
