/* Out of memory into bytes: a file, or a digest of what the file would hold. */
#include "rewrite/format.h"
#include "rewrite/permute.h"

#include <xxhash.h>

cnx_code cnx_model_write(cnx_model *model, const char *path, uint64_t *bytes_written, cnx_error *error)
{
    cnx_trap trap;
    if (CNX_ENTER(model->arena, trap, error) == CNX_OK) {
        uint64_t bytes = cnx_save_file(model, cnx_tensor_read, path);
        if (bytes_written != NULL)
            *bytes_written = bytes;
    }
    return cnx_leave(model->arena, &trap);
}

static void update(cnx_sink *sink, const void *bytes, size_t size)
{
    XXH3_128bits_update(sink->state, bytes, size);
}

static void free_state(void *state)
{
    XXH3_freeState(state);
}

static void hash_model(cnx_model *model, char digest[33])
{
    if (model->not_canonical != NULL)
        cnx_fail(model->arena, CNX_ERROR_NOT_CANONICAL, NULL, "the form is not canonical: %s",
                 model->not_canonical);
    if (model->not_canonical != NULL)
        cnx_fail(model->arena, CNX_ERROR_NOT_CANONICAL, NULL, "no canonical form was found: %s",
                 model->not_canonical);
    cnx_arena *scratch = cnx_arena_create(model->arena);
    XXH3_state_t *state = XXH3_createState(); /* wants more alignment than an arena gives */
    if (state == NULL)
        cnx_fail(model->arena, CNX_ERROR_MEMORY, NULL, "out of memory");
    cnx_defer(scratch, free_state, state);
    XXH3_128bits_reset_withSeed(state, CNX_FORMAT_VERSION);
    cnx_sink sink = {.write = update, .state = state, .arena = scratch};
    cnx_save(model, cnx_tensor_read, &sink);
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state));
    for (size_t i = 0; i < sizeof canonical.digest; i++)
        snprintf(digest + 2 * i, 3, "%02x", canonical.digest[i]);
    cnx_arena_destroy(scratch);
}

cnx_code cnx_model_hash(cnx_model *model, char digest[33], cnx_error *error)
{
    cnx_trap trap;
    if (CNX_ENTER(model->arena, trap, error) == CNX_OK)
        hash_model(model, digest);
    return cnx_leave(model->arena, &trap);
}
