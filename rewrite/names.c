#include "rewrite/names.h"

typedef struct repair {
    cnx_arena *arena; /* the model's */
    cnx_intern names;
    size_t count, capacity;
    bool *visible; /* by name: some value has it here */
} repair;

static uint32_t number_of(repair *work, const char *name)
{
    uint32_t number = cnx_intern_add(&work->names, name, strlen(name));
    if (number == work->count)
        CNX_PUSH(work->names.arena, work->visible, work->count, work->capacity, false);
    return number;
}

static bool is_defined_here(const cnx_value *value)
{
    bool needed = value->use_count != 0 || value->is_input || value->is_output ||
                  value->producer != CNX_NONE || value->initializer != NULL ||
                  value->sparse_initializer != NULL;
    return needed && value->captured_from == CNX_NONE;
}

static void enter_value(repair *work, cnx_value *value, bool keep, uint32_t **entered, size_t *count,
                        size_t *capacity)
{
    uint32_t number = number_of(work, value->name);
    for (uint32_t k = 1; !keep && work->visible[number]; k++) {
        const char *name = cnx_print(work->arena, "%s__%u", value->name, k);
        number = number_of(work, name);
        if (!work->visible[number])
            value->name = name;
    }
    work->visible[number] = true;
    CNX_PUSH(work->names.arena, *entered, *count, *capacity, number);
}

static void repair_graph(repair *work, cnx_graph *graph)
{
    uint32_t *entered = NULL;
    size_t count = 0;
    size_t capacity = 0;
    bool interface = graph->parent == NULL && graph->function == NULL;
    for (int turn = 0; turn < 2; turn++) { /* the interface first */
        for (uint32_t i = 0; i < graph->value_count; i++) {
            cnx_value *value = &graph->values[i];
            bool keep = interface && (value->is_input || value->is_output);
            if (is_defined_here(value) && keep == (turn == 0))
                enter_value(work, value, keep, &entered, &count, &capacity);
        }
    }
    for (uint32_t i = 0; i < graph->order_count; i++) {
        const cnx_node *node = &graph->nodes[graph->order[i]];
        for (uint32_t k = 0; k < node->subgraph_count; k++)
            repair_graph(work, node->subgraphs[k].graph);
    }
    for (size_t i = 0; i < count; i++)
        work->visible[entered[i]] = false;
}

void cnx_names_repair(cnx_rewrite *rewrite)
{
    cnx_model *model = rewrite->model;
    repair work = {.arena = model->arena};
    cnx_intern_init(&work.names, rewrite->arena);
    repair_graph(&work, model->graph);
    for (uint32_t i = 0; i < model->function_count; i++)
        repair_graph(&work, model->functions[i]);
}
