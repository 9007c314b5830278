/* Substitution over the whole numbers and modulo two, against solutions that are tried out. */
#include "analyze/equations.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

/* The value of an unknown when every free one takes its entry of `chosen`. */
static int64_t value_of(cnx_equations *equations, uint32_t unknown, const int *chosen)
{
    const cnx_term *terms;
    size_t count = cnx_equations_value(equations, unknown, &terms);
    int64_t value = 0;
    for (size_t i = 0; i < count; i++) {
        assert_true(cnx_equations_is_free(equations, terms[i].unknown));
        value += (int64_t)terms[i].factor * chosen[terms[i].unknown];
    }
    return value;
}

enum { UNKNOWNS = 40, EQUATIONS = 25, MOST = 4 };

/* Random equations of a few terms: whatever the free unknowns are, every equation holds. */
static void solve_random(bool modulo_two)
{
    cnx_arena *arena = cnx_arena_create(NULL);
    cnx_equations *equations = cnx_equations_create(arena, UNKNOWNS, modulo_two, NULL);
    cnx_term terms[EQUATIONS][MOST];
    size_t counts[EQUATIONS];
    int chosen[UNKNOWNS];
    for (int e = 0; e < EQUATIONS; e++) {
        counts[e] = (size_t)(1 + rand() % MOST);
        for (size_t t = 0; t < counts[e]; t++)
            terms[e][t] = (cnx_term){(uint32_t)(rand() % UNKNOWNS), rand() % 5 - 2};
        cnx_equations_add(equations, terms[e], counts[e]);
    }
    for (int i = 0; i < UNKNOWNS; i++)
        chosen[i] = rand() % 7 - 3;
    for (int e = 0; e < EQUATIONS; e++) {
        int64_t sum = 0;
        for (size_t t = 0; t < counts[e]; t++)
            sum += terms[e][t].factor * value_of(equations, terms[e][t].unknown, chosen);
        assert_int_equal(modulo_two ? sum & 1 : sum, 0);
        assert_false(cnx_equations_add(equations, terms[e], counts[e]));
    }
    cnx_arena_destroy(arena);
}

static void test_solutions_hold(void **state)
{
    (void)state;
    srand(1);
    for (unsigned round = 0; round < 300; round++) {
        solve_random(false);
        solve_random(true);
    }
}

static void test_consequences_are_not_new(void **state)
{
    (void)state;
    cnx_arena *arena = cnx_arena_create(NULL);
    cnx_equations *equations = cnx_equations_create(arena, 3, false, NULL);
    const cnx_term first[] = {{0, 1}, {1, -1}}, second[] = {{1, 1}, {2, 1}}, sum[] = {{0, 1}, {2, 1}};
    assert_true(cnx_equations_add(equations, first, 2));
    assert_true(cnx_equations_add(equations, second, 2));
    assert_false(cnx_equations_add(equations, sum, 2));
    assert_true(cnx_equations_is_free(equations, 0));
    cnx_arena_destroy(arena);
}

/* 2x = 0 means nothing modulo two, and x = 0 otherwise; 2x = 3y has whole solutions, but none is taken. */
static void test_coefficients_that_do_not_divide(void **state)
{
    (void)state;
    cnx_arena *arena = cnx_arena_create(NULL);
    cnx_equations *whole = cnx_equations_create(arena, 3, false, NULL),
                  *two = cnx_equations_create(arena, 3, true, NULL);
    const cnx_term twice[] = {{0, 2}}, uneven[] = {{1, 2}, {2, -3}}, *terms;
    assert_true(cnx_equations_add(whole, twice, 1));
    assert_false(cnx_equations_add(two, twice, 1));
    assert_int_equal(cnx_equations_value(whole, 0, &terms), 0);
    assert_true(cnx_equations_add(whole, uneven, 2));
    assert_int_equal(cnx_equations_value(whole, 1, &terms), 0);
    assert_int_equal(cnx_equations_value(whole, 2, &terms), 0);
    assert_true(cnx_equations_add(two, uneven, 2));
    assert_int_equal(cnx_equations_value(two, 2, &terms), 0);
    assert_true(cnx_equations_is_free(two, 1));
    cnx_arena_destroy(arena);
}

/* A chain stated from its end, a million long: no recursion. */
static void test_long_chains(void **state)
{
    (void)state;
    enum { LENGTH = 1000000 };
    cnx_arena *arena = cnx_arena_create(NULL);
    cnx_equations *equations = cnx_equations_create(arena, LENGTH, false, NULL);
    const cnx_term *terms;
    for (uint32_t i = LENGTH - 1; i > 0; i--) {
        const cnx_term pair[] = {{i, 1}, {i - 1, 1}};
        assert_true(cnx_equations_add(equations, pair, 2));
    }
    assert_int_equal(cnx_equations_value(equations, LENGTH - 1, &terms), 1);
    assert_int_equal(terms[0].unknown, 0);
    assert_int_equal(terms[0].factor, -1);
    cnx_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_solutions_hold),
        cmocka_unit_test(test_consequences_are_not_new),
        cmocka_unit_test(test_coefficients_that_do_not_divide),
        cmocka_unit_test(test_long_chains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
