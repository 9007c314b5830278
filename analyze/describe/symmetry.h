/* The permutation group of a model's parameters, described. */
#ifndef CNX_ANALYZE_DESCRIBE_SYMMETRY_H
#define CNX_ANALYZE_DESCRIBE_SYMMETRY_H

#include "analyze/symmetry/cells.h"

/* log10 of the order of the permutation group. */
double cnx_symmetry_log10_order(cnx_analysis *analysis);

/* Why a position cannot move that nothing pins. */
extern const char cnx_alone_reason[];

/* The outermost block that a class lives in; the class itself when it has no home. */
uint32_t cnx_outermost(const cnx_cells *cells, uint32_t class);

/* The group of one cell, with everything inside its members: "S_64", "S_64 wr S_12", "(S_64 x S_32) wr S_12".
 */
const char *cnx_cell_group(cnx_arena *arena, const cnx_cells *cells, uint32_t cell);

/* By cell: what people call it, the first parameter axis that shows it (features.0.weight:0), or NULL.
 * Matrices come first, in the order of the graph. Where several things move on one axis by themselves, the
 * second and further ones are called after their first position: cat.weight:1[64]. */
const char **cnx_name_cells(cnx_arena *arena, const cnx_analysis *analysis, const cnx_cells *cells);

/* The full description; memory from `arena`. */
const cnx_symmetry *cnx_describe_symmetry(cnx_arena *arena, cnx_analysis *analysis);

#endif
