#include "analyze/points.h"

/* A split of labels into blocks that was asked for before. */
typedef struct cnx_labels_split {
    struct cnx_labels_split *next;
    uint32_t inner_extent;
    const cnx_labels *outer;
    const cnx_labels *inner;
    const cnx_axis *repeats;
    /* With inner_extent 0, `inner` is what these labels became when the blocks `outer` were forgotten, or
     * when the repetition `repeats` was settled. */
} cnx_labels_split;

cnx_points *cnx_points_create(cnx_arena *arena, cnx_dims *dims)
{
    cnx_points *points = CNX_NEW(arena, cnx_points);
    points->arena = arena;
    points->dims = dims;
    cnx_intern_init(&points->reasons, arena);
    cnx_intern_init(&points->seen, arena);
    return points;
}

typedef struct reason_key {
    const char *what;
    const cnx_graph *graph;
    const cnx_node *node;
} reason_key;

uint32_t cnx_reason(cnx_points *points, const char *what, const cnx_graph *graph, const cnx_node *node)
{
    reason_key key = {.what = what, .graph = graph, .node = node};
    return cnx_intern_add(&points->reasons, &key, sizeof key);
}

const char *cnx_reason_text(const cnx_points *points, uint32_t number)
{
    reason_key key;
    if (number == CNX_NONE)
        return "";
    memcpy(&key, cnx_intern_bytes(&points->reasons, number, NULL), sizeof key);
    if (key.node == NULL)
        return key.what;
    return cnx_print(points->arena, "%s of %s %s", key.what, key.node->op_type,
                     cnx_node_label(key.graph, key.node));
}

const char *cnx_reason_kind(const cnx_points *points, uint32_t number)
{
    reason_key key;
    if (number == CNX_NONE)
        return "";
    memcpy(&key, cnx_intern_bytes(&points->reasons, number, NULL), sizeof key);
    return key.node == NULL ? key.what : cnx_print(points->arena, "%s of %s", key.what, key.node->op_type);
}

/* ---- points ---- */

static uint32_t *room_for_points(cnx_points *points, uint32_t count)
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

/* ---- sequences and relations ---- */

static const cnx_sequence *add_sequence(cnx_points *points, const uint32_t *members, uint32_t count)
{
    cnx_sequence *sequence = CNX_NEW(points->arena, cnx_sequence);
    *sequence = (cnx_sequence){.id = (uint32_t)points->sequence_count, .count = count, .points = members};
    CNX_PUSH(points->arena, points->sequences, points->sequence_count, points->sequence_capacity, sequence);
    return sequence;
}

static void relate(cnx_points *points, const cnx_sequence *from, const cnx_sequence *to, uint32_t middle,
                   uint32_t inner, cnx_relation_kind kind)
{
    if (from == to && middle == 1)
        return;
    uint32_t key[5] = {from->id, to->id, middle, inner, (uint32_t)kind};
    size_t known = points->seen.count;
    if (cnx_intern_add(&points->seen, key, sizeof key) < known)
        return;
    cnx_relation relation = {.from = from, .to = to, .middle = middle, .inner = inner, .kind = kind};
    CNX_PUSH(points->arena, points->relations, points->relation_count, points->relation_capacity, relation);
    if (kind != CNX_IDENTIFY)
        return;
    for (uint32_t i = 0; i < from->count; i++)
        unite(points, from->points[i], to->points[i / (middle * inner) * inner + i % inner]);
    for (uint32_t i = 0; i < from->count && middle == 1; i++) {
        uint32_t a = cnx_point_twin(points, from->points[i]), b = cnx_point_twin(points, to->points[i]);
        points->twin[a < b ? b : a] = a < b ? a : b;
    }
}

static cnx_labels *make_labels(cnx_points *points, const cnx_sequence *sequence, uint32_t extent,
                               const cnx_labels *over)
{
    cnx_labels *labels = CNX_NEW(points->arena, cnx_labels);
    *labels = (cnx_labels){.sequence = sequence, .extent = extent, .over = over};
    return labels;
}

static const cnx_labels *fresh_labels(cnx_points *points, uint32_t extent, const cnx_labels *over)
{
    uint64_t count = (uint64_t)extent * (over != NULL ? over->sequence->count : 1);
    if (count > CNX_LARGEST_AXIS)
        cnx_fail(points->arena, CNX_ERROR_LIMIT, NULL, "an axis has more than %u positions to follow",
                 CNX_LARGEST_AXIS);
    const uint32_t *members = room_for_points(points, (uint32_t)count);
    return make_labels(points, add_sequence(points, members, (uint32_t)count), extent, over);
}

/* An operator has spoken about these labels: they can no longer be refined. */
static void touch(const cnx_labels *labels)
{
    ((cnx_labels *)(uintptr_t)labels)->untouched = false;
}

static cnx_axis labelled(cnx_dim extent, const cnx_labels *labels)
{
    return (cnx_axis){.extent = extent, .kind = CNX_AXIS_LABELS, .labels = labels};
}

/* ---- axes ---- */

static const cnx_axis *keep(cnx_points *points, cnx_axis axis)
{
    cnx_axis *kept = CNX_NEW(points->arena, cnx_axis);
    *kept = axis;
    return kept;
}

static bool number_of(cnx_points *points, cnx_dim dim, uint32_t *number)
{
    int64_t value = 0;
    if (!cnx_dim_is_number(points->dims, dim, &value) || value <= 0 || value > (int64_t)CNX_LARGEST_AXIS)
        return false;
    *number = (uint32_t)value;
    return true;
}

static bool has_plain_labels(cnx_axis axis)
{
    return axis.kind != CNX_AXIS_LABELS || (axis.repeats == NULL && axis.labels->over == NULL);
}

cnx_axis cnx_axis_pinned(cnx_dim extent, uint32_t reason)
{
    return (cnx_axis){.extent = extent, .kind = CNX_AXIS_PINNED, .reason = reason};
}

cnx_axis cnx_axis_any(cnx_dim extent)
{
    return (cnx_axis){.extent = extent, .kind = CNX_AXIS_ANY};
}

cnx_axis cnx_axis_fresh(cnx_points *points, uint32_t extent, const cnx_labels *over)
{
    cnx_dim dim = cnx_dim_number(points->dims, extent);
    if (extent == 1 && over == NULL)
        return cnx_axis_any(dim);
    return labelled(dim, fresh_labels(points, extent, over));
}

const cnx_labels *cnx_labels_pinned(cnx_points *points, uint32_t extent, uint32_t reason)
{
    const cnx_labels *labels = fresh_labels(points, extent, NULL);
    for (uint32_t i = 0; i < extent; i++)
        pin_point(points, labels->sequence->points[i], reason);
    return labels;
}

static void pin_labels(cnx_points *points, const cnx_labels *labels, uint32_t reason)
{
    touch(labels);
    for (uint32_t i = 0; i < labels->sequence->count; i++)
        pin_point(points, labels->sequence->points[i], reason);
}

void cnx_axis_pin(cnx_points *points, cnx_axis axis, uint32_t reason)
{
    if (axis.kind == CNX_AXIS_LABELS)
        pin_labels(points, axis.labels, reason);
}

cnx_axis cnx_axis_unify(cnx_points *points, cnx_axis a, cnx_axis b, uint32_t reason)
{
    if (a.kind == CNX_AXIS_ANY)
        return b;
    if (b.kind == CNX_AXIS_ANY)
        return a;
    if (a.kind == CNX_AXIS_PINNED || b.kind == CNX_AXIS_PINNED) {
        cnx_axis_pin(points, a, b.reason);
        cnx_axis_pin(points, b, a.reason);
        return a.kind == CNX_AXIS_LABELS ? a : b;
    }
    if ((a.repeats == NULL) != (b.repeats == NULL)) {
        a = cnx_axis_settle(points, a, reason);
        b = cnx_axis_settle(points, b, reason);
        if (a.kind != CNX_AXIS_LABELS || b.kind != CNX_AXIS_LABELS)
            return cnx_axis_unify(points, a, b, reason);
    }
    const cnx_labels *x = a.labels, *y = b.labels;
    touch(x);
    touch(y);
    if (x->extent != y->extent) {
        cnx_axis_pin(points, a, reason);
        cnx_axis_pin(points, b, reason);
    } else if (x->sequence->count == y->sequence->count) {
        relate(points, x->sequence, y->sequence, 1, x->sequence->count, CNX_IDENTIFY);
    } else if (y->over == NULL) {
        relate(points, x->sequence, y->sequence, x->sequence->count / x->extent, x->extent, CNX_IDENTIFY);
    } else if (x->over == NULL) {
        relate(points, y->sequence, x->sequence, y->sequence->count / y->extent, y->extent, CNX_IDENTIFY);
        return b;
    } else {
        cnx_axis_pin(points, a, reason);
        cnx_axis_pin(points, b, reason);
    }
    return a;
}

/* ---- gather and concat ---- */

/* The sequence of `sequence`'s points at `index`; when a point would repeat, new points stand for the
 * positions and every repetition is identified with the original on its own. */
static const cnx_sequence *gather_sequence(cnx_points *points, const cnx_sequence *sequence,
                                           const uint32_t *index, uint32_t count)
{
    uint32_t *times = CNX_NEW_ARRAY(points->arena, uint32_t, sequence->count);
    uint32_t *round = CNX_NEW_ARRAY(points->arena, uint32_t, count);
    uint32_t rounds = 0;
    for (uint32_t i = 0; i < count; i++) {
        round[i] = times[index[i]]++;
        if (round[i] + 1 > rounds)
            rounds = round[i] + 1;
    }
    uint32_t *members =
        rounds > 1 ? room_for_points(points, count) : CNX_NEW_ARRAY(points->arena, uint32_t, count);
    if (rounds <= 1) {
        for (uint32_t i = 0; i < count; i++)
            members[i] = sequence->points[index[i]];
        return add_sequence(points, members, count);
    }
    const cnx_sequence *result = add_sequence(points, members, count);
    for (uint32_t r = 0; r < rounds; r++) {
        uint32_t *copies = CNX_NEW_ARRAY(points->arena, uint32_t, count);
        uint32_t *originals = CNX_NEW_ARRAY(points->arena, uint32_t, count);
        uint32_t size = 0;
        for (uint32_t i = 0; i < count; i++)
            if (round[i] == r) {
                copies[size] = members[i];
                originals[size++] = sequence->points[index[i]];
            }
        relate(points, add_sequence(points, copies, size), add_sequence(points, originals, size), 1, size,
               CNX_IDENTIFY);
    }
    return result;
}

static bool is_whole(const uint32_t *index, uint32_t count, uint32_t extent)
{
    if (count != extent)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (index[i] != i)
            return false;
    return true;
}

cnx_axis cnx_axis_gather(cnx_points *points, cnx_axis axis, const uint32_t *index, uint32_t count,
                         uint32_t reason)
{
    cnx_dim extent = cnx_dim_number(points->dims, count);
    axis = cnx_axis_settle(points, axis, reason);
    if (axis.kind == CNX_AXIS_ANY)
        return cnx_axis_any(extent);
    if (axis.kind == CNX_AXIS_PINNED)
        return cnx_axis_pinned(extent, axis.reason);
    const cnx_labels *labels = axis.labels;
    if (axis.repeats != NULL || count == 0) {
        cnx_axis_pin(points, axis, reason);
        return cnx_axis_pinned(extent, reason);
    }
    if (is_whole(index, count, labels->extent))
        return axis;
    touch(labels);
    uint32_t blocks = labels->sequence->count / labels->extent;
    uint32_t *positions = CNX_NEW_ARRAY(points->arena, uint32_t, (size_t)blocks * count);
    for (uint32_t b = 0; b < blocks; b++)
        for (uint32_t i = 0; i < count; i++)
            positions[b * count + i] = b * labels->extent + index[i];
    const cnx_sequence *sequence = gather_sequence(points, labels->sequence, positions, blocks * count);
    if (labels->over != NULL) /* what is cut out of a block stays in that block */
        relate(points, sequence, labels->over->sequence, count, 1, CNX_CONTAIN);
    return labelled(extent, make_labels(points, sequence, count, labels->over));
}

/* Labels after a selection of blocks `from`: rows of the sequence are picked. Block order and what is inside
 * stay. */
static const cnx_labels *carry_labels(cnx_points *points, const cnx_labels *labels, cnx_block_gather *g)
{
    if (labels == g->from)
        return g->to;
    if (labels->over == NULL)
        return labels;
    for (size_t i = 0; i < g->known_count; i++)
        if (g->known[i].before == labels)
            return g->known[i].after;
    const cnx_labels *over = carry_labels(points, labels->over, g);
    if (over == labels->over)
        return labels;
    if (over == g->to && g->count == 1) /* one block is left: its axis is about to go */
        over = g->from->over;
    uint32_t above = g->from->sequence->count / g->from->extent;
    uint32_t inside = labels->sequence->count / g->from->sequence->count;
    uint32_t *positions = CNX_NEW_ARRAY(points->arena, uint32_t, (size_t)above * g->count * inside);
    uint32_t size = 0;
    for (uint32_t a = 0; a < above; a++)
        for (uint32_t k = 0; k < g->count; k++)
            for (uint32_t i = 0; i < inside; i++)
                positions[size++] = (a * g->from->extent + g->index[k]) * inside + i;
    touch(labels);
    const cnx_sequence *sequence = gather_sequence(points, labels->sequence, positions, size);
    const cnx_labels *result = make_labels(points, sequence, labels->extent, over);
    if (over != NULL)
        relate(points, sequence, over->sequence, labels->extent, 1, CNX_CONTAIN);
    struct cnx_carried carried = {labels, result};
    CNX_PUSH(points->arena, g->known, g->known_count, g->known_capacity, carried);
    return result;
}

cnx_axis cnx_axis_gather_blocks(cnx_points *points, cnx_axis axis, cnx_block_gather *gather)
{
    if (axis.kind == CNX_AXIS_LABELS && axis.labels->over != NULL)
        axis.labels = carry_labels(points, axis.labels, gather);
    return axis;
}

cnx_axis cnx_axis_repeat_blocks(cnx_points *points, cnx_axis axis, const cnx_labels *blocks,
                                const cnx_labels *finer)
{
    const cnx_labels *labels = axis.labels;
    if (blocks->over != NULL || labels->over != blocks)
        return axis;
    const cnx_labels *result = fresh_labels(points, labels->extent, finer);
    uint32_t copies = finer->sequence->count / blocks->sequence->count;
    touch(labels);
    relate(points, result->sequence, labels->sequence, copies, labels->extent, CNX_IDENTIFY);
    relate(points, result->sequence, finer->sequence, labels->extent, 1, CNX_CONTAIN);
    axis.labels = result;
    return axis;
}

static bool all_distinct(cnx_points *points, const uint32_t *members, uint32_t count)
{
    cnx_arena *scratch = cnx_arena_create(points->arena);
    uint64_t *seen = CNX_NEW_ARRAY(scratch, uint64_t, points->point_count / 64 + 1);
    bool distinct = true;
    for (uint32_t i = 0; i < count && distinct; i++) {
        uint64_t bit = UINT64_C(1) << (members[i] % 64);
        distinct = (seen[members[i] / 64] & bit) == 0;
        seen[members[i] / 64] |= bit;
    }
    cnx_arena_destroy(scratch);
    return distinct;
}

/* A part of a concatenation as labels over `blocks`, or NULL when that is impossible. */
static const cnx_labels *part_labels(cnx_points *points, cnx_axis part, const cnx_labels *blocks)
{
    uint32_t extent;
    if (!number_of(points, part.extent, &extent))
        return NULL;
    if (part.kind == CNX_AXIS_LABELS && part.repeats == NULL && part.labels->over == blocks)
        return part.labels;
    if (part.kind == CNX_AXIS_LABELS && (part.repeats != NULL || part.labels->over != NULL))
        return NULL;
    const cnx_labels *labels = fresh_labels(points, extent, blocks);
    if (blocks != NULL)
        relate(points, labels->sequence, blocks->sequence, extent, 1, CNX_CONTAIN);
    if (part.kind == CNX_AXIS_LABELS) /* the same in every block */
        relate(points, labels->sequence, part.labels->sequence, blocks->sequence->count, extent,
               CNX_IDENTIFY);
    if (part.kind == CNX_AXIS_PINNED)
        pin_labels(points, labels, part.reason);
    return labels;
}

static cnx_axis pin_parts(cnx_points *points, const cnx_axis *parts, size_t count, cnx_dim extent,
                          uint32_t reason)
{
    uint32_t why = reason;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].kind == CNX_AXIS_PINNED)
            why = parts[i].reason;
        cnx_axis_pin(points, parts[i], reason);
    }
    return cnx_axis_pinned(extent, why);
}

/* The members of a concatenation, block by block; each part as a piece of its own when points would repeat.
 */
static const cnx_sequence *join(cnx_points *points, const cnx_labels *const *labels, size_t count,
                                uint32_t extent, uint32_t blocks)
{
    uint32_t total = extent * blocks, offset = 0;
    uint32_t *members = CNX_NEW_ARRAY(points->arena, uint32_t, total);
    for (size_t i = 0; i < count; i++) {
        for (uint32_t k = 0; labels[i] != NULL && k < labels[i]->sequence->count; k++)
            members[k / labels[i]->extent * extent + offset + k % labels[i]->extent] =
                labels[i]->sequence->points[k];
        offset += labels[i] != NULL ? labels[i]->extent : 0;
    }
    bool distinct = all_distinct(points, members, total);
    if (!distinct)
        members = room_for_points(points, total);
    const cnx_sequence *sequence = add_sequence(points, members, total);
    offset = 0;
    for (size_t i = 0; i < count; i++) {
        if (labels[i] == NULL)
            continue;
        touch(labels[i]);
        const cnx_sequence *part = labels[i]->sequence;
        uint32_t *piece = CNX_NEW_ARRAY(points->arena, uint32_t, part->count);
        for (uint32_t k = 0; k < part->count && !distinct; k++)
            piece[k] = members[k / labels[i]->extent * extent + offset + k % labels[i]->extent];
        if (!distinct)
            relate(points, add_sequence(points, piece, part->count), part, 1, part->count, CNX_IDENTIFY);
        offset += labels[i]->extent;
    }
    return sequence;
}

cnx_axis cnx_axis_concat(cnx_points *points, const cnx_axis *parts, size_t count, cnx_dim extent,
                         uint32_t reason)
{
    const cnx_labels **labels = CNX_NEW_ARRAY(points->arena, const cnx_labels *, count);
    const cnx_labels *blocks = NULL;
    uint64_t total = 0;
    bool free = false, possible = count != 0;
    if (count == 1)
        return parts[0];
    for (size_t i = 0; i < count; i++) {
        free = free || parts[i].kind == CNX_AXIS_LABELS;
        if (blocks == NULL && parts[i].kind == CNX_AXIS_LABELS)
            blocks = parts[i].labels->over;
    }
    for (size_t i = 0; i < count && free && possible; i++) {
        if (cnx_dim_equals(points->dims, parts[i].extent, 0))
            continue;
        labels[i] = part_labels(points, parts[i], blocks);
        possible = labels[i] != NULL;
        total += possible ? labels[i]->sequence->count : 0;
    }
    if (!free || !possible || total > CNX_LARGEST_AXIS)
        return pin_parts(points, parts, count, extent, reason);
    uint32_t block_count = blocks != NULL ? blocks->sequence->count : 1;
    uint32_t size = (uint32_t)total / block_count;
    const cnx_sequence *sequence = join(points, labels, count, size, block_count);
    if (blocks != NULL)
        relate(points, sequence, blocks->sequence, size, 1, CNX_CONTAIN);
    return labelled(extent, make_labels(points, sequence, size, blocks));
}

cnx_axis cnx_axis_pad(cnx_points *points, cnx_axis axis, uint32_t before, uint32_t after, cnx_dim extent,
                      uint32_t reason)
{
    axis = cnx_axis_settle(points, axis, reason);
    if (before + after == 0)
        return axis;
    if (axis.kind != CNX_AXIS_LABELS || axis.labels->over != NULL) {
        cnx_axis_pin(points, axis, reason);
        return cnx_axis_pinned(extent, axis.kind == CNX_AXIS_PINNED ? axis.reason : reason);
    }
    const cnx_sequence *inside = axis.labels->sequence;
    const cnx_sequence *padding = fresh_labels(points, before + after, NULL)->sequence;
    uint32_t *members = CNX_NEW_ARRAY(points->arena, uint32_t, (size_t)inside->count + before + after);
    touch(axis.labels);
    memcpy(members, padding->points, before * sizeof *members);
    memcpy(members + before, inside->points, inside->count * sizeof *members);
    memcpy(members + before + inside->count, padding->points + before, after * sizeof *members);
    uint32_t count = inside->count + before + after;
    return labelled(extent, make_labels(points, add_sequence(points, members, count), count, NULL));
}

/* ---- merge and split ---- */

/* The product of an axis `a` of m positions and `c` of n as new points: position (i, k) moves along with k
 * and lies in block i, or the other way round when only `a` is free. */
static const cnx_labels *product_labels(cnx_points *points, cnx_axis outer, cnx_axis inner, uint32_t m,
                                        uint32_t n, uint32_t reason)
{
    cnx_labels *product = (cnx_labels *)(uintptr_t)fresh_labels(points, m * n, NULL);
    product->merged_outer = keep(points, outer);
    product->merged_inner = keep(points, inner);
    if (outer.kind == CNX_AXIS_ANY || inner.kind == CNX_AXIS_ANY) { /* copies, in any order */
        const cnx_labels *named = outer.kind == CNX_AXIS_ANY ? inner.labels : outer.labels;
        touch(named);
        if (outer.kind == CNX_AXIS_ANY)
            relate(points, product->sequence, named->sequence, m, n, CNX_CONTAIN);
        else
            relate(points, product->sequence, named->sequence, n, 1, CNX_CONTAIN);
        return product;
    }
    const cnx_labels *a = outer.kind == CNX_AXIS_LABELS ? outer.labels : cnx_labels_pinned(points, m, reason);
    const cnx_labels *c = inner.kind == CNX_AXIS_LABELS ? inner.labels : cnx_labels_pinned(points, n, reason);
    touch(a);
    touch(c);
    bool inner_is_free = inner.kind == CNX_AXIS_LABELS;
    relate(points, product->sequence, a->sequence, n, 1, inner_is_free ? CNX_CONTAIN : CNX_IDENTIFY);
    relate(points, product->sequence, c->sequence, m, n, inner_is_free ? CNX_IDENTIFY : CNX_CONTAIN);
    product->merged_outer = keep(points, labelled(outer.extent, a));
    product->merged_inner = keep(points, labelled(inner.extent, c));
    return product;
}

static cnx_axis product(cnx_points *points, cnx_axis outer, cnx_axis inner, cnx_dim extent, uint32_t reason)
{
    uint32_t m = 0, n = 0;
    if (has_plain_labels(outer) && has_plain_labels(inner) && number_of(points, outer.extent, &m) &&
        number_of(points, inner.extent, &n) && (uint64_t)m * n <= CNX_LARGEST_AXIS)
        return labelled(extent, product_labels(points, outer, inner, m, n, reason));
    cnx_axis_pin(points, outer, reason);
    cnx_axis_pin(points, inner, reason);
    return cnx_axis_pinned(extent, reason);
}

cnx_axis cnx_axis_settle(cnx_points *points, cnx_axis axis, uint32_t reason)
{
    if (axis.kind != CNX_AXIS_LABELS || axis.repeats == NULL)
        return axis;
    cnx_axis inner = axis;
    inner.repeats = NULL;
    inner.extent = cnx_dim_number(points->dims, axis.labels->extent);
    for (const cnx_labels_split *known = axis.labels->splits; known != NULL; known = known->next)
        if (known->inner_extent == 0 && known->outer == NULL && known->repeats == axis.repeats)
            return labelled(axis.extent, known->inner);
    cnx_axis settled = product(points, *axis.repeats, inner, axis.extent, reason);
    if (settled.kind == CNX_AXIS_LABELS) {
        cnx_labels_split *split = CNX_NEW(points->arena, cnx_labels_split);
        *split =
            (cnx_labels_split){.next = axis.labels->splits, .repeats = axis.repeats, .inner = settled.labels};
        ((cnx_labels *)(uintptr_t)axis.labels)->splits = split;
    }
    return settled;
}

/* Positions inside blocks times blocks, in that order (a channel shuffle): the same points in another order.
 */
static cnx_axis merge_transposed(cnx_points *points, cnx_axis outer, cnx_axis inner, cnx_dim extent)
{
    uint32_t n = outer.labels->extent, blocks = inner.labels->extent;
    uint32_t *index = CNX_NEW_ARRAY(points->arena, uint32_t, (size_t)n * blocks);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t b = 0; b < blocks; b++)
            index[i * blocks + b] = b * n + i;
    touch(outer.labels);
    const cnx_sequence *sequence = gather_sequence(points, outer.labels->sequence, index, n * blocks);
    cnx_labels *labels = make_labels(points, sequence, n * blocks, NULL);
    labels->merged_outer = keep(points, outer);
    labels->merged_inner = keep(points, inner);
    return labelled(extent, labels);
}

cnx_axis cnx_axis_merge(cnx_points *points, cnx_axis outer, cnx_axis inner, uint32_t reason)
{
    cnx_dim extent = cnx_dim_multiply(points->dims, outer.extent, inner.extent);
    if (cnx_dim_equals(points->dims, outer.extent, 1))
        return inner;
    if (cnx_dim_equals(points->dims, inner.extent, 1))
        return outer;
    if (outer.kind == CNX_AXIS_ANY && inner.kind == CNX_AXIS_ANY)
        return cnx_axis_any(extent);
    if (outer.kind != CNX_AXIS_LABELS && inner.kind != CNX_AXIS_LABELS)
        return cnx_axis_pinned(extent, outer.kind == CNX_AXIS_PINNED ? outer.reason : inner.reason);
    cnx_axis merged = {.kind = CNX_AXIS_PINNED};
    if (outer.kind == CNX_AXIS_LABELS && inner.kind == CNX_AXIS_LABELS &&
        inner.labels->over == outer.labels && inner.repeats == NULL) { /* the inverse of a split */
        cnx_labels *labels = make_labels(points, inner.labels->sequence,
                                         outer.labels->extent * inner.labels->extent, outer.labels->over);
        labels->merged_outer = keep(points, outer);
        labels->merged_inner = keep(points, inner);
        merged = labelled(extent, labels);
        merged.repeats = outer.repeats;
        return merged;
    }
    if (outer.kind == CNX_AXIS_LABELS && inner.kind == CNX_AXIS_LABELS &&
        outer.labels->over == inner.labels && inner.labels->over == NULL && outer.repeats == NULL &&
        inner.repeats == NULL)
        return merge_transposed(points, outer, inner, extent);
    if (outer.kind != CNX_AXIS_LABELS && inner.repeats == NULL) {
        merged = inner;
        merged.extent = extent;
        merged.repeats = keep(points, outer);
        return merged;
    }
    return product(points, cnx_axis_settle(points, outer, reason), cnx_axis_settle(points, inner, reason),
                   extent, reason);
}

/* An axis that was merged with copies of it: in the product the copies of each position go in any order, but
 * seen as an axis of their own again they go in one order everywhere. Their points, made once. */
static const cnx_labels *copies_of(cnx_points *points, const cnx_labels *labels, bool copies_outside)
{
    uint32_t n = labels->merged_inner->kind == CNX_AXIS_ANY
                     ? labels->extent / labels->merged_outer->labels->extent
                     : labels->merged_inner->labels->extent;
    for (const cnx_labels_split *known = labels->splits; known != NULL; known = known->next)
        if (known->inner_extent == n)
            return copies_outside ? known->outer : known->inner;
    touch(labels);
    cnx_labels_split *split = CNX_NEW(points->arena, cnx_labels_split);
    *split = (cnx_labels_split){.next = labels->splits, .inner_extent = n};
    split->outer =
        copies_outside ? fresh_labels(points, labels->extent / n, NULL) : labels->merged_outer->labels;
    split->inner = copies_outside ? labels->merged_inner->labels : fresh_labels(points, n, NULL);
    relate(points, labels->sequence, split->outer->sequence, n, 1, CNX_CONTAIN);
    relate(points, labels->sequence, split->inner->sequence, labels->extent / n, n, CNX_IDENTIFY);
    ((cnx_labels *)(uintptr_t)labels)->splits = split;
    return copies_outside ? split->outer : split->inner;
}

static bool split_undoes_merge(cnx_points *points, cnx_axis axis, cnx_dim inner_extent, cnx_axis *outer,
                               cnx_axis *inner)
{
    const cnx_labels *labels = axis.labels;
    if (axis.repeats != NULL && cnx_dim_equals(points->dims, inner_extent, labels->extent)) {
        *outer = *axis.repeats;
        *inner = labelled(inner_extent, labels);
        return true;
    }
    if (axis.repeats != NULL || labels->merged_inner == NULL || labels->merged_inner->extent != inner_extent)
        return false;
    *outer = *labels->merged_outer;
    *inner = *labels->merged_inner;
    if (outer->kind == CNX_AXIS_ANY)
        *outer = labelled(outer->extent, copies_of(points, labels, true));
    else if (inner->kind == CNX_AXIS_ANY)
        *inner = labelled(inner->extent, copies_of(points, labels, false));
    return true;
}

/* Blocks of `inner_extent` consecutive positions. */
static void split_labels(cnx_points *points, const cnx_labels *labels, uint32_t inner_extent,
                         const cnx_labels **outer, const cnx_labels **inner)
{
    for (const cnx_labels_split *known = labels->splits; known != NULL; known = known->next)
        if (known->inner_extent == inner_extent) {
            *outer = known->outer;
            *inner = known->inner;
            return;
        }
    touch(labels);
    const cnx_labels *blocks = fresh_labels(points, labels->extent / inner_extent, labels->over);
    *outer = blocks;
    *inner = make_labels(points, labels->sequence, inner_extent, blocks);
    relate(points, labels->sequence, blocks->sequence, inner_extent, 1, CNX_CONTAIN);
    if (labels->over != NULL)
        relate(points, blocks->sequence, labels->over->sequence, blocks->extent, 1, CNX_CONTAIN);
    cnx_labels_split *split = CNX_NEW(points->arena, cnx_labels_split);
    *split = (cnx_labels_split){
        .next = labels->splits, .inner_extent = inner_extent, .outer = *outer, .inner = *inner};
    ((cnx_labels *)(uintptr_t)labels)->splits = split;
}

void cnx_axis_split(cnx_points *points, cnx_axis axis, cnx_dim outer_extent, cnx_dim inner_extent,
                    cnx_axis *outer, cnx_axis *inner, uint32_t reason)
{
    *outer = cnx_axis_any(outer_extent);
    *inner = cnx_axis_any(inner_extent);
    if (axis.kind == CNX_AXIS_ANY)
        return;
    if (cnx_dim_equals(points->dims, inner_extent, 1)) {
        *outer = axis;
        return;
    }
    if (cnx_dim_equals(points->dims, outer_extent, 1)) {
        *inner = axis;
        return;
    }
    if (axis.kind == CNX_AXIS_LABELS && split_undoes_merge(points, axis, inner_extent, outer, inner))
        return;
    uint32_t m, n;
    if (axis.kind != CNX_AXIS_LABELS || axis.repeats != NULL || !number_of(points, outer_extent, &m) ||
        !number_of(points, inner_extent, &n)) {
        uint32_t why = axis.kind == CNX_AXIS_PINNED ? axis.reason : reason;
        cnx_axis_pin(points, axis, reason);
        *outer = cnx_axis_pinned(outer_extent, why);
        *inner = cnx_axis_pinned(inner_extent, why);
        return;
    }
    outer->kind = inner->kind = CNX_AXIS_LABELS;
    split_labels(points, axis.labels, n, &outer->labels, &inner->labels);
}

/* ---- blocks ---- */

static const cnx_labels *forget(cnx_points *points, const cnx_labels *labels, const cnx_labels *blocks)
{
    for (const cnx_labels_split *known = labels->splits; known != NULL; known = known->next)
        if (known->inner_extent == 0 && known->outer == blocks && known->repeats == NULL)
            return known->inner;
    const cnx_labels *over = labels->over == blocks ? blocks->over : forget(points, labels->over, blocks);
    const cnx_labels *result = fresh_labels(points, labels->extent, over);
    uint32_t inner = labels->sequence->count / blocks->sequence->count;
    touch(labels);
    relate(points, labels->sequence, result->sequence, blocks->extent, inner, CNX_IDENTIFY);
    cnx_labels_split *split = CNX_NEW(points->arena, cnx_labels_split);
    *split = (cnx_labels_split){.next = labels->splits, .outer = blocks, .inner = result};
    ((cnx_labels *)(uintptr_t)labels)->splits = split;
    return result;
}

cnx_axis cnx_axis_forget_blocks(cnx_points *points, cnx_axis axis, const cnx_labels *blocks)
{
    if (axis.kind != CNX_AXIS_LABELS || blocks == NULL)
        return axis;
    for (const cnx_labels *over = axis.labels->over; over != NULL; over = over->over)
        if (over == blocks) {
            axis.labels = forget(points, axis.labels, blocks);
            return axis;
        }
    return axis;
}

cnx_axis cnx_axis_over(cnx_points *points, cnx_axis axis, const cnx_labels *blocks)
{
    if (axis.kind != CNX_AXIS_LABELS || axis.labels->over == blocks)
        return axis;
    axis.labels = make_labels(points, axis.labels->sequence, axis.labels->extent, blocks);
    relate(points, axis.labels->sequence, blocks->sequence, axis.labels->extent, 1, CNX_CONTAIN);
    return axis;
}

cnx_axis cnx_axis_refine(cnx_points *points, cnx_axis axis, const cnx_labels *blocks)
{
    if (axis.kind != CNX_AXIS_LABELS || !axis.labels->untouched || axis.labels->over != NULL)
        return axis; /* too late, or refined before: by another convolution that shares the weight */
    const cnx_labels *finer = fresh_labels(points, axis.labels->extent, blocks);
    relate(points, finer->sequence, blocks->sequence, finer->extent, 1, CNX_CONTAIN);
    cnx_labels *coarse = (cnx_labels *)(uintptr_t)axis.labels;
    coarse->finer = (cnx_labels *)(uintptr_t)finer;
    coarse->untouched = false;
    axis.labels = finer;
    return axis;
}

uint32_t cnx_labels_block_size(const cnx_labels *labels, const cnx_labels *blocks)
{
    if (labels == blocks)
        return 1;
    for (const cnx_labels_split *split = labels->splits; split != NULL; split = split->next)
        if (split->inner_extent != 0 && split->outer == blocks)
            return split->inner_extent;
    return 0;
}

/* ---- what follows from what was said ---- */

/* Whether two containments say the same of points that are twins: then their blocks move together. */
static bool contain_alike(cnx_points *points, const cnx_relation *a, const cnx_relation *b)
{
    if (a->from->count != b->from->count || a->middle != b->middle || a->inner != b->inner)
        return false;
    for (uint32_t i = 0; i < a->from->count; i++)
        if (cnx_point_twin(points, a->from->points[i]) != cnx_point_twin(points, b->from->points[i]))
            return false;
    return true;
}

/* Some positions, by twin, and layout of a containment: equal for containments that are alike. */
static uint32_t containment_key(cnx_points *points, cnx_intern *keys, const cnx_relation *relation)
{
    uint32_t key[11] = {relation->from->count, relation->middle, relation->inner};
    for (uint32_t i = 0; i < 8; i++) /* spread over the sequence; contain_alike looks at all of it */
        key[3 + i] = cnx_point_twin(
            points, relation->from->points[(uint32_t)((uint64_t)i * (relation->from->count - 1) / 7)]);
    return cnx_intern_add(keys, key, sizeof key);
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
        uint32_t key = containment_key(points, &keys, &points->relations[r]);
        previous[r] = last[key];
        last[key] = r + 1;
        for (uint32_t other = previous[r]; other != 0; other = previous[other - 1]) {
            cnx_relation a = points->relations[other - 1], b = points->relations[r];
            if (!contain_alike(points, &a, &b))
                continue;
            relate(points, a.to, b.to, 1, a.to->count, CNX_IDENTIFY);
            break;
        }
    }
    cnx_arena_destroy(scratch);
    return points->relation_count > united;
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

void cnx_points_close(cnx_points *points)
{
    while (close_once(points))
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
