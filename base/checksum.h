/* XXH3-128 without a seed, as `xxhsum -H2` has it: checksums of bytes that people may want to compare with
 * those of other tools. What is equal by the rules of the canonical form has digests of its own
 * (rewrite/digest/digest.h). */
#ifndef CNX_BASE_CHECKSUM_H
#define CNX_BASE_CHECKSUM_H

#include "base/arena.h"

typedef struct cnx_checksum cnx_checksum;

/* The checksum of nothing yet; it lives as long as `arena`. */
cnx_checksum *cnx_checksum_create(cnx_arena *arena);

/* Feeds bytes. */
void cnx_checksum_add(cnx_checksum *checksum, const void *bytes, size_t size);

/* The checksum of what was fed, as 32 lower-case hexadecimal digits. */
void cnx_checksum_print(const cnx_checksum *checksum, char text[33]);

/* The same of bytes that are there at once. */
void cnx_checksum_of(const void *bytes, size_t size, char text[33]);

#endif
