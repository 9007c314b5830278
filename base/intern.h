/* Interning: equal byte strings get the same small number. Used for names, dimensions and reasons. */
#ifndef CNX_BASE_INTERN_H
#define CNX_BASE_INTERN_H

#include "base/arena.h"

#define CNX_NONE UINT32_MAX

typedef struct cnx_intern {
    cnx_arena *arena;
    struct cnx_intern_entry *entries; /* by number */
    size_t count;
    size_t capacity;
    struct cnx_intern_slot *slots; /* open addressing */
    size_t slot_count;
} cnx_intern;

/* An empty table whose memory comes from `arena`. */
void cnx_intern_init(cnx_intern *table, cnx_arena *arena);

/* The number of `bytes`, new or old: 0, 1, 2 ... in order of first appearance. The bytes are copied
 * when new. */
uint32_t cnx_intern_add(cnx_intern *table, const void *bytes, size_t size);

/* The number, or CNX_NONE when the bytes were never added. */
uint32_t cnx_intern_find(const cnx_intern *table, const void *bytes, size_t size);

/* The bytes behind a number (followed by a zero byte, so text can be used as a C string). */
const void *cnx_intern_bytes(const cnx_intern *table, uint32_t number, size_t *size);

#endif
