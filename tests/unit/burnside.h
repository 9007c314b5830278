/* Orbits counted the slow way, to judge the bounds of analyze/bounds/orbits.h.
 *
 * The parameters of a chain d_0 ... d_{L+1} are coordinates with m values each. A signed permutation of the
 * units of every hidden layer moves coordinates and may negate them. By Burnside's lemma the number of orbits
 * of the grid is the mean, over all group elements, of the number of fixed grid points: m for every cycle of
 * coordinates whose signs multiply to 1, and 1 (m odd: the middle) or 0 for the others. Every element is
 * visited, so the layers must be small.
 *
 * Included once, by theory_test.c.
 */
#ifndef CNX_TESTS_BURNSIDE_H
#define CNX_TESTS_BURNSIDE_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { MOST_LAYERS = 6, MOST_UNITS = 8, MOST_COORDINATES = 128 };

typedef struct burnside {
    size_t layers; /* affine maps, L + 1 */
    size_t widths[MOST_LAYERS + 1];
    double cells;
    bool with_signs;
    /* The element at hand: unit u of layer l goes to image[l][u], negated where sign is -1. Outer layers
     * stay. */
    size_t image[MOST_LAYERS + 1][MOST_UNITS];
    int sign[MOST_LAYERS + 1][MOST_UNITS];
    double fixed_points; /* summed over the elements visited */
    double elements;
} burnside;

/* Where the parameters of map l start: weights (row by row), then biases. */
static size_t first_coordinate(const burnside *b, size_t l)
{
    size_t first = 0;
    for (size_t k = 0; k < l; k++)
        first += b->widths[k + 1] * (b->widths[k] + 1);
    return first;
}

/* The element as a signed permutation of all coordinates. */
static size_t move_coordinates(const burnside *b, size_t *target, int *sign)
{
    for (size_t l = 0; l < b->layers; l++) {
        size_t rows = b->widths[l + 1], columns = b->widths[l], first = first_coordinate(b, l);
        for (size_t i = 0; i < rows; i++) {
            for (size_t j = 0; j < columns; j++) {
                target[first + i * columns + j] = first + b->image[l + 1][i] * columns + b->image[l][j];
                sign[first + i * columns + j] = b->sign[l + 1][i] * b->sign[l][j];
            }
            target[first + rows * columns + i] = first + rows * columns + b->image[l + 1][i];
            sign[first + rows * columns + i] = b->sign[l + 1][i];
        }
    }
    return first_coordinate(b, b->layers);
}

static void visit_element(burnside *b)
{
    size_t target[MOST_COORDINATES];
    int sign[MOST_COORDINATES];
    bool seen[MOST_COORDINATES] = {false};
    size_t count = move_coordinates(b, target, sign);
    double fixed = 1.0;
    for (size_t start = 0; start < count; start++) {
        if (seen[start])
            continue;
        int product = 1;
        for (size_t i = start; !seen[i]; i = target[i]) {
            seen[i] = true;
            product *= sign[i];
        }
        fixed *= product > 0 ? b->cells : fmod(b->cells, 2.0);
    }
    b->fixed_points += fixed;
    b->elements += 1.0;
}

static void visit_layer(burnside *b, size_t l, size_t unit, unsigned used)
{
    if (l == b->layers) {
        visit_element(b);
        return;
    }
    if (unit == b->widths[l]) {
        visit_layer(b, l + 1, 0, 0);
        return;
    }
    for (size_t to = 0; to < b->widths[l]; to++) {
        if (used & 1u << to)
            continue;
        b->image[l][unit] = to;
        for (b->sign[l][unit] = 1; b->sign[l][unit] >= (b->with_signs ? -1 : 1); b->sign[l][unit] -= 2)
            visit_layer(b, l, unit + 1, used | 1u << to);
        b->sign[l][unit] = 1;
    }
}

/* The number of orbits; exact as far as a double is. */
static double count_orbits(const size_t *widths, size_t layers, double cells, bool with_signs)
{
    burnside b = {.layers = layers, .cells = cells, .with_signs = with_signs};
    memcpy(b.widths, widths, (layers + 1) * sizeof *widths);
    for (size_t l = 0; l <= layers; l++)
        for (size_t u = 0; u < MOST_UNITS; u++) {
            b.image[l][u] = u;
            b.sign[l][u] = 1;
        }
    visit_layer(&b, 1, 0, 0);
    return b.fixed_points / b.elements;
}

#endif
