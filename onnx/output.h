/* A file on its way to its path.
 *
 * It is written without a name where the file system can (Linux's O_TMPFILE), so that nothing is left of it
 * however the program ends, and else under a temporary name beside its path. It gets the path when it is
 * complete.
 */
#ifndef CNX_ONNX_OUTPUT_H
#define CNX_ONNX_OUTPUT_H

#include "proto/wire.h"

typedef struct cnx_output cnx_output;

/* Opens one. A link is followed, as `cp` does: what it points to is replaced, not the link. Fails where
 * nothing can be written, and where `path` is something else than a regular file. What is not finished when
 * the arena dies is gone. */
cnx_output *cnx_output_begin(cnx_arena *arena, const char *path);

/* Where it goes in the end, links resolved. */
const char *cnx_output_path(const cnx_output *output);

/* Says that about so many bytes will be written, some time from now: a thread of its own makes room for them
 * on the file system meanwhile. Only the time that writing takes depends on that. */
void cnx_output_expect(cnx_output *output, uint64_t bytes);

/* Where to write to. Failures go to the output's arena. */
cnx_sink *cnx_output_sink(cnx_output *output);

/* How many bytes were written. */
uint64_t cnx_output_size(const cnx_output *output);

/* Replaces what was at the path. It has the mode of what it replaces, or what the umask leaves of 0666. */
void cnx_output_finish(cnx_output *output);

#endif
