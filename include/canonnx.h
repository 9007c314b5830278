/* canonnx: which changes of an ONNX model's parameters leave its function unchanged.
 *
 * Ownership, in one sentence: a cnx_model owns everything that is reachable from it or reported about
 * it, all of it dies with cnx_model_close(), and every pointer you receive is borrowed.
 *
 * Every function that can fail returns a cnx_code and fills *error (a code, a place, a sentence); the
 * library never prints and never exits. A model may be used by one thread at a time; different models
 * may be used by different threads at once. Logarithms are natural unless a name says log10.
 */
#ifndef CANONNX_H
#define CANONNX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define CNX_API __attribute__((visibility("default")))
#else
#define CNX_API
#endif

typedef enum cnx_code {
    CNX_OK = 0,
    CNX_ERROR_USAGE,         /* an argument makes no sense */
    CNX_ERROR_FILE,          /* the operating system refused: missing, unreadable, disk full */
    CNX_ERROR_FORMAT,        /* the bytes are not a well-formed ONNX model */
    CNX_ERROR_GRAPH,         /* the bytes are well-formed but the graph is not: a cycle, a missing name */
    CNX_ERROR_LIMIT,         /* a named limit was reached (see cnx_limit_list) */
    CNX_ERROR_MEMORY,        /* out of memory */
    CNX_ERROR_NOT_CANONICAL, /* the search for a canonical form gave up; nothing was decided */
} cnx_code;

/* What went wrong. `place` is inside the model (`node "conv1" (Conv)`, `initializer "w"`) or empty;
 * `message` says what is wrong and, in parentheses, what was expected. Both are one line. */
typedef struct cnx_error {
    cnx_code code;
    char place[256];
    char message[512];
} cnx_error;

typedef struct cnx_model cnx_model;

/* The library's version, "MAJOR.MINOR.PATCH". Static storage. */
CNX_API const char *cnx_version(void);

/* Opens a model and checks its graph: `file.onnx`, a folder that holds one, `bundle.zip` (one .onnx
 * inside), `bundle.zip!inner/model.onnx`, or `-` for standard input. The file stays mapped until
 * cnx_model_close(); weights are not read. On failure *model is NULL. */
CNX_API cnx_code cnx_model_open(const char *path, cnx_model **model, cnx_error *error);

/* Releases the model, its mappings and every report made from it. NULL is allowed. */
CNX_API void cnx_model_close(cnx_model *model);

/* ---- inspect ------------------------------------------------------------------------------------ */

/* A graph input or output. `shape` is printable, such as "N x 3 x 224 x 224". "?" stands for what is unknown,
 * "-" for sequences, maps and optional values, whose `type` says all: "seq(float[N, 3])". */
typedef struct cnx_port {
    const char *name;
    const char *type;
    const char *shape;
} cnx_port;

typedef struct cnx_operator_count {
    const char *name; /* "Conv", or "com.microsoft.FusedConv" outside the default domain */
    uint64_t count;
} cnx_operator_count;

/* Parameters of one element type. A tensor used many times counts once. Parameters are tensors with at least
 * one axis that are float, complex or quantised (BatchNormalization's running statistics among them); shapes,
 * indices, bounds and other settings are none. */
typedef struct cnx_type_total {
    const char *type;
    uint64_t tensors;
    uint64_t elements;
    uint64_t bytes;
} cnx_type_total;

/* A count that may depend on symbolic dimensions. `text` is for people ("1.82 G * N"); `exact` is the
 * expression with full digits ("1814073344*N"); `is_number` tells whether `value` holds all of it. What
 * depends on an unknown extent is a "?" at the end of both. */
typedef struct cnx_quantity {
    bool is_number;
    double value;
    const char *exact;
    const char *text;
} cnx_quantity;

/* A group of nodes that together are one thing people have a name for. Rows at the end of the list ("Layout",
 * "Shape", "Constant") sum up nodes that only move data, compute shapes, or hold constants. */
typedef struct cnx_block {
    const char *kind;   /* "Conv", "Gemm", "Pool", "Residual", "Attention", "Normalization", ... */
    const char *detail; /* "64 -> 128, 3x3, stride 2, BatchNormalization, Relu" */
    size_t node_count;
    const char *const *nodes; /* names (or "#17 Conv" for a nameless node) */
    uint64_t parameters;      /* that no earlier block has counted */
    cnx_quantity macs;        /* multiply-accumulates for one evaluation of the graph that holds the block */
} cnx_block;

typedef struct cnx_opset {
    const char *domain; /* "" is the default domain */
    int64_t version;
} cnx_opset;

typedef struct cnx_inspection {
    const char *producer;         /* "" when the model does not say */
    const char *producer_version; /* idem */
    int64_t ir_version;
    size_t opset_count;
    const cnx_opset *opsets;
    size_t input_count;
    const cnx_port *inputs;
    size_t output_count;
    const cnx_port *outputs;
    uint64_t node_count; /* nested graphs' nodes included, and those of each function once */
    size_t operator_count;
    const cnx_operator_count *operators; /* most frequent first */
    size_t type_count;
    const cnx_type_total *types; /* largest first */
    uint64_t parameter_count;    /* elements of all parameters, shared ones once */
    uint64_t parameter_bytes;
    cnx_quantity macs; /* of one evaluation: the dearer branch of an If, a Loop's body times its trips */
    size_t block_count;
    const cnx_block *blocks; /* in graph order */
    size_t unassigned_count;
    const char *const *unassigned; /* nodes in no block */
} cnx_inspection;

CNX_API cnx_code cnx_inspect(cnx_model *model, const cnx_inspection **inspection, cnx_error *error);

/* ---- symmetry ----------------------------------------------------------------------------------- */

/* One axis of one parameter tensor. */
typedef struct cnx_parameter_axis {
    const char *tensor;
    uint32_t axis;
    uint64_t copies; /* positions of this axis per member of the class (49 for a flattened 7x7 map) */
    bool again; /* another use of a shared tensor that is constant along this axis: whatever moves, the tensor
                   stays as it is */
} cnx_parameter_axis;

/* A class of points that move together. Free classes carry a group; the others a reason. */
typedef struct cnx_symmetry_class {
    const char *name;      /* one of its parameter axes, such as "features.0.weight:0" */
    uint64_t extent;       /* members */
    const char *group;     /* "S_64", "S_64 wr S_12", "1" */
    double log10_order;    /* log10 of the order of that group */
    bool free;             /* false: pinned */
    const char *pinned_by; /* why, for a person: "spatial axis of Conv conv1"; NULL when free */
    const char
        *pinned_kind; /* the same without the node, to group by: "spatial axis of Conv"; NULL when free */
    size_t parameter_count;
    const cnx_parameter_axis *parameters;
    uint64_t signs;         /* independent changes of sign, each of one member's parameters */
    uint64_t shifted_signs; /* further ones that have to be made good for by the biases of the next layers: of
                               units behind a sigmoid */
    uint64_t dimension;     /* of the group of scales; of the group of linear changes where `linear` */
    bool linear; /* members of (some cells of) the class can be mixed by any invertible matrix, because only
                    linear operators touch them; scales, and signs, are among those changes */
    bool orthogonal; /* the same by any orthogonal matrix: Euclidean norms are taken of them besides, or one
                        tensor is both sides of a product; signs are among those changes */
} cnx_symmetry_class;

typedef struct cnx_symmetry {
    double log10_order; /* of the whole permutation group, taken over the listed classes */
    uint64_t
        signs; /* log2 of the order of the group of sign changes: those of the classes, less what cancels */
    uint64_t
        shifted_signs; /* those of the classes; they add to biases, which rounds, and count in no order */
    double log10_finite_order; /* permutations and signs together, without shifted ones */
    uint64_t dimension; /* of the continuous group of scales and linear changes: those of the classes, less
                           what cancels between them */
    uint64_t parameter_count;      /* as cnx_inspect counts them */
    uint64_t effective_parameters; /* parameter_count - dimension */
    size_t class_count;
    const cnx_symmetry_class *classes; /* in graph order, free and pinned */
    size_t unknown_operator_count;
    const char *const *unknown_operators; /* operators without a rule; everything they touch is pinned */
} cnx_symmetry;

CNX_API cnx_code cnx_find_symmetry(cnx_model *model, const cnx_symmetry **symmetry, cnx_error *error);

/* A tensor's axis, or one position of it. */
typedef struct cnx_axis_place {
    const char *tensor;
    int64_t axis;     /* negative: from the end */
    int64_t position; /* -1: all positions */
} cnx_axis_place;

/* A node on the way of a position through the graph. Steps form a tree: each follows on from an earlier one,
 * and shares the value `from` with it. */
typedef struct cnx_explanation_step {
    size_t after;        /* the step it follows on from; SIZE_MAX: the axis that was asked about */
    const char *node;    /* its name, or "#17 Relu"; NULL for the graph's own inputs and outputs */
    const char *op_type; /* NULL with `node` */
    const char *inside;  /* "", or which nested graph or function it is in: "then_branch of If choose" */
    const char *says;    /* what it makes of the position: "sums over both"; or why it may not move */
    const char *from;    /* the axis of a value the position comes by: "features.0.weight:0" */
    uint64_t from_position;
    const char *to; /* the axis it leaves by; NULL where the way ends */
    uint64_t to_position;
    bool ties; /* `to` is an axis of a parameter */
} cnx_explanation_step;

/* Positions of the axis that share their fate. */
typedef struct cnx_explanation_part {
    uint64_t first; /* the smallest of them; the steps follow this one */
    uint64_t count;
    bool free;
    const char *class_name; /* as in the report of cnx_find_symmetry; NULL when that lists no such class */
    const char *group;      /* "S_64 wr S_12", "1" */
    const char *pinned_by;  /* NULL when free */
    size_t step_count;      /* pinned: the chain of nodes to what pins it; free: the tree of nodes to all
                               parameters that      move with it */
    const cnx_explanation_step *steps;
    size_t note_count;
    const char *const *notes; /* why the group is not all permutations of the axis */
} cnx_explanation_part;

typedef struct cnx_explanation {
    const char *axis;  /* "features.0.weight:0" */
    const char *other; /* the second axis, when asked for */
    uint64_t extent;
    bool tied;         /* `other`: a chain ties the two */
    const char *says;  /* `other`: in what way, or what is known when there is no chain */
    size_t part_count; /* one, with the chain, when `other` was asked for and is tied */
    const cnx_explanation_part *parts;
    uint64_t more; /* positions of further parts, which are not listed */
} cnx_explanation;

/* Why an axis can move as far as it can and no further: the chain of nodes to what pins it, or to all that
 * moves with it. With `other` (or NULL) the chain of nodes that ties the two axes. The tensor is a parameter,
 * or else any value of the main graph. */
CNX_API cnx_code cnx_explain_axis(cnx_model *model, const cnx_axis_place *axis, const cnx_axis_place *other,
                                  const cnx_explanation **explanation, cnx_error *error);

/* A named value of a model. */
typedef struct cnx_value_info {
    const char *name;
    bool stored; /* a tensor in the file: an initializer or a Constant's; else it is given or computed */
    size_t rank; /* of a stored one */
    const int64_t *dims;
} cnx_value_info;

/* All values of the main graph, and what nested graphs and functions store. */
CNX_API cnx_code cnx_list_values(cnx_model *model, const cnx_value_info **values, size_t *count,
                                 cnx_error *error);

/* log10 of the size of the model's orbit: the number of different models that the permutation group makes of
 * it, which is smaller than the group when weights repeat. Reads weights, as far as biases do not tell
 * members apart. NaN when members that look alike could not be decided. */
CNX_API cnx_code cnx_find_orbit(cnx_model *model, double *log10_orbit, cnx_error *error);

/* ---- bound -------------------------------------------------------------------------------------- */

typedef struct cnx_bound_options {
    double epsilon;         /* radius of the cover; 0 means 0.01 */
    double input_bound;     /* B_x, bound of the Euclidean norm of an input; 0 means 1 */
    double parameter_bound; /* B; 0 means: measure the largest absolute parameter */
} cnx_bound_options;

/* A constant that entered a bound, and where it came from ("measured: largest absolute parameter",
 * "given", "derived: activation table, Relu"). */
typedef struct cnx_bound_input {
    const char *name;
    double value;
    const char *source;
} cnx_bound_input;

/* Covering-number bounds, natural logarithms. When `applies` is false the theorems do not cover this
 * graph, `why_not` says so, and only log_group_order is meaningful. */
typedef struct cnx_bound {
    bool applies;
    const char *theorem; /* "Theorem 3" or "Theorem 4" */
    const char *why_not;
    uint64_t depth;   /* hidden layers */
    uint64_t width;   /* widest hidden layer */
    uint64_t size;    /* parameters, biases included */
    uint64_t neurons; /* hidden units */
    size_t layer_count;
    const uint64_t *layers;             /* d_0 ... d_{L+1} */
    double log_covering_number;         /* without the factorials */
    double log_covering_number_reduced; /* with them */
    double log_reduction;               /* sum of ln d_l! */
    double log_group_order;             /* ln |G| of the permutation group found in the graph */
    bool condition_holds;               /* the packing argument's condition, base >= 2 max d_l */
    size_t input_count;
    const cnx_bound_input *inputs;
    size_t note_count;
    const char *const *notes; /* what a careful reader has to know */
} cnx_bound;

CNX_API cnx_code cnx_find_bound(cnx_model *model, const cnx_bound_options *options, const cnx_bound **bound,
                                cnx_error *error);

/* ---- canon, sample, hash ------------------------------------------------------------------------ */

typedef struct cnx_canon_options {
    const char *passes; /* NULL: all but opt-in ones; "none"; or names (cnx_pass_list), commas between them */
    const char *with;   /* NULL, or names of opt-in passes, which round, to run as well */
    bool keep_metadata;
    bool keep_scales; /* without the pass `scales`: for texts, which are to change as little as the model does
                       */
    bool keep_copies; /* parameters that are equal stay apart: then only settings and the graph decide what
                       * the result's graph is */
    bool explain;     /* fill cnx_canon_report.passes */
    bool name_map;    /* fill cnx_canon_report.renamings */
    bool embed_hash;  /* store the hash in the model's metadata (docs/FORMAT.md, section 10) */
} cnx_canon_options;

/* One row of the before/after table; equal columns mean that nothing changed. */
typedef struct cnx_canon_row {
    const char *name; /* "nodes", "parameters", "bytes", or an operator's name */
    uint64_t before;
    uint64_t after;
} cnx_canon_row;

/* What the permutation step did to one class. */
typedef struct cnx_canon_class {
    const char *name;
    uint64_t extent;
    uint64_t moved;        /* members that changed place */
    const char *sorted_by; /* "bias features.0.bias, descending", "fingerprint", ... */
} cnx_canon_class;

/* What one pass did. */
typedef struct cnx_canon_pass {
    const char *name;
    size_t rounds;  /* how often it ran */
    size_t changed; /* things it changed, in all rounds */
    size_t line_count;
    const char *const *lines; /* a few words about each, as far as it has some */
} cnx_canon_pass;

typedef enum cnx_renamed { CNX_RENAMED_VALUE, CNX_RENAMED_INITIALIZER, CNX_RENAMED_NODE } cnx_renamed;

/* A name of the rewritten model and the names that the same thing had before: several, where equal things
 * became one; none, where it was made by the rewriting (`made`) or, for a node, had no name. Inputs of graphs
 * are values; names inside of a function are a world of their own. */
typedef struct cnx_renaming {
    cnx_renamed kind;
    const char *function; /* NULL: the main graph and what is nested in it */
    const char *name;
    size_t old_count;
    const char *const *old;
    bool made;
} cnx_renaming;

typedef struct cnx_canon_report {
    size_t row_count;
    const cnx_canon_row *rows;
    size_t class_count;
    const cnx_canon_class *classes;
    size_t note_count;
    const char *const *notes; /* "metadata dropped: 3 entries (--keep-metadata keeps them)" */
    size_t pass_count;        /* with `explain`, else 0: passes that ran */
    const cnx_canon_pass *passes;
    size_t renaming_count; /* with `name_map`, else 0: every node, node output, graph input and initializer */
    const cnx_renaming *renamings;
} cnx_canon_report;

/* Rewrites the model in memory to the canonical member of its equivalence class (docs/FORMAT.md). */
CNX_API cnx_code cnx_canonicalize(cnx_model *model, const cnx_canon_options *options,
                                  const cnx_canon_report **report, cnx_error *error);

/* The parts of the group that cnx_sample draws from, to be combined with |. */
typedef enum cnx_sample_kind {
    CNX_SAMPLE_PERMUTE = 1,
    CNX_SAMPLE_SIGN = 2,
    CNX_SAMPLE_SCALE = 4, /* by powers of two: the arithmetic stays exact */
    CNX_SAMPLE_LINEAR =
        8, /* well-conditioned changes of basis, and shifted signs: the only kind that rounds */
} cnx_sample_kind;

/* Applies a random element of the symmetry group to the model in memory: uniformly random permutations and
 * signs, scales from 1/8 to 8. The same seed gives the same element on every machine (but for the rounding of
 * CNX_SAMPLE_LINEAR). */
CNX_API cnx_code cnx_sample(cnx_model *model, uint64_t seed, unsigned kinds, cnx_error *error);

/* What protobuf's readers take: messages below 2 GiB. */
#define CNX_LARGEST_MESSAGE 2147483647

/* Writes the model in memory to a file without a name, which replaces `path` when it is complete (on file
 * systems that have no such files, to a temporary one beside `path`). A model of more than
 * CNX_LARGEST_MESSAGE bytes gets its weights in a second one, `path` with ".data" behind it. `bytes_written`,
 * of both together, may be NULL. */
CNX_API cnx_code cnx_model_write(cnx_model *model, const char *path, uint64_t *bytes_written,
                                 cnx_error *error);

/* cnx_canonicalize and cnx_model_write in one: quicker, since weights need not be looked at before they are
 * written. To be called for a model as it was opened, which is good for nothing but to be closed afterwards;
 * the report lives as long. When this fails, *report is NULL if the model has no such form, and not if the
 * form could not be written. */
CNX_API cnx_code cnx_canonicalize_to(cnx_model *model, const cnx_canon_options *options, const char *path,
                                     const cnx_canon_report **report, uint64_t *bytes_written,
                                     cnx_error *error);

/* Writes bytes to a file as cnx_model_write does. */
CNX_API cnx_code cnx_file_write(const char *path, const void *bytes, size_t size, cnx_error *error);

/* XXH3-128 of the bytes that cnx_model_write would write, metadata left out, seeded with the version of the
 * canonical format; 32 lower-case hexadecimal digits. Call cnx_canonicalize first. */
CNX_API cnx_code cnx_model_hash(cnx_model *model, char digest[33], cnx_error *error);

/* The same of the model at `path`, which is opened, canonicalized and closed: quicker, since all of it is
 * read at once. */
CNX_API cnx_code cnx_path_hash(const char *path, char digest[33], cnx_error *error);

/* The hash that is embedded in the model's metadata: 32 hexadecimal digits, borrowed, or NULL when there is
 * none. Ask before cnx_canonicalize, which drops metadata. A malformed one, or one of another version of the
 * canonical format, is an error. */
CNX_API cnx_code cnx_model_embedded_hash(cnx_model *model, const char **digest, cnx_error *error);

/* The digest of everything but the parameters: operators, attributes, wiring, settings, types, operator sets
 * and the interface; equal for a model and its fine-tuned copy (docs/FORMAT.md, section 10). Reads no
 * parameter. Simplifies the model in memory, and needs no cnx_canonicalize. */
CNX_API cnx_code cnx_model_hash_structure(cnx_model *model, char digest[33], cnx_error *error);

/* The digest of the set of the parameters' canonical contents, wherever in the graph they are used
 * (docs/FORMAT.md, section 10). Call cnx_canonicalize first. */
CNX_API cnx_code cnx_model_hash_weights(cnx_model *model, char digest[33], cnx_error *error);

/* ---- diff --------------------------------------------------------------------------------------- */

/* EQUIVALENT: the same network; names, order, storage and symmetries of the parameters aside. TOLERATED: but
 * for changes of weights within the tolerance. WEIGHTS: the same structure. STRUCTURE: another interface,
 * other nodes or wiring, other types or shapes. UNDECIDED: nothing shows that they differ, but the search for
 * a proof of equivalence gave up. */
typedef enum cnx_verdict {
    CNX_VERDICT_EQUIVALENT,
    CNX_VERDICT_TOLERATED,
    CNX_VERDICT_WEIGHTS,
    CNX_VERDICT_STRUCTURE,
    CNX_VERDICT_UNDECIDED,
} cnx_verdict;

typedef struct cnx_diff_options {
    double tolerance; /* a tensor whose relative change is at most this counts as equal; 0: equal bits only */
    bool keep_place;  /* look for no symmetry when the weights differ as they stand */
} cnx_diff_options;

/* Something outside of the nodes. `before` and `after` are NULL where it is absent. */
typedef struct cnx_interface_change {
    const char *what; /* "input", "input name", "input type", "output ...", "operator set", "IR version",
                         "function", "producer", "metadata", "documentation", "model version" ... */
    const char *name; /* of the input, the operator set's domain ...; may be empty */
    const char *before;
    const char *after;
    bool matters; /* false for what the canonical form drops, such as the producer */
} cnx_interface_change;

/* A node of either model. */
typedef struct cnx_node_change {
    const char *a;              /* names ("#17 Conv" without one); NULL when the node was inserted */
    const char *b;              /* NULL when it was deleted */
    const char *operator_name;  /* "Conv", or "com.microsoft.FusedConv" outside the default domain */
    const char *place;          /* of a node that was inserted or deleted: `after "conv1"`; else NULL */
    size_t detail_count;        /* of partners: what differs; 0 when nothing does */
    const char *const *details; /* "strides [1, 1] -> [2, 2]", "input 1: relu1 -> relu2" */
} cnx_node_change;

typedef enum cnx_tensor_verdict {
    CNX_TENSOR_SAME,
    CNX_TENSOR_PERMUTED,     /* bit by bit the same under the permutation */
    CNX_TENSOR_SIGN_FLIPPED, /* (and permuted) the same but for signs, of all of it or of positions of an axis
                              */
    CNX_TENSOR_SCALED,       /* (and permuted, and flipped) the same but for factors, up to rounding */
    CNX_TENSOR_CHANGED,
} cnx_tensor_verdict;

/* A constant that both models have, as one node reads it. */
typedef struct cnx_tensor_change {
    const char *a; /* names */
    const char *b;
    const char *node; /* the reader's, in a; "" for defaults and outputs */
    const char *type;
    const char *shape; /* "64 x 3 x 7 x 7" */
    uint64_t elements;
    cnx_tensor_verdict verdict;
    const char *detail; /* "axes 0, 1", "axis 0: 12 of 64 signs", "by 2"; "" when there is nothing to say */
    double largest;     /* max |a - b|, aligned by the symmetry (see cnx_diff.classes), in the units of a;
                           infinite where a number became none */
    double change;      /* the Euclidean norm of a - b */
    double norm;        /* of a */
    double relative;    /* change / norm; infinite when only a is zero */
    uint64_t differing; /* elements that are not the same once aligned: 0 when only the symmetry differs */
} cnx_tensor_change;

/* What the symmetry that aligns the models does to one class of a's units; what is inside of its members is
 * counted along. */
typedef struct cnx_class_change {
    const char *name;  /* the parameter axis that shows it first, such as "conv1.weight:0" */
    uint64_t extent;   /* units */
    uint64_t permuted; /* of them, those that change place */
    uint64_t flipped;  /* in sign */
    uint64_t scaled;   /* by powers of two */
} cnx_class_change;

/* A block of `a` (see cnx_inspect), with the tensors its nodes read. */
typedef struct cnx_block_change {
    const char *kind;
    const char *detail;
    const char *node; /* its first */
    uint64_t parameters;
    size_t tensor_count;
    size_t changed_count; /* of them, those that differ once aligned */
    double largest;
    double relative; /* over all of its tensors */
} cnx_block_change;

/* What a symmetry does to one axis of a tensor, as one node reads it: position i gets what was at source[i],
 * times signs[i] * 2^exponents[i]. Each of the three is NULL when it would change nothing. */
typedef struct cnx_witness_axis {
    uint32_t use;       /* the number of the use among all parameters, in canonical order */
    const char *tensor; /* its name in the model that is permuted */
    uint32_t axis;
    const char *name; /* of the class, such as "conv1.weight:0" */
    size_t count;     /* positions: the axis's extent, times the blocks that it varies over */
    const uint32_t *source;
    const int32_t *signs; /* 1 or -1 */
    const int32_t *exponents;
} cnx_witness_axis;

/* A symmetry of a model, written down axis by axis; axes that stay as they are are left out. */
typedef struct cnx_witness {
    uint32_t use_count; /* parameters of the model, as a check that it is the right one */
    size_t axis_count;
    const cnx_witness_axis *axes;
} cnx_witness;

typedef struct cnx_diff {
    cnx_verdict verdict;
    size_t way_count;
    const char *const *ways; /* of equivalent models: "names", "order of nodes", "storage of tensors",
                                "permutation of 3 classes (7 tensors)", "signs of 1 class (3 tensors)",
                                "scales of ..."; what differs although it means nothing */
    const char *undecided;   /* why, for CNX_VERDICT_UNDECIDED; else NULL */
    size_t interface_count;
    const cnx_interface_change *interface;
    size_t node_count; /* all nodes, in the canonical order of a; those only in b behind what comes before
                          them */
    const cnx_node_change *nodes;
    size_t inserted;
    size_t deleted;
    size_t changed;
    bool unrelated; /* most nodes have no partner: details about nodes say little */
    size_t tensor_count;
    const cnx_tensor_change *tensors;
    size_t tensors_changed; /* those that differ once aligned */
    size_t class_count;     /* classes that the symmetry which aligns the models does something to */
    const cnx_class_change *classes;
    size_t block_count;
    const cnx_block_change *blocks; /* those with parameters */
    double largest;                 /* over all tensors */
    double relative;
    const cnx_witness *witness; /* takes a's weights to b's, or as near as was found; no axes: they stay */
    size_t note_count;
    const char *const *notes; /* "class fc1.weight:0: assigned greedily, not optimal ..." */
} cnx_diff;

/* Whether the files that two paths name hold the same bytes, and need nothing outside of them that could
 * differ. Nothing is parsed. Standard input ("-") is never the same. */
CNX_API cnx_code cnx_same_bytes(const char *a, const char *b, bool *same, const char **culprit,
                                cnx_error *error);

/* Compares two models as they are in their files, and says what differs between a and b. Neither is changed.
 * The report belongs to `a`, but must not be used after `b` is closed either. `options` may be NULL. On
 * failure *culprit is the model that is to blame. */
CNX_API cnx_code cnx_diff_models(cnx_model *a, cnx_model *b, const cnx_diff_options *options,
                                 const cnx_diff **diff, cnx_model **culprit, cnx_error *error);

/* Permutes and multiplies the weights of the model in memory as the witness says, after checking that this is
 * a symmetry of it. Fails where a weight would be rounded. */
CNX_API cnx_code cnx_apply_witness(cnx_model *model, const cnx_witness *witness, cnx_error *error);

/* ---- text --------------------------------------------------------------------------------------- */

/* How much of a tensor the text shows. Tensors without elements are always whole. */
typedef enum cnx_text_weights {
    CNX_TEXT_DIGEST, /* of at most 8 elements: whole; larger ones: XXH3-128 of their bytes, in a comment */
    CNX_TEXT_NONE,   /* no digests, and no floats at all: says nothing of what was trained */
    CNX_TEXT_VALUES, /* every element */
} cnx_text_weights;

typedef struct cnx_text_options {
    cnx_text_weights weights;
    bool raw;         /* names and order of the model as it is in memory; no cnx_canonicalize is needed */
    bool best_effort; /* print a form that was found not to be canonical, with a comment that says so */
} cnx_text_options;

/* Takes a piece of text, not ended by a zero; returns false when it cannot, and errno says why. */
typedef bool cnx_text_writer(void *state, const char *text, size_t size);

/* Prints the model in ONNX's textual syntax, piece by piece. Call cnx_canonicalize first, or set `raw`.
 * Unless raw, nodes and values have names that depend on what is near them, and an order that follows from
 * that, so that a change of the model changes few lines (docs/guide.md); the model itself is left as it is.
 * `options` may be NULL. Fails with CNX_ERROR_NOT_CANONICAL where cnx_model_hash would, unless best_effort,
 * before anything is printed. */
CNX_API cnx_code cnx_model_text(cnx_model *model, const cnx_text_options *options, cnx_text_writer *write,
                                void *state, cnx_error *error);

/* XXH3-128 of a file's bytes, whatever they are, and their number. */
CNX_API cnx_code cnx_file_digest(const char *path, uint64_t *size, char digest[33], cnx_error *error);

/* ---- tables ------------------------------------------------------------------------------------- */

/* A row of a table that `canonnx list` prints. Static storage. */
typedef struct cnx_list_row {
    const char *name;
    const char *detail;
    const char *summary;
} cnx_list_row;

CNX_API size_t cnx_operator_list(const cnx_list_row **rows);
CNX_API size_t cnx_pass_list(const cnx_list_row **rows);
CNX_API size_t cnx_limit_list(const cnx_list_row **rows);

#ifdef __cplusplus
}
#endif
#endif
