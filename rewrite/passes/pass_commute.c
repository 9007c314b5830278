/* Puts the inputs of commutative operators in order: by structure, and where that is the same, by the weights
 * below (rewrite/digest/hashes.h). Inputs that tie in both keep the order they had, until the pass `ties`
 * finds out whether that matters.
 *
 * For Add, Mul, Equal and the logical operators the result is the same bit by bit (which of two NaNs is
 * passed on aside). A Sum or Mean of three or more numbers is rounded in another order. Max and Min of a
 * positive and a negative zero may give the other zero. docs/FORMAT.md lists these exceptions. */
#include "rewrite/digest/hashes.h"
#include "rewrite/edit.h"

#include <stdlib.h>

typedef struct operand {
    uint64_t structure;
    uint64_t weights; /* 0 until asked for */
    uint32_t value;
    uint32_t slot;
} operand;

typedef struct commuter {
    cnx_rewrite *rewrite;
    cnx_arena *arena;
    size_t changed;
} commuter;

static int compare_operands(const void *a, const void *b)
{
    const operand *left = a;
    const operand *right = b;
    if (left->structure != right->structure)
        return left->structure < right->structure ? -1 : 1;
    if (left->weights != right->weights)
        return left->weights < right->weights ? -1 : 1;
    return left->slot < right->slot ? -1 : left->slot > right->slot;
}

static bool same_structure(const operand *a, const operand *b)
{
    return a->structure == b->structure && a->value != b->value;
}

/* Finds the weights of operands that structure alone does not tell apart from a neighbour. */
static bool weigh_ties(cnx_hashes *hashes, operand *operands, uint32_t count)
{
    bool any = false;
    for (uint32_t i = 1; i < count; i++)
        any = any || same_structure(&operands[i - 1], &operands[i]);
    for (uint32_t i = 0; any && i < count; i++) {
        bool tied = (i > 0 && operands[i - 1].structure == operands[i].structure) ||
                    (i + 1 < count && operands[i + 1].structure == operands[i].structure);
        if (tied)
            operands[i].weights = cnx_hash_weights(hashes, operands[i].value);
    }
    return any;
}

static void remember_ties(cnx_rewrite *rewrite, const cnx_node *node, operand *operands)
{
    for (uint32_t i = 1; i < node->input_count; i++) {
        cnx_tie tie = {node->proto, i};
        if (!same_structure(&operands[i - 1], &operands[i]) || operands[i - 1].weights != operands[i].weights)
            continue;
        CNX_PUSH(rewrite->arena, rewrite->ties, rewrite->tie_count, rewrite->tie_capacity, tie);
        if (rewrite->tie_count == rewrite->exchanged) {
            operand first = operands[i - 1];
            operands[i - 1] = operands[i];
            operands[i] = first;
        }
    }
}

static void order_inputs(commuter *work, cnx_edits *edits, cnx_hashes *hashes, uint32_t id,
                         const cnx_node *node)
{
    operand few[8];
    uint32_t count = node->input_count;
    operand *operands = count <= 8 ? few : CNX_NEW_ARRAY(work->arena, operand, count);
    for (uint32_t slot = 0; slot < count; slot++)
        operands[slot] =
            (operand){cnx_hash_structure(hashes, node->inputs[slot]), 0, node->inputs[slot], slot};
    qsort(operands, count, sizeof *operands, compare_operands);
    if (weigh_ties(hashes, operands, count)) {
        qsort(operands, count, sizeof *operands, compare_operands);
        remember_ties(work->rewrite, node, operands);
    }
    for (uint32_t slot = 0; slot < count; slot++)
        if (node->inputs[slot] != operands[slot].value)
            cnx_edit_input(edits, id, slot, operands[slot].value);
}

static void order_graph(commuter *work, cnx_graph *graph, cnx_hashes *hashes)
{
    cnx_edits *edits = cnx_edits_begin(work->rewrite, graph);
    for (uint32_t i = 0; i < graph->order_count; i++) {
        uint32_t id = graph->order[i];
        const cnx_node *node = &graph->nodes[id];
        if (cnx_node_commutes(node))
            order_inputs(work, edits, hashes, id, node);
        for (uint32_t k = 0; k < node->subgraph_count; k++)
            order_graph(work, node->subgraphs[k].graph, cnx_hashes_nested(hashes, node->subgraphs[k].graph));
    }
    work->changed += cnx_edits_apply(edits);
}

size_t cnx_pass_commute(cnx_rewrite *rewrite)
{
    cnx_model *model = rewrite->model;
    commuter work = {.rewrite = rewrite, .arena = cnx_arena_create(rewrite->arena)};
    order_graph(&work, model->graph, cnx_hashes_create(work.arena, model->graph, NULL));
    for (uint32_t i = 0; i < model->function_count; i++)
        order_graph(&work, model->functions[i], cnx_hashes_create(work.arena, model->functions[i], NULL));
    cnx_arena_destroy(work.arena);
    return work.changed;
}
