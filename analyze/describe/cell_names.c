/* What people call cells and their groups. */
#include "analyze/describe/symmetry.h"

#include <stdlib.h>

uint32_t cnx_outermost(const cnx_cells *cells, uint32_t class)
{
    while (cells->home[class] != CNX_NONE)
        class = cells->home[class];
    return class;
}

/* A factor of a group while it is put into words. */
typedef struct factor {
    double log10_order;
    const char *text;
} factor;

/* Large ones first: equal groups then read the same. */
static int compare_factors(const void *a, const void *b)
{
    const factor *x = a, *y = b;
    if (x->log10_order != y->log10_order)
        return x->log10_order > y->log10_order ? -1 : 1;
    return strcmp(x->text, y->text);
}

const char *cnx_cell_group(cnx_arena *arena, const cnx_cells *cells, uint32_t cell)
{
    const cnx_cell *c = &cells->cells[cell];
    uint32_t block = cells->members[c->first];
    uint32_t first = cells->child_start[block], children = cells->child_start[block + 1] - first;
    const char *inside = NULL;
    size_t count = 0;
    factor *factors = CNX_NEW_ARRAY(arena, factor, children);
    for (uint32_t k = first; k < first + children; k++) {
        factor made = {cnx_cell_log10_order(cells, cells->child_cells[k]),
                       cnx_cell_group(arena, cells, cells->child_cells[k])};
        if (strcmp(made.text, "1") != 0)
            factors[count++] = made;
    }
    if (count != 0)
        qsort(factors, count, sizeof *factors, compare_factors);
    for (size_t k = 0; k < count; k++) {
        bool wreath = count > 1 && strstr(factors[k].text, " wr ") != NULL;
        inside = cnx_print(arena, "%s%s%s%s%s", inside == NULL ? "" : inside, inside == NULL ? "" : " x ",
                           wreath ? "(" : "", factors[k].text, wreath ? ")" : "");
    }
    if (inside == NULL)
        return c->count == 1 ? "1" : cnx_print(arena, "S_%u", c->count);
    if (c->count == 1)
        return inside;
    return cnx_print(arena, count > 1 || strchr(inside, ' ') != NULL ? "(%s) wr S_%u" : "%s wr S_%u", inside,
                     c->count);
}

typedef struct naming {
    cnx_arena *arena;
    const cnx_cells *cells;
    const char **names;   /* by cell */
    const char **on_axis; /* by outermost cell: its name on the axis at hand, or NULL */
    uint32_t *met;        /* the cells that have one, met_count of them */
    uint32_t met_count;
    bool *moves; /* by outermost cell: there is more than one way to arrange it */
    const char *axis;
    bool any; /* cells that move were met on this axis */
} naming;

/* What an outermost cell is called by its positions on the axis at hand, the first of which is `position`. */
static const char *name_on_axis(naming *n, uint32_t cell, uint32_t position)
{
    if (n->on_axis[cell] == NULL) {
        n->on_axis[cell] = n->any && position > 0 && n->moves[cell]
                               ? cnx_print(n->arena, "%s[%u]", n->axis, position)
                               : n->axis;
        n->met[n->met_count++] = cell;
    }
    n->any = n->any || n->moves[cell];
    return n->on_axis[cell];
}

/* Names the cells that hold a class, from inside to outside. */
static void name_around(naming *n, uint32_t class, uint32_t position)
{
    if (n->cells->cell_of[class] == CNX_NONE)
        return;
    const char *name = name_on_axis(n, n->cells->cell_of[cnx_outermost(n->cells, class)], position);
    for (; class != CNX_NONE; class = n->cells->home[class])
        if (n->names[n->cells->cell_of[class]] == NULL)
            n->names[n->cells->cell_of[class]] = name;
}

static void name_axis(naming *n, const cnx_labels *labels)
{
    const cnx_cells *cells = n->cells;
    n->any = false;
    for (uint32_t i = 0; i < labels->sequence->count; i++) {
        uint32_t point = labels->sequence->points[i], twin = cells->twin_of[point];
        name_around(n, cells->class_of[point], i % labels->extent);
        for (uint32_t e = cells->parent_start[twin]; e < cells->parent_start[twin + 1]; e++)
            name_around(n, cells->class_of[cells->parent_point[e]], i % labels->extent);
    }
    while (n->met_count != 0) /* of as many cells as a deep model has, an axis meets few */
        n->on_axis[n->met[--n->met_count]] = NULL;
}

/* Matrices first, then vectors too, then further uses of shared tensors. */
static bool has_turn(const cnx_parameter *parameter, unsigned turn)
{
    return turn == 0 ? !parameter->again && parameter->tensor->rank > 1 : parameter->again == (turn == 2);
}

const char **cnx_name_cells(cnx_arena *arena, const cnx_analysis *analysis, const cnx_cells *cells)
{
    naming n = {.arena = arena,
                .cells = cells,
                .names = CNX_NEW_ARRAY(arena, const char *, cells->cell_count),
                .on_axis = CNX_NEW_ARRAY(arena, const char *, cells->cell_count),
                .met = CNX_NEW_ARRAY(arena, uint32_t, cells->cell_count),
                .moves = CNX_NEW_ARRAY(arena, bool, cells->cell_count)};
    for (uint32_t c = 0; c < cells->cell_count; c++)
        n.moves[c] = cells->cells[c].home == CNX_NONE && cnx_cell_log10_order(cells, c) > 0;
    for (unsigned turn = 0; turn < 3; turn++)
        for (size_t p = 0; p < analysis->parameter_count; p++) {
            const cnx_parameter *parameter = &analysis->parameters[p];
            for (uint32_t k = 0; has_turn(parameter, turn) && k < parameter->tensor->rank; k++) {
                const cnx_labels *labels = cnx_parameter_labels(parameter, k);
                if (labels == NULL)
                    continue;
                n.axis = cnx_print(arena, "%s:%u", parameter->name, k);
                name_axis(&n, labels);
            }
        }
    return n.names;
}
