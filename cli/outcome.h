/* How a command ends: exit codes, and the one line on standard error that says what went wrong. */
#ifndef CLI_OUTCOME_H
#define CLI_OUTCOME_H

#include "canonnx.h"

enum {
    OUTCOME_SUCCESS = 0,
    OUTCOME_DIFFERENT = 1, /* an answer, not an accident: "these differ", "the gate failed" */
    OUTCOME_TROUBLE = 2,   /* bad usage, bad input, no memory, no space */
};

/* Prints `canonnx: PATH: PLACE: MESSAGE` (without PLACE when there is none) and returns OUTCOME_TROUBLE. */
int outcome_failure(const char *path, const cnx_error *error);

/* Prints `canonnx COMMAND: MESSAGE` for a command line that makes no sense and returns OUTCOME_TROUBLE.
 * `command` may be NULL. */
int outcome_usage(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Closes standard output. When something could not be written, says so and turns any outcome into
 * OUTCOME_TROUBLE: a report cut short by a full disk must not look like a report. */
int outcome_finish(int outcome);

#endif
