/* Directions are a basis, and which basis does not matter: all questions are about sums. To settle some, the
 * basis is changed by steps that can be undone (a multiple of one direction added to another) until the first
 * sum changes along the first direction only, the second sum along the first two, and so on: what is left of
 * the directions changes none of them, and the sums can be solved for one after the other. */
#include "rewrite/factors/freedom.h"

#include "base/intern.h"

/* Numbers beyond this are a sign of something that nobody asked for. */
#define LARGEST_ENTRY (INT64_C(1) << 30)

cnx_freedom *cnx_freedom_all(cnx_arena *arena, uint32_t size, bool modulo_two)
{
    int64_t *directions = CNX_NEW_ARRAY(arena, int64_t, (size_t)size * size);
    cnx_freedom *all = CNX_NEW(arena, cnx_freedom);
    for (uint32_t i = 0; i < size; i++)
        directions[(size_t)i * size + i] = 1;
    *all = (cnx_freedom){.modulo_two = modulo_two, .size = size, .rank = size, .directions = directions};
    return all;
}

static cnx_freedom *new_freedom(cnx_arena *arena, bool modulo_two, uint32_t size, uint32_t rank,
                                const int64_t *directions)
{
    cnx_freedom *made = CNX_NEW(arena, cnx_freedom);
    int64_t *copy = CNX_NEW_ARRAY(arena, int64_t, (size_t)size * rank);
    if (rank != 0)
        memcpy(copy, directions, (size_t)size * rank * sizeof *copy);
    *made = (cnx_freedom){.modulo_two = modulo_two, .size = size, .rank = rank, .directions = copy};
    return made;
}

cnx_freedom *cnx_freedom_copy(cnx_arena *arena, const cnx_freedom *freedom)
{
    return new_freedom(arena, freedom->modulo_two, freedom->size, freedom->rank, freedom->directions);
}

bool cnx_freedom_change(const cnx_freedom *freedom, const cnx_term *sum, size_t count, int64_t *row)
{
    bool changes = false;
    for (uint32_t d = 0; d < freedom->rank; d++) {
        const int64_t *direction = freedom->directions + (size_t)d * freedom->size;
        row[d] = 0;
        for (size_t t = 0; t < count; t++)
            row[d] += sum[t].factor * direction[sum[t].unknown];
        row[d] = freedom->modulo_two ? row[d] & 1 : row[d];
        changes = changes || row[d] != 0;
    }
    return changes;
}

/* ---- changing the basis ---- */

/* Directions, each with what it does to the sums in front of its numbers. */
typedef struct basis {
    bool modulo_two;
    uint32_t sums;
    uint32_t rank;
    uint32_t length; /* sums + size */
    int64_t *entries;
} basis;

static int64_t *direction_of(const basis *b, uint32_t d)
{
    return b->entries + (size_t)d * b->length;
}

/* Adds `times` times direction `from` to direction `to`. False when the numbers get too large. */
static bool add_direction(const basis *b, uint32_t to, uint32_t from, int64_t times)
{
    int64_t *a = direction_of(b, to);
    const int64_t *other = direction_of(b, from);
    bool small = true;
    for (uint32_t i = 0; i < b->length; i++) {
        a[i] += times * other[i];
        a[i] = b->modulo_two ? a[i] & 1 : a[i];
        small = small && a[i] < LARGEST_ENTRY && a[i] > -LARGEST_ENTRY;
    }
    return small;
}

static void exchange_directions(const basis *b, uint32_t d, uint32_t e)
{
    int64_t *a = direction_of(b, d), *other = direction_of(b, e);
    for (uint32_t i = 0; i < b->length && a != other; i++) {
        int64_t swap = a[i];
        a[i] = other[i];
        other[i] = swap;
    }
}

static int64_t magnitude(int64_t value)
{
    return value < 0 ? -value : value;
}

/* Of the directions from number `sum` on that change the sum, the one that changes it least; CNX_NONE when
 * none does. */
static uint32_t least_change(const basis *b, uint32_t sum, bool *alone)
{
    uint32_t least = CNX_NONE;
    *alone = true;
    for (uint32_t d = sum; d < b->rank; d++) {
        int64_t change = magnitude(direction_of(b, d)[sum]);
        if (change == 0)
            continue;
        *alone = *alone && least == CNX_NONE;
        if (least == CNX_NONE || change < magnitude(direction_of(b, least)[sum]))
            least = d;
    }
    return least;
}

/* Makes direction number `sum` the only one, of those from there on, along which the sum changes (Euclid's
 * algorithm on all of them at once). False when none does, or when numbers get too large. */
static bool single_out(const basis *b, uint32_t sum)
{
    bool alone = false;
    uint32_t least;
    while ((least = least_change(b, sum, &alone)) != CNX_NONE && !alone) {
        int64_t divisor = direction_of(b, least)[sum];
        for (uint32_t d = sum; d < b->rank; d++) {
            int64_t change = direction_of(b, d)[sum];
            if (d != least && change != 0 && !add_direction(b, d, least, -(change / divisor)))
                return false;
        }
    }
    if (least != CNX_NONE)
        exchange_directions(b, sum, least);
    return least != CNX_NONE;
}

static basis basis_of(cnx_arena *arena, const cnx_freedom *freedom, const int64_t *rows, uint32_t count)
{
    basis b = {.modulo_two = freedom->modulo_two,
               .sums = count,
               .rank = freedom->rank,
               .length = count + freedom->size};
    b.entries = CNX_NEW_ARRAY(arena, int64_t, (size_t)b.rank * b.length);
    for (uint32_t d = 0; d < b.rank; d++) {
        int64_t *entries = direction_of(&b, d);
        for (uint32_t i = 0; i < count; i++)
            entries[i] = rows[(size_t)i * b.rank + d];
        memcpy(entries + count, freedom->directions + (size_t)d * freedom->size,
               freedom->size * sizeof *entries);
    }
    return b;
}

/* Whether the sum can take all multiples of its divisor whatever the sums before it are. */
static bool is_independent(const basis *b, uint32_t sum, int64_t *divisor)
{
    *divisor = magnitude(direction_of(b, sum)[sum]);
    for (uint32_t d = 0; d < sum; d++)
        if (direction_of(b, d)[sum] % *divisor != 0)
            return false;
    return true;
}

static cnx_settling *settling_of(cnx_arena *arena, const basis *b, int64_t *divisors)
{
    uint32_t size = b->length - b->sums, count = b->sums;
    int64_t *triangle = CNX_NEW_ARRAY(arena, int64_t, (size_t)count * count);
    int64_t *all = CNX_NEW_ARRAY(arena, int64_t, (size_t)b->rank * size);
    for (uint32_t d = 0; d < b->rank; d++) {
        const int64_t *entries = direction_of(b, d);
        memcpy(all + (size_t)d * size, entries + count, size * sizeof *all);
        for (uint32_t i = 0; d < count && i < count; i++)
            triangle[(size_t)d * count + i] = entries[i];
    }
    cnx_settling *s = CNX_NEW(arena, cnx_settling);
    *s = (cnx_settling){.count = count, .divisors = divisors, .triangle = triangle, .directions = all};
    s->rest = new_freedom(arena, b->modulo_two, size, b->rank - count, all + (size_t)count * size);
    return s;
}

cnx_settling *cnx_freedom_settle(cnx_arena *arena, const cnx_freedom *freedom, const int64_t *rows,
                                 uint32_t count)
{
    if (count > freedom->rank)
        return NULL;
    basis b = basis_of(arena, freedom, rows, count);
    int64_t *divisors = CNX_NEW_ARRAY(arena, int64_t, count);
    for (uint32_t sum = 0; sum < count; sum++)
        if (!single_out(&b, sum) || !is_independent(&b, sum, &divisors[sum]))
            return NULL;
    return settling_of(arena, &b, divisors);
}

void cnx_settling_solve(const cnx_settling *s, int64_t *changes, int64_t *numbers)
{
    uint32_t size = s->rest->size;
    bool modulo_two = s->rest->modulo_two;
    for (uint32_t d = 0; d < s->count; d++) {
        const int64_t *change = s->triangle + (size_t)d * s->count;
        const int64_t *direction = s->directions + (size_t)d * size;
        int64_t times = modulo_two ? changes[d] & 1 : changes[d] / change[d];
        for (uint32_t i = d; i < s->count; i++)
            changes[i] -= times * change[i];
        for (uint32_t i = 0; i < size; i++)
            numbers[i] =
                modulo_two ? (numbers[i] + times * direction[i]) & 1 : numbers[i] + times * direction[i];
    }
}
