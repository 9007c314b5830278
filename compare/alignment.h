/* Which node of one model is which node of the other. See align_nodes.c. */
#ifndef CNX_COMPARE_ALIGNMENT_H
#define CNX_COMPARE_ALIGNMENT_H

#include "compare/side.h"

typedef struct cnx_alignment {
    cnx_side *a;
    cnx_side *b;
    uint32_t *to_b; /* by step of a: its partner, or CNX_NONE (deleted) */
    uint32_t *to_a; /* by step of b: its partner, or CNX_NONE (inserted) */
    bool
        isomorphic; /* same nodes, same wiring, types and dims of constants: nothing but weights can differ */
    double kept;    /* share of nodes that have a partner with the same operator and attributes, 0 to 1 */
} cnx_alignment;

/* Aligns the nodes of two models. Memory from a's arena. */
cnx_alignment *cnx_align_nodes(cnx_side *a, cnx_side *b);

/* Whether an input of a step of a and one of a step of b are fed by the same thing: by partners, by the same
 * input of the same graph, or both by a constant. */
bool cnx_same_origin(const cnx_alignment *alignment, const cnx_origin *a, const cnx_origin *b);

/* Whether an input of a step of a and one of a step of b are fed by different things even when nodes that
 * only one model has are looked through. */
bool cnx_is_rewired(const cnx_alignment *alignment, const cnx_origin *a, const cnx_origin *b);

/* The slot of `b` that corresponds to slot `slot` of its partner `a`: the same one; for a commutative
 * operator one that is fed by the same thing, if there is one. CNX_NONE when b has no such slot. */
uint32_t cnx_partner_slot(const cnx_alignment *alignment, uint32_t a, uint32_t b, uint32_t slot);

/* The nested graph of a node that plays the part of graph `number` of its partner `a`, or NULL. */
const cnx_graph *cnx_partner_body(const cnx_node *a, uint32_t number, const cnx_node *b);

/* The function of a side with the domain, name and overload of a function of the other one, or NULL. */
const cnx_graph *cnx_partner_function(const cnx_side *side, const cnx_graph *function);

#endif
