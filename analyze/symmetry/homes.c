/* The block that every class lives in; see cells.c. */
#include "analyze/symmetry/colours.h"

typedef struct home_search {
    cnx_cells *cells;
    cnx_colouring *colours;
    uint8_t *state; /* by class: 0 unknown, 1 being found, 2 found */
    uint32_t *seen; /* by class: stamp of the last search that met it */
    uint32_t stamp;
    uint32_t irregular; /* reason */
    bool pinned_any;
    bool *crossed; /* by class: blocks that something lies in along with other blocks, in another way */
    cnx_arena *scratch;
} home_search;

static void find_home(home_search *s, uint32_t class, unsigned depth);

static bool is_inside(const cnx_cells *cells, uint32_t class, uint32_t block)
{
    for (uint32_t h = cells->home[class]; h != CNX_NONE; h = cells->home[h])
        if (h == block)
            return true;
    return false;
}

/* Collects the distinct movable blocks that hold a copy of the class. */
static uint32_t movable_parents(home_search *s, uint32_t class, uint32_t **parents)
{
    cnx_cells *cells = s->cells;
    size_t count = 0, capacity = 0;
    uint32_t *found = NULL;
    s->stamp++;
    for (uint32_t i = cells->copy_start[class]; i < cells->copy_start[class + 1]; i++) {
        uint32_t p = cells->copies[i];
        for (uint32_t t = cells->twin_of[p], e = cells->parent_start[t]; e < cells->parent_start[t + 1];
             e++) {
            uint32_t block = cells->class_of[cells->parent_point[e]];
            if (s->seen[block] == s->stamp || cells->pinned[block] != CNX_NONE || block == class ||
                cnx_is_alone_in_colour(s->colours, cells->class_count, s->colours->colour[block]))
                continue;
            s->seen[block] = s->stamp;
            CNX_PUSH(s->scratch, found, count, capacity, block);
        }
    }
    *parents = found;
    return (uint32_t)count;
}

static void pin_class(home_search *s, uint32_t class)
{
    s->cells->pinned[class] = s->irregular;
    s->pinned_any = true;
}

/* How many classes have the colour and the home of this one. */
static uint32_t count_siblings(home_search *s, uint32_t class)
{
    const cnx_cells *cells = s->cells;
    uint64_t colour = s->colours->colour[class];
    uint32_t siblings = 0;
    for (size_t i = cnx_first_of_colour(s->colours, cells->class_count, colour);
         i < cells->class_count && s->colours->colour[s->colours->sorted[i]] == colour; i++) {
        find_home(s, s->colours->sorted[i], 1);
        siblings += cells->home[s->colours->sorted[i]] == cells->home[class];
    }
    return siblings;
}

/* If all siblings of blocks[k] are in the list, replaces them by their home: what lies in all of them at once
 * is not told apart by them. */
static bool replace_family(home_search *s, uint32_t *blocks, uint32_t *count, uint32_t k)
{
    const cnx_cells *cells = s->cells;
    uint64_t colour = s->colours->colour[blocks[k]];
    uint32_t home = cells->home[blocks[k]], present = 0, kept = 0;
    bool home_listed = home == CNX_NONE;
    for (uint32_t j = 0; j < *count; j++) {
        present += s->colours->colour[blocks[j]] == colour && cells->home[blocks[j]] == home;
        home_listed = home_listed || blocks[j] == home;
    }
    if (present != count_siblings(s, blocks[k]))
        return false;
    for (uint32_t j = 0; j < *count; j++)
        if (s->colours->colour[blocks[j]] != colour || cells->home[blocks[j]] != home)
            blocks[kept++] = blocks[j];
    if (!home_listed)
        blocks[kept++] = home;
    *count = kept;
    return true;
}

uint32_t cnx_count_homes(const cnx_cells *cells, uint32_t class)
{
    uint32_t depth = 0;
    for (uint32_t h = cells->home[class]; h != CNX_NONE; h = cells->home[h])
        depth++;
    return depth;
}

/* The lowest common ancestor of the blocks, as far as they can move: families that are complete give way to
 * their homes; blocks around other blocks of the list say nothing new. One block left is the home, none means
 * none. */
static void choose_home(home_search *s, uint32_t class, uint32_t *blocks, uint32_t count)
{
    cnx_cells *cells = s->cells;
    uint32_t deepest = 0;
    for (uint32_t k = 0; k < count; k++)
        deepest = cnx_count_homes(cells, blocks[k]) > deepest ? cnx_count_homes(cells, blocks[k]) : deepest;
    for (uint32_t depth = deepest + 1; depth-- > 0;) /* inner families first: they may complete outer ones */
        for (uint32_t k = 0; k < count;)
            k = cnx_count_homes(cells, blocks[k]) == depth && replace_family(s, blocks, &count, k) ? 0
                                                                                                   : k + 1;
    uint32_t kept = 0, innermost = CNX_NONE;
    for (uint32_t k = 0; k < count; k++) {
        bool holds_another = false;
        for (uint32_t j = 0; j < count && !holds_another; j++)
            holds_another = j != k && is_inside(cells, blocks[j], blocks[k]);
        if (!holds_another) {
            innermost = blocks[k];
            kept++;
        }
    }
    for (uint32_t k = 0; kept > 1 && k < count; k++)
        s->crossed[blocks[k]] = true;
    if (kept <= 1 && cells->pinned[class] == CNX_NONE) /* else it was met again on the way: homes would go in
                                                          a circle */
        cells->home[class] = innermost;
}

/* Blocks that cut across each other cannot move, nor what they cut; the pieces stay, and what is in a piece
 * may be permuted. All of them at once: blocks that are alike stay alike. */
static void pin_crossed(home_search *s)
{
    for (uint32_t c = 0; c < s->cells->class_count; c++)
        if (s->crossed[c])
            pin_class(s, c);
}

static void find_home(home_search *s, uint32_t class, unsigned depth)
{
    cnx_cells *cells = s->cells;
    if (s->state[class] == 2)
        return;
    if (s->state[class] == 1 || depth > 64) { /* blocks that contain each other */
        pin_class(s, class);
        s->state[class] = 2;
        return;
    }
    s->state[class] = 1;
    cells->home[class] = CNX_NONE;
    if (cells->pinned[class] == CNX_NONE) {
        uint32_t *parents;
        uint32_t count = movable_parents(s, class, &parents);
        for (uint32_t k = 0; k < count; k++)
            find_home(s, parents[k], depth + 1);
        if (count > 0 && cells->pinned[class] == CNX_NONE)
            choose_home(s, class, parents, count);
    }
    s->state[class] = 2;
}

bool cnx_find_homes(cnx_cells *cells, cnx_colouring *colours)
{
    cnx_arena *scratch = cnx_arena_create(cells->points->arena);
    home_search s = {.cells = cells, .colours = colours, .scratch = scratch};
    s.irregular = cnx_reason(cells->points, "cuts across other blocks", NULL, NULL);
    s.state = CNX_NEW_ARRAY(scratch, uint8_t, cells->class_count);
    s.seen = CNX_NEW_ARRAY(scratch, uint32_t, cells->class_count);
    s.crossed = CNX_NEW_ARRAY(scratch, bool, cells->class_count);
    for (uint32_t c = 0; c < cells->class_count; c++)
        find_home(&s, c, 0);
    pin_crossed(&s);
    bool complete = !s.pinned_any;
    cnx_arena_destroy(scratch);
    return complete;
}
