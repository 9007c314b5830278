/* Slices measured element by element; see slice_walk.c. */
#ifndef CNX_REWRITE_SLICE_WALK_H
#define CNX_REWRITE_SLICE_WALK_H

#include "rewrite/factors/slices.h"

typedef struct cnx_slicing {
    cnx_arena *arena;
    cnx_slice_reading *reading;
    const cnx_parameter *parameter;
    uint32_t axis;
    const uint32_t *members; /* by position of the axis's sequence: whose slice, or CNX_NONE */
    uint32_t member_count;
    bool *const
        *left_out; /* by axis, then position of its sequence: elements there do not count; NULL: all do */
} cnx_slicing;

/* Finds `count`, `largest` and `finite` of the slices, and `sum` when it is asked for. */
void cnx_walk_slices(const cnx_slicing *slicing, bool with_sums, cnx_slice *slices);

/* Adds to `hash` of slices that were measured the hashes of all elements, each taken negative for a negative
 * element: of its magnitude, and for each other axis of its position there, if that may not move, or of the
 * sum of the hashes of all magnitudes there. */
void cnx_hash_slices(const cnx_slicing *slicing, cnx_slice *slices);

/* Finds `hash` alone, as a print of the slice that neither signs nor powers of two change: the sum of the
 * hashes of its elements' mantissas, with positions on other axes told apart as above, by mantissas. 0 when
 * all elements are zero. */
void cnx_print_slices(const cnx_slicing *slicing, cnx_slice *slices);

#endif
