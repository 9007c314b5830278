/* The equation of an Einsum. */
#ifndef CNX_ANALYZE_OPS_EINSUM_H
#define CNX_ANALYZE_OPS_EINSUM_H

#include "analyze/rule.h"

/* The axes of an equation, its *frame*: 52 letters and the places of an ellipsis, counted from the right. */
#define CNX_EINSUM_MOST_PLACES 8
#define CNX_EINSUM_FRAME (52 + CNX_EINSUM_MOST_PLACES)

/* One operand, or the output: which letters its axes have. */
typedef struct cnx_einsum_term {
    uint32_t count;    /* of letters, without the ellipsis */
    uint32_t ellipsis; /* letters before it; CNX_NONE when there is none */
    uint8_t letters[64];
} cnx_einsum_term;

typedef struct cnx_einsum {
    cnx_einsum_term *operands; /* as many as the node has inputs */
    cnx_einsum_term output;
    uint32_t covered; /* axes that an ellipsis stands for */
} cnx_einsum;

/* Reads the node's equation, memory from the rule's arena; false when it is not understood or does not fit
 * the inputs' ranks. */
bool cnx_einsum_read(const cnx_rule *rule, cnx_einsum *einsum);

/* The place in the frame of axis `k` of a term that has `rank` axes. */
uint32_t cnx_einsum_place(const cnx_einsum_term *term, uint32_t rank, uint32_t k);

#endif
