#include "rewrite/text/text_outline.h"

#include "base/mix.h"
#include "rewrite/digest/hashes.h"

#define XXH_INLINE_ALL
#include <stdlib.h>
#include <xxhash.h>

/* How far a node looks around when two operands are equally deep. */
enum { RADIUS = 3 };

typedef struct outliner {
    cnx_arena *arena; /* of the outline */
    cnx_arena *scratch;
    cnx_graph *graph;
    cnx_outline *outline;
    uint64_t *near; /* by value: what makes it, up to RADIUS nodes away */
} outliner;

/* ---- captured values ---- */

static void list_captures(const outliner *work)
{
    const cnx_graph *graph = work->graph;
    cnx_outline *outline = work->outline;
    outline->first_capture = CNX_NEW_ARRAY(work->arena, uint32_t, (size_t)graph->node_count + 1);
    size_t count = 0;
    size_t capacity = 0;
    for (uint32_t id = 0; id < graph->node_count; id++) {
        const cnx_node *node = &graph->nodes[id];
        outline->first_capture[id] = (uint32_t)count;
        for (uint32_t i = 0; !node->dead && i < node->subgraph_count; i++) {
            const cnx_graph *nested = node->subgraphs[i].graph;
            for (uint32_t v = 0; v < nested->value_count; v++) {
                const cnx_value *value = &nested->values[v];
                if (value->captured_from != CNX_NONE && (value->use_count != 0 || value->is_output))
                    CNX_PUSH(work->arena, outline->captures, count, capacity, value->captured_from);
            }
        }
    }
    outline->first_capture[graph->node_count] = (uint32_t)count;
}

/* ---- depth, constants ---- */

static void outline_leaves(const outliner *work)
{
    const cnx_outline *outer = work->outline->outer;
    for (uint32_t i = 0; i < work->graph->value_count; i++) {
        const cnx_value *value = &work->graph->values[i];
        const cnx_tensor *tensor = value->initializer;
        if (value->captured_from != CNX_NONE && outer != NULL) {
            work->outline->constant[i] = outer->constant[value->captured_from];
            work->outline->weight[i] = outer->weight[value->captured_from];
        } else if (tensor != NULL && !value->is_input) {
            work->outline->constant[i] = true;
            work->outline->weight[i] = tensor->rank >= 2 ? tensor : NULL;
        } else if (value->sparse_initializer != NULL) {
            work->outline->constant[i] = true;
        }
    }
}

static bool is_larger(const cnx_tensor *a, const cnx_tensor *b)
{
    if (a == NULL || b == NULL)
        return a != NULL && b == NULL;
    return a->rank != b->rank ? a->rank > b->rank : a->count > b->count;
}

typedef struct node_facts {
    bool constant;
    uint32_t depth;
    const cnx_tensor *weight;
} node_facts;

static void see_operand(const outliner *work, node_facts *facts, uint32_t value)
{
    const cnx_outline *outline = work->outline;
    if (value == CNX_NONE)
        return;
    facts->constant = facts->constant && outline->constant[value];
    if (is_larger(outline->weight[value], facts->weight))
        facts->weight = outline->weight[value];
    uint32_t producer = work->graph->values[value].producer;
    if (producer != CNX_NONE && outline->depth[producer] > facts->depth)
        facts->depth = outline->depth[producer];
}

static void outline_node(const outliner *work, uint32_t id)
{
    const cnx_node *node = &work->graph->nodes[id];
    node_facts facts = {.constant = true};
    for (uint32_t slot = 0; slot < node->input_count; slot++)
        see_operand(work, &facts, node->inputs[slot]);
    const cnx_outline *outline = work->outline;
    for (uint32_t i = outline->first_capture[id]; i < outline->first_capture[id + 1]; i++)
        see_operand(work, &facts, outline->captures[i]);
    work->outline->depth[id] = facts.constant ? 0 : facts.depth + 1;
    for (uint32_t slot = 0; slot < node->output_count; slot++) {
        if (node->outputs[slot] == CNX_NONE)
            continue;
        work->outline->constant[node->outputs[slot]] = facts.constant;
        work->outline->weight[node->outputs[slot]] = facts.constant ? facts.weight : NULL;
    }
}

/* ---- what is near ---- */

static uint64_t mix_bytes(uint64_t hash, const void *bytes, size_t size)
{
    return cnx_mix_pair(hash, XXH3_64bits(bytes, size));
}

static uint64_t node_hash(const cnx_node *node)
{
    uint64_t hash = mix_bytes(node->input_count, node->op_type, strlen(node->op_type));
    for (size_t i = 0; i < node->proto->n_attribute; i++) {
        const Onnx__AttributeProto *attribute = node->proto->attribute[i];
        hash = mix_bytes(hash, attribute->name, attribute->name == NULL ? 0 : strlen(attribute->name));
        hash = mix_bytes(hash, &attribute->i, sizeof attribute->i);
        hash = mix_bytes(hash, &attribute->f, sizeof attribute->f);
        hash = mix_bytes(hash, attribute->s.data, attribute->s.len);
        hash = mix_bytes(hash, attribute->ints, attribute->n_ints * sizeof *attribute->ints);
    }
    return hash;
}

/* An initializer: type and dims, and of a few integers, which nobody trains, what they are, in no order. */
static uint64_t leaf_hash(const cnx_graph *graph, uint32_t id)
{
    enum { FEW = 16 };
    cnx_tensor *tensor = graph->values[id].initializer;
    if (tensor == NULL)
        return 1;
    uint64_t sum = 0;
    cnx_type_kind kind = cnx_type_kind_of(tensor->type);
    bool shown = (kind == CNX_KIND_INTEGER || kind == CNX_KIND_BOOL) && tensor->count <= FEW;
    for (uint64_t i = 0; shown && i < tensor->count; i++)
        sum += cnx_mix((uint64_t)cnx_tensor_integer(graph->model, tensor, i));
    return mix_bytes((uint64_t)tensor->type + sum, tensor->dims, tensor->rank * sizeof *tensor->dims);
}

/* One more step away. Operands of commutative operators are summed, since they have no order yet. */
static void look_further(const outliner *work, const uint64_t *own, const uint64_t *nearer)
{
    for (uint32_t id = 0; id < work->graph->node_count; id++) {
        const cnx_node *node = &work->graph->nodes[id];
        if (node->dead)
            continue;
        bool commutes = cnx_node_commutes(node);
        uint64_t hash = own[id];
        uint64_t sum = 0;
        for (uint32_t slot = 0; slot < node->input_count; slot++) {
            uint64_t operand = node->inputs[slot] == CNX_NONE ? 0 : nearer[node->inputs[slot]];
            sum += cnx_mix(operand);
            hash = commutes ? hash : cnx_mix_pair(hash, operand);
        }
        for (uint32_t slot = 0; slot < node->output_count; slot++)
            if (node->outputs[slot] != CNX_NONE)
                work->near[node->outputs[slot]] = cnx_mix_pair(hash + slot, commutes ? sum : 0);
    }
}

static void look_around(const outliner *work)
{
    const cnx_graph *graph = work->graph;
    uint64_t *own = CNX_NEW_ARRAY(work->scratch, uint64_t, graph->node_count);
    uint64_t *nearer = CNX_NEW_ARRAY(work->scratch, uint64_t, graph->value_count);
    for (uint32_t id = 0; id < graph->node_count; id++)
        own[id] = graph->nodes[id].dead ? 0 : node_hash(&graph->nodes[id]);
    for (uint32_t id = 0; id < graph->value_count; id++)
        work->near[id] = leaf_hash(graph, id);
    for (int step = 0; step < RADIUS; step++) {
        memcpy(nearer, work->near, graph->value_count * sizeof *nearer);
        look_further(work, own, nearer);
    }
}

/* ---- operands ---- */

typedef struct operand {
    uint32_t value;
    uint32_t slot;
    bool constant;
    uint32_t depth;
    uint64_t near;
} operand;

/* Constants last, as people write them; then the nearest to the inputs first. */
static int compare_operands(const void *a, const void *b)
{
    const operand *left = a, *right = b;
    if (left->constant != right->constant)
        return left->constant ? 1 : -1;
    if (left->depth != right->depth)
        return left->depth < right->depth ? -1 : 1;
    if (left->near != right->near)
        return left->near < right->near ? -1 : 1;
    return (left->slot > right->slot) - (left->slot < right->slot);
}

static void order_operands(const outliner *work, uint32_t id)
{
    const cnx_graph *graph = work->graph;
    const cnx_node *node = &graph->nodes[id];
    if (!cnx_node_commutes(node))
        return;
    operand *operands = CNX_NEW_ARRAY(work->scratch, operand, node->input_count);
    for (uint32_t slot = 0; slot < node->input_count; slot++) {
        uint32_t value = node->inputs[slot], producer = graph->values[value].producer;
        operands[slot] = (operand){.value = value,
                                   .slot = slot,
                                   .constant = work->outline->constant[value],
                                   .depth = producer == CNX_NONE ? 0 : work->outline->depth[producer],
                                   .near = work->near[value]};
    }
    qsort(operands, node->input_count, sizeof *operands, compare_operands);
    uint32_t *inputs = CNX_NEW_ARRAY(work->arena, uint32_t, node->input_count);
    for (uint32_t slot = 0; slot < node->input_count; slot++)
        inputs[slot] = operands[slot].value;
    work->outline->listing->inputs[id] = inputs;
}

/* ---- nodes: depth-first from the outputs ---- */

typedef struct visit {
    uint32_t node;
    uint32_t next; /* the next of its operands to look at, captured ones behind the others */
} visit;

typedef struct walker {
    const outliner *work;
    bool *seen; /* by node */
    size_t depth, capacity;
    visit *stack;
} walker;

static void enter(walker *walk, uint32_t value)
{
    uint32_t node = value == CNX_NONE ? CNX_NONE : walk->work->graph->values[value].producer;
    if (node == CNX_NONE || walk->seen[node])
        return;
    walk->seen[node] = true;
    visit first = {node, 0};
    CNX_PUSH(walk->work->scratch, walk->stack, walk->depth, walk->capacity, first);
}

static void walk_from(walker *walk, uint32_t output)
{
    const outliner *work = walk->work;
    cnx_listing *listing = work->outline->listing;
    enter(walk, output);
    while (walk->depth != 0) {
        visit *top = &walk->stack[walk->depth - 1];
        const cnx_node *node = &work->graph->nodes[top->node];
        const uint32_t *capture = &work->outline->first_capture[top->node];
        uint32_t next = top->next++;
        if (next < node->input_count) {
            enter(walk, listing->inputs[top->node][next]);
        } else if (next - node->input_count < capture[1] - capture[0]) {
            enter(walk, work->outline->captures[capture[0] + next - node->input_count]);
        } else {
            listing->nodes[listing->node_count++] = top->node;
            walk->depth--;
        }
    }
}

static void order_nodes(const outliner *work)
{
    const cnx_graph *graph = work->graph;
    walker walk = {.work = work, .seen = CNX_NEW_ARRAY(work->scratch, bool, graph->node_count)};
    work->outline->listing->node_count = 0;
    for (uint32_t i = 0; i < graph->output_count; i++)
        walk_from(&walk, graph->outputs[i]);
    for (uint32_t i = 0; i < graph->order_count; i++) { /* none, in a canonical form */
        const cnx_node *node = &graph->nodes[graph->order[i]];
        if (!walk.seen[graph->order[i]] && node->output_count != 0)
            walk_from(&walk, node->outputs[0]);
    }
}

cnx_outline *cnx_outline_create(cnx_arena *arena, cnx_listing *listing, cnx_outline *outer)
{
    cnx_graph *graph = listing->graph;
    outliner work = {.arena = arena, .scratch = cnx_arena_create(arena), .graph = graph};
    work.outline = CNX_NEW(arena, cnx_outline);
    *work.outline = (cnx_outline){.listing = listing,
                                  .outer = outer,
                                  .depth = CNX_NEW_ARRAY(arena, uint32_t, graph->node_count),
                                  .constant = CNX_NEW_ARRAY(arena, bool, graph->value_count),
                                  .weight = CNX_NEW_ARRAY(arena, const cnx_tensor *, graph->value_count)};
    work.near = CNX_NEW_ARRAY(work.scratch, uint64_t, graph->value_count);
    list_captures(&work);
    outline_leaves(&work);
    for (uint32_t i = 0; i < graph->order_count; i++)
        outline_node(&work, graph->order[i]);
    look_around(&work);
    for (uint32_t i = 0; i < graph->order_count; i++)
        order_operands(&work, graph->order[i]);
    order_nodes(&work);
    cnx_arena_destroy(work.scratch);
    return work.outline;
}
