#include "compare/side.h"

#include "analyze/parameters.h"
#include "base/mix.h"
#include "rewrite/digest/hashes.h"
#include "rewrite/report.h"

#define XXH_INLINE_ALL
#include <stdlib.h>
#include <xxhash.h>

/* What a hash speaks about. */
enum { ABSENT = 1, INPUT, TENSOR, SPARSE, OUTPUT, USE, INSIDE };

/* ---- the list ---- */

static uint32_t add_scope(cnx_side *side, cnx_graph *graph, uint32_t holder, const char *role,
                          size_t *capacity)
{
    size_t count = side->scope_count;
    cnx_scope scope = {.graph = graph, .holder = holder, .role = role};
    scope.step_of_node = CNX_NEW_ARRAY(side->arena, uint32_t, graph->node_count);
    for (uint32_t i = 0; i < graph->node_count; i++)
        scope.step_of_node[i] = CNX_NONE;
    scope.input_of_value = CNX_NEW_ARRAY(side->arena, uint32_t, graph->value_count);
    for (uint32_t i = 0; i < graph->input_count; i++)
        scope.input_of_value[graph->inputs[i]] = i;
    CNX_PUSH(side->arena, side->scopes, count, *capacity, scope);
    side->scope_count = (uint32_t)count;
    cnx_intern_add(&side->numbers, &graph, sizeof graph);
    return side->scope_count - 1;
}

typedef struct lister {
    cnx_side *side;
    size_t scope_capacity;
    size_t step_capacity;
} lister;

static void list_graph(lister *work, cnx_graph *graph, uint32_t holder, const char *role)
{
    cnx_side *side = work->side;
    uint32_t scope = add_scope(side, graph, holder, role, &work->scope_capacity);
    for (uint32_t i = 0; i < graph->order_count; i++) {
        const cnx_node *node = &graph->nodes[graph->order[i]];
        size_t count = side->step_count;
        cnx_step step = {.scope = scope, .node = graph->order[i]};
        side->scopes[scope].step_of_node[graph->order[i]] = side->step_count;
        CNX_PUSH(side->arena, side->steps, count, work->step_capacity, step);
        side->step_count = (uint32_t)count;
        for (uint32_t k = 0; k < node->subgraph_count; k++)
            list_graph(work, node->subgraphs[k].graph, (uint32_t)count - 1,
                       node->subgraphs[k].attribute->name);
    }
}

const cnx_graph *cnx_side_graph(const cnx_side *side, uint32_t step)
{
    return side->scopes[side->steps[step].scope].graph;
}

const cnx_node *cnx_side_node(const cnx_side *side, uint32_t step)
{
    return &cnx_side_graph(side, step)->nodes[side->steps[step].node];
}

/* ---- origins ---- */

cnx_origin cnx_side_origin(const cnx_side *side, const cnx_graph *graph, uint32_t id)
{
    if (id == CNX_NONE)
        return (cnx_origin){.kind = CNX_FROM_NOTHING, .at = CNX_NONE, .value = CNX_NONE};
    while (graph->values[id].captured_from != CNX_NONE) {
        id = graph->values[id].captured_from;
        graph = graph->parent;
    }
    const cnx_value *value = &graph->values[id];
    cnx_origin origin = {.graph = graph, .value = id, .at = CNX_NONE};
    uint32_t scope = cnx_intern_find(&side->numbers, &graph, sizeof graph);
    if (value->producer != CNX_NONE) {
        origin.kind = CNX_FROM_STEP;
        origin.at = side->scopes[scope].step_of_node[value->producer];
        origin.slot = value->producer_slot;
    } else if (value->is_input) {
        origin.kind = CNX_FROM_INPUT;
        origin.at = scope;
        origin.slot = side->scopes[scope].input_of_value[id];
    } else {
        origin.kind = value->initializer != NULL ? CNX_FROM_TENSOR : CNX_FROM_SPARSE;
    }
    return origin;
}

cnx_origin cnx_side_input(const cnx_side *side, uint32_t step, uint32_t slot)
{
    return cnx_side_origin(side, cnx_side_graph(side, step), cnx_side_node(side, step)->inputs[slot]);
}

/* ---- hashes ---- */

static uint64_t mix_text(uint64_t hash, const char *text)
{
    return cnx_mix_pair(hash, XXH3_64bits(text, strlen(text)));
}

static uint64_t hash_local(cnx_side *side, const cnx_node *node)
{
    uint64_t hash = mix_text(mix_text(mix_text(1, node->domain), node->op_type), node->overload);
    hash = cnx_mix_pair(cnx_hash_attributes(side->arena, side->model, node, hash), node->output_count);
    for (uint32_t i = 0; i < node->subgraph_count; i++)
        hash = mix_text(hash, node->subgraphs[i].attribute->name);
    return hash;
}

static uint64_t hash_tensor(const cnx_tensor *tensor)
{
    uint64_t hash = cnx_mix_pair(TENSOR, (uint64_t)tensor->type);
    for (uint32_t k = 0; k < tensor->rank; k++)
        hash = cnx_mix_pair(hash, (uint64_t)tensor->dims[k]);
    return hash;
}

static uint64_t hash_origin(const cnx_side *side, const cnx_origin *origin)
{
    switch (origin->kind) {
    case CNX_FROM_STEP:
        return cnx_mix_pair(side->steps[origin->at].above, origin->slot);
    case CNX_FROM_INPUT:
        return cnx_mix_pair(origin->at == 0 ? INPUT : INSIDE, origin->slot);
    case CNX_FROM_TENSOR:
        return hash_tensor(origin->graph->values[origin->value].initializer);
    case CNX_FROM_SPARSE:
        return SPARSE;
    case CNX_FROM_NOTHING:
    default:
        return ABSENT;
    }
}

/* Steps come behind what they read, except for what is inside them: so bodies count for their outputs, in a
 * second walk, only in `below`. */
static void hash_above(cnx_side *side, uint32_t number)
{
    cnx_step *step = &side->steps[number];
    const cnx_node *node = cnx_side_node(side, number);
    bool commutes = cnx_node_commutes(node);
    step->local = hash_local(side, node);
    step->sized = step->above = cnx_mix_pair(step->local, node->input_count);
    uint64_t sum = 0;
    for (uint32_t slot = 0; slot < node->input_count; slot++) {
        cnx_origin origin = cnx_side_input(side, number, slot);
        uint64_t hash = hash_origin(side, &origin);
        sum += cnx_mix_pair(hash, commutes ? 0 : slot);
        if (origin.kind == CNX_FROM_TENSOR)
            step->sized += cnx_mix_pair(hash, commutes ? 0 : slot);
    }
    step->above = cnx_mix_pair(step->above, sum);
}

/* What the values of a graph are for, added up for the nodes that make them. */
static void hash_outputs(cnx_side *side, uint32_t number, uint64_t *sums)
{
    const cnx_scope *scope = &side->scopes[number];
    uint64_t kind = scope->holder == CNX_NONE ? OUTPUT : side->steps[scope->holder].local;
    for (uint32_t i = 0; i < scope->graph->output_count; i++) {
        cnx_origin origin = cnx_side_origin(side, scope->graph, scope->graph->outputs[i]);
        if (origin.kind == CNX_FROM_STEP)
            sums[origin.at] += cnx_mix_pair(cnx_mix_pair(mix_text(kind, scope->role), i), origin.slot);
    }
}

static void hash_below(cnx_side *side)
{
    uint64_t *sums = CNX_NEW_ARRAY(side->arena, uint64_t, side->step_count);
    for (uint32_t s = 0; s < side->scope_count; s++)
        hash_outputs(side, s, sums);
    for (uint32_t i = side->step_count; i-- > 0;) {
        const cnx_node *node = cnx_side_node(side, i);
        bool commutes = cnx_node_commutes(node);
        side->steps[i].below = cnx_mix_pair(side->steps[i].local, sums[i]);
        for (uint32_t slot = 0; slot < node->input_count; slot++) {
            cnx_origin origin = cnx_side_input(side, i, slot);
            if (origin.kind == CNX_FROM_STEP)
                sums[origin.at] += cnx_mix_pair(cnx_mix_pair(side->steps[i].below, commutes ? 0 : slot),
                                                cnx_mix_pair(USE, origin.slot));
        }
    }
}

/* ---- opening ---- */

/* Views keep the address of the bytes, so that leads back to the record that the file has. */
static void note_given(cnx_side *side, size_t count)
{
    cnx_intern_init(&side->given_bytes, side->arena);
    for (size_t i = 0; i < count; i++) {
        const void *addresses[] = {side->model->tensors[i], side->model->tensors[i]->bytes};
        for (size_t k = 0; k < (side->model->tensors[i]->size != 0 ? 2 : 1); k++)
            if (cnx_intern_add(&side->given_bytes, &addresses[k], sizeof addresses[k]) == side->given_count)
                CNX_PUSH(side->arena, side->given_tensors, side->given_count, side->given_capacity,
                         side->given->tensors[i]);
    }
}

cnx_side *cnx_side_open(cnx_model *given)
{
    cnx_model *model = cnx_load_again(given);
    cnx_side *side = CNX_NEW(model->arena, cnx_side);
    *side = (cnx_side){.arena = model->arena, .given = given, .model = model};
    size_t tensors = model->tensor_count;
    cnx_rewrite rewrite = {.model = model, .arena = cnx_arena_create(model->arena), .keep_metadata = true};
    cnx_report_begin(&rewrite);
    cnx_rewrite_structure(&rewrite);
    side->ties = rewrite.tie_count != 0;
    note_given(side, tensors);
    cnx_arena_destroy(rewrite.arena);
    cnx_intern_init(&side->numbers, side->arena);
    lister work = {.side = side};
    list_graph(&work, model->graph, CNX_NONE, "");
    for (uint32_t i = 0; i < model->function_count; i++)
        list_graph(&work, model->functions[i], CNX_NONE, model->functions[i]->function->name);
    for (uint32_t i = 0; i < side->step_count; i++)
        hash_above(side, i);
    hash_below(side);
    return side;
}

/* ---- for people ---- */

cnx_tensor *cnx_side_given(const cnx_side *side, const cnx_tensor *tensor)
{
    const void *address = tensor;
    uint32_t number = cnx_intern_find(&side->given_bytes, &address, sizeof address);
    address = tensor->bytes;
    if (number == CNX_NONE && tensor->size != 0)
        number = cnx_intern_find(&side->given_bytes, &address, sizeof address);
    return number == CNX_NONE ? NULL : side->given_tensors[number];
}

const char *cnx_side_label(const cnx_side *side, uint32_t number)
{
    const cnx_scope *scope = &side->scopes[side->steps[number].scope];
    const char *label = cnx_node_label(scope->graph, cnx_side_node(side, number));
    if (scope->holder != CNX_NONE)
        return cnx_print(side->arena, "%s/%s/%s", cnx_side_label(side, scope->holder), scope->role, label);
    return scope->role[0] == '\0' ? label : cnx_print(side->arena, "%s/%s", scope->role, label);
}

bool cnx_is_setting(const cnx_graph *graph, uint32_t value, const cnx_tensor *tensor)
{
    switch (tensor->type) {
    case CNX_TYPE_BOOL:
    case CNX_TYPE_INT32:
    case CNX_TYPE_INT64:
    case CNX_TYPE_STRING:
        return !cnx_is_parameter(graph, value);
    default:
        return false;
    }
}
