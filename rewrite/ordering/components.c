/* Components of what is tied.
 *
 * Telling members of a tied cell apart can tell members of another apart only when some tensor shows both, or
 * when one cell lives in blocks of the other. Cells that no chain of such steps connects are ordered
 * independently: a tensor then shows at most one component, so the smallest contents of all tensors together
 * are those that are smallest component by component. The work is the sum over components, not the product.
 */
#include "rewrite/ordering/fingerprint_internal.h"
#include "rewrite/ordering/ties.h"

typedef struct connector {
    const cnx_prints *prints;
    cnx_arena *arena;
    uint32_t *parent; /* by cell: union-find */
    bool *tied;       /* by cell */
} connector;

static uint32_t find(uint32_t *parent, uint32_t cell)
{
    while (parent[cell] != cell)
        cell = parent[cell] = parent[parent[cell]];
    return cell;
}

/* Joins the tied cells of a class and of the homes around it to `with` (CNX_NONE: to nothing yet); returns
 * one of them. */
static uint32_t join_chain(connector *c, uint32_t class, uint32_t with)
{
    const cnx_cells *cells = c->prints->cells;
    for (; class != CNX_NONE && cells->cell_of[class] != CNX_NONE; class = cells->home[class]) {
        uint32_t cell = cells->cell_of[class];
        if (!c->tied[cell])
            continue;
        if (with != CNX_NONE)
            c->parent[find(c->parent, cell)] = find(c->parent, with);
        with = cell;
    }
    return with;
}

/* A tied cell that an axis of the parameter shows, directly or as a block, after joining all of them; or
 * CNX_NONE. */
static uint32_t join_axis(connector *c, const cnx_parameter *parameter, uint32_t axis, uint32_t with)
{
    const cnx_cells *cells = c->prints->cells;
    const cnx_labels *labels = cnx_parameter_labels(parameter, axis);
    for (uint32_t i = 0; labels != NULL && i < labels->sequence->count; i++) {
        uint32_t point = labels->sequence->points[i], twin = cells->twin_of[point];
        with = join_chain(c, cells->class_of[point], with);
        for (uint32_t e = cells->parent_start[twin]; e < cells->parent_start[twin + 1]; e++)
            with = join_chain(c, cells->class_of[cells->parent_point[e]], with);
    }
    return with;
}

static void mark_tied_cells(connector *c)
{
    const cnx_cells *cells = c->prints->cells;
    c->tied = CNX_NEW_ARRAY(c->arena, bool, cells->cell_count);
    c->parent = CNX_NEW_ARRAY(c->arena, uint32_t, cells->cell_count);
    for (uint32_t k = 0; k < cells->cell_count; k++)
        c->parent[k] = k;
    for (uint32_t k = 0; k < cells->class_count; k++)
        if (c->prints->tied[k])
            c->tied[cells->cell_of[k]] = true;
    for (uint32_t k = 0; k < cells->class_count; k++)
        join_chain(c, k, CNX_NONE);
}

/* ---- what a component consists of ---- */

static void add_cell(cnx_arena *arena, const cnx_cells *cells, cnx_component *component, uint32_t cell)
{
    CNX_PUSH(arena, component->cells, component->cell_count, component->cell_capacity, cell);
    for (uint32_t i = 0; i < cells->cells[cell].count; i++)
        CNX_PUSH(arena, component->classes, component->class_count, component->class_capacity,
                 cells->members[cells->cells[cell].first + i]);
}

/* Lists members that live in blocks of the component, innermost first. */
static void list_nested(const connector *c, cnx_arena *arena, cnx_component *component)
{
    const cnx_cells *cells = c->prints->cells;
    uint32_t deepest = 0;
    for (size_t i = 0; i < component->class_count; i++)
        deepest =
            cells->depth[component->classes[i]] > deepest ? cells->depth[component->classes[i]] : deepest;
    for (uint32_t depth = deepest; depth > 0; depth--)
        for (size_t i = 0; i < component->class_count; i++) {
            uint32_t class = component->classes[i], home = cells->home[class];
            if (cells->depth[class] == depth && c->tied[cells->cell_of[home]])
                CNX_PUSH(arena, component->nested, component->nested_count, component->nested_capacity,
                         class);
        }
}

cnx_component *cnx_find_components(cnx_arena *arena, const cnx_prints *prints, size_t *count)
{
    const cnx_cells *cells = prints->cells;
    const cnx_analysis *analysis = prints->analysis;
    connector c = {.prints = prints, .arena = cnx_arena_create(arena)};
    uint32_t *shown =
        CNX_NEW_ARRAY(c.arena, uint32_t, analysis->parameter_count); /* a tied cell, by parameter */
    uint32_t *number =
        CNX_NEW_ARRAY(c.arena, uint32_t, cells->cell_count); /* of the component, by its root */
    mark_tied_cells(&c);
    for (size_t p = 0; p < analysis->parameter_count; p++) {
        const cnx_parameter *parameter = &analysis->parameters[p];
        shown[p] = CNX_NONE;
        for (uint32_t k = 0; k < parameter->tensor->rank && !parameter->again; k++)
            shown[p] = join_axis(&c, parameter, k, shown[p]);
    }
    cnx_component *components = NULL;
    size_t capacity = 0;
    *count = 0;
    for (uint32_t k = 0; k < cells->cell_count; k++) {
        cnx_component empty = {0};
        if (!c.tied[k] || find(c.parent, k) != k)
            continue;
        number[k] = (uint32_t)*count;
        CNX_PUSH(arena, components, *count, capacity, empty);
    }
    for (uint32_t k = 0; k < cells->cell_count; k++)
        if (c.tied[k])
            add_cell(arena, cells, &components[number[find(c.parent, k)]], k);
    for (uint32_t p = 0; p < analysis->parameter_count; p++) {
        cnx_component *to = shown[p] == CNX_NONE ? NULL : &components[number[find(c.parent, shown[p])]];
        if (to != NULL)
            CNX_PUSH(arena, to->parameters, to->parameter_count, to->parameter_capacity, p);
    }
    for (uint32_t f = 0; f < prints->face_count; f++) {
        uint32_t cell = shown[prints->faces[f].parameter - analysis->parameters];
        cnx_component *to = cell == CNX_NONE ? NULL : &components[number[find(c.parent, cell)]];
        if (to != NULL)
            CNX_PUSH(arena, to->faces, to->face_count, to->face_capacity, f);
    }
    for (size_t i = 0; i < *count; i++)
        list_nested(&c, arena, &components[i]);
    cnx_arena_destroy(c.arena);
    return components;
}
