/* Names that stay when something changes elsewhere.
 *
 * A name must follow from the structure, or equivalent models would have different texts, and a sequence
 * number over the whole model would change with every node that is inserted in front. So names are made of
 * landmarks:
 *
 *     Conv_64x3x7x7             a node that reads a weight of at least two axes is a landmark: its operator
 * and the weight's dims Conv_64x64x3x3_2          the second one of these, in the order of the text
 *     Conv_64x3x7x7_Relu        any other node is called after the landmark that its data come from, along
 * the longest way Conv_64x3x7x7_Relu_2      the second one there x_Shape                   there is only the
 * graph's input x Conv_64x3x7x7_in1         an initializer is called after its first reader and the place
 * there int64_3_5f0c6b2d          several nodes read it, and it has at most one axis: its type, dims and the
 * digest of its contents Split_1x2_out1            further outputs of a node Loop_8x8_body_in0         inside
 * a nested graph: the node that holds it and the attribute in front
 *
 * Numbers start over at every landmark, and landmarks of other dims have numbers of their own: a node that is
 * inserted renames at most the nodes of its operator behind it up to the next landmark, a landmark those of
 * the same operator and dims behind it. What follows from constants alone is called after the landmark that
 * reads it first.
 *
 * Names of graph inputs and outputs stay. Where a name is taken, underscores are appended. */
#include "rewrite/text/text_names.h"

#include "onnx/text.h"
#include "rewrite/digest/hashes.h"
#include "rewrite/permute.h"

#include <stdio.h>

enum { LONGEST_WORD = 64, DIGEST_DIGITS = 8 };

typedef struct namer {
    cnx_arena *arena;   /* names */
    cnx_arena *scratch; /* dies with the scope: the main graph or one function */
    cnx_listings *listings;
    bool floats_show; /* names may say something of the contents of floats */
    cnx_intern used;
    cnx_intern counted; /* names without their numbers */
    size_t counter_count, counter_capacity;
    uint32_t *counters; /* by place in `counted` */
} namer;

/* Names of one graph while they are made. */
typedef struct graph_names {
    namer *work;
    cnx_outline *outline;
    cnx_listing *listing;
    cnx_graph *graph;
    const char *prefix;
    const char **landmark; /* by node: the name of its landmark, or of the input, NULL when there is none */
    bool *is_landmark;     /* by node */
    const char **names;    /* by node */
    bool *named;           /* by value */
} graph_names;

/* ---- words ---- */

/* Letters, digits and underscores of a text, underscores for all else, cut to what a name can bear. */
static const char *spell(cnx_arena *arena, const char *text)
{
    char word[LONGEST_WORD + 1];
    size_t length = strnlen(text, LONGEST_WORD);
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        word[i] = plain ? c : '_';
    }
    word[length] = '\0';
    return cnx_copy_text(arena, word);
}

static const char *dims_word(cnx_arena *arena, const cnx_tensor *tensor)
{
    const char *word = "";
    for (uint32_t i = 0; i < tensor->rank; i++)
        word = cnx_print(arena, "%s%s%lld", word, i == 0 ? "" : "x", (long long)tensor->dims[i]);
    return word;
}

static const char *unique(namer *work, const char *wanted)
{
    for (;;) {
        size_t known = work->used.count;
        if (cnx_intern_add(&work->used, wanted, strlen(wanted)) == known)
            return cnx_copy_text(work->arena, wanted);
        wanted = cnx_print(work->scratch, "%s_", wanted);
    }
}

/* `name`, `name_2`, `name_3` ... */
static const char *next_name(namer *work, const char *name)
{
    uint32_t number = cnx_intern_add(&work->counted, name, strlen(name));
    if (number == work->counter_count)
        CNX_PUSH(work->scratch, work->counters, work->counter_count, work->counter_capacity, 0);
    uint32_t count = ++work->counters[number];
    return unique(work, count == 1 ? name : cnx_print(work->scratch, "%s_%u", name, count));
}

/* ---- landmarks ---- */

static const cnx_node *node_of(const graph_names *of, uint32_t position, uint32_t *id)
{
    *id = of->listing->nodes[position];
    return &of->graph->nodes[*id];
}

/* The weight that makes a node a landmark, or NULL. */
static const cnx_tensor *own_weight(const graph_names *of, const cnx_node *node, uint32_t id)
{
    const cnx_tensor *weight = NULL;
    for (uint32_t slot = 0; of->outline->depth[id] != 0 && slot < node->input_count; slot++) {
        uint32_t value = node->inputs[slot];
        const cnx_tensor *other = value == CNX_NONE ? NULL : of->outline->weight[value];
        if (other != NULL && (weight == NULL || other->rank > weight->rank))
            weight = other;
    }
    return weight;
}

/* The operand that a node is called after: the first that is not constant, or, where operands have no order
 * of their own, the deepest, which stands last. CNX_NONE when all are constant. */
static uint32_t main_operand(const graph_names *of, uint32_t id)
{
    const cnx_node *node = &of->graph->nodes[id];
    bool commutes = cnx_node_commutes(node);
    uint32_t found = CNX_NONE;
    for (uint32_t slot = 0; slot < node->input_count && (commutes || found == CNX_NONE); slot++) {
        uint32_t value = of->listing->inputs[id][slot];
        if (value != CNX_NONE && !of->outline->constant[value])
            found = value;
    }
    return found;
}

/* The landmark of what a node computes on. */
static const char *landmark_above(const graph_names *of, uint32_t id)
{
    uint32_t value = main_operand(of, id);
    if (value == CNX_NONE)
        return NULL;
    uint32_t producer = of->graph->values[value].producer;
    if (producer != CNX_NONE)
        return of->landmark[producer];
    return of->graph->values[value].is_input ? spell(of->work->scratch, of->listing->values[value]) : NULL;
}

/* Constant nodes, from the last to the first, take over the landmark of the one that reads them first. */
static void hand_down(const graph_names *of, uint32_t id)
{
    const cnx_node *node = &of->graph->nodes[id];
    for (uint32_t slot = 0; slot < node->input_count; slot++) {
        uint32_t value = of->listing->inputs[id][slot];
        uint32_t producer = value == CNX_NONE ? CNX_NONE : of->graph->values[value].producer;
        if (producer != CNX_NONE && of->outline->depth[producer] == 0)
            of->landmark[producer] = of->landmark[id];
    }
}

static void find_landmarks(const graph_names *of)
{
    namer *work = of->work;
    uint32_t id;
    for (uint32_t i = 0; i < of->listing->node_count; i++) {
        const cnx_node *node = node_of(of, i, &id);
        const cnx_tensor *weight = own_weight(of, node, id);
        if (weight == NULL) {
            of->landmark[id] = of->outline->depth[id] == 0 ? NULL : landmark_above(of, id);
            continue;
        }
        const char *name = cnx_print(work->scratch, "%s%s_%s", of->prefix,
                                     spell(work->scratch, node->op_type), dims_word(work->scratch, weight));
        of->names[id] = next_name(work, name);
        of->landmark[id] = of->names[id];
        of->is_landmark[id] = true;
    }
    for (uint32_t i = of->listing->node_count; i-- > 0;) {
        node_of(of, i, &id);
        hand_down(of, id);
    }
}

static void name_other_nodes(const graph_names *of)
{
    namer *work = of->work;
    for (uint32_t i = 0; i < of->listing->node_count; i++) {
        uint32_t id;
        const cnx_node *node = node_of(of, i, &id);
        if (of->is_landmark[id])
            continue;
        const char *op = spell(work->scratch, node->op_type);
        const char *name = of->landmark[id] == NULL ? cnx_print(work->scratch, "%s%s", of->prefix, op)
                                                    : cnx_print(work->scratch, "%s_%s", of->landmark[id], op);
        of->names[id] = next_name(work, name);
    }
}

/* ---- values ---- */

static void name_value(const graph_names *of, uint32_t id, const char *wanted)
{
    of->named[id] = true;
    of->listing->values[id] = unique(of->work, wanted);
}

/* What has its name from elsewhere: the interface of the main graph, captured values. */
static void keep_names(const graph_names *of)
{
    bool interface = of->graph->parent == NULL && of->graph->function == NULL;
    const cnx_listing *outer = of->outline->outer == NULL ? NULL : of->outline->outer->listing;
    for (uint32_t i = 0; i < of->graph->value_count; i++) {
        const cnx_value *value = &of->graph->values[i];
        if (value->captured_from != CNX_NONE && outer != NULL) {
            of->listing->values[i] = outer->values[value->captured_from];
            of->named[i] = true;
        } else if (interface && (value->is_input || value->is_output)) {
            cnx_intern_add(&of->work->used, value->name, strlen(value->name));
            of->named[i] = true;
        }
    }
}

static void name_ports(const graph_names *of, const uint32_t *ids, uint32_t count, const char *kind)
{
    for (uint32_t i = 0; i < count; i++)
        if (!of->named[ids[i]])
            name_value(of, ids[i], cnx_print(of->work->scratch, "%s%s%u", of->prefix, kind, i));
}

static void name_outputs(const graph_names *of, const cnx_node *node, uint32_t id)
{
    for (uint32_t slot = 0; slot < node->output_count; slot++) {
        uint32_t value = node->outputs[slot];
        if (value == CNX_NONE || of->named[value])
            continue;
        if (slot != 0) {
            name_value(of, value, cnx_print(of->work->scratch, "%s_out%u", of->names[id], slot));
            continue;
        }
        of->named[value] = true; /* the node's own name, which is taken for this */
        of->listing->values[value] = of->names[id];
    }
}

static const char *content_name(const graph_names *of, cnx_tensor *tensor)
{
    char digest[33];
    cnx_tensor_digest(of->graph->model, tensor, cnx_tensor_read, digest);
    digest[DIGEST_DIGITS] = '\0';
    const char *type = cnx_type_name(tensor->type), *dims = dims_word(of->work->scratch, tensor);
    return cnx_print(of->work->scratch, "%s%s%s_%s", type, tensor->rank == 0 ? "" : "_", dims, digest);
}

static bool is_named_by_contents(const graph_names *of, const cnx_value *value)
{
    if (value->use_count <= 1 || value->initializer == NULL || value->initializer->rank > 1)
        return false;
    cnx_type_kind kind = cnx_type_kind_of(value->initializer->type);
    return of->work->floats_show || (kind != CNX_KIND_FLOAT && kind != CNX_KIND_COMPLEX);
}

/* An initializer that is met for the first time: its name, and its place in the list. */
static void name_initializer(const graph_names *of, uint32_t id, const char *wanted, uint32_t *count)
{
    const cnx_value *value = &of->graph->values[id];
    if (value->initializer == NULL && value->sparse_initializer == NULL)
        return;
    name_value(of, id, is_named_by_contents(of, value) ? content_name(of, value->initializer) : wanted);
    of->listing->initializers[(*count)++] = id;
}

static void name_operands(const graph_names *of, const cnx_node *node, uint32_t id, uint32_t *count)
{
    namer *work = of->work;
    const cnx_outline *outline = of->outline;
    for (uint32_t slot = 0; slot < node->input_count; slot++) {
        uint32_t value = of->listing->inputs[id][slot];
        if (value != CNX_NONE && !of->named[value])
            name_initializer(of, value, cnx_print(work->scratch, "%s_in%u", of->names[id], slot), count);
    }
    uint32_t first = outline->first_capture[id];
    for (uint32_t i = first; i < outline->first_capture[id + 1]; i++)
        if (!of->named[outline->captures[i]])
            name_initializer(of, outline->captures[i],
                             cnx_print(work->scratch, "%s_capture%u", of->names[id], i - first), count);
}

/* Initializers of the interface come first, then those that nodes read, then what is left. */
static void name_values(const graph_names *of)
{
    cnx_graph *graph = of->graph;
    uint32_t count = 0;
    uint32_t *order = CNX_NEW_ARRAY(of->work->arena, uint32_t, graph->initializer_count);
    const uint32_t *stored = of->listing->initializers;
    of->listing->initializers = order;
    for (uint32_t i = 0; i < graph->initializer_count; i++)
        if (of->named[stored[i]])
            order[count++] = stored[i];
    for (uint32_t i = 0; i < of->listing->node_count; i++) {
        uint32_t id;
        const cnx_node *node = node_of(of, i, &id);
        name_operands(of, node, id, &count);
        name_outputs(of, node, id);
    }
    name_ports(of, graph->outputs, graph->output_count, "out");
    bool *listed = CNX_NEW_ARRAY(of->work->scratch, bool, graph->value_count);
    for (uint32_t i = 0; i < count; i++)
        listed[order[i]] = true;
    for (uint32_t i = 0; i < graph->initializer_count; i++)
        if (!listed[stored[i]])
            order[count++] = stored[i];
}

/* ---- graphs ---- */

static void name_graph(namer *work, cnx_graph *graph, cnx_outline *outer, const char *prefix)
{
    graph_names of = {.work = work,
                      .graph = graph,
                      .prefix = prefix,
                      .listing = cnx_listing_of(work->listings, graph),
                      .landmark = CNX_NEW_ARRAY(work->scratch, const char *, graph->node_count),
                      .is_landmark = CNX_NEW_ARRAY(work->scratch, bool, graph->node_count),
                      .names = CNX_NEW_ARRAY(work->scratch, const char *, graph->node_count),
                      .named = CNX_NEW_ARRAY(work->scratch, bool, graph->value_count)};
    of.outline = cnx_outline_create(work->arena, of.listing, outer);
    for (uint32_t i = 0; i < graph->node_count; i++)
        of.listing->labels[i] = NULL; /* a node is known by its outputs */
    keep_names(&of);
    name_ports(&of, graph->inputs, graph->input_count, "in");
    find_landmarks(&of);
    name_other_nodes(&of);
    name_values(&of);
    for (uint32_t i = 0; i < of.listing->node_count; i++) {
        uint32_t id;
        const cnx_node *node = node_of(&of, i, &id);
        for (uint32_t k = 0; k < node->subgraph_count; k++) {
            const cnx_subgraph *subgraph = &node->subgraphs[k];
            const char *name = spell(work->arena, subgraph->attribute->name);
            if (subgraph->attribute->n_graphs != 0)
                name = cnx_print(work->arena, "%s%u", name, subgraph->position);
            cnx_listing_of(work->listings, subgraph->graph)->name = name;
            name_graph(work, subgraph->graph, of.outline,
                       cnx_print(work->scratch, "%s_%s_", of.names[id], name));
        }
    }
}

static void name_scope(cnx_listings *listings, cnx_graph *graph, bool floats_show)
{
    namer work = {.arena = listings->arena,
                  .scratch = cnx_arena_create(listings->arena),
                  .listings = listings,
                  .floats_show = floats_show};
    cnx_intern_init(&work.used, work.scratch);
    cnx_intern_init(&work.counted, work.scratch);
    name_graph(&work, graph, NULL, "");
    cnx_arena_destroy(work.scratch);
}

void cnx_text_names(cnx_model *model, cnx_listings *listings, cnx_text_weights weights)
{
    name_scope(listings, model->graph, weights != CNX_TEXT_NONE);
    for (uint32_t i = 0; i < model->function_count; i++)
        name_scope(listings, model->functions[i], weights != CNX_TEXT_NONE);
}
