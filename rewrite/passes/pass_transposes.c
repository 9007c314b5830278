/* Transpose(Transpose(x, p), q) is Transpose(x, p o q): every Transpose reads from something that is none,
 * and one that changes nothing goes away. Nodes are visited in topological order and a fused permutation is
 * remembered at once, so a chain of any length takes one sweep.
 *
 * With y = Transpose(x, p), axis i of y is axis p[i] of x. A missing perm reverses the axes; how many there
 * are is then unknown here, but a reversal of a reversal is the identity for any number. */
#include "rewrite/edit.h"

typedef struct turn {
    bool known;      /* the node is a Transpose */
    uint32_t source; /* what it reads after fusing */
    size_t rank;     /* 0: the reversal of all axes */
    const int64_t *axes;
} turn;

/* Reads the perm attribute; false when it is no permutation. */
static bool read_turn(const cnx_graph *graph, const cnx_node *node, turn *out)
{
    *out = (turn){.known = true, .source = node->inputs[0]};
    const Onnx__AttributeProto *attribute = cnx_attribute(node, "perm");
    if (attribute == NULL)
        return true;
    if (attribute->ref_attr_name != NULL && attribute->ref_attr_name[0] != '\0')
        return false;
    out->axes = cnx_attribute_ints(graph, node, "perm", &out->rank);
    if (out->rank == 0 || out->rank > 64)
        return false;
    uint64_t seen = 0;
    for (size_t i = 0; i < out->rank; i++) {
        if (out->axes[i] < 0 || (size_t)out->axes[i] >= out->rank)
            return false;
        seen |= (uint64_t)1 << out->axes[i];
    }
    return seen == UINT64_MAX >> (64 - out->rank);
}

static bool is_identity(const turn *one)
{
    for (size_t i = 0; i < one->rank; i++)
        if (one->axes[i] != (int64_t)i)
            return false;
    return one->rank != 0;
}

static int64_t axis_of(const turn *one, size_t rank, size_t i)
{
    return one->rank == 0 ? (int64_t)(rank - 1 - i) : one->axes[i];
}

/* `second` after `first`; false when they cannot follow each other. `nothing` is set for two reversals. */
static bool fuse(cnx_arena *arena, const turn *first, turn *second, bool *nothing)
{
    size_t rank = first->rank != 0 ? first->rank : second->rank;
    if (second->rank != 0 && second->rank != rank)
        return false;
    *nothing = rank == 0;
    int64_t *axes = CNX_NEW_ARRAY(arena, int64_t, rank);
    for (size_t i = 0; i < rank; i++)
        axes[i] = axis_of(first, rank, (size_t)axis_of(second, rank, i));
    *second = (turn){.known = true, .source = first->source, .rank = rank, .axes = axes};
    return true;
}

/* Gives the node the attribute perm; the only attribute that a Transpose has. */
static void write_perm(cnx_model *model, cnx_node *node, const turn *one)
{
    node->proto->n_attribute = 1;
    node->proto->attribute = CNX_NEW(model->arena, Onnx__AttributeProto *);
    node->proto->attribute[0] = cnx_attribute_make_ints(model->arena, "perm", one->axes, one->rank);
}

/* Looks at one Transpose. `turns` holds what is known about the nodes before it. */
static void visit(cnx_edits *edits, cnx_graph *graph, uint32_t id, turn *turns, cnx_arena *arena)
{
    cnx_node *node = &graph->nodes[id];
    turn *mine = &turns[id];
    if (!read_turn(graph, node, mine)) {
        mine->known = false;
        return;
    }
    uint32_t read = cnx_edit_source(edits, node->inputs[0]);
    mine->source = read;
    uint32_t producer = graph->values[read].producer;
    bool nothing = false;
    bool fused =
        producer != CNX_NONE && turns[producer].known && fuse(arena, &turns[producer], mine, &nothing);
    if (nothing || is_identity(mine)) {
        cnx_edit_forward(edits, id, mine->source);
        mine->known = false;
    } else if (fused) {
        cnx_edit_input(edits, id, 0, mine->source);
        write_perm(graph->model, node, mine);
    }
}

static size_t clean_graph(cnx_rewrite *rewrite, cnx_graph *graph)
{
    cnx_arena *arena = cnx_arena_create(rewrite->arena);
    turn *turns = CNX_NEW_ARRAY(arena, turn, graph->node_count);
    cnx_edits *edits = cnx_edits_begin(rewrite, graph);
    for (uint32_t i = 0; i < graph->order_count; i++) {
        const cnx_node *node = &graph->nodes[graph->order[i]];
        bool plain = cnx_node_is(node, "Transpose") && node->input_count == 1 &&
                     node->inputs[0] != CNX_NONE && node->output_count == 1 && node->outputs[0] != CNX_NONE;
        if (plain)
            visit(edits, graph, graph->order[i], turns, arena);
    }
    size_t changed = cnx_edits_apply(edits);
    cnx_arena_destroy(arena);
    return changed;
}

size_t cnx_pass_transposes(cnx_rewrite *rewrite)
{
    size_t changed = 0;
    size_t count;
    cnx_graph **graphs = cnx_rewrite_graphs(rewrite, &count);
    for (size_t i = 0; i < count; i++)
        changed += clean_graph(rewrite, graphs[i]);
    return changed;
}
