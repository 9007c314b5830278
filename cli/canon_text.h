/* The report of canonnx canon, for people and for programs. */
#ifndef CLI_CANON_TEXT_H
#define CLI_CANON_TEXT_H

#include "canonnx.h"
#include "document.h"
#include "options.h"

/* Prints the report; `all`: everything that passes say they did, and those that did nothing. */
void canon_print(const struct request *request, const char *output, uint64_t bytes,
                 const cnx_canon_report *report, bool all);

/* The report as a document. */
json_t *canon_document(const char *model, const char *output, uint64_t bytes, const cnx_canon_report *report);

/* New names and what they were before, as a document. */
json_t *canon_name_map(const char *model, const char *output, const cnx_canon_report *report);

#endif
