/* Integer contents of small tensors, as dimensions: what Shape, Gather, Concat and arithmetic make of
 * extents, so that a Reshape whose shape was computed can be followed. */
#ifndef CNX_ANALYZE_CONTENT_H
#define CNX_ANALYZE_CONTENT_H

#include "analyze/rule.h"

/* Tensors with more elements are not followed. */
#define CNX_LARGEST_CONTENT 4096

/* Sets the contents of the node's first output where they follow from the contents and extents of its inputs.
 * Runs after the rule has made the output facts. */
void cnx_propagate_content(cnx_rule *rule);

#endif
