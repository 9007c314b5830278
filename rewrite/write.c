/* Out of memory into bytes: a file, or a digest of what the file would hold. */
#include "rewrite/digest/digest.h"
#include "rewrite/format.h"
#include "rewrite/metadata.h"
#include "rewrite/permute.h"

cnx_code cnx_model_write(cnx_model *model, const char *path, uint64_t *bytes_written, cnx_error *error)
{
    cnx_trap trap;
    if (CNX_ENTER(model->arena, trap, error) == CNX_OK) {
        uint64_t bytes = cnx_save_file(model, &cnx_permuted_reader, path);
        if (bytes_written != NULL)
            *bytes_written = bytes;
    }
    return cnx_leave(model->arena, &trap);
}

static void update(cnx_sink *sink, const void *bytes, size_t size)
{
    cnx_digest_bytes(sink->state, bytes, size);
}

static void digest_model(cnx_arena *scratch, cnx_model *model, char text[33])
{
    cnx_digest *digest = cnx_digest_create(scratch);
    cnx_sink sink = {.write = update, .state = digest, .arena = scratch};
    cnx_save(model, &cnx_permuted_reader, &sink);
    cnx_digest_print(digest, text);
}

/* ---- metadata is no part of the digest ---- */

typedef struct aside {
    cnx_arena *arena;
    size_t count, capacity;
    size_t *entries; /* of every list of metadata */
    size_t next;
} aside;

static void put_aside(void *state, size_t *entries)
{
    aside *lists = state;
    CNX_PUSH(lists->arena, lists->entries, lists->count, lists->capacity, *entries);
}

static void clear(void *state, size_t *entries)
{
    (void)state;
    *entries = 0;
}

static void put_back(void *state, size_t *entries)
{
    aside *lists = state;
    *entries = lists->entries[lists->next++];
}

/* The trap of its own makes the metadata come back on failure, too. */
void cnx_digest_of_model(cnx_model *model, char text[33])
{
    if (model->not_canonical != NULL)
        cnx_fail(model->arena, CNX_ERROR_NOT_CANONICAL, NULL, "the form is not canonical: %s",
                 model->not_canonical);
    cnx_arena *scratch = cnx_arena_create(model->arena);
    aside lists = {.arena = scratch};
    cnx_metadata_visit(model, put_aside, &lists);
    cnx_metadata_visit(model, clear, NULL);
    cnx_error error;
    cnx_trap trap;
    if (CNX_ENTER(scratch, trap, &error) == CNX_OK)
        digest_model(scratch, model, text);
    cnx_code code = cnx_leave(scratch, &trap);
    cnx_metadata_visit(model, put_back, &lists);
    cnx_arena_destroy(scratch);
    if (code != CNX_OK)
        cnx_fail(model->arena, code, error.place, "%s", error.message);
}

cnx_code cnx_model_hash(cnx_model *model, char digest[33], cnx_error *error)
{
    cnx_trap trap;
    if (CNX_ENTER(model->arena, trap, error) == CNX_OK)
        cnx_digest_of_model(model, digest);
    return cnx_leave(model->arena, &trap);
}

/* ---- a hash in the model ---- */

void cnx_embed_hash(cnx_model *model)
{
    char digest[33];
    cnx_digest_of_model(model, digest);
    cnx_metadata_set(model, CNX_HASH_KEY, cnx_print(model->arena, "%d:%s", CNX_FORMAT_VERSION, digest));
}

static const char *read_embedded(cnx_model *model)
{
    const Onnx__StringStringEntryProto *entry = cnx_metadata_find(model, CNX_HASH_KEY);
    if (entry == NULL)
        return NULL;
    const char *value = entry->value != NULL ? entry->value : "";
    size_t version = strspn(value, "0123456789");
    const char *digest = value + version + (value[version] == ':');
    if (version == 0 || value[version] != ':' || strspn(digest, "0123456789abcdef") != 32 ||
        digest[32] != '\0')
        cnx_fail(model->arena, CNX_ERROR_FORMAT, "metadata \"" CNX_HASH_KEY "\"",
                 "the embedded hash is malformed (expected a version, a colon and 32 hexadecimal digits)");
    if (strncmp(value, cnx_print(model->arena, "%d:", CNX_FORMAT_VERSION), version + 1) != 0)
        cnx_fail(model->arena, CNX_ERROR_FORMAT, "metadata \"" CNX_HASH_KEY "\"",
                 "the embedded hash is of version %.*s of the canonical form (expected %d)",
                 version < 20 ? (int)version : 20, value, CNX_FORMAT_VERSION);
    return digest;
}

cnx_code cnx_model_embedded_hash(cnx_model *model, const char **digest, cnx_error *error)
{
    *digest = NULL;
    cnx_trap trap;
    if (CNX_ENTER(model->arena, trap, error) == CNX_OK)
        *digest = read_embedded(model);
    return cnx_leave(model->arena, &trap);
}
