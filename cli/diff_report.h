/* The report of canonnx diff: for people, for programs, and the witness's file. */
#ifndef CLI_DIFF_REPORT_H
#define CLI_DIFF_REPORT_H

#include "canonnx.h"
#include "options.h"

#include <jansson.h>

struct diff_settings {
    cnx_diff_options options;
    const char *witness; /* file to write, or NULL */
    bool stat;           /* a line per block instead of tables */
    bool all;            /* shorten nothing */
};

/* One line that begins with the verdict; on the heap. NULL: the files are identical. */
char *diff_verdict(const cnx_diff *diff, const struct diff_settings *settings);

/* "same", "permuted", "sign-flipped", "scaled" or "changed". */
const char *diff_tensor_verdict(cnx_tensor_verdict verdict);

/* What differs, for people, verdict first. */
void diff_print(const struct request *request, const struct diff_settings *settings, const cnx_diff *diff);

/* The JSON object of the report; takes nothing. */
json_t *diff_document(const struct request *request, const struct diff_settings *settings,
                      const cnx_diff *diff);

/* The witness as a JSON object, as canonnx apply reads it; NULL witness: nothing moves. */
json_t *witness_document(const struct request *request, const cnx_witness *witness);

#endif
