#include "outcome.h"

#include "memory.h"
#include "text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>

int outcome_failure(const char *path, const cnx_error *error)
{
    /* Paths and names come from outside; a newline in one must not make two lines of an error. */
    char *clean_path = text_printable(path);
    char *place = text_printable(error->place);
    char *message = text_printable(error->message);
    fprintf(stderr, "canonnx: %s: %s%s%s\n", clean_path, place, place[0] ? ": " : "", message);
    free(message);
    free(place);
    free(clean_path);
    return OUTCOME_TROUBLE;
}

int outcome_usage(const char *command, const char *format, ...)
{
    char *message = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&message, format, arguments);
    va_end(arguments);
    if (length < 0)
        memory_exhausted();
    char *clean = text_printable(message);
    fprintf(stderr, "canonnx%s%s: %s\n", command ? " " : "", command ? command : "", clean);
    free(clean);
    free(message);
    return OUTCOME_TROUBLE;
}

int outcome_finish(int outcome)
{
    bool failed_before = ferror(stdout) != 0, wrote_nothing = __fpending(stdout) == 0;
    errno = 0;
    bool closed = fclose(stdout) == 0 || (wrote_nothing && errno == EBADF);
    if (closed && !failed_before)
        return outcome;
    fprintf(stderr, "canonnx: standard output: %s\n", errno ? strerror(errno) : "write error");
    return OUTCOME_TROUBLE;
}
