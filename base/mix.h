/* Mixing numbers into well-spread 64-bit ones: for order-free sums of small facts, and as a random
 * generator's step (SplitMix64; Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
 * Bytes are hashed by xxHash.
 */
#ifndef CNX_BASE_MIX_H
#define CNX_BASE_MIX_H

#include <stdint.h>

static inline uint64_t cnx_mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* An ordered pair. */
static inline uint64_t cnx_mix_pair(uint64_t a, uint64_t b)
{
    return cnx_mix(cnx_mix(a) ^ (b * UINT64_C(0xd6e8feb86659fd93)));
}

#endif
