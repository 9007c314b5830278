/* Sorting by a number, against the definition: ascending, and what is equal stays in its order. */
#include "base/keyed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

/* Keys of `bits` random bits, from bit `shift` on. The items are numbered, so a stable order is the only one.
 */
static void sort_random(size_t count, unsigned bits, unsigned shift)
{
    cnx_arena *arena = cnx_arena_create(NULL);
    cnx_keyed *items = CNX_NEW_ARRAY(arena, cnx_keyed, count);
    uint64_t *keys = CNX_NEW_ARRAY(arena, uint64_t, count);
    bool *seen = CNX_NEW_ARRAY(arena, bool, count);
    for (size_t i = 0; i < count; i++) {
        uint64_t drawn = (uint64_t)rand() << 42 ^ (uint64_t)rand() << 21 ^ (uint64_t)rand();
        keys[i] = (bits < 64 ? drawn & ((UINT64_C(1) << bits) - 1) : drawn) << shift;
        items[i] = (cnx_keyed){keys[i], (uint32_t)i};
    }
    cnx_sort_keyed(arena, items, count);
    for (size_t i = 0; i < count; i++) {
        assert_false(seen[items[i].item]);
        seen[items[i].item] = true;
        assert_true(items[i].key == keys[items[i].item]);
        assert_true(i == 0 || items[i - 1].key < items[i].key ||
                    (items[i - 1].key == items[i].key && items[i - 1].item < items[i].item));
    }
    cnx_arena_destroy(arena);
}

static void test_random_keys(void **state)
{
    static const size_t counts[] = {0, 1, 2, 3, 63, 64, 65, 1000, 70000};
    (void)state;
    srand(1);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        sort_random(counts[i], 64, 0);
        sort_random(counts[i], 3, 0);
        sort_random(counts[i], 9, 29); /* digits below and above are alike */
        sort_random(counts[i], 1, 63);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_keys)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
