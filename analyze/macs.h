/* Multiply-accumulates: how much arithmetic one evaluation of a node costs.
 *
 * Conventions, the usual ones for networks:
 *  - one multiplication together with the addition that takes up its product counts once;
 *  - only contractions count: convolutions, matrix products, recurrent cells, attention. Adding a bias,
 *    activations, pooling, normalization and other elementwise work count nothing;
 *  - positions that fall on padding count like any other, and a transposed convolution counts every product
 *    it forms, also those cropped away;
 *  - a branch that is not taken costs nothing: `If` counts its dearer branch, `Loop` and `Scan` their body
 *    times the number of trips (see cnx_inspect; this function looks at one node only).
 */
#ifndef CNX_ANALYZE_MACS_H
#define CNX_ANALYZE_MACS_H

#include "analyze/analysis.h"

/* The multiply-accumulates of one node as a dimension: 0 for operators that contract nothing, a fresh unknown
 * when a shape that matters is unknown. `facts` are those of `graph`, by value id. */
cnx_dim cnx_node_macs(cnx_analysis *analysis, const cnx_graph *graph, const cnx_node *node,
                      const cnx_fact *facts);

#endif
