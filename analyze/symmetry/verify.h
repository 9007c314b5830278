/* The check behind every claim: are the cells' permutations symmetries of the relations? */
#ifndef CNX_ANALYZE_VERIFY_H
#define CNX_ANALYZE_VERIFY_H

#include "analyze/symmetry/cells.h"

/* Whether `permutation` (by point) maps every sequence to itself, fixes pinned points and respects every
 * relation. When not, *witness is a class it moves (or that should have moved). */
bool cnx_is_symmetry(const cnx_cells *cells, const uint32_t *permutation, uint32_t *witness);

/* Whether generators of the cells' group are symmetries: all exchanges of neighbouring members. When not,
 * guilty[cell] is set for every cell one of whose exchanges is none (for others too where that would take too
 * many tries). `guilty` is an array of `cell_count`, all false. */
bool cnx_verify_cells(const cnx_cells *cells, bool *guilty);

#endif
