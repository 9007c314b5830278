/* External data: payloads in files beside the model.
 *
 * A model is somebody else's text, and `location` in it is a path. It must not reach anything that the
 * model's folder does not hold: no absolute path, no "..", no symbolic link that leads out (the kernel
 * resolves the path beneath the folder, or, where it cannot, no link at all is followed), no second name
 * (hard link) of a file that may live elsewhere, and nothing but regular files.
 */
#include "onnx/source.h"
#include "onnx/zip.h"
#include "proto/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef unsigned long long ull; /* for printf */

typedef struct reference {
    cnx_source *source;
    const cnx_place *place;
    const char *location; /* cleaned: no "." and no empty parts */
    uint64_t offset;
    bool has_length;
    uint64_t length;
} reference;

#define fail_reference(ref, code, ...)                                                                       \
    cnx_fail((ref)->source->arena, (code), cnx_place_text((ref)->source->arena, (ref)->place), __VA_ARGS__)

/* ---- reading the reference ---- */

static uint64_t parse_number(const reference *ref, const char *key, const char *text)
{
    uint64_t value = 0;
    for (const char *at = text; *at != '\0'; at++) {
        bool digit = *at >= '0' && *at <= '9';
        if (!digit || __builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
            fail_reference(ref, CNX_ERROR_FORMAT, "the external data's %s is \"%.40s\" (expected a number)",
                           key, text);
    }
    if (text[0] == '\0')
        fail_reference(ref, CNX_ERROR_FORMAT, "the external data's %s is empty", key);
    return value;
}

/* The path without "." and empty parts; fails when it leaves the folder. */
static const char *clean_location(const reference *ref, const char *text)
{
    if (text[0] == '/')
        fail_reference(ref, CNX_ERROR_FORMAT, "external data \"%.200s\" is outside of the model's folder",
                       text);
    char *out = cnx_alloc(ref->source->arena, strlen(text) + 1);
    size_t size = 0;
    while (*text != '\0') {
        size_t part = strcspn(text, "/");
        if (part == 2 && memcmp(text, "..", 2) == 0)
            fail_reference(ref, CNX_ERROR_FORMAT, "external data \"%.200s\" is outside of the model's folder",
                           text);
        if (part != 0 && !(part == 1 && text[0] == '.')) {
            if (size != 0)
                out[size++] = '/';
            memcpy(out + size, text, part);
            size += part;
        }
        text += part;
        text += *text == '/';
    }
    if (size == 0)
        fail_reference(ref, CNX_ERROR_FORMAT, "the external data's location is empty");
    return out;
}

static void read_reference(reference *ref, const Onnx__TensorProto *tensor)
{
    for (size_t i = 0; i < tensor->n_external_data; i++) {
        const char *key = tensor->external_data[i]->key;
        const char *value = tensor->external_data[i]->value;
        if (key == NULL || value == NULL)
            continue;
        if (strcmp(key, "location") == 0) {
            ref->location = clean_location(ref, value);
        } else if (strcmp(key, "offset") == 0) {
            ref->offset = parse_number(ref, key, value);
        } else if (strcmp(key, "length") == 0) {
            ref->length = parse_number(ref, key, value);
            ref->has_length = true;
        }
    }
    if (ref->location == NULL)
        fail_reference(ref, CNX_ERROR_FORMAT, "the external data has no location");
}

/* ---- opening the file ---- */

static int open_beneath_folder(int folder, const char *location)
{
    struct open_how how = {
        .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    return (int)syscall(SYS_openat2, folder, location, &how, sizeof how);
}

/* For kernels without openat2: part by part, following no link. */
static int open_part_by_part(cnx_arena *scratch, int folder, const char *location)
{
    for (;;) {
        size_t part = strcspn(location, "/");
        const char *name = cnx_print(scratch, "%.*s", (int)part, location);
        bool last = location[part] == '\0';
        int *next = cnx_hold_descriptor(scratch);
        *next = openat(folder, name,
                       O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | (last ? 0 : O_DIRECTORY));
        if (*next < 0 || last)
            return *next;
        folder = *next;
        location += part + 1;
    }
}

static cnx_view map_external(const reference *ref)
{
    cnx_source *source = ref->source;
    cnx_arena *scratch = cnx_arena_create(source->arena);
    int *folder = cnx_hold_descriptor(scratch);
    *folder = open(source->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int *held = cnx_hold_descriptor(scratch);
    int descriptor = *folder < 0 ? -1 : open_beneath_folder(*folder, ref->location);
    *held = descriptor;
    if (descriptor < 0 && (errno == ENOSYS || errno == EPERM || errno == E2BIG))
        descriptor = open_part_by_part(scratch, *folder, ref->location);
    if (descriptor < 0 && (errno == EXDEV || errno == ELOOP))
        fail_reference(ref, CNX_ERROR_FORMAT,
                       "external data \"%.200s\" is a link that leads outside of the model's folder",
                       ref->location);
    if (descriptor < 0)
        fail_reference(ref, CNX_ERROR_FILE, "cannot open the external data \"%.200s\": %s", ref->location,
                       strerror(errno));
    struct stat status;
    if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode))
        fail_reference(ref, CNX_ERROR_FORMAT, "external data \"%.200s\" is not a regular file",
                       ref->location);
    if (status.st_nlink > 1)
        fail_reference(
            ref, CNX_ERROR_FORMAT,
            "external data \"%.200s\" has other names (hard links) and may be outside of the model's folder; "
            "copy the file",
            ref->location);
    cnx_view view = cnx_map_descriptor(source->arena, descriptor, "the external data");
    cnx_arena_destroy(scratch);
    return view;
}

/* In an archive, locations are relative to the model's folder in it. */
static cnx_view find_in_archive(const reference *ref)
{
    const cnx_source *source = ref->source;
    const char *slash = strrchr(source->member, '/');
    const char *name = slash == NULL ? ref->location
                                     : cnx_print(source->arena, "%.*s%s", (int)(slash + 1 - source->member),
                                                 source->member, ref->location);
    return cnx_zip_member(source->zip, name);
}

static cnx_view open_location(const reference *ref)
{
    cnx_source *source = ref->source;
    if (source->zip == NULL && source->folder == NULL)
        fail_reference(ref, CNX_ERROR_FILE,
                       "external data \"%.200s\" needs a folder (the model came from standard input)",
                       ref->location);
    uint32_t number = cnx_intern_add(&source->names, ref->location, strlen(ref->location));
    if (number < source->file_count)
        return source->files[number];
    if (source->file_count == CNX_LIMIT_EXTERNAL_FILES)
        fail_reference(ref, CNX_ERROR_LIMIT, "too many files of external data (limit external-files: %d)",
                       CNX_LIMIT_EXTERNAL_FILES);
    cnx_view view = source->zip != NULL ? find_in_archive(ref) : map_external(ref);
    CNX_PUSH(source->arena, source->files, source->file_count, source->file_capacity, view);
    return view;
}

const uint8_t *cnx_source_external(cnx_source *source, const Onnx__TensorProto *tensor, uint64_t size,
                                   const cnx_place *place)
{
    reference ref = {.source = source, .place = place};
    read_reference(&ref, tensor);
    if (ref.has_length && ref.length != size)
        fail_reference(&ref, CNX_ERROR_FORMAT,
                       "external data \"%.200s\" has the length %llu (expected %llu for dims and type)",
                       ref.location, (ull)ref.length, (ull)size);
    cnx_view file = open_location(&ref);
    if (ref.offset > file.size || size > file.size - ref.offset)
        fail_reference(
            &ref, CNX_ERROR_FORMAT,
            "external data \"%.200s\" ends at byte %llu, but the tensor is at %llu and takes %llu bytes",
            ref.location, (ull)file.size, (ull)ref.offset, (ull)size);
    return file.bytes + ref.offset;
}
