/* Facts made from facts: the steps that operators take which do in one what others do in several.
 *
 * Attention is a Reshape, a Transpose, two MatMuls and a Softmax; its rule says so step by step, and states
 * exactly what the rules of those would. Every function returns a fact of its own and leaves its arguments as
 * they are.
 */
#ifndef CNX_ANALYZE_OPS_COMPOSE_H
#define CNX_ANALYZE_OPS_COMPOSE_H

#include "analyze/rule.h"

/* The axes order[0], order[1] ... (`rank` of them, each at most once). */
cnx_fact cnx_fact_reorder(cnx_rule *rule, cnx_fact fact, const uint32_t *order, uint32_t rank);

/* The fact with `rank` axes, its own axis k at places[k], and axes of extent 1 elsewhere. */
cnx_fact cnx_fact_place(cnx_rule *rule, cnx_fact fact, const uint32_t *places, uint32_t rank);

/* An axis as (outer, inner); pinned when it cannot be cut evenly. */
void cnx_rule_split(cnx_rule *rule, cnx_axis axis, cnx_dim outer_extent, cnx_axis *outer, cnx_axis *inner);

/* Axis `k` as two, the outer one with `outer_extent` positions. */
cnx_fact cnx_fact_split(cnx_rule *rule, cnx_fact fact, uint32_t k, cnx_dim outer_extent);

/* Axes `k` and `k + 1` as one. */
cnx_fact cnx_fact_merge(cnx_rule *rule, cnx_fact fact, uint32_t k);

/* An axis of a parameter that no operator has spoken about may be another one at every position of axis
 * `over`: the weights of heads or experts, stacked in one tensor. Otherwise nothing changes. */
void cnx_fact_refine(cnx_rule *rule, cnx_fact *fact, uint32_t k, uint32_t over);

/* `count` positions of axis `k` from `first` on, `step` apart. */
cnx_fact cnx_fact_cut(cnx_rule *rule, cnx_fact fact, uint32_t k, int64_t first, int64_t step, int64_t count);

/* Two facts one after the other along axis `k`. */
cnx_fact cnx_fact_join(cnx_rule *rule, cnx_fact first, cnx_fact second, uint32_t k);

/* Broadcasts two facts and sums over the axes whose bit is set. */
cnx_fact cnx_fact_contract(cnx_rule *rule, cnx_fact left, cnx_fact right, uint64_t summed);

/* The product of two stacks of matrices, or of vectors, as MatMul defines it. Both have an axis. */
cnx_fact cnx_fact_matmul(cnx_rule *rule, cnx_fact left, cnx_fact right);

/* Axis `k` of `fact`, related to input `i`, which holds one number for all positions or one for each. Any
 * other shape pins both. */
void cnx_fact_scaled_along(cnx_rule *rule, cnx_fact *fact, uint32_t k, uint32_t i);

/* Pins input `i` and `fact`, whose relation is not followed. */
void cnx_fact_unrelated(cnx_rule *rule, cnx_fact *fact, uint32_t i);

/* Takes over input `i`, which has to be a single number for all; false when it may have several. */
bool cnx_rule_is_single(cnx_rule *rule, uint32_t i);

/* The extent as a number, at least 1 and small enough to follow. */
bool cnx_rule_extent(const cnx_rule *rule, cnx_axis axis, int64_t *extent);

/* ---- ops/convolution.c ---- */

/* X[n, c, ...], or X[n, ..., c] with `last`, convolved with W[m, c / group, kernel...]: inputs `x` and `w`.
 * The output's channels are W's first axis, without a bias. */
cnx_fact cnx_fact_convolve(cnx_rule *rule, uint32_t x, uint32_t w, bool last);

/* Input 0 under the windows that the attributes describe; false when they do not fit. */
bool cnx_fact_pool(cnx_rule *rule, bool last, cnx_fact *output);

/* ---- ops/rotary.c ---- */

typedef struct cnx_rotation {
    bool interleaved;   /* pairs are neighbours; otherwise the two halves */
    int64_t size;       /* rotated positions; 0: all */
    cnx_rule_step step; /* which the pairs' members are kept as */
} cnx_rotation;

/* Rotates pairs of positions along axis `k` by angles whose tables have the axes `cosine` and `sine`. */
void cnx_fact_rotate(cnx_rule *rule, cnx_fact *fact, uint32_t k, cnx_axis cosine, cnx_axis sine,
                     cnx_rotation rotation);

#endif
