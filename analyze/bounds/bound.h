/* The covering-number report of a model: which theorem speaks about it, with which constants. */
#ifndef CNX_ANALYZE_BOUND_H
#define CNX_ANALYZE_BOUND_H

#include "analyze/analysis.h"

/* Fills the public report. `options` has been checked. Memory from `arena`; reads the weights' payloads when
 * the graph is a chain of fully connected layers. */
const cnx_bound *cnx_bound_report(cnx_arena *arena, cnx_analysis *analysis, const cnx_bound_options *options);

#endif
