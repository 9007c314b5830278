#include "analyze/symmetry/labels.h"

#include <stdlib.h>

cnx_points *cnx_points_create(cnx_arena *arena, cnx_dims *dims)
{
    cnx_points *points = CNX_NEW(arena, cnx_points);
    points->arena = arena;
    points->dims = dims;
    points->speaker = CNX_NONE;
    cnx_intern_init(&points->reasons, arena);
    cnx_intern_init(&points->seen, arena);
    cnx_intern_init(&points->pinned_before, arena);
    return points;
}

typedef struct reason_key {
    const char *what;
    const char *value; /* a name, or NULL */
    const cnx_graph *graph;
    const cnx_node *node;
} reason_key;

uint32_t cnx_reason_named(cnx_points *points, const char *what, const char *value, const cnx_graph *graph,
                          const cnx_node *node)
{
    reason_key key = {.what = what, .value = value, .graph = graph, .node = node};
    return cnx_intern_add(&points->reasons, &key, sizeof key);
}

uint32_t cnx_reason(cnx_points *points, const char *what, const cnx_graph *graph, const cnx_node *node)
{
    return cnx_reason_named(points, what, NULL, graph, node);
}

static reason_key key_of(const cnx_points *points, uint32_t number)
{
    reason_key key = {.what = ""};
    if (number != CNX_NONE)
        memcpy(&key, cnx_intern_bytes(&points->reasons, number, NULL), sizeof key);
    return key;
}

const char *cnx_reason_text(const cnx_points *points, uint32_t number)
{
    reason_key key = key_of(points, number);
    if (key.value != NULL)
        key.what = cnx_print(points->arena, "%s \"%s\"", key.what, key.value);
    if (key.node == NULL)
        return key.what;
    return cnx_print(points->arena, "%s of %s %s", key.what, key.node->op_type,
                     cnx_node_label(key.graph, key.node));
}

const char *cnx_reason_kind(const cnx_points *points, uint32_t number)
{
    reason_key key = key_of(points, number);
    return key.node == NULL ? cnx_reason_text(points, number)
                            : cnx_print(points->arena, "%s of %s", key.what, key.node->op_type);
}

const cnx_node *cnx_reason_node(const cnx_points *points, uint32_t number)
{
    return key_of(points, number).node;
}

/* ---- points ---- */

uint32_t *cnx_points_add(cnx_points *points, uint32_t count)
{
    if (points->point_count + count >= CNX_NONE)
        cnx_fail(points->arena, CNX_ERROR_LIMIT, NULL,
                 "the graph has more than 2^32 axis positions to follow");
    if (points->point_count + count > points->point_capacity) {
        size_t capacity = points->point_capacity == 0 ? 4096 : points->point_capacity;
        while (capacity < points->point_count + count)
            capacity += capacity / 2;
        cnx_arena *larger = cnx_arena_create(points->arena);
        uint32_t *parent = CNX_NEW_ARRAY(larger, uint32_t, capacity);
        uint32_t *pinned = CNX_NEW_ARRAY(larger, uint32_t, capacity);
        uint32_t *twin = CNX_NEW_ARRAY(larger, uint32_t, capacity);
        uint32_t *held = CNX_NEW_ARRAY(larger, uint32_t, capacity);
        if (points->point_count != 0) {
            memcpy(parent, points->parent, points->point_count * sizeof *parent);
            memcpy(pinned, points->pinned, points->point_count * sizeof *pinned);
            memcpy(twin, points->twin, points->point_count * sizeof *twin);
            memcpy(held, points->held, points->point_count * sizeof *held);
        }
        cnx_arena_destroy(points->forests); /* the smaller ones */
        points->forests = larger;
        points->parent = parent;
        points->pinned = pinned;
        points->twin = twin;
        points->held = held;
        points->point_capacity = capacity;
    }
    uint32_t *made = CNX_NEW_ARRAY(points->arena, uint32_t, count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t point = (uint32_t)points->point_count++;
        points->parent[point] = points->twin[point] = point;
        points->pinned[point] = points->held[point] = CNX_NONE;
        made[i] = point;
    }
    return made;
}

static uint32_t root_of(uint32_t *forest, uint32_t point)
{
    while (forest[point] != point) {
        forest[point] = forest[forest[point]];
        point = forest[point];
    }
    return point;
}

uint32_t cnx_point_class(cnx_points *points, uint32_t point)
{
    return root_of(points->parent, point);
}

uint32_t cnx_point_twin(cnx_points *points, uint32_t point)
{
    return root_of(points->twin, point);
}

static void pin_point(cnx_points *points, uint32_t point, uint32_t reason)
{
    uint32_t root = cnx_point_class(points, point);
    if (points->pinned[root] == CNX_NONE)
        points->pinned[root] = reason;
    if (points->held[point] == CNX_NONE)
        points->held[point] = reason;
}

void cnx_sequence_pin(cnx_points *points, const cnx_sequence *sequence, uint32_t reason)
{
    uint32_t key[3] = {sequence->id, reason, points->speaker};
    size_t known = points->pinned_before.count;
    if (cnx_intern_add(&points->pinned_before, key, sizeof key) < known)
        return;
    cnx_pin pin = {sequence, reason, points->speaker};
    CNX_PUSH(points->arena, points->pins, points->pin_count, points->pin_capacity, pin);
    for (uint32_t i = 0; i < sequence->count; i++)
        pin_point(points, sequence->points[i], reason);
}

/* The older point stays the representative, so classes keep the order of the graph. */
static void unite(cnx_points *points, uint32_t a, uint32_t b)
{
    a = cnx_point_class(points, a);
    b = cnx_point_class(points, b);
    if (a == b)
        return;
    uint32_t root = a < b ? a : b;
    uint32_t child = a < b ? b : a;
    points->parent[child] = root;
    if (points->pinned[root] == CNX_NONE)
        points->pinned[root] = points->pinned[child];
}

static void unite_related(cnx_points *points, const cnx_relation *r)
{
    for (uint32_t i = 0; i < r->from->count; i++)
        unite(points, r->from->points[i],
              r->to->points[i / (r->middle * r->inner) * r->inner + i % r->inner]);
}

/* ---- sequences and relations ---- */

const cnx_sequence *cnx_sequence_add(cnx_points *points, const uint32_t *members, uint32_t count)
{
    cnx_sequence *sequence = CNX_NEW(points->arena, cnx_sequence);
    *sequence = (cnx_sequence){.id = (uint32_t)points->sequence_count, .count = count, .points = members};
    CNX_PUSH(points->arena, points->sequences, points->sequence_count, points->sequence_capacity, sequence);
    return sequence;
}

/* What follows from what was said is said by no node. */
static void note_repeat(cnx_points *points, uint32_t relation)
{
    bool closing = points->stated_count != 0;
    cnx_repeat repeat = {relation, points->speaker};
    const cnx_repeat *last = points->repeat_count != 0 ? &points->repeats[points->repeat_count - 1] : NULL;
    if (closing || points->relations[relation].speaker == points->speaker || points->speaker == CNX_NONE ||
        (last != NULL && last->relation == relation && last->speaker == points->speaker))
        return;
    CNX_PUSH(points->arena, points->repeats, points->repeat_count, points->repeat_capacity, repeat);
}

/* A block that holds one position moves as that does. Stated so, the position belongs to the block's class,
 * and a family of classes that lie in two kinds of blocks at once (the pairs of every head, which are the
 * pairs of one table) does not come up. */
static cnx_relation_kind kind_between(const cnx_sequence *from, const cnx_sequence *to,
                                      cnx_relation_kind kind)
{
    return from->count == to->count ? CNX_IDENTIFY : kind;
}

void cnx_restate(cnx_points *points, const cnx_sequence *from, const cnx_sequence *to, uint32_t middle,
                 uint32_t inner, cnx_relation_kind kind)
{
    kind = kind_between(from, to, kind);
    uint32_t key[5] = {from->id, to->id, middle, inner, (uint32_t)kind};
    uint32_t number = cnx_intern_find(&points->seen, key, sizeof key);
    if (number != CNX_NONE)
        note_repeat(points, number);
}

void cnx_relate(cnx_points *points, const cnx_sequence *from, const cnx_sequence *to, uint32_t middle,
                uint32_t inner, cnx_relation_kind kind)
{
    if (from == to && middle == 1)
        return;
    kind = kind_between(from, to, kind);
    uint32_t key[5] = {from->id, to->id, middle, inner, (uint32_t)kind};
    size_t known = points->seen.count;
    uint32_t number = cnx_intern_add(&points->seen, key, sizeof key);
    if (number < known) {
        note_repeat(points, number);
        return;
    }
    cnx_relation relation = {
        .from = from, .to = to, .middle = middle, .inner = inner, .kind = kind, .speaker = points->speaker};
    CNX_PUSH(points->arena, points->relations, points->relation_count, points->relation_capacity, relation);
    if (kind != CNX_IDENTIFY)
        return;
    unite_related(points, &relation);
    for (uint32_t i = 0; i < from->count && middle == 1; i++) {
        uint32_t a = cnx_point_twin(points, from->points[i]), b = cnx_point_twin(points, to->points[i]);
        points->twin[a < b ? b : a] = a < b ? a : b;
    }
}

/* ---- what follows from what was said ---- */

/* Whether two sequences list twins. */
static bool are_twins(cnx_points *points, const cnx_sequence *a, const cnx_sequence *b)
{
    bool same = a->count == b->count;
    for (uint32_t i = 0; i < a->count && same; i++)
        same = cnx_point_twin(points, a->points[i]) == cnx_point_twin(points, b->points[i]);
    return same;
}

/* Whether two containments say the same of points that are twins: then their blocks move together. */
static bool contain_alike(cnx_points *points, const cnx_relation *a, const cnx_relation *b)
{
    return a->middle == b->middle && a->inner == b->inner && are_twins(points, a->from, b->from);
}

/* Some positions of a containment, by twin, and its layout: equal for containments that are alike. Without
 * the layout, for those of the same positions. */
static uint32_t containment_key(cnx_points *points, cnx_intern *keys, const cnx_relation *relation,
                                bool layout)
{
    uint32_t key[11] = {relation->from->count, layout ? relation->middle : 0, layout ? relation->inner : 0};
    for (uint32_t i = 0; i < 8; i++) /* spread over the sequence; are_twins looks at all of it */
        key[3 + i] = cnx_point_twin(
            points, relation->from->points[(uint32_t)((uint64_t)i * (relation->from->count - 1) / 7)]);
    return cnx_intern_add(keys, key, sizeof key);
}

/* Makes what follows from two relations speak of itself. */
static void speak_for(cnx_points *points, uint32_t first, uint32_t second)
{
    points->speaker = (uint32_t)points->closing_count;
    cnx_closing closing = {first, second};
    CNX_PUSH(points->arena, points->closings, points->closing_count, points->closing_capacity, closing);
}

static bool close_once(cnx_points *points)
{
    cnx_arena *scratch = cnx_arena_create(points->arena);
    size_t count = points->relation_count, united = points->relation_count;
    uint32_t *last =
        CNX_NEW_ARRAY(scratch, uint32_t, count); /* by key: 1 + the last containment that has it */
    uint32_t *previous = CNX_NEW_ARRAY(scratch, uint32_t, count);
    cnx_intern keys;
    cnx_intern_init(&keys, scratch);
    for (uint32_t r = 0; r < count; r++) {
        if (points->relations[r].kind != CNX_CONTAIN || points->relations[r].from->count == 0)
            continue;
        uint32_t key = containment_key(points, &keys, &points->relations[r], true);
        previous[r] = last[key];
        last[key] = r + 1;
        for (uint32_t other = previous[r]; other != 0; other = previous[other - 1]) {
            cnx_relation a = points->relations[other - 1], b = points->relations[r];
            if (!contain_alike(points, &a, &b))
                continue;
            speak_for(points, other - 1, r);
            cnx_relate(points, a.to, b.to, 1, a.to->count, CNX_IDENTIFY);
            break;
        }
    }
    cnx_arena_destroy(scratch);
    return points->relation_count > united;
}

/* ---- blocks in blocks ---- */

/* A containment of positions one after the other in blocks of `size`. */
typedef struct nesting {
    uint32_t key; /* of its positions */
    uint32_t size;
    uint32_t relation;
} nesting;

static int compare_nestings(const void *a, const void *b)
{
    const nesting *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    if (x->size != y->size)
        return x->size < y->size ? -1 : 1;
    return (x->relation > y->relation) - (x->relation < y->relation);
}

/* States that the blocks of one lie in those of the other, if they do. */
static void nest(cnx_points *points, const nesting *small, const nesting *large)
{
    cnx_relation a = points->relations[small->relation], b = points->relations[large->relation];
    if (large->size % small->size != 0 || !are_twins(points, a.from, b.from))
        return;
    speak_for(points, small->relation, large->relation);
    cnx_relate(points, a.to, b.to, large->size / small->size, 1, CNX_CONTAIN);
}

/* Blocks of 3 positions and blocks of 6 of the same (the groups of a convolution, and of the next one): each
 * of the small ones lies in a large one. */
static bool nest_blocks_once(cnx_points *points)
{
    cnx_arena *scratch = cnx_arena_create(points->arena);
    size_t before = points->relation_count, count = 0, capacity = 0;
    nesting *list = NULL;
    cnx_intern keys;
    cnx_intern_init(&keys, scratch);
    for (uint32_t r = 0; r < before; r++) {
        const cnx_relation *relation = &points->relations[r];
        if (relation->kind != CNX_CONTAIN || relation->inner != 1 || relation->from->count == 0)
            continue;
        nesting made = {containment_key(points, &keys, relation, false), relation->middle, r};
        CNX_PUSH(scratch, list, count, capacity, made);
    }
    if (count > 1)
        qsort(list, count, sizeof *list, compare_nestings);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) /* blocks of one size are the same blocks: the first speaks for them */
        if (kept == 0 || list[i].key != list[kept - 1].key || list[i].size != list[kept - 1].size)
            list[kept++] = list[i];
    for (size_t i = 0; i < kept; i++)
        for (size_t k = i + 1; k < kept && list[k].key == list[i].key; k++)
            nest(points, &list[i], &list[k]);
    cnx_arena_destroy(scratch);
    return points->relation_count > before;
}

static int compare_numbers(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Whether every block of a containment holds copies of one class only, and each class is in one block. */
static bool holds_one_class(cnx_points *points, const cnx_relation *relation)
{
    const cnx_sequence *from = relation->from, *to = relation->to;
    uint32_t block = relation->middle * relation->inner, inner = relation->inner;
    if (block <= inner ||
        cnx_point_class(points, from->points[0]) != cnx_point_class(points, from->points[inner]))
        return false;
    for (uint32_t i = 0; i < from->count; i++)
        if (cnx_point_class(points, from->points[i]) !=
            cnx_point_class(points, from->points[i / block * block + i % inner]))
            return false;
    cnx_arena *scratch = cnx_arena_create(points->arena);
    uint32_t *classes = CNX_NEW_ARRAY(scratch, uint32_t, to->count);
    for (uint32_t k = 0; k < to->count; k++)
        classes[k] = cnx_point_class(points, from->points[k / inner * block + k % inner]);
    qsort(classes, to->count, sizeof *classes, compare_numbers);
    bool distinct = true;
    for (uint32_t k = 1; k < to->count && distinct; k++)
        distinct = classes[k] != classes[k - 1];
    cnx_arena_destroy(scratch);
    return distinct;
}

/* A block that holds nothing but copies of one class moves as that class does (both halves of a rotated pair,
 * and the pair of the table that is repeated for both). Said so, blocks that hold copies of the same class
 * are the same. */
static bool identify_blocks_once(cnx_points *points)
{
    bool changed = false;
    for (size_t r = 0; r < points->stated_count; r++) {
        cnx_relation *relation = &points->relations[r];
        if (relation->kind != CNX_CONTAIN || !holds_one_class(points, relation))
            continue;
        relation->kind = CNX_IDENTIFY;
        unite_related(points, relation);
        changed = true;
    }
    return changed;
}

/* The pin of any twin holds them all. */
static void share_pins(cnx_points *points)
{
    for (uint32_t p = 0; p < points->point_count; p++) {
        uint32_t twin = cnx_point_twin(points, p);
        if (points->held[p] != CNX_NONE && points->held[twin] == CNX_NONE)
            points->held[twin] = points->held[p];
    }
}

/* Where a position may not move, the block it lies in may not either. The class of the position does not
 * tell: it may have another copy in every block (an axis that was merged with another and then pinned). */
static bool pin_blocks_once(cnx_points *points)
{
    bool changed = false;
    for (size_t r = 0; r < points->relation_count; r++) {
        const cnx_relation *relation = &points->relations[r];
        for (uint32_t i = 0; i < relation->from->count; i++) {
            uint32_t reason = points->held[cnx_point_twin(points, relation->from->points[i])];
            uint32_t block = relation->to->points[i / (relation->middle * relation->inner) * relation->inner +
                                                  i % relation->inner];
            uint32_t twin = cnx_point_twin(points, block);
            if (reason == CNX_NONE || points->held[twin] != CNX_NONE)
                continue;
            pin_point(points, block, reason);
            points->held[twin] = reason;
            changed = true;
        }
    }
    return changed;
}

/* Nothing lies in blocks that nobody has read, and nothing says that they may move. */
static void pin_unread_blocks(cnx_points *points)
{
    uint32_t reason = points->unread_count != 0
                          ? cnx_reason(points, "blocks that are merged again unread", NULL, NULL)
                          : CNX_NONE;
    for (size_t i = 0; i < points->unread_count; i++)
        if (points->unread[i]->unread != NULL)
            cnx_sequence_pin(points, points->unread[i]->sequence, reason);
}

void cnx_points_close(cnx_points *points)
{
    pin_unread_blocks(points);
    points->stated_count = points->relation_count;
    while (close_once(points) || identify_blocks_once(points) || nest_blocks_once(points))
        continue;
    share_pins(points);
    while (pin_blocks_once(points))
        continue;
}

void cnx_points_freeze(cnx_points *points)
{
    cnx_arena_destroy(points->forests);
    points->forests = NULL;
    points->parent = points->pinned = points->twin = points->held = NULL;
}
