/* Let d(i) be the distance of member i of a from its partner in b, and m(i, j) that of two members of a. If
 * m(i, j) >= d(i) + d(j) for all pairs, every other assignment costs more: by the triangle inequality i is at
 * least m(i, j) - d(j) >= d(i) away from j's partner. Lower bounds of m(i, j) will do, so a few columns of
 * the weights suffice.
 *
 * Where members may be multiplied, the same holds of angles. The partner of j is inside a cone around j whose
 * half angle is arcsin(d(j) / |j|), and so are all of its multiples; with an angle t between i and j, i is at
 * least |i| sin(t - arcsin(d(j) / |j|)) away from them. That has to be d(i) or more. If signs are free, too,
 * t is the angle between lines. */
#include "compare/explained.h"

#include <math.h>
#include <stdlib.h>

/* Whether neither of two members is nearer to the partner of the other than to its own. */
static bool are_apart(const cnx_neighbourhood *n, uint32_t i, uint32_t j)
{
    double ii = n->gram[(size_t)i * n->count + i], jj = n->gram[(size_t)j * n->count + j];
    double apart = ii + jj - 2 * n->gram[(size_t)i * n->count + j], rounding = 1e-12 * (ii + jj);
    double reach = sqrt(n->distance[i]) + sqrt(n->distance[j]);
    return apart - rounding >= reach * reach;
}

/* The half angle of the cone that the partner is in, given the squares of both lengths. */
static double half_angle(double near, double norm)
{
    return near < norm ? asin(sqrt(near / norm)) : acos(-1) / 2;
}

static bool are_rays_apart(const cnx_neighbourhood *n, uint32_t i, uint32_t j)
{
    const double right = acos(-1) / 2;
    double ii = n->gram[(size_t)i * n->count + i], jj = n->gram[(size_t)j * n->count + j];
    if (!(ii > 0) || !(jj > 0))
        return false;
    double cosine = n->gram[(size_t)i * n->count + j] / sqrt(ii * jj);
    cosine = n->flipped ? fabs(cosine) : cosine;
    double angle = (cosine >= 1 ? 0 : cosine <= -1 ? 2 * right : acos(cosine)) - 1e-6; /* rounding */
    double from_j = angle - half_angle(n->near[j], jj), from_i = angle - half_angle(n->near[i], ii);
    if (from_i <= 0 || from_j <= 0)
        return false;
    double sine_i = from_j < right ? sin(from_j) : 1, sine_j = from_i < right ? sin(from_i) : 1;
    return ii * sine_i * sine_i >= n->distance[i] && jj * sine_j * sine_j >= n->distance[j];
}

uint32_t cnx_mark_explained(const cnx_neighbourhood *n, bool *explained)
{
    uint32_t unexplained = 0;
    for (uint32_t i = 0; i < n->count; i++)
        explained[i] = true;
    for (uint32_t i = 0; i < n->count; i++)
        for (uint32_t j = i + 1; j < n->count; j++)
            if (n->scaled || n->flipped ? !are_rays_apart(n, i, j) : !are_apart(n, i, j))
                explained[i] = explained[j] = false;
    for (uint32_t i = 0; i < n->count; i++)
        unexplained += !explained[i];
    return unexplained;
}
