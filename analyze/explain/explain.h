/* Why an axis may move as far as it may and no further: chains of nodes. See explain.c. */
#ifndef CNX_ANALYZE_EXPLAIN_H
#define CNX_ANALYZE_EXPLAIN_H

#include "analyze/symmetry/cells.h"

/* Parts of an axis beyond this many are counted, not listed. */
#define CNX_MOST_PARTS 16

/* See cnx_explain_axis; fails with CNX_ERROR_USAGE when there is no such tensor, axis or position. Memory
 * from `arena`. */
const cnx_explanation *cnx_describe_axis(cnx_arena *arena, cnx_analysis *analysis, const cnx_axis_place *axis,
                                         const cnx_axis_place *other);

#endif
