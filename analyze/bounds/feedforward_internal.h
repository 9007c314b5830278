/* Between feedforward.c (paths, heads, measuring) and feedforward_chain.c (one path, node by node). */
#ifndef CNX_ANALYZE_FEEDFORWARD_INTERNAL_H
#define CNX_ANALYZE_FEEDFORWARD_INTERNAL_H

#include "analyze/bounds/feedforward.h"

/* A path from a graph input to an output: its nodes in the direction of the data, each with the value that
 * enters it and the position of the output that leaves. */
typedef struct cnx_step {
    uint32_t node;
    uint32_t data;
    uint32_t output;
} cnx_step;

typedef struct cnx_path {
    size_t count;
    size_t capacity;
    cnx_step *steps;
} cnx_path;

/* A path read as a chain of layers. */
typedef struct cnx_chain {
    cnx_arena *arena;
    const cnx_analysis *analysis;
    const cnx_graph *graph;
    const uint32_t *positions; /* by node: place in topological order */
    const bool *fixed;         /* by value: computed from constants alone */
    cnx_feedforward *report;   /* takes the notes */
    size_t layer_count;
    size_t layer_capacity;
    cnx_feedforward_layer *layers;
    size_t last_layer_position; /* in the path */
    uint32_t data;              /* the value that enters the node at hand */
    bool bias_open;             /* a MatMul may still be followed by its bias */
    const char *forbidden;      /* why no further layer may follow, or NULL */
} cnx_chain;

/* Reads every node of the path. Returns NULL, or why the path is not a chain of layers. */
const char *cnx_chain_read(cnx_chain *chain, const cnx_path *path);

void cnx_feedforward_note(cnx_arena *arena, cnx_feedforward *report, const char *note);

#endif
