/* The report of canonnx symmetry, for people. */
#ifndef CLI_SYMMETRY_TEXT_H
#define CLI_SYMMETRY_TEXT_H

#include "canonnx.h"
#include "options.h"

/* `orbit`: log10 of its size, NaN for undecided; NULL when it was not asked for. `all`: shorten nothing. */
void symmetry_print(const struct request *request, const cnx_symmetry *symmetry, const double *orbit,
                    bool all);

#endif
