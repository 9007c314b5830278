/* Files as memory. */
#ifndef CNX_ONNX_MAPPING_H
#define CNX_ONNX_MAPPING_H

#include "base/arena.h"

/* Borrowed bytes, in a mapping that some arena keeps. */
typedef struct cnx_view {
    const uint8_t *bytes;
    uint64_t size;
    const int *descriptor; /* the file that is mapped, while it is kept open, or NULL; see cnx_view_copy */
    uint64_t offset;       /* of the view in it */
} cnx_view;

/* A place for a file descriptor, -1 at first, that is closed when the arena dies. Assign only once. */
int *cnx_hold_descriptor(cnx_arena *arena);

/* The size of an open regular file. Fails for anything else; `name` is for the message. */
uint64_t cnx_regular_size(cnx_arena *arena, int descriptor, const char *name);

/* Maps a regular file, read-only, until the arena dies. The descriptor may be closed afterwards. An empty
 * file gives an empty view. A few of the files stay open, for cnx_view_copy. */
cnx_view cnx_map_descriptor(cnx_arena *arena, int descriptor, const char *name);

/* Brings bytes of a mapping in before they are read in one go: one call instead of a page fault for every
 * few pages. Bytes elsewhere are allowed, and nothing can go wrong. */
void cnx_view_prefetch(const uint8_t *bytes, size_t size);

/* Starts reading from the disk what is not in memory yet, for bytes of a mapping that are to be read soon,
 * out of order. */
void cnx_view_expect(const uint8_t *bytes, size_t size);

/* Copies bytes that lie in the view. From a file that is open they are read, which is faster than copying out
 * of the mapping, page by page, and maps no pages. Nothing can go wrong that would not when the mapping is
 * read; different threads may copy at once. */
void cnx_view_copy(const cnx_view *view, const uint8_t *bytes, size_t size, uint8_t *out);

/* Lets go of the pages of a mapping that lie between two addresses; they come back when they are read again.
 * Only for mappings of files: other memory would lose its contents. */
void cnx_view_release(const uint8_t *bytes, size_t size);

/* A new unlinked file in the folder for temporary files; closed when the arena dies. */
int cnx_temporary_file(cnx_arena *arena);

/* Writes everything or fails; `name` is for the message. */
void cnx_write_all(cnx_arena *arena, int descriptor, const void *bytes, size_t size, const char *name);

#endif
