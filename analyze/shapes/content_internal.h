/* What analyze/shapes/content.c and analyze/shapes/content_arithmetic.c share. Nobody else includes this. */
#ifndef CNX_ANALYZE_CONTENT_INTERNAL_H
#define CNX_ANALYZE_CONTENT_INTERNAL_H

#include "analyze/shapes/content.h"

/* Tensors with more axes are not followed. */
#define CNX_MOST_CONTENT_AXES 8

/* A tensor whose extents are numbers. */
typedef struct cnx_layout {
    uint32_t rank;
    size_t count;
    int64_t extents[CNX_MOST_CONTENT_AXES];
} cnx_layout;

/* A tensor whose elements are known: elements[k] / divisor. */
typedef struct cnx_content {
    cnx_layout layout;
    const cnx_dim *elements;
    int64_t divisor; /* 1 but for floats */
} cnx_content;

/* False when an extent is symbolic or there are too many elements. */
bool cnx_content__layout(const cnx_rule *rule, const cnx_fact *fact, cnx_layout *layout);

/* Input `i` when all of its elements are known to be whole numbers. */
bool cnx_content__input(const cnx_rule *rule, uint32_t i, cnx_content *content);

/* The output's elements, if there are as many as it has positions. */
void cnx_content__set(cnx_rule *rule, uint32_t output, const cnx_dim *elements, size_t count);

/* Position `e` of a tensor as large as `whole`, in one that is broadcast to it. */
size_t cnx_content__broadcast(const cnx_layout *whole, const cnx_layout *part, size_t e);

/* A number about which nothing is known, not even that it is no less than 0, as cnx_dim_fresh's are. */
cnx_dim cnx_content__unknown(cnx_rule *rule);

/* Elementwise operators; false when the node is none. */
bool cnx_content__arithmetic(cnx_rule *rule);

#endif
