/* What an analysis knows about a model: one fact per value (type, shape, labels of every axis, integer
 * contents where known), and the points that the labels name. Made by cnx_analyze, read by everything
 * else in analyze/ and rewrite/. An analysis never changes the model.
 */
#ifndef CNX_ANALYZE_ANALYSIS_H
#define CNX_ANALYZE_ANALYSIS_H

#include "analyze/shapes/dim.h"
#include "onnx/model.h"

/* The points that name the positions of an axis; see analyze/symmetry/points.h. */
typedef struct cnx_labels cnx_labels;

typedef enum cnx_axis_kind {
    CNX_AXIS_PINNED, /* positions may not move; `reason` says why */
    CNX_AXIS_ANY,    /* the value is constant along the axis: any order will do */
    CNX_AXIS_LABELS, /* positions are named by `labels` */
} cnx_axis_kind;

typedef struct cnx_axis {
    cnx_dim extent;
    cnx_axis_kind kind;
    uint32_t reason; /* index into the points' reasons, for CNX_AXIS_PINNED */
    const cnx_labels *labels;
    const struct cnx_axis *repeats; /* not NULL: positions are (r, p), r on this axis without labels, p
                                       named by `labels` (batch times heads, seen as one axis) */
    bool repeats_inside;            /* positions are (p, r) instead (channels times an image of any size) */
} cnx_axis;

typedef struct cnx_fact {
    int32_t type; /* cnx_element_type, 0 when unknown */
    bool known;   /* the rank and axes are known */
    uint32_t rank;
    cnx_axis *axes;
    bool has_content; /* a tensor of numbers whose elements, in row-major order, are known as dimensions */
    size_t content_count;
    const cnx_dim *content;
    int64_t content_divisor; /* of floats: elements are content / divisor; 0 means 1 */
    uint32_t scaling;        /* the value's number in the scaling log; 0: it is not multiplied by anything */
    const struct cnx_fact_list *sequence; /* not NULL: a sequence of tensors, and `known` is false */
} cnx_fact;

/* The elements of a sequence of known length. */
typedef struct cnx_fact_list {
    uint32_t count;
    const cnx_fact *items;
} cnx_fact_list;

/* A tensor that the graph reads as a parameter: an initializer or the tensor of a Constant node. */
typedef struct cnx_parameter {
    cnx_tensor *tensor;
    const char *name;
    const cnx_graph *graph; /* the graph that holds it, and its value there */
    uint32_t value;
    const cnx_axis *axes; /* tensor->rank of them */
    uint32_t scaling;     /* its value's number in the scaling log */
    bool again;           /* a further use of a shared tensor, with points of its own along constant axes: for
                             reports; nothing has to be permuted for it */
    uint32_t reader;      /* with `again`: the number (cnx_walk) of the node that reads it so */
} cnx_parameter;

/* A graph as it was walked through once: the main graph, a nested graph (again for every sweep of a loop's
 * body), or a function (for every call). Its nodes and values have numbers that are unique among all walks;
 * a node's number says who stated a relation or a pin. */
typedef struct cnx_walk {
    const cnx_graph *graph;
    const cnx_fact *facts; /* by value; captured values have theirs in the outer walk */
    uint32_t outer;        /* the walk of the enclosing graph; CNX_NONE in the main graph and functions */
    uint32_t caller;       /* number of the node that holds or calls the graph, or CNX_NONE */
    uint32_t first_node;   /* node n is number first_node + n */
    uint32_t first_value;
} cnx_walk;

typedef struct cnx_analysis {
    cnx_arena *arena;
    cnx_model *model;
    bool only_shapes; /* see cnx_infer_shapes */
    cnx_dims *dims;
    cnx_fact *facts; /* of the main graph, by value id */
    struct cnx_points *points;
    struct cnx_scaling_log *scaling; /* what operators said about signs and scales */
    struct cnx_cells *cells;         /* found on demand; see cells.h */
    size_t parameter_count;          /* in order of first use */
    size_t parameter_capacity;
    cnx_parameter *parameters;
    cnx_intern swept_tensors; /* addresses of the parameters' tensors, and their facts by number */
    size_t tensor_fact_count;
    size_t tensor_fact_capacity;
    cnx_fact *tensor_facts;
    size_t unknown_count; /* operators without a rule, each once */
    size_t unknown_capacity;
    const char **unknown;
    size_t walk_count; /* the main graph's is the first */
    size_t walk_capacity;
    cnx_walk *walks;
    uint32_t node_numbers; /* of all walks */
    uint32_t value_numbers;
} cnx_analysis;

/* Walks the main graph once in topological order and applies every operator's rule. Memory from `arena`,
 * which has to be the model's or a child of it. */
cnx_analysis *cnx_analyze(cnx_arena *arena, cnx_model *model);

/* The same without symmetry, which takes most of the time: of the result only the types, shapes and contents
 * of the facts mean something. */
cnx_analysis *cnx_infer_shapes(cnx_arena *arena, cnx_model *model);

/* ---- what an operator is ---- */

typedef enum cnx_op_class {
    CNX_OP_OTHER,
    CNX_OP_ELEMENTWISE,   /* Add, Mul, Where ... */
    CNX_OP_ACTIVATION,    /* Relu, Tanh ... (elementwise, one input that matters) */
    CNX_OP_LINEAR,        /* Gemm, MatMul, Einsum */
    CNX_OP_CONVOLUTION,   /* Conv, ConvTranspose */
    CNX_OP_POOL,          /* MaxPool, AveragePool, GlobalAveragePool ... */
    CNX_OP_NORMALIZATION, /* BatchNormalization, LayerNormalization ... */
    CNX_OP_SOFTMAX,
    CNX_OP_REDUCTION,
    CNX_OP_LAYOUT, /* Reshape, Transpose, Concat, Slice, Gather, Pad, Resize ... */
    CNX_OP_RECURRENT,
    CNX_OP_ATTENTION,
    CNX_OP_CONSTANT, /* Constant, ConstantOfShape, Range, Shape ... */
    CNX_OP_IDENTITY, /* Identity, Dropout, Cast ... */
    CNX_OP_CONTROL,  /* If, Loop, Scan */
    CNX_OP_QUANTIZATION,
} cnx_op_class;

struct cnx_rule;

/* One row of analyze/ops.def. */
typedef struct cnx_operator {
    const char *domain;
    const char *name;
    int32_t since;                   /* first operator-set version this row speaks for */
    void (*rule)(struct cnx_rule *); /* NULL: pins on purpose */
    const char *rule_name;
    void (*scaling)(struct cnx_rule *); /* NULL: nothing is multiplied */
    cnx_op_class class;
    bool commutative; /* the order of its inputs means nothing */
} cnx_operator;

/* The newest row whose version is at most `opset` (0 means: the newest of all), or NULL. */
const cnx_operator *cnx_operator_find(const char *domain, const char *name, int64_t opset);

#endif
