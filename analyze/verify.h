/* The check behind every claim: are the cells' permutations symmetries of the relations? */
#ifndef CNX_ANALYZE_VERIFY_H
#define CNX_ANALYZE_VERIFY_H

#include "analyze/cells.h"

/* Whether `permutation` (by point) maps every sequence to itself, fixes pinned points and respects every
 * relation. When not, *witness is a class it moves (or that should have moved). */
bool cnx_is_symmetry(const cnx_cells *cells, const uint32_t *permutation, uint32_t *witness);

/* Whether generators of the cells' group are symmetries: all exchanges of neighbouring members. When not,
 * *phase is the phase of the cells among which the culprit is, too. */
bool cnx_verify_cells(const cnx_cells *cells, uint32_t *witness, uint32_t *phase);

#endif
