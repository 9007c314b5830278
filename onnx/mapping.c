#include "onnx/mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void close_held(void *argument)
{
    int *descriptor = argument;
    if (*descriptor >= 0)
        close(*descriptor);
}

int *cnx_hold_descriptor(cnx_arena *arena)
{
    int *descriptor = CNX_NEW(arena, int);
    *descriptor = -1;
    cnx_defer(arena, close_held, descriptor);
    return descriptor;
}

uint64_t cnx_regular_size(cnx_arena *arena, int descriptor, const char *name)
{
    struct stat status;
    if (fstat(descriptor, &status) != 0)
        cnx_fail(arena, CNX_ERROR_FILE, NULL, "cannot read %s: %s", name, strerror(errno));
    if (S_ISDIR(status.st_mode))
        cnx_fail(arena, CNX_ERROR_FILE, NULL, "%s is a folder (expected a file)", name);
    if (!S_ISREG(status.st_mode))
        cnx_fail(arena, CNX_ERROR_FILE, NULL, "%s is not a regular file", name);
    return (uint64_t)status.st_size;
}

typedef struct mapping {
    void *address;
    size_t size;
} mapping;

static void unmap(void *argument)
{
    mapping *item = argument;
    if (item->size != 0)
        munmap(item->address, item->size);
}

/* A descriptor of our own for the same file, or NULL. A model may have thousands of files of external data,
 * and a process has few descriptors: those with large numbers are left to others. */
static const int *keep_open(cnx_arena *arena, int descriptor)
{
    enum { LARGEST = 128 };
    int *kept = cnx_hold_descriptor(arena);
    *kept = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    if (*kept <= LARGEST)
        return *kept < 0 ? NULL : kept;
    close(*kept);
    *kept = -1;
    return NULL;
}

cnx_view cnx_map_descriptor(cnx_arena *arena, int descriptor, const char *name)
{
    uint64_t size = cnx_regular_size(arena, descriptor, name);
    if (size == 0)
        return (cnx_view){.bytes = (const uint8_t *)"", .size = 0};
    if (size > SIZE_MAX / 2)
        cnx_fail(arena, CNX_ERROR_FILE, NULL, "%s is too large to map", name);
    mapping *item = CNX_NEW(arena, mapping);
    cnx_defer(arena, unmap, item);
    void *address = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (address == MAP_FAILED)
        cnx_fail(arena, CNX_ERROR_FILE, NULL, "cannot map %s: %s", name, strerror(errno));
    *item = (mapping){.address = address, .size = (size_t)size};
    const int *open_file = keep_open(arena, descriptor);
    /* Headers are far apart: reading ahead around each would read the whole file. */
    madvise(address, (size_t)size, MADV_RANDOM);
    return (cnx_view){.bytes = address, .size = size, .descriptor = open_file};
}

void cnx_view_expect(const uint8_t *bytes, size_t size)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t first = (uintptr_t)bytes & ~(page - 1);
    madvise((void *)first, (uintptr_t)bytes + size - first, MADV_WILLNEED);
}

void cnx_view_prefetch(const uint8_t *bytes, size_t size)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t first = (uintptr_t)bytes & ~(page - 1);
    uintptr_t end = (uintptr_t)bytes + size;
    madvise((void *)first, end - first, MADV_WILLNEED); /* starts reading what is not in memory */
#ifdef MADV_POPULATE_READ
    madvise((void *)first, end - first, MADV_POPULATE_READ); /* one walk instead of a fault every few pages */
#endif
}

void cnx_view_copy(const cnx_view *view, const uint8_t *bytes, size_t size, uint8_t *out)
{
    while (view->descriptor != NULL && size != 0) {
        off_t offset = (off_t)(view->offset + (uint64_t)(bytes - view->bytes));
        ssize_t got = pread(*view->descriptor, out, size, offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        bytes += got;
        out += got;
        size -= (size_t)got;
    }
    memcpy(out, bytes, size);
}

void cnx_view_release(const uint8_t *bytes, size_t size)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t first = ((uintptr_t)bytes + page - 1) & ~(page - 1);
    uintptr_t end = ((uintptr_t)bytes + size) & ~(page - 1);
    if (first < end)
        madvise((void *)first, end - first, MADV_DONTNEED);
}

int cnx_temporary_file(cnx_arena *arena)
{
    const char *folder = secure_getenv("TMPDIR");
    if (folder == NULL || folder[0] == '\0')
        folder = "/tmp";
    int *descriptor = cnx_hold_descriptor(arena);
    *descriptor = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (*descriptor >= 0)
        return *descriptor;
    char *path = (char *)(uintptr_t)cnx_print(arena, "%s/canonnx.XXXXXX", folder);
    *descriptor = mkostemp(path, O_CLOEXEC);
    if (*descriptor < 0)
        cnx_fail(arena, CNX_ERROR_FILE, NULL, "cannot make a temporary file in %s: %s", folder,
                 strerror(errno));
    unlink(path);
    return *descriptor;
}

void cnx_write_all(cnx_arena *arena, int descriptor, const void *bytes, size_t size, const char *name)
{
    const char *at = bytes;
    while (size != 0) {
        ssize_t written = write(descriptor, at, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            cnx_fail(arena, CNX_ERROR_FILE, NULL, "cannot write %s: %s", name,
                     strerror(written < 0 ? errno : ENOSPC));
        at += written;
        size -= (size_t)written;
    }
}
