/* The blocks around points, as lists of their cells.
 *
 * There may be thousands of blocks of one cell around as many copies, as where a table is looked up for every
 * pair of positions. So a list is found once for all twins and for all copies of a class, and equal lists are
 * one, so that whoever goes along an axis meets few of them.
 */
#include <stdlib.h>

#include "analyze/scaling/solve.h"

#define UNKNOWN CNX_NONE

typedef struct cnx_surroundings {
    cnx_intern lists;  /* of cells, ascending */
    uint32_t *of_twin; /* by number of twins: the list's number or UNKNOWN */
    uint32_t *of_class;
    uint32_t *met; /* by cell: the number of the list, plus 1, for which it was met last */
    uint32_t gathered;
    uint32_t *cells; /* the list that is being gathered: room for all cells */
    uint32_t count;
} cnx_surroundings;

static uint32_t *all_unknown(cnx_arena *arena, uint32_t count)
{
    uint32_t *lists = CNX_NEW_ARRAY(arena, uint32_t, count);
    memset(lists, 0xff, count * sizeof *lists);
    return lists;
}

static cnx_surroundings *surroundings_of(cnx_scalings *s)
{
    if (s->surroundings != NULL)
        return s->surroundings;
    const cnx_cells *cells = s->cells;
    cnx_surroundings *around = s->surroundings = CNX_NEW(s->arena, cnx_surroundings);
    uint32_t twin_count = 0;
    for (size_t p = 0; p < cells->points->point_count; p++)
        twin_count = cells->twin_of[p] >= twin_count ? cells->twin_of[p] + 1 : twin_count;
    around->of_twin = all_unknown(s->arena, twin_count);
    around->of_class = all_unknown(s->arena, cells->class_count);
    around->met = CNX_NEW_ARRAY(s->arena, uint32_t, cells->cell_count);
    around->cells = CNX_NEW_ARRAY(s->arena, uint32_t, cells->cell_count);
    cnx_intern_init(&around->lists, s->arena);
    cnx_intern_add(&around->lists, "", 0); /* CNX_NO_CELLS */
    return around;
}

static void gather(cnx_surroundings *around, uint32_t cell)
{
    if (around->met[cell] == around->gathered + 1)
        return;
    around->met[cell] = around->gathered + 1;
    around->cells[around->count++] = cell;
}

static int compare_numbers(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

/* The number of what was gathered; the next list begins. */
static uint32_t finish_list(cnx_surroundings *around)
{
    if (around->count == 0)
        return CNX_NO_CELLS;
    qsort(around->cells, around->count, sizeof *around->cells, compare_numbers);
    uint32_t list = cnx_intern_add(&around->lists, around->cells, around->count * sizeof *around->cells);
    around->gathered++;
    around->count = 0;
    return list;
}

uint32_t cnx_cells_around_twin(cnx_scalings *s, uint32_t twin)
{
    const cnx_cells *cells = s->cells;
    cnx_surroundings *around = surroundings_of(s);
    if (around->of_twin[twin] != UNKNOWN)
        return around->of_twin[twin];
    for (uint32_t e = cells->parent_start[twin]; e < cells->parent_start[twin + 1]; e++) {
        uint32_t cell = cells->cell_of[cells->class_of[cells->parent_point[e]]];
        if (cell != CNX_NONE)
            gather(around, cell);
    }
    return around->of_twin[twin] = finish_list(around);
}

uint32_t cnx_cells_around_class(cnx_scalings *s, uint32_t class)
{
    const cnx_cells *cells = s->cells;
    cnx_surroundings *around = surroundings_of(s);
    if (around->of_class[class] != UNKNOWN)
        return around->of_class[class];
    uint32_t first = cells->copy_start[class], end = cells->copy_start[class + 1], previous = CNX_NO_CELLS;
    for (uint32_t i = first; i < end; i++)
        cnx_cells_around_twin(s, cells->twin_of[cells->copies[i]]);
    for (uint32_t i = first; i < end; i++) {
        uint32_t count, list = around->of_twin[cells->twin_of[cells->copies[i]]];
        const uint32_t *listed = cnx_cells_in_list(s, list, &count);
        for (uint32_t k = 0; k < count && list != previous; k++)
            gather(around, listed[k]);
        previous = list;
    }
    return around->of_class[class] = finish_list(around);
}

const uint32_t *cnx_cells_in_list(const cnx_scalings *s, uint32_t list, uint32_t *count)
{
    size_t size;
    const uint32_t *cells = cnx_intern_bytes(&s->surroundings->lists, list, &size);
    *count = (uint32_t)(size / sizeof *cells);
    return cells;
}
