/* Activations that an exporter spelled with several elementwise nodes: x * Sigmoid(x), x * (1 + Erf(x / sqrt
 * 2)) / 2.
 *
 * There are no patterns. Starting from a value x, elementwise nodes are collected that read x, each other and
 * single constant numbers, until everything has met again in one result. That is a function of one variable;
 * it is evaluated at fixed points and compared with every row of the activation table. So the order of
 * factors and the place of constants do not matter, and a group that merely looks like a known activation is
 * not taken for it.
 */
#ifndef CNX_ANALYZE_SPELLED_H
#define CNX_ANALYZE_SPELLED_H

#include "analyze/bounds/activations.h"

typedef struct cnx_spelled {
    cnx_activation activation; /* the row that agrees at all points, with its default parameters */
    uint32_t result;           /* the value that holds s(x) */
    uint32_t node_count;
} cnx_spelled;

/* Whether the nodes that read `value` spell an activation with a Lipschitz constant. `positions` gives the
 * place of every node in the graph's topological order. */
bool cnx_find_spelled(const cnx_graph *graph, const uint32_t *positions, uint32_t value,
                      cnx_spelled *spelled);

#endif
