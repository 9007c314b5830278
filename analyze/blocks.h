/* Blocks: groups of nodes that together are one thing people have a name for, however an exporter spelled it.
 *
 * analyze/blocks/blocks.def lists the kinds, one row each. Every node is in at most one block, and the
 * parameters of a tensor count for the first block that reads it. Three rows sum up what would flood the
 * list: nodes that only move data ("Layout"), that compute shapes ("Shape"), and that hold or compute
 * constants ("Constant"). Nested graphs and functions are searched like the main graph; their blocks follow
 * the node that holds them.
 */
#ifndef CNX_ANALYZE_BLOCKS_H
#define CNX_ANALYZE_BLOCKS_H

#include "analyze/analysis.h"

typedef struct cnx_node_reference {
    const cnx_graph *graph;
    uint32_t node;
} cnx_node_reference;

typedef struct cnx_block_found {
    const char *kind;
    const char *detail;
    size_t node_count;
    const cnx_node_reference *nodes; /* in graph order; nodes that only prepare weights come last */
    uint64_t parameters;
    cnx_dim macs; /* for one evaluation of the graph that holds the block */
} cnx_block_found;

typedef struct cnx_blocks {
    size_t count;
    const cnx_block_found *blocks;
    size_t unassigned_count;
    const cnx_node_reference *unassigned;
    cnx_dim macs; /* of one evaluation of the model; see analyze/macs.h for nested graphs */
} cnx_blocks;

/* Finds the blocks of a model and all its nested graphs and functions. The result lives in `arena`. */
const cnx_blocks *cnx_find_blocks(cnx_arena *arena, cnx_analysis *analysis);

#endif
