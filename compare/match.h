/* Looking for the symmetry of a that brings its weights closest to b's. See match_weights.c. */
#ifndef CNX_COMPARE_MATCH_H
#define CNX_COMPARE_MATCH_H

#include "compare/comparison.h"

/* Sets the comparison's symmetry to the one under which the pairs are closest, as far as it was found; leaves
 * it where that is the identity. Reports what was cut short as notes. */
void cnx_match_weights(cnx_comparison *c);

#endif
