/* Families: what weight matching permutes as one, and the tensors that show it.
 *
 * A family is a cell of classes without a home, with all the cells inside its members: heads and the channels
 * inside heads. Its classes fall into kinds, those at equal places: the heads are one kind, the channels of
 * all heads another. Members of a kind are compared with members of the same kind only.
 */
#ifndef CNX_COMPARE_FAMILIES_H
#define CNX_COMPARE_FAMILIES_H

#include "base/blas.h"
#include "compare/multiples.h"
#include "compare/slices.h"

typedef struct cnx_kind {
    uint32_t count;
    uint32_t *classes;
    uint32_t sign_count; /* generators of each member's cell */
    uint32_t exponent_count;
    uint32_t inside_count; /* cells inside each member */
    uint32_t *inside;      /* the kinds of their members */
    size_t multiple_count, multiple_capacity;
    cnx_multiple *multiples; /* of its slices, each once; the first is one */
} cnx_kind;

/* Where members of a kind are on one axis of the tensor of a pair. */
typedef struct cnx_evidence {
    size_t pair;
    uint32_t family;
    uint32_t kind;
    uint32_t copies;     /* positions of the axis per member */
    uint32_t *positions; /* copies of them for each member, in the kind's order */
    uint32_t multiple;   /* of the kind's: what the member's numbers do to its slices */
    cnx_slicing slicing;
    double weight;      /* of a squared difference of two elements */
    uint64_t elements;  /* in the slices of all members */
    bool self;          /* another axis of the tensor shows the same family */
    size_t other_count; /* families that other axes of the tensor show */
    uint32_t *others;
} cnx_evidence;

typedef struct cnx_family {
    uint32_t cell;
    size_t kind_count, kind_capacity;
    cnx_kind *kinds; /* the first is that of the cell's members */
    size_t evidence_count, evidence_capacity;
    cnx_evidence *evidence;
    bool nested;    /* there is more than one kind */
    bool only_self; /* every tensor that shows it shows it twice */
} cnx_family;

typedef struct cnx_families {
    cnx_comparison *c;
    const cnx_cells *cells;
    const cnx_multipliers *multipliers;
    const cnx_blas *blas; /* for sums over many elements */
    size_t count, capacity;
    cnx_family *items;   /* in the order of their first members */
    uint32_t *family_of; /* by class: number, or CNX_NONE when it cannot move */
    uint32_t *kind_of;   /* by class: in its family */
    uint32_t *place_of;  /* by class: in its kind */
    bool magnitudes;     /* elements count without their signs */
    const bool
        *sorted; /* by family: others have no order yet, so slices that show them are sorted; NULL: none */
} cnx_families;

/* Whether the tensors of a pair can be compared number by number, and say something about symmetries. */
bool cnx_is_evidence(const cnx_comparison *c, const cnx_pair *pair);

/* By pair: what a squared difference of two of its elements counts, 1 / variance of a's tensor, so that every
 * element has the same say, whatever b's scales are; 0 for pairs that are no evidence, as tensors of zeros.
 * Streams the paired tensors once. With `magnitudes`, elements are looked at without their signs. a's tensors
 * may have factors. */
double *cnx_weigh_pairs(cnx_comparison *c, cnx_arena *arena, bool magnitudes);

/* Finds the families of a comparison's analysis, and the evidence for them, with the weights of pairs (see
 * above; borrowed). Elements smaller than a byte are no evidence. Cells whose members can only be multiplied
 * are families, too. `kinds`: of the numbers that are to be followed, CNX_SIGN, CNX_SCALE, both or neither.
 */
cnx_families *cnx_find_families(cnx_comparison *c, cnx_arena *arena, unsigned kinds, bool magnitudes,
                                const double *weights);

#endif
