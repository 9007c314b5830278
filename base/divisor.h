/* Whole numbers. */
#ifndef CNX_BASE_DIVISOR_H
#define CNX_BASE_DIVISOR_H

#include <stdint.h>

/* The greatest common divisor; that of a number and 0 is the number. */
static inline uint64_t cnx_greatest_divisor(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

#endif
