/* Comparing models with digests that were written down: in lists, or in the models themselves. */
#ifndef CLI_HASH_CHECK_H
#define CLI_HASH_CHECK_H

#include "document.h"
#include "options.h"

/* Which digest of a model. */
enum digest_kind { DIGEST_OF_FORM, DIGEST_OF_STRUCTURE, DIGEST_OF_WEIGHTS };

/* Opens the model at `path` and finds its digest. With `embedded`, what the model says it is comes there (32
 * digits, or empty when it says nothing). */
cnx_code hash_digest(const char *path, enum digest_kind kind, char digest[33], char embedded[33],
                     cnx_error *error);

/* A JSON object for an error: `place` and `message`. */
json_t *hash_error_value(const cnx_error *error);

/* Checks a list of digests (a file that begins like one, or "-") line by line, or a model's embedded hash.
 * Prints "PATH: OK" or "PATH: FAILED", as sha256sum does, or adds to `checks`. Returns the worst outcome:
 * success, different, or trouble. */
int hash_check(const struct request *request, enum digest_kind kind, const char *file, json_t *checks);

#endif
