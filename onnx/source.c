#include "onnx/source.h"

#include "onnx/zip.h"
#include "proto/limits.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

/* Opening for reading must not wait, as a pipe without a writer would make it. */
enum { OPEN_FLAGS = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY };

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text);
    size_t tail = strlen(end);
    return length > tail && strcmp(text + length - tail, end) == 0;
}

/* ---- standard input ---- */

/* Standard input may be a pipe: it is copied to a file that can be mapped. */
static int spool(cnx_arena *arena, cnx_arena *scratch)
{
    enum { BLOCK = 1 << 18 };
    int file = cnx_temporary_file(arena);
    char *block = cnx_alloc(scratch, BLOCK);
    for (uint64_t total = 0;;) {
        ssize_t got = read(STDIN_FILENO, block, BLOCK);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            cnx_fail(arena, CNX_ERROR_FILE, NULL, "cannot read standard input: %s", strerror(errno));
        if (got == 0)
            return file;
        total += (uint64_t)got;
        if (total > CNX_LIMIT_STANDARD_INPUT * CNX_MEBIBYTE)
            cnx_fail(arena, CNX_ERROR_LIMIT, NULL,
                     "standard input is too long (limit standard-input: %d MiB)", CNX_LIMIT_STANDARD_INPUT);
        cnx_write_all(arena, file, block, (size_t)got, "a temporary file");
    }
}

static cnx_view map_standard_input(cnx_arena *arena)
{
    struct stat status;
    if (fstat(STDIN_FILENO, &status) == 0 && S_ISREG(status.st_mode))
        return cnx_map_descriptor(arena, STDIN_FILENO, "standard input");
    cnx_arena *scratch = cnx_arena_create(arena);
    cnx_view view = cnx_map_descriptor(arena, spool(scratch, scratch), "standard input");
    cnx_arena_destroy(scratch);
    return view;
}

/* ---- files and folders ---- */

/* The one .onnx file in a folder. Nothing may fail between opendir and closedir. */
static const char *find_in_folder(cnx_arena *arena, const char *path)
{
    DIR *folder = opendir(path);
    if (folder == NULL)
        cnx_fail(arena, CNX_ERROR_FILE, NULL, "cannot read the folder: %s", strerror(errno));
    size_t count = 0;
    char found[NAME_MAX + 1] = "";
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] == '.' || !ends_with(entry->d_name, ".onnx"))
            continue;
        snprintf(found, sizeof found, "%s", entry->d_name);
        count++;
    }
    closedir(folder);
    if (count != 1)
        cnx_fail(arena, CNX_ERROR_FILE, NULL, "the folder holds %zu .onnx files (expected one)", count);
    return cnx_print(arena, "%s/%s", path, found);
}

static bool is_regular(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

/* Splits "bundle.zip!inner/model.onnx" into a file that exists and what is behind the '!'. A file whose own
 * name has a '!' wins. */
static const char *split(cnx_arena *arena, const char *path, const char **inner)
{
    struct stat status;
    *inner = NULL;
    if (stat(path, &status) == 0)
        return S_ISDIR(status.st_mode) ? find_in_folder(arena, path) : path;
    int reason = errno;
    for (const char *mark = strchr(path, '!'); mark != NULL; mark = strchr(mark + 1, '!')) {
        const char *file = cnx_print(arena, "%.*s", (int)(mark - path), path);
        if (is_regular(file)) {
            *inner = mark + 1;
            return file;
        }
    }
    cnx_fail(arena, CNX_ERROR_FILE, NULL, "cannot open the file: %s", strerror(reason));
}

static cnx_view map_file(cnx_arena *arena, const char *path)
{
    cnx_arena *scratch = cnx_arena_create(arena);
    int *descriptor = cnx_hold_descriptor(scratch);
    *descriptor = open(path, OPEN_FLAGS);
    if (*descriptor < 0)
        cnx_fail(arena, CNX_ERROR_FILE, NULL, "cannot open the file: %s", strerror(errno));
    cnx_view view = cnx_map_descriptor(arena, *descriptor, "the file");
    cnx_arena_destroy(scratch);
    return view;
}

static const char *folder_of(cnx_arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return ".";
    return slash == path ? "/" : cnx_print(arena, "%.*s", (int)(slash - path), path);
}

cnx_source *cnx_source_open(cnx_arena *arena, const char *path)
{
    cnx_source *source = CNX_NEW(arena, cnx_source);
    source->arena = arena;
    cnx_intern_init(&source->names, arena);
    const char *inner = NULL;
    if (strcmp(path, "-") == 0) {
        source->model = map_standard_input(arena);
    } else {
        const char *file = split(arena, path, &inner);
        source->model = map_file(arena, file);
        source->folder = folder_of(arena, file);
    }
    if (source->model.size == 0)
        cnx_fail(arena, CNX_ERROR_FORMAT, NULL, "the file is empty (expected an ONNX model)");
    if (cnx_is_zip(source->model)) {
        source->zip = cnx_zip_open(arena, source->model);
        source->member = inner != NULL ? inner : cnx_zip_find_model(source->zip);
        source->model = cnx_zip_member(source->zip, source->member);
        source->folder = NULL;
    } else if (inner != NULL) {
        cnx_fail(arena, CNX_ERROR_FORMAT, NULL, "the file in front of the '!' is no zip archive");
    }
    return source;
}

static bool holds(const cnx_view *view, const uint8_t *bytes)
{
    uintptr_t offset = (uintptr_t)bytes - (uintptr_t)view->bytes;
    return (uintptr_t)bytes >= (uintptr_t)view->bytes && offset < view->size;
}

bool cnx_source_reads(const cnx_source *source, dev_t device, ino_t file)
{
    struct stat status;
    for (uint32_t i = 0; source->folder != NULL && i < source->file_count; i++) {
        size_t size;
        const char *name = cnx_intern_bytes(&source->names, i, &size);
        cnx_arena *scratch = cnx_arena_create(source->arena);
        bool known = stat(cnx_print(scratch, "%s/%s", source->folder, name), &status) == 0;
        cnx_arena_destroy(scratch);
        if (known && status.st_dev == device && status.st_ino == file)
            return true;
    }
    return false;
}

const cnx_view *cnx_source_view(const cnx_source *source, const uint8_t *bytes)
{
    if (holds(&source->model, bytes))
        return &source->model;
    for (size_t i = 0; i < source->file_count; i++)
        if (holds(&source->files[i], bytes))
            return &source->files[i];
    return NULL;
}
