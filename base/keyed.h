/* Sorting by a number: for lists of the positions of a model, which are long and in order more often than
 * not. */
#ifndef CNX_BASE_KEYED_H
#define CNX_BASE_KEYED_H

#include "base/arena.h"

typedef struct cnx_keyed {
    uint64_t key;
    uint32_t item;
} cnx_keyed;

/* Puts `items` in ascending order of their keys; items with one key stay in the order they are in. `scratch`
 * lends room for as many again. Costs a few passes in the order of memory, and one where nothing has to be
 * done.
 */
void cnx_sort_keyed(cnx_arena *scratch, cnx_keyed *items, size_t count);

#endif
