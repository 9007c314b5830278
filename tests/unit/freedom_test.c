/* What is free of a few numbers, against all small vectors tried out. */
#include "rewrite/factors/freedom.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SIZE = 4, TERMS = 3, ROUNDS = 400 };

static int64_t value_of(const cnx_term *sum, const int64_t *numbers)
{
    int64_t value = 0;
    for (int t = 0; t < TERMS; t++)
        value += sum[t].factor * numbers[sum[t].unknown];
    return value;
}

static void draw_sum(cnx_term *sum)
{
    for (int t = 0; t < TERMS; t++)
        sum[t] = (cnx_term){(uint32_t)(rand() % SIZE), rand() % 3 - 1};
}

/* Settles random sums one by one, each to a random multiple of its divisor, and checks that those before stay
 * as they were set. Returns the rank that is left. */
static uint32_t settle_one_by_one(cnx_arena *arena, bool modulo_two)
{
    const cnx_freedom *freedom = cnx_freedom_all(arena, SIZE, modulo_two);
    int64_t numbers[SIZE] = {0}, row[SIZE], set[SIZE];
    cnx_term sums[SIZE][TERMS];
    uint32_t settled = 0;
    for (int round = 0; round < 2 * SIZE && freedom->rank != 0; round++) {
        draw_sum(sums[settled]);
        if (!cnx_freedom_change(freedom, sums[settled], TERMS, row))
            continue;
        const cnx_settling *settling = cnx_freedom_settle(arena, freedom, row, 1);
        assert_non_null(settling);
        assert_int_equal(settling->rest->rank, freedom->rank - 1);
        int64_t change = settling->divisors[0] * (rand() % 7 - 3);
        set[settled] = value_of(sums[settled], numbers) + change;
        cnx_settling_solve(settling, &change, numbers);
        for (uint32_t i = 0; i <= settled; i++)
            assert_int_equal(modulo_two ? (value_of(sums[i], numbers) - set[i]) % 2
                                        : value_of(sums[i], numbers) - set[i],
                             0);
        assert_false(cnx_freedom_change(settling->rest, sums[settled], TERMS, row));
        freedom = settling->rest;
        settled++;
    }
    return freedom->rank;
}

static void test_what_is_settled_stays(void **state)
{
    (void)state;
    uint32_t left = 0;
    for (int i = 0; i < ROUNDS; i++) {
        cnx_arena *arena = cnx_arena_create(NULL);
        left += settle_one_by_one(arena, i % 2 == 0);
        cnx_arena_destroy(arena);
    }
    assert_true(left < ROUNDS); /* most rounds settle everything */
}

/* Whether two sums take, over all small vectors, every pair of small multiples of what each takes alone. */
static bool take_all_pairs(const cnx_term *a, const cnx_term *b, bool modulo_two)
{
    enum { REACH = 5, WIDE = 60 };
    bool seen[2 * WIDE + 1][2 * WIDE + 1] = {{false}};
    int64_t least_a = 0, least_b = 0, n[SIZE];
    for (n[0] = -REACH; n[0] <= REACH; n[0]++)
        for (n[1] = -REACH; n[1] <= REACH; n[1]++)
            for (n[2] = -REACH; n[2] <= REACH; n[2]++)
                for (n[3] = -REACH; n[3] <= REACH; n[3]++) {
                    int64_t x = value_of(a, n), y = value_of(b, n);
                    x = modulo_two ? x & 1 : x;
                    y = modulo_two ? y & 1 : y;
                    seen[x + WIDE][y + WIDE] = true;
                    least_a = x > 0 && (least_a == 0 || x < least_a) ? x : least_a;
                    least_b = y > 0 && (least_b == 0 || y < least_b) ? y : least_b;
                }
    return least_a != 0 && least_b != 0 && seen[WIDE + least_a][WIDE] && seen[WIDE][WIDE + least_b];
}

static void test_sums_settled_together_are_independent(void **state)
{
    (void)state;
    int independent = 0;
    for (int i = 0; i < ROUNDS; i++) {
        cnx_arena *arena = cnx_arena_create(NULL);
        bool modulo_two = i % 2 == 0;
        const cnx_freedom *all = cnx_freedom_all(arena, SIZE, modulo_two);
        cnx_term sums[2][TERMS];
        int64_t rows[2 * SIZE], changes[2], numbers[SIZE] = {0};
        draw_sum(sums[0]);
        draw_sum(sums[1]);
        bool change = cnx_freedom_change(all, sums[0], TERMS, rows);
        change = cnx_freedom_change(all, sums[1], TERMS, rows + SIZE) && change;
        const cnx_settling *settling = change ? cnx_freedom_settle(arena, all, rows, 2) : NULL;
        assert_int_equal(settling != NULL, take_all_pairs(sums[0], sums[1], modulo_two));
        for (int k = 0; k < 2 && settling != NULL; k++)
            changes[k] = settling->divisors[k] * (2 * k - 1);
        if (settling != NULL) {
            int64_t wanted[2] = {changes[0], changes[1]};
            cnx_settling_solve(settling, changes, numbers);
            for (int k = 0; k < 2; k++)
                assert_int_equal((value_of(sums[k], numbers) - wanted[k]) % (modulo_two ? 2 : INT32_MAX), 0);
        }
        independent += settling != NULL;
        cnx_arena_destroy(arena);
    }
    assert_in_range(independent, ROUNDS / 4, ROUNDS - 1);
}

/* x + y and x - y are even together: one cannot be 1 while the other is 0. Twice x alone can only be even. */
static void test_sums_that_depend_on_each_other(void **state)
{
    (void)state;
    cnx_arena *arena = cnx_arena_create(NULL);
    const cnx_freedom *all = cnx_freedom_all(arena, 2, false);
    const int64_t both[4] = {1, 1, 1, -1}, opposite[4] = {1, 1, -1, -1}, twice[2] = {2, 0};
    assert_null(cnx_freedom_settle(arena, all, both, 2));
    assert_null(cnx_freedom_settle(arena, all, opposite, 2));
    const cnx_settling *even = cnx_freedom_settle(arena, all, twice, 1);
    assert_int_equal(even->divisors[0], 2);
    assert_int_equal(even->rest->rank, 1);
    cnx_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_settled_stays),
        cmocka_unit_test(test_sums_settled_together_are_independent),
        cmocka_unit_test(test_sums_that_depend_on_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
