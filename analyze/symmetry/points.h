/* Points: what the positions of tensor axes stand for, and what operators say about them.
 *
 * Every position of a labelled axis stands for a *point*. A *sequence* lists the points of an axis in order;
 * the points of one sequence are distinct, so a permutation of the points is a permutation of the positions.
 * Operators never move points. They state *relations* between sequences:
 *
 *   identify(X, Y)   position (a, m, b) of X moves as position (a, b) of Y does, and the two points are the
 *                    same point from now on (they are united in a union-find forest). With one m this is
 *                    plain equality; with several it says that all copies m move together.
 *   contain(X, Y)    position (a, m, b) of X lies in block (a, b) of Y: when the block moves, what is inside
 *                    moves with it, and may be permuted inside besides. Where every block holds one
 *                    position, that is identification.
 *
 * A symmetry is a permutation of all points that fixes the pinned ones, maps every sequence to itself and
 * respects every relation: for sigma_X, the permutation of X's positions it induces,
 * project(sigma_X(p)) = sigma_Y(project(p)). That definition is all that analyze/symmetry/cells.c searches by
 * and analyze/symmetry/verify.c checks; nothing else in the analysis can make a wrong claim about a group.
 * What can be wrong is only an operator's rule, which states the relations.
 *
 * Labels are a sequence seen from a tensor: an axis of `extent` positions which may *vary over* another axis
 * of the same tensor, its blocks (the 64 positions of a head vary over the 12 heads). The sequence then has
 * one point per pair (block, position). Invariant: when labels vary over B, the tensor has an axis whose
 * labels are B itself (the same pointer), or B was folded into the sequence.
 */
#ifndef CNX_ANALYZE_POINTS_H
#define CNX_ANALYZE_POINTS_H

#include "analyze/analysis.h"

typedef struct cnx_sequence {
    uint32_t id;
    uint32_t count;
    const uint32_t *points;
} cnx_sequence;

struct cnx_labels {
    const cnx_sequence *sequence;
    uint32_t extent;        /* of the axis; sequence->count = blocks * extent */
    const cnx_labels *over; /* the blocks, or NULL */
    /* Where the labels came from, so that a split undoes a merge and equal splits share their blocks. */
    const cnx_axis *merged_outer;
    const cnx_axis *merged_inner;
    struct cnx_labels_split *splits;
    const cnx_labels
        *still; /* set when labels that vary over blocks were pinned: positions that may not move */
    struct cnx_labels *finer;  /* set when an untouched parameter axis was refined to vary over blocks */
    struct cnx_unread *unread; /* set while it is not stated what lies in these blocks: see cnx_axis_read */
    bool untouched;            /* a parameter axis that no operator has spoken about yet */
    const void *parameter;     /* the tensor that has this axis, or blocks of this axis; NULL when none has */
};

typedef enum cnx_relation_kind { CNX_IDENTIFY, CNX_CONTAIN } cnx_relation_kind;

/* from position (a * middle + m) * inner + b  ->  to position a * inner + b */
typedef struct cnx_relation {
    const cnx_sequence *from;
    const cnx_sequence *to;
    uint32_t middle;
    uint32_t inner;
    cnx_relation_kind kind;
    uint32_t speaker; /* the node that said it (cnx_walk), or, of what cnx_points_close said, a closing */
} cnx_relation;

/* Another node stated relation number `relation` too. */
typedef struct cnx_repeat {
    uint32_t relation;
    uint32_t speaker;
} cnx_repeat;

/* The node `speaker`, or with CNX_NONE the graph, said that a sequence may not move. */
typedef struct cnx_pin {
    const cnx_sequence *sequence;
    uint32_t reason;
    uint32_t speaker;
} cnx_pin;

/* Two containments, by number, of the same positions. What follows is that their blocks are the same blocks
 * (an identification), or that each block of the first lies in one of the second (a containment). */
typedef struct cnx_closing {
    uint32_t first;
    uint32_t second;
} cnx_closing;

typedef struct cnx_points {
    cnx_arena *arena;
    cnx_dims *dims;
    size_t point_count;
    size_t point_capacity;
    cnx_arena *forests; /* holds the next four arrays */
    uint32_t *parent;   /* union-find forest: classes of points that move together */
    uint32_t *twin;   /* union-find forest, finer: points at equal positions of axes that are the same axis */
    uint32_t *pinned; /* by root: reason, or CNX_NONE */
    uint32_t *held;   /* by point: the reason why this very point, not only its class, may not move */
    size_t pinned_capacity;
    size_t sequence_count;
    size_t sequence_capacity;
    const cnx_sequence **sequences;
    size_t relation_count;
    size_t relation_capacity;
    cnx_relation *relations;
    size_t stated_count; /* relations that operators stated; 0 until cnx_points_close appends what follows */
    size_t closing_count;
    size_t closing_capacity;
    cnx_closing *closings;
    size_t repeat_count;
    size_t repeat_capacity;
    cnx_repeat *repeats;
    size_t pin_count;
    size_t pin_capacity;
    cnx_pin *pins;
    uint32_t speaker; /* whose rule is being applied: noted with every relation and pin */
    size_t unread_count;
    size_t unread_capacity;
    const cnx_labels **unread; /* blocks that were made unread */
    cnx_intern reasons;
    cnx_intern seen; /* relations already stated, by their numbers */
    cnx_intern pinned_before;
} cnx_points;

cnx_points *cnx_points_create(cnx_arena *arena, cnx_dims *dims);

/* The representative of a point's class. */
uint32_t cnx_point_class(cnx_points *points, uint32_t point);

/* The representative of a point's twins: points that were identified position by position, not as one of
 * several copies. Where one goes, they all go. */
uint32_t cnx_point_twin(cnx_points *points, uint32_t point);

/* A reason's number. With a node, `what` is a phrase that "of Conv conv1" completes ("spatial axis"); it is a
 * literal or lives in the arena, and equal reasons are told by its address. The text is made on demand. */
uint32_t cnx_reason(cnx_points *points, const char *what, const cnx_graph *graph, const cnx_node *node);
/* The same with the name of a value behind the phrase: `graph input "x"`. */
uint32_t cnx_reason_named(cnx_points *points, const char *what, const char *value, const cnx_graph *graph,
                          const cnx_node *node);
const char *cnx_reason_text(const cnx_points *points, uint32_t reason);
/* The text without the node's name, the same for all nodes of one operator: "spatial axis of Conv". */
const char *cnx_reason_kind(const cnx_points *points, uint32_t reason);
/* The node that a reason names, or NULL. */
const cnx_node *cnx_reason_node(const cnx_points *points, uint32_t reason);

/* ---- axes ---- Every function below takes and returns whole axes of any kind; pinned and constant ones
 * are handled, and sizes beyond CNX_LARGEST_AXIS are pinned. */

cnx_axis cnx_axis_pinned(cnx_dim extent, uint32_t reason);
cnx_axis cnx_axis_any(cnx_dim extent);
/* New points. `over` may be NULL. */
cnx_axis cnx_axis_fresh(cnx_points *points, uint32_t extent, const cnx_labels *over);
/* New points, all of them pinned: a pinned axis as labels, for mixing with free ones. */
const cnx_labels *cnx_labels_pinned(cnx_points *points, uint32_t extent, uint32_t reason);

/* No position of the axis (nor of what varies over it, through the relations) may move. The blocks that it
 * varies over may: then every position goes to the same one of another block. Returns the axis from then on:
 * one that is repeated has lost its labels, for copies differ from now on and no points stand for them. */
cnx_axis cnx_axis_pin(cnx_points *points, cnx_axis axis, uint32_t reason);

/* States that two axes of equal extent are the same axis; returns the better-known of the two. */
cnx_axis cnx_axis_unify(cnx_points *points, cnx_axis a, cnx_axis b, uint32_t reason);

/* The axis whose positions are `index[0..count)` of `axis` (repeats allowed, in range). */
cnx_axis cnx_axis_gather(cnx_points *points, cnx_axis axis, const uint32_t *index, uint32_t count,
                         uint32_t reason);

/* Parts one after the other. All extents must be numbers; otherwise everything is pinned. */
cnx_axis cnx_axis_concat(cnx_points *points, const cnx_axis *parts, size_t count, cnx_dim extent,
                         uint32_t reason);

/* One position, which may not move: labels for joining it with others. */
cnx_axis cnx_axis_one(cnx_points *points, uint32_t reason);

/* The points of an axis in all of its blocks, as one plain axis. It must have labels, and no repeats. */
cnx_axis cnx_axis_flat(cnx_points *points, cnx_axis axis);

/* The plain axis `flat`, whose points are those of a row of `extent` for every position of `blocks`, seen as
 * such a row that varies over `blocks`; everything is pinned when these are not plain labels of the right
 * number. */
cnx_axis cnx_axis_rows(cnx_points *points, cnx_axis flat, cnx_dim extent, cnx_axis blocks, uint32_t reason);

/* The axis with `before` and `after` positions of one constant added at its ends: those are alike. */
cnx_axis cnx_axis_pad(cnx_points *points, cnx_axis axis, uint32_t before, uint32_t after, cnx_dim extent,
                      uint32_t reason);

/* (outer, inner) seen as one axis of outer * inner positions. */
cnx_axis cnx_axis_merge(cnx_points *points, cnx_axis outer, cnx_axis inner, uint32_t reason);

/* A repeated axis written out as the product it is, with points of its own; any other axis unchanged. */
cnx_axis cnx_axis_settle(cnx_points *points, cnx_axis axis, uint32_t reason);

/* One axis seen as (outer, inner), where inner has `inner_extent` positions. */
void cnx_axis_split(cnx_points *points, cnx_axis axis, cnx_dim outer_extent, cnx_dim inner_extent,
                    cnx_axis *outer, cnx_axis *inner, uint32_t reason);

/* The same for an operator that computes nothing: a regrouping alone makes no difference between positions of
 * one block and of several. New blocks are *unread*: what lies in them is stated when something reads them.
 * Merged again, in either order (a channel shuffle), they never were. */
void cnx_axis_regroup(cnx_points *points, cnx_axis axis, cnx_dim outer_extent, cnx_dim inner_extent,
                      cnx_axis *outer, cnx_axis *inner, uint32_t reason);

/* States what lies in the axis's blocks, or in the axis if it is one of blocks, where they are unread: an
 * operator computes along the axis, or may. */
void cnx_axis_read(cnx_points *points, cnx_axis axis);

/* What is left of `axis`, which varies over `blocks`, when the tensor loses the blocks' axis by a sum or a
 * contraction: the copies in all blocks move together. Returns `axis` when it does not vary over them. */
cnx_axis cnx_axis_forget_blocks(cnx_points *points, cnx_axis axis, const cnx_labels *blocks);

/* Blocks that were selected by number: `to` lists the blocks index[0 .. count) of `from`. */
typedef struct cnx_block_gather {
    const cnx_labels *from;
    const cnx_labels *to;
    const uint32_t *index;
    uint32_t count;
    size_t known_count; /* labels that were carried over already, so that axes keep naming each other */
    size_t known_capacity;
    struct cnx_carried {
        const cnx_labels *before;
        const cnx_labels *after;
    } * known;
} cnx_block_gather;

/* What becomes of an axis that varies over `gather->from`, directly or through other blocks; any other axis
 * is unchanged. */
cnx_axis cnx_axis_gather_blocks(cnx_points *points, cnx_axis axis, cnx_block_gather *gather);

/* An axis that varies over `blocks`, seen over `finer`, whose positions are (block, copy), or (copy, block)
 * if `finer` was merged so: every copy of a block has the same inside. */
cnx_axis cnx_axis_repeat_blocks(cnx_points *points, cnx_axis axis, const cnx_labels *blocks,
                                const cnx_labels *finer);

/* The same labels varying over `blocks`, which is known to move as the present blocks do. */
cnx_axis cnx_axis_over(cnx_points *points, cnx_axis axis, const cnx_labels *blocks);

/* A parameter axis that no operator has spoken about may vary over blocks of another axis of the same
 * tensor (input channels of a grouped convolution's weight, over the groups). Returns the finer axis, or
 * `axis` unchanged when it is too late. The parameter's own labels point to the finer ones. */
cnx_axis cnx_axis_refine(cnx_points *points, cnx_axis axis, const cnx_labels *blocks);

/* An operator has spoken about these labels: they can no longer be refined. */
void cnx_labels_touch(const cnx_labels *labels);

/* How many positions of `labels` make one of `blocks`: 1 when they are the same, 0 when `blocks` is no split
 * of them. */
uint32_t cnx_labels_block_size(const cnx_labels *labels, const cnx_labels *blocks);

/* States what follows: blocks that contain twins in the same way are the same blocks (key heads
 * and value heads that serve the same groups of query heads), small ones of them lie in large ones (groups of
 * two convolutions in a row), blocks of positions that may not move may not either, and blocks that hold
 * copies of one class only move as it does. Nothing that was a symmetry stops being one. */
void cnx_points_close(cnx_points *points);

/* Lets go of the forests, once classes and twins have been read out of them: nothing can be said any more. */
void cnx_points_freeze(cnx_points *points);

/* Axes longer than this carry no labels. */
#define CNX_LARGEST_AXIS (1u << 24)

#endif
