/* Random numbers that are the same on every machine: steps of SplitMix64 (base/mix.h). */
#ifndef CNX_REWRITE_RANDOM_H
#define CNX_REWRITE_RANDOM_H

#include "base/mix.h"

static inline uint64_t cnx_random(uint64_t *state)
{
    uint64_t drawn = cnx_mix(*state);
    *state += UINT64_C(0x9e3779b97f4a7c15);
    return drawn;
}

/* Uniform in [0, bound), by rejection. */
static inline uint32_t cnx_random_below(uint64_t *state, uint32_t bound)
{
    uint64_t limit = UINT64_MAX - UINT64_MAX % bound, x;
    do
        x = cnx_random(state);
    while (x >= limit);
    return (uint32_t)(x % bound);
}

/* Uniform in [0, 1), a multiple of 2^-53. */
static inline double cnx_random_fraction(uint64_t *state)
{
    return (double)(cnx_random(state) >> 11) * 0x1p-53;
}

#endif
