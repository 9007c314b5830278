/* Applying edits.
 *
 * `root` maps every value to the value it is a copy of. Because passes visit nodes in topological order, the
 * root of an input is final before the node's own outputs are looked at, so chains of any length cost one
 * step a node. A root is never the output of a node that is passed through.
 *
 * Graph outputs come next. The values with one root form a class; the outputs among them are names for the
 * same thing. Where the root is made by a node of this graph, that node is given the name of the first such
 * output (`renamed` remembers it) and the others become Identity nodes that read it.
 *
 * Last, every input of every live node, and every value that a nested graph captures, is looked up: root
 * first, then `renamed`. All of it is linear in the size of the graph.
 */
#include "rewrite/edit.h"

#include "rewrite/trace.h"

typedef struct input_edit {
    uint32_t node;
    uint32_t slot;
    uint32_t value;
} input_edit;

typedef struct constant_edit {
    uint32_t node;
    cnx_tensor *tensor;
} constant_edit;

struct cnx_edits {
    cnx_rewrite *rewrite;
    cnx_graph *graph;
    cnx_arena *arena;
    uint32_t *root;    /* by value */
    uint32_t *first;   /* by root: the first graph output of its class */
    uint32_t *renamed; /* by root: the output whose name it takes */
    uint32_t *now;     /* by value: what its readers read when all is done */
    bool *forward;     /* by node: its first output is a copy */
    size_t forward_count;
    size_t input_count, input_capacity;
    input_edit *inputs;
    size_t constant_count, constant_capacity;
    constant_edit *constants;
    size_t removed_count, removed_capacity;
    uint32_t *removed;
    size_t changed;
};

static uint32_t *array_of_none(cnx_arena *arena, size_t count)
{
    uint32_t *items = CNX_NEW_ARRAY(arena, uint32_t, count);
    for (size_t i = 0; i < count; i++)
        items[i] = CNX_NONE;
    return items;
}

cnx_edits *cnx_edits_begin(cnx_rewrite *rewrite, cnx_graph *graph)
{
    cnx_arena *arena = cnx_arena_create(rewrite->arena);
    cnx_edits *edits = CNX_NEW(arena, cnx_edits);
    *edits = (cnx_edits){.rewrite = rewrite, .graph = graph, .arena = arena};
    edits->forward = CNX_NEW_ARRAY(arena, bool, graph->node_count);
    edits->root = CNX_NEW_ARRAY(arena, uint32_t, graph->value_count);
    for (uint32_t i = 0; i < graph->value_count; i++)
        edits->root[i] = i;
    return edits;
}

uint32_t cnx_edit_source(const cnx_edits *edits, uint32_t value)
{
    return value == CNX_NONE ? CNX_NONE : edits->root[value];
}

void cnx_edit_forward(cnx_edits *edits, uint32_t node, uint32_t value)
{
    const cnx_node *copier = &edits->graph->nodes[node];
    edits->forward[node] = true;
    edits->forward_count++;
    edits->root[copier->outputs[0]] = edits->root[value];
}

void cnx_edit_constant(cnx_edits *edits, uint32_t node, cnx_tensor *tensor)
{
    constant_edit edit = {node, tensor};
    CNX_PUSH(edits->arena, edits->constants, edits->constant_count, edits->constant_capacity, edit);
}

void cnx_edit_input(cnx_edits *edits, uint32_t node, uint32_t slot, uint32_t value)
{
    input_edit edit = {node, slot, value};
    CNX_PUSH(edits->arena, edits->inputs, edits->input_count, edits->input_capacity, edit);
}

void cnx_edit_remove(cnx_edits *edits, uint32_t node)
{
    CNX_PUSH(edits->arena, edits->removed, edits->removed_count, edits->removed_capacity, node);
}

/* The value's definition becomes `tensor`; indexing lists it among the initializers. */
static void define_constant(cnx_edits *edits, uint32_t value, cnx_tensor *tensor)
{
    edits->graph->values[value].initializer = tensor;
    edits->graph->values[value].producer = CNX_NONE;
    edits->changed++;
}

static void apply_simple(cnx_edits *edits)
{
    cnx_graph *graph = edits->graph;
    for (size_t i = 0; i < edits->constant_count; i++) {
        cnx_node *node = &graph->nodes[edits->constants[i].node];
        cnx_explain_node(edits->rewrite, graph, node, "becomes initializer \"%s\"",
                         graph->values[node->outputs[0]].name);
        define_constant(edits, node->outputs[0], edits->constants[i].tensor);
        node->dead = true;
    }
    for (size_t i = 0; i < edits->removed_count; i++) {
        cnx_node *node = &graph->nodes[edits->removed[i]];
        cnx_explain_node(edits->rewrite, graph, node, "is not needed");
        node->dead = true;
    }
    for (size_t i = 0; i < edits->input_count; i++) {
        input_edit edit = edits->inputs[i];
        cnx_explain_node(edits->rewrite, graph, &graph->nodes[edit.node], "input %u is \"%s\"", edit.slot,
                         graph->values[edit.value].name);
        graph->nodes[edit.node].inputs[edit.slot] = edit.value;
    }
    edits->changed += edits->removed_count + edits->input_count;
}

/* Turns the node that made the output `value` into `value = Identity(source)`. */
static void become_identity(cnx_edits *edits, cnx_node *node, uint32_t source, uint32_t value)
{
    bool same = strcmp(node->op_type, "Identity") == 0 && node->inputs[0] == source &&
                node->outputs[0] == value && node->output_count == 1;
    if (same)
        return;
    cnx_explain_node(edits->rewrite, edits->graph, node, "becomes an Identity that makes \"%s\"",
                     edits->graph->values[value].name);
    node->proto->op_type = (char *)(uintptr_t)cnx_copy_text(edits->graph->model->arena, "Identity");
    node->op_type = node->proto->op_type;
    node->proto->n_attribute = 0;
    node->subgraph_count = 0;
    node->input_count = node->output_count = 1;
    node->inputs[0] = source;
    node->outputs[0] = value;
    edits->changed++;
}

static bool is_forwarded(const cnx_edits *edits, uint32_t value)
{
    uint32_t producer = edits->graph->values[value].producer;
    return producer != CNX_NONE && edits->forward[producer];
}

/* The root is made by a node: that node makes the first output of the class instead. */
static void rename_root(cnx_edits *edits, uint32_t root)
{
    cnx_graph *graph = edits->graph;
    uint32_t output = edits->first[root];
    if (output == root || edits->renamed[root] != CNX_NONE)
        return;
    edits->renamed[root] = output;
    cnx_value *value = &graph->values[root];
    cnx_node *copier = &graph->nodes[graph->values[output].producer];
    graph->nodes[value->producer].outputs[value->producer_slot] = output;
    cnx_explain_node(edits->rewrite, graph, copier, "\"%s\" is made at once, in place of \"%s\"",
                     graph->values[output].name, value->name);
    if (value->is_output)
        become_identity(edits, copier, output, root);
    else
        copier->dead = true;
    edits->changed++;
}

/* `output` is a copy of `root`: gives it a definition that needs as little as possible. */
static void settle_output(cnx_edits *edits, uint32_t output, uint32_t root)
{
    cnx_graph *graph = edits->graph;
    cnx_value *value = &graph->values[root];
    if (value->producer != CNX_NONE)
        rename_root(edits, root);
    if (!is_forwarded(edits, output))
        return;
    cnx_node *copier = &graph->nodes[graph->values[output].producer];
    if (value->initializer != NULL && !value->is_input) {
        copier->dead = true;
        define_constant(edits, output, cnx_tensor_share(graph->model, value->initializer));
    } else if (edits->renamed[root] == CNX_NONE) {
        become_identity(edits, copier, root, output);
    } else if (edits->renamed[root] != output) {
        become_identity(edits, copier, edits->renamed[root], output);
    }
}

static void settle_outputs(cnx_edits *edits)
{
    cnx_graph *graph = edits->graph;
    edits->first = array_of_none(edits->arena, graph->value_count);
    edits->renamed = array_of_none(edits->arena, graph->value_count);
    edits->now = array_of_none(edits->arena, graph->value_count);
    for (uint32_t i = 0; i < graph->output_count; i++) {
        uint32_t root = edits->root[graph->outputs[i]];
        if (edits->first[root] == CNX_NONE)
            edits->first[root] = graph->outputs[i];
    }
    for (uint32_t i = 0; i < graph->output_count; i++)
        settle_output(edits, graph->outputs[i], edits->root[graph->outputs[i]]);
}

/* Captured values of a nested graph that became the same value of the graph around it become one. */
static void merge_captures(cnx_arena *arena, cnx_graph *nested)
{
    uint32_t *same = CNX_NEW_ARRAY(arena, uint32_t, nested->value_count);
    cnx_intern first; /* of captured values, by what they capture */
    cnx_intern_init(&first, arena);
    uint32_t *owners = CNX_NEW_ARRAY(arena, uint32_t, nested->value_count);
    for (uint32_t i = 0; i < nested->value_count; i++) {
        same[i] = i;
        const cnx_value *value = &nested->values[i];
        if (value->captured_from == CNX_NONE)
            continue;
        size_t known = first.count;
        uint32_t number = cnx_intern_add(&first, &value->captured_from, sizeof value->captured_from);
        if (number == known)
            owners[number] = i;
        same[i] = owners[number];
    }
    for (uint32_t i = 0; i < nested->output_count; i++)
        nested->outputs[i] = same[nested->outputs[i]];
    for (uint32_t id = 0; id < nested->node_count; id++) {
        cnx_node *node = &nested->nodes[id];
        for (uint32_t slot = 0; slot < node->input_count; slot++)
            if (node->inputs[slot] != CNX_NONE)
                node->inputs[slot] = same[node->inputs[slot]];
        for (uint32_t i = 0; i < node->subgraph_count; i++) {
            cnx_graph *inner = node->subgraphs[i].graph;
            for (uint32_t v = 0; v < inner->value_count; v++)
                if (inner->values[v].captured_from != CNX_NONE)
                    inner->values[v].captured_from = same[inner->values[v].captured_from];
            merge_captures(arena, inner);
        }
    }
}

void cnx_edit_captures(cnx_arena *scratch, cnx_graph *nested, const uint32_t *now)
{
    bool moved = false;
    for (uint32_t i = 0; i < nested->value_count; i++) {
        cnx_value *value = &nested->values[i];
        if (value->captured_from == CNX_NONE || now[value->captured_from] == value->captured_from)
            continue;
        value->captured_from = now[value->captured_from];
        moved = true;
    }
    if (moved)
        merge_captures(scratch, nested);
}

/* Copies that make no output go away; every reader of a copy reads the original. */
static void redirect(cnx_edits *edits)
{
    cnx_graph *graph = edits->graph;
    for (uint32_t i = 0; i < graph->value_count; i++) {
        edits->now[i] =
            edits->renamed[edits->root[i]] != CNX_NONE ? edits->renamed[edits->root[i]] : edits->root[i];
        if (!graph->values[i].is_output) /* an output stays what it was, also as a copy */
            cnx_trace_join(edits->rewrite, graph, edits->now[i], i);
    }
    for (uint32_t id = 0; id < graph->node_count; id++) {
        cnx_node *node = &graph->nodes[id];
        if (!node->dead && edits->forward[id] && !graph->values[node->outputs[0]].is_output) {
            uint32_t source = edits->now[node->outputs[0]];
            cnx_explain_node(edits->rewrite, graph, node, "\"%s\" is \"%s\"",
                             graph->values[node->outputs[0]].name, graph->values[source].name);
            node->dead = true;
            edits->changed++;
        }
        if (node->dead)
            continue;
        for (uint32_t slot = 0; slot < node->input_count; slot++)
            if (node->inputs[slot] != CNX_NONE)
                node->inputs[slot] = edits->now[node->inputs[slot]];
        for (uint32_t i = 0; i < node->subgraph_count; i++)
            cnx_edit_captures(edits->arena, node->subgraphs[i].graph, edits->now);
    }
}

size_t cnx_edits_apply(cnx_edits *edits)
{
    apply_simple(edits);
    if (edits->forward_count != 0) {
        settle_outputs(edits);
        redirect(edits);
    }
    size_t changed = edits->changed;
    cnx_arena_destroy(edits->arena);
    return changed;
}
