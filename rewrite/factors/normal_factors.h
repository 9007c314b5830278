/* The canonical choice of signs and scales: which number every generator's member takes. */
#ifndef CNX_REWRITE_NORMAL_FACTORS_H
#define CNX_REWRITE_NORMAL_FACTORS_H

#include "analyze/scaling/scaling.h"

struct cnx_rewrite;

/* Sets the factors of all parameters to the canonical scales, and returns how many units are multiplied.
 * Where that is not possible for all of them, or not exactly, nothing is multiplied, and a note says so. To
 * be called before anything else changes how tensors read. */
size_t cnx_normalize_scales(struct cnx_rewrite *rewrite);

/* The same for signs, on top of what the tensors have. Where some cannot be told from the opposite ones, the
 * model is marked as not canonical. */
size_t cnx_normalize_signs(struct cnx_rewrite *rewrite);

#endif
