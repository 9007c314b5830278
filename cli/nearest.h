/* "Did you mean ...?" */
#ifndef CLI_NEAREST_H
#define CLI_NEAREST_H

#include <stddef.h>

/* The candidate closest to `word`, or NULL when none is close enough to be what was meant. NULL
 * candidates are skipped. */
const char *nearest_word(const char *word, const char *const *candidates, size_t count);

#endif
