/* How graphs are laid out when they are printed: the order of their nodes and initializers, what values are
 * called, and in which order operands stand. A listing changes nothing in the graph it belongs to.
 */
#ifndef CNX_ONNX_LISTING_H
#define CNX_ONNX_LISTING_H

#include "onnx/model.h"

typedef struct cnx_listing {
    cnx_graph *graph;
    const char *name; /* of the graph; "" for a function, which has its own */
    uint32_t node_count;
    uint32_t *nodes;        /* ids, in the order of the listing */
    const char **labels;    /* by node: its name, or NULL when it has none to show */
    uint32_t *initializers; /* values; graph->initializer_count of them */
    const char **values;    /* by value: its name */
    uint32_t **inputs;      /* by node: its operands in the order of the listing */
} cnx_listing;

typedef struct cnx_listings {
    cnx_arena *arena;
    cnx_intern graphs; /* from graph to its place in `items` */
    size_t count, capacity;
    cnx_listing **items;
} cnx_listings;

/* Listings of all graphs of an indexed model, nested ones and functions included, each with the order and the
 * names that the model has in memory: for a model that was only loaded, those of the file. Memory belongs to
 * `arena`. */
cnx_listings *cnx_listings_create(cnx_arena *arena, cnx_model *model);

/* The listing of one of the model's graphs. */
cnx_listing *cnx_listing_of(const cnx_listings *listings, const cnx_graph *graph);

#endif
