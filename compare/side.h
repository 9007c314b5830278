/* One of two models that are compared, in a form in which equal things look equal: the structure passes of
 * rewrite/ have run (no dead nodes, one spelling of constants, every use of an initializer on its own, nodes
 * in canonical order), and all nodes of all its graphs stand in one list.
 */
#ifndef CNX_COMPARE_SIDE_H
#define CNX_COMPARE_SIDE_H

#include "analyze/analysis.h"
#include "onnx/model.h"

/* A graph of the model: the main one, a body inside a node, or a function. */
typedef struct cnx_scope {
    cnx_graph *graph;
    uint32_t holder;          /* step of the node that holds the graph, or CNX_NONE */
    const char *role;         /* the attribute that holds it; a function's name; "" for the main graph */
    uint32_t *step_of_node;   /* by node id */
    uint32_t *input_of_value; /* by value id: its place among the inputs, or CNX_NONE */
} cnx_scope;

/* A node. The hashes know nothing of names and weights. */
typedef struct cnx_step {
    uint32_t scope;
    uint32_t node;
    uint64_t local; /* operator and attributes */
    uint64_t sized; /* and the types and dims of the constants it reads */
    uint64_t above; /* and everything that its inputs depend on */
    uint64_t below; /* local, and everything that depends on its outputs */
} cnx_step;

typedef enum cnx_origin_kind {
    CNX_FROM_NOTHING, /* an optional input that is absent */
    CNX_FROM_STEP,    /* a node's output */
    CNX_FROM_INPUT,   /* an input of a scope's graph */
    CNX_FROM_TENSOR,  /* an initializer */
    CNX_FROM_SPARSE,  /* a sparse one */
} cnx_origin_kind;

/* Where a value comes from, whatever graphs it was handed through. */
typedef struct cnx_origin {
    cnx_origin_kind kind;
    uint32_t at;            /* step, or scope */
    uint32_t slot;          /* which output or input */
    const cnx_graph *graph; /* where it is defined, and as which value */
    uint32_t value;
} cnx_origin;

typedef struct cnx_side {
    cnx_arena *arena;       /* of the model below; dies with the model that was given */
    cnx_model *given;       /* as the caller has it; never changed */
    cnx_model *model;       /* its structural form */
    cnx_intern given_bytes; /* addresses of tensors that the file holds, and of their bytes */
    size_t given_count, given_capacity;
    cnx_tensor **given_tensors; /* by number in `given_bytes` */
    uint32_t scope_count;
    cnx_scope *scopes;
    uint32_t step_count;
    cnx_step
        *steps; /* the main graph in canonical order, bodies behind the node that holds them, functions */
    cnx_intern numbers; /* from graph to scope */
    bool ties; /* inputs of commutative operators tie: nodes may stand in another order in an equal model */
} cnx_side;

/* Loads the model again and brings it into structural form. Memory from an arena of the model's. */
cnx_side *cnx_side_open(cnx_model *model);

const cnx_node *cnx_side_node(const cnx_side *side, uint32_t step);
const cnx_graph *cnx_side_graph(const cnx_side *side, uint32_t step);

/* Where value `value` of `graph`, or input `slot` of a step, comes from. */
cnx_origin cnx_side_origin(const cnx_side *side, const cnx_graph *graph, uint32_t value);
cnx_origin cnx_side_input(const cnx_side *side, uint32_t step, uint32_t slot);

/* The record of a model's tensor in the file as it was given, of which `tensor` is a view; NULL for constants
 * that were written as numbers. */
cnx_tensor *cnx_side_given(const cnx_side *side, const cnx_tensor *tensor);

/* What people call a node: its name, or "#17 Conv"; a node of a body or function is preceded by where it is.
 */
const char *cnx_side_label(const cnx_side *side, uint32_t step);

/* Whether a constant is part of the structure (a shape, axes, a flag), not a weight. */
bool cnx_is_setting(const cnx_graph *graph, uint32_t value, const cnx_tensor *tensor);

#endif
