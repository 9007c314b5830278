#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define CNX_POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CNX_POISON 1
#endif
#endif

#define ALIGNMENT 16u
#define FIRST_CHUNK (16u << 10)
#define CHUNK_SIZES 7u /* FIRST_CHUNK and its doubles, up to 1 MB */

typedef struct chunk {
    struct chunk *next;
    size_t size;
    size_t used;
    size_t alone; /* not 0: made for one object, and of its size */
} chunk;

typedef struct cleanup {
    struct cleanup *next;
    void (*action)(void *);
    void *argument;
} cleanup;

/* The trap lives in the root, shared by all arenas of one tree, and so do chunks of arenas that died: there
 * are millions of scratch arenas with a few bytes each, and only what was used of a chunk has to be zeroed
 * before the next one uses it. */
struct cnx_arena {
    cnx_arena *root;
    cnx_arena *parent;
    cnx_arena *first_child;
    cnx_arena *previous;
    cnx_arena *next;
    chunk *chunks;
    chunk *spare[CHUNK_SIZES]; /* by size */
    unsigned next_chunk;       /* the next one's size: FIRST_CHUNK doubled so often */
    size_t bytes;
    cleanup *cleanups;
    cnx_trap *trap;
};

cnx_arena *cnx_arena_create(cnx_arena *parent)
{
    cnx_arena *arena = calloc(1, sizeof *arena);
    if (arena == NULL) {
        if (parent != NULL)
            cnx_fail(parent, CNX_ERROR_MEMORY, NULL, "out of memory");
        return NULL;
    }
    arena->root = parent != NULL ? parent->root : arena;
    arena->parent = parent;
    if (parent != NULL) {
        arena->next = parent->first_child;
        if (arena->next != NULL)
            arena->next->previous = arena;
        parent->first_child = arena;
    }
    return arena;
}

static void unlink_from_parent(cnx_arena *arena)
{
    if (arena->parent == NULL)
        return;
    if (arena->previous != NULL)
        arena->previous->next = arena->next;
    else
        arena->parent->first_child = arena->next;
    if (arena->next != NULL)
        arena->next->previous = arena->previous;
}

static void free_chunks(chunk *piece)
{
    while (piece != NULL) {
        chunk *next = piece->next;
        free(piece);
        piece = next;
    }
}

/* Frees the chunks of an arena, or leaves them to the root. */
static void release_chunks(cnx_arena *arena)
{
    cnx_arena *root = arena->root;
    for (chunk *piece = arena->chunks, *next; piece != NULL; piece = next) {
        next = piece->next;
        if (root == arena || piece->alone != 0) {
            free(piece);
            continue;
        }
        unsigned size = (unsigned)__builtin_ctzll(piece->size / FIRST_CHUNK);
        piece->next = root->spare[size];
        root->spare[size] = piece;
        root->bytes += piece->size;
    }
    for (unsigned i = 0; i < CHUNK_SIZES; i++)
        free_chunks(arena->spare[i]);
}

void cnx_arena_destroy(cnx_arena *arena)
{
    if (arena == NULL)
        return;
    while (arena->first_child != NULL)
        cnx_arena_destroy(arena->first_child);
    for (cleanup *item = arena->cleanups; item != NULL; item = item->next)
        item->action(item->argument);
    unlink_from_parent(arena);
    release_chunks(arena);
    free(arena);
}

static _Noreturn void out_of_memory(cnx_arena *arena, size_t size)
{
    cnx_fail(arena, CNX_ERROR_MEMORY, NULL, "out of memory (%zu bytes were asked for)", size);
}

static chunk *make_chunk(cnx_arena *arena, size_t size)
{
    chunk *piece = size <= SIZE_MAX - sizeof(chunk) ? calloc(1, sizeof(chunk) + size) : NULL;
    if (piece == NULL)
        out_of_memory(arena, size);
    piece->size = size;
    arena->bytes += size;
    return piece;
}

/* A chunk for one object, behind the current chunk so that its free rest stays in use. */
static void *alloc_alone(cnx_arena *arena, size_t size)
{
    chunk *piece = make_chunk(arena, size);
    piece->used = piece->alone = size;
    chunk **link = arena->chunks != NULL ? &arena->chunks->next : &arena->chunks;
    piece->next = *link;
    *link = piece;
    return piece + 1;
}

#ifndef CNX_POISON
/* The arena's next chunk for small objects. */
static chunk *add_chunk(cnx_arena *arena)
{
    cnx_arena *root = arena->root;
    unsigned size = arena->next_chunk;
    chunk *piece = root->spare[size];
    if (piece != NULL) {
        root->spare[size] = piece->next;
        root->bytes -= piece->size;
        arena->bytes += piece->size;
        memset(piece + 1, 0, piece->used);
        piece->used = 0;
    } else {
        piece = make_chunk(arena, (size_t)FIRST_CHUNK << size);
    }
    arena->next_chunk += size + 1 < CHUNK_SIZES;
    piece->next = arena->chunks;
    arena->chunks = piece;
    return piece;
}
#endif

void *cnx_alloc(cnx_arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2)
        out_of_memory(arena, size);
#ifdef CNX_POISON
    /* One chunk an object: the sanitizer then sees every overrun. */
    return alloc_alone(arena, size == 0 ? 1 : size);
#else
    size_t rounded = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (rounded > FIRST_CHUNK)
        return alloc_alone(arena, rounded);
    chunk *piece = arena->chunks;
    if (piece == NULL || rounded > piece->size - piece->used)
        piece = add_chunk(arena);
    void *memory = (char *)(piece + 1) + piece->used;
    piece->used += rounded;
    return memory;
#endif
}

void *cnx_alloc_array(cnx_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        out_of_memory(arena, SIZE_MAX);
    return cnx_alloc(arena, bytes);
}

void *cnx_grow(cnx_arena *arena, void *array, size_t count, size_t *capacity, size_t size)
{
    size_t larger = *capacity == 0 ? 8 : *capacity * 2;
    void *moved = cnx_alloc_array(arena, larger, size);
    if (count != 0)
        memcpy(moved, array, count * size);
    *capacity = larger;
    return moved;
}

const char *cnx_copy_text(cnx_arena *arena, const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(cnx_alloc(arena, size), text, size);
}

const char *cnx_print_list(cnx_arena *arena, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    char *text = length < 0 ? NULL : cnx_alloc(arena, (size_t)length + 1);
    if (text != NULL)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    if (text == NULL)
        cnx_fail(arena, CNX_ERROR_MEMORY, NULL, "a text could not be formatted");
    return text;
}

const char *cnx_print(cnx_arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *text = cnx_print_list(arena, format, arguments);
    va_end(arguments);
    return text;
}

void cnx_defer(cnx_arena *arena, void (*action)(void *), void *argument)
{
    cleanup *item = CNX_NEW(arena, cleanup);
    *item = (cleanup){.next = arena->cleanups, .action = action, .argument = argument};
    arena->cleanups = item;
}

size_t cnx_arena_bytes(const cnx_arena *arena)
{
    size_t bytes = arena->bytes;
    for (const cnx_arena *child = arena->first_child; child != NULL; child = child->next)
        bytes += cnx_arena_bytes(child);
    return bytes;
}

cnx_code cnx_out_of_memory(cnx_error *error)
{
    if (error != NULL)
        *error = (cnx_error){.code = CNX_ERROR_MEMORY, .message = "out of memory"};
    return CNX_ERROR_MEMORY;
}

/* Keeps an error on one line whatever a hostile file put into its names. */
static void make_one_line(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
}

void cnx_fail(cnx_arena *arena, cnx_code code, const char *place, const char *format, ...)
{
    cnx_arena *root = arena->root;
    cnx_trap *trap = root->trap;
    if (trap == NULL) /* a programming error: nobody entered */
        abort();
    if (trap->error != NULL) {
        trap->error->code = code;
        snprintf(trap->error->place, sizeof trap->error->place, "%s", place != NULL ? place : "");
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(trap->error->message, sizeof trap->error->message, format, arguments);
        va_end(arguments);
        make_one_line(trap->error->place);
        make_one_line(trap->error->message);
    }
    trap->failed = code;
    longjmp(trap->jump, (int)code);
}

void cnx_trap_push(cnx_arena *arena, cnx_trap *trap, cnx_error *error)
{
    trap->error = error;
    trap->outer = arena->root->trap;
    arena->root->trap = trap;
    trap->failed = CNX_OK;
    if (error != NULL)
        *error = (cnx_error){.code = CNX_OK};
}

cnx_code cnx_leave(cnx_arena *arena, cnx_trap *trap)
{
    arena->root->trap = trap->outer;
    return trap->failed;
}
