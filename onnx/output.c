#include "onnx/output.h"

#include "base/thread.h"
#include "onnx/mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Small writes are gathered; large ones go straight from where they are. */
enum { BUFFER = 1 << 16 };

/* Room is made in steps of these bytes, so that a writer soon gets its turn, and not at all for less. */
enum { STEP = 4 << 20 };

struct cnx_output {
    cnx_sink sink;
    int descriptor;               /* -1: not open */
    char path[PATH_MAX + 1];      /* where it goes in the end, links resolved */
    char temporary[PATH_MAX + 1]; /* its name until then; "": it has none */
    uint64_t size;
    size_t buffered;
    uint8_t buffer[BUFFER];
    uint64_t expected; /* bytes for which `maker` makes room */
    bool makes_room;   /* there is such a thread */
    atomic_bool enough;
    pthread_t maker;
};

/* ---- room ---- */

static void *make_room(void *argument)
{
    cnx_output *out = argument;
    for (uint64_t at = 0; at < out->expected && !atomic_load(&out->enough); at += STEP)
        if (fallocate(out->descriptor, 0, (off_t)at, STEP) != 0)
            break; /* who writes will see what is wrong */
    return NULL;
}

void cnx_output_expect(cnx_output *out, uint64_t bytes)
{
    if (out->makes_room || out->size != 0 || bytes < STEP || bytes > INT64_MAX - STEP ||
        cnx_processor_count() < 2)
        return;
    out->expected = bytes;
    out->makes_room = cnx_thread_start(&out->maker, make_room, out);
}

static void stop_making_room(cnx_output *out)
{
    if (!out->makes_room)
        return;
    atomic_store(&out->enough, true);
    pthread_join(out->maker, NULL);
    out->makes_room = false;
}

/* ---- bytes ---- */

static void write_all(cnx_output *out, const void *bytes, size_t size)
{
    stop_making_room(out);
    cnx_write_all(out->sink.arena, out->descriptor, bytes, size, "the file");
}

static void flush(cnx_output *out)
{
    write_all(out, out->buffer, out->buffered);
    out->buffered = 0;
}

static void write_bytes(cnx_sink *sink, const void *bytes, size_t size)
{
    cnx_output *out = sink->state;
    out->size += size;
    if (size > BUFFER - out->buffered)
        flush(out);
    if (size > BUFFER) {
        write_all(out, bytes, size);
        return;
    }
    memcpy(out->buffer + out->buffered, bytes, size);
    out->buffered += size;
}

cnx_sink *cnx_output_sink(cnx_output *out)
{
    return &out->sink;
}

uint64_t cnx_output_size(const cnx_output *out)
{
    return out->size;
}

const char *cnx_output_path(const cnx_output *out)
{
    return out->path;
}

/* ---- names ---- */

static void resolve_path(cnx_output *out, const char *path)
{
    struct stat status;
    if (lstat(path, &status) == 0 && S_ISLNK(status.st_mode) && realpath(path, out->path) != NULL)
        path = out->path;
    else if (snprintf(out->path, sizeof out->path, "%s", path) > PATH_MAX)
        cnx_fail(out->sink.arena, CNX_ERROR_FILE, NULL, "cannot write: the path is too long");
    if (stat(out->path, &status) == 0 && !S_ISREG(status.st_mode))
        cnx_fail(out->sink.arena, CNX_ERROR_FILE, NULL, "cannot write: %s",
                 S_ISDIR(status.st_mode) ? "it is a folder (expected a file)" : "it is not a regular file");
}

/* The mode of the file that is replaced, or what the umask leaves of 0666. */
static mode_t wanted_mode(const char *path)
{
    struct stat status;
    if (stat(path, &status) == 0)
        return status.st_mode & 0777;
    /* The umask can only be read by setting it, which other threads would notice; /proc tells it. */
    unsigned mask = 022;
    FILE *file = fopen("/proc/self/status", "re");
    char line[128];
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "Umask: %o", &mask) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return 0666 & ~(mode_t)mask;
}

/* How long the part of the path is that names the folder, its last slash included. */
static int folder_length(const cnx_output *out)
{
    const char *slash = strrchr(out->path, '/');
    return slash == NULL ? 0 : (int)(slash + 1 - out->path);
}

/* Where the kernel shows the open file, so that it can be given a name. */
static void shown_at(const cnx_output *out, char place[64])
{
    snprintf(place, 64, "/proc/self/fd/%d", out->descriptor);
}

/* A file without a name, if there can be one that gets a name later. */
static bool open_nameless(cnx_output *out)
{
    char folder[PATH_MAX + 1], place[64];
    int length = folder_length(out);
    snprintf(folder, sizeof folder, "%.*s", length, out->path);
    out->descriptor = open(length == 0 ? "." : folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    if (out->descriptor < 0)
        return false;
    shown_at(out, place);
    if (access(place, F_OK) == 0)
        return true;
    close(out->descriptor);
    out->descriptor = -1;
    return false;
}

static void open_named(cnx_output *out)
{
    char name[PATH_MAX + 1];
    if (snprintf(name, sizeof name, "%.*s.canonnx-XXXXXX", folder_length(out), out->path) > PATH_MAX)
        cnx_fail(out->sink.arena, CNX_ERROR_FILE, NULL, "cannot write: the path is too long");
    out->descriptor = mkostemp(name, O_CLOEXEC);
    if (out->descriptor < 0)
        cnx_fail(out->sink.arena, CNX_ERROR_FILE, NULL, "cannot write: %s", strerror(errno));
    memcpy(out->temporary, name, sizeof name);
}

/* Gives a file without a name one beside its path: only a rename can replace what may be there. */
static bool give_name(cnx_output *out)
{
    char place[64];
    shown_at(out, place);
    for (unsigned attempt = 0; attempt < 1000; attempt++) {
        if (snprintf(out->temporary, sizeof out->temporary, "%.*s.canonnx-%ld-%u", folder_length(out),
                     out->path, (long)getpid(), attempt) > PATH_MAX)
            errno = ENAMETOOLONG;
        else if (linkat(AT_FDCWD, place, AT_FDCWD, out->temporary, AT_SYMLINK_FOLLOW) == 0)
            return true;
        else if (errno == EEXIST)
            continue;
        break;
    }
    out->temporary[0] = '\0';
    return false;
}

static void discard(void *argument)
{
    cnx_output *out = argument;
    stop_making_room(out);
    if (out->descriptor >= 0)
        close(out->descriptor);
    if (out->temporary[0] != '\0')
        unlink(out->temporary);
}

cnx_output *cnx_output_begin(cnx_arena *arena, const char *path)
{
    cnx_output *out = CNX_NEW(arena, cnx_output);
    out->sink = (cnx_sink){.write = write_bytes, .state = out, .arena = arena};
    out->descriptor = -1;
    cnx_defer(arena, discard, out);
    resolve_path(out, path);
    if (!open_nameless(out))
        open_named(out);
    fchmod(out->descriptor, wanted_mode(out->path));
    return out;
}

void cnx_output_finish(cnx_output *out)
{
    flush(out);
    bool done = ftruncate(out->descriptor, (off_t)out->size) == 0 && /* more room than it took goes */
                (out->temporary[0] != '\0' || give_name(out));
    int descriptor = out->descriptor;
    out->descriptor = -1;
    int problem = errno;
    if (close(descriptor) != 0 && done) {
        done = false;
        problem = errno;
    }
    if (done && rename(out->temporary, out->path) != 0) {
        done = false;
        problem = errno;
    }
    if (!done)
        cnx_fail(out->sink.arena, CNX_ERROR_FILE, NULL, "cannot write: %s", strerror(problem));
    out->temporary[0] = '\0';
}
