/* An axis that is taken apart into single positions, each of them laid out anew in the same way, and put
 * together again; see rejoin.c. And what tells that two nodes lay out alike. */
#ifndef CNX_ANALYZE_OPS_REJOIN_H
#define CNX_ANALYZE_OPS_REJOIN_H

#include "analyze/rule.h"

/* Whether a Split into parts of one position each ends in one Concat, after the same layout operators for
 * each part. Looks at the graph alone. */
bool cnx_is_rejoined(const cnx_graph *graph, const cnx_node *split);

/* Whether a node lays out its first input anew, as the extents before and after say (and, of a Transpose, its
 * order). */
bool cnx_is_layout(const cnx_node *node);

/* Whether two such nodes do the same with inputs of equal extents, if their outputs have equal extents. */
bool cnx_are_same_layout(const cnx_graph *graph, const cnx_node *x, const cnx_node *y);

/* Whether both are known and have equal extents. */
bool cnx_same_extents(const cnx_fact *a, const cnx_fact *b);

/* For Split: its parts along `axis`, of which only the extents are known, and the promise that the Concat
 * will speak for them. */
void cnx_rejoin_begin(cnx_rule *rule, cnx_fact whole, uint32_t axis);

/* For Concat: if it ends such a detour, makes its output and returns true. If the parts turn out to be
 * treated differently, the axes that were split are pinned. To be called whatever is known of the inputs. */
bool cnx_rejoin_end(cnx_rule *rule);

#endif
