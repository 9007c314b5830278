/* Slices of tensors: what belongs to one member of a class on one axis, as rows of a matrix. */
#ifndef CNX_COMPARE_SLICES_H
#define CNX_COMPARE_SLICES_H

#include "compare/comparison.h"

/* How the elements of a tensor are cut into slices along an axis. A position of the axis has `runs` runs of
 * `run` elements that lie side by side; where the axis varies over blocks of another one, its governor, only
 * those in the position's own block. */
typedef struct cnx_slicing {
    uint32_t axis;
    uint32_t extent;   /* of the axis */
    uint32_t governor; /* axis, or CNX_NONE */
    uint32_t block;    /* positions of the governor in a block; 1 without one */
    uint64_t runs;
    uint64_t run;
} cnx_slicing;

/* The slicing of a parameter along an axis that has labels. False when they vary over blocks that no other
 * axis has: then they do not move. */
bool cnx_slicing_of(const cnx_parameter *parameter, uint32_t axis, cnx_slicing *slicing);

/* A tensor that slices are read from. */
typedef struct cnx_slice_source {
    cnx_model *model;
    cnx_tensor *tensor;
    struct cnx_permutation *permutation; /* NULL: as it is */
} cnx_slice_source;

/* Reads elements [from, from + count) of runs [first, first + runs) of the given positions (numbers in the
 * axis's sequence) into out[position number][run][element]. */
void cnx_slices_read(const cnx_slicing *slicing, const cnx_slice_source *source, const uint32_t *positions,
                     size_t position_count, uint64_t first, uint64_t runs, uint64_t from, uint64_t count,
                     double *out);

#endif
