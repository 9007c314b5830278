/* Where points occur: on which values, in which nodes' relations. Made when an explanation is asked for, in
 * lists by sequence and by value; a point is looked up when it is met, by the spans of the sequences, so that
 * nothing is as large as the number of points.
 */
#include "analyze/constants.h"
#include "analyze/explain/explain_internal.h"

typedef struct cnx_span {
    uint32_t first; /* the smallest point of a sequence */
    uint32_t last;
    bool dense; /* the points are first, first + 1, first + 2 ... in this order */
} cnx_span;

typedef struct pair {
    uint32_t key;
    uint32_t item;
} pair;

typedef struct pairs {
    cnx_arena *arena;
    size_t count;
    size_t capacity;
    pair *items;
} pairs;

static void add_pair(pairs *p, uint32_t key, uint32_t item)
{
    pair made = {key, item};
    CNX_PUSH(p->arena, p->items, p->count, p->capacity, made);
}

/* In the order they were added. */
static cnx_lists lists_of(cnx_arena *arena, const pairs *p, size_t key_count)
{
    cnx_lists lists = {.start = CNX_NEW_ARRAY(arena, uint32_t, key_count + 2),
                       .items = CNX_NEW_ARRAY(arena, uint32_t, p->count)};
    for (size_t i = 0; i < p->count; i++)
        lists.start[p->items[i].key + 2]++;
    for (size_t k = 2; k < key_count + 2; k++)
        lists.start[k] += lists.start[k - 1];
    for (size_t i = 0; i < p->count; i++)
        lists.items[lists.start[p->items[i].key + 1]++] = p->items[i].item;
    return lists;
}

/* ---- numbers ---- */

uint32_t cnx_map_number(const cnx_analysis *analysis, uint32_t walk, uint32_t id)
{
    const cnx_walk *w = &analysis->walks[walk];
    while (w->graph->values[id].captured_from != CNX_NONE && w->outer != CNX_NONE) {
        id = w->graph->values[id].captured_from;
        w = &analysis->walks[w->outer];
    }
    return w->first_value + id;
}

const cnx_walk *cnx_map_walk_of_node(const cnx_map *map, uint32_t node)
{
    size_t low = 0, high = map->analysis->walk_count;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (map->analysis->walks[middle].first_node <= node)
            low = middle;
        else
            high = middle;
    }
    while (node - map->analysis->walks[low].first_node >= map->analysis->walks[low].graph->node_count)
        low--; /* graphs without nodes have the number of the next one */
    return &map->analysis->walks[low];
}

const cnx_walk *cnx_map_walk_of_value(const cnx_map *map, uint32_t value)
{
    size_t low = 0, high = map->analysis->walk_count;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (map->analysis->walks[middle].first_value <= value)
            low = middle;
        else
            high = middle;
    }
    while (value - map->analysis->walks[low].first_value >= map->analysis->walks[low].graph->value_count)
        low--;
    return &map->analysis->walks[low];
}

const cnx_node *cnx_map_node(const cnx_map *map, uint32_t node)
{
    const cnx_walk *walk = cnx_map_walk_of_node(map, node);
    return &walk->graph->nodes[node - walk->first_node];
}

const cnx_value *cnx_map_value(const cnx_map *map, uint32_t value)
{
    const cnx_walk *walk = cnx_map_walk_of_value(map, value);
    return &walk->graph->values[value - walk->first_value];
}

/* ---- sightings ---- */

static void see_axes(cnx_map *map, pairs *by_value, uint32_t value, uint32_t reader, const cnx_axis *axes,
                     uint32_t rank)
{
    for (uint32_t k = 0; k < rank; k++) {
        cnx_sighting sighting = {
            .value = value, .reader = reader, .axis = k, .extent = axes[k].extent, .reason = axes[k].reason};
        if (axes[k].kind == CNX_AXIS_LABELS)
            sighting.labels = axes[k].labels->finer != NULL ? axes[k].labels->finer : axes[k].labels;
        if (axes[k].kind == CNX_AXIS_ANY)
            continue;
        add_pair(by_value, value, (uint32_t)map->sighting_count);
        CNX_PUSH(map->arena, map->sightings, map->sighting_count, map->sighting_capacity, sighting);
    }
}

/* The axes of a value, or those of a sequence's elements. */
static void see_fact(cnx_map *map, pairs *by_value, uint32_t value, const cnx_fact *fact)
{
    if (fact->known)
        see_axes(map, by_value, value, CNX_NONE, fact->axes, fact->rank);
    for (uint32_t i = 0; fact->sequence != NULL && i < fact->sequence->count; i++)
        see_fact(map, by_value, value, &fact->sequence->items[i]);
}

static void see_values(cnx_map *map, pairs *by_value)
{
    const cnx_analysis *a = map->analysis;
    for (size_t w = 0; w < a->walk_count; w++)
        for (uint32_t v = 0; v < a->walks[w].graph->value_count; v++)
            see_fact(map, by_value, a->walks[w].first_value + v, &a->walks[w].facts[v]);
    for (size_t p = 0; p < a->parameter_count; p++) {
        const cnx_parameter *parameter = &a->parameters[p];
        for (uint32_t w = 0; w < a->walk_count && parameter->again; w++)
            if (a->walks[w].graph == parameter->graph)
                see_axes(map, by_value, a->walks[w].first_value + parameter->value, parameter->reader,
                         parameter->axes, parameter->tensor->rank);
    }
}

/* Whether a reader has sightings of its own of this value. */
static bool sees_otherwise(const cnx_map *map, uint32_t value, uint32_t node)
{
    for (uint32_t i = map->sightings_of.start[value];
         i < map->sightings_of.start[value + 1] && node != CNX_NONE; i++)
        if (map->sightings[map->sightings_of.items[i]].reader == node)
            return true;
    return false;
}

/* ---- nodes and values ---- */

static void meet(pairs *by_node, uint32_t node, uint32_t value)
{
    for (size_t i = by_node->count; i-- > 0 && by_node->items[i].key == node;)
        if (by_node->items[i].item == value)
            return;
    add_pair(by_node, node, value);
}

/* Whether a node's nested graphs were walked through: then their own nodes read what they capture. */
static bool is_followed(const cnx_analysis *a, uint32_t walk, uint32_t node)
{
    for (uint32_t w = walk + 1; w < a->walk_count; w++)
        if (a->walks[w].caller == node)
            return true;
    return false;
}

static void meet_node(const cnx_analysis *a, uint32_t walk, uint32_t n, pairs *by_node)
{
    const cnx_walk *w = &a->walks[walk];
    const cnx_node *node = &w->graph->nodes[n];
    for (uint32_t i = 0; i < node->input_count; i++)
        if (node->inputs[i] != CNX_NONE)
            meet(by_node, w->first_node + n, cnx_map_number(a, walk, node->inputs[i]));
    for (uint32_t o = 0; o < node->output_count; o++)
        if (node->outputs[o] != CNX_NONE)
            meet(by_node, w->first_node + n, w->first_value + node->outputs[o]);
    bool followed = node->subgraph_count != 0 && is_followed(a, walk, w->first_node + n);
    for (uint32_t g = 0; g < node->subgraph_count && !followed; g++) {
        const cnx_graph *body = node->subgraphs[g].graph;
        for (uint32_t v = 0; v < body->value_count; v++)
            if (body->values[v].captured_from != CNX_NONE)
                meet(by_node, w->first_node + n, cnx_map_number(a, walk, body->values[v].captured_from));
    }
}

/* A node that holds or calls a graph gives it its inputs and takes its outputs. */
static void meet_body(const cnx_analysis *a, uint32_t walk, pairs *by_node)
{
    const cnx_walk *w = &a->walks[walk];
    for (uint32_t i = 0; w->caller != CNX_NONE && i < w->graph->input_count; i++)
        add_pair(by_node, w->caller, w->first_value + w->graph->inputs[i]);
    for (uint32_t i = 0; w->caller != CNX_NONE && i < w->graph->output_count; i++)
        add_pair(by_node, w->caller, cnx_map_number(a, walk, w->graph->outputs[i]));
}

static void meet_values(cnx_map *map, cnx_arena *scratch)
{
    const cnx_analysis *a = map->analysis;
    pairs by_node = {.arena = scratch}, by_value = {.arena = scratch};
    for (uint32_t w = 0; w < a->walk_count; w++)
        for (uint32_t i = 0; i < a->walks[w].graph->order_count; i++)
            meet_node(a, w, a->walks[w].graph->order[i], &by_node);
    for (uint32_t w = 0; w < a->walk_count; w++)
        meet_body(a, w, &by_node);
    for (size_t i = 0; i < by_node.count; i++)
        add_pair(&by_value, by_node.items[i].item, by_node.items[i].key);
    map->values_of = lists_of(map->arena, &by_node, a->node_numbers);
    map->nodes_of = lists_of(map->arena, &by_value, a->value_numbers);
}

/* ---- sequences ---- */

static cnx_span span_of(const cnx_sequence *sequence)
{
    cnx_span span = {.first = CNX_NONE, .dense = true};
    for (uint32_t i = 0; i < sequence->count; i++) {
        uint32_t point = sequence->points[i];
        span.first = point < span.first ? point : span.first;
        span.last = point > span.last ? point : span.last;
        span.dense = span.dense && point == sequence->points[0] + i;
    }
    return span;
}

static void index_sequences(cnx_map *map, cnx_arena *scratch)
{
    const cnx_points *points = map->points;
    pairs relations = {.arena = scratch}, pins = {.arena = scratch}, repeats = {.arena = scratch};
    map->spans = CNX_NEW_ARRAY(map->arena, cnx_span, points->sequence_count);
    for (size_t s = 0; s < points->sequence_count; s++)
        map->spans[s] = span_of(points->sequences[s]);
    for (size_t r = 0; r < points->relation_count; r++) {
        add_pair(&relations, points->relations[r].from->id, (uint32_t)r);
        if (points->relations[r].to != points->relations[r].from)
            add_pair(&relations, points->relations[r].to->id, (uint32_t)r);
    }
    for (size_t i = 0; i < points->pin_count; i++)
        add_pair(&pins, points->pins[i].sequence->id, (uint32_t)i);
    for (size_t i = 0; i < points->repeat_count; i++)
        add_pair(&repeats, points->repeats[i].relation, points->repeats[i].speaker);
    map->repeats_of = lists_of(map->arena, &repeats, points->relation_count);
    map->relations_of = lists_of(map->arena, &relations, points->sequence_count);
    map->pins_of = lists_of(map->arena, &pins, points->sequence_count);
}

cnx_map *cnx_map_create(cnx_arena *arena, const cnx_analysis *analysis, const cnx_cells *cells)
{
    cnx_map *map = CNX_NEW(arena, cnx_map);
    cnx_arena *scratch = cnx_arena_create(arena);
    *map = (cnx_map){.arena = arena, .analysis = analysis, .points = analysis->points, .cells = cells};
    cnx_intern_init(&map->met, arena);
    pairs by_value = {.arena = scratch};
    see_values(map, &by_value);
    map->sightings_of = lists_of(arena, &by_value, analysis->value_numbers);
    meet_values(map, scratch);
    index_sequences(map, scratch);
    cnx_arena_destroy(scratch);
    return map;
}

/* ---- questions ---- */

/* Where a sequence lists the point, or CNX_NONE. */
static uint32_t position_in(const cnx_map *map, const cnx_sequence *sequence, uint32_t point)
{
    const cnx_span *span = &map->spans[sequence->id];
    if (point < span->first || point > span->last)
        return CNX_NONE;
    if (span->dense)
        return point - span->first;
    for (uint32_t i = 0; i < sequence->count; i++)
        if (sequence->points[i] == point)
            return i;
    return CNX_NONE;
}

cnx_occurrences cnx_map_occurrences(cnx_map *map, uint32_t point)
{
    size_t known = map->met.count;
    uint32_t number = cnx_intern_add(&map->met, &point, sizeof point);
    if (number < known)
        return map->occurrences[number];
    cnx_occurrences found = {0};
    for (uint32_t s = 0; s < map->points->sequence_count; s++) {
        cnx_occurrence occurrence = {s, position_in(map, map->points->sequences[s], point)};
        if (occurrence.position != CNX_NONE)
            CNX_PUSH(map->arena, found.items, found.count, found.capacity, occurrence);
    }
    CNX_PUSH(map->arena, map->occurrences, map->met_count, map->met_capacity, found);
    return found;
}

const cnx_sighting *cnx_map_sight(cnx_map *map, uint32_t value, uint32_t node, uint32_t point,
                                  uint32_t *position)
{
    uint32_t reader = sees_otherwise(map, value, node) ? node : CNX_NONE;
    for (uint32_t i = map->sightings_of.start[value]; i < map->sightings_of.start[value + 1]; i++) {
        const cnx_sighting *sighting = &map->sightings[map->sightings_of.items[i]];
        if (sighting->labels == NULL || sighting->reader != reader)
            continue;
        uint32_t place = position_in(map, sighting->labels->sequence, point);
        if (place == CNX_NONE)
            continue;
        *position = place % sighting->labels->extent;
        return sighting;
    }
    return NULL;
}

const cnx_sighting *cnx_map_sight_pinned(const cnx_map *map, uint32_t value, uint32_t node, uint32_t reason,
                                         const cnx_sighting *like)
{
    uint32_t reader = sees_otherwise(map, value, node) ? node : CNX_NONE;
    const cnx_sighting *found = NULL;
    for (uint32_t i = map->sightings_of.start[value]; i < map->sightings_of.start[value + 1]; i++) {
        const cnx_sighting *sighting = &map->sightings[map->sightings_of.items[i]];
        if (sighting->labels != NULL || sighting->reader != reader || sighting->reason != reason)
            continue;
        if (like != NULL && sighting->extent == like->extent)
            return sighting;
        if (found == NULL)
            found = sighting;
    }
    return found;
}

bool cnx_map_states(const cnx_map *map, uint32_t node, uint32_t relation)
{
    bool states = map->points->relations[relation].speaker == node;
    for (uint32_t i = map->repeats_of.start[relation]; i < map->repeats_of.start[relation + 1] && !states;
         i++)
        states = map->repeats_of.items[i] == node;
    return states;
}

bool cnx_map_is_parameter(const cnx_map *map, uint32_t value)
{
    const cnx_walk *walk = cnx_map_walk_of_value(map, value);
    const cnx_value *v = cnx_map_value(map, value);
    if (v->initializer != NULL)
        return !cnx_is_replaceable(walk->graph, v);
    return v->producer != CNX_NONE && strcmp(walk->graph->nodes[v->producer].op_type, "Constant") == 0;
}
