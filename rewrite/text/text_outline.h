/* The order of a graph's nodes and operands in its text, and what names in the text are made of.
 *
 * The canonical form has an order too, but the inputs of its commutative operators stand in the order of
 * hashes of everything that is above them: a node that is inserted at the beginning of a model exchanges the
 * inputs of half of its residual additions, and with them goes the order of whole branches. Here, what is
 * compared is first the length of the way from the graph's inputs, then what is close by. Both say little
 * about far-away nodes: a node more at the beginning makes all ways longer, and leaves their order.
 */
#ifndef CNX_REWRITE_TEXT_OUTLINE_H
#define CNX_REWRITE_TEXT_OUTLINE_H

#include "onnx/listing.h"

typedef struct cnx_outline {
    cnx_listing *listing;
    struct cnx_outline *outer; /* of the graph around it, or NULL */
    uint32_t *depth;           /* by node: nodes on the longest way from an input to it, itself included; 0
                                  when it is constant */
    bool *constant;            /* by value: it follows from initializers alone */
    const cnx_tensor **weight; /* by value that is constant: the initializer of most axes, at least two, that
                                  it is made of, or NULL */
    uint32_t *first_capture;   /* by node: where its values in `captures` begin; one more at the end */
    uint32_t *captures;        /* what nested graphs of nodes read from this one, in the canonical order */
} cnx_outline;

/* Outlines one graph of a canonical model and puts its nodes and operands in order, in `listing`. The graph
 * around it has to be outlined before. Memory comes from `arena`. */
cnx_outline *cnx_outline_create(cnx_arena *arena, cnx_listing *listing, cnx_outline *outer);

#endif
