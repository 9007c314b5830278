/* In which ways the files of equal models differ. */
#ifndef CNX_COMPARE_WAYS_H
#define CNX_COMPARE_WAYS_H

#include "compare/comparison.h"

/* Fills in the report's `ways`. */
void cnx_find_ways(cnx_comparison *c);

#endif
