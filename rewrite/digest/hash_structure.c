/* The digest of a model's structure: everything but its parameters, and no name or order that is not
 * interface.
 *
 * Writing the graph in a canonical order would not do. Parallel branches of equal structure are put in order
 * by their weights, so a model and its fine-tuned copy may be written differently. Instead every node gets a
 * colour that no order enters (colour refinement, as in canonical labelling of graphs):
 *
 *     label   what the node is by itself: operator, attributes
 *     above   label, its colour so far, and the colours of what it reads, slot by slot (sorted where the
 *             operator commutes)
 *     below   above, and, sorted, for every use of an output: who reads it and where; graph outputs count as
 *             readers with a number. This is the node's new colour.
 *
 * One sweep down the topological order and one back up carry everything that nodes above and below have to
 * tell; they are repeated while they tell more nodes apart. The digest is that of the interface and the
 * sorted colours. Equal structures give equal digests by construction. The converse fails only for graphs
 * that refinement does not tell apart, which takes symmetric tangles of commutative operators.
 *
 * Time is linear in the graph, but for sorting, times the rounds. No parameter is read. */
#include "rewrite/digest/flat.h"
#include "rewrite/pass.h"

#include <stdlib.h>

/* Refinement ends after so many sweeps in each direction, whatever it might still find. */
enum { MOST_ROUNDS = 16 };

typedef struct refiner {
    cnx_flat *flat;
    cnx_digest_value *sorted; /* room for what is sorted at a time */
} refiner;

/* ---- colours ---- */

static void sort_colours(cnx_digest_value *colours, size_t count)
{
    if (count > 1)
        qsort(colours, count, sizeof *colours, cnx_digest_compare);
}

/* The colour of what a node or the graph's output reads; of an omitted input when it is CNX_NONE. */
static cnx_digest_value read_colour(const cnx_flat *flat, uint32_t id, bool final)
{
    cnx_digest_begin(flat->digest, CNX_ABOUT_OUTPUT);
    if (id != CNX_NONE) {
        const cnx_flat_value *value = &flat->values[id];
        const cnx_flat_node *node = value->node != CNX_NONE ? &flat->nodes[value->node] : NULL;
        cnx_digest_number(flat->digest, value->slot);
        cnx_digest_add(flat->digest, node == NULL ? &value->leaf : final ? &node->below : &node->above);
    }
    return cnx_digest_get(flat->digest);
}

static void look_above(const refiner *work, cnx_flat_node *node)
{
    const cnx_flat *flat = work->flat;
    for (uint32_t i = 0; i < node->input_count; i++)
        work->sorted[i] = read_colour(flat, flat->inputs[node->first_input + i], false);
    if (node->commutes)
        sort_colours(work->sorted, node->input_count);
    cnx_digest_begin(flat->digest, CNX_ABOUT_ABOVE);
    cnx_digest_add(flat->digest, &node->label);
    cnx_digest_add(flat->digest, &node->below);
    for (uint32_t i = 0; i < node->input_count; i++)
        cnx_digest_add(flat->digest, &work->sorted[i]);
    node->above = cnx_digest_get(flat->digest);
}

static cnx_digest_value use_colour(const cnx_flat *flat, const cnx_flat_use *use)
{
    cnx_digest_begin(flat->digest, CNX_ABOUT_USE);
    cnx_digest_number(flat->digest, use->output);
    cnx_digest_number(flat->digest, use->slot);
    if (use->node != CNX_NONE)
        cnx_digest_add(flat->digest, &flat->nodes[use->node].below);
    return cnx_digest_get(flat->digest);
}

static void look_below(const refiner *work, size_t id)
{
    const cnx_flat *flat = work->flat;
    cnx_flat_node *node = &flat->nodes[id];
    size_t first = flat->first_use[id], count = flat->first_use[id + 1] - first;
    for (size_t i = 0; i < count; i++)
        work->sorted[i] = use_colour(flat, &flat->uses[first + i]);
    sort_colours(work->sorted, count);
    cnx_digest_begin(flat->digest, CNX_ABOUT_BELOW);
    cnx_digest_add(flat->digest, &node->above);
    for (size_t i = 0; i < count; i++)
        cnx_digest_add(flat->digest, &work->sorted[i]);
    node->below = cnx_digest_get(flat->digest);
}

/* Leaves the nodes' colours, sorted, in `sorted`; returns how many different ones there are. */
static size_t collect_colours(const refiner *work)
{
    size_t count = work->flat->node_count, different = count != 0;
    for (size_t i = 0; i < count; i++)
        work->sorted[i] = work->flat->nodes[i].below;
    sort_colours(work->sorted, count);
    for (size_t i = 1; i < count; i++)
        different += cnx_digest_compare(&work->sorted[i - 1], &work->sorted[i]) != 0;
    return different;
}

static void refine(const refiner *work)
{
    size_t known = 0;
    for (unsigned round = 0; round < MOST_ROUNDS; round++) {
        for (size_t i = 0; i < work->flat->node_count; i++)
            look_above(work, &work->flat->nodes[i]);
        for (size_t i = work->flat->node_count; i-- > 0;)
            look_below(work, i);
        size_t different = collect_colours(work);
        if (different == known)
            break;
        known = different;
    }
}

/* ---- the main graph, a function ---- */

static size_t most_sorted(const cnx_flat *flat)
{
    size_t most = flat->node_count;
    for (size_t id = 0; id < flat->node_count; id++) {
        size_t uses = flat->first_use[id + 1] - flat->first_use[id];
        most = flat->nodes[id].input_count > most ? flat->nodes[id].input_count : most;
        most = uses > most ? uses : most;
    }
    return most;
}

/* The digest of what a graph computes, its names and declared types aside. */
static cnx_digest_value body_digest(cnx_arena *arena, const cnx_graph *graph)
{
    cnx_arena *scratch = cnx_arena_create(arena);
    cnx_flat *flat = cnx_flat_create(scratch, graph);
    refiner work = {flat, CNX_NEW_ARRAY(scratch, cnx_digest_value, most_sorted(flat))};
    refine(&work);
    cnx_digest_value *outputs = CNX_NEW_ARRAY(scratch, cnx_digest_value, flat->output_count);
    for (uint32_t i = 0; i < flat->output_count; i++)
        outputs[i] = read_colour(flat, flat->outputs[i], true);
    cnx_digest_begin(flat->digest, CNX_ABOUT_SCOPE);
    cnx_digest_number(flat->digest, flat->node_count);
    for (size_t i = 0; i < flat->node_count; i++)
        cnx_digest_add(flat->digest, &work.sorted[i]);
    for (uint32_t i = 0; i < flat->output_count; i++)
        cnx_digest_add(flat->digest, &outputs[i]);
    cnx_digest_value result = cnx_digest_get(flat->digest);
    cnx_arena_destroy(scratch);
    return result;
}

static void feed_opsets(cnx_digest *digest, Onnx__OperatorSetIdProto *const *opsets, size_t count)
{
    cnx_digest_number(digest, count);
    for (size_t i = 0; i < count; i++) {
        cnx_digest_text(digest, opsets[i]->domain);
        cnx_digest_number(digest, (uint64_t)opsets[i]->version);
    }
}

/* Inputs or outputs of the main graph: names, declared types, and what a caller gets who gives none. */
static void feed_ports(cnx_digest *digest, const cnx_graph *graph, const uint32_t *ids, uint32_t count)
{
    cnx_arena *scratch = cnx_arena_create(graph->model->arena);
    cnx_digest_number(digest, count);
    for (uint32_t i = 0; i < count; i++) {
        const cnx_value *value = &graph->values[ids[i]];
        cnx_digest_text(digest, value->name);
        cnx_digest_number(digest, value->info != NULL && value->info->type != NULL);
        if (value->info != NULL && value->info->type != NULL)
            cnx_digest_message(digest, &value->info->type->base);
        cnx_digest_number(digest, value->is_input && value->initializer != NULL);
        if (value->is_input && value->initializer != NULL) {
            cnx_digest_value colour = cnx_flat_constant(cnx_digest_create(scratch), graph, ids[i]);
            cnx_digest_add(digest, &colour);
        }
    }
    cnx_arena_destroy(scratch);
}

static cnx_digest_value function_digest(cnx_arena *arena, const cnx_graph *graph)
{
    const Onnx__FunctionProto *function = graph->function;
    cnx_digest_value body = body_digest(arena, graph);
    cnx_digest *digest = cnx_digest_create(arena);
    cnx_digest_text(digest, function->domain);
    cnx_digest_text(digest, function->name);
    cnx_digest_text(digest, function->overload);
    feed_opsets(digest, function->opset_import, function->n_opset_import);
    cnx_digest_number(digest, graph->input_count);
    cnx_digest_number(digest, function->n_attribute);
    for (size_t i = 0; i < function->n_attribute; i++)
        cnx_digest_text(digest, function->attribute[i]);
    cnx_digest_number(digest, function->n_attribute_proto);
    for (size_t i = 0; i < function->n_attribute_proto; i++)
        cnx_flat_attribute(digest, graph->model, function->attribute_proto[i]);
    cnx_digest_add(digest, &body);
    return cnx_digest_get(digest);
}

static void hash_structure(cnx_model *model, char text[33])
{
    cnx_rewrite_simplify(model);
    cnx_arena *scratch = cnx_arena_create(model->arena);
    cnx_digest_value body = body_digest(scratch, model->graph);
    cnx_digest_value *functions = CNX_NEW_ARRAY(scratch, cnx_digest_value, model->function_count);
    for (uint32_t i = 0; i < model->function_count; i++)
        functions[i] = function_digest(scratch, model->functions[i]);
    sort_colours(functions, model->function_count);

    cnx_digest *digest = cnx_digest_create(scratch);
    cnx_digest_text(digest, "structure");
    cnx_digest_number(digest, (uint64_t)model->proto->ir_version);
    feed_opsets(digest, model->proto->opset_import, model->proto->n_opset_import);
    feed_ports(digest, model->graph, model->graph->inputs, model->graph->input_count);
    feed_ports(digest, model->graph, model->graph->outputs, model->graph->output_count);
    cnx_digest_add(digest, &body);
    cnx_digest_number(digest, model->function_count);
    for (uint32_t i = 0; i < model->function_count; i++)
        cnx_digest_add(digest, &functions[i]);
    cnx_digest_print(digest, text);
    cnx_arena_destroy(scratch);
}

cnx_code cnx_model_hash_structure(cnx_model *model, char digest[33], cnx_error *error)
{
    cnx_trap trap;
    if (CNX_ENTER(model->arena, trap, error) == CNX_OK)
        hash_structure(model, digest);
    return cnx_leave(model->arena, &trap);
}
