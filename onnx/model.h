/* A model in memory: graphs of nodes and values with dense ids, uses and definitions.
 *
 * Invariants (checked by cnx_graph_check, established by cnx_load and by cnx_graph_index):
 *  (1) every value has exactly one definition: a graph input, an initializer, a node output, or a value
 *      of the enclosing graph (captured);
 *  (2) nodes need not be stored in topological order, but `order` lists them in one, and there is no cycle;
 *  (3) the empty name (an omitted optional input or output) is CNX_NONE, never a value;
 *  (4) names are labels for people and for the file; nothing below compares them.
 */
#ifndef CNX_ONNX_MODEL_H
#define CNX_ONNX_MODEL_H

#include "base/arena.h"
#include "base/intern.h"
#include "onnx/tensor.h"
#include "proto/wire.h"

typedef struct cnx_graph cnx_graph;

/* Node `node` reads the value at its input position `slot`. */
typedef struct cnx_use {
    uint32_t node;
    uint32_t slot;
} cnx_use;

typedef struct cnx_value {
    const char *name;
    uint32_t producer;       /* node id, or CNX_NONE */
    uint32_t producer_slot;  /* which output of the producer */
    uint32_t captured_from;  /* id in the parent graph, or CNX_NONE */
    cnx_tensor *initializer; /* or NULL. An initializer may also be a graph input (a default value). */
    Onnx__SparseTensorProto *sparse_initializer; /* or NULL */
    Onnx__ValueInfoProto *info;                  /* declared type (input, output or value_info), or NULL */
    const struct cnx_origin *origins;            /* the names it had; see rewrite/trace.h */
    bool is_input;
    bool is_output;
    uint32_t
        use_count; /* uses by nodes of this graph; a captured use counts at the node that holds the body */
    const cnx_use *uses; /* slot is CNX_NONE for a use inside a nested graph of the node */
} cnx_value;

/* A graph inside a node: the attribute (and position in it, for GRAPHS) that holds it. */
typedef struct cnx_subgraph {
    Onnx__AttributeProto *attribute;
    uint32_t position;
    cnx_graph *graph;
} cnx_subgraph;

typedef struct cnx_node {
    Onnx__NodeProto *proto; /* attributes, name, doc string, metadata, unknown fields */
    const char *op_type;
    const char *domain; /* "" for the default domain, also when the file says "ai.onnx" */
    const char *overload;
    int64_t opset; /* imported version of its domain; 0 when the domain is not imported */
    uint32_t input_count;
    uint32_t output_count;
    uint32_t *inputs; /* value ids of this graph, or CNX_NONE */
    uint32_t *outputs;
    uint32_t subgraph_count;
    cnx_subgraph *subgraphs;
    cnx_graph *function; /* the model's function that this node calls, or NULL */
    bool dead;           /* removed by an edit; not in `order`, not written */
} cnx_node;

struct cnx_graph {
    struct cnx_model *model;
    cnx_graph *parent; /* NULL for the main graph and for functions */
    uint32_t parent_node;
    Onnx__GraphProto *proto;       /* NULL for a function body */
    Onnx__FunctionProto *function; /* NULL for a graph */
    uint32_t node_count;
    cnx_node *nodes;
    uint32_t order_count;
    uint32_t *order; /* node ids in topological order, stable with respect to the file's order */
    uint32_t value_count;
    size_t value_capacity;
    cnx_value *values;
    uint32_t input_count;
    uint32_t *inputs; /* value ids, in interface order */
    uint32_t output_count;
    uint32_t *outputs;
    uint32_t initializer_count;
    uint32_t *initializers; /* value ids of dense and sparse initializers, in file order */
    /* Private to onnx/. */
    size_t order_capacity;
    size_t use_capacity;
    cnx_use *uses;
    uint32_t named_count; /* the names that the messages use for values 0 ... named_count-1 */
    const char **named;
};

struct cnx_model {
    cnx_arena *arena;
    const char *path; /* as the user gave it */
    Onnx__ModelProto *proto;
    uint64_t file_size;
    size_t payload_count;
    size_t payload_capacity;
    cnx_payload *payloads;
    size_t tensor_count;
    size_t tensor_capacity;
    cnx_tensor **tensors;   /* every TensorProto of the model, wherever it is */
    uint32_t *tensor_slots; /* private to onnx/tensor.c: from TensorProto to number */
    size_t tensor_slot_count;
    cnx_graph *graph;
    uint32_t function_count;
    cnx_graph **functions;
    const char *folder;        /* of the file, for external data; NULL when there is none (standard input) */
    const char *not_canonical; /* why what was made is no canonical form, or NULL */
    struct cnx_source *source; /* mappings; private to onnx/ */
};

/* Reads and checks a model; see cnx_model_open for the forms of `path`. Memory and mappings belong to
 * `arena`. Fails (cnx_fail) with the place in the model. */
cnx_model *cnx_load(cnx_arena *arena, const char *path);

/* The model as it is in its file, once more, whatever was done to `model` since it was loaded: from the same
 * mappings, so nothing is opened or inflated again. It has an arena of its own, a child of the model's; of
 * two loads, tensors[i] are the same tensor as long as neither has added any. */
cnx_model *cnx_load_again(const cnx_model *model);

/* How permuted tensors are read; see onnx/reader.h. */
struct cnx_tensor_reader;

/* Streams the model as protobuf bytes: the messages from memory, payloads from their views (permuted
 * ones through `reader`, which may be NULL when no tensor has a permutation). External data is written
 * inline. Memory is bounded by the graph plus one block; it belongs to the sink's arena, a child of the
 * model's. */
void cnx_save(cnx_model *model, const struct cnx_tensor_reader *reader, cnx_sink *sink);

/* As cnx_save, but initializers of the main graph that have 1 KiB or more go to the sink `beside`, each at a
 * multiple of a page, and the model refers to them as external data in the file `location`. Returns the
 * number of bytes sent to both. */
uint64_t cnx_save_in_two(cnx_model *model, const struct cnx_tensor_reader *reader, cnx_sink *sink,
                         const char *location, cnx_sink *beside);

/* How many bytes cnx_save would send; payloads are not looked at. */
uint64_t cnx_saved_size(cnx_model *model);

struct cnx_output;

/* cnx_save to an output that was begun (onnx/output.h), and finishes it. A model of 2 GiB or more, which
 * protobuf's readers refuse, is saved in two. Returns the number of bytes. What is at the path stays on any
 * failure, and when the reader says that all is spoiled: the number of bytes is 0 then. */
uint64_t cnx_save_output(cnx_model *model, const struct cnx_tensor_reader *reader, struct cnx_output *output);

/* The same with an output of its own, to `path`. */
uint64_t cnx_save_file(cnx_model *model, const struct cnx_tensor_reader *reader, const char *path);

/* cnx_save_in_two to `path` and a file of that name with ".data" behind it. */
uint64_t cnx_save_two_files(cnx_model *model, const struct cnx_tensor_reader *reader, const char *path);

/* ---- graph ---- */

/* Recomputes producers, uses, `order`, is_input, is_output and `initializers` of a graph and its nested
 * graphs after edits; fails on a cycle and on a second definition. Dead nodes are left out. Of
 * `initializers`, ids whose value has none any more go, and values that have one and are not listed are
 * appended. Arrays of an earlier call are reused. `order` is the file's order when that is topological, or
 * else the smallest topological one; a pass may put another topological order there. */
void cnx_graph_index(cnx_graph *graph);

/* Checks the invariants above; fails with the first one that is broken (a bug, after an edit). */
void cnx_graph_check(const cnx_graph *graph);

/* Adds a value (no definition yet) and returns its id. `name` is borrowed. */
uint32_t cnx_graph_add_value(cnx_graph *graph, const char *name);

/* Writes the graph back into its protobuf messages: nodes in `order`, names of values, initializers,
 * inputs, outputs. Call before cnx_save after any edit. Recurses into nested graphs and functions. */
void cnx_model_lower(cnx_model *model);

/* The attribute of a node, or NULL. */
const Onnx__AttributeProto *cnx_attribute(const cnx_node *node, const char *name);
/* Its value with a default; a wrong type is an error that names the node. */
int64_t cnx_attribute_int(const cnx_graph *graph, const cnx_node *node, const char *name, int64_t otherwise);
double cnx_attribute_float(const cnx_graph *graph, const cnx_node *node, const char *name, double otherwise);
const char *cnx_attribute_text(const cnx_graph *graph, const cnx_node *node, const char *name,
                               const char *otherwise);
/* An integer list; *count is 0 and the result NULL when absent. */
const int64_t *cnx_attribute_ints(const cnx_graph *graph, const cnx_node *node, const char *name,
                                  size_t *count);
/* A copy that points to the original's texts and numbers, and has neither tensors nor graphs, nor
 * documentation. */
Onnx__AttributeProto cnx_attribute_without_tensors(const Onnx__AttributeProto *attribute);

/* `node "conv1" (Conv)`, or `node #17 (Conv)`: the place part of an error. In the model's arena. */
const char *cnx_node_place(const cnx_graph *graph, const cnx_node *node);
/* What people call the node: its name, or "#17 Conv". */
const char *cnx_node_label(const cnx_graph *graph, const cnx_node *node);

#endif
