/* Zip archives.
 *
 * libzip lists the members and inflates compressed ones. It has no call that tells where the bytes of a
 * stored member are, and those we want to see in place: so the archive's directory is read a second time
 * here, just for that. Its layout, little-endian, from the back to the front:
 *
 *     [local header, name, extra, bytes] ... [directory entry, name, extra, comment] ... [end record]
 *
 * with a 64-bit end record and its locator in front of the end record when a number does not fit 32 bits.
 * Every offset is checked against the archive, and the entry's name against libzip's.
 */
#include "onnx/zip.h"

#include "base/library.h"
#include "onnx/place.h"
#include "proto/limits.h"

#include <zip.h>

/* The functions of libzip, without their prefix. Loading it, and the cryptography that it brings along, takes
 * longer than the analysis of a small model. */
#define FUNCTIONS(FUNCTION)                                                                                  \
    FUNCTION(discard)                                                                                        \
    FUNCTION(error_fini)                                                                                     \
    FUNCTION(error_init)                                                                                     \
    FUNCTION(error_strerror)                                                                                 \
    FUNCTION(fclose)                                                                                         \
    FUNCTION(file_strerror)                                                                                  \
    FUNCTION(fopen_index)                                                                                    \
    FUNCTION(fread)                                                                                          \
    FUNCTION(get_name)                                                                                       \
    FUNCTION(get_num_entries)                                                                                \
    FUNCTION(open_from_source)                                                                               \
    FUNCTION(source_buffer_create) FUNCTION(source_free) FUNCTION(stat) FUNCTION(stat_init) FUNCTION(strerror)

typedef struct functions {
#define FUNCTION(name) __typeof__(zip_##name) *name;
    FUNCTIONS(FUNCTION)
#undef FUNCTION
} functions;

struct cnx_zip {
    cnx_arena *arena;
    functions lib;
    cnx_view archive;
    zip_t *handle;
    uint64_t inflated; /* bytes so far, over all members */
};

typedef unsigned long long ull; /* for printf */

static const char *member_place(const cnx_zip *zip, const char *name)
{
    cnx_place place = {.kind = "member", .name = name};
    return cnx_place_text(zip->arena, &place);
}

#define fail_member(zip, code, name, ...)                                                                    \
    cnx_fail((zip)->arena, (code), member_place((zip), (name)), __VA_ARGS__)

bool cnx_is_zip(cnx_view bytes)
{
    return bytes.size >= 4 &&
           (memcmp(bytes.bytes, "PK\3\4", 4) == 0 || memcmp(bytes.bytes, "PK\5\6", 4) == 0);
}

/* ---- opening and listing ---- */

static void load_functions(cnx_zip *zip)
{
    void *library = cnx_library_load(zip->arena, LIBZIP_FILE, "libzip"), *address;
#define FUNCTION(name)                                                                                       \
    address = cnx_library_find(zip->arena, library, "libzip", "zip_" #name);                                 \
    memcpy(&zip->lib.name, &address, sizeof address);
    FUNCTIONS(FUNCTION)
#undef FUNCTION
}

static void discard(void *argument)
{
    cnx_zip *zip = argument;
    if (zip->handle != NULL)
        zip->lib.discard(zip->handle);
}

static bool leaves_the_archive(const char *name)
{
    if (name[0] == '/')
        return true;
    for (const char *part = name; part != NULL; part = strchr(part, '/')) {
        part += *part == '/';
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0'))
            return true;
    }
    return false;
}

static void open_handle(cnx_zip *zip)
{
    zip_error_t error;
    zip->lib.error_init(&error);
    zip_source_t *source = zip->lib.source_buffer_create(zip->archive.bytes, zip->archive.size, 0, &error);
    if (source != NULL) {
        zip->handle = zip->lib.open_from_source(source, ZIP_RDONLY, &error);
        if (zip->handle == NULL)
            zip->lib.source_free(source);
    }
    char why[128];
    snprintf(why, sizeof why, "%s", zip->lib.error_strerror(&error));
    zip->lib.error_fini(&error);
    if (zip->handle == NULL)
        cnx_fail(zip->arena, CNX_ERROR_FORMAT, NULL, "the zip archive cannot be read: %s", why);
}

cnx_zip *cnx_zip_open(cnx_arena *arena, cnx_view archive)
{
    cnx_zip *zip = CNX_NEW(arena, cnx_zip);
    *zip = (cnx_zip){.arena = arena, .archive = archive};
    load_functions(zip);
    cnx_defer(arena, discard, zip);
    open_handle(zip);
    zip_int64_t count = zip->lib.get_num_entries(zip->handle, 0);
    for (zip_int64_t i = 0; i < count; i++) {
        const char *name = zip->lib.get_name(zip->handle, (zip_uint64_t)i, ZIP_FL_ENC_GUESS);
        if (name != NULL && leaves_the_archive(name))
            fail_member(zip, CNX_ERROR_FORMAT, name, "the name leads outside of the archive");
    }
    return zip;
}

/* macOS puts a file of its own beside each real one, in a folder of this name. */
static bool is_model(const char *name)
{
    size_t length = strlen(name);
    return length > 5 && strcmp(name + length - 5, ".onnx") == 0 && strncmp(name, "__MACOSX/", 9) != 0;
}

const char *cnx_zip_find_model(cnx_zip *zip)
{
    const char *found = "";
    size_t models = 0;
    zip_int64_t count = zip->lib.get_num_entries(zip->handle, 0);
    for (zip_int64_t i = 0; i < count; i++) {
        const char *name = zip->lib.get_name(zip->handle, (zip_uint64_t)i, ZIP_FL_ENC_GUESS);
        if (name == NULL || !is_model(name))
            continue;
        if (models++ == 0)
            found = name;
    }
    if (models == 0)
        cnx_fail(zip->arena, CNX_ERROR_FORMAT, NULL, "the zip archive holds no .onnx file (expected one)");
    if (models > 1)
        cnx_fail(zip->arena, CNX_ERROR_USAGE, NULL,
                 "the zip archive holds %zu .onnx files (expected one; choose with '!%s')", models, found);
    return cnx_copy_text(zip->arena, found);
}

/* ---- where a stored member is ---- */

/* `size` bytes at `offset` of the archive, or NULL. */
static const uint8_t *bytes_at(const cnx_zip *zip, uint64_t offset, uint64_t size)
{
    bool inside = offset <= zip->archive.size && size <= zip->archive.size - offset;
    return inside ? zip->archive.bytes + offset : NULL;
}

static uint64_t number_at(const uint8_t *bytes, size_t width)
{
    uint64_t value = 0;
    memcpy(&value, bytes, width);
    return value;
}

/* The directory's offset, or UINT64_MAX. */
static uint64_t find_directory(const cnx_zip *zip)
{
    enum { END = 22, LOCATOR = 20, END64 = 56, LONGEST_COMMENT = 65535 };
    for (uint64_t comment = 0; comment <= LONGEST_COMMENT && END + comment <= zip->archive.size; comment++) {
        uint64_t at = zip->archive.size - END - comment;
        const uint8_t *end = zip->archive.bytes + at;
        if (memcmp(end, "PK\5\6", 4) != 0 || number_at(end + 20, 2) != comment)
            continue;
        const uint8_t *locator = at < LOCATOR ? NULL : bytes_at(zip, at - LOCATOR, LOCATOR);
        if (locator == NULL || memcmp(locator, "PK\6\7", 4) != 0)
            return number_at(end + 16, 4);
        const uint8_t *end64 = bytes_at(zip, number_at(locator + 8, 8), END64);
        return end64 == NULL || memcmp(end64, "PK\6\6", 4) != 0 ? UINT64_MAX : number_at(end64 + 48, 8);
    }
    return UINT64_MAX;
}

/* The local header's offset from a directory entry; a 64-bit one is the last number of an extra field. */
static uint64_t local_offset(const uint8_t *entry, const uint8_t *extra, uint64_t extra_size)
{
    uint64_t offset = number_at(entry + 42, 4);
    if (offset != UINT32_MAX)
        return offset;
    size_t before =
        8 * (size_t)((number_at(entry + 24, 4) == UINT32_MAX) + (number_at(entry + 20, 4) == UINT32_MAX));
    for (uint64_t i = 0; i + 4 <= extra_size;) {
        uint64_t size = number_at(extra + i + 2, 2);
        if (size > extra_size - i - 4)
            break;
        if (number_at(extra + i, 2) == 1 && before + 8 <= size)
            return number_at(extra + i + 4 + before, 8);
        i += 4 + size;
    }
    return UINT64_MAX;
}

/* The bytes of stored member number `index`, or NULL when the directory makes no sense. */
static const uint8_t *find_stored(const cnx_zip *zip, uint64_t index, const char *name, uint64_t size)
{
    enum { ENTRY = 46, LOCAL = 30 };
    uint64_t at = find_directory(zip);
    for (uint64_t i = 0;; i++) {
        const uint8_t *entry = bytes_at(zip, at, ENTRY);
        if (entry == NULL || memcmp(entry, "PK\1\2", 4) != 0)
            return NULL;
        uint64_t name_size = number_at(entry + 28, 2);
        uint64_t extra_size = number_at(entry + 30, 2);
        uint64_t whole = ENTRY + name_size + extra_size + number_at(entry + 32, 2);
        if (bytes_at(zip, at, whole) == NULL)
            return NULL;
        at += whole;
        if (i < index)
            continue;
        if (name_size != strlen(name) || memcmp(entry + ENTRY, name, name_size) != 0)
            return NULL;
        uint64_t local_at = local_offset(entry, entry + ENTRY + name_size, extra_size);
        const uint8_t *local = bytes_at(zip, local_at, LOCAL);
        if (local == NULL || memcmp(local, "PK\3\4", 4) != 0)
            return NULL;
        return bytes_at(zip, local_at + LOCAL + number_at(local + 26, 2) + number_at(local + 28, 2), size);
    }
}

/* ---- inflating ---- */

typedef struct open_member {
    const cnx_zip *zip;
    zip_file_t *file;
} open_member;

static void close_member(void *argument)
{
    const open_member *member = argument;
    if (member->file != NULL)
        member->zip->lib.fclose(member->file);
}

static void check_inflation(cnx_zip *zip, const zip_stat_t *status)
{
    bool large = status->size > CNX_LIMIT_INFLATE_FLOOR * CNX_MEBIBYTE;
    if (large && status->size / CNX_LIMIT_INFLATE_RATIO > status->comp_size)
        fail_member(zip, CNX_ERROR_LIMIT, status->name,
                    "%llu bytes inflate to %llu (limits inflate-floor, inflate-ratio)",
                    (ull)status->comp_size, (ull)status->size);
    zip->inflated += status->size;
    if (zip->inflated > CNX_LIMIT_INFLATE_TOTAL * CNX_MEBIBYTE || zip->inflated < status->size)
        fail_member(zip, CNX_ERROR_LIMIT, status->name,
                    "the archive inflates to too much (limit inflate-total: %d MiB)",
                    CNX_LIMIT_INFLATE_TOTAL);
}

static cnx_view inflate(cnx_zip *zip, const zip_stat_t *status)
{
    enum { BLOCK = 1 << 18 };
    check_inflation(zip, status);
    cnx_arena *scratch = cnx_arena_create(zip->arena);
    int output = cnx_temporary_file(scratch);
    char *block = cnx_alloc(scratch, BLOCK);
    open_member *member = CNX_NEW(scratch, open_member);
    member->zip = zip;
    cnx_defer(scratch, close_member, member);
    member->file = zip->lib.fopen_index(zip->handle, status->index, 0);
    if (member->file == NULL)
        fail_member(zip, CNX_ERROR_FORMAT, status->name, "cannot be read: %s",
                    zip->lib.strerror(zip->handle));
    uint64_t total = 0;
    for (zip_int64_t got; (got = zip->lib.fread(member->file, block, BLOCK)) != 0;) {
        if (got < 0)
            fail_member(zip, CNX_ERROR_FORMAT, status->name, "is damaged: %s",
                        zip->lib.file_strerror(member->file));
        total += (uint64_t)got;
        if (total > status->size)
            break;
        cnx_write_all(zip->arena, output, block, (size_t)got, "a temporary file");
    }
    if (total != status->size)
        fail_member(zip, CNX_ERROR_FORMAT, status->name,
                    "does not inflate to the %llu bytes that it announces", (ull)status->size);
    cnx_view view = cnx_map_descriptor(zip->arena, output, "a temporary file");
    cnx_arena_destroy(scratch);
    return view;
}

cnx_view cnx_zip_member(cnx_zip *zip, const char *name)
{
    enum {
        NEEDED = ZIP_STAT_INDEX | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD |
                 ZIP_STAT_ENCRYPTION_METHOD
    };
    zip_stat_t status;
    zip->lib.stat_init(&status);
    if (zip->lib.stat(zip->handle, name, ZIP_FL_ENC_GUESS, &status) != 0)
        fail_member(zip, CNX_ERROR_FILE, name, "the archive has no such member");
    if ((status.valid & NEEDED) != NEEDED || status.encryption_method != ZIP_EM_NONE)
        fail_member(zip, CNX_ERROR_FORMAT, name, "is encrypted or incomplete");
    if (status.comp_method == ZIP_CM_DEFLATE)
        return inflate(zip, &status);
    if (status.comp_method != ZIP_CM_STORE)
        fail_member(zip, CNX_ERROR_FORMAT, name, "uses compression method %u (expected stored or deflated)",
                    (unsigned)status.comp_method);
    const uint8_t *bytes = NULL;
    if (status.size == status.comp_size)
        bytes = find_stored(zip, status.index, zip->lib.get_name(zip->handle, status.index, ZIP_FL_ENC_RAW),
                            status.size);
    if (bytes == NULL)
        fail_member(zip, CNX_ERROR_FORMAT, name, "is not where the archive's directory says");
    return (cnx_view){.bytes = bytes,
                      .size = status.size,
                      .descriptor = zip->archive.descriptor,
                      .offset = zip->archive.offset + (uint64_t)(bytes - zip->archive.bytes)};
}
