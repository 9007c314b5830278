/* Scales that are drawn at random, as far as weights have room for them. */
#ifndef CNX_REWRITE_EXACT_SCALES_H
#define CNX_REWRITE_EXACT_SCALES_H

#include "analyze/scaling/scaling.h"

/* Like cnx_apply_factors for scales, but sets to 0 the numbers of units that multiply half precision, which
 * has no room for exponents (the canonical form leaves these alone, too), or elements that would lose bits.
 */
void cnx_apply_exact_scales(cnx_analysis *analysis, const cnx_scalings *scalings, int32_t *numbers);

#endif
