/* Outputs of which only the type and the extents are known: nothing is followed into them. */
#ifndef CNX_ANALYZE_OPS_SHAPE_ONLY_H
#define CNX_ANALYZE_OPS_SHAPE_ONLY_H

#include "analyze/rule.h"

/* An axis whose positions stay where they are. */
cnx_axis cnx_shape_axis(cnx_rule *rule, cnx_dim extent, const char *what);

/* The extents of input `i`, which has a rank; the input itself is not read. */
cnx_fact cnx_shape_like(cnx_rule *rule, uint32_t i, int32_t type, const char *what);

/* A shape that depends on data, of known rank. */
cnx_fact cnx_shape_unknown(cnx_rule *rule, int32_t type, uint32_t rank, const char *what);

/* The number that input `i` holds as its only element, perhaps symbolic; unknown when it is not known. */
cnx_dim cnx_shape_number(const cnx_rule *rule, uint32_t i);

/* The known extents that input `i` lists; false when they, or how many there are, are not known. */
bool cnx_shape_list(const cnx_rule *rule, uint32_t i, const cnx_dim **extents, size_t *count);

#endif
