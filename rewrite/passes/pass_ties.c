/* Inputs of a commutative operator that neither structure nor weights tell apart kept the order of the file.
 * That is harmless when exchanging them changes nothing that is written: both are made by trees of nodes that
 * are equal node by node and byte by byte, down to values they share, and nothing else looks into
 * these trees. Two identical branches are the common case. What is left open is tried out (rewrite/trial.c).
 *
 * The check runs after the permutation step, because equal branches may come with their hidden units in
 * different orders; branches that were equal before it are as good. Both sides of a tie have the same size,
 * so even ties inside ties cost n log n in all. */
#include "rewrite/digest/hashes.h"
#include "rewrite/pass.h"
#include "rewrite/permute.h"

typedef struct pair {
    uint32_t a;
    uint32_t b;
} pair;

typedef struct comparison {
    cnx_rewrite *rewrite;
    cnx_arena *arena;
    const cnx_graph *graph;
    bool sorted;       /* contents are compared after the permutation step, not as they were before */
    uint32_t *partner; /* by value: what it was compared with for the present tie, or CNX_NONE */
    size_t seen_count, seen_capacity;
    uint32_t *seen; /* values that have a partner */
    size_t count, capacity;
    pair *todo;
} comparison;

/* ---- equal trees ---- */

static bool same_strings(const Onnx__TensorProto *a, const Onnx__TensorProto *b)
{
    for (size_t i = 0; i < a->n_string_data; i++) {
        size_t size = a->string_data[i].len;
        if (size != b->string_data[i].len ||
            (size != 0 && memcmp(a->string_data[i].data, b->string_data[i].data, size) != 0))
            return false;
    }
    return true;
}

/* Structure says already that types and dims agree. */
static bool same_contents(const comparison *work, cnx_tensor *a, cnx_tensor *b)
{
    enum { BLOCK = 4096 };
    cnx_model *model = work->rewrite->model;
    if (a->type == CNX_TYPE_STRING)
        return same_strings(a->proto, b->proto);
    if (!work->sorted)
        return memcmp(cnx_tensor_bytes(model, a), cnx_tensor_bytes(model, b), a->size) == 0;
    uint8_t left[BLOCK];
    uint8_t right[BLOCK];
    for (uint64_t offset = 0; offset < a->size; offset += BLOCK) {
        size_t size = a->size - offset < BLOCK ? (size_t)(a->size - offset) : BLOCK;
        cnx_tensor_read(model, a, offset, left, size);
        cnx_tensor_read(model, b, offset, right, size);
        if (memcmp(left, right, size) != 0)
            return false;
    }
    return true;
}

/* Whether one node alone reads the value. */
static bool is_private(const cnx_value *value)
{
    if (value->use_count == 0 || value->is_output || value->is_input)
        return false;
    for (uint32_t i = 0; i < value->use_count; i++)
        if (value->uses[i].node != value->uses[0].node)
            return false;
    return true;
}

/* Adds the inputs of two nodes of equal structure, slot by slot. */
static bool compare_nodes(comparison *work, const cnx_node *a, const cnx_node *b)
{
    if (a->input_count != b->input_count || a->output_count != 1 || b->output_count != 1 ||
        a->subgraph_count != 0)
        return false;
    for (uint32_t slot = 0; slot < a->input_count; slot++) {
        pair inputs = {a->inputs[slot], b->inputs[slot]};
        if (inputs.a == inputs.b)
            continue;
        if (inputs.a == CNX_NONE || inputs.b == CNX_NONE)
            return false;
        CNX_PUSH(work->arena, work->todo, work->count, work->capacity, inputs);
    }
    return true;
}

static bool compare_values(comparison *work, const cnx_hashes *hashes, pair values)
{
    const cnx_graph *graph = work->graph;
    const cnx_value *a = &graph->values[values.a];
    const cnx_value *b = &graph->values[values.b];
    if (cnx_hash_structure(hashes, values.a) != cnx_hash_structure(hashes, values.b) || !is_private(a) ||
        !is_private(b))
        return false;
    if (a->producer != CNX_NONE && b->producer != CNX_NONE)
        return compare_nodes(work, &graph->nodes[a->producer], &graph->nodes[b->producer]);
    return a->initializer != NULL && b->initializer != NULL &&
           same_contents(work, a->initializer, b->initializer);
}

/* Whether the pair is new. (A value that meets two partners is compared with both.) */
static bool is_new(comparison *work, pair values)
{
    if (work->partner[values.a] == values.b)
        return false;
    if (work->partner[values.a] == CNX_NONE)
        CNX_PUSH(work->arena, work->seen, work->seen_count, work->seen_capacity, values.a);
    work->partner[values.a] = values.b;
    return true;
}

static bool are_equal(comparison *work, const cnx_hashes *hashes, pair values, bool sorted)
{
    work->sorted = sorted;
    bool equal = true;
    work->count = 0;
    CNX_PUSH(work->arena, work->todo, work->count, work->capacity, values);
    while (work->count != 0 && equal) {
        pair next = work->todo[--work->count];
        if (is_new(work, next))
            equal = compare_values(work, hashes, next);
    }
    while (work->seen_count != 0)
        work->partner[work->seen[--work->seen_count]] = CNX_NONE;
    return equal;
}

/* ---- all ties ---- */

/* Where each tied node is in `ties`; the ties of one node are neighbours there. */
static void index_ties(const cnx_rewrite *rewrite, cnx_intern *nodes, size_t *first)
{
    for (size_t i = 0; i < rewrite->tie_count; i++) {
        size_t known = nodes->count;
        uint32_t number = cnx_intern_add(nodes, &rewrite->ties[i].node, sizeof rewrite->ties[i].node);
        if (number == known)
            first[number] = i;
    }
}

static void check_node(comparison *work, const cnx_hashes *hashes, const cnx_node *node, size_t tie)
{
    cnx_rewrite *rewrite = work->rewrite;
    for (; tie < rewrite->tie_count && rewrite->ties[tie].node == node->proto; tie++) {
        uint32_t slot = rewrite->ties[tie].slot;
        pair operands = {node->inputs[slot - 1], node->inputs[slot]};
        if (!are_equal(work, hashes, operands, false) && !are_equal(work, hashes, operands, true))
            CNX_PUSH(rewrite->arena, rewrite->open, rewrite->open_count, rewrite->open_capacity,
                     ((cnx_open_tie){tie, cnx_node_place(work->graph, node)}));
    }
}

static void check_graph(comparison *work, cnx_hashes *hashes, cnx_graph *graph, const cnx_intern *nodes,
                        const size_t *first)
{
    uint32_t *partner = CNX_NEW_ARRAY(work->arena, uint32_t, graph->value_count);
    for (uint32_t i = 0; i < graph->value_count; i++)
        partner[i] = CNX_NONE;
    for (uint32_t i = 0; i < graph->order_count; i++) {
        const cnx_node *node = &graph->nodes[graph->order[i]];
        uint32_t number = cnx_intern_find(nodes, &node->proto, sizeof node->proto);
        work->graph = graph;
        work->partner = partner;
        if (number != CNX_NONE)
            check_node(work, hashes, node, first[number]);
        for (uint32_t k = 0; k < node->subgraph_count; k++)
            check_graph(work, cnx_hashes_nested(hashes, node->subgraphs[k].graph), node->subgraphs[k].graph,
                        nodes, first);
    }
}

size_t cnx_pass_ties(cnx_rewrite *rewrite)
{
    cnx_model *model = rewrite->model;
    if (rewrite->tie_count == 0)
        return 0;
    comparison work = {.rewrite = rewrite, .arena = cnx_arena_create(rewrite->arena)};
    cnx_intern nodes;
    cnx_intern_init(&nodes, work.arena);
    size_t *first = CNX_NEW_ARRAY(work.arena, size_t, rewrite->tie_count);
    index_ties(rewrite, &nodes, first);
    check_graph(&work, cnx_hashes_create(work.arena, model->graph, NULL), model->graph, &nodes, first);
    for (uint32_t i = 0; i < model->function_count; i++)
        check_graph(&work, cnx_hashes_create(work.arena, model->functions[i], NULL), model->functions[i],
                    &nodes, first);
    cnx_arena_destroy(work.arena);
    return 0;
}
