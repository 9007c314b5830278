/* Runs the table of matchers over a model and puts what they find in order. */
#include "analyze/blocks/matcher.h"

#include <inttypes.h>
#include <stdlib.h>

#define MAX_STEPS_OF_WALKS 4000000u
#define MAX_SAID_OPERATORS 4u

static const struct block_row {
    bool (*match)(cnx_matcher *m, uint32_t node);
    const char *kind;
} BLOCK_ROWS[] = {
#define BLOCK(function, kind, summary) {cnx_match_##function, kind},
#include "analyze/blocks/blocks.def"
};

static const struct gathered_row {
    bool (*gather)(const cnx_matcher *m, uint32_t node);
    const char *kind;
} GATHERED_ROWS[] = {
#define GATHERED(function, kind, summary) {cnx_gather_##function, kind},
#include "analyze/blocks/blocks.def"
};

#define ROW_COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* A block as it was matched. */
typedef struct raw_block {
    const cnx_view *view;
    const char *kind;
    const char *detail;
    uint32_t position; /* of its first node */
    size_t node_count;
    const uint32_t *nodes;
} raw_block;

typedef struct gathered_node {
    const cnx_view *view;
    uint32_t node;
} gathered_node;

/* What all views share while the blocks are found. */
typedef struct search {
    cnx_matcher matcher;
    size_t raw_count, raw_capacity;
    raw_block *raw;
    size_t kind_count, kind_capacity;
    const char **kinds; /* of raw, for cnx_kind_of_owner */
    cnx_intern counted; /* parameter tensors, by address */
    cnx_dim unknown;    /* stands for every unknown count, so that sums of many stay small */
    size_t found_count, found_capacity;
    cnx_block_found *found;
    size_t left_count, left_capacity;
    cnx_node_reference *left; /* gathered by no row */
    size_t rest_count[ROW_COUNT(GATHERED_ROWS)], rest_capacity[ROW_COUNT(GATHERED_ROWS)];
    gathered_node *rest[ROW_COUNT(GATHERED_ROWS)];
} search;

/* ---- matching ---- */

/* Adds the nodes that only prepare weights of what is taken: `taken` grows while it is walked. */
static void take_weight_nodes(cnx_matcher *m)
{
    for (size_t i = 0; i < m->taken_count; i++) {
        const cnx_node *node = cnx_node_at(m, m->taken[i]);
        for (uint32_t j = 0; j < node->input_count; j++) {
            uint32_t producer = cnx_producer(m, node->inputs[j]);
            if (producer != CNX_NONE && cnx_is_weight(m, node->inputs[j]) &&
                cnx_op(m, producer) != OP_Constant)
                cnx_take(m, producer);
        }
    }
}

static int compare_numbers(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Sorts node ids by position. */
static void sort_nodes(const cnx_view *view, uint32_t *nodes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        nodes[i] = view->positions[nodes[i]];
    qsort(nodes, count, sizeof nodes[0], compare_numbers);
    for (size_t i = 0; i < count; i++)
        nodes[i] = view->graph->order[nodes[i]];
}

static void keep_match(search *s)
{
    cnx_matcher *m = &s->matcher;
    size_t main_count = m->taken_count;
    take_weight_nodes(m);
    uint32_t *nodes = CNX_NEW_ARRAY(m->arena, uint32_t, m->taken_count);
    memcpy(nodes, m->taken, m->taken_count * sizeof nodes[0]);
    sort_nodes(m->view, nodes, main_count);
    sort_nodes(m->view, nodes + main_count, m->taken_count - main_count);
    if (m->view->where[0] != '\0')
        cnx_say(m, "in %s", m->view->where);
    for (size_t i = 0; i < m->taken_count; i++)
        m->view->owners[nodes[i]] = (uint32_t)s->raw_count;
    raw_block raw = {.view = m->view,
                     .kind = m->kind,
                     .detail = m->detail,
                     .position = m->view->positions[nodes[0]],
                     .node_count = m->taken_count,
                     .nodes = nodes};
    CNX_PUSH(m->arena, s->raw, s->raw_count, s->raw_capacity, raw);
    CNX_PUSH(m->arena, s->kinds, s->kind_count, s->kind_capacity, m->kind);
    m->kinds = s->kinds;
}

static void match_row(search *s, const struct block_row *row)
{
    cnx_matcher *m = &s->matcher;
    for (uint32_t i = 0; i < m->view->graph->order_count; i++) {
        uint32_t node = m->view->graph->order[i];
        if (!cnx_is_free(m, node))
            continue;
        m->taken_count = 0;
        m->detail = "";
        m->kind = row->kind;
        if (row->match(m, node) && m->taken_count != 0)
            keep_match(s);
    }
}

static void match_view(search *s, cnx_view *view)
{
    s->matcher.view = view;
    for (size_t i = 0; i < ROW_COUNT(BLOCK_ROWS); i++)
        match_row(s, &BLOCK_ROWS[i]);
    for (uint32_t i = 0; i < view->child_count; i++)
        match_view(s, view->children[i]);
}

/* ---- counting ---- */

static cnx_dim macs_of_node(search *s, const cnx_view *view, uint32_t node)
{
    cnx_dims *dims = s->matcher.dims;
    cnx_dim macs = view->macs[node];
    return cnx_dim_has_unknown(dims, macs) ? cnx_dim_add(dims, cnx_dim_known_part(dims, macs), s->unknown)
                                           : macs;
}

/* Elements of a parameter, when nothing before has counted it. */
static uint64_t count_parameter(search *s, const cnx_view *view, uint32_t value)
{
    const cnx_tensor *tensor = value == CNX_NONE ? NULL : view->parameters[value];
    size_t before = s->counted.count;
    bool is_new = tensor != NULL && cnx_intern_add(&s->counted, &tensor, sizeof tensor) == before;
    return is_new ? tensor->count : 0;
}

/* Elements of the parameters that a node reads, and nothing before it. */
static uint64_t count_parameters(search *s, const cnx_view *view, uint32_t id)
{
    const cnx_node *node = &view->graph->nodes[id];
    uint64_t elements = 0;
    for (uint32_t i = 0; i < node->input_count; i++)
        elements += count_parameter(s, view, node->inputs[i]);
    return elements;
}

static bool reads_parameters(const cnx_view *view, uint32_t id)
{
    const cnx_node *node = &view->graph->nodes[id];
    for (uint32_t i = 0; i < node->input_count; i++)
        if (node->inputs[i] != CNX_NONE && view->parameters[node->inputs[i]] != NULL)
            return true;
    return false;
}

static void emit_block(search *s, const raw_block *raw)
{
    cnx_matcher *m = &s->matcher;
    cnx_node_reference *nodes = CNX_NEW_ARRAY(m->arena, cnx_node_reference, raw->node_count);
    cnx_block_found found = {.kind = raw->kind,
                             .detail = raw->detail,
                             .node_count = raw->node_count,
                             .nodes = nodes,
                             .macs = cnx_dim_number(m->dims, 0)};
    bool has_parameters = false;
    for (size_t i = 0; i < raw->node_count; i++) {
        nodes[i] = (cnx_node_reference){raw->view->graph, raw->nodes[i]};
        has_parameters |= reads_parameters(raw->view, raw->nodes[i]);
        found.parameters += count_parameters(s, raw->view, raw->nodes[i]);
        found.macs = cnx_dim_add(m->dims, found.macs, macs_of_node(s, raw->view, raw->nodes[i]));
    }
    if (has_parameters && found.parameters == 0)
        found.detail = cnx_print(m->arena, "%s, parameters of an earlier block", found.detail);
    CNX_PUSH(m->arena, s->found, s->found_count, s->found_capacity, found);
}

/* ---- order ---- */

static void gather_node(search *s, uint32_t node)
{
    cnx_matcher *m = &s->matcher;
    gathered_node gathered = {m->view, node};
    for (size_t i = 0; i < ROW_COUNT(GATHERED_ROWS); i++)
        if (GATHERED_ROWS[i].gather(m, node)) {
            CNX_PUSH(m->arena, s->rest[i], s->rest_count[i], s->rest_capacity[i], gathered);
            return;
        }
    cnx_node_reference left = {m->view->graph, node};
    CNX_PUSH(m->arena, s->left, s->left_count, s->left_capacity, left);
}

/* Emits the blocks of a view at their first node; those of nested graphs behind the node that holds them. */
static void emit_view(search *s, cnx_view *view)
{
    const cnx_graph *graph = view->graph;
    for (uint32_t i = 0; i < graph->order_count; i++) {
        uint32_t node = graph->order[i], owner = view->owners[node];
        s->matcher.view = view;
        if (owner == CNX_NONE)
            gather_node(s, node);
        else if (s->raw[owner].position == i)
            emit_block(s, &s->raw[owner]);
        for (uint32_t j = 0; j < graph->nodes[node].subgraph_count; j++)
            emit_view(s, view->children[view->first_child[node] + j]);
    }
}

typedef struct operator_tally {
    const char *name;
    size_t count;
    size_t first;
} operator_tally;

static int compare_tallies(const void *left, const void *right)
{
    const operator_tally *a = left, *b = right;
    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    return a->first < b->first ? -1 : a->first > b->first;
}

/* "1234 Constant, 56 Shape, 7 more" */
static const char *tally_text(cnx_arena *arena, const cnx_node_reference *nodes, size_t count)
{
    cnx_intern names;
    cnx_intern_init(&names, arena);
    size_t kinds = 0, capacity = 0;
    operator_tally *tallies = NULL;
    for (size_t i = 0; i < count; i++) {
        const char *name = nodes[i].graph->nodes[nodes[i].node].op_type;
        uint32_t index = cnx_intern_add(&names, name, strlen(name));
        operator_tally fresh = {.name = name, .first = i};
        if (index == kinds)
            CNX_PUSH(arena, tallies, kinds, capacity, fresh);
        tallies[index].count++;
    }
    if (kinds != 0)
        qsort(tallies, kinds, sizeof tallies[0], compare_tallies);
    const char *text = "";
    size_t said = 0;
    for (size_t i = 0; i < kinds && i < MAX_SAID_OPERATORS; i++) {
        text = cnx_print(arena, "%s%s%zu %s", text, i == 0 ? "" : ", ", tallies[i].count, tallies[i].name);
        said += tallies[i].count;
    }
    return said == count ? text : cnx_print(arena, "%s, %zu more", text, count - said);
}

/* Parameters count here when no block reads them: a constant that is an output, say. */
static void emit_row(search *s, const char *kind, const gathered_node *gathered, size_t count)
{
    cnx_matcher *m = &s->matcher;
    cnx_node_reference *nodes = CNX_NEW_ARRAY(m->arena, cnx_node_reference, count);
    cnx_block_found found = {
        .kind = kind, .node_count = count, .nodes = nodes, .macs = cnx_dim_number(m->dims, 0)};
    for (size_t i = 0; i < count; i++) {
        const cnx_view *view = gathered[i].view;
        nodes[i] = (cnx_node_reference){view->graph, gathered[i].node};
        found.parameters += count_parameters(s, view, gathered[i].node);
        const cnx_node *node = &view->graph->nodes[gathered[i].node];
        for (uint32_t j = 0; j < node->output_count; j++)
            found.parameters += count_parameter(s, view, node->outputs[j]);
    }
    found.detail = tally_text(m->arena, nodes, count);
    CNX_PUSH(m->arena, s->found, s->found_count, s->found_capacity, found);
}

static void emit_gathered(search *s)
{
    for (size_t i = 0; i < ROW_COUNT(GATHERED_ROWS); i++)
        if (s->rest_count[i] != 0)
            emit_row(s, GATHERED_ROWS[i].kind, s->rest[i], s->rest_count[i]);
}

/* ---- the cost of an evaluation ---- */

static cnx_dim macs_of_view(search *s, const cnx_view *view);

/* How often a Loop or Scan runs its body; unknown when the file does not say. */
static cnx_dim trips_of(search *s, const cnx_view *view, const cnx_node *node)
{
    if (strcmp(node->op_type, "Loop") == 0 && node->input_count != 0 && node->inputs[0] != CNX_NONE) {
        const cnx_fact *fact = &view->facts[node->inputs[0]];
        return fact->has_content && fact->content_count == 1 ? fact->content[0] : s->unknown;
    }
    int64_t scanned = cnx_attribute_int(view->graph, node, "num_scan_inputs", 0);
    if (strcmp(node->op_type, "Scan") != 0 || scanned <= 0 || scanned > node->input_count)
        return s->unknown;
    size_t count;
    const int64_t *axes = cnx_attribute_ints(view->graph, node, "scan_input_axes", &count);
    uint32_t value = node->inputs[node->input_count - (uint32_t)scanned];
    const cnx_fact *fact = value == CNX_NONE ? NULL : &view->facts[value];
    int64_t axis = count != 0 ? axes[0] : 0;
    if (fact == NULL || !fact->known || axis < 0 || axis >= (int64_t)fact->rank)
        return s->unknown;
    return fact->axes[axis].extent;
}

static cnx_dim macs_of_nested(search *s, const cnx_view *view, uint32_t id)
{
    const cnx_node *node = &view->graph->nodes[id];
    cnx_dims *dims = s->matcher.dims;
    cnx_dim macs = cnx_dim_number(dims, 0);
    for (uint32_t i = 0; i < node->subgraph_count; i++) {
        cnx_dim body = macs_of_view(s, view->children[view->first_child[id] + i]);
        macs =
            strcmp(node->op_type, "If") == 0 ? cnx_dim_max(dims, macs, body) : cnx_dim_add(dims, macs, body);
    }
    if (strcmp(node->op_type, "If") == 0 || cnx_dim_equals(dims, macs, 0))
        return macs;
    return cnx_dim_multiply(dims, macs, trips_of(s, view, node));
}

static cnx_dim macs_of_view(search *s, const cnx_view *view)
{
    cnx_dims *dims = s->matcher.dims;
    cnx_dim macs = cnx_dim_number(dims, 0);
    for (uint32_t i = 0; i < view->graph->order_count; i++) {
        uint32_t node = view->graph->order[i];
        macs = cnx_dim_add(dims, macs, macs_of_node(s, view, node));
        if (view->graph->nodes[node].subgraph_count != 0)
            macs = cnx_dim_add(dims, macs, macs_of_nested(s, view, node));
    }
    return macs;
}

const cnx_blocks *cnx_find_blocks(cnx_arena *arena, cnx_analysis *analysis)
{
    search *s = CNX_NEW(arena, search);
    s->matcher = (cnx_matcher){
        .arena = arena, .analysis = analysis, .dims = analysis->dims, .steps_left = MAX_STEPS_OF_WALKS};
    s->unknown = cnx_dim_fresh(analysis->dims);
    cnx_intern_init(&s->counted, arena);
    cnx_model *model = analysis->model;
    cnx_view *main_view = cnx_view_create(arena, analysis, model->graph, NULL, "");
    match_view(s, main_view);
    emit_view(s, main_view);
    for (uint32_t i = 0; i < model->function_count; i++) {
        const char *name = model->functions[i]->function->name;
        cnx_view *view = cnx_view_create(arena, analysis, model->functions[i], NULL,
                                         cnx_print(arena, "function %s", name == NULL ? "" : name));
        match_view(s, view);
        emit_view(s, view);
    }
    emit_gathered(s);
    cnx_blocks *blocks = CNX_NEW(arena, cnx_blocks);
    *blocks = (cnx_blocks){.count = s->found_count,
                           .blocks = s->found,
                           .unassigned_count = s->left_count,
                           .unassigned = s->left,
                           .macs = macs_of_view(s, main_view)};
    return blocks;
}
