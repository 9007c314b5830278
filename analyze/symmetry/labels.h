/* What points.c, axis.c and axis_join.c share: the making of points, sequences, relations and labels.
 * Operators' rules use analyze/symmetry/points.h. */
#ifndef CNX_ANALYZE_LABELS_H
#define CNX_ANALYZE_LABELS_H

#include "analyze/symmetry/points.h"

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

/* Blocks of which no operator has read more than that they are there. */
typedef struct cnx_unread {
    const cnx_sequence *inside; /* positions, of which `extent` after another lie in one block */
    uint32_t extent;
    struct cnx_request { /* the nodes that asked for the split, the last one first */
        struct cnx_request *next;
        uint32_t speaker;
    } * requests;
} cnx_unread;

/* `count` new points, in an array of the points' arena. Fails when there are too many. */
uint32_t *cnx_points_add(cnx_points *points, uint32_t count);

/* Pins the classes of a sequence's points, and holds the points themselves. */
void cnx_sequence_pin(cnx_points *points, const cnx_sequence *sequence, uint32_t reason);

/* A sequence of distinct points; `members` is borrowed. */
const cnx_sequence *cnx_sequence_add(cnx_points *points, const uint32_t *members, uint32_t count);

/* The sequence of the rows rows[0 .. count) of `sequence`, each of `inner` points. When a row repeats, new
 * points stand for all positions, and the copies of a row are related to it: with CNX_CONTAIN (and inner 1)
 * they may go in any order, for they hold the same; with CNX_IDENTIFY each position moves as its original
 * does. */
const cnx_sequence *cnx_sequence_gather(cnx_points *points, const cnx_sequence *sequence,
                                        const uint32_t *rows, uint32_t count, uint32_t inner,
                                        cnx_relation_kind kind);

/* States a relation, once; see the essay of points.h. */
void cnx_relate(cnx_points *points, const cnx_sequence *from, const cnx_sequence *to, uint32_t middle,
                uint32_t inner, cnx_relation_kind kind);

/* Notes that the node at hand says a relation too, if it was stated before: labels that are found again say
 * what they said when they were made. */
void cnx_restate(cnx_points *points, const cnx_sequence *from, const cnx_sequence *to, uint32_t middle,
                 uint32_t inner, cnx_relation_kind kind);

cnx_labels *cnx_labels_make(cnx_points *points, const cnx_sequence *sequence, uint32_t extent,
                            const cnx_labels *over);
/* Labels of new points; no containment in `over` is stated. */
const cnx_labels *cnx_labels_fresh(cnx_points *points, uint32_t extent, const cnx_labels *over);
/* States what lies in these labels, and in the blocks that they vary over, where those are unread blocks. */
void cnx_labels_read(cnx_points *points, const cnx_labels *labels);
void cnx_labels_pin(cnx_points *points, const cnx_labels *labels, uint32_t reason);

cnx_axis cnx_axis_labelled(cnx_dim extent, const cnx_labels *labels);
/* A copy of an axis in the points' arena. */
const cnx_axis *cnx_axis_keep(cnx_points *points, cnx_axis axis);
/* Whether a dimension is a number from 1 to CNX_LARGEST_AXIS; then *number is it. */
bool cnx_axis_number(cnx_points *points, cnx_dim dim, uint32_t *number);
/* Whether an axis has no labels, or labels that neither repeat nor vary over blocks. */
bool cnx_axis_is_plain(cnx_axis axis);

#endif
