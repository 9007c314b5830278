/* From the stops of a search to steps that people can read: one a node, with the value it came by and the
 * value it left by. Where blocks are the same blocks because the same positions lie in them, the way through
 * these positions is put in.
 */
#include "analyze/explain/explain_internal.h"

/* Blocks inside blocks whose sameness is traced to positions. */
#define MOST_NESTED 4

typedef struct trail {
    cnx_arena *arena;
    size_t count;
    size_t capacity;
    cnx_stop *stops;
} trail;

void cnx_chain_init(cnx_chain *chain, cnx_map *map, cnx_arena *arena)
{
    *chain = (cnx_chain){.map = map, .arena = arena};
    cnx_intern_init(&chain->known, arena);
}

/* ---- the trail of stops ---- */

static void lay_trail(cnx_map *map, trail *t, const cnx_search *search, uint32_t last, unsigned depth);

static void add_stop(trail *t, uint32_t follow, uint32_t item, uint32_t place, uint32_t relation)
{
    cnx_stop stop = {
        .follow = follow, .item = item, .place = place, .before = CNX_NONE, .relation = relation};
    CNX_PUSH(t->arena, t->stops, t->count, t->capacity, stop);
}

/* From block to block through a position that lies in both. False when the way was not found. */
static bool lay_through_content(cnx_map *map, trail *t, const cnx_stop *stop, const cnx_stop *before,
                                unsigned depth)
{
    const cnx_points *points = map->points;
    const cnx_relation *same = &points->relations[stop->relation];
    cnx_closing closing = points->closings[same->speaker];
    const cnx_relation *first = &points->relations[closing.first],
                       *second = &points->relations[closing.second];
    uint32_t position = 0;
    bool forwards = true;
    for (;; position++) {
        if (position == first->to->count || depth == MOST_NESTED)
            return false;
        uint32_t a = first->to->points[position], b = second->to->points[position];
        forwards = a == before->item && b == stop->item;
        if (forwards || (b == before->item && a == stop->item))
            break;
    }
    uint32_t inside = position / first->inner * first->middle * first->inner + position % first->inner;
    const cnx_relation *here = forwards ? first : second, *there = forwards ? second : first;
    cnx_search search = {.map = map,
                         .arena = t->arena,
                         .goal = CNX_GOAL_STOP,
                         .item = there->from->points[inside],
                         .place = there->speaker | CNX_AT_NODE,
                         .most_copies = UINT32_MAX};
    cnx_stop start = {.follow = CNX_FOLLOW_TWINS,
                      .item = here->from->points[inside],
                      .place = before->place,
                      .before = CNX_NONE,
                      .relation = forwards ? closing.first : closing.second};
    cnx_search_run(&search, &start, 1);
    if (search.arrived == CNX_NONE)
        return false;
    lay_trail(map, t, &search, search.arrived, depth + 1);
    add_stop(t, stop->follow, stop->item, stop->place, forwards ? closing.second : closing.first);
    return true;
}

static void lay_trail(cnx_map *map, trail *t, const cnx_search *search, uint32_t last, unsigned depth)
{
    size_t length = 0;
    for (uint32_t at = last; at != CNX_NONE; at = search->stops[at].before)
        length++;
    uint32_t *way = CNX_NEW_ARRAY(t->arena, uint32_t, length);
    for (uint32_t at = last; at != CNX_NONE; at = search->stops[at].before)
        way[--length] = at;
    for (;; length++) {
        const cnx_stop *stop = &search->stops[way[length]];
        bool closing = stop->before != CNX_NONE && stop->relation != CNX_NONE &&
                       stop->relation >= map->points->stated_count;
        if (!closing || !lay_through_content(map, t, stop, &search->stops[stop->before], depth))
            add_stop(t, stop->follow, stop->item, stop->place, stop->relation);
        if (way[length] == last)
            return;
    }
}

/* ---- passages ---- */

static void note_relation(const cnx_map *map, cnx_passage *passage, const cnx_stop *stop,
                          const cnx_stop *before)
{
    if (stop->relation == CNX_NONE)
        return;
    if (stop->relation >= map->points->stated_count) {
        passage->same_content = true;
        return;
    }
    const cnx_relation *r = &map->points->relations[stop->relation];
    bool into = false; /* whether it went from `from` to `to` */
    for (uint32_t i = 0; i < r->to->count && !into; i++)
        into = r->to->points[i] == stop->item;
    for (uint32_t i = 0; i < r->to->count && into && before != NULL && r->to == r->from; i++)
        into = r->to->points[i] != before->item;
    if (r->kind == CNX_CONTAIN) {
        passage->block_size = r->middle;
        passage->into_block = into;
    } else if (r->middle > 1) {
        passage->copies = r->middle * (passage->copies != 0 ? passage->copies : 1);
        passage->one_of_copies = into;
    }
}

/* The axis of a value that a stop is about; `like` is the axis that the way came by before. */
static const cnx_sighting *sight(cnx_map *map, const cnx_stop *stop, uint32_t node, const cnx_sighting *like,
                                 uint32_t *position)
{
    *position = 0;
    return stop->follow == CNX_FOLLOW_REASON ? cnx_map_sight_pinned(map, stop->place, node, stop->item, like)
                                             : cnx_map_sight(map, stop->place, node, stop->item, position);
}

/* Adds a step, or finds it, and returns its number. */
static uint32_t add_step(cnx_chain *chain, uint32_t after, uint32_t node, const cnx_passage *passage,
                         const char *says)
{
    const cnx_sighting *from = passage->from, *to = passage->to;
    uint32_t key[8] = {after,
                       node,
                       from != NULL ? from->value : CNX_NONE,
                       from != NULL ? from->axis : 0,
                       passage->from_position,
                       to != NULL ? to->value : CNX_NONE,
                       to != NULL ? to->axis : 0,
                       passage->to_position};
    size_t known = chain->known.count;
    uint32_t number = cnx_intern_add(&chain->known, key, sizeof key);
    if (number < known)
        return number;
    cnx_explanation_step step = {.after = after == CNX_NONE ? SIZE_MAX : after, .inside = "", .says = says};
    if (node != CNX_NONE) {
        const cnx_walk *walk = cnx_map_walk_of_node(chain->map, node);
        step.node = cnx_node_label(walk->graph, cnx_map_node(chain->map, node));
        step.op_type = cnx_map_node(chain->map, node)->op_type;
        step.inside = cnx_node_surroundings(chain->arena, chain->map, node);
    }
    step.from = cnx_sighting_name(chain->arena, chain->map, from);
    step.from_position = passage->from_position;
    step.to = cnx_sighting_name(chain->arena, chain->map, to);
    step.to_position = passage->to_position;
    step.ties = to != NULL && cnx_map_is_parameter(chain->map, to->value);
    CNX_PUSH(chain->arena, chain->steps, chain->count, chain->capacity, step);
    return number;
}

/* Where the trail ends: at the node that pins, or at an input or output of the graph. */
static uint32_t end_chain(cnx_chain *chain, uint32_t after, const cnx_search *search, cnx_passage *passage,
                          const cnx_stop *value, const cnx_sighting *like)
{
    const char *reason =
        search->goal == CNX_GOAL_PIN ? cnx_reason_text(chain->map->points, search->reason) : NULL;
    if (passage->node != CNX_NONE)
        return add_step(chain, after, passage->node, passage,
                        reason != NULL ? reason : cnx_passage_words(chain->arena, chain->map, passage));
    if (reason == NULL)
        return after;
    cnx_passage last = {.node = CNX_NONE};
    last.from = sight(chain->map, value, CNX_NONE, like, &last.from_position);
    return add_step(chain, after, CNX_NONE, &last, reason);
}

uint32_t cnx_chain_add(cnx_chain *chain, const cnx_search *search, uint32_t stop)
{
    trail t = {.arena = chain->arena};
    cnx_passage passage = {.node = CNX_NONE};
    uint32_t step = CNX_NONE;
    const cnx_stop *value = NULL;
    const cnx_sighting *like = NULL;
    lay_trail(chain->map, &t, search, stop, 0);
    for (size_t i = 0; i < t.count; i++) {
        const cnx_stop *s = &t.stops[i];
        bool at_node = (s->place & CNX_AT_NODE) != 0;
        uint32_t node = at_node ? s->place & ~CNX_AT_NODE : CNX_NONE;
        if (passage.node != CNX_NONE && node != passage.node) {
            if (!at_node)
                like = passage.to = sight(chain->map, s, passage.node, like, &passage.to_position);
            step = add_step(chain, step, passage.node, &passage,
                            cnx_passage_words(chain->arena, chain->map, &passage));
            passage = (cnx_passage){.node = CNX_NONE};
        }
        if (at_node && passage.node == CNX_NONE) {
            passage.node = node;
            if (value != NULL)
                like = passage.from = sight(chain->map, value, node, like, &passage.from_position);
        }
        if (at_node)
            note_relation(chain->map, &passage, s, i > 0 ? &t.stops[i - 1] : NULL);
        value = at_node ? NULL : s;
    }
    return end_chain(chain, step, search, &passage, value, like);
}
