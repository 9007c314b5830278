/* A graph laid out flat, for the digest of its structure: one list of nodes, whatever is nested in what, and
 * for each a label and what it reads and who reads it, as numbers. */
#ifndef CNX_REWRITE_FLAT_H
#define CNX_REWRITE_FLAT_H

#include "rewrite/digest/digest.h"

/* What a digest is about, so that equal numbers about different things differ. */
enum {
    CNX_ABOUT_INPUT = 1,
    CNX_ABOUT_INNER_INPUT,
    CNX_ABOUT_WEIGHT,
    CNX_ABOUT_SETTING,
    CNX_ABOUT_SPARSE,
    CNX_ABOUT_NODE,
    CNX_ABOUT_ABOVE,
    CNX_ABOUT_BELOW,
    CNX_ABOUT_USE,
    CNX_ABOUT_OUTPUT,
    CNX_ABOUT_SCOPE,
};

/* The slot of a commutative operator. */
#define CNX_ANY_SLOT UINT32_MAX

typedef struct cnx_flat_value {
    uint32_t node; /* that makes it, or CNX_NONE */
    uint32_t slot;
    cnx_digest_value leaf; /* without a node: what it is */
} cnx_flat_value;

typedef struct cnx_flat_node {
    cnx_digest_value label;        /* operator and attributes */
    cnx_digest_value above, below; /* room for colours, zero at first */
    size_t first_input;            /* into `inputs`: its slots, then the outputs of its nested graphs */
    uint32_t input_count;
    bool commutes;
} cnx_flat_node;

/* Node `node` reads, at `slot`, output `output` of the node that the use is listed for. */
typedef struct cnx_flat_use {
    uint32_t node; /* CNX_NONE: it is graph output number `slot` */
    uint32_t slot;
    uint32_t output;
} cnx_flat_use;

/* The main graph with everything nested in it, or a function. Nodes are in topological order. */
typedef struct cnx_flat {
    cnx_model *model;
    cnx_arena *arena;
    cnx_digest *digest; /* for whoever needs one */
    size_t value_count, value_capacity;
    cnx_flat_value *values;
    size_t node_count, node_capacity;
    cnx_flat_node *nodes;
    size_t input_count, input_capacity;
    uint32_t *inputs; /* values, or CNX_NONE */
    uint32_t output_count;
    uint32_t *outputs; /* values */
    size_t *first_use; /* by node, into `uses`; one more at the end */
    cnx_flat_use *uses;
} cnx_flat;

/* Lays out a graph in which no two uses share a constant (the pass `separate`). Memory from `arena`. */
cnx_flat *cnx_flat_create(cnx_arena *arena, const cnx_graph *graph);

/* A constant of the graph by itself: type and dims of a parameter, the elements too of any other constant.
 * `digest` is used for it. */
cnx_digest_value cnx_flat_constant(cnx_digest *digest, const cnx_graph *graph, uint32_t value);

/* Feeds an attribute without the graphs in it. */
void cnx_flat_attribute(cnx_digest *digest, cnx_model *model, const Onnx__AttributeProto *attribute);

#endif
