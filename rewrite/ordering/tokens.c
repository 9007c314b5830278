/* Tokens: what the rest of the graph sees of a position on a parameter's axis, whatever its number is. */
#include "rewrite/ordering/fingerprint_internal.h"

#include "base/intern.h"
#include "base/mix.h"

void cnx_set_token(cnx_prints *prints, uint32_t class)
{
    prints->token[class] = cnx_mix(cnx_mix(prints->bias[class]) ^ prints->print[class]);
}

static uint32_t outermost_cell(const cnx_cells *cells, uint32_t class)
{
    while (cells->home[class] != CNX_NONE)
        class = cells->home[class];
    return cells->cell_of[class];
}

/* What tells one copy of a class on an axis from its other copies there: its kind, which says how it occurs
 * in the graph, and its blocks. A relation goes by its place among those that hold the copy, which is the
 * same for all copies of a kind: its number would bring in the whole graph. */
static uint64_t copy_token(const cnx_prints *prints, uint32_t point, uint32_t kind)
{
    const cnx_cells *cells = prints->cells;
    uint64_t key = cnx_mix(kind);
    uint32_t twin = cells->twin_of[point], first = cells->parent_start[twin], place = 0;
    for (uint32_t e = first; e < cells->parent_start[twin + 1]; e++) {
        place += e != first && cells->parent_relation[e] != cells->parent_relation[e - 1];
        key += cnx_mix(prints->token[cells->class_of[cells->parent_point[e]]] ^ cnx_mix(place));
    }
    return cnx_mix(key);
}

static uint32_t kind_of(const cnx_prints *prints, cnx_intern *kinds, uint32_t point)
{
    return cnx_intern_add(kinds, &prints->cells->occurrence[point], sizeof(uint64_t));
}

/* The blocks of an only copy, whatever they are called. */
static uint64_t block_token(const cnx_prints *prints, uint32_t point)
{
    const cnx_cells *cells = prints->cells;
    uint64_t key = 0;
    uint32_t twin = cells->twin_of[point];
    for (uint32_t e = cells->parent_start[twin]; e < cells->parent_start[twin + 1]; e++) {
        uint32_t block = cells->class_of[cells->parent_point[e]];
        key += cells->cell_of[block] != CNX_NONE ? cnx_mix(prints->token[block]) : 0;
    }
    return cnx_mix(key);
}

/* Whether a copy lies in a block that may move. A class may be pinned and have one copy in each such block.
 */
static bool is_carried(const cnx_cells *cells, uint32_t point)
{
    uint32_t twin = cells->twin_of[point];
    for (uint32_t e = cells->parent_start[twin]; e < cells->parent_start[twin + 1]; e++)
        if (cells->cell_of[cells->class_of[cells->parent_point[e]]] != CNX_NONE)
            return true;
    return false;
}

/* A position that may not move is its own name; a copy of a pinned class that moves with its block has the
 * name of the first of its copies, and its block's; another is known by its class, by where on the axis its
 * cell begins, and by which copy of the class it is. Numbers of classes and cells stay out of it as far as
 * possible: two equal branches of a graph then give equal tokens, are sorted alike, and can share their
 * tensors again. */
uint64_t *cnx_axis_tokens(const cnx_prints *prints, cnx_arena *arena, const cnx_parameter *parameter,
                          uint32_t axis)
{
    const cnx_cells *cells = prints->cells;
    const cnx_labels *labels = cnx_parameter_labels(parameter, axis);
    uint32_t count = labels != NULL ? labels->sequence->count : (uint32_t)parameter->tensor->dims[axis];
    uint64_t *tokens = CNX_NEW_ARRAY(arena, uint64_t, count);
    const cnx_print_scratch *at = &prints->scratch;
    cnx_intern kinds; /* of copies that occur alike, numbered by the first of them on the axis */
    cnx_intern_init(&kinds, arena);
    for (uint32_t i = count; i-- > 0 && labels != NULL;) {
        uint32_t class = cells->class_of[labels->sequence->points[i]];
        at->copies[class]++;
        at->first[class] = i;
        if (cells->cell_of[class] != CNX_NONE && outermost_cell(cells, class) != CNX_NONE)
            at->begin[outermost_cell(cells, class)] = i;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t point = labels != NULL ? labels->sequence->points[i] : 0;
        uint32_t class = labels != NULL ? cells->class_of[point] : 0;
        tokens[i] = cnx_mix(i + UINT64_C(0x706f73));
        if (labels != NULL && cells->cell_of[class] != CNX_NONE) {
            uint32_t outer = outermost_cell(cells, class);
            uint64_t copy = at->copies[class] > 1 ? copy_token(prints, point, kind_of(prints, &kinds, point))
                                                  : block_token(prints, point);
            tokens[i] =
                cnx_mix(prints->token[class] + copy + cnx_mix(outer != CNX_NONE ? at->begin[outer] : i));
        }
        if (labels != NULL && cells->cell_of[class] == CNX_NONE && is_carried(cells, point))
            tokens[i] = cnx_mix(copy_token(prints, point, kind_of(prints, &kinds, point)) +
                                cnx_mix(at->first[class]));
        tokens[i] = cnx_mix(tokens[i] + cnx_mix(axis));
    }
    for (uint32_t i = 0; i < count && labels != NULL; i++)
        at->copies[cells->class_of[labels->sequence->points[i]]] = 0;
    return tokens;
}
