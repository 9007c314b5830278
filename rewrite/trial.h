/* Ties that can only be resolved by trying. */
#ifndef CNX_REWRITE_TRIAL_H
#define CNX_REWRITE_TRIAL_H

#include "rewrite/pass.h"

/* For every tie that the pass `ties` left open: makes the form anew, from the file, with the two operands
 * exchanged. If some form is another, or there are more ties than the limit tie-exchanges, the model is
 * marked as not canonical. To be called when the model is lowered; `options` are those of the run. */
void cnx_try_exchanges(cnx_rewrite *rewrite, const cnx_canon_options *options);

#endif
