/* Order-free fingerprints of the members of cells: what a unit looks like, whatever the order of the others.
 */
#ifndef CNX_REWRITE_FINGERPRINT_H
#define CNX_REWRITE_FINGERPRINT_H

#include "analyze/symmetry.h"

/* What is known of every class so far. Two members of a cell with different (bias, print) can be told apart.
 */
typedef struct cnx_prints {
    cnx_arena *arena;
    cnx_analysis *analysis;
    const cnx_cells *cells;
    uint64_t *bias;  /* by class: sort key, ascending for descending bias; 0 without a bias */
    uint64_t *print; /* by class: accumulated fingerprint */
    uint64_t *token; /* by class: what others see of it: a hash of its cell's colour, bias and print */
    bool *tied;      /* by class: some other member of its cell has the same bias and print */
    const cnx_parameter **bias_of; /* by cell: the parameter that gave the biases, or NULL */
    bool *used_print;              /* by cell: biases were not enough */
    size_t face_count;
    struct cnx_face *faces;
} cnx_prints;

/* Biases first, then, as long as members of some cell are tied, weights: the smallest tensor that touches a
 * tied class first, so that most of a large model is never read. Deterministic, and the same for equivalent
 * models. */
cnx_prints *cnx_fingerprint(cnx_arena *arena, cnx_analysis *analysis);

/* The order of two members of a cell: by bias, then by print; 0 when they are tied. */
int cnx_compare_prints(const cnx_prints *prints, uint32_t a, uint32_t b);

#endif
