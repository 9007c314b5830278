/* Numbers of units from what they do to weights, and choosing those that make two models alike: drawn numbers
 * are found again. */
#include "analyze/scaling/scaling.h"
#include "compare/multiples.h"
#include "compare/multiplied.h"

#include "fixture.h"

#include <math.h>

/* ---- what is wanted of every axis -> numbers ---- */

typedef struct subject {
    cnx_arena *arena;
    cnx_analysis *analysis;
    const cnx_scalings *scalings;
} subject;

static uint32_t count_numbers(const subject *s, cnx_scaling_kind kind)
{
    uint32_t generators, numbers;
    cnx_scaling_generators(s->scalings, kind, &generators, &numbers);
    return numbers;
}

/* What numbers do to all axes. */
static cnx_wanted_numbers effect(const subject *s, cnx_scaling_kind kind, const int32_t *numbers)
{
    cnx_wanted_numbers wanted = cnx_wanted_create(s->arena, s->analysis);
    for (size_t p = 0; p < s->analysis->parameter_count; p++)
        for (uint32_t k = 0; k < s->analysis->parameters[p].tensor->rank; k++)
            if (cnx_parameter_labels(&s->analysis->parameters[p], k) != NULL)
                wanted[p][k] = (int32_t *)(uintptr_t)cnx_axis_numbers(s->arena, s->analysis, s->scalings, p,
                                                                      k, kind, numbers);
    return wanted;
}

static void assert_same_effect(const subject *s, cnx_wanted_numbers a, cnx_wanted_numbers b)
{
    for (size_t p = 0; p < s->analysis->parameter_count; p++)
        for (uint32_t k = 0; k < s->analysis->parameters[p].tensor->rank; k++) {
            assert_true((a[p][k] == NULL) == (b[p][k] == NULL));
            if (a[p][k] != NULL)
                assert_memory_equal(a[p][k], b[p][k],
                                    cnx_parameter_labels(&s->analysis->parameters[p], k)->sequence->count *
                                        sizeof(int32_t));
        }
}

static void find_again(const subject *s, cnx_scaling_kind kind)
{
    uint32_t count = count_numbers(s, kind);
    int32_t *drawn = CNX_NEW_ARRAY(s->arena, int32_t, count),
            *found = CNX_NEW_ARRAY(s->arena, int32_t, count);
    assert_true(count > 0);
    for (uint32_t i = 0; i < count; i++)
        drawn[i] = kind == CNX_SIGN ? rand() % 2 : rand() % 9 - 4;
    cnx_wanted_numbers wanted = effect(s, kind, drawn);
    assert_true(cnx_find_numbers(s->arena, s->analysis, s->scalings, kind, wanted, found));
    assert_same_effect(s, wanted, effect(s, kind, found));
    /* One position more, of whatever axis, is what no numbers do: all axes of a unit are multiplied together.
     */
    for (size_t p = 0; p < s->analysis->parameter_count; p++)
        for (uint32_t k = 0; k < s->analysis->parameters[p].tensor->rank; k++)
            if (wanted[p][k] != NULL) {
                wanted[p][k][0] = kind == CNX_SIGN ? 1 - wanted[p][k][0] : wanted[p][k][0] + 1;
                assert_false(cnx_find_numbers(s->arena, s->analysis, s->scalings, kind, wanted, found));
                return;
            }
    fail_msg("nothing is multiplied");
}

static void test_numbers_are_found_again(void **state)
{
    (void)state;
    cnx_model *model = open_model(SAMPLES "/digits_convnet.onnx");
    subject s = {.arena = cnx_arena_create(NULL)};
    s.analysis = cnx_analyze(s.arena, model);
    s.scalings = cnx_find_scalings(s.arena, s.analysis);
    find_again(&s, CNX_SIGN);
    find_again(&s, CNX_SCALE);
    cnx_arena_destroy(s.arena);
    cnx_model_close(model);
}

/* ---- likeness -> signs and exponents ---- */

enum { WAYS = 5, LENGTH = 12, ROUNDS = 300 };

/* The ways in which slices of a unit with two signs and two exponents may be multiplied. */
static const cnx_multiple ways[WAYS] = {
    {.signs = 1, .exponents = {1, 0}},  {.signs = 1, .exponents = {-1, 0}}, {.signs = 2, .exponents = {0, 1}},
    {.signs = 3, .exponents = {1, -1}}, {.signs = 0, .exponents = {0, 2}},
};

static double number(void)
{
    return rand() / (double)RAND_MAX - 0.5;
}

static double factor_of(const cnx_multiple *way, const cnx_choice *choice)
{
    int flips = __builtin_popcount(way->signs & choice->signs);
    return ldexp(flips % 2 == 0 ? 1 : -1,
                 way->exponents[0] * choice->exponents[0] + way->exponents[1] * choice->exponents[1]);
}

/* Slices of a, and b's, from which the choice leads to them but for some noise. */
static void draw(const cnx_choice *choice, double noise, cnx_likeness *likeness)
{
    for (int v = 0; v < WAYS; v++) {
        likeness[v] = (cnx_likeness){0};
        for (int i = 0; i < LENGTH; i++) {
            double a = number(), b = a / factor_of(&ways[v], choice) * (1 + noise * number());
            likeness[v].aa += a * a;
            likeness[v].ab += a * b;
            likeness[v].bb += b * b;
            likeness[v].distance += (a - b) * (a - b);
        }
    }
}

static void test_factors_are_chosen(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        cnx_choice drawn = {.signs = (uint32_t)rand() % 4, .exponents = {rand() % 7 - 3, rand() % 7 - 3}},
                   chosen;
        bool any = drawn.signs != 0 || drawn.exponents[0] != 0 || drawn.exponents[1] != 0;
        cnx_likeness likeness[WAYS];
        draw(&drawn, round % 2 == 0 ? 0 : 0.2, likeness);
        assert_int_equal(cnx_choose_factors(ways, WAYS, 2, 2, likeness, 1, &chosen), any);
        if (!any)
            continue;
        assert_int_equal(chosen.signs, drawn.signs);
        assert_int_equal(chosen.exponents[0], drawn.exponents[0]);
        assert_int_equal(chosen.exponents[1], drawn.exponents[1]);
        for (int v = 0; v < WAYS; v++) /* what is left is the noise */
            assert_true(cnx_distance_under(&ways[v], &likeness[v], &chosen) < 0.02 * likeness[v].aa);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_are_found_again),
        cmocka_unit_test(test_factors_are_chosen),
    };
    return cmocka_run_group_tests_name("compare_multiplied", tests, NULL, NULL);
}
