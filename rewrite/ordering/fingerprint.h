/* Order-free fingerprints of the members of cells: what a unit looks like, whatever the order of the others.
 */
#ifndef CNX_REWRITE_FINGERPRINT_H
#define CNX_REWRITE_FINGERPRINT_H

#include "analyze/symmetry/cells.h"
#include "base/keyed.h"
#include "base/lanes.h"

/* Memory that is used again and again. The first three are for one axis, and `copies` is all zero between two
 * uses, so that an axis costs its own length and not that of the model. */
typedef struct cnx_print_scratch {
    uint32_t *begin;    /* by cell: where it begins on the axis */
    uint32_t *copies;   /* by class: how often it shows there */
    uint32_t *first;    /* by class: where it shows first */
    cnx_keyed *members; /* of one cell */
} cnx_print_scratch;

/* What is known of every class so far. Two members of a cell with different (bias, print) can be told apart.
 */
typedef struct cnx_prints {
    cnx_arena *arena;
    cnx_analysis *analysis;
    const cnx_cells *cells;
    uint64_t *bias;  /* by class: sort key, ascending for descending bias; 0 without a bias */
    uint64_t *print; /* by class: accumulated fingerprint */
    uint64_t *token; /* by class: what others see of it: a hash of its cell's colour, bias and print */
    uint64_t *told;  /* by class: its token when it was last added to the print of the block it lives in */
    uint32_t *unit; /* by class: a member of its cell that it may change places with at no cost; see ties.h */
    bool *tied;     /* by class: a member of its cell, of another unit, has the same bias and print */
    const cnx_parameter **bias_of; /* by cell: the parameter that gave the biases, or NULL */
    bool *used_print;              /* by cell: biases were not enough */
    uint32_t *distinct;            /* by cell: how many different keys its members have */
    uint64_t distinct_sum;         /* over all cells */
    uint32_t stale_count;          /* cells where a key changed since `tied` and `distinct` were found */
    uint32_t *stale;
    bool *is_stale; /* by cell */
    uint32_t nested_count;
    uint32_t *nested; /* classes that live in blocks, innermost first */
    cnx_print_scratch scratch;
    cnx_lanes *lanes; /* made when a large tensor is read */
    size_t face_count;
    struct cnx_face *faces;
    uint64_t bytes_read; /* of weights, so far */
} cnx_prints;

/* Biases first, then, as long as members of some cell are tied, weights: the smallest tensor that touches a
 * tied class first, so that most of a large model is never read. Deterministic, and the same for equivalent
 * models. */
cnx_prints *cnx_fingerprint(cnx_arena *arena, cnx_analysis *analysis);

/* The order of two members of a cell: by bias, then by print; 0 when they are tied. */
int cnx_compare_prints(const cnx_prints *prints, uint32_t a, uint32_t b);

/* The members of a cell, as `item`s, in that order, and those that are tied by their number. What is returned
 * is scratch memory, good until the next call. */
const cnx_keyed *cnx_rank_members(const cnx_prints *prints, uint32_t cell);

#endif
