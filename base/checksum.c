#include "base/checksum.h"

#include <stdio.h>
#include <xxhash.h>

struct cnx_checksum {
    XXH3_state_t *state; /* wants more alignment than an arena gives */
};

static void free_state(void *state)
{
    XXH3_freeState(state);
}

cnx_checksum *cnx_checksum_create(cnx_arena *arena)
{
    cnx_checksum *checksum = CNX_NEW(arena, cnx_checksum);
    checksum->state = XXH3_createState();
    if (checksum->state == NULL)
        cnx_fail(arena, CNX_ERROR_MEMORY, NULL, "out of memory");
    cnx_defer(arena, free_state, checksum->state);
    XXH3_128bits_reset(checksum->state);
    return checksum;
}

void cnx_checksum_add(cnx_checksum *checksum, const void *bytes, size_t size)
{
    XXH3_128bits_update(checksum->state, bytes, size);
}

static void print(XXH128_hash_t hash, char text[33])
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, hash);
    for (size_t i = 0; i < sizeof canonical.digest; i++)
        snprintf(text + 2 * i, 3, "%02x", canonical.digest[i]);
}

void cnx_checksum_print(const cnx_checksum *checksum, char text[33])
{
    print(XXH3_128bits_digest(checksum->state), text);
}

void cnx_checksum_of(const void *bytes, size_t size, char text[33])
{
    print(XXH3_128bits(bytes, size), text);
}
