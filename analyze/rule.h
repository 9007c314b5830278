/* The vocabulary in which an operator's rule is written.
 *
 * A rule reads the axes of its inputs and makes the axes of its outputs. Saying "this output axis is that
 * input axis" gives the size and the symmetry at once. Whatever input axis a rule has not read when it
 * returns is pinned by the driver ("not followed through ..."): forgetting something can lose a symmetry,
 * never invent one.
 */
#ifndef CNX_ANALYZE_RULE_H
#define CNX_ANALYZE_RULE_H

#include "analyze/analysis.h"
#include "analyze/symmetry/points.h"

/* What rules of attention make on the way and scaling/attention.c goes on with: heads in the frame of
 * ops/attention.h, packed projections, and first and second members of rotated pairs along the last axis. */
typedef enum cnx_rule_step {
    CNX_STEP_PACKED,
    CNX_STEP_QUERY,
    CNX_STEP_KEY,
    CNX_STEP_VALUE,
    CNX_STEP_ANSWERS,
    CNX_STEP_QUERY_PAIRS, /* the first members; the second ones follow */
    CNX_STEP_QUERY_PAIRS_SECOND,
    CNX_STEP_KEY_PAIRS,
    CNX_STEP_KEY_PAIRS_SECOND,
    CNX_STEP_COUNT,
} cnx_rule_step;

typedef struct cnx_rule {
    cnx_analysis *analysis;
    cnx_arena *arena;
    cnx_points *points;
    cnx_dims *dims;
    struct cnx_sweep *sweep; /* analyze/sweep.h; for cnx_sweep_body */
    const cnx_graph *graph;
    const cnx_node *node;
    const cnx_operator *op;
    bool followed;       /* the row's rule was applied, to inputs of known rank */
    bool follows_bodies; /* the rule follows the nested graphs: what they capture need not be pinned */
    uint32_t input_count;
    cnx_fact *inputs; /* an omitted input has known = false and present = false */
    bool *present;
    uint64_t *read; /* by input: a bit per axis that the rule has read */
    uint32_t output_count;
    cnx_fact *outputs;
    cnx_fact steps[CNX_STEP_COUNT]; /* known = false: not made */
    /* Of an If: the facts of the outputs of branches that may be taken, and of one that is not. */
    const cnx_fact *branches[2];
    const cnx_fact *never_taken;
    /* Of a Loop or Scan: what its body is given and hands on, when it was followed. The factors of all
     * iterations are one. */
    const cnx_fact *body_inputs;
    const cnx_fact *body_outputs;
    bool iterates;    /* bodies that are swept now are such */
    bool deferred;    /* a later node speaks for the outputs (ops/rejoin.c) */
    uint32_t carried; /* not 0: this node does so; output 0 holds the elements of the value with this scaling
                         number, laid out anew */
} cnx_rule;

/* ---- reading ---- */

/* Whether input `i` exists, and its rank is known. */
bool cnx_rule_has(const cnx_rule *rule, uint32_t i);
/* Axis `k` of input `i`, negative from the end; the rule takes over the duty to relate or pin it. */
cnx_axis cnx_rule_axis(cnx_rule *rule, uint32_t i, int64_t k);
/* The whole fact of input `i`, all of its axes taken over; a copy whose axes may be changed. */
cnx_fact cnx_rule_input(cnx_rule *rule, uint32_t i);
/* The known contents of input `i`, whole numbers, or false. Reading contents pins nothing: the driver pins
 * the axes of an input that is not read. */
bool cnx_rule_content(const cnx_rule *rule, uint32_t i, const cnx_dim **content, size_t *count);
/* The same as plain numbers; false when some element is symbolic. */
bool cnx_rule_numbers(const cnx_rule *rule, uint32_t i, const int64_t **numbers, size_t *count);

int64_t cnx_rule_int(const cnx_rule *rule, const char *attribute, int64_t otherwise);
const int64_t *cnx_rule_ints(const cnx_rule *rule, const char *attribute, size_t *count);

/* An axis number made non-negative for `rank`; fails with the node's place when it is out of range. */
uint32_t cnx_rule_axis_number(const cnx_rule *rule, int64_t axis, uint32_t rank);

/* "WHAT of OPERATOR NAME", as a reason. `what` is a literal. */
uint32_t cnx_rule_reason(const cnx_rule *rule, const char *what);

/* ---- saying ---- */

/* Pins axis `k` of input `i`, and takes it over. Returns it pinned. */
cnx_axis cnx_rule_pin(cnx_rule *rule, uint32_t i, int64_t k, const char *what);
/* Pins every axis of every input; outputs stay unknown (their declared shapes are used, pinned). */
void cnx_rule_pin_all(cnx_rule *rule, const char *what);
void cnx_rule_pin_inputs(cnx_rule *rule, uint32_t reason);
/* States that two axes are the same; returns the better-known. */
cnx_axis cnx_rule_same(cnx_rule *rule, cnx_axis a, cnx_axis b);

/* ---- making outputs ---- */

/* A fact of `rank` axes, all of extent 1, to be filled in. */
cnx_fact cnx_rule_fact(cnx_rule *rule, int32_t type, uint32_t rank);
void cnx_rule_output(cnx_rule *rule, uint32_t output, cnx_fact fact);
/* Keeps a copy of `fact`, which is made on the way. */
void cnx_rule_keep_step(cnx_rule *rule, cnx_rule_step step, cnx_fact fact);
/* Input facts combined position by position with broadcasting from the right. */
cnx_fact cnx_rule_broadcast(cnx_rule *rule, const cnx_fact *facts, size_t count, int32_t type);
/* Removes the axes whose bit is set in `dropped` (summed or contracted away); with `keep`, they stay with
 * extent
 * 1. What varied over a removed axis moves as one from then on. */
cnx_fact cnx_rule_reduce(cnx_rule *rule, cnx_fact fact, uint64_t dropped, bool keep);
/* States that positions along the axes whose bit is set are combined with each other, axes of any other kind
 * position by position (a Softmax, a norm, a running sum): what varies over such an axis moves as one from
 * then on. */
void cnx_rule_mix(cnx_rule *rule, cnx_fact *fact, uint64_t mixed);
/* Axis `k` reduced to the positions `index`, and what varies over it with it. */
cnx_fact cnx_rule_gather(cnx_rule *rule, cnx_fact fact, uint32_t k, const uint32_t *index, uint32_t count);
/* The fact seen with other extents; the products agree. */
cnx_fact cnx_rule_reshape(cnx_rule *rule, cnx_fact fact, const cnx_dim *extents, uint32_t rank);
/* The same, where the result goes nowhere but into the node's output: blocks that are split off are unread
 * (cnx_axis_regroup). */
cnx_fact cnx_rule_regroup(cnx_rule *rule, cnx_fact fact, const cnx_dim *extents, uint32_t rank);
/* All axes of a fact pinned, or all those of a sequence's elements. */
cnx_fact cnx_rule_pin_fact(cnx_rule *rule, cnx_fact fact, const char *what);
void cnx_rule_pin_fact_axis(cnx_rule *rule, cnx_fact *fact, uint32_t k, const char *what);

/* Labels that vary over blocks which no axis of the fact names any more vary over what became of those
 * blocks, or are the same in all of them from now on. The driver calls this on every output. */
void cnx_rule_follow_orphans(cnx_rule *rule, cnx_fact *fact);

/* A parameter's axis that has become an axis of a tensor with axes of other parameters may no longer be
 * refined: blocks of those are no blocks of its own tensor. The driver calls this on every output. */
void cnx_rule_touch_mixed(const cnx_rule *rule, const cnx_fact *output);

cnx_dim cnx_rule_number(const cnx_rule *rule, int64_t number);

/* ---- nested graphs: ops/control.c ---- */

/* Sweeps a nested graph or a function body with these facts for its inputs (known = false: unknown), as part
 * of the rule's node. Returns the facts of its outputs. */
cnx_fact *cnx_sweep_body(cnx_rule *rule, const cnx_graph *body, const cnx_fact *inputs, uint32_t count);

/* Pins every axis of a fact, or of all elements of a sequence, with this reason. */
void cnx_fact_pin(cnx_points *points, const cnx_fact *fact, uint32_t reason);

/* ---- detours that are followed as a whole: ops/rejoin.c ---- */

/* What this sweep knows so far of a value of the rule's graph. */
const cnx_fact *cnx_sweep_fact(const cnx_rule *rule, uint32_t value);
/* Keeps what the rule's node reads, and one of its axes, for a later node. */
void cnx_sweep_set_aside(cnx_rule *rule, cnx_fact whole, uint32_t axis);
/* What `node` set aside in this sweep, or NULL. */
const cnx_fact *cnx_sweep_take_aside(const cnx_rule *rule, const cnx_node *node, uint32_t *axis);

/* A call of one of the model's own functions. */
void cnx_apply_function(cnx_rule *rule);

/* ---- rules: one function a family, in analyze/ops/ ---- */

#define RULE(name) void cnx_apply_##name(cnx_rule *rule);
#include "analyze/rules.def"
#undef RULE

#endif
