/* The report of canonnx inspect, for people. */
#ifndef CLI_INSPECT_TEXT_H
#define CLI_INSPECT_TEXT_H

#include "canonnx.h"
#include "options.h"

/* `all`: shorten nothing. */
void inspect_print(const struct request *request, const cnx_inspection *inspection, bool all);

#endif
