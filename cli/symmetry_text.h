/* The report of canonnx symmetry, for people. */
#ifndef CLI_SYMMETRY_TEXT_H
#define CLI_SYMMETRY_TEXT_H

#include "canonnx.h"
#include "options.h"

/* `all`: shorten nothing. */
void symmetry_print(const struct request *request, const cnx_symmetry *symmetry, bool all);

#endif
