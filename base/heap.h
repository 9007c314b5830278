/* A heap of numbers, the smallest on top. */
#ifndef CNX_BASE_HEAP_H
#define CNX_BASE_HEAP_H

#include "base/arena.h"

/* All zero is an empty heap. */
typedef struct cnx_heap {
    uint32_t *items;
    size_t count;
    size_t capacity;
} cnx_heap;

/* Memory comes from `arena`, the same one in every call. */
void cnx_heap_push(cnx_arena *arena, cnx_heap *heap, uint32_t item);

/* Takes out the smallest; the heap must not be empty. */
uint32_t cnx_heap_pop(cnx_heap *heap);

#endif
