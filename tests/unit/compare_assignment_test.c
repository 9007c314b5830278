/* Linear assignment against all permutations for small matrices, and against prices that prove it optimal for
 * larger ones. */
#include "fixture.h"

#include "base/mix.h"
#include "compare/assignment.h"

#include <float.h>
#include <math.h>

static double uniform(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    return (double)(cnx_mix(*state) >> 11) * 0x1p-53;
}

static void assert_is_permutation(const uint32_t *column, uint32_t count)
{
    bool *taken = calloc(count + 1, 1);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(column[i] < count);
        assert_false(taken[column[i]]);
        taken[column[i]] = true;
    }
    free(taken);
}

/* The largest sum over all ways to assign rows `row` and later to columns that are not in `taken`. */
static double best_sum(const double *gain, uint32_t count, size_t stride, uint32_t row, unsigned taken)
{
    double best = row == count ? 0 : -DBL_MAX;
    for (uint32_t j = 0; row < count && j < count; j++) {
        if ((taken >> j & 1) != 0)
            continue;
        double sum = gain[row * stride + j] + best_sum(gain, count, stride, row + 1, taken | 1u << j);
        best = sum > best ? sum : best;
    }
    return best;
}

static void agrees_with_all_permutations(void **state)
{
    (void)state;
    cnx_arena *arena = cnx_arena_create(NULL);
    uint64_t seed = 1;
    for (uint32_t count = 0; count <= 7; count++)
        for (unsigned round = 0; round < 200; round++) {
            enum { STRIDE = 9 };
            double gain[7 * STRIDE] = {0};
            uint32_t column[7];
            for (uint32_t i = 0; i < count * STRIDE; i++) /* every other matrix is full of ties */
                gain[i] = round % 2 == 0 ? uniform(&seed) - 0.5 : floor(3 * uniform(&seed));
            double sum = cnx_assign(arena, gain, count, STRIDE, column);
            assert_is_permutation(column, count);
            assert_true(fabs(sum - best_sum(gain, count, STRIDE, 0, 0)) < 1e-12);
        }
    cnx_arena_destroy(arena);
}

/* No exchange of two rows, and no cycle of three, gains anything. */
static void assert_no_short_cycle_gains(const double *gain, const uint32_t *column, uint32_t count)
{
    for (uint32_t a = 0; a < count; a++)
        for (uint32_t b = 0; b < count; b++) {
            double kept = gain[a * count + column[a]] + gain[b * count + column[b]];
            assert_true(gain[a * count + column[b]] + gain[b * count + column[a]] <= kept + 1e-9);
        }
}

/* Bellman-Ford on the graph of exchanges: prices exist exactly when no cycle of exchanges gains anything. */
static void assert_prices_exist(const double *gain, const uint32_t *column, uint32_t count)
{
    double *price = calloc(count, sizeof *price); /* by row */
    bool changed = true;
    for (uint32_t round = 0; round <= count && changed; round++) {
        assert_true(round < count);
        changed = false;
        for (uint32_t a = 0; a < count; a++)
            for (uint32_t b = 0; b < count; b++) {
                double through = price[a] + gain[a * count + column[a]] - gain[a * count + column[b]];
                if (through < price[b] - 1e-10) {
                    price[b] = through;
                    changed = true;
                }
            }
    }
    free(price);
}

static void check_large(uint32_t count, unsigned kind)
{
    cnx_arena *arena = cnx_arena_create(NULL);
    double *gain = calloc((size_t)count * count, sizeof *gain);
    uint32_t *column = calloc(count, sizeof *column);
    uint64_t seed = count + 17 * kind;
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = 0; j < count; j++) {
            double noise = uniform(&seed);
            gain[(size_t)i * count + j] = kind == 0 ? noise /* any */
                                          : kind == 1
                                              ? noise + (j == (i * 7 + 3) % count ? 5 : 0) /* one is right */
                                          : kind == 2 ? floor(4 * noise)                   /* ties */
                                                      : (double)i * (double)j / count;     /* rank one */
        }
    cnx_assign(arena, gain, count, count, column);
    assert_is_permutation(column, count);
    assert_no_short_cycle_gains(gain, column, count);
    assert_prices_exist(gain, column, count);
    for (uint32_t i = 0; kind == 1 && i < count; i++)
        assert_int_equal(column[i], (i * 7 + 3) % count);
    for (uint32_t i = 0; kind == 3 && i < count; i++)
        assert_int_equal(column[i], i);
    free(column);
    free(gain);
    cnx_arena_destroy(arena);
}

static void is_optimal_for_larger_ones(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 4; kind++) {
        check_large(64, kind);
        check_large(257, kind);
    }
}

static void equal_gains_are_assigned(void **state)
{
    (void)state;
    cnx_arena *arena = cnx_arena_create(NULL);
    double gain[100] = {0};
    uint32_t column[10];
    assert_true(cnx_assign(arena, gain, 10, 10, column) == 0);
    assert_is_permutation(column, 10);
    cnx_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_all_permutations),
        cmocka_unit_test(is_optimal_for_larger_ones),
        cmocka_unit_test(equal_gains_are_assigned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
