/* What is to be known of slices (what one member has along one axis of one parameter) to choose a scale and a
 * sign; see normal_factors.c. Tensors are read as they are now, permutations and factors applied, by several
 * threads; nothing that is found depends on the order of the elements. */
#ifndef CNX_REWRITE_SLICES_H
#define CNX_REWRITE_SLICES_H

#include "analyze/symmetry/cells.h"
#include "base/lanes.h"

typedef struct cnx_slice {
    uint64_t count; /* elements */
    int largest;    /* exponent of the largest magnitude (frexp), INT_MIN when all are zero */
    int smallest;   /* of the smallest one that is not zero, INT_MAX when all are zero */
    bool finite;
    bool exact;    /* no element lost any of its bits to a factor; sums and hashes do not say */
    int64_t sum;   /* of the elements cut off 40 bits below the largest, in units of that */
    uint64_t hash; /* see slice_walk.h; 0 unless it was asked for */
} cnx_slice;

/* Adds one element to a slice: to `count`, `largest`, `smallest` and `finite`; to `sum`, once it was
 * measured. */
void cnx_slice_measure(cnx_slice *slice, double value);
void cnx_slice_add(cnx_slice *slice, double value);

/* Where slices are read. */
typedef struct cnx_slice_reading {
    cnx_arena *arena;
    cnx_analysis *analysis;
    cnx_lanes *lanes; /* made when a large tensor is read */
    bool wide;        /* products are taken as doubles, so that none is too small or too large to be seen */
    bool lost;        /* set when some element lost bits to a factor: what was found may be wrong */
} cnx_slice_reading;

/* The type that a parameter's elements are read as. */
int32_t cnx_type_read(const cnx_slice_reading *reading, const cnx_parameter *parameter);

/* Finds everything but `sum` and `hash` of the slices on one axis. `members` is by position of the axis's
 * sequence: which of the `member_count` slices the position belongs to, or CNX_NONE. */
void cnx_measure_slices(cnx_slice_reading *reading, const cnx_parameter *parameter, uint32_t axis,
                        const uint32_t *members, uint32_t member_count, cnx_slice *slices);

/* The same of all elements of a float, double or bfloat16 tensor. Neither reads `wide` nor sets `lost`. */
cnx_slice cnx_measure_tensor(cnx_slice_reading *reading, cnx_tensor *tensor);

/* Finds `sum` of slices that were measured. */
void cnx_add_up_slices(cnx_slice_reading *reading, const cnx_parameter *parameter, uint32_t axis,
                       const uint32_t *members, uint32_t member_count, cnx_slice *slices);

#endif
