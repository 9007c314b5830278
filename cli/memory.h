/* Memory that is there: running out of it ends the program, with one line and exit code 2. The operating
 * system cleans up; nothing is half-written by the time these are called. */
#ifndef CLI_MEMORY_H
#define CLI_MEMORY_H

#include <stddef.h>

/* Zeroed room for `count` things of `size` bytes; never NULL. */
void *memory_array(size_t count, size_t size) __attribute__((malloc, returns_nonnull));

/* The same array with another `count`; what is new is not zeroed. Never NULL. */
void *memory_resize(void *array, size_t count, size_t size) __attribute__((returns_nonnull));

void memory_exhausted(void) __attribute__((noreturn));

#endif
