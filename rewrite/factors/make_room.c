/* Training lets some units die: weight decay takes what they send on to 1e-34 and below, while their bias
 * stays what it was. Their scale is chosen by the bias, and what they send on would be subnormal and lose
 * bits. So units move away from the chosen scales until all elements of all tensors have room for their bits.
 *
 * Where they move does not depend on the scales in the file: it is counted from the chosen ones, with all
 * elements multiplied as chosen, in numbers that have room for any exponent. Let d be by which powers of two
 * units move: as many numbers for each as it has coordinates (rewrite/factors/coordinates.c). An element
 * between two units bounds d[i] - d[j] from both sides, one beside an input or an output bounds d[i]. If two
 * vectors keep such bounds, so does the smaller one of each pair of their numbers, and so does the larger
 * one. So there is a largest vector of those with d <= 0, if there is any, and one finds it by lowering each
 * unit as far as some element asks for, all at once, until none does. That is the usual case: a dying unit
 * gets smaller. Where there is none, units have to grow to make room for others: of 1, 2, 4 ... the first
 * number t is taken for which there are vectors with d <= t. Of the largest of these, y, what grew without
 * need comes back: the answer is the smallest vector with d >= min(y, 0), found by raising. Nothing in that
 * depends on an order of units. Where units lower each other in a circle without an end, they would for any
 * t, and reading all tensors that often takes its time: then there is no second try.
 *
 * The scales of the file are one such vector if no number in it is too large, so there is an answer then,
 * though perhaps one that is too far away to be looked for, but for units that stay where they are: those
 * that have no coordinates, and those that meet half precision, which was settled as it is. Elements that are
 * multiplied by a sum of coordinates (a gate and what it lets through) bound no difference, and may ask in
 * vain, too.
 */
#include "rewrite/factors/make_room.h"

#include "rewrite/factors/coordinates.h"
#include "rewrite/factors/shortage.h"

#include <limits.h>
#include <stdlib.h>

enum { MOST_ROUNDS = 256, FARTHEST = 512 };

/* By how much elements ask a coordinate to grow, and to shrink. */
typedef struct wish {
    int32_t up;
    int32_t down;
} wish;

typedef struct making {
    cnx_normalizer *n;
    cnx_arena *scratch;
    const cnx_coordinates *coordinates; /* by component; none where it may not move */
    uint32_t *first;                    /* by component: of its numbers, by coordinate, then member */
    uint32_t count;                     /* of all numbers */
    wish *wishes;                       /* by number */
    int32_t *moved;                     /* by number: from the chosen scale */
    int32_t *by;                        /* by number: scratch */
    bool *looked_at; /* by parameter: all of its elements have room, and nothing has moved since */
    bool possible;   /* no product was beyond what doubles have room for */
    bool ended;      /* the last search went on until no unit moved */
    bool fits;       /* all elements had room when they were last looked at */
} making;

/* ---- what is asked for ---- */

static int32_t largest_of(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

/* What a shortage asks of the number of which `factor` times multiplies the elements. */
static void wish_for(wish *w, cnx_shortage s, int64_t factor)
{
    if (factor == 0)
        return;
    int64_t size = llabs(factor), up = factor > 0 ? s.below : s.above, down = factor > 0 ? s.above : s.below;
    w->up = largest_of(w->up, (int32_t)((up + size - 1) / size));
    w->down = largest_of(w->down, (int32_t)((down + size - 1) / size));
}

static uint32_t count_members(const making *m, uint32_t component)
{
    return m->n->anchors->cells->cells[m->n->anchors->components[component].cell].count;
}

static void ask_units(const making *m, size_t parameter, uint32_t axis, const cnx_shortage *shortages)
{
    const cnx_anchors *a = m->n->anchors;
    uint32_t count;
    const cnx_anchor_place *places = cnx_anchor_places(a, parameter, axis, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (places[i].piece == CNX_NONE || (shortages[i].below == 0 && shortages[i].above == 0))
            continue;
        const cnx_piece *piece = &a->pieces[places[i].piece];
        const cnx_coordinates *c = &m->coordinates[piece->component];
        wish *wishes = m->wishes + m->first[piece->component] + places[i].member;
        for (uint32_t k = 0; k < c->count; k++)
            wish_for(wishes + (size_t)k * count_members(m, piece->component), shortages[i],
                     cnx_coordinate_factor(c, k, piece));
    }
}

static void look_at_parameter(making *m, size_t p)
{
    const cnx_parameter *parameter = &m->n->analysis->parameters[p];
    uint32_t rank = parameter->tensor->rank;
    cnx_arena *scratch = cnx_arena_create(m->scratch);
    cnx_shortage **on = CNX_NEW_ARRAY(scratch, cnx_shortage *, rank);
    bool multiplied = false;
    for (uint32_t k = 0, count; k < rank; k++)
        if (cnx_anchor_places(m->n->anchors, p, k, &count) != NULL) {
            on[k] = CNX_NEW_ARRAY(scratch, cnx_shortage, count);
            multiplied = true;
        }
    bool half = parameter->tensor->type == CNX_TYPE_FLOAT16; /* not to be multiplied */
    cnx_shortages found =
        multiplied && !half ? cnx_find_shortages(&m->n->reading, parameter, on) : CNX_NO_SHORTAGE;
    for (uint32_t k = 0; k < rank && found == CNX_SHORTAGE; k++)
        if (on[k] != NULL)
            ask_units(m, p, k, on[k]);
    m->looked_at[p] = found == CNX_NO_SHORTAGE;
    m->fits = m->fits && found == CNX_NO_SHORTAGE;
    m->possible = m->possible && found != CNX_BEYOND_DOUBLES;
    cnx_arena_destroy(scratch);
}

/* ---- moving ---- */

static void multiply(making *m, uint32_t generator, const int32_t *by)
{
    const cnx_generator_uses *uses = &m->n->uses[generator];
    cnx_multiply_units(m->n, generator, by);
    for (size_t i = 0; i < uses->count; i++)
        m->looked_at[uses->list[i].parameter] = false;
}

/* Moves the component's units along one coordinate. */
static void move_along(making *m, uint32_t component, uint32_t coordinate, const int32_t *by)
{
    const cnx_coordinates *c = &m->coordinates[component];
    uint32_t members = count_members(m, component);
    cnx_arena *scratch = cnx_arena_create(m->scratch);
    int32_t *numbers = CNX_NEW_ARRAY(scratch, int32_t, members);
    for (uint32_t g = 0; g < c->size; g++) {
        int64_t change = c->changes[(size_t)coordinate * c->size + g];
        for (uint32_t i = 0; i < members; i++)
            numbers[i] = (int32_t)(change * by[i]);
        if (change != 0)
            multiply(m, m->n->anchors->components[component].generators[g], numbers);
    }
    cnx_arena_destroy(scratch);
}

/* Moves units by the numbers in `by`. */
static void move_units(making *m)
{
    for (uint32_t c = 0; c < m->n->anchors->component_count; c++) {
        uint32_t members = count_members(m, c);
        for (uint32_t k = 0; k < m->coordinates[c].count; k++) {
            uint32_t first = m->first[c] + k * members;
            bool moves = false;
            for (uint32_t i = first; i < first + members; i++) {
                m->moved[i] += m->by[i];
                moves = moves || m->by[i] != 0;
            }
            if (moves)
                move_along(m, c, k, m->by + first);
        }
    }
}

/* Moves units in one direction as far as some of their elements ask for. Returns whether any did. */
static bool move_once(making *m, bool up)
{
    bool any = false;
    m->fits = true;
    if (m->count != 0)
        memset(m->wishes, 0, m->count * sizeof *m->wishes);
    for (size_t p = 0; p < m->n->analysis->parameter_count && m->possible; p++)
        if (!m->looked_at[p])
            look_at_parameter(m, p);
    for (uint32_t i = 0; i < m->count && m->possible; i++) {
        m->by[i] = up ? m->wishes[i].up : -m->wishes[i].down;
        any = any || m->by[i] != 0;
    }
    if (any)
        move_units(m);
    return any;
}

/* Returns whether that made room for everything. */
static bool move_all(making *m, bool up)
{
    int round = 0;
    while (round < MOST_ROUNDS && move_once(m, up) && m->possible)
        round++;
    m->ended = round < MOST_ROUNDS;
    return round < MOST_ROUNDS && m->possible && m->fits;
}

/* Moves units to the nearest place between two, counted from the chosen scales. */
static void place_units(making *m, int least, int most)
{
    for (uint32_t i = 0; i < m->count; i++) {
        int to = m->moved[i] < least ? least : m->moved[i] > most ? most : m->moved[i];
        m->by[i] = to - m->moved[i];
    }
    move_units(m);
}

/* By component: whether it meets half precision. */
static const bool *find_halves(const cnx_normalizer *n, cnx_arena *scratch)
{
    const cnx_anchors *a = n->anchors;
    bool *half = CNX_NEW_ARRAY(scratch, bool, a->component_count);
    for (size_t i = 0; i < a->piece_count; i++)
        if (n->analysis->parameters[a->pieces[i].parameter].tensor->type == CNX_TYPE_FLOAT16)
            half[a->pieces[i].component] = true;
    return half;
}

static making begin(cnx_normalizer *n, cnx_arena *scratch)
{
    making m = {.n = n, .scratch = scratch, .possible = true};
    const cnx_anchors *a = n->anchors;
    const bool *half = find_halves(n, scratch);
    cnx_coordinates *coordinates = CNX_NEW_ARRAY(scratch, cnx_coordinates, a->component_count);
    m.coordinates = coordinates;
    m.first = CNX_NEW_ARRAY(scratch, uint32_t, a->component_count);
    for (uint32_t c = 0; c < a->component_count; c++) {
        if (!half[c])
            coordinates[c] = cnx_find_coordinates(scratch, a, c);
        m.first[c] = m.count;
        m.count += coordinates[c].count * count_members(&m, c);
    }
    m.looked_at = CNX_NEW_ARRAY(scratch, bool, n->analysis->parameter_count);
    m.wishes = CNX_NEW_ARRAY(scratch, wish, m.count);
    m.moved = CNX_NEW_ARRAY(scratch, int32_t, m.count);
    m.by = CNX_NEW_ARRAY(scratch, int32_t, m.count);
    return m;
}

bool cnx_make_room(cnx_normalizer *n)
{
    cnx_arena *scratch = cnx_arena_create(n->arena);
    making m = begin(n, scratch);
    bool made = move_all(&m, false);
    for (int most = 1; !made && m.ended && m.possible && most <= FARTHEST; most *= 2) {
        place_units(&m, most, most);
        made = move_all(&m, false);
        if (made)
            place_units(&m, INT_MIN, 0);
        made = made && move_all(&m, true);
    }
    bool known = m.possible;
    cnx_arena_destroy(scratch);
    return known;
}
