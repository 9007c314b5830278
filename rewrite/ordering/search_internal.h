/* What search.c (the tree) and search_state.c (one node of it) share. */
#ifndef CNX_REWRITE_SEARCH_INTERNAL_H
#define CNX_REWRITE_SEARCH_INTERNAL_H

#include "rewrite/ordering/ties.h"

/* The search in one component: the present state of its prints, and memory for looking at it. */
typedef struct cnx_search_state {
    cnx_prints *prints;
    cnx_weights_check *check;
    const cnx_component *component;
    uint64_t trace;  /* of the present state: a hash of what refinement found, equal for equivalent models */
    uint32_t *local; /* by class: place in the component */
    uint32_t *image; /* by class: the order of all cells, before blocks carry what is inside; see sort.h */
    uint32_t *carried; /* by class: scratch */
    uint32_t *order;   /* of one cell: scratch, as are the next two */
    uint32_t *aligned;
    uint32_t *rank;     /* by class: zero between two uses */
    uint32_t *occupant; /* by class: who has its place in the order at hand; scratch */
    uint64_t *kept;     /* by place in the component: scratch */
    uint32_t *points;   /* by point: scratch */
    uint32_t *target;   /* by point: where cnx_search_match sends it */
    uint32_t *moved;    /* the points that it moves */
    size_t moved_count;
} cnx_search_state;

/* Scratch memory for the components of one model. The state's component is set by the caller. */
void cnx_search_state_init(cnx_search_state *state, cnx_arena *arena, cnx_prints *prints,
                           cnx_weights_check *check);

/* Copies the prints of the component's classes; puts them back, and marks ties again. */
void cnx_search_save(const cnx_search_state *state, uint64_t *print);
void cnx_search_restore(cnx_search_state *state, const uint64_t *print);

/* Refines after something was set apart, and finds the trace. */
void cnx_search_refine(cnx_search_state *state);

/* Whether nothing in the component is tied any more. */
bool cnx_search_is_leaf(const cnx_search_state *state);

/* The permutation of points that sorts the present state; what is tied is in the order of its numbers. */
void cnx_search_arrange(cnx_search_state *state, uint32_t *points);

/* Lays the present order over that of another state (its prints): points of equal places correspond. Members
 * that both states have in one run of members that look alike are left where they are. Fills `target`, from
 * points there to points here, and `moved`. Whether that changes a byte is for cnx_keeps_weights to say.
 * Returns whether the match is the only one, up to the order of members in a unit. */
bool cnx_search_match(cnx_search_state *state, const uint64_t *print);

/* Where the match sends a class, by the point that names it. */
uint32_t cnx_search_image(const cnx_search_state *state, uint32_t class);

/* Compares the tensors of the component as two permutations of points leave them, byte by byte. */
int cnx_search_compare(const cnx_search_state *state, const uint32_t *a, const uint32_t *b);

#endif
