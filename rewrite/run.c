/* The runner: calls the rows of passes.def that were chosen, in order. */
#include "analyze/scaling/scaling.h"
#include "rewrite/factors/anchors.h"
#include "rewrite/names.h"
#include "rewrite/report.h"
#include "rewrite/trace.h"

#include <assert.h>

/* ROUNDS: only when asked, repeated with its neighbours. WEIGHTS: changes what is in tensors, no wiring. */
enum group { ONCE, REPEAT, ROUNDS, WEIGHTS };

typedef struct pass_row {
    const char *name;
    cnx_pass_function function;
    enum group group;
    unsigned needs;
    unsigned makes;
    unsigned breaks;
    bool idempotent;
    const char *summary;
} pass_row;

#define SIMPLE CNX_PROPERTY_SIMPLE
#define SEPARATE CNX_PROPERTY_SEPARATE
#define COMMUTED CNX_PROPERTY_COMMUTED
#define NUMBERED CNX_PROPERTY_NUMBERED

static const pass_row rows[] = {
#define PASS(symbol, name, group, needs, makes, breaks, idempotent, summary)                                 \
    {name, cnx_pass_##symbol, group, needs, makes, breaks, idempotent, summary},
#include "rewrite/passes.def"
#undef PASS
};

#define ROW_COUNT (sizeof rows / sizeof rows[0])

static const cnx_list_row list_rows[] = {
#define DETAIL_ONCE "once"
#define DETAIL_REPEAT "until nothing changes"
#define DETAIL_ROUNDS "opt-in, rounds"
#define DETAIL_WEIGHTS "once"
#define PASS(symbol, name, group, needs, makes, breaks, idempotent, summary) {name, DETAIL_##group, summary},
#include "rewrite/passes.def"
#undef PASS
#undef DETAIL_WEIGHTS
#undef DETAIL_ROUNDS
#undef DETAIL_REPEAT
#undef DETAIL_ONCE
};

size_t cnx_pass_list(const cnx_list_row **list)
{
    *list = list_rows;
    return ROW_COUNT;
}

/* ---- which passes ---- */

/* The number of the pass called so. */
static size_t find_row(const cnx_rewrite *rewrite, const char *name, size_t length)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (strlen(rows[i].name) == length && memcmp(rows[i].name, name, length) == 0)
            return i;
    cnx_fail(rewrite->model->arena, CNX_ERROR_USAGE, NULL,
             "there is no pass \"%.*s\" (canonnx list passes shows them)", length < 80 ? (int)length : 80,
             name);
}

/* Chooses passes by their names, with commas between them; with `opt_in`, only those that have to be asked
 * for. */
static void choose_listed(const cnx_rewrite *rewrite, const char *names, bool opt_in, bool chosen[ROW_COUNT])
{
    for (const char *name = names;; name++) {
        size_t length = strcspn(name, ","), row = find_row(rewrite, name, length);
        if (opt_in && rows[row].group != ROUNDS)
            cnx_fail(rewrite->model->arena, CNX_ERROR_USAGE, NULL,
                     "pass \"%s\" need not be asked for (expected one that canonnx list passes calls opt-in)",
                     rows[row].name);
        chosen[row] = true;
        name += length;
        if (*name == '\0')
            return;
    }
}

/* Reads "all of them" (NULL), "none", or names, and then opt-in passes (or NULL). Returns whether all that
 * need not be asked for are chosen. */
static bool choose(const cnx_rewrite *rewrite, const char *passes, const char *with, bool chosen[ROW_COUNT])
{
    bool all = true;
    for (size_t i = 0; i < ROW_COUNT; i++)
        chosen[i] = passes == NULL && rows[i].group != ROUNDS;
    if (passes != NULL && strcmp(passes, "none") != 0)
        choose_listed(rewrite, passes, false, chosen);
    if (with != NULL)
        choose_listed(rewrite, with, true, chosen);
    for (size_t i = 0; i < ROW_COUNT; i++)
        all = all && (chosen[i] || rows[i].group == ROUNDS);
    return all;
}

/* ---- running ---- */

/* After a pass that changed something: uses and order are found anew and, in debug builds, the wiring is
 * checked against the invariants of onnx/model.h. */
static void settle(cnx_rewrite *rewrite)
{
    cnx_model *model = rewrite->model;
    cnx_graph_index(model->graph);
    for (uint32_t i = 0; i < model->function_count; i++)
        cnx_graph_index(model->functions[i]);
#ifndef NDEBUG
    cnx_graph_check(model->graph);
    for (uint32_t i = 0; i < model->function_count; i++)
        cnx_graph_check(model->functions[i]);
#endif
    cnx_arena_destroy(rewrite->facts_arena);
    rewrite->facts_arena = NULL;
    rewrite->facts = rewrite->shapes = NULL;
}

static size_t run_row(cnx_rewrite *rewrite, const pass_row *row, unsigned *properties)
{
    size_t number = (size_t)(row - rows);
    cnx_trace_enter(rewrite->trace, number);
    size_t changed = row->function(rewrite);
    cnx_trace_leave(rewrite->trace, number, changed);
    if (changed != 0)
        *properties &= ~row->breaks;
    if (changed != 0 && row->group != WEIGHTS)
        settle(rewrite);
    return changed;
}

static bool is_repeated(const pass_row *row)
{
    return row->group == REPEAT || row->group == ROUNDS;
}

/* Where the rows that are repeated together with `first` end. */
static size_t end_of_group(size_t first)
{
    size_t end = first + 1;
    while (is_repeated(&rows[first]) && end < ROW_COUNT && is_repeated(&rows[end]))
        end++;
    return end;
}

/* Repeats rows[first] ... rows[end-1] until all of them are content. */
static void run_group(cnx_rewrite *rewrite, size_t first, size_t end, const bool chosen[ROW_COUNT],
                      unsigned *properties)
{
    size_t changed, rounded[ROW_COUNT] = {0};
    do {
        changed = 0;
        for (size_t i = first; i < end; i++) {
            size_t by_row = chosen[i] ? run_row(rewrite, &rows[i], properties) : 0;
            rounded[i] += rows[i].group == ROUNDS ? by_row : 0;
            changed += by_row;
        }
    } while (changed != 0 && is_repeated(&rows[first]));
    for (size_t i = first; i < end; i++) {
        if (chosen[i])
            *properties |= rows[i].makes;
        if (rounded[i] != 0)
            cnx_rewrite_note(rewrite, "rounds: %s, %zu %s; outputs agree with the original's up to rounding",
                             rows[i].name, rounded[i], rounded[i] == 1 ? "change" : "changes");
    }
}

/* What is too irregular to be described is not sorted. Where every tensor has one use, the model has no more
 * symmetries than its form, and all its members have that form. A tensor with several may forbid what makes
 * the form irregular, and leave the model more of the rest. */
static void refuse_irregular(cnx_rewrite *rewrite)
{
    cnx_model *model = rewrite->model;
    if (rewrite->irregular == 0 || !rewrite->shares || model->not_canonical != NULL)
        return;
    cnx_rewrite_refuse(rewrite, "%u classes could not be sorted, and tensors with several uses may be why",
                       rewrite->irregular);
}

void cnx_rewrite_run(cnx_rewrite *rewrite, const char *passes, const char *with)
{
    bool chosen[ROW_COUNT];
    bool all = choose(rewrite, passes, with, chosen);
    unsigned properties = 0;
    for (size_t i = 0, end; i < ROW_COUNT; i = end) {
        end = end_of_group(i);
        assert(!all || (rows[i].needs & ~properties) == 0);
        run_group(rewrite, i, end, chosen, &properties);
    }
    if (all) {
        refuse_irregular(rewrite);
        return;
    }
    if (passes != NULL && strcmp(passes, "none") == 0 && with == NULL) {
        rewrite->model->not_canonical = "no passes ran";
        return;
    }
    cnx_names_repair(rewrite);
    rewrite->model->not_canonical = "only some passes ran";
    cnx_rewrite_note(rewrite, "only some passes ran: the result is not canonical");
}

void cnx_rewrite_simplify(cnx_model *model)
{
    bool chosen[ROW_COUNT];
    unsigned properties = 0;
    cnx_rewrite rewrite = {.model = model, .arena = cnx_arena_create(model->arena)};
    cnx_report_begin(&rewrite); /* passes write notes */
    choose(&rewrite, NULL, NULL, chosen);
    for (size_t i = 0, end; i < ROW_COUNT && (properties & SEPARATE) == 0; i = end) {
        end = end_of_group(i);
        run_group(&rewrite, i, end, chosen, &properties);
    }
    cnx_arena_destroy(rewrite.arena);
}

void cnx_rewrite_structure(cnx_rewrite *rewrite)
{
    bool chosen[ROW_COUNT];
    unsigned properties = 0;
    choose(rewrite, NULL, NULL, chosen);
    for (size_t i = 0, end; rows[i].group != WEIGHTS; i = end) {
        end = end_of_group(i);
        run_group(rewrite, i, end, chosen, &properties);
    }
}

/* ---- what passes share ---- */

cnx_graph **cnx_rewrite_graphs(cnx_rewrite *rewrite, size_t *count)
{
    cnx_model *model = rewrite->model;
    cnx_graph **graphs = NULL;
    size_t capacity = 0;
    *count = 0;
    CNX_PUSH(rewrite->arena, graphs, *count, capacity, model->graph);
    for (uint32_t i = 0; i < model->function_count; i++)
        CNX_PUSH(rewrite->arena, graphs, *count, capacity, model->functions[i]);
    for (size_t next = 0; next < *count; next++) {
        const cnx_graph *graph = graphs[next];
        for (uint32_t i = 0; i < graph->order_count; i++) {
            const cnx_node *node = &graph->nodes[graph->order[i]];
            for (uint32_t k = 0; k < node->subgraph_count; k++)
                CNX_PUSH(rewrite->arena, graphs, *count, capacity, node->subgraphs[k].graph);
        }
    }
    return graphs;
}

static cnx_arena *facts_arena(cnx_rewrite *rewrite)
{
    if (rewrite->facts_arena == NULL)
        rewrite->facts_arena = cnx_arena_create(rewrite->arena);
    return rewrite->facts_arena;
}

const cnx_analysis *cnx_rewrite_shapes(cnx_rewrite *rewrite)
{
    if (rewrite->shapes == NULL)
        rewrite->shapes =
            rewrite->facts != NULL ? rewrite->facts : cnx_infer_shapes(facts_arena(rewrite), rewrite->model);
    return rewrite->shapes;
}

cnx_analysis *cnx_rewrite_facts(cnx_rewrite *rewrite)
{
    if (rewrite->facts == NULL) {
        rewrite->scalings = NULL;
        rewrite->colours = NULL;
        rewrite->facts = cnx_analyze(facts_arena(rewrite), rewrite->model);
    }
    return rewrite->facts;
}

const cnx_scalings *cnx_rewrite_scalings(cnx_rewrite *rewrite)
{
    cnx_analysis *facts = cnx_rewrite_facts(rewrite);
    if (rewrite->scalings == NULL)
        rewrite->scalings = cnx_find_scalings(rewrite->facts_arena, facts);
    return rewrite->scalings;
}

const uint64_t *cnx_rewrite_colours(cnx_rewrite *rewrite)
{
    const cnx_cells *cells = cnx_analysis_cells(cnx_rewrite_facts(rewrite));
    if (rewrite->colours == NULL)
        rewrite->colours = cnx_colour_points(rewrite->facts_arena, cells);
    return rewrite->colours;
}

void cnx_rewrite_note_sharing(cnx_rewrite *rewrite, const cnx_tensor *tensor)
{
    if (cnx_type_kind_of(tensor->type) == CNX_KIND_FLOAT && tensor->count > 1)
        rewrite->shares = true;
}

bool cnx_node_is(const cnx_node *node, const char *name)
{
    return node->function == NULL && node->domain[0] == '\0' && strcmp(node->op_type, name) == 0;
}

cnx_tensor *cnx_node_constant(const cnx_graph *graph, const cnx_node *node, uint32_t slot)
{
    if (slot >= node->input_count || node->inputs[slot] == CNX_NONE)
        return NULL;
    const cnx_value *value = &graph->values[node->inputs[slot]];
    return value->is_input ? NULL : value->initializer;
}
