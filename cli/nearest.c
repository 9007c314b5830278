/* Optimal string alignment distance: insertions, deletions, replacements and swaps of neighbours cost one
 * each. Words are the names of options, commands and tensors: longer ones than
 * LONGEST_WORD are near to nothing. */
#include "nearest.h"

#include <string.h>

enum { LONGEST_WORD = 255, FAR = 1000 };

static size_t smallest(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t distance(const char *left, const char *right)
{
    size_t rows = strlen(left), columns = strlen(right);
    size_t cost[3][LONGEST_WORD + 1]; /* of this row and the two above it */
    if (rows > LONGEST_WORD || columns > LONGEST_WORD)
        return FAR;
    for (size_t i = 0; i <= rows; i++) {
        size_t *here = cost[i % 3], *above = cost[(i + 2) % 3], *two_above = cost[(i + 1) % 3];
        for (size_t j = 0; j <= columns; j++) {
            if (i == 0 || j == 0) {
                here[j] = i + j;
                continue;
            }
            size_t replace = above[j - 1] + (left[i - 1] != right[j - 1]);
            here[j] = smallest(replace, 1 + smallest(above[j], here[j - 1]));
            if (i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1])
                here[j] = smallest(here[j], 1 + two_above[j - 2]);
        }
    }
    return cost[rows % 3][columns];
}

const char *nearest_word(const char *word, const char *const *candidates, size_t count)
{
    const char *best = NULL;
    size_t length = strlen(word), best_distance = FAR;
    for (size_t i = 0; i < count; i++) {
        if (!candidates[i])
            continue;
        /* The beginning of a word is a good hint by itself: "sym" for "symmetry". */
        size_t d = distance(word, candidates[i]);
        if (length >= 2 && strncmp(word, candidates[i], length) == 0)
            d = 0;
        if (d < best_distance) {
            best = candidates[i];
            best_distance = d;
        }
    }
    return best && best_distance <= smallest(3, 1 + length / 3) ? best : NULL;
}
