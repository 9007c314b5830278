/* The digest of a file that may be anything. */
#include "base/checksum.h"
#include "onnx/mapping.h"

#include <errno.h>
#include <fcntl.h>

enum { PIECE = 8 << 20 };

static void digest_file(cnx_arena *arena, const char *path, uint64_t *size, char digest[33])
{
    int *descriptor = cnx_hold_descriptor(arena);
    *descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*descriptor < 0)
        cnx_fail(arena, CNX_ERROR_FILE, NULL, "cannot open the file: %s", strerror(errno));
    cnx_view view = cnx_map_descriptor(arena, *descriptor, "the file");
    cnx_checksum *checksum = cnx_checksum_create(arena);
    for (uint64_t offset = 0; offset < view.size; offset += PIECE) {
        size_t part = view.size - offset < PIECE ? (size_t)(view.size - offset) : PIECE;
        cnx_view_prefetch(view.bytes + offset, part);
        cnx_checksum_add(checksum, view.bytes + offset, part);
        cnx_view_release(view.bytes + offset, part);
    }
    cnx_checksum_print(checksum, digest);
    *size = view.size;
}

cnx_code cnx_file_digest(const char *path, uint64_t *size, char digest[33], cnx_error *error)
{
    cnx_arena *arena = cnx_arena_create(NULL);
    if (arena == NULL)
        return cnx_out_of_memory(error);
    cnx_trap trap;
    if (CNX_ENTER(arena, trap, error) == CNX_OK)
        digest_file(arena, path, size, digest);
    cnx_code code = cnx_leave(arena, &trap);
    cnx_arena_destroy(arena);
    return code;
}
