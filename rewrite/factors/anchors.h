/* Where the numbers show that units are multiplied by, sorted into anchors; see normal_factors.c for what
 * they are for.
 *
 * What multiplies a unit (a member of a cell) at a place is a sum of the numbers of some generators.
 * Generators that never meet in such a sum have nothing to do with each other: those that hang together are a
 * *component*, and each member of the cell has its own numbers for each. A *piece* is all the positions of an
 * axis of a parameter where one and the same sum multiplies the members of one cell; these positions occur on
 * the same axes of the graph, too, and so do those that they are identified with. An *anchor* is the pieces
 * of an axis that symmetries may exchange, because they belong to cells that play the same part in blocks, or
 * to copies of one cell in several blocks (a rotary pair, once in each head), and perhaps more: which of them
 * comes first says nothing.
 */
#ifndef CNX_REWRITE_ANCHORS_H
#define CNX_REWRITE_ANCHORS_H

#include "analyze/equations.h"
#include "analyze/scaling/scaling.h"

typedef struct cnx_piece {
    size_t parameter;
    uint32_t axis;
    uint32_t anchor;
    uint32_t component;
    uint32_t term_count;
    cnx_term *terms; /* the sum; unknowns count the component's generators */
} cnx_piece;

typedef struct cnx_component {
    uint32_t cell;
    uint32_t size;
    const uint32_t *generators; /* `size` of them */
    uint32_t first;             /* of its units, when all components' are put in one array: one a member */
    uint32_t piece_count;
    const uint32_t *pieces;
} cnx_component;

typedef struct cnx_anchor {
    size_t parameter;
    uint32_t axis;
    uint32_t piece_count;
    const uint32_t *pieces;
} cnx_anchor;

typedef struct cnx_anchors {
    cnx_arena *arena;
    cnx_analysis *analysis;
    const cnx_scalings *scalings;
    const cnx_cells *cells;
    cnx_scaling_kind kind;
    const uint64_t *colours; /* by point: where it occurs */
    size_t piece_count, piece_capacity;
    cnx_piece *pieces;
    /* In an order that no member of a class changes: vectors first, then by number of elements; by parameter,
     * axis, first position. */
    size_t count, capacity;
    cnx_anchor *anchors;
    uint32_t component_count;
    cnx_component *components;
    uint32_t unit_count;
    struct cnx_axis_pieces **axes; /* by parameter, then axis */
} cnx_anchors;

/* By point: a colour of where it occurs, which every symmetry keeps. Memory from `arena`. */
const uint64_t *cnx_colour_points(cnx_arena *arena, const cnx_cells *cells);

/* The anchors for signs or for scales, given the colours of points; memory from `arena`. */
cnx_anchors *cnx_find_anchors(cnx_arena *arena, cnx_analysis *analysis, const cnx_scalings *scalings,
                              const uint64_t *colours, cnx_scaling_kind kind);

/* A position of an axis's sequence: its piece, CNX_NONE where nothing multiplies it, and the member there. */
typedef struct cnx_anchor_place {
    uint32_t piece;
    uint32_t member;
} cnx_anchor_place;

/* By position of the axis's sequence, `*count` of them; NULL when nothing multiplies any of them. */
const cnx_anchor_place *cnx_anchor_places(const cnx_anchors *anchors, size_t parameter, uint32_t axis,
                                          uint32_t *count);

/* The anchors on an axis of a parameter: *first and those that follow, as many as are returned. */
uint32_t cnx_anchors_on_axis(const cnx_anchors *anchors, size_t parameter, uint32_t axis, uint32_t *first);

#endif
