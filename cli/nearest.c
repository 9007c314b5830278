/* Optimal string alignment distance: insertions, deletions, replacements and swaps of neighbours cost one
 * each. Words here are option and command names, so a small fixed table is enough. */
#include "nearest.h"

#include <string.h>

enum { LONGEST_WORD = 31, FAR = 1000 };

static size_t smallest(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t distance(const char *left, const char *right)
{
    size_t rows = strlen(left), columns = strlen(right);
    size_t cost[LONGEST_WORD + 1][LONGEST_WORD + 1];
    if (rows > LONGEST_WORD || columns > LONGEST_WORD)
        return FAR;
    for (size_t i = 0; i <= rows; i++) {
        for (size_t j = 0; j <= columns; j++) {
            if (i == 0 || j == 0) {
                cost[i][j] = i + j;
                continue;
            }
            size_t replace = cost[i - 1][j - 1] + (left[i - 1] != right[j - 1]);
            cost[i][j] = smallest(replace, 1 + smallest(cost[i - 1][j], cost[i][j - 1]));
            if (i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1])
                cost[i][j] = smallest(cost[i][j], 1 + cost[i - 2][j - 2]);
        }
    }
    return cost[rows][columns];
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
