/* The permutation group of a model's parameters, described. */
#ifndef CNX_ANALYZE_SYMMETRY_H
#define CNX_ANALYZE_SYMMETRY_H

#include "analyze/cells.h"

/* The cells of an analysis; found on first use, then remembered with it. */
const cnx_cells *cnx_analysis_cells(cnx_analysis *analysis);

/* log10 of the order of the permutation group. */
double cnx_symmetry_log10_order(cnx_analysis *analysis);

/* The labels of a parameter's axis as the graph came to see them, or NULL when the axis carries none. */
const cnx_labels *cnx_parameter_labels(const cnx_parameter *parameter, uint32_t axis);

/* The full description; memory from `arena`. */
const cnx_symmetry *cnx_describe_symmetry(cnx_arena *arena, cnx_analysis *analysis);

#endif
