#include "base/keyed.h"

/* Below that, counting the digits costs more than it saves. */
enum { FEW = 64, DIGITS = 8, VALUES = 256 };

static bool is_sorted(const cnx_keyed *items, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (items[i - 1].key > items[i].key)
            return false;
    return true;
}

static void insert_each(cnx_keyed *items, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        cnx_keyed item = items[i];
        size_t at = i;
        for (; at > 0 && items[at - 1].key > item.key; at--)
            items[at] = items[at - 1];
        items[at] = item;
    }
}

static size_t digit_of(const cnx_keyed *item, unsigned digit)
{
    return (size_t)(item->key >> (8 * digit)) & (VALUES - 1);
}

/* Distributes the items by one digit, given how often each of its values occurs. */
static void distribute(const cnx_keyed *from, cnx_keyed *to, size_t count, unsigned digit,
                       const size_t *occurs)
{
    size_t next[VALUES], sum = 0;
    for (size_t value = 0; value < VALUES; value++) {
        next[value] = sum;
        sum += occurs[value];
    }
    for (size_t i = 0; i < count; i++)
        to[next[digit_of(&from[i], digit)]++] = from[i];
}

/* By the last digit first; digits that all keys have in common are left out. */
static void sort_by_digits(cnx_keyed *items, cnx_keyed *room, size_t count)
{
    size_t occurs[DIGITS][VALUES] = {{0}};
    cnx_keyed *from = items, *to = room;
    for (size_t i = 0; i < count; i++)
        for (unsigned digit = 0; digit < DIGITS; digit++)
            occurs[digit][digit_of(&items[i], digit)]++;
    for (unsigned digit = 0; digit < DIGITS; digit++) {
        if (occurs[digit][digit_of(&items[0], digit)] == count)
            continue;
        distribute(from, to, count, digit, occurs[digit]);
        cnx_keyed *swap = from;
        from = to;
        to = swap;
    }
    if (from != items)
        memcpy(items, from, count * sizeof *items);
}

void cnx_sort_keyed(cnx_arena *scratch, cnx_keyed *items, size_t count)
{
    if (is_sorted(items, count))
        return;
    if (count < FEW) {
        insert_each(items, count);
        return;
    }
    cnx_arena *room = cnx_arena_create(scratch);
    sort_by_digits(items, CNX_NEW_ARRAY(room, cnx_keyed, count), count);
    cnx_arena_destroy(room);
}
