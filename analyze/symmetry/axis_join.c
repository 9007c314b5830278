/* Axes: positions selected, joined and padded. */
#include "analyze/symmetry/labels.h"

/* A selection of rows of a sequence: row `r` was selected by copies order[start[r] .. start[r + 1]). */
typedef struct selection {
    const cnx_sequence *sequence;
    const uint32_t *members; /* of the result */
    uint32_t row_count;
    uint32_t inner;
    uint32_t *start;
    uint32_t *order;
} selection;

static uint32_t times_selected(const selection *s, uint32_t row)
{
    return s->start[row + 1] - s->start[row];
}

/* Lists the copies of every row; returns how often the most popular row was selected. */
static uint32_t list_copies(cnx_points *points, selection *s, const uint32_t *rows, uint32_t count)
{
    uint32_t most = 0;
    s->start = CNX_NEW_ARRAY(points->arena, uint32_t, (size_t)s->row_count + 2);
    s->order = CNX_NEW_ARRAY(points->arena, uint32_t, count);
    for (uint32_t i = 0; i < count; i++)
        s->start[rows[i] + 2]++;
    for (uint32_t r = 0; r < s->row_count; r++) {
        most = s->start[r + 2] > most ? s->start[r + 2] : most;
        s->start[r + 2] += s->start[r + 1];
    }
    for (uint32_t i = 0; i < count; i++)
        s->order[s->start[rows[i] + 1]++] = i;
    return most;
}

/* States of the rows that were selected `times` times what their copies are: blocks of copies, in any order,
 * or position by position the same. */
static void relate_copies(cnx_points *points, const selection *s, uint32_t times, cnx_relation_kind kind)
{
    uint32_t originals = 0, from_size = 0, to_size = 0;
    for (uint32_t r = 0; r < s->row_count; r++)
        originals += times_selected(s, r) == times;
    if (originals == 0)
        return;
    uint32_t *from = CNX_NEW_ARRAY(points->arena, uint32_t, (size_t)originals * times * s->inner);
    uint32_t *to = CNX_NEW_ARRAY(points->arena, uint32_t, (size_t)originals * s->inner);
    for (uint32_t r = 0; r < s->row_count; r++) {
        if (times_selected(s, r) != times)
            continue;
        for (uint32_t i = 0; i < s->inner; i++)
            to[to_size++] = s->sequence->points[r * s->inner + i];
        for (uint32_t t = s->start[r]; t < s->start[r + 1]; t++)
            for (uint32_t i = 0; i < s->inner; i++)
                from[from_size++] = s->members[s->order[t] * s->inner + i];
    }
    const cnx_sequence *rows = cnx_sequence_add(points, to, to_size);       /* one after the other: the */
    const cnx_sequence *copies = cnx_sequence_add(points, from, from_size); /* order shows in numbers */
    cnx_relate(points, copies, rows, times, s->inner, kind);
}

const cnx_sequence *cnx_sequence_gather(cnx_points *points, const cnx_sequence *sequence,
                                        const uint32_t *rows, uint32_t count, uint32_t inner,
                                        cnx_relation_kind kind)
{
    selection s = {.sequence = sequence, .row_count = sequence->count / inner, .inner = inner};
    uint32_t most = list_copies(points, &s, rows, count), size = count * inner;
    if (most > 1) {
        s.members = cnx_points_add(points, size);
    } else {
        uint32_t *members = CNX_NEW_ARRAY(points->arena, uint32_t, size);
        for (uint32_t i = 0; i < size; i++)
            members[i] = sequence->points[rows[i / inner] * inner + i % inner];
        s.members = members;
    }
    const cnx_sequence *result = cnx_sequence_add(points, s.members, size);
    uint8_t *occurs = CNX_NEW_ARRAY(points->arena, uint8_t, (size_t)most + 1);
    for (uint32_t r = 0; r < s.row_count; r++)
        occurs[times_selected(&s, r)] = 1;
    for (uint32_t times = 1; times <= most && most > 1; times++)
        if (occurs[times] != 0)
            relate_copies(points, &s, times, kind);
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
    cnx_labels_touch(labels);
    uint32_t blocks = labels->sequence->count / labels->extent;
    uint32_t *positions = CNX_NEW_ARRAY(points->arena, uint32_t, (size_t)blocks * count);
    for (uint32_t b = 0; b < blocks; b++)
        for (uint32_t i = 0; i < count; i++)
            positions[b * count + i] = b * labels->extent + index[i];
    const cnx_sequence *sequence =
        cnx_sequence_gather(points, labels->sequence, positions, blocks * count, 1, CNX_CONTAIN);
    if (labels->over != NULL) /* what is cut out of a block stays in that block */
        cnx_relate(points, sequence, labels->over->sequence, count, 1, CNX_CONTAIN);
    return cnx_axis_labelled(extent, cnx_labels_make(points, sequence, count, labels->over));
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
    uint32_t *rows = CNX_NEW_ARRAY(points->arena, uint32_t, (size_t)above * g->count);
    for (uint32_t a = 0; a < above; a++)
        for (uint32_t k = 0; k < g->count; k++)
            rows[a * g->count + k] = a * g->from->extent + g->index[k];
    cnx_labels_touch(labels);
    const cnx_sequence *sequence =
        cnx_sequence_gather(points, labels->sequence, rows, above * g->count, inside, CNX_IDENTIFY);
    const cnx_labels *result = cnx_labels_make(points, sequence, labels->extent, over);
    if (over != NULL)
        cnx_relate(points, sequence, over->sequence, labels->extent, 1, CNX_CONTAIN);
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

static bool is_factor(const cnx_axis *factor, const cnx_labels *labels)
{
    return factor != NULL && factor->kind == CNX_AXIS_LABELS && factor->labels == labels;
}

cnx_axis cnx_axis_repeat_blocks(cnx_points *points, cnx_axis axis, const cnx_labels *blocks,
                                const cnx_labels *finer)
{
    const cnx_labels *labels = axis.labels;
    if (blocks->over != NULL || labels->over != blocks)
        return axis;
    cnx_labels_read(points, labels);
    cnx_labels_read(points, finer);
    const cnx_labels *result = cnx_labels_fresh(points, labels->extent, finer);
    uint32_t copies = finer->sequence->count / blocks->sequence->count;
    bool outside = !is_factor(finer->merged_outer, blocks) && is_factor(finer->merged_inner, blocks);
    cnx_labels_touch(labels);
    cnx_relate(points, result->sequence, labels->sequence, copies,
               outside ? labels->sequence->count : labels->extent, CNX_IDENTIFY);
    cnx_relate(points, result->sequence, finer->sequence, labels->extent, 1, CNX_CONTAIN);
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
    if (!cnx_axis_number(points, part.extent, &extent))
        return NULL;
    if (part.kind == CNX_AXIS_LABELS && part.repeats == NULL && part.labels->over == blocks)
        return part.labels;
    if (part.kind == CNX_AXIS_LABELS && (part.repeats != NULL || part.labels->over != NULL))
        return NULL;
    const cnx_labels *labels = cnx_labels_fresh(points, extent, blocks);
    if (blocks != NULL)
        cnx_relate(points, labels->sequence, blocks->sequence, extent, 1, CNX_CONTAIN);
    if (part.kind == CNX_AXIS_LABELS) /* the same in every block */
        cnx_relate(points, labels->sequence, part.labels->sequence, blocks->sequence->count, extent,
                   CNX_IDENTIFY);
    if (part.kind == CNX_AXIS_PINNED)
        cnx_labels_pin(points, labels, part.reason);
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
        members = cnx_points_add(points, total);
    const cnx_sequence *sequence = cnx_sequence_add(points, members, total);
    offset = 0;
    for (size_t i = 0; i < count; i++) {
        if (labels[i] == NULL)
            continue;
        cnx_labels_touch(labels[i]);
        const cnx_sequence *part = labels[i]->sequence;
        uint32_t *piece = CNX_NEW_ARRAY(points->arena, uint32_t, part->count);
        for (uint32_t k = 0; k < part->count && !distinct; k++)
            piece[k] = members[k / labels[i]->extent * extent + offset + k % labels[i]->extent];
        if (!distinct)
            cnx_relate(points, cnx_sequence_add(points, piece, part->count), part, 1, part->count,
                       CNX_IDENTIFY);
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
        cnx_relate(points, sequence, blocks->sequence, size, 1, CNX_CONTAIN);
    return cnx_axis_labelled(extent, cnx_labels_make(points, sequence, size, blocks));
}

cnx_axis cnx_axis_one(cnx_points *points, uint32_t reason)
{
    return cnx_axis_labelled(cnx_dim_number(points->dims, 1), cnx_labels_pinned(points, 1, reason));
}

cnx_axis cnx_axis_flat(cnx_points *points, cnx_axis axis)
{
    const cnx_sequence *sequence = axis.labels->sequence;
    cnx_labels_touch(axis.labels);
    return cnx_axis_labelled(cnx_dim_number(points->dims, sequence->count),
                             cnx_labels_make(points, sequence, sequence->count, NULL));
}

cnx_axis cnx_axis_rows(cnx_points *points, cnx_axis flat, cnx_dim extent, cnx_axis blocks, uint32_t reason)
{
    uint32_t count = 0;
    bool plain = flat.kind == CNX_AXIS_LABELS && blocks.kind == CNX_AXIS_LABELS && cnx_axis_is_plain(flat) &&
                 cnx_axis_is_plain(blocks) && cnx_axis_number(points, extent, &count);
    if (!plain || (uint64_t)count * blocks.labels->extent != flat.labels->extent) {
        cnx_axis_pin(points, flat, reason);
        cnx_axis_pin(points, blocks, reason);
        return cnx_axis_pinned(extent, reason);
    }
    cnx_relate(points, flat.labels->sequence, blocks.labels->sequence, count, 1, CNX_CONTAIN);
    return cnx_axis_labelled(extent, cnx_labels_make(points, flat.labels->sequence, count, blocks.labels));
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
    const cnx_sequence *padding = cnx_labels_fresh(points, before + after, NULL)->sequence;
    uint32_t *members = CNX_NEW_ARRAY(points->arena, uint32_t, (size_t)inside->count + before + after);
    cnx_labels_touch(axis.labels);
    memcpy(members, padding->points, before * sizeof *members);
    memcpy(members + before, inside->points, inside->count * sizeof *members);
    memcpy(members + before + inside->count, padding->points + before, after * sizeof *members);
    uint32_t count = inside->count + before + after;
    return cnx_axis_labelled(extent,
                             cnx_labels_make(points, cnx_sequence_add(points, members, count), count, NULL));
}
