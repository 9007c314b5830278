/* Lines of digests as sha256sum writes and reads them: DIGEST, two spaces, PATH. When the path holds a
 * newline, a carriage return or a backslash, these are written as \n, \r and \\, and the line begins with a
 * backslash. */
#ifndef CLI_DIGEST_LINE_H
#define CLI_DIGEST_LINE_H

#include <stdbool.h>
#include <stdio.h>

enum { DIGEST_LENGTH = 32 };

/* Prints `before`, the path and `after`, with the backslash in front when the path needs it. */
void digest_line_print(FILE *stream, const char *before, const char *path, const char *after);

/* Takes a line of `length` bytes (its newline included or not) apart, in place: *digest becomes 32 lower-case
 * hexadecimal digits, *path the real path; both point into the line. False: it is no such line. */
bool digest_line_parse(char *line, size_t length, char **digest, char **path);

/* Whether the first line of the file at `path`, comments aside, is such a line. A file that cannot be read
 * begins with none; a pipe, which can be read only once, is taken to. */
bool digest_line_begins(const char *path);

#endif
