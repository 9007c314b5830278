/* Blocks that lie in each other. Where an axis is read as rows of columns in one place and as columns of rows
 * in another, each row lies in all columns and each column in all rows: homes would go in a circle.
 *
 * Circles are looked for among colours, not among classes: what is alike is in the same circle, whatever its
 * number. Refined colours make that exact, because classes of one colour lie in blocks of the same colours.
 * So one class speaks for its colour, and the circles are the strongly connected parts of the graph of
 * colours (Tarjan, Depth-first search and linear graph algorithms, 1972), found without recursion. Cost: in
 * proportion to the containments. */
#include "analyze/symmetry/colours.h"

typedef struct circle_search {
    const cnx_cells *cells;
    const cnx_colouring *colours;
    cnx_arena *scratch;
    uint32_t *number; /* by class: its colour's */
    uint32_t colour_count;
    uint32_t *begin;   /* by colour, and one more: range in `around` */
    uint32_t *around;  /* colours of blocks that hold the colour */
    uint32_t *entered; /* by colour: when it was met, from 1 on; 0 before */
    uint32_t *low;     /* by colour: the earliest one still open that it leads to */
    uint32_t *next;    /* by colour: the next element of `around` to be followed */
    uint32_t *open;    /* stack of colours whose circle is not complete */
    uint32_t *path;    /* stack of colours that are being followed */
    uint32_t open_count, path_count, time;
    uint32_t *circle; /* by colour: 1 + the number of the circle, or 0 */
    uint32_t circle_count;
} circle_search;

static void number_colours(circle_search *s)
{
    const uint32_t *sorted = s->colours->sorted;
    s->number = CNX_NEW_ARRAY(s->scratch, uint32_t, s->cells->class_count);
    for (uint32_t i = 0; i < s->cells->class_count; i++) {
        s->colour_count += i == 0 || s->colours->colour[sorted[i]] != s->colours->colour[sorted[i - 1]];
        s->number[sorted[i]] = s->colour_count - 1;
    }
}

/* The colours of the blocks that may move and hold a class. */
static void list_around(circle_search *s, uint32_t class, size_t *count, size_t *capacity)
{
    const cnx_cells *cells = s->cells;
    for (uint32_t i = cells->copy_start[class]; i < cells->copy_start[class + 1]; i++)
        for (uint32_t t = cells->twin_of[cells->copies[i]], e = cells->parent_start[t];
             e < cells->parent_start[t + 1]; e++) {
            uint32_t block = cells->class_of[cells->parent_point[e]];
            if (cnx_may_move(cells, s->colours, block) && block != class)
                CNX_PUSH(s->scratch, s->around, *count, *capacity, s->number[block]);
        }
}

static void list_containments(circle_search *s)
{
    size_t count = 0, capacity = 0;
    s->begin = CNX_NEW_ARRAY(s->scratch, uint32_t, (size_t)s->colour_count + 1);
    for (uint32_t i = 0, colour = 0; colour < s->colour_count; colour++) {
        uint32_t class = s->colours->sorted[i];
        if (s->cells->pinned[class] == CNX_NONE)
            list_around(s, class, &count, &capacity);
        s->begin[colour + 1] = (uint32_t)count;
        while (i < s->cells->class_count && s->number[s->colours->sorted[i]] == colour)
            i++;
    }
}

static void enter(circle_search *s, uint32_t colour)
{
    s->entered[colour] = s->low[colour] = ++s->time;
    s->next[colour] = s->begin[colour];
    s->open[s->open_count++] = s->path[s->path_count++] = colour;
}

/* All open colours from this one on lead to each other. One alone is a circle only if it holds itself. */
static void close_part(circle_search *s, uint32_t colour)
{
    bool circular = s->open[s->open_count - 1] != colour;
    for (uint32_t i = s->begin[colour]; i < s->begin[colour + 1] && !circular; i++)
        circular = s->around[i] == colour;
    s->circle_count += circular;
    uint32_t last;
    do {
        last = s->open[--s->open_count];
        s->low[last] = UINT32_MAX; /* closed: nobody leads there any more */
        s->circle[last] = circular ? s->circle_count : 0;
    } while (last != colour);
}

static void follow(circle_search *s, uint32_t start)
{
    enter(s, start);
    while (s->path_count != 0) {
        uint32_t colour = s->path[s->path_count - 1];
        if (s->next[colour] < s->begin[colour + 1]) {
            uint32_t to = s->around[s->next[colour]++];
            if (s->entered[to] == 0)
                enter(s, to);
            else if (s->low[to] != UINT32_MAX && s->entered[to] < s->low[colour])
                s->low[colour] = s->entered[to];
            continue;
        }
        uint32_t low = s->low[colour];
        if (low == s->entered[colour])
            close_part(s, colour);
        if (--s->path_count != 0 && low < s->low[s->path[s->path_count - 1]])
            s->low[s->path[s->path_count - 1]] = low;
    }
}

uint32_t *cnx_find_circles(cnx_arena *arena, const cnx_cells *cells, const cnx_colouring *colours)
{
    uint32_t *circle = CNX_NEW_ARRAY(arena, uint32_t, cells->class_count);
    circle_search s = {.cells = cells, .colours = colours, .scratch = cnx_arena_create(arena)};
    number_colours(&s);
    list_containments(&s);
    s.entered = CNX_NEW_ARRAY(s.scratch, uint32_t, s.colour_count);
    s.low = CNX_NEW_ARRAY(s.scratch, uint32_t, s.colour_count);
    s.next = CNX_NEW_ARRAY(s.scratch, uint32_t, s.colour_count);
    s.open = CNX_NEW_ARRAY(s.scratch, uint32_t, s.colour_count);
    s.path = CNX_NEW_ARRAY(s.scratch, uint32_t, s.colour_count);
    s.circle = CNX_NEW_ARRAY(s.scratch, uint32_t, s.colour_count);
    for (uint32_t colour = 0; colour < s.colour_count; colour++)
        if (s.entered[colour] == 0)
            follow(&s, colour);
    for (uint32_t c = 0; c < cells->class_count; c++)
        circle[c] = s.circle[s.number[c]];
    cnx_arena_destroy(s.scratch);
    return circle;
}
