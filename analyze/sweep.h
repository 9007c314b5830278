/* Between analyze.c, which goes along the graph, and given.c, which says what is known of values that no node
 * makes. */
#ifndef CNX_ANALYZE_SWEEP_H
#define CNX_ANALYZE_SWEEP_H

#include "analyze/rule.h"

/* What a node read, until a later one speaks for it. */
typedef struct cnx_aside {
    const cnx_node *node;
    cnx_fact whole;
    uint32_t axis;
} cnx_aside;

/* What a rule's lists are kept in while it is applied, and the next one's after it. */
typedef struct cnx_rule_room {
    uint32_t inputs_capacity;
    uint32_t outputs_capacity;
    cnx_fact *inputs;
    bool *present;
    uint64_t *read;
    cnx_fact *outputs;
} cnx_rule_room;

typedef struct cnx_sweep {
    cnx_analysis *analysis;
    const cnx_graph *graph;
    uint32_t walk; /* number of the walk */
    struct cnx_sweep
        *outer;      /* of the enclosing graph, for captured values; NULL in the main graph and functions */
    cnx_fact *facts; /* by value */
    cnx_tensor **tensors;    /* by value: the parameter it names, or NULL */
    uint64_t *constant_axes; /* by value: bits of the axes along which a shared initializer is constant */
    bool *examined;
    bool *used; /* by value: a shared initializer with constant axes that was read before */
    size_t aside_count;
    size_t aside_capacity;
    cnx_aside *asides;
    cnx_rule_room room;
} cnx_sweep;

/* The tensor type that the model declares for a value, or NULL. */
const Onnx__TypeProto__Tensor *cnx_declared_tensor(const cnx_value *value);

/* The declared type and shape with every axis pinned, for the reason given; unknown when nothing was
 * declared. */
cnx_fact cnx_declared_fact(cnx_sweep *sweep, const cnx_value *value, uint32_t reason);

/* The fact of an initializer, or of what a Constant node makes. A tensor has one set of points, however often
 * the body that holds it is swept. */
cnx_fact cnx_tensor_fact(cnx_sweep *sweep, uint32_t id, cnx_tensor *tensor);

/* The fact of a value that is given from outside; an initializer that is also an input is a default that a
 * caller may replace, except in old files, which had to list every initializer as an input. */
cnx_fact cnx_given_fact(cnx_sweep *sweep, uint32_t id);

/* The fact of a value whose fact is known as one use of it sees it: see the top of given.c. */
cnx_fact cnx_fact_of_use(cnx_sweep *sweep, uint32_t id);

#endif
