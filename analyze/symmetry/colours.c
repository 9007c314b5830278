/* Colour refinement of the classes; see cells.c. */
#include "analyze/symmetry/colours.h"

#include "base/keyed.h"
#include "base/mix.h"

static size_t count_distinct(cnx_arena *arena, cnx_colouring *c, uint32_t class_count)
{
    if (class_count == 0)
        return 0;
    cnx_arena *scratch = cnx_arena_create(arena);
    cnx_keyed *list = CNX_NEW_ARRAY(scratch, cnx_keyed, class_count);
    for (uint32_t i = 0; i < class_count; i++)
        list[i] = (cnx_keyed){c->colour[i], i};
    cnx_sort_keyed(scratch, list, class_count);
    size_t distinct = 1;
    for (uint32_t i = 0; i < class_count; i++) {
        c->sorted[i] = list[i].item;
        distinct += i != 0 && list[i].key != list[i - 1].key;
    }
    cnx_arena_destroy(scratch);
    return distinct;
}

size_t cnx_first_of_colour(const cnx_colouring *c, uint32_t class_count, uint64_t colour)
{
    size_t low = 0, high = class_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (c->colour[c->sorted[middle]] < colour)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool cnx_is_alone_in_colour(const cnx_colouring *c, uint32_t class_count, uint64_t colour)
{
    size_t first = cnx_first_of_colour(c, class_count, colour);
    return first + 1 >= class_count || c->colour[c->sorted[first + 1]] != colour;
}

bool cnx_may_move(const cnx_cells *cells, const cnx_colouring *colours, uint32_t class)
{
    return cells->pinned[class] == CNX_NONE &&
           !cnx_is_alone_in_colour(colours, cells->class_count, colours->colour[class]);
}

static void first_colours(const cnx_cells *cells, cnx_colouring *c)
{
    for (uint32_t k = 0; k < cells->class_count; k++) {
        uint64_t sum = 0;
        for (uint32_t i = cells->copy_start[k]; i < cells->copy_start[k + 1]; i++)
            sum += cnx_mix(cells->occurrence[cells->copies[i]]);
        c->outside[k] = sum;
        c->colour[k] = cells->pinned[k] != CNX_NONE ? cnx_mix_pair(UINT64_C(0x70696e), k) : cnx_mix(sum);
    }
}

/* Adds what blocks a class lies in and what lies in its blocks. */
static void refine_once(const cnx_cells *cells, cnx_colouring *c)
{
    for (uint32_t k = 0; k < cells->class_count; k++) {
        uint64_t sum = cells->in_blocks[k] ? 0 : c->outside[k];
        for (uint32_t i = cells->copy_start[k]; i < cells->copy_start[k + 1] && cells->in_blocks[k]; i++) {
            uint32_t p = cells->copies[i];
            uint64_t key = cells->occurrence[p];
            for (uint32_t t = cells->twin_of[p], e = cells->parent_start[t]; e < cells->parent_start[t + 1];
                 e++)
                key += cnx_mix_pair(cells->parent_relation[e],
                                    c->colour[cells->class_of[cells->parent_point[e]]]);
            sum += cnx_mix(key);
        }
        c->next[k] = cnx_mix_pair(c->colour[k], sum);
    }
    for (uint32_t p = 0; p < cells->points->point_count; p++)
        for (uint32_t t = cells->twin_of[p], e = cells->parent_start[t]; e < cells->parent_start[t + 1]; e++)
            c->next[cells->class_of[cells->parent_point[e]]] += cnx_mix_pair(
                cnx_mix_pair(cells->parent_relation[e], cells->occurrence[p]), c->colour[cells->class_of[p]]);
    uint64_t *swap = c->colour;
    c->colour = c->next;
    c->next = swap;
}

/* Whether some block could move: only then can colours travel from blocks to what is inside and back. */
static bool has_movable_blocks(const cnx_cells *cells)
{
    for (uint32_t e = 0; e < cells->parent_count; e++)
        if (cells->pinned[cells->class_of[cells->parent_point[e]]] == CNX_NONE)
            return true;
    return false;
}

void cnx_refine_colours(const cnx_cells *cells, cnx_arena *scratch, cnx_colouring *c)
{
    first_colours(cells, c);
    if (cells->parent_count != 0)
        refine_once(cells, c);
    c->distinct = count_distinct(scratch, c, cells->class_count);
    for (bool stable = !has_movable_blocks(cells); !stable;) {
        refine_once(cells, c);
        size_t distinct = count_distinct(scratch, c, cells->class_count);
        stable = distinct <= c->distinct;
        c->distinct = distinct;
    }
}
