/* Saving to a path: a temporary file beside it, renamed when everything is written. Of two files the data is
 * renamed first: a model is never there without its weights. */
#include "onnx/mapping.h"
#include "onnx/model.h"
#include "onnx/reader.h"
#include "onnx/source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Small writes are gathered; large ones go straight from the mapping. */
enum { BUFFER = 1 << 16 };

typedef struct output {
    int descriptor;               /* -1: not open */
    char path[PATH_MAX + 1];      /* where it goes in the end, links resolved */
    char temporary[PATH_MAX + 1]; /* "": nothing to remove */
    uint64_t size;
    size_t buffered;
    uint8_t buffer[BUFFER];
} output;

static void flush(output *out, cnx_arena *arena)
{
    cnx_write_all(arena, out->descriptor, out->buffer, out->buffered, "the file");
    out->buffered = 0;
}

static void write_file(cnx_sink *sink, const void *bytes, size_t size)
{
    output *out = sink->state;
    out->size += size;
    if (size > BUFFER - out->buffered)
        flush(out, sink->arena);
    if (size > BUFFER) {
        cnx_write_all(sink->arena, out->descriptor, bytes, size, "the file");
        return;
    }
    memcpy(out->buffer + out->buffered, bytes, size);
    out->buffered += size;
}

/* A link is followed, as `cp` does: what it points to is replaced, not the link. */
static void resolve_path(output *out, cnx_arena *arena, const char *path)
{
    struct stat status;
    if (lstat(path, &status) == 0 && S_ISLNK(status.st_mode) && realpath(path, out->path) != NULL)
        path = out->path;
    else if (snprintf(out->path, sizeof out->path, "%s", path) > PATH_MAX)
        cnx_fail(arena, CNX_ERROR_FILE, NULL, "cannot write: the path is too long");
    if (stat(out->path, &status) == 0 && !S_ISREG(status.st_mode))
        cnx_fail(arena, CNX_ERROR_FILE, NULL, "cannot write: %s",
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

static void create(output *out, cnx_arena *arena, const char *path)
{
    resolve_path(out, arena, path);
    const char *slash = strrchr(out->path, '/');
    int folder = slash == NULL ? 0 : (int)(slash + 1 - out->path);
    char name[PATH_MAX + 1];
    if (snprintf(name, sizeof name, "%.*s.canonnx-XXXXXX", folder, out->path) > PATH_MAX)
        cnx_fail(arena, CNX_ERROR_FILE, NULL, "cannot write: the path is too long");
    out->descriptor = mkostemp(name, O_CLOEXEC);
    if (out->descriptor < 0)
        cnx_fail(arena, CNX_ERROR_FILE, NULL, "cannot write: %s", strerror(errno));
    memcpy(out->temporary, name, sizeof name);
    fchmod(out->descriptor, wanted_mode(out->path));
}

static void finish(output *out, cnx_arena *arena)
{
    flush(out, arena);
    int descriptor = out->descriptor;
    out->descriptor = -1;
    if (close(descriptor) != 0)
        cnx_fail(arena, CNX_ERROR_FILE, NULL, "cannot write: %s", strerror(errno));
    if (rename(out->temporary, out->path) != 0)
        cnx_fail(arena, CNX_ERROR_FILE, NULL, "cannot write: %s", strerror(errno));
    out->temporary[0] = '\0';
}

static void discard(void *argument)
{
    output *out = argument;
    if (out->descriptor >= 0)
        close(out->descriptor);
    if (out->temporary[0] != '\0')
        unlink(out->temporary);
}

static output *begin(cnx_arena *scratch, const char *path)
{
    output *out = CNX_NEW(scratch, output);
    out->descriptor = -1;
    cnx_defer(scratch, discard, out);
    create(out, scratch, path);
    return out;
}

static bool is_spoiled(const cnx_tensor_reader *reader)
{
    return reader != NULL && reader->spoiled != NULL && atomic_load(reader->spoiled);
}

static uint64_t write_one(cnx_arena *scratch, cnx_model *model, const cnx_tensor_reader *reader,
                          const char *path)
{
    output *out = begin(scratch, path);
    cnx_sink sink = {.write = write_file, .state = out, .arena = scratch};
    cnx_save(model, reader, &sink);
    if (is_spoiled(reader))
        return 0;
    finish(out, scratch);
    return out->size;
}

/* Where a file of the source has the name of the data, and the model is not the one that is replaced, weights
 * that somebody still refers to would go. */
static void keep_source(cnx_arena *scratch, const cnx_model *model, const output *out, const char *data)
{
    struct stat old, source, target;
    if (stat(data, &old) != 0 || (stat(model->path, &source) == 0 && stat(out->path, &target) == 0 &&
                                  source.st_dev == target.st_dev && source.st_ino == target.st_ino))
        return;
    if (cnx_source_reads(model->source, old.st_dev, old.st_ino))
        cnx_fail(scratch, CNX_ERROR_FILE, NULL,
                 "cannot write: weights would go to \"%.200s\", which holds those of the input", data);
}

static uint64_t write_two(cnx_arena *scratch, cnx_model *model, const cnx_tensor_reader *reader,
                          const char *path)
{
    output *out = begin(scratch, path);
    const char *data = cnx_print(scratch, "%s.data", out->path), *slash = strrchr(data, '/');
    keep_source(scratch, model, out, data);
    output *beside = begin(scratch, data);
    cnx_sink sink = {.write = write_file, .state = out, .arena = scratch};
    cnx_sink data_sink = {.write = write_file, .state = beside, .arena = scratch};
    uint64_t size = cnx_save_in_two(model, reader, &sink, slash == NULL ? data : slash + 1, &data_sink);
    if (out->size > CNX_LARGEST_MESSAGE)
        cnx_fail(scratch, CNX_ERROR_LIMIT, NULL,
                 "cannot write: without its initializers the model takes %" PRIu64
                 " bytes (expected less than 2 GiB)",
                 out->size);
    if (is_spoiled(reader))
        return 0;
    finish(beside, scratch);
    finish(out, scratch);
    return size;
}

typedef uint64_t writer(cnx_arena *scratch, cnx_model *model, const cnx_tensor_reader *reader,
                        const char *path);

/* The trap of its own makes temporary files go at once on failure, and not only with the model. */
static uint64_t save_by(writer *write, cnx_model *model, const cnx_tensor_reader *reader, const char *path)
{
    cnx_arena *scratch = cnx_arena_create(model->arena);
    volatile uint64_t size = 0;
    cnx_error error;
    cnx_trap trap;
    if (CNX_ENTER(scratch, trap, &error) == CNX_OK)
        size = write(scratch, model, reader, path);
    cnx_code code = cnx_leave(scratch, &trap);
    cnx_arena_destroy(scratch);
    if (code != CNX_OK)
        cnx_fail(model->arena, code, error.place, "%s", error.message);
    return size;
}

uint64_t cnx_save_file(cnx_model *model, const cnx_tensor_reader *reader, const char *path)
{
    return save_by(cnx_saved_size(model) > CNX_LARGEST_MESSAGE ? write_two : write_one, model, reader, path);
}

uint64_t cnx_save_two_files(cnx_model *model, const cnx_tensor_reader *reader, const char *path)
{
    return save_by(write_two, model, reader, path);
}

cnx_code cnx_file_write(const char *path, const void *bytes, size_t size, cnx_error *error)
{
    cnx_arena *arena = cnx_arena_create(NULL);
    if (arena == NULL)
        return cnx_out_of_memory(error);
    cnx_trap trap;
    if (CNX_ENTER(arena, trap, error) == CNX_OK) {
        output *out = begin(arena, path);
        cnx_write_all(arena, out->descriptor, bytes, size, "the file");
        finish(out, arena);
    }
    cnx_code code = cnx_leave(arena, &trap);
    cnx_arena_destroy(arena);
    return code;
}
