/* What a pass is, and the run it belongs to.
 *
 * A pass is a plain function with one job and one row in passes.def. It never edits a graph while it walks
 * it: it collects edits (rewrite/edit.h) and applies them at the end, or changes what is no part of the
 * graph's wiring (attributes, documentation, names). The runner (run.c) calls the chosen rows in order.
 */
#ifndef CNX_REWRITE_PASS_H
#define CNX_REWRITE_PASS_H

#include "onnx/model.h"

#include <stdatomic.h>

struct cnx_analysis;
struct cnx_report_builder;
struct cnx_trace;

/* What is known to hold between two passes: passes.def says which of them a pass needs, makes and breaks.
 * A missing property is no error (people choose passes by name), but the result is not canonical then. */
typedef enum cnx_property {
    CNX_PROPERTY_SIMPLE = 1,   /* no structure pass would change anything */
    CNX_PROPERTY_SEPARATE = 2, /* no two uses of a dense initializer share a tensor record */
    CNX_PROPERTY_COMMUTED = 4, /* inputs of commutative operators are in canonical order */
    CNX_PROPERTY_NUMBERED = 8, /* ids of nodes and values follow the canonical order */
} cnx_property;

/* The operands at `slot - 1` and `slot` of a commutative node, which structure and weights do not tell apart.
 */
typedef struct cnx_tie {
    const Onnx__NodeProto *node;
    uint32_t slot;
} cnx_tie;

/* A tie that could not be resolved: its number, and where it is in the file, for people. */
typedef struct cnx_open_tie {
    size_t number;
    const char *place;
} cnx_open_tie;

/* One run of cnx_canonicalize. */
typedef struct cnx_rewrite {
    cnx_model *model;
    cnx_arena *arena; /* dies with the run; what stays in the model comes from model->arena */
    bool keep_metadata;
    bool keep_scales;
    bool keep_copies; /* parameters that are equal stay apart */
    atomic_bool
        *lost; /* set, when the model is read, if it should have kept its scales; NULL: the pass looks */
    struct cnx_report_builder *report;
    struct cnx_trace *trace;     /* NULL: nobody asked what passes do; see rewrite/trace.h */
    struct cnx_analysis *facts;  /* see cnx_rewrite_facts; NULL when a pass made them stale */
    struct cnx_analysis *shapes; /* see cnx_rewrite_shapes; the same */
    cnx_arena *facts_arena;
    const struct cnx_scalings *scalings; /* of the facts */
    const uint64_t *colours;             /* the same */
    uint32_t irregular;                  /* left by `permutations`: classes that could not be sorted */
    bool shares;      /* `separate` or `merge` met a float tensor of several elements with several uses */
    size_t tie_count; /* left by `commute` for `ties` */
    size_t tie_capacity;
    cnx_tie *ties;
    size_t
        exchanged; /* number of a tie whose operands change places, plus 1: a trial (rewrite/trial.c); or 0 */
    size_t open_count; /* left by `ties` for rewrite/trial.h */
    size_t open_capacity;
    cnx_open_tie *open;
} cnx_rewrite;

/* A pass returns how many things it changed; the runner repeats a group of passes until that is 0. */
typedef size_t (*cnx_pass_function)(cnx_rewrite *rewrite);

#define PASS(symbol, ...) size_t cnx_pass_##symbol(cnx_rewrite *rewrite);
#include "rewrite/passes.def"
#undef PASS

/* Runs the passes called `passes` and `with` (see cnx_canon_options) on the model. */
void cnx_rewrite_run(cnx_rewrite *rewrite, const char *passes, const char *with);

/* Runs every pass up to the one that makes SEPARATE: the structure is simple then, and no weight was read. */
void cnx_rewrite_simplify(cnx_model *model);

/* Runs all passes before those that change weights: what is left is the structure in canonical order, every
 * use of an initializer with a tensor of its own. Names are those of the file (copies share one), weights are
 * where they were. */
void cnx_rewrite_structure(cnx_rewrite *rewrite);

/* Adds a line to the report's notes. */
void cnx_rewrite_note(cnx_rewrite *rewrite, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Says that what is being made is no canonical form, and why: in the model, and in a note. */
void cnx_rewrite_refuse(cnx_rewrite *rewrite, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Adds a row to the report's classes: what the permutation step did to one of them. Texts are copied. */
void cnx_rewrite_class(cnx_rewrite *rewrite, const char *name, uint64_t extent, uint64_t moved,
                       const char *sorted_by);

/* Notes that a tensor has several uses, in the file or in the form. */
void cnx_rewrite_note_sharing(cnx_rewrite *rewrite, const cnx_tensor *tensor);

/* Every graph of the model: the main one, functions, and nested ones, each after the graph that holds it.
 * The array is in the run's arena. */
cnx_graph **cnx_rewrite_graphs(cnx_rewrite *rewrite, size_t *count);

/* Types, shapes and small contents of the main graph's values as it was when the pass began, and nothing
 * else. Found when first asked for. */
const struct cnx_analysis *cnx_rewrite_shapes(cnx_rewrite *rewrite);

/* The whole analysis of the graph as it was when the pass began, which takes longer. */
struct cnx_analysis *cnx_rewrite_facts(cnx_rewrite *rewrite);

/* What its values can be multiplied by, as long as the facts are valid. */
const struct cnx_scalings *cnx_rewrite_scalings(cnx_rewrite *rewrite);

/* The colours of its points (cnx_colour_points), as long as the facts are valid. */
const uint64_t *cnx_rewrite_colours(cnx_rewrite *rewrite);

/* The dense initializer of this very graph that the node reads at `slot`, when no caller can replace it; or
 * NULL. */
cnx_tensor *cnx_node_constant(const cnx_graph *graph, const cnx_node *node, uint32_t slot);

/* Whether the node is the standard operator `name`, and not a function of the model that hides it. */
bool cnx_node_is(const cnx_node *node, const char *name);

#endif
