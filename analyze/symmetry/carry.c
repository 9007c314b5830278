/* From permutations of classes to permutations of points: blocks carry what is inside them, and the copies of
 * a class go where the copies of its image are.
 */
#include "analyze/symmetry/cells.h"

#include "base/mix.h"

#include <stdlib.h>

void cnx_carry_classes(const cnx_cells *cells, uint32_t *image)
{
    uint32_t deepest = 0;
    for (uint32_t c = 0; c < cells->class_count; c++)
        deepest = cells->depth[c] > deepest ? cells->depth[c] : deepest;
    for (uint32_t depth = 1; depth <= deepest; depth++)
        for (uint32_t c = 0; c < cells->class_count; c++) {
            uint32_t home = cells->home[c];
            if (cells->depth[c] != depth || cells->cell_of[c] == CNX_NONE || image[home] == home)
                continue;
            const uint32_t *from = cells->child_cells + cells->child_start[home];
            const uint32_t *to = cells->child_cells + cells->child_start[image[home]];
            uint32_t place = 0;
            while (from[place] != cells->cell_of[c])
                place++;
            image[c] = cells->members[cells->cells[to[place]].first + cells->rank_of[image[c]]];
        }
}

typedef struct keyed_point {
    uint64_t key;
    uint32_t point;
} keyed_point;

static int compare_keyed(const void *a, const void *b)
{
    const keyed_point *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->point > y->point) - (x->point < y->point);
}

/* A class has a handful of copies: sorting them in place is much of the time that a check takes. */
static void sort_keyed(keyed_point *items, uint32_t count)
{
    if (count > 24) {
        qsort(items, count, sizeof *items, compare_keyed);
        return;
    }
    for (uint32_t i = 1; i < count; i++) {
        keyed_point item = items[i];
        uint32_t at = i;
        for (; at > 0 && compare_keyed(&items[at - 1], &item) > 0; at--)
            items[at] = items[at - 1];
        items[at] = item;
    }
}

/* The copies of a class, sorted by where they occur once their blocks have moved by `image` (NULL: not at
 * all). */
static void keyed_copies(const cnx_cells *cells, uint32_t class, const uint32_t *image, keyed_point *result)
{
    uint32_t first = cells->copy_start[class], count = cells->copy_start[class + 1] - first;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t p = cells->copies[first + i];
        uint64_t key = cells->occurrence[p];
        for (uint32_t t = cells->twin_of[p], e = cells->parent_start[t]; e < cells->parent_start[t + 1];
             e++) {
            uint32_t block = cells->class_of[cells->parent_point[e]];
            key += cnx_mix_pair(cells->parent_relation[e], image != NULL ? image[block] : block);
        }
        result[i] = (keyed_point){key, p};
    }
    sort_keyed(result, count);
}

static keyed_point *keyed_scratch(const cnx_cells *cells, cnx_arena *arena)
{
    uint32_t largest = 0;
    for (uint32_t c = 0; c < cells->class_count; c++) {
        uint32_t count = cells->copy_start[c + 1] - cells->copy_start[c];
        largest = count > largest ? count : largest;
    }
    return CNX_NEW_ARRAY(arena, keyed_point, largest);
}

/* Puts the copies of every class in the order of their keys: classes that can be exchanged then list them
 * alike. */
void cnx_sort_copies(cnx_cells *cells)
{
    cnx_arena *scratch = cnx_arena_create(cells->points->arena);
    keyed_point *keyed = keyed_scratch(cells, scratch);
    for (uint32_t c = 0; c < cells->class_count; c++) {
        if (cells->copy_start[c + 1] - cells->copy_start[c] < 2)
            continue;
        keyed_copies(cells, c, NULL, keyed);
        for (uint32_t i = cells->copy_start[c]; i < cells->copy_start[c + 1]; i++)
            cells->copies[i] = keyed[i - cells->copy_start[c]].point;
    }
    cnx_arena_destroy(scratch);
}

static bool blocks_move(const cnx_cells *cells, uint32_t class, const uint32_t *image)
{
    if (!cells->in_blocks[class])
        return false; /* most of them: their copies, far apart in memory, need not be looked at */
    for (uint32_t i = cells->copy_start[class]; i < cells->copy_start[class + 1]; i++) {
        uint32_t twin = cells->twin_of[cells->copies[i]];
        for (uint32_t e = cells->parent_start[twin]; e < cells->parent_start[twin + 1]; e++) {
            uint32_t block = cells->class_of[cells->parent_point[e]];
            if (image[block] != block)
                return true;
        }
    }
    return false;
}

void cnx_permute_points(const cnx_cells *cells, const uint32_t *image, uint32_t *result)
{
    cnx_arena *scratch = cnx_arena_create(cells->points->arena);
    keyed_point *from = keyed_scratch(cells, scratch);
    for (uint32_t p = 0; p < cells->points->point_count; p++)
        result[p] = p;
    for (uint32_t c = 0; c < cells->class_count; c++) {
        if (image[c] == c && !cells->in_blocks[c])
            continue;
        const uint32_t *own = cells->copies + cells->copy_start[c];
        const uint32_t *other = cells->copies + cells->copy_start[image[c]];
        uint32_t count = cells->copy_start[c + 1] - cells->copy_start[c];
        uint32_t others = cells->copy_start[image[c] + 1] - cells->copy_start[image[c]];
        count = count < others ? count : others; /* they differ only when a hash collided: verify.c sees it */
        if (!blocks_move(cells, c, image)) {
            for (uint32_t i = 0; i < count && image[c] != c; i++)
                result[own[i]] = other[i];
            continue;
        }
        keyed_copies(cells, c, image, from);
        for (uint32_t i = 0; i < count; i++)
            result[from[i].point] = other[i]; /* cnx_sort_copies has put these in the order of their keys */
    }
    cnx_arena_destroy(scratch);
}
