/* Memory and failure, together, for everything below the public functions.
 *
 * An arena owns memory, and a list of clean-ups (a mapping to unmap, a file to remove). It dies at once.
 * Allocation never returns NULL: when memory runs out, or when cnx_fail() is called, control returns to
 * the public function that was entered last (CNX_ENTER), which hands the caller the error. Code between
 * the two holds no resource that is not registered with an arena, so nothing leaks, and it needs no
 * ladder of error checks. This is the only use of setjmp in the library.
 *
 * Rules: never call these from inside an OpenMP region; a local variable that is changed after
 * CNX_ENTER and read after a failure must be volatile.
 */
#ifndef CNX_BASE_ARENA_H
#define CNX_BASE_ARENA_H

#include "canonnx.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

typedef struct cnx_arena cnx_arena;

typedef struct cnx_trap {
    jmp_buf jump;
    cnx_error *error;
    struct cnx_trap *outer;
    cnx_code failed;
} cnx_trap;

/* A new arena. A `parent` lends its trap, so that failures inside a scratch arena unwind to the same
 * place, and frees the child when it dies itself; NULL makes a root. Returns NULL when there is no memory
 * and no parent to unwind to. */
cnx_arena *cnx_arena_create(cnx_arena *parent);

/* Runs the clean-ups, newest first, then frees all memory and all child arenas. NULL is allowed. */
void cnx_arena_destroy(cnx_arena *arena);

/* `size` zeroed bytes aligned to 16. Size 0 gives a valid pointer. Never NULL. */
void *cnx_alloc(cnx_arena *arena, size_t size);

/* `count` zeroed elements of `size` bytes; an overflow is CNX_ERROR_MEMORY. */
void *cnx_alloc_array(cnx_arena *arena, size_t count, size_t size);

/* Makes room for one more element in a growing array; returns the array, perhaps moved. Old storage
 * stays in the arena, so growth doubles. Use through CNX_PUSH. */
void *cnx_grow(cnx_arena *arena, void *array, size_t count, size_t *capacity, size_t size);

/* Appends `value` to the array `items` with `count` and `capacity` (size_t lvalues). */
#define CNX_PUSH(arena, items, count, capacity, value)                                                       \
    do {                                                                                                     \
        if ((count) == (capacity))                                                                           \
            (items) = cnx_grow((arena), (items), (count), &(capacity), sizeof *(items));                     \
        (items)[(count)++] = (value);                                                                        \
    } while (0)

#define CNX_NEW(arena, type) ((type *)cnx_alloc((arena), sizeof(type)))
#define CNX_NEW_ARRAY(arena, type, count) ((type *)cnx_alloc_array((arena), (count), sizeof(type)))

/* Copies of text in the arena. cnx_print formats as printf does, cnx_print_list as vprintf does. */
const char *cnx_copy_text(cnx_arena *arena, const char *text);
const char *cnx_print(cnx_arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *cnx_print_list(cnx_arena *arena, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

/* Registers a clean-up that runs when the arena dies. */
void cnx_defer(cnx_arena *arena, void (*action)(void *), void *argument);

/* Bytes the arena (and its children) hold now. */
size_t cnx_arena_bytes(const cnx_arena *arena);

/* Ends the current public call with an error. `place` may be NULL or "". */
_Noreturn void cnx_fail(cnx_arena *arena, cnx_code code, const char *place, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* For a public function that finds no memory before it has a trap: fills in the error, unless it is NULL, and
 * returns its code. */
cnx_code cnx_out_of_memory(cnx_error *error);

/* Opens a trap: evaluates to CNX_OK at first and to the error's code when control comes back by a
 * failure. Every path out of the function must pass cnx_leave. Use:
 *
 *     cnx_trap trap;
 *     if (CNX_ENTER(arena, trap, error) == CNX_OK)
 *         work(arena);
 *     return cnx_leave(arena, &trap);
 */
#define CNX_ENTER(arena, trap, error_pointer)                                                                \
    (cnx_trap_push((arena), &(trap), (error_pointer)), (cnx_code)setjmp((trap).jump))
void cnx_trap_push(cnx_arena *arena, cnx_trap *trap, cnx_error *error);
cnx_code cnx_leave(cnx_arena *arena, cnx_trap *trap);

#endif
