/* The vocabulary in which a block's matcher is written. Private to analyze/blocks/.
 *
 * A matcher is a function that looks at one free node and, if a block of its kind sits there, takes the nodes
 * of the block and says what a person should know about it; then it returns true. When it returns false,
 * whatever it took or said is forgotten. Matchers are tried in the order of blocks.def, each on all nodes in
 * graph order, so a larger thing (attention) comes before the things it is made of.
 *
 * Matchers walk over values: from a node back to what feeds it and forward to what it feeds. Three things
 * make these walks blind to what exporters add: cnx_only_user and cnx_use_count overlook Shape and Size,
 * origins tell data from constants, and weights that pass through nodes of their own (Transpose, Cast,
 * DequantizeLinear ...) need no care: those nodes join the block by themselves.
 *
 * Node and value ids may be CNX_NONE everywhere; what is asked about nothing is nothing, or false.
 */
#ifndef CNX_ANALYZE_BLOCKS_MATCHER_H
#define CNX_ANALYZE_BLOCKS_MATCHER_H

#include "analyze/blocks.h"

/* Operators that matchers ask for by name; anything else is OP_NONE. */
typedef enum cnx_block_op {
    OP_NONE,
#define NAME(op) OP_##op,
#include "analyze/blocks/names.def"
#undef NAME
} cnx_block_op;

/* What a value is computed from; any combination, 0 for settings. */
enum {
    CNX_FROM_DATA = 1,      /* contents of graph inputs */
    CNX_FROM_SHAPE = 2,     /* shapes, of whatever */
    CNX_FROM_PARAMETER = 4, /* parameter tensors */
};

/* One graph as the matchers see it. The arrays are by node id or by value id. */
typedef struct cnx_view {
    const cnx_graph *graph;
    const struct cnx_view *parent;
    const char *where; /* "" for the main graph, else "else_branch of If_3" */
    const cnx_fact *facts;
    cnx_block_op *ops;
    cnx_op_class *classes;
    uint32_t *positions;           /* of nodes in topological order */
    uint32_t *owners;              /* index of a node's block, or CNX_NONE */
    cnx_dim *macs;                 /* of nodes, without their nested graphs */
    uint8_t *origins;              /* of values */
    uint32_t *marks;               /* of values: scratch for walks */
    const cnx_tensor **parameters; /* of values that are parameters; else NULL */
    uint32_t *read_counts;         /* of values: how often their contents are read, as a graph output too */
    uint32_t *only_readers;        /* of values: the node, if one node alone reads them; or CNX_NONE */
    uint32_t *first_child;         /* of nodes: index into children, one for each nested graph */
    uint32_t child_count;
    struct cnx_view **children;
} cnx_view;

/* Makes the view of a graph and of the graphs nested in it. Facts of the main graph are the analysis'; those
 * of other graphs are what they declare. */
cnx_view *cnx_view_create(cnx_arena *arena, cnx_analysis *analysis, const cnx_graph *graph,
                          const cnx_view *parent, const char *where);

typedef struct cnx_matcher {
    cnx_arena *arena;
    cnx_analysis *analysis;
    cnx_dims *dims;
    cnx_view *view;
    const char *const *kinds; /* of the blocks so far, by index */
    uint32_t stamp;           /* of the newest walk */
    uint64_t steps_left;      /* that all walks together may still make */
    /* the match under construction */
    const char *kind;
    const char *detail;
    size_t taken_count;
    size_t taken_capacity;
    uint32_t *taken;
} cnx_matcher;

/* ---- the match under construction ---- */

bool cnx_is_free(const cnx_matcher *m, uint32_t node);
/* Adds a node; false when it belongs to another block. */
bool cnx_take(cnx_matcher *m, uint32_t node);
bool cnx_is_taken(const cnx_matcher *m, uint32_t node);
/* Adds to the detail, separated by ", ". */
void cnx_say(cnx_matcher *m, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- nodes ---- */

cnx_block_op cnx_op(const cnx_matcher *m, uint32_t node);
cnx_op_class cnx_class(const cnx_matcher *m, uint32_t node);
const cnx_node *cnx_node_at(const cnx_matcher *m, uint32_t node);
/* The value at an input or output position, or CNX_NONE. */
uint32_t cnx_input(const cnx_matcher *m, uint32_t node, uint32_t slot);
uint32_t cnx_output(const cnx_matcher *m, uint32_t node, uint32_t slot);
/* The input of a node of two inputs that is not `value`. */
uint32_t cnx_other_input(const cnx_matcher *m, uint32_t node, uint32_t value);
/* Whether the node reads `value` at position `slot`. */
bool cnx_reads(const cnx_matcher *m, uint32_t node, uint32_t slot, uint32_t value);
int64_t cnx_int(const cnx_matcher *m, uint32_t node, const char *attribute, int64_t otherwise);
const int64_t *cnx_ints(const cnx_matcher *m, uint32_t node, const char *attribute, size_t *count);
/* The kind of the block that a node belongs to, or "". */
const char *cnx_kind_of_owner(const cnx_matcher *m, uint32_t node);
const char *cnx_label(const cnx_matcher *m, uint32_t node);

/* ---- values ---- */

uint32_t cnx_producer(const cnx_matcher *m, uint32_t value);
bool cnx_is_data(const cnx_matcher *m, uint32_t value);
/* Whether the value is computed from parameters, without data. */
bool cnx_is_weight(const cnx_matcher *m, uint32_t value);
/* How many times its contents are read, as a graph output too. */
uint32_t cnx_use_count(const cnx_matcher *m, uint32_t value);
/* The node that reads its contents, when that happens once, or several times by the same node. */
uint32_t cnx_only_user(const cnx_matcher *m, uint32_t value);
/* The number that a setting of one element holds. Parameters are not read. */
bool cnx_number(const cnx_matcher *m, uint32_t value, double *number);
/* Whether it holds this number, up to one part in a thousand. */
bool cnx_is_number(const cnx_matcher *m, uint32_t value, double expected);
/* Whether it is a constant scalar: a setting, not a parameter. */
bool cnx_is_scalar_setting(const cnx_matcher *m, uint32_t value);

bool cnx_rank(const cnx_matcher *m, uint32_t value, uint32_t *rank);
/* The extent of an axis, negative from the end; false when unknown. */
bool cnx_extent(const cnx_matcher *m, uint32_t value, int axis, cnx_dim *extent);
bool cnx_extent_number(const cnx_matcher *m, uint32_t value, int axis, int64_t *extent);
/* "64", "H", or "?" when unknown. */
const char *cnx_extent_text(const cnx_matcher *m, uint32_t value, int axis);
/* "64 x 3 x 7 x 7", "scalar", or "?". */
const char *cnx_shape_text(const cnx_matcher *m, uint32_t value);
/* "3x3" from numbers. */
const char *cnx_sizes_text(const cnx_matcher *m, const int64_t *sizes, size_t count);
/* Whether a weight or setting has a number for each position of `axis` (negative, from the end) or a single
 * one, that is, whether its other axes have extent 1. */
bool cnx_varies_only_along(const cnx_matcher *m, uint32_t value, int axis);
/* What people call the place where a value comes from: a node's label, or the name of a graph input. */
const char *cnx_place(const cnx_matcher *m, uint32_t value);

/* ---- common parts ---- */

/* Takes the activation that starts at `value`: one node, or a group that spells it (GELU by Erf, x *
 * Sigmoid(x)
 * ...), if nothing else reads the value. Returns the result, with its name in *name, or CNX_NONE. */
uint32_t cnx_take_activation(cnx_matcher *m, uint32_t value, const char **name);
/* Takes and says what belongs to a linear layer and comes behind it: bias, BatchNormalization, scale and
 * shift per channel, activation, Dropout. `channel` is the axis of channels, negative. Returns the result. */
uint32_t cnx_take_tail(cnx_matcher *m, uint32_t value, int channel);
/* The data input of a linear layer with a weight (Gemm, MatMul, Conv ...), and the weight; false for any
 * other node, and for products of two data tensors. */
bool cnx_is_linear(const cnx_matcher *m, uint32_t node, uint32_t *data, uint32_t *weight);
/* "64 -> 128" of a linear layer. *out, if not NULL, is its width when that is a number, else 0. */
const char *cnx_widths_text(const cnx_matcher *m, uint32_t node, int64_t *out);

/* Where two values come from together. */
typedef struct cnx_branches {
    uint32_t source;    /* the latest value that both are computed from; one of the two, perhaps */
    uint32_t length[2]; /* values passed on the way back from each */
    bool products;      /* something with multiply-accumulates was passed */
} cnx_branches;

/* False when they have no common source nearby. */
bool cnx_find_branches(cnx_matcher *m, uint32_t a, uint32_t b, cnx_branches *branches);

/* ---- the matchers, by row of blocks.def ---- */

#define BLOCK(function, kind, summary) bool cnx_match_##function(cnx_matcher *m, uint32_t node);
#define GATHERED(function, kind, summary) bool cnx_gather_##function(const cnx_matcher *m, uint32_t node);
#include "analyze/blocks/blocks.def"

#endif
