#include "rewrite/gather.h"

#include <string.h>

/* memcpy in place, for pieces too short for a call each. */
static inline void copy_run(uint8_t *out, const uint8_t *in, size_t size)
{
    if (size < 16 || size > 128) {
        memcpy(out, in, size);
        return;
    }
    for (size_t at = 0; at + 16 <= size; at += 16)
        memcpy(out + at, in + at, 16);
    memcpy(out + size - 16, in + size - 16, 16);
}

#define GATHER(name, type)                                                                                   \
    static void name(uint8_t *out, const uint8_t *in, const uint32_t *source, uint64_t count)                \
    {                                                                                                        \
        type value;                                                                                          \
        for (uint64_t i = 0; i < count; i++) {                                                               \
            memcpy(&value, in + source[i] * sizeof value, sizeof value);                                     \
            memcpy(out + i * sizeof value, &value, sizeof value);                                            \
        }                                                                                                    \
    }
GATHER(gather_1, uint8_t)
GATHER(gather_2, uint16_t)
GATHER(gather_4, uint32_t)
GATHER(gather_8, uint64_t)

void cnx_gather(uint8_t *out, const uint8_t *in, const uint32_t *source, uint64_t count, size_t size)
{
    switch (size) {
    case 1:
        gather_1(out, in, source, count);
        break;
    case 2:
        gather_2(out, in, source, count);
        break;
    case 4:
        gather_4(out, in, source, count);
        break;
    case 8:
        gather_8(out, in, source, count);
        break;
    default:
        for (uint64_t i = 0; i < count; i++)
            copy_run(out + i * size, in + source[i] * size, size);
    }
}

/* ---- rows together ---- */

/* Eight rows are turned into columns of eight elements, one after the other in `room`. There what one step of
 * the list moves is a vector and not an element, and rows are read in order, as processors expect it. Then
 * columns are turned back into rows. This takes registers for vectors of eight elements and instructions that
 * shuffle two of them; without these, moving element by element is quicker. */
#if defined(__x86_64__) && defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define WITH_VECTORS
#endif
#endif

#ifdef WITH_VECTORS
enum { ROWS = CNX_GATHERED_ROWS, EACH = sizeof(uint32_t), WIDTH = ROWS * EACH };
_Static_assert(WIDTH == CNX_GATHER_ROOM, "a vector of all rows is what an element needs room for");

typedef uint32_t vector __attribute__((vector_size(CNX_GATHER_ROOM)));

/* Squares of 2 by 2 change places across the diagonal, then of 4 by 4, then the quarters. */
__attribute__((always_inline, target("avx512vl"))) static inline void transpose(vector v[ROWS])
{
    vector w[ROWS];
    for (int i = 0; i < ROWS; i += 2) {
        w[i] = __builtin_shufflevector(v[i], v[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
        w[i + 1] = __builtin_shufflevector(v[i], v[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    }
    for (int i = 0; i < ROWS; i += 4)
        for (int k = 0; k < 2; k++) {
            v[i + 2 * k] = __builtin_shufflevector(w[i + k], w[i + k + 2], 0, 1, 8, 9, 4, 5, 12, 13);
            v[i + 2 * k + 1] = __builtin_shufflevector(w[i + k], w[i + k + 2], 2, 3, 10, 11, 6, 7, 14, 15);
        }
    for (int k = 0; k < 4; k++) {
        w[k] = __builtin_shufflevector(v[k], v[k + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        w[k + 4] = __builtin_shufflevector(v[k], v[k + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
    for (int i = 0; i < ROWS; i++)
        v[i] = w[i];
}

__attribute__((target("avx512vl"))) static void rows_to_columns(const uint8_t *const in[ROWS], uint64_t count,
                                                                uint8_t *room)
{
    uint64_t even = count - count % ROWS;
    for (uint64_t i = 0; i < even; i += ROWS) {
        vector v[ROWS];
        for (int k = 0; k < ROWS; k++)
            memcpy(&v[k], in[k] + i * EACH, WIDTH);
        transpose(v);
        memcpy(room + i * WIDTH, v, sizeof v);
    }
    for (uint64_t i = even; i < count; i++)
        for (uint64_t k = 0; k < ROWS; k++)
            memcpy(room + i * WIDTH + k * EACH, in[k] + i * EACH, EACH);
}

__attribute__((target("avx512vl"))) static void columns_to_rows(const uint8_t *room, const uint32_t *source,
                                                                uint64_t count, uint8_t *out)
{
    uint64_t even = count - count % ROWS;
    for (uint64_t i = 0; i < even; i += ROWS) {
        vector v[ROWS];
        for (uint64_t k = 0; k < ROWS; k++)
            memcpy(&v[k], room + (uint64_t)source[i + k] * WIDTH, WIDTH);
        transpose(v);
        for (uint64_t k = 0; k < ROWS; k++)
            memcpy(out + (k * count + i) * EACH, &v[k], WIDTH);
    }
    for (uint64_t i = even; i < count; i++)
        for (uint64_t k = 0; k < ROWS; k++)
            memcpy(out + (k * count + i) * EACH, room + (uint64_t)source[i] * WIDTH + k * EACH, EACH);
}

bool cnx_gathers_rows(void)
{
    return __builtin_cpu_supports("avx512vl");
}

void cnx_gather_rows(uint8_t *out, const uint8_t *const in[ROWS], const uint32_t *source, uint64_t count,
                     uint8_t *room)
{
    rows_to_columns(in, count, room);
    columns_to_rows(room, source, count, out);
}
#else
bool cnx_gathers_rows(void)
{
    return false;
}

void cnx_gather_rows(uint8_t *out, const uint8_t *const in[CNX_GATHERED_ROWS], const uint32_t *source,
                     uint64_t count, uint8_t *room)
{
    (void)out, (void)in, (void)source, (void)count, (void)room;
}
#endif
