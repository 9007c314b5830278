/* Why an axis may move as far as it may and no further.
 *
 * Every relation and every pin remembers the node that stated it, and nothing else is kept while a model is
 * analysed. When somebody asks, the way from a position of the axis to its cause is searched for, breadth
 * first, in the graph whose vertices are (point, value) and (point, node):
 *
 *     (p, value) - (p, node)    the node reads or makes the value, one of whose axes lists p
 *     (p, node)  - (q, node)    a relation that the node stated (first, or again) leads from p to q
 *
 * A shortest way, by number of nodes, is then a chain of nodes of which each shares a value with the next: it
 * can be followed, and checked, in any viewer of the graph.
 *
 * What may be followed depends on the question (cnx_follow). What *ties* two axes are the identities. What
 * *pins* a class is a pin of any of its points, found along identities; or that something in one of its
 * blocks may not move. The latter is no matter of classes (a class may have a copy in every block), so from
 * there on only identities of one with one are followed, and from one of several copies nothing. This is what
 * cnx_points_close states, read backwards. A pin may have been handed on along an axis without points, whose
 * only trace is its reason: then the values whose axes carry the same reason are followed to the node, or to
 * the input of the graph, that it names. Blocks that were found to be the same because the same positions lie
 * in them are tied by a way through these positions.
 *
 * A free axis is explained by all ways at once: the tree of nodes to the parameters that move with it. Why
 * its group is not all permutations of its positions is told in notes: positions that move as one, blocks
 * around them, and values on which some positions occur and others do not.
 */
#include "analyze/explain/explain.h"

#include "analyze/describe/symmetry.h"
#include "analyze/explain/explain_internal.h"

/* Copies of one position that a search for a pin tries first: nearly always they are alike. */
#define FEW_COPIES 16

typedef struct explainer {
    cnx_arena *arena;
    const cnx_analysis *analysis;
    const cnx_cells *cells;
    cnx_map *map;
    const char **cell_names;
} explainer;

/* An axis that was asked for. */
typedef struct subject {
    const char *name; /* of the tensor */
    uint32_t axis;
    uint32_t position; /* or CNX_NONE */
    uint64_t extent;
    const cnx_axis *what;
    const cnx_labels *labels; /* NULL: it has none */
    size_t value_count;       /* numbers of the value in all walks through its graph */
    size_t value_capacity;
    uint32_t *values;
} subject;

/* ---- finding the axis ---- */

static const cnx_parameter *parameter_called(const cnx_analysis *a, const char *name)
{
    for (size_t p = 0; p < a->parameter_count; p++)
        if (strcmp(a->parameters[p].name, name) == 0)
            return &a->parameters[p];
    return NULL;
}

static const cnx_fact *value_called(const cnx_analysis *a, const char *name, uint32_t *id)
{
    const cnx_graph *graph = a->walks[0].graph;
    for (*id = 0; *id < graph->value_count; ++*id)
        if (strcmp(graph->values[*id].name, name) == 0)
            return &a->walks[0].facts[*id];
    return NULL;
}

/* A function's body is copied for every call. */
static bool is_same_graph(const cnx_graph *a, const cnx_graph *b)
{
    return a == b || (a->function != NULL && a->function == b->function);
}

static void find_values(explainer *e, subject *s, const cnx_graph *graph, uint32_t id)
{
    for (uint32_t w = 0; w < e->analysis->walk_count; w++)
        if (is_same_graph(e->analysis->walks[w].graph, graph))
            CNX_PUSH(e->arena, s->values, s->value_count, s->value_capacity,
                     cnx_map_number(e->analysis, w, id));
}

static subject find_subject(explainer *e, const cnx_axis_place *place)
{
    subject s = {.name = place->tensor, .position = CNX_NONE};
    uint32_t rank, id = 0;
    const cnx_axis *axes;
    const cnx_parameter *parameter = parameter_called(e->analysis, place->tensor);
    const cnx_fact *fact = parameter == NULL ? value_called(e->analysis, place->tensor, &id) : NULL;
    if (parameter == NULL && (fact == NULL || !fact->known))
        cnx_fail(e->arena, CNX_ERROR_USAGE, NULL,
                 fact == NULL ? "the model has no tensor \"%s\""
                              : "nothing reads \"%s\", or its shape is not known",
                 place->tensor);
    rank = parameter != NULL ? parameter->tensor->rank : fact->rank;
    axes = parameter != NULL ? parameter->axes : fact->axes;
    int64_t axis = place->axis < 0 ? place->axis + (int64_t)rank : place->axis;
    if (axis < 0 || axis >= (int64_t)rank)
        cnx_fail(e->arena, CNX_ERROR_USAGE, NULL, "\"%s\" has no axis %lld (it has %u)", place->tensor,
                 (long long)place->axis, rank);
    s.axis = (uint32_t)axis;
    s.what = &axes[axis];
    if (s.what->kind == CNX_AXIS_LABELS)
        s.labels = s.what->labels->finer != NULL ? s.what->labels->finer : s.what->labels;
    int64_t extent = 0;
    bool is_number = cnx_dim_is_number(e->analysis->dims, s.what->extent, &extent);
    s.extent = is_number ? (uint64_t)extent : 0;
    if (place->position >= 0 && (!is_number || place->position >= extent))
        cnx_fail(e->arena, CNX_ERROR_USAGE, NULL, "%s:%u has no position %lld (it has %llu)", place->tensor,
                 s.axis, (long long)place->position, (unsigned long long)s.extent);
    if (place->position >= 0)
        s.position = (uint32_t)place->position;
    find_values(e, &s, parameter != NULL ? parameter->graph : e->analysis->walks[0].graph,
                parameter != NULL ? parameter->value : id);
    return s;
}

static const char *subject_text(explainer *e, const subject *s)
{
    return s->position == CNX_NONE ? cnx_print(e->arena, "%s:%u", s->name, s->axis)
                                   : cnx_print(e->arena, "%s:%u[%u]", s->name, s->axis, s->position);
}

/* ---- searching ---- */

static cnx_search search_from(explainer *e, const subject *s, uint32_t point, cnx_follow follow,
                              cnx_search search)
{
    search.map = e->map;
    search.arena = e->arena;
    cnx_stop *starts = CNX_NEW_ARRAY(e->arena, cnx_stop, s->value_count);
    for (size_t i = 0; i < s->value_count; i++)
        starts[i] = (cnx_stop){
            .follow = follow, .item = point, .place = s->values[i], .before = CNX_NONE, .relation = CNX_NONE};
    cnx_search_run(&search, starts, s->value_count);
    return search;
}

/* The nearest pin for this reason, or if there is none, for any; what most probably leads there quickly
 * first. */
static cnx_search search_pin(explainer *e, const subject *s, uint32_t point, uint32_t reason)
{
    cnx_search search = {.arrived = CNX_NONE, .nearly = CNX_NONE};
    for (unsigned attempt = 0; attempt < 4 && search.arrived == CNX_NONE && search.nearly == CNX_NONE;
         attempt++) {
        cnx_search way = {.goal = CNX_GOAL_PIN,
                          .wanted = attempt < 2 ? reason : CNX_NONE,
                          .most_copies = attempt % 2 == 0 ? FEW_COPIES : UINT32_MAX};
        search = search_from(e, s, point, CNX_FOLLOW_PIN, way);
    }
    return search;
}

static void take_steps(cnx_explanation_part *part, const cnx_chain *chain)
{
    part->step_count = chain->count;
    part->steps = chain->steps;
}

static void explain_pin(explainer *e, const subject *s, cnx_explanation_part *part, uint32_t point,
                        uint32_t reason)
{
    cnx_chain chain;
    cnx_chain_init(&chain, e->map, e->arena);
    cnx_search search = search_pin(e, s, point, reason);
    if (search.arrived != CNX_NONE || search.nearly != CNX_NONE)
        cnx_chain_add(&chain, &search, search.arrived != CNX_NONE ? search.arrived : search.nearly);
    take_steps(part, &chain);
}

/* An axis without points: its reason is followed. */
static void explain_pinned_axis(explainer *e, const subject *s, cnx_explanation_part *part)
{
    cnx_chain chain;
    cnx_chain_init(&chain, e->map, e->arena);
    cnx_search way = {.goal = CNX_GOAL_PIN, .wanted = CNX_NONE, .most_copies = FEW_COPIES};
    cnx_search search = search_from(e, s, s->what->reason, CNX_FOLLOW_REASON, way);
    if (search.arrived != CNX_NONE)
        cnx_chain_add(&chain, &search, search.arrived);
    take_steps(part, &chain);
}

/* The ways to all parameters that move with the point. */
static void explain_ties(explainer *e, const subject *s, cnx_explanation_part *part, uint32_t point)
{
    cnx_chain chain;
    cnx_intern met;
    cnx_chain_init(&chain, e->map, e->arena);
    cnx_intern_init(&met, e->arena);
    cnx_search way = {.goal = CNX_GOAL_NONE, .most_copies = UINT32_MAX};
    cnx_search search = search_from(e, s, point, CNX_FOLLOW_HOME, way);
    for (uint32_t at = 0; at < search.stop_count; at++) {
        const cnx_stop *stop = &search.stops[at];
        uint32_t position;
        if ((stop->place & CNX_AT_NODE) != 0 || stop->before == CNX_NONE ||
            !cnx_map_is_parameter(e->map, stop->place))
            continue;
        uint32_t node = search.stops[stop->before].place & ~CNX_AT_NODE;
        const cnx_sighting *sighting = cnx_map_sight(e->map, stop->place, node, stop->item, &position);
        uint32_t key[2] = {stop->place, sighting->axis};
        size_t known = met.count;
        if (cnx_intern_add(&met, key, sizeof key) == known &&
            !(stop->place == s->values[0] && sighting->axis == s->axis))
            cnx_chain_add(&chain, &search, at);
    }
    take_steps(part, &chain);
}

/* ---- parts ---- */

/* One part while the axis is sorted into parts. */
typedef struct sorted_part {
    uint32_t key[2]; /* what its positions have in common */
    uint32_t first;  /* index into the sequence */
    uint64_t count;
} sorted_part;

static void sort_point(const cnx_cells *cells, uint32_t point, uint32_t key[2])
{
    uint32_t class = cells->class_of[point];
    key[0] = cells->pinned[class];
    key[1] = CNX_NONE;
    if (key[0] != CNX_NONE)
        return;
    uint32_t cell = cells->cell_of[cnx_outermost(cells, class)];
    if (cnx_cell_log10_order(cells, cell) > 0)
        key[1] = cell;
}

/* Sorts the axis, or the one position that was asked for, into parts. Returns how many there are. */
static size_t sort_parts(explainer *e, const subject *s, sorted_part **result)
{
    size_t count = 0, capacity = 0;
    sorted_part *parts = NULL;
    for (uint32_t i = 0; i < s->labels->sequence->count; i++) {
        uint32_t position = i % s->labels->extent;
        sorted_part part = {.first = i, .count = 1};
        if (s->position != CNX_NONE && position != s->position)
            continue;
        sort_point(e->cells, s->labels->sequence->points[i], part.key);
        size_t k = 0;
        while (k < count && memcmp(parts[k].key, part.key, sizeof part.key) != 0)
            k++;
        if (k < count)
            parts[k].count++;
        else
            CNX_PUSH(e->arena, parts, count, capacity, part);
    }
    *result = parts;
    return count;
}

/* A position that may move too, but not in exchange with the part's: CNX_NONE when there is none. */
static uint32_t rival_of(explainer *e, const subject *s, const sorted_part *part)
{
    const uint32_t *points = s->labels->sequence->points;
    for (uint32_t i = 0; i < s->labels->sequence->count; i++) {
        uint32_t key[2];
        sort_point(e->cells, points[i], key);
        bool other = key[1] != part->key[1] || (key[1] == CNX_NONE && i != part->first);
        if (key[0] == CNX_NONE && other &&
            e->cells->class_of[points[i]] != e->cells->class_of[points[part->first]])
            return i;
    }
    return CNX_NONE;
}

static cnx_explanation_part explain_part(explainer *e, const subject *s, const sorted_part *sorted)
{
    uint32_t point = s->labels->sequence->points[sorted->first];
    uint32_t reason = sorted->key[0], cell = sorted->key[1];
    cnx_explanation_part part = {.first = sorted->first % s->labels->extent,
                                 .count = sorted->count,
                                 .group = "1",
                                 .free = cell != CNX_NONE};
    cnx_notes notes = {.arena = e->arena, .map = e->map};
    if (reason != CNX_NONE) {
        part.pinned_by = cnx_reason_text(e->map->points, reason);
        explain_pin(e, s, &part, point, reason);
        if (part.step_count == 0)
            cnx_note_blocks(&notes, point);
    } else {
        if (cell != CNX_NONE) {
            part.class_name = e->cell_names[cell];
            part.group = cnx_cell_group(e->arena, e->cells, cell);
        } else {
            part.pinned_by = cnx_alone_reason;
        }
        explain_ties(e, s, &part, point);
        cnx_note_blocks(&notes, point);
        cnx_note_copies(&notes, s->labels, sorted->first, cnx_print(e->arena, "%s:%u", s->name, s->axis));
        uint32_t rival = rival_of(e, s, sorted);
        if (rival != CNX_NONE)
            cnx_note_difference(&notes, s->labels, sorted->first, rival);
    }
    part.note_count = notes.count;
    part.notes = notes.texts;
    return part;
}

static void explain_parts(explainer *e, const subject *s, cnx_explanation *explanation)
{
    sorted_part *sorted;
    size_t count = sort_parts(e, s, &sorted);
    size_t shown = count < CNX_MOST_PARTS ? count : CNX_MOST_PARTS;
    cnx_explanation_part *parts = CNX_NEW_ARRAY(e->arena, cnx_explanation_part, shown);
    for (size_t k = 0; k < shown; k++)
        parts[k] = explain_part(e, s, &sorted[k]);
    for (size_t k = shown; k < count; k++)
        explanation->more += sorted[k].count;
    explanation->parts = parts;
    explanation->part_count = shown;
}

/* An axis without points has one part. */
static void explain_whole(explainer *e, const subject *s, cnx_explanation *explanation)
{
    cnx_explanation_part *part = CNX_NEW(e->arena, cnx_explanation_part);
    *part = (cnx_explanation_part){.count = s->extent, .group = "1"};
    if (s->what->kind == CNX_AXIS_ANY) {
        part->pinned_by = s->extent == 1 ? "it has one position only" : "the value does not vary along it";
    } else {
        part->pinned_by = cnx_reason_text(e->map->points, s->what->reason);
        explain_pinned_axis(e, s, part);
    }
    explanation->parts = part;
    explanation->part_count = 1;
}

/* ---- two axes ---- */

/* The chain from one axis to the other, as the one part of the explanation; false when there is none. */
static bool tie(explainer *e, const subject *from, const subject *to, cnx_follow follow,
                cnx_explanation *explanation)
{
    cnx_search search = {.arrived = CNX_NONE};
    for (uint32_t i = 0; i < from->labels->sequence->count && search.arrived == CNX_NONE; i++) {
        if (from->position != CNX_NONE && i % from->labels->extent != from->position)
            continue;
        cnx_search way = {.goal = CNX_GOAL_AXIS,
                          .value = to->values[0],
                          .axis = to->axis,
                          .position = to->position,
                          .most_copies = UINT32_MAX};
        search = search_from(e, from, from->labels->sequence->points[i], follow, way);
    }
    if (search.arrived == CNX_NONE)
        return false;
    cnx_chain chain;
    cnx_chain_init(&chain, e->map, e->arena);
    cnx_chain_add(&chain, &search, search.arrived);
    cnx_explanation_part *part = CNX_NEW(e->arena, cnx_explanation_part);
    *part = (cnx_explanation_part){.count = 1, .group = "1"};
    if (chain.count != 0)
        part->first = chain.steps[0].from_position;
    take_steps(part, &chain);
    explanation->parts = part;
    explanation->part_count = 1;
    explanation->tied = true;
    return true;
}

static void explain_two(explainer *e, const subject *a, const subject *b, cnx_explanation *explanation)
{
    explanation->other = subject_text(e, b);
    if (a->labels == NULL || b->labels == NULL)
        explanation->says = "one of them has no positions that could move";
    else if (tie(e, a, b, CNX_FOLLOW_CLASS, explanation))
        explanation->says = "their positions move as one";
    else if (tie(e, a, b, CNX_FOLLOW_UP, explanation))
        explanation->says = "positions of the first lie in blocks of the second";
    else if (tie(e, b, a, CNX_FOLLOW_UP, explanation))
        explanation->says = "positions of the second lie in blocks of the first";
    else
        explanation->says = "nothing ties the one to the other";
}

/* ---- all together ---- */

const cnx_explanation *cnx_describe_axis(cnx_arena *arena, cnx_analysis *analysis, const cnx_axis_place *axis,
                                         const cnx_axis_place *other)
{
    explainer e = {.arena = arena, .analysis = analysis};
    subject a = find_subject(&e, axis), b = other != NULL ? find_subject(&e, other) : a;
    e.cells = cnx_analysis_cells(analysis);
    e.map = cnx_map_create(arena, analysis, e.cells);
    e.cell_names = cnx_name_cells(arena, analysis, e.cells);
    cnx_explanation *explanation = CNX_NEW(arena, cnx_explanation);
    explanation->axis = subject_text(&e, &a);
    explanation->extent = a.extent;
    if (other != NULL)
        explain_two(&e, &a, &b, explanation);
    else if (a.labels != NULL)
        explain_parts(&e, &a, explanation);
    else
        explain_whole(&e, &a, explanation);
    return explanation;
}

cnx_code cnx_explain_axis(cnx_model *model, const cnx_axis_place *axis, const cnx_axis_place *other,
                          const cnx_explanation **explanation, cnx_error *error)
{
    cnx_trap trap;
    *explanation = NULL;
    if (CNX_ENTER(model->arena, trap, error) == CNX_OK)
        *explanation = cnx_describe_axis(model->arena, cnx_analyze(model->arena, model), axis, other);
    return cnx_leave(model->arena, &trap);
}
