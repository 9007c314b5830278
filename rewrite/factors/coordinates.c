/* A unit in front of a normalization and behind it can be multiplied by two numbers independently; the solver
 * writes that down in generators, of which there are many choices. Coordinates are sums that multiply pieces:
 * these mean something. They are found along the anchors of the component. First those on tensors with
 * several elements a position (matrices), then those on vectors, either in the order of parameters and axes:
 * the sum of an anchor becomes a coordinate if it can be set independently of those before, to every whole
 * number. With matrices first, what a unit is multiplied by behind the normalization is a coordinate and not
 * its ratio to what comes in; most elements are then multiplied by a difference of two coordinates.
 *
 * Which way a coordinate counts follows from the first anchor of all whose sum is a multiple of it alone:
 * that is a positive one. Since parameters are in the order of the nodes that read them, it is the one where
 * the unit comes into being, for all units alike.
 *
 * An anchor where the component's pieces have different sums says nothing, for their order means nothing.
 */
#include "rewrite/factors/coordinates.h"

#include "rewrite/factors/freedom.h"

#include <stdlib.h>

enum { MOST_GENERATORS = 8 };

/* The component's pieces at one anchor. */
typedef struct place {
    bool vector; /* one element a position; or not told apart */
    size_t parameter;
    uint32_t axis;
    uint32_t anchor;
    const cnx_piece *piece; /* any of them; NULL when their sums are not the same */
} place;

static int compare_places(const void *a, const void *b)
{
    const place *x = a, *y = b;
    if (x->vector != y->vector)
        return x->vector ? 1 : -1;
    if (x->parameter != y->parameter)
        return x->parameter < y->parameter ? -1 : 1;
    if (x->axis != y->axis)
        return x->axis < y->axis ? -1 : 1;
    return (x->anchor > y->anchor) - (x->anchor < y->anchor);
}

static bool have_one_sum(const cnx_piece *a, const cnx_piece *b)
{
    bool same = a->term_count == b->term_count;
    for (uint32_t t = 0; t < a->term_count && same; t++) /* terms are sorted */
        same = a->terms[t].unknown == b->terms[t].unknown && a->terms[t].factor == b->terms[t].factor;
    return same;
}

/* One place for each anchor of the component, sorted; with `apart`, vectors come last. */
static place *list_places(cnx_arena *arena, const cnx_anchors *a, const cnx_component *component, bool apart,
                          uint32_t *count)
{
    place *list = CNX_NEW_ARRAY(arena, place, component->piece_count);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < component->piece_count; i++) {
        const cnx_piece *piece = &a->pieces[component->pieces[i]];
        const cnx_tensor *tensor = a->analysis->parameters[piece->parameter].tensor;
        bool vector = apart && tensor->count == (uint64_t)tensor->dims[piece->axis];
        list[i] = (place){vector, piece->parameter, piece->axis, piece->anchor, piece};
    }
    if (component->piece_count > 1)
        qsort(list, component->piece_count, sizeof *list, compare_places);
    for (uint32_t i = 0; i < component->piece_count; i++) {
        place *last = kept != 0 && list[kept - 1].anchor == list[i].anchor ? &list[kept - 1] : NULL;
        if (last == NULL)
            list[kept++] = list[i];
        else if (last->piece != NULL && !have_one_sum(last->piece, list[i].piece))
            last->piece = NULL;
    }
    *count = kept;
    return list;
}

/* Whether sums that change by `rows` can be set independently of each other, to every whole number. */
static const cnx_settling *settle_freely(cnx_arena *arena, const cnx_freedom *all, const int64_t *rows,
                                         uint32_t count)
{
    const cnx_settling *made = cnx_freedom_settle(arena, all, rows, count);
    for (uint32_t i = 0; made != NULL && i < count; i++)
        if (made->divisors[i] != 1)
            return NULL;
    return made;
}

/* The changes of generators that change one of the sums by 1. */
static int64_t *invert(cnx_arena *arena, const cnx_settling *settling)
{
    uint32_t size = settling->count;
    int64_t *changes = CNX_NEW_ARRAY(arena, int64_t, (size_t)size * size);
    int64_t *wanted = CNX_NEW_ARRAY(arena, int64_t, size);
    for (uint32_t i = 0; i < size; i++) {
        memset(wanted, 0, size * sizeof *wanted);
        wanted[i] = 1;
        cnx_settling_solve(settling, wanted, changes + (size_t)i * size);
    }
    return changes;
}

int64_t cnx_coordinate_factor(const cnx_coordinates *c, uint32_t i, const cnx_piece *piece)
{
    int64_t factor = 0;
    for (uint32_t t = 0; t < piece->term_count; t++)
        factor += piece->terms[t].factor * c->changes[(size_t)i * c->size + piece->terms[t].unknown];
    return factor;
}

/* The coordinate of which the piece's sum is a multiple, or CNX_NONE. */
static uint32_t only_coordinate(const cnx_coordinates *c, const cnx_piece *piece)
{
    uint32_t only = CNX_NONE, several = 0;
    for (uint32_t i = 0; i < c->count; i++)
        if (cnx_coordinate_factor(c, i, piece) != 0) {
            only = i;
            several++;
        }
    return several == 1 ? only : CNX_NONE;
}

static void turn(const cnx_coordinates *c, int64_t *changes, const place *places, uint32_t count)
{
    bool turned[MOST_GENERATORS] = {false};
    for (uint32_t k = 0; k < count; k++) {
        uint32_t i = places[k].piece != NULL ? only_coordinate(c, places[k].piece) : CNX_NONE;
        if (i == CNX_NONE || turned[i])
            continue;
        turned[i] = true;
        bool backwards = cnx_coordinate_factor(c, i, places[k].piece) < 0;
        for (uint32_t g = 0; g < c->size && backwards; g++)
            changes[(size_t)i * c->size + g] *= -1;
    }
}

cnx_coordinates cnx_find_coordinates(cnx_arena *arena, const cnx_anchors *a, uint32_t component)
{
    const cnx_component *of = &a->components[component];
    cnx_coordinates c = {.size = of->size};
    if (of->size > MOST_GENERATORS)
        return c;
    uint32_t count, chosen = 0;
    const place *places = list_places(arena, a, of, true, &count);
    const cnx_freedom *all = cnx_freedom_all(arena, of->size, false);
    int64_t rows[MOST_GENERATORS * MOST_GENERATORS];
    const cnx_settling *settling = NULL;
    for (uint32_t k = 0; k < count && chosen < of->size; k++) {
        if (places[k].piece == NULL)
            continue;
        cnx_freedom_change(all, places[k].piece->terms, places[k].piece->term_count,
                           rows + (size_t)chosen * of->size);
        const cnx_settling *made = settle_freely(arena, all, rows, chosen + 1);
        settling = made != NULL ? made : settling;
        chosen += made != NULL;
    }
    if (chosen < of->size)
        return c;
    int64_t *changes = invert(arena, settling);
    c.changes = changes;
    c.count = of->size;
    places = list_places(arena, a, of, false, &count);
    turn(&c, changes, places, count);
    return c;
}
