#include "base/heap.h"

void cnx_heap_push(cnx_arena *arena, cnx_heap *heap, uint32_t item)
{
    CNX_PUSH(arena, heap->items, heap->count, heap->capacity, item);
    size_t at = heap->count - 1;
    for (; at != 0 && heap->items[(at - 1) / 2] > item; at = (at - 1) / 2)
        heap->items[at] = heap->items[(at - 1) / 2];
    heap->items[at] = item;
}

uint32_t cnx_heap_pop(cnx_heap *heap)
{
    uint32_t top = heap->items[0];
    uint32_t last = heap->items[--heap->count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && heap->items[child + 1] < heap->items[child])
            child++;
        if (heap->items[child] >= last)
            break;
        heap->items[at] = heap->items[child];
        at = child;
    }
    heap->items[at] = last;
    return top;
}
