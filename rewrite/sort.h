/* Sorting the members of every cell, and what stays tied. */
#ifndef CNX_REWRITE_SORT_H
#define CNX_REWRITE_SORT_H

#include "rewrite/fingerprint.h"

typedef struct cnx_sorting {
    cnx_arena *arena;
    cnx_analysis *analysis;
    const cnx_cells *cells;
    const cnx_prints *prints;
    uint32_t *image;   /* by class: the class whose place it takes, inside its own block */
    uint32_t *points;  /* by point: the same, with blocks carrying what is inside them */
    uint64_t compared; /* bytes read so far to compare tied members */
} cnx_sorting;

/* Analyses the model, fingerprints its classes and puts every cell in order: by descending bias, then by
 * print. Nothing is applied to the model. Memory from `arena`. */
cnx_sorting *cnx_sort_cells(cnx_arena *arena, cnx_model *model);

/* The first cell with tied members that are not interchangeable, or CNX_NONE: exchanging two neighbours among
 * tied members of a sorted model has to leave every byte as it is. Tied members of other cells stay where
 * they are; ties that dissolve only together are not found. Comparing stops, undecided, after
 * CNX_MOST_COMPARED bytes. */
uint32_t cnx_undecided_cell(cnx_sorting *sorting);

#define CNX_MOST_COMPARED (UINT64_C(4) << 30)

#endif
