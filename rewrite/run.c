/* The runner: calls the rows of passes.def that were chosen, in order. */
#include "analyze/analysis.h"
#include "rewrite/names.h"
#include "rewrite/report.h"
#include "rewrite/trace.h"

#include <assert.h>

enum group { ONCE, REPEAT };

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
#define PASS(symbol, name, group, needs, makes, breaks, idempotent, summary) {name, DETAIL_##group, summary},
#include "rewrite/passes.def"
#undef PASS
#undef DETAIL_REPEAT
#undef DETAIL_ONCE
};

size_t cnx_pass_list(const cnx_list_row **list)
{
    *list = list_rows;
    return ROW_COUNT;
}

/* ---- which passes ---- */

static void choose_one(const cnx_rewrite *rewrite, const char *name, size_t length, bool chosen[ROW_COUNT])
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (strlen(rows[i].name) == length && memcmp(rows[i].name, name, length) == 0) {
            chosen[i] = true;
            return;
        }
    }
    cnx_fail(rewrite->model->arena, CNX_ERROR_USAGE, NULL,
             "there is no pass \"%.*s\" (canonnx list passes shows them)", length < 80 ? (int)length : 80,
             name);
}

/* Reads "all of them" (NULL), "none", or names with commas between them. Returns whether all are chosen. */
static bool choose(const cnx_rewrite *rewrite, const char *passes, bool chosen[ROW_COUNT])
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        chosen[i] = passes == NULL;
    if (passes == NULL || strcmp(passes, "none") == 0)
        return passes == NULL;
    for (const char *name = passes;; name++) {
        size_t length = strcspn(name, ",");
        choose_one(rewrite, name, length, chosen);
        name += length;
        if (*name == '\0')
            break;
    }
    bool all = true;
    for (size_t i = 0; i < ROW_COUNT; i++)
        all = all && chosen[i];
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
    rewrite->facts = NULL;
}

static size_t run_row(cnx_rewrite *rewrite, const pass_row *row, unsigned *properties)
{
    size_t number = (size_t)(row - rows);
    cnx_trace_enter(rewrite->trace, number);
    size_t changed = row->function(rewrite);
    cnx_trace_leave(rewrite->trace, number, changed);
    if (changed != 0) {
        *properties &= ~row->breaks;
        settle(rewrite);
    }
    return changed;
}

/* Where the rows that are repeated together with `first` end. */
static size_t end_of_group(size_t first)
{
    size_t end = first + 1;
    while (rows[first].group == REPEAT && end < ROW_COUNT && rows[end].group == REPEAT)
        end++;
    return end;
}

/* Repeats rows[first] ... rows[end-1] until all of them are content. */
static void run_group(cnx_rewrite *rewrite, size_t first, size_t end, const bool chosen[ROW_COUNT],
                      unsigned *properties)
{
    size_t changed;
    do {
        changed = 0;
        for (size_t i = first; i < end; i++)
            if (chosen[i])
                changed += run_row(rewrite, &rows[i], properties);
    } while (changed != 0 && rows[first].group == REPEAT);
    for (size_t i = first; i < end; i++)
        if (chosen[i])
            *properties |= rows[i].makes;
}

void cnx_rewrite_run(cnx_rewrite *rewrite, const char *passes)
{
    bool chosen[ROW_COUNT];
    bool all = choose(rewrite, passes, chosen);
    unsigned properties = 0;
    for (size_t i = 0, end; i < ROW_COUNT; i = end) {
        end = end_of_group(i);
        assert(!all || (rows[i].needs & ~properties) == 0);
        run_group(rewrite, i, end, chosen, &properties);
    }
    if (all)
        return;
    if (strcmp(passes, "none") == 0) {
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
    for (size_t i = 0; i < ROW_COUNT; i++)
        chosen[i] = true;
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
    for (size_t i = 0; i < ROW_COUNT; i++)
        chosen[i] = true;
    for (size_t i = 0, end; rows[i].function != cnx_pass_permutations; i = end) {
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

const cnx_analysis *cnx_rewrite_facts(cnx_rewrite *rewrite)
{
    if (rewrite->facts == NULL) {
        rewrite->facts_arena = cnx_arena_create(rewrite->arena);
        rewrite->facts = cnx_analyze(rewrite->facts_arena, rewrite->model);
    }
    return rewrite->facts;
}

bool cnx_node_is(const cnx_node *node, const char *name)
{
    return node->function == NULL && node->domain[0] == '\0' && strcmp(node->op_type, name) == 0;
}
