/* Breadth first over stops: a point at a value, or at a node. From a value one goes to every node that reads
 * or makes it; from a node to its other values where the point, or one that the node related it to, is seen.
 * So neighbouring nodes of a path always share a value. The length of a path is the number of its nodes:
 * everything else costs nothing, and is done before any node further away is entered.
 */
#include "analyze/explain/explain_internal.h"

static bool is_new(cnx_search *s, const cnx_stop *stop)
{
    uint32_t key[3] = {stop->follow, stop->item, stop->place};
    size_t known = s->seen.count;
    return cnx_intern_add(&s->seen, key, sizeof key) == known;
}

/* A stop that costs nothing more. */
static void go(cnx_search *s, cnx_stop stop)
{
    if (s->arrived == CNX_NONE && is_new(s, &stop))
        CNX_PUSH(s->arena, s->stops, s->stop_count, s->stop_capacity, stop);
}

/* A stop that is one node further away. */
static void go_further(cnx_search *s, cnx_stop stop)
{
    CNX_PUSH(s->arena, s->next, s->next_count, s->next_capacity, stop);
}

static cnx_stop from_stop(const cnx_search *s, uint32_t before)
{
    cnx_stop stop = s->stops[before];
    stop.before = before;
    stop.relation = CNX_NONE;
    return stop;
}

/* ---- what is seen where ---- */

static bool sees(cnx_search *s, uint32_t value, uint32_t node, const cnx_stop *stop)
{
    uint32_t position;
    return stop->follow == CNX_FOLLOW_REASON
               ? cnx_map_sight_pinned(s->map, value, node, stop->item, NULL) != NULL
               : cnx_map_sight(s->map, value, node, stop->item, &position) != NULL;
}

/* ---- goals ---- */

/* The pin of a node, or with CNX_NONE of the graph, that holds the point. */
static uint32_t pin_of(cnx_search *s, uint32_t point, uint32_t speaker)
{
    const cnx_map *map = s->map;
    cnx_occurrences found = cnx_map_occurrences(s->map, point);
    for (size_t k = 0; k < found.count; k++) {
        uint32_t sequence = found.items[k].sequence;
        for (uint32_t i = map->pins_of.start[sequence]; i < map->pins_of.start[sequence + 1]; i++) {
            const cnx_pin *pin = &map->points->pins[map->pins_of.items[i]];
            if (pin->speaker == speaker && (s->wanted == CNX_NONE || pin->reason == s->wanted))
                return pin->reason;
        }
    }
    return CNX_NONE;
}

/* Values that somebody else decides about: graph inputs, and tensors that are no weights. */
static bool is_given(const cnx_map *map, uint32_t value)
{
    return cnx_map_value(map, value)->producer == CNX_NONE &&
           cnx_map_walk_of_value(map, value)->caller == CNX_NONE;
}

static void arrive(cnx_search *s, uint32_t stop, uint32_t reason)
{
    s->arrived = stop;
    s->reason = reason;
}

static void look_for_pin(cnx_search *s, uint32_t at)
{
    cnx_stop stop = s->stops[at];
    bool at_node = (stop.place & CNX_AT_NODE) != 0;
    uint32_t node = at_node ? stop.place & ~CNX_AT_NODE : CNX_NONE;
    if (stop.follow == CNX_FOLLOW_REASON) {
        const cnx_node *origin = cnx_reason_node(s->map->points, stop.item);
        if (at_node ? origin == cnx_map_node(s->map, node) : origin == NULL && is_given(s->map, stop.place))
            arrive(s, at, stop.item);
        return;
    }
    if (!at_node && !cnx_map_value(s->map, stop.place)->is_output)
        return;
    uint32_t reason = pin_of(s, stop.item, node);
    if (reason == CNX_NONE)
        return;
    const cnx_node *origin = cnx_reason_node(s->map->points, reason);
    if (!at_node || origin == cnx_map_node(s->map, node)) {
        arrive(s, at, reason);
        return;
    }
    if (s->nearly == CNX_NONE) {
        s->nearly = at;
        s->reason = reason;
    }
    cnx_stop on = from_stop(s, at);
    on.follow = CNX_FOLLOW_REASON;
    on.item = reason;
    go(s, on);
}

static void look(cnx_search *s, uint32_t at)
{
    cnx_stop stop = s->stops[at];
    uint32_t position;
    if (s->goal == CNX_GOAL_PIN)
        look_for_pin(s, at);
    if (s->goal == CNX_GOAL_STOP && stop.item == s->item && stop.place == s->place)
        s->arrived = at;
    if (s->goal != CNX_GOAL_AXIS || stop.place != s->value)
        return;
    const cnx_sighting *sighting = cnx_map_sight(s->map, s->value, CNX_NONE, stop.item, &position);
    if (sighting != NULL && sighting->axis == s->axis && (s->position == CNX_NONE || position == s->position))
        s->arrived = at;
}

/* ---- relations ---- */

/* What may be followed between a block and what lies in it, for what moves together: from a class to its
 * home, and from a block to all that lies in it. What has no home there is moved by other things besides: of
 * its copies, only those in this block. */
static bool may_enter(const cnx_map *map, uint32_t from, uint32_t to, bool up, uint32_t *follow)
{
    const cnx_cells *cells = map->cells;
    uint32_t x = cells->class_of[from], y = cells->class_of[to];
    if (!up && cells->home[y] != x)
        *follow = CNX_FOLLOW_TWINS;
    return !up || cells->home[x] == y;
}

static void relate(cnx_search *s, uint32_t at, uint32_t relation, bool up, uint32_t point, uint32_t follow)
{
    cnx_stop on = from_stop(s, at);
    const cnx_relation *r = &s->map->points->relations[relation];
    if (follow == CNX_FOLLOW_HOME && r->kind == CNX_CONTAIN &&
        !may_enter(s->map, on.item, point, up, &follow))
        return;
    if (on.item == point && on.follow == follow)
        return;
    if (!cnx_map_states(s->map, on.place & ~CNX_AT_NODE, relation))
        return;
    on.item = point;
    on.follow = follow;
    on.relation = relation;
    go(s, on);
}

/* What may be followed behind a relation, upwards (from many to the one, from a position to its block) or
 * downwards; false when it may not be followed. */
static bool may_follow(const cnx_relation *r, bool up, uint32_t *follow)
{
    bool same = r->kind == CNX_IDENTIFY, twins = same && r->middle == 1;
    switch ((cnx_follow)*follow) {
    case CNX_FOLLOW_CLASS:
        return same;
    case CNX_FOLLOW_HOME:
        return true; /* may_enter decides */
    case CNX_FOLLOW_PIN:
        *follow = same ? CNX_FOLLOW_PIN : CNX_FOLLOW_HELD;
        return same || !up;
    case CNX_FOLLOW_HELD:
        return twins || !up;
    case CNX_FOLLOW_TWINS:
        return twins;
    case CNX_FOLLOW_UP:
        return same || up;
    case CNX_FOLLOW_REASON:
        break;
    }
    return false;
}

/* Blocks that hold the same positions: from the node that put these into the one block to the node that put
 * them into the other. */
static void follow_closing(cnx_search *s, uint32_t at, uint32_t relation, uint32_t position, bool up)
{
    const cnx_points *points = s->map->points;
    const cnx_relation *r = &points->relations[relation];
    cnx_closing closing = points->closings[r->speaker];
    uint32_t here = up ? closing.first : closing.second, there = up ? closing.second : closing.first;
    cnx_stop on = from_stop(s, at);
    if (!cnx_map_states(s->map, on.place & ~CNX_AT_NODE, here) || position >= (up ? r->to : r->from)->count)
        return;
    on.item = (up ? r->to : r->from)->points[position];
    on.place = points->relations[there].speaker | CNX_AT_NODE;
    on.relation = relation;
    go_further(s, on);
}

static void follow_relation(cnx_search *s, uint32_t at, uint32_t relation, cnx_occurrence where)
{
    const cnx_relation *r = &s->map->points->relations[relation];
    uint32_t follow = s->stops[at].follow;
    if (relation >= s->map->points->stated_count && r->kind == CNX_CONTAIN)
        return; /* blocks in blocks: a position in both leads from one to the other */
    if (where.sequence == r->from->id && may_follow(r, true, &follow)) {
        uint32_t to = where.position / (r->middle * r->inner) * r->inner + where.position % r->inner;
        if (relation >= s->map->points->stated_count)
            follow_closing(s, at, relation, where.position, true);
        else
            relate(s, at, relation, true, r->to->points[to], follow);
    }
    follow = s->stops[at].follow;
    if (where.sequence != r->to->id || !may_follow(r, false, &follow))
        return;
    if (relation >= s->map->points->stated_count) {
        follow_closing(s, at, relation, where.position, false);
        return;
    }
    uint32_t a = where.position / r->inner, b = where.position % r->inner;
    for (uint32_t m = 0; m < r->middle && m < s->most_copies; m++)
        relate(s, at, relation, false, r->from->points[(a * r->middle + m) * r->inner + b], follow);
}

static void follow_relations(cnx_search *s, uint32_t at)
{
    const cnx_lists *relations = &s->map->relations_of;
    cnx_occurrences found = cnx_map_occurrences(s->map, s->stops[at].item);
    for (size_t k = 0; k < found.count; k++) {
        uint32_t sequence = found.items[k].sequence;
        for (uint32_t i = relations->start[sequence]; i < relations->start[sequence + 1]; i++)
            follow_relation(s, at, relations->items[i], found.items[k]);
    }
}

/* ---- moving on ---- */

static void leave_node(cnx_search *s, uint32_t at)
{
    const cnx_lists *values = &s->map->values_of;
    uint32_t node = s->stops[at].place & ~CNX_AT_NODE;
    for (uint32_t i = values->start[node]; i < values->start[node + 1]; i++) {
        cnx_stop on = from_stop(s, at);
        if (!sees(s, values->items[i], node, &on))
            continue;
        on.place = values->items[i];
        go(s, on);
    }
    if (s->stops[at].follow != CNX_FOLLOW_REASON)
        follow_relations(s, at);
}

static void leave_value(cnx_search *s, uint32_t at)
{
    const cnx_lists *nodes = &s->map->nodes_of;
    uint32_t value = s->stops[at].place;
    for (uint32_t i = nodes->start[value]; i < nodes->start[value + 1]; i++) {
        cnx_stop on = from_stop(s, at);
        if (!sees(s, value, nodes->items[i], &on))
            continue;
        on.place = nodes->items[i] | CNX_AT_NODE;
        go_further(s, on);
    }
}

/* All stops that cost nothing more than those at hand. */
static void finish_layer(cnx_search *s, uint32_t *at)
{
    for (; *at < s->stop_count && s->arrived == CNX_NONE; ++*at) {
        look(s, *at);
        if (s->arrived != CNX_NONE)
            return;
        if ((s->stops[*at].place & CNX_AT_NODE) != 0)
            leave_node(s, *at);
        else
            leave_value(s, *at);
    }
}

void cnx_search_run(cnx_search *s, const cnx_stop *starts, size_t count)
{
    uint32_t at = 0;
    s->arrived = s->nearly = CNX_NONE;
    cnx_intern_init(&s->seen, s->arena);
    for (size_t i = 0; i < count; i++)
        go(s, starts[i]);
    for (finish_layer(s, &at); s->next_count != 0 && s->arrived == CNX_NONE; finish_layer(s, &at)) {
        const cnx_stop *entered = s->next;
        size_t entered_count = s->next_count;
        s->next = NULL;
        s->next_count = s->next_capacity = 0;
        for (size_t i = 0; i < entered_count; i++)
            go(s, entered[i]);
    }
}
