/* Ties: members of cells that fingerprints do not tell apart. What is done about them, in three steps:
 *
 *   units       tied members that can be exchanged one by one without changing a byte make a unit: any order
 *               of them is as good as any other (units.c)
 *   components  what is still tied falls into parts that no tensor connects; each is looked at alone
 *               (components.c)
 *   search      individualisation and refinement in every component (search.c)
 */
#ifndef CNX_REWRITE_TIES_H
#define CNX_REWRITE_TIES_H

#include "rewrite/ordering/automorphism.h"
#include "rewrite/ordering/fingerprint.h"

/* How it ended. */
typedef struct cnx_ties {
    uint32_t undecided;     /* a cell whose members stay tied because a limit was reached, or CNX_NONE */
    const char *limit;      /* the limit's name, or NULL */
    double log10_exchanges; /* log10 of the number of ways to permute units that change no byte */
    uint64_t refinements;   /* done by the search */
    uint64_t leaves;        /* complete orders that it compared */
} cnx_ties;

/* Makes prints->unit and the order by (bias, print, number of the class) canonical: equivalent models get
 * equal bytes when their cells are sorted by it. Where the limits tie-refinements, tie-reading or tie-memory
 * do not allow that, a cell is named in the result and stays as it was. Reads no weight when nothing is tied.
 * Memory from `arena`. */
cnx_ties cnx_break_ties(cnx_arena *arena, cnx_prints *prints);

/* ---- units.c ---- */

/* Fills prints->unit for tied members and marks ties again: members of one unit do not count as tied. The
 * members of a block's cells have to be told apart or make units before the block is looked at; blocks with
 * ties inside are units of their own. Returns CNX_NONE, or the cell at which the limit tie-reading was
 * reached. */
uint32_t cnx_find_units(cnx_prints *prints, cnx_weights_check *check);

/* ---- components.c ---- */

/* Tied cells that tensors or blocks connect, and everything a search among them looks at. */
typedef struct cnx_component {
    size_t cell_count, class_count, face_count, parameter_count, nested_count;
    size_t cell_capacity, class_capacity, face_capacity, parameter_capacity, nested_capacity;
    uint32_t *cells;
    uint32_t *classes;    /* the members of the cells, cell by cell */
    uint32_t *faces;      /* numbers in prints->faces */
    uint32_t *parameters; /* those that may look different when members move, in their order */
    uint32_t *nested;     /* members of cells inside blocks of the component, innermost first */
} cnx_component;

/* The components of what is tied at present. */
cnx_component *cnx_find_components(cnx_arena *arena, const cnx_prints *prints, size_t *count);

#endif
