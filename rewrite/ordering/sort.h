/* Sorting the members of every cell. */
#ifndef CNX_REWRITE_SORT_H
#define CNX_REWRITE_SORT_H

#include "rewrite/ordering/fingerprint.h"
#include "rewrite/ordering/ties.h"

typedef struct cnx_sorting {
    cnx_arena *arena;
    cnx_analysis *analysis;
    const cnx_cells *cells;
    const cnx_prints *prints;
    cnx_ties ties;    /* what became of members that look alike */
    uint32_t *image;  /* by class: the class whose place it takes, with blocks carrying what is inside them */
    uint32_t *points; /* by point: the same */
} cnx_sorting;

/* Fingerprints the classes of an analysis, breaks ties and puts every cell in order: by descending bias,
 * then by print. Nothing is applied to the model. Memory from `arena`. */
cnx_sorting *cnx_sort_cells(cnx_arena *arena, cnx_analysis *analysis);

/* The members of a cell by bias, print and number. `sorted` has room for all of them. */
void cnx_sort_members(const cnx_prints *prints, uint32_t cell, uint32_t *sorted);

/* Sends the member of rank r to the place of member r: image[class], for the members of one cell. `scratch`
 * has room for all of them. */
void cnx_sort_cell(const cnx_prints *prints, uint32_t cell, uint32_t *image, uint32_t *scratch);

/* How many members the largest cell has. */
uint32_t cnx_largest_cell(const cnx_cells *cells);

#endif
