/* Collecting things that carry the same label. */
#ifndef CLI_GROUPING_H
#define CLI_GROUPING_H

#include <stddef.h>

struct labelled {
    const char *label;
    size_t index;
};

struct run {
    size_t start, count; /* of the items with one label */
};

/* Sorts items so that equal labels stand together (inside by index) and fills `runs` (room for `count`), in
 * the order of each label's smallest index. Returns the number of runs. */
size_t group_by_label(struct labelled *items, size_t count, struct run *runs);

#endif
