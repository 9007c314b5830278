/* Attention as a composition: heads are cut out, scores are a product over the head's positions, a Softmax
 * over keys keeps every axis, and the values are summed over keys.
 *
 * Frame: (batch, group, copy, sequence, size). A group is a key head, with the query heads that share it as
 * its copies; with as many query as key heads there is one copy.
 */
#ifndef CNX_ANALYZE_OPS_ATTENTION_H
#define CNX_ANALYZE_OPS_ATTENTION_H

#include "analyze/ops/compose.h"

typedef struct cnx_heads {
    int64_t groups;
    int64_t copies;
} cnx_heads;

/* [n, s, heads * size], in the frame. */
cnx_fact cnx_heads_of_rows(cnx_rule *rule, cnx_fact fact, cnx_heads heads);
/* [n, heads, s, size], in the frame. */
cnx_fact cnx_heads_of_stack(cnx_rule *rule, cnx_fact fact, cnx_heads heads);
/* Back: [n, s, heads * size] or [n, heads, s, size]. */
cnx_fact cnx_heads_to_rows(cnx_rule *rule, cnx_fact fact);
cnx_fact cnx_heads_to_stack(cnx_rule *rule, cnx_fact fact);

/* Scores in the frame (batch, group, copy, query, key), and what the heads answer, from Q, K and V. `mask`
 * may be NULL; otherwise it broadcasts to the scores' [n, heads, query, key]. */
cnx_fact cnx_attention_scores(cnx_rule *rule, cnx_fact query, cnx_fact key, const cnx_fact *mask,
                              cnx_heads heads);
cnx_fact cnx_attention_answers(cnx_rule *rule, cnx_fact scores, cnx_fact value);

#endif
