/* The block that every class lives in; see cells.c.
 *
 * Whatever is pinned here is pinned with all that has its colour. Which member of a family is met first
 * depends on numbers, so pinning that one alone would pin others in an equivalent model. */
#include "analyze/symmetry/colours.h"

typedef struct home_search {
    cnx_cells *cells;
    cnx_colouring *colours;
    uint8_t *state; /* by class: 0 unknown, 1 being found, 2 found */
    uint32_t *seen; /* by class: stamp of the last search that met it */
    uint32_t stamp;
    uint32_t irregular; /* reason */
    bool *crossed;      /* by class: blocks that something lies in along with other blocks, in another way */
    bool circular;      /* a block was met while what it lies in was looked at */
    bool *cut;          /* by circle: it is no grid */
    uint32_t
        *leader; /* by class: the first class of its colour, like the next two only when circles are known */
    uint32_t *alike;   /* by leader: how many classes have the colour */
    uint32_t *present; /* by leader: how many of them are listed; zero between two uses */
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
    for (uint32_t i = cells->copy_start[class]; i < cells->copy_start[class + 1] && cells->in_blocks[class];
         i++) {
        uint32_t p = cells->copies[i];
        for (uint32_t t = cells->twin_of[p], e = cells->parent_start[t]; e < cells->parent_start[t + 1];
             e++) {
            uint32_t block = cells->class_of[cells->parent_point[e]];
            if (s->seen[block] == s->stamp || block == class || !cnx_may_move(cells, s->colours, block))
                continue;
            s->seen[block] = s->stamp;
            CNX_PUSH(s->scratch, found, count, capacity, block);
        }
    }
    *parents = found;
    return (uint32_t)count;
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
    if (kept <= 1 && !s->crossed[class]) /* else it may have been met again on the way */
        cells->home[class] = innermost;
}

/* Takes the blocks of the class's own circle off the list. Where it lies in all of them, rows and columns of
 * a grid, they do not tell it apart from others, and both are permuted as they like. A circle that is no grid
 * cannot move. */
static void drop_circle(home_search *s, uint32_t class, uint32_t *blocks, uint32_t *count)
{
    const uint32_t *circle = s->cells->circle;
    uint32_t kept = 0;
    if (circle == NULL || circle[class] == 0)
        return;
    for (uint32_t k = 0; k < *count; k++)
        s->present[s->leader[blocks[k]]]++;
    for (uint32_t k = 0; k < *count; k++)
        if (circle[blocks[k]] == circle[class] &&
            s->present[s->leader[blocks[k]]] != s->alike[s->leader[blocks[k]]])
            s->cut[circle[class]] = true;
    for (uint32_t k = 0; k < *count; k++)
        s->present[s->leader[blocks[k]]] = 0;
    for (uint32_t k = 0; k < *count; k++)
        if (circle[blocks[k]] != circle[class])
            blocks[kept++] = blocks[k];
    *count = kept;
}

/* Homes would go in a circle, unless circles are known: then it is too deep. */
static void break_off(home_search *s, uint32_t class)
{
    s->circular = true;
    s->crossed[class] = true;
}

static void find_home(home_search *s, uint32_t class, unsigned depth)
{
    cnx_cells *cells = s->cells;
    if (s->state[class] == 2 || (s->circular && cells->circle == NULL))
        return;
    if (s->state[class] == 1 || (depth > 64 && cells->pinned[class] == CNX_NONE)) {
        break_off(s, class);
        return;
    }
    s->state[class] = 1;
    cells->home[class] = CNX_NONE;
    if (cells->pinned[class] == CNX_NONE) {
        uint32_t *parents;
        uint32_t count = movable_parents(s, class, &parents);
        drop_circle(s, class, parents, &count);
        for (uint32_t k = 0; k < count; k++)
            find_home(s, parents[k], depth + 1);
        if (count > 0 && (!s->circular || cells->circle != NULL))
            choose_home(s, class, parents, count);
    }
    s->state[class] = 2;
}

static void find_all(home_search *s)
{
    uint32_t count = s->cells->class_count;
    s->circular = false;
    s->state = CNX_NEW_ARRAY(s->scratch, uint8_t, count);
    s->crossed = CNX_NEW_ARRAY(s->scratch, bool, count);
    for (uint32_t c = 0; c < count; c++)
        find_home(s, c, 0);
}

static void prepare_circles(home_search *s)
{
    cnx_cells *cells = s->cells;
    const uint32_t *sorted = s->colours->sorted;
    cells->circle = cnx_find_circles(cells->points->arena, cells, s->colours);
    s->cut = CNX_NEW_ARRAY(s->scratch, bool, (size_t)cells->class_count + 1);
    s->leader = CNX_NEW_ARRAY(s->scratch, uint32_t, cells->class_count);
    s->alike = CNX_NEW_ARRAY(s->scratch, uint32_t, cells->class_count);
    s->present = CNX_NEW_ARRAY(s->scratch, uint32_t, cells->class_count);
    for (uint32_t i = 0; i < cells->class_count; i++) {
        bool leads = i == 0 || s->colours->colour[sorted[i]] != s->colours->colour[sorted[i - 1]];
        s->leader[sorted[i]] = leads ? sorted[i] : s->leader[sorted[i - 1]];
        s->alike[s->leader[sorted[i]]]++;
    }
}

/* Blocks that cut across each other cannot move, nor what they cut; the pieces stay, and what is in a piece
 * may be permuted. Returns whether there are any. */
static bool pin_crossed(home_search *s)
{
    cnx_cells *cells = s->cells;
    const uint32_t *sorted = s->colours->sorted;
    bool any = false;
    for (uint32_t i = 0, end; i < cells->class_count; i = end) {
        bool crossed = false;
        for (end = i;
             end < cells->class_count && s->colours->colour[sorted[end]] == s->colours->colour[sorted[i]];
             end++)
            crossed = crossed || s->crossed[sorted[end]] ||
                      (cells->circle != NULL && s->cut[cells->circle[sorted[end]]]);
        for (uint32_t k = i; k < end && crossed; k++)
            cells->pinned[sorted[k]] = s->irregular;
        cells->irregular += crossed ? end - i : 0;
        any = any || crossed;
    }
    return any;
}

bool cnx_find_homes(cnx_cells *cells, cnx_colouring *colours)
{
    cnx_arena *scratch = cnx_arena_create(cells->points->arena);
    home_search s = {.cells = cells, .colours = colours, .scratch = scratch};
    s.irregular = cnx_reason(cells->points, "cuts across other blocks", NULL, NULL);
    s.seen = CNX_NEW_ARRAY(scratch, uint32_t, cells->class_count);
    cells->circle = NULL;
    find_all(&s);
    if (s.circular) {
        prepare_circles(&s);
        find_all(&s);
    }
    bool complete = !pin_crossed(&s);
    cnx_arena_destroy(scratch);
    return complete;
}
