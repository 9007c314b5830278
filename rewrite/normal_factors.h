/* The canonical choice of signs and scales: which number every generator's member takes. */
#ifndef CNX_REWRITE_NORMAL_FACTORS_H
#define CNX_REWRITE_NORMAL_FACTORS_H

#include "analyze/scaling/scaling.h"

struct cnx_rewrite;

/* Sets the factors of all parameters to the canonical ones of `kind`, on top of what they have, and returns
 * how many units' factors are not 1. Reads biases, and weights where biases are missing or zero. Where units
 * of the number %llu in `refusal` are left undecided, the model is marked as not canonical, for that reason.
 */
size_t cnx_normalize_kind(struct cnx_rewrite *rewrite, cnx_scaling_kind kind, const char *refusal)
    __attribute__((format(printf, 3, 0)));

#endif
