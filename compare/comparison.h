/* One run of cnx_diff_models: what its steps share, in the order in which they fill it in. */
#ifndef CNX_COMPARE_COMPARISON_H
#define CNX_COMPARE_COMPARISON_H

#include "analyze/scaling/scaling.h"
#include "analyze/symmetry/cells.h"
#include "compare/alignment.h"
#include "compare/values.h"

/* Two constants that partners read at the same slot, of the same type and dims. */
typedef struct cnx_pair {
    cnx_tensor *a; /* of the structural forms */
    cnx_tensor *b;
    const char *a_name;
    const char *b_name;
    uint32_t a_step;  /* the reader, or CNX_NONE: a default of an input, or an output */
    uint32_t a_value; /* in the graph that defines it */
    const cnx_graph *a_graph;
    uint32_t parameter; /* in a's analysis, or CNX_NONE */
    bool again;         /* the file's tensor was counted with an earlier pair */
    bool same;          /* bit by bit, as they stand */
} cnx_pair;

/* Signs (0 or 1) and exponents of two, by the numbers of the generators of a's scalings. */
typedef struct cnx_numbers {
    int32_t *signs;
    int32_t *exponents;
} cnx_numbers;

typedef struct cnx_comparison {
    cnx_arena *arena; /* of the report: the first model's */
    cnx_diff_options options;
    cnx_side *a;
    cnx_side *b;
    cnx_alignment *alignment;
    cnx_diff *report;
    size_t interface_capacity, way_capacity, note_capacity;
    cnx_interface_change *interface;
    const char **ways;
    const char **notes;
    bool interface_matters; /* some change of the interface does */
    size_t pair_count, pair_capacity;
    cnx_pair *pairs;
    cnx_analysis *analysis;       /* of a's structural form */
    const cnx_scalings *scalings; /* of the analysis; see cnx_comparison_scalings */
    uint32_t *position;           /* scratch of cnx_permutation_of */
    /* The symmetry that aligns the models: a's weights are permuted by `points` (by point of a's analysis,
     * NULL: identity), b's multiplied by `numbers` (NULL: by nothing), so differences are in a's units. */
    uint32_t *points;
    const cnx_numbers *numbers;
    size_t permuted_tensors, flipped_tensors,
        scaled_tensors; /* what it does to those that are not the same */
} cnx_comparison;

/* Rows of the report; texts are borrowed. */
void cnx_comparison_note(cnx_comparison *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
void cnx_comparison_way(cnx_comparison *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
void cnx_comparison_interface(cnx_comparison *c, cnx_interface_change change);

/* interface.c: inputs, outputs, operator sets, versions, metadata. */
void cnx_compare_interfaces(cnx_comparison *c);

/* changes.c: the list of nodes with what changed about each. */
void cnx_describe_nodes(cnx_comparison *c);

/* pairs.c: fills in the pairs; type and dims are the same, settings are left out. */
void cnx_find_pairs(cnx_comparison *c);

#endif
