#include "rewrite/factors/room.h"

#include "base/wide.h"
#include "onnx/element.h"

#include <float.h>
#include <math.h>

/* Signed, and without conditions: that compares in wide loops everywhere. */
CNX_WIDE static void find_extremes(const uint8_t *floats, uint64_t count, int32_t *largest, int32_t *smallest)
{
    int32_t most = 0, least = INT32_MAX;
    for (uint64_t i = 0; i < count; i++) {
        int32_t bits, less;
        memcpy(&bits, floats + i * sizeof bits, sizeof bits);
        bits &= INT32_MAX;
        less = (bits - 1) & INT32_MAX; /* of zero INT32_MAX */
        most = bits > most ? bits : most;
        least = less < least ? less : least;
    }
    *largest = most;
    *smallest = least;
}

void cnx_find_extremes(const uint8_t *floats, uint64_t count, int32_t *largest, int32_t *smallest)
{
    find_extremes(floats, count, largest, smallest);
}

int cnx_smallest_exponent(int32_t type)
{
    return type == CNX_TYPE_DOUBLE ? DBL_MIN_EXP : FLT_MIN_EXP; /* bfloat16 has the exponents of float */
}

int cnx_largest_exponent(int32_t type)
{
    return (type == CNX_TYPE_DOUBLE ? DBL_MAX_EXP : FLT_MAX_EXP) / 2;
}

static bool floats_have_room(const uint8_t *bytes, uint64_t count)
{
    enum { BEYOND = (127 + FLT_MAX_EXP / 2) << 23, NORMAL = 0x00800000 };
    int32_t largest, smallest;
    cnx_find_extremes(bytes, count, &largest, &smallest);
    return largest < BEYOND && smallest >= NORMAL - 1;
}

bool cnx_have_room(int32_t type, const uint8_t *bytes, uint64_t count)
{
    enum { FEW = 256 };
    double values[FEW];
    double least = ldexp(0.5, cnx_smallest_exponent(type)), beyond = ldexp(1, cnx_largest_exponent(type));
    if (type == CNX_TYPE_FLOAT)
        return floats_have_room(bytes, count);
    for (uint64_t at = 0; at < count; at += FEW) {
        size_t few = count - at < FEW ? (size_t)(count - at) : FEW;
        cnx_elements_read(type, bytes, at, few, values);
        for (size_t i = 0; i < few; i++)
            if (values[i] != 0 && !(fabs(values[i]) >= least && fabs(values[i]) < beyond))
                return false;
    }
    return true;
}
