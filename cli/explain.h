/* `canonnx symmetry --explain`: why an axis may move as far as it may and no further. */
#ifndef CLI_EXPLAIN_H
#define CLI_EXPLAIN_H

#include "options.h"

/* Explains `axis`, or with `other` (else NULL) what ties the two, as text or JSON. `all`: shorten nothing.
 * Returns the outcome. */
int explain_run(const struct request *request, cnx_model *model, const char *axis, const char *other,
                bool all);

#endif
