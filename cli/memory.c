#include "memory.h"

#include "outcome.h"

#include <stdio.h>
#include <stdlib.h>

void *memory_array(size_t count, size_t size)
{
    void *array = calloc(count + 1, size); /* one more, so that no array is empty */
    if (!array)
        memory_exhausted();
    return array;
}

void *memory_resize(void *array, size_t count, size_t size)
{
    void *resized = reallocarray(array, count + 1, size);
    if (!resized)
        memory_exhausted();
    return resized;
}

void memory_exhausted(void)
{
    fputs("canonnx: out of memory\n", stderr);
    exit(OUTCOME_TROUBLE);
}
