/* How many different models the group makes of this one: its order divided by that of the stabiliser. */
#include "analyze/describe/symmetry.h"
#include "rewrite/ordering/sort.h"
#include "rewrite/permute.h"

#include <math.h>

/* log10 of the number of ways to exchange members of a cell that make units: k! for each of k. */
static double log10_exchanges(const cnx_sorting *s, const cnx_cell *cell)
{
    cnx_arena *scratch = cnx_arena_create(s->arena);
    uint32_t *size = CNX_NEW_ARRAY(scratch, uint32_t, cell->count); /* by rank of the unit's first member */
    const uint32_t *members = s->cells->members + cell->first;
    double sum = 0;
    for (uint32_t i = 0; i < cell->count; i++)
        size[s->cells->rank_of[s->prints->unit[members[i]]]]++;
    for (uint32_t i = 0; i < cell->count; i++)
        sum += lgamma((double)size[i] + 1) / log(10.0);
    cnx_arena_destroy(scratch);
    return sum;
}

/* Marks the cells of a class and of the blocks around it. */
static void show(const cnx_cells *cells, uint32_t class, bool *shown)
{
    for (; class != CNX_NONE && cells->cell_of[class] != CNX_NONE; class = cells->home[class])
        shown[cells->cell_of[class]] = true;
}

/* By cell: whether some parameter shows a member, or something inside one. Cells of activations alone do not
 * count. */
static bool *shown_cells(const cnx_sorting *s)
{
    const cnx_cells *cells = s->cells;
    bool *shown = CNX_NEW_ARRAY(s->arena, bool, cells->cell_count);
    for (size_t p = 0; p < s->analysis->parameter_count; p++)
        for (uint32_t k = 0; k < s->analysis->parameters[p].tensor->rank; k++) {
            const cnx_labels *labels = cnx_parameter_labels(&s->analysis->parameters[p], k);
            for (uint32_t i = 0; labels != NULL && i < labels->sequence->count; i++) {
                uint32_t point = labels->sequence->points[i], twin = cells->twin_of[point];
                show(cells, cells->class_of[point], shown);
                for (uint32_t e = cells->parent_start[twin]; e < cells->parent_start[twin + 1]; e++)
                    show(cells, cells->class_of[cells->parent_point[e]], shown);
            }
        }
    return shown;
}

static double find_orbit(cnx_model *model)
{
    cnx_settle_permutations(model);
    cnx_arena *arena = cnx_arena_create(model->arena);
    cnx_sorting *s = cnx_sort_cells(arena, cnx_analyze(arena, model));
    double orbit = cnx_symmetry_log10_order(s->analysis) - s->ties.log10_exchanges;
    if (s->ties.undecided != CNX_NONE)
        orbit = (double)NAN;
    const bool *shown = shown_cells(s);
    for (uint32_t k = 0; k < s->cells->cell_count; k++)
        orbit -= shown[k] ? log10_exchanges(s, &s->cells->cells[k]) : 0;
    cnx_arena_destroy(arena);
    return orbit;
}

cnx_code cnx_find_orbit(cnx_model *model, double *log10_orbit, cnx_error *error)
{
    cnx_trap trap;
    *log10_orbit = (double)NAN;
    if (CNX_ENTER(model->arena, trap, error) == CNX_OK)
        *log10_orbit = find_orbit(model);
    return cnx_leave(model->arena, &trap);
}
