#include "grouping.h"

#include <stdlib.h>
#include <string.h>

static int by_label(const void *left, const void *right)
{
    const struct labelled *a = left, *b = right;
    int order = strcmp(a->label, b->label);
    return order ? order : (a->index > b->index) - (a->index < b->index);
}

static int by_first_index(const void *left, const void *right, void *items_given)
{
    const struct labelled *items = items_given;
    size_t a = items[((const struct run *)left)->start].index,
           b = items[((const struct run *)right)->start].index;
    return (a > b) - (a < b);
}

size_t group_by_label(struct labelled *items, size_t count, struct run *runs)
{
    size_t run_count = 0;
    if (count == 0)
        return 0;
    qsort(items, count, sizeof *items, by_label);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && strcmp(items[i - 1].label, items[i].label) == 0)
            runs[run_count - 1].count++;
        else
            runs[run_count++] = (struct run){.start = i, .count = 1};
    }
    qsort_r(runs, run_count, sizeof *runs, by_first_index, items);
    return run_count;
}
