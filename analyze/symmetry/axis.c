/* Axes: labels made, pinned, unified, regrouped, and followed when an axis of blocks goes. */
#include "analyze/symmetry/labels.h"

cnx_labels *cnx_labels_make(cnx_points *points, const cnx_sequence *sequence, uint32_t extent,
                            const cnx_labels *over)
{
    cnx_labels *labels = CNX_NEW(points->arena, cnx_labels);
    *labels = (cnx_labels){.sequence = sequence, .extent = extent, .over = over};
    return labels;
}

const cnx_labels *cnx_labels_fresh(cnx_points *points, uint32_t extent, const cnx_labels *over)
{
    uint64_t count = (uint64_t)extent * (over != NULL ? over->sequence->count : 1);
    if (count > CNX_LARGEST_AXIS)
        cnx_fail(points->arena, CNX_ERROR_LIMIT, NULL, "an axis has more than %u positions to follow",
                 CNX_LARGEST_AXIS);
    const uint32_t *members = cnx_points_add(points, (uint32_t)count);
    return cnx_labels_make(points, cnx_sequence_add(points, members, (uint32_t)count), extent, over);
}

void cnx_labels_touch(const cnx_labels *labels)
{
    ((cnx_labels *)(uintptr_t)labels)->untouched = false;
}

cnx_axis cnx_axis_labelled(cnx_dim extent, const cnx_labels *labels)
{
    return (cnx_axis){.extent = extent, .kind = CNX_AXIS_LABELS, .labels = labels};
}

/* ---- axes ---- */

const cnx_axis *cnx_axis_keep(cnx_points *points, cnx_axis axis)
{
    cnx_axis *kept = CNX_NEW(points->arena, cnx_axis);
    *kept = axis;
    return kept;
}

bool cnx_axis_number(cnx_points *points, cnx_dim dim, uint32_t *number)
{
    int64_t value = 0;
    if (!cnx_dim_is_number(points->dims, dim, &value) || value <= 0 || value > (int64_t)CNX_LARGEST_AXIS)
        return false;
    *number = (uint32_t)value;
    return true;
}

bool cnx_axis_is_plain(cnx_axis axis)
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
    return cnx_axis_labelled(dim, cnx_labels_fresh(points, extent, over));
}

const cnx_labels *cnx_labels_pinned(cnx_points *points, uint32_t extent, uint32_t reason)
{
    const cnx_labels *labels = cnx_labels_fresh(points, extent, NULL);
    cnx_sequence_pin(points, labels->sequence, reason);
    return labels;
}

/* Notes that the node at hand asks for unread blocks, too. */
static void request_blocks(cnx_points *points, const cnx_labels *blocks)
{
    if (blocks->unread == NULL)
        return;
    struct cnx_request *request = CNX_NEW(points->arena, struct cnx_request);
    *request = (struct cnx_request){.next = blocks->unread->requests, .speaker = points->speaker};
    blocks->unread->requests = request;
}

/* The blocks' requests speak, each for itself. */
static void state_blocks(cnx_points *points, const cnx_labels *blocks)
{
    const cnx_unread *unread = blocks->unread;
    uint32_t speaker = points->speaker;
    ((cnx_labels *)(uintptr_t)blocks)->unread = NULL;
    for (const struct cnx_request *request = unread->requests; request != NULL; request = request->next) {
        points->speaker = request->speaker;
        cnx_relate(points, unread->inside, blocks->sequence, unread->extent, 1, CNX_CONTAIN);
        if (blocks->over != NULL)
            cnx_relate(points, blocks->sequence, blocks->over->sequence, blocks->extent, 1, CNX_CONTAIN);
    }
    points->speaker = speaker;
}

void cnx_labels_read(cnx_points *points, const cnx_labels *labels)
{
    for (; labels != NULL; labels = labels->over)
        if (labels->unread != NULL)
            state_blocks(points, labels);
}

void cnx_axis_read(cnx_points *points, cnx_axis axis)
{
    if (axis.kind == CNX_AXIS_LABELS)
        cnx_labels_read(points, axis.labels);
    if (axis.kind == CNX_AXIS_LABELS && axis.repeats != NULL)
        cnx_axis_read(points, *axis.repeats);
}

void cnx_labels_pin(cnx_points *points, const cnx_labels *labels, uint32_t reason)
{
    cnx_labels_read(points, labels);
    cnx_labels_touch(labels);
    if (labels->over == NULL) {
        cnx_sequence_pin(points, labels->sequence, reason);
        return;
    }
    if (labels->still == NULL)
        ((cnx_labels *)(uintptr_t)labels)->still = cnx_labels_fresh(points, labels->extent, NULL);
    cnx_relate(points, labels->sequence, labels->still->sequence, labels->sequence->count / labels->extent,
               labels->extent, CNX_IDENTIFY);
    cnx_sequence_pin(points, labels->still->sequence, reason);
}

cnx_axis cnx_axis_pin(cnx_points *points, cnx_axis axis, uint32_t reason)
{
    if (axis.kind == CNX_AXIS_PINNED)
        return axis;
    if (axis.kind == CNX_AXIS_LABELS)
        cnx_labels_pin(points, axis.labels, reason);
    return axis.kind == CNX_AXIS_LABELS && axis.repeats == NULL ? axis : cnx_axis_pinned(axis.extent, reason);
}

/* Of two axes that are both repeated, copies go in any order only if they do in both. */
static void unify_repeats(cnx_axis *a, cnx_axis *b)
{
    if (a->repeats != NULL && b->repeats != NULL)
        a->repeats = b->repeats = a->repeats->kind == CNX_AXIS_ANY ? b->repeats : a->repeats;
}

cnx_axis cnx_axis_unify(cnx_points *points, cnx_axis a, cnx_axis b, uint32_t reason)
{
    if (a.kind == CNX_AXIS_ANY)
        return b;
    if (b.kind == CNX_AXIS_ANY)
        return a;
    if (a.kind == CNX_AXIS_PINNED || b.kind == CNX_AXIS_PINNED) {
        a = cnx_axis_pin(points, a, b.reason);
        b = cnx_axis_pin(points, b, a.reason);
        return a.kind == CNX_AXIS_LABELS ? a : b;
    }
    if ((a.repeats == NULL) != (b.repeats == NULL) || a.repeats_inside != b.repeats_inside) {
        a = cnx_axis_settle(points, a, reason);
        b = cnx_axis_settle(points, b, reason);
        if (a.kind != CNX_AXIS_LABELS || b.kind != CNX_AXIS_LABELS)
            return cnx_axis_unify(points, a, b, reason);
    }
    const cnx_labels *x = a.labels, *y = b.labels;
    cnx_labels_read(points, x);
    cnx_labels_read(points, y);
    cnx_labels_touch(x);
    cnx_labels_touch(y);
    unify_repeats(&a, &b);
    if (x->extent != y->extent) {
        cnx_axis_pin(points, b, reason);
        return cnx_axis_pin(points, a, reason);
    } else if (x->sequence->count == y->sequence->count) {
        cnx_relate(points, x->sequence, y->sequence, 1, x->sequence->count, CNX_IDENTIFY);
        if (x->merged_inner == NULL && y->merged_inner != NULL && (y->over == NULL || y->over == x->over))
            return b; /* it knows how to be split again */
    } else if (y->over == NULL) {
        cnx_relate(points, x->sequence, y->sequence, x->sequence->count / x->extent, x->extent, CNX_IDENTIFY);
    } else if (x->over == NULL) {
        cnx_relate(points, y->sequence, x->sequence, y->sequence->count / y->extent, y->extent, CNX_IDENTIFY);
        return b;
    } else {
        cnx_axis_pin(points, b, reason);
        return cnx_axis_pin(points, a, reason);
    }
    return a;
}

/* ---- merge and split ---- */

/* Whether none of the positions may move. */
static bool is_held(const cnx_points *points, const cnx_labels *labels)
{
    for (uint32_t i = 0; i < labels->sequence->count && labels->still == NULL; i++)
        if (points->held[labels->sequence->points[i]] == CNX_NONE)
            return false;
    return true;
}

/* The product of an axis `a` of m positions and `c` of n as new points: position (i, k) moves along with k
 * and lies in block i, or the other way round when only `a` is free. Where `a` varies over blocks, so does
 * the product; `c` is the same in all of them, or varies over the same ones. */
static const cnx_labels *product_labels(cnx_points *points, cnx_axis outer, cnx_axis inner, uint32_t m,
                                        uint32_t n)
{
    const cnx_labels *over = outer.kind == CNX_AXIS_LABELS ? outer.labels->over : NULL;
    cnx_labels *product = (cnx_labels *)(uintptr_t)cnx_labels_fresh(points, m * n, over);
    if (over != NULL)
        cnx_relate(points, product->sequence, over->sequence, m * n, 1, CNX_CONTAIN);
    product->merged_outer = cnx_axis_keep(points, outer);
    product->merged_inner = cnx_axis_keep(points, inner);
    if (outer.kind == CNX_AXIS_ANY || inner.kind == CNX_AXIS_ANY) { /* copies, in any order */
        const cnx_labels *named = outer.kind == CNX_AXIS_ANY ? inner.labels : outer.labels;
        cnx_labels_touch(named);
        if (outer.kind == CNX_AXIS_ANY)
            cnx_relate(points, product->sequence, named->sequence, m, n, CNX_CONTAIN);
        else
            cnx_relate(points, product->sequence, named->sequence, n, 1, CNX_CONTAIN);
        return product;
    }
    const cnx_labels *a =
        outer.kind == CNX_AXIS_LABELS ? outer.labels : cnx_labels_pinned(points, m, outer.reason);
    const cnx_labels *c =
        inner.kind == CNX_AXIS_LABELS ? inner.labels : cnx_labels_pinned(points, n, inner.reason);
    cnx_labels_touch(a);
    cnx_labels_touch(c);
    bool inner_is_free = inner.kind == CNX_AXIS_LABELS && (is_held(points, a) || !is_held(points, c));
    uint32_t copies = product->sequence->count / c->sequence->count;
    cnx_relate(points, product->sequence, a->sequence, n, 1, inner_is_free ? CNX_CONTAIN : CNX_IDENTIFY);
    cnx_relate(points, product->sequence, c->sequence, copies, n, inner_is_free ? CNX_IDENTIFY : CNX_CONTAIN);
    product->merged_outer = cnx_axis_keep(points, cnx_axis_labelled(outer.extent, a));
    product->merged_inner = cnx_axis_keep(points, cnx_axis_labelled(inner.extent, c));
    return product;
}

/* Whether the positions of a product can be named: what varies over blocks is on the outside, or both vary
 * over the same. */
static bool can_multiply(cnx_axis outer, cnx_axis inner)
{
    if (outer.kind == CNX_AXIS_LABELS && outer.repeats != NULL)
        return false;
    bool same_blocks = outer.kind == CNX_AXIS_LABELS && inner.kind == CNX_AXIS_LABELS &&
                       inner.repeats == NULL && inner.labels->over == outer.labels->over;
    return same_blocks || cnx_axis_is_plain(inner);
}

static cnx_axis product(cnx_points *points, cnx_axis outer, cnx_axis inner, cnx_dim extent, uint32_t reason)
{
    uint32_t m = 0, n = 0;
    bool named = cnx_axis_number(points, outer.extent, &m) && cnx_axis_number(points, inner.extent, &n);
    uint64_t blocks =
        outer.kind == CNX_AXIS_LABELS && outer.labels->over != NULL ? outer.labels->over->sequence->count : 1;
    cnx_axis_read(points, outer);
    cnx_axis_read(points, inner);
    if (named && can_multiply(outer, inner) && (uint64_t)m * n <= CNX_LARGEST_AXIS / blocks)
        return cnx_axis_labelled(extent, product_labels(points, outer, inner, m, n));
    cnx_axis_pin(points, outer, reason);
    cnx_axis_pin(points, inner, reason);
    return cnx_axis_pinned(extent, reason);
}

/* What was stated when two axes were merged, or when the one that is merged again was split. */
static void restate_merge(cnx_points *points, const cnx_labels *merged)
{
    const cnx_labels *outer = merged->merged_outer->labels, *inner = merged->merged_inner->labels;
    uint32_t n = inner != NULL ? inner->extent : merged->extent / outer->extent;
    uint32_t m = inner != NULL ? merged->sequence->count / inner->sequence->count : 0;
    if (outer != NULL && inner != NULL)
        cnx_restate(points, inner->sequence, outer->sequence, n, 1, CNX_CONTAIN);
    for (cnx_relation_kind kind = CNX_IDENTIFY; kind <= CNX_CONTAIN; kind++) {
        if (outer != NULL)
            cnx_restate(points, merged->sequence, outer->sequence, n, 1, kind);
        if (inner != NULL)
            cnx_restate(points, merged->sequence, inner->sequence, m, n, kind);
    }
}

cnx_axis cnx_axis_settle(cnx_points *points, cnx_axis axis, uint32_t reason)
{
    if (axis.kind != CNX_AXIS_LABELS || axis.repeats == NULL)
        return axis;
    cnx_axis named = cnx_axis_labelled(cnx_dim_number(points->dims, axis.labels->extent), axis.labels);
    for (const cnx_labels_split *known = axis.labels->splits; known != NULL; known = known->next)
        if (known->inner_extent == 0 && known->outer == NULL && known->repeats == axis.repeats) {
            restate_merge(points, known->inner);
            return cnx_axis_labelled(axis.extent, known->inner);
        }
    cnx_axis settled = axis.repeats_inside ? product(points, named, *axis.repeats, axis.extent, reason)
                                           : product(points, *axis.repeats, named, axis.extent, reason);
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
    const cnx_sequence *sequence =
        cnx_sequence_gather(points, outer.labels->sequence, index, n * blocks, 1, CNX_IDENTIFY);
    cnx_labels *labels = cnx_labels_make(points, sequence, n * blocks, NULL);
    labels->merged_outer = cnx_axis_keep(points, outer);
    labels->merged_inner = cnx_axis_keep(points, inner);
    return cnx_axis_labelled(extent, labels);
}

/* Labels times an axis without labels, of a size that is not known: no points can stand for that product. */
static cnx_axis repeated_inside(cnx_points *points, cnx_axis outer, cnx_axis inner, cnx_dim extent,
                                uint32_t reason)
{
    cnx_axis repeats = outer.repeats != NULL ? cnx_axis_merge(points, *outer.repeats, inner, reason) : inner;
    outer.extent = extent;
    outer.repeats = cnx_axis_keep(points, repeats);
    outer.repeats_inside = true;
    return outer;
}

cnx_axis cnx_axis_merge(cnx_points *points, cnx_axis outer, cnx_axis inner, uint32_t reason)
{
    cnx_dim extent = cnx_dim_multiply(points->dims, outer.extent, inner.extent);
    uint32_t count;
    if (cnx_dim_equals(points->dims, outer.extent, 1))
        return inner;
    if (cnx_dim_equals(points->dims, inner.extent, 1))
        return outer;
    if (outer.kind == CNX_AXIS_ANY && inner.kind == CNX_AXIS_ANY)
        return cnx_axis_any(extent);
    if (outer.kind != CNX_AXIS_LABELS && inner.kind != CNX_AXIS_LABELS)
        return cnx_axis_pinned(extent, outer.kind == CNX_AXIS_PINNED ? outer.reason : inner.reason);
    cnx_axis merged = {.kind = CNX_AXIS_PINNED};
    if (outer.kind == CNX_AXIS_LABELS && inner.kind == CNX_AXIS_LABELS && !outer.repeats_inside &&
        inner.labels->over == outer.labels && inner.repeats == NULL) { /* the inverse of a split */
        cnx_labels *labels = cnx_labels_make(points, inner.labels->sequence,
                                             outer.labels->extent * inner.labels->extent, outer.labels->over);
        labels->merged_outer = cnx_axis_keep(points, outer);
        labels->merged_inner = cnx_axis_keep(points, inner);
        merged = cnx_axis_labelled(extent, labels);
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
        merged.repeats = cnx_axis_keep(points, outer);
        return merged;
    }
    if (inner.kind != CNX_AXIS_LABELS && !cnx_axis_number(points, inner.extent, &count) &&
        (outer.repeats == NULL || outer.repeats_inside))
        return repeated_inside(points, outer, inner, extent, reason);
    inner = cnx_axis_settle(points, inner, reason);
    outer = cnx_axis_settle(points, outer, reason);
    return product(points, outer, inner, extent, reason);
}

/* An axis that was merged with copies of it: in the product the copies of each position go in any order, but
 * seen as an axis of their own again they go in one order everywhere. Their points, made once. */
static const cnx_labels *copies_of(cnx_points *points, const cnx_labels *labels, bool copies_outside)
{
    uint32_t n = labels->merged_inner->kind == CNX_AXIS_ANY
                     ? labels->extent / labels->merged_outer->labels->extent
                     : labels->merged_inner->labels->extent;
    for (const cnx_labels_split *known = labels->splits; known != NULL; known = known->next)
        if (known->inner_extent == n) {
            cnx_restate(points, labels->sequence, known->outer->sequence, n, 1, CNX_CONTAIN);
            cnx_restate(points, labels->sequence, known->inner->sequence, labels->extent / n, n,
                        CNX_IDENTIFY);
            return copies_outside ? known->outer : known->inner;
        }
    cnx_labels_touch(labels);
    cnx_labels_split *split = CNX_NEW(points->arena, cnx_labels_split);
    *split = (cnx_labels_split){.next = labels->splits, .inner_extent = n};
    split->outer =
        copies_outside ? cnx_labels_fresh(points, labels->extent / n, NULL) : labels->merged_outer->labels;
    split->inner = copies_outside ? labels->merged_inner->labels : cnx_labels_fresh(points, n, NULL);
    cnx_relate(points, labels->sequence, split->outer->sequence, n, 1, CNX_CONTAIN);
    cnx_relate(points, labels->sequence, split->inner->sequence,
               labels->sequence->count / split->inner->sequence->count, n, CNX_IDENTIFY);
    ((cnx_labels *)(uintptr_t)labels)->splits = split;
    return copies_outside ? split->outer : split->inner;
}

static bool is_split_exactly(cnx_points *points, cnx_dim whole, cnx_dim part, cnx_dim *rest)
{
    uint32_t number;
    if (!cnx_axis_number(points, part, &number))
        return false;
    *rest = cnx_dim_floor_divide(points->dims, whole, part);
    return !cnx_dim_equals(points->dims, *rest, 0) && cnx_dim_multiply(points->dims, *rest, part) == whole;
}

/* Whether these are blocks and what is inside them, in either order: merged, they are the same points. */
static bool vary_over_each_other(cnx_axis a, cnx_axis c)
{
    return a.kind == CNX_AXIS_LABELS && c.kind == CNX_AXIS_LABELS &&
           (c.labels->over == a.labels || a.labels->over == c.labels);
}

/* ((a, b), c) seen as (a, (b, c)), or (a, (b, c)) as ((a, b), c): neither factor may be mere copies, whose
 * order the product knows alone. */
static bool split_regroups(cnx_points *points, const cnx_labels *labels, cnx_dim outer_extent,
                           cnx_dim inner_extent, cnx_axis *outer, cnx_axis *inner, uint32_t reason)
{
    const cnx_axis *a = labels->merged_outer, *c = labels->merged_inner;
    cnx_dim rest;
    cnx_axis middle;
    if (a->kind == CNX_AXIS_ANY || c->kind == CNX_AXIS_ANY || vary_over_each_other(*a, *c))
        return false;
    if (is_split_exactly(points, inner_extent, c->extent, &rest)) {
        cnx_axis_regroup(points, *a, outer_extent, rest, outer, &middle, reason);
        *inner = cnx_axis_merge(points, middle, *c, reason);
        return true;
    }
    if (is_split_exactly(points, outer_extent, a->extent, &rest)) {
        cnx_axis_regroup(points, *c, rest, inner_extent, &middle, inner, reason);
        *outer = cnx_axis_merge(points, *a, middle, reason);
        return true;
    }
    return false;
}

static bool split_undoes_merge(cnx_points *points, cnx_axis axis, cnx_dim outer_extent, cnx_dim inner_extent,
                               cnx_axis *outer, cnx_axis *inner, uint32_t reason)
{
    const cnx_labels *labels = axis.labels;
    if (axis.repeats != NULL && !axis.repeats_inside &&
        cnx_dim_equals(points->dims, inner_extent, labels->extent)) {
        *outer = *axis.repeats;
        *inner = cnx_axis_labelled(inner_extent, labels);
        return true;
    }
    if (axis.repeats != NULL && axis.repeats_inside &&
        cnx_dim_equals(points->dims, outer_extent, labels->extent)) {
        *outer = cnx_axis_labelled(outer_extent, labels);
        *inner = *axis.repeats;
        inner->extent = inner_extent;
        return true;
    }
    if (axis.repeats != NULL || labels->merged_inner == NULL)
        return false;
    if (labels->merged_inner->extent != inner_extent)
        return split_regroups(points, labels, outer_extent, inner_extent, outer, inner, reason);
    *outer = *labels->merged_outer;
    *inner = *labels->merged_inner;
    if (outer->kind == CNX_AXIS_ANY)
        *outer = cnx_axis_labelled(outer->extent, copies_of(points, labels, true));
    else if (inner->kind == CNX_AXIS_ANY)
        *inner = cnx_axis_labelled(inner->extent, copies_of(points, labels, false));
    restate_merge(points, labels);
    if (outer->kind == CNX_AXIS_LABELS)
        request_blocks(points, outer->labels);
    if (inner->kind == CNX_AXIS_LABELS)
        request_blocks(points, inner->labels);
    return true;
}

/* Blocks of `inner_extent` consecutive positions, unread if they are new. */
static void split_labels(cnx_points *points, const cnx_labels *labels, uint32_t inner_extent,
                         const cnx_labels **outer, const cnx_labels **inner)
{
    for (const cnx_labels_split *known = labels->splits; known != NULL; known = known->next)
        if (known->inner_extent == inner_extent) {
            *outer = known->outer;
            *inner = known->inner;
            cnx_restate(points, labels->sequence, known->outer->sequence, inner_extent, 1, CNX_CONTAIN);
            request_blocks(points, known->outer);
            return;
        }
    cnx_labels_read(points, labels);
    cnx_labels_touch(labels);
    cnx_labels *blocks =
        (cnx_labels *)(uintptr_t)cnx_labels_fresh(points, labels->extent / inner_extent, labels->over);
    blocks->parameter = labels->parameter;
    *outer = blocks;
    *inner = cnx_labels_make(points, labels->sequence, inner_extent, blocks);
    blocks->unread = CNX_NEW(points->arena, cnx_unread);
    *blocks->unread = (cnx_unread){.inside = labels->sequence, .extent = inner_extent};
    request_blocks(points, blocks);
    CNX_PUSH(points->arena, points->unread, points->unread_count, points->unread_capacity, blocks);
    cnx_labels_split *split = CNX_NEW(points->arena, cnx_labels_split);
    *split = (cnx_labels_split){
        .next = labels->splits, .inner_extent = inner_extent, .outer = *outer, .inner = *inner};
    ((cnx_labels *)(uintptr_t)labels)->splits = split;
}

void cnx_axis_split(cnx_points *points, cnx_axis axis, cnx_dim outer_extent, cnx_dim inner_extent,
                    cnx_axis *outer, cnx_axis *inner, uint32_t reason)
{
    cnx_axis_regroup(points, axis, outer_extent, inner_extent, outer, inner, reason);
    cnx_axis_read(points, *outer);
    cnx_axis_read(points, *inner);
}

void cnx_axis_regroup(cnx_points *points, cnx_axis axis, cnx_dim outer_extent, cnx_dim inner_extent,
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
    if (axis.kind == CNX_AXIS_LABELS &&
        split_undoes_merge(points, axis, outer_extent, inner_extent, outer, inner, reason))
        return;
    uint32_t m, n;
    if (axis.kind != CNX_AXIS_LABELS || axis.repeats != NULL || !cnx_axis_number(points, outer_extent, &m) ||
        !cnx_axis_number(points, inner_extent, &n) || (uint64_t)m * n != axis.labels->extent) {
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
        if (known->inner_extent == 0 && known->outer == blocks && known->repeats == NULL) {
            cnx_restate(points, labels->sequence, known->inner->sequence, blocks->extent,
                        labels->sequence->count / blocks->sequence->count, CNX_IDENTIFY);
            return known->inner;
        }
    const cnx_labels *over = labels->over == blocks ? blocks->over : forget(points, labels->over, blocks);
    const cnx_labels *result = cnx_labels_fresh(points, labels->extent, over);
    uint32_t inner = labels->sequence->count / blocks->sequence->count;
    cnx_labels_read(points, labels);
    cnx_labels_touch(labels);
    cnx_relate(points, labels->sequence, result->sequence, blocks->extent, inner, CNX_IDENTIFY);
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
    cnx_axis_read(points, axis);
    cnx_labels_read(points, blocks);
    axis.labels = cnx_labels_make(points, axis.labels->sequence, axis.labels->extent, blocks);
    cnx_relate(points, axis.labels->sequence, blocks->sequence, axis.labels->extent, 1, CNX_CONTAIN);
    return axis;
}

cnx_axis cnx_axis_refine(cnx_points *points, cnx_axis axis, const cnx_labels *blocks)
{
    if (axis.kind != CNX_AXIS_LABELS || !axis.labels->untouched || axis.labels->over != NULL)
        return axis; /* too late, or refined before: by another convolution that shares the weight */
    if (axis.labels->parameter == NULL || axis.labels->parameter != blocks->parameter)
        return axis; /* a product of parameters: the blocks are not on the tensor that has the axis */
    if (axis.labels == blocks)
        return axis; /* a product with itself: no tensor has both */
    const cnx_labels *finer = cnx_labels_fresh(points, axis.labels->extent, blocks);
    cnx_relate(points, finer->sequence, blocks->sequence, finer->extent, 1, CNX_CONTAIN);
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
