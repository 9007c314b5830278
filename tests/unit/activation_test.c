/* The activation table against its own formulas: every property that a row claims is tried on a grid of
 * points, for the defaults and for unusual parameters, and every Lipschitz constant is reached. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "analyze/bounds/activations.h"

#define LEFT (-12.0)
#define RIGHT 12.0
#define STEPS 240000 /* a step of 1e-4 */

static double point(int i)
{
    return LEFT + (RIGHT - LEFT) * (double)i / STEPS;
}

/* |s(x) - s(y)| <= rho |x - y| between neighbours, and for elementary functions some pair comes close to it.
 */
static void check_lipschitz(const cnx_activation *s)
{
    double steepest = 0.0;
    for (int i = 0; i < STEPS; i++) {
        double slope = fabs(cnx_activation_value(s, point(i + 1)) - cnx_activation_value(s, point(i))) /
                       (point(i + 1) - point(i));
        if (!isnan(slope))
            steepest = fmax(steepest, slope);
    }
    if (isinf(s->lipschitz)) {
        /* A jump or a pole shows as a slope that grows with the step; the log-like ones only far out. */
        if (steepest < 50.0)
            fail_msg("%s: no Lipschitz constant, but the slope is at most %g", s->name, steepest);
        return;
    }
    if (steepest > s->lipschitz * (1.0 + 1e-9) + 1e-10)
        fail_msg("%s: slope %.12g above the constant %.12g", s->name, steepest, s->lipschitz);
    if (steepest < s->lipschitz * (1.0 - 1e-3))
        fail_msg("%s: the constant %.12g is not reached (%.12g)", s->name, s->lipschitz, steepest);
}

static void check_range(const cnx_activation *s)
{
    for (int i = 0; i <= STEPS; i++) {
        double value = cnx_activation_value(s, point(i));
        if (value < s->low - 1e-12 || value > s->high + 1e-12)
            fail_msg("%s: s(%g) = %.15g outside [%.15g, %.15g]", s->name, point(i), value, s->low, s->high);
    }
}

static bool close_to(double a, double b)
{
    return isnan(a) || isnan(b) || a == b || fabs(a - b) <= 1e-9 * (1.0 + fabs(a));
}

static void check_homogeneity(const cnx_activation *s)
{
    bool holds = true;
    for (int i = 0; i <= STEPS && holds; i += 97)
        for (double c = 0.25; c <= 4.0 && holds; c *= 1.7) {
            double expected = pow(c, s->homogeneous ? s->degree : 1.0) * cnx_activation_value(s, point(i));
            holds = close_to(cnx_activation_value(s, c * point(i)), expected);
        }
    if (holds != s->homogeneous)
        fail_msg("%s: homogeneity is claimed %s", s->name, s->homogeneous ? "wrongly" : "too little");
}

/* Where s(-x) is outside the domain, as for Sqrt, nothing is compared, and nothing flips. */
static bool flips(const cnx_activation *s, cnx_flip flip)
{
    bool compared = false;
    for (int i = 0; i <= STEPS; i += 89) {
        double x = point(i), here = cnx_activation_value(s, x);
        double there = cnx_activation_value(s, flip.kind == CNX_FLIP_AFFINE ? flip.center - x : -x);
        double expected = flip.kind == CNX_FLIP_EVEN  ? here
                          : flip.kind == CNX_FLIP_ODD ? -here
                                                      : flip.sum - here;
        if (!close_to(there, expected))
            return false;
        compared = compared || (x != 0.0 && !isnan(here) && !isnan(there));
    }
    return compared;
}

/* What is claimed holds, and an odd or even function is never called less than that. */
static void check_flip(const cnx_activation *s)
{
    if (s->flip.kind != CNX_FLIP_NONE) {
        if (!flips(s, s->flip))
            fail_msg("%s: its flip is claimed wrongly", s->name);
        return;
    }
    if (flips(s, (cnx_flip){CNX_FLIP_ODD, 0, 0}) || flips(s, (cnx_flip){CNX_FLIP_EVEN, 0, 0}))
        fail_msg("%s: its flip is not claimed", s->name);
}

static void check(const cnx_activation *s)
{
    check_range(s);
    check_homogeneity(s);
    check_flip(s);
    assert_true(isnan(s->at_zero) || s->at_zero == cnx_activation_value(s, 0.0));
}

/* Asin, Acos and Atanh end with vertical tangents that a step of 1e-4 shows as a slope of 141 at most; Tan,
 * Sinh, Cosh, Exp and the steps are far above. Log, Sqrt, Acosh and Reciprocal are steep near 0 or 1 only. */
static void test_every_row(void **state)
{
    (void)state;
    cnx_activation s;
    size_t rows = 0;
    while (cnx_activation_at(rows, &s)) {
        check(&s);
        check_lipschitz(&s);
        rows++;
    }
    print_message("%zu rows\n", rows);
    assert_true(rows >= 40);
}

typedef struct special {
    const char *name;
    cnx_activation_parameters given;
} special;

static void test_unusual_parameters(void **state)
{
    (void)state;
    const double no = NAN;
    const special specials[] = {
        /*               alpha beta gamma bias lambd minimum maximum */
        {"LeakyRelu", {0.0, no, no, no, no, no, no}},
        {"LeakyRelu", {1.0, no, no, no, no, no, no}},
        {"LeakyRelu", {-1.0, no, no, no, no, no, no}},
        {"LeakyRelu", {-2.5, no, no, no, no, no, no}},
        {"PRelu", {3.0, no, no, no, no, no, no}},
        {"ThresholdedRelu", {0.0, no, no, no, no, no, no}},
        {"ThresholdedRelu", {-1.0, no, no, no, no, no, no}},
        {"Clip", {no, no, no, no, no, 0.0, INFINITY}},
        {"Clip", {no, no, no, no, no, -INFINITY, 0.0}},
        {"Clip", {no, no, no, no, no, 0.0, 6.0}},
        {"Clip", {no, no, no, no, no, -1.0, 1.0}},
        {"Clip", {no, no, no, no, no, -1.0, 3.0}},
        {"Clip", {no, no, no, no, no, 2.0, INFINITY}},
        {"HardSigmoid", {1.0 / 6.0, 0.5, no, no, no, no, no}},
        {"HardSigmoid", {-0.5, 0.25, no, no, no, no, no}},
        {"Shrink", {no, no, no, 1.5, 1.5, no, no}},
        {"Shrink", {no, no, no, 0.0, -1.0, no, no}},
        {"Shrink", {no, no, no, 0.5, 1.0, no, no}},
        {"Elu", {0.0, no, no, no, no, no, no}},
        {"Elu", {2.0, no, no, no, no, no, no}},
        {"Elu", {-2.0, no, no, no, no, no, no}},
        {"Celu", {0.5, no, no, no, no, no, no}},
        {"Celu", {-0.5, no, no, no, no, no, no}},
        {"Selu", {0.5, no, 2.0, no, no, no, no}},
        {"Selu", {2.0, no, -0.5, no, no, no, no}},
        {"Swish", {1.702, no, no, no, no, no, no}},
        {"Swish", {-1.0, no, no, no, no, no, no}},
        {"Swish", {0.0, no, no, no, no, no, no}},
    };
    for (size_t i = 0; i < sizeof specials / sizeof specials[0]; i++) {
        cnx_activation s;
        assert_true(cnx_activation_find("", specials[i].name, NULL, 0, &specials[i].given, &s));
        check(&s);
        check_lipschitz(&s);
    }
}

static void test_names_and_versions(void **state)
{
    (void)state;
    cnx_activation s;
    assert_true(cnx_activation_lipschitz("Relu", NULL, NULL) == 1.0);
    assert_true(isnan(cnx_activation_lipschitz("Conv", NULL, NULL)));
    assert_true(isinf(cnx_activation_lipschitz("Sign", NULL, NULL)));
    assert_true(cnx_activation_lipschitz("Gelu", NULL, NULL) <
                cnx_activation_lipschitz("Gelu", "tanh", NULL));
    assert_true(cnx_activation_find("", "Selu", NULL, 1, NULL, &s) && s.parameters.alpha == 1.6732);
    assert_true(cnx_activation_find("", "Selu", NULL, 13, NULL, &s) && s.parameters.alpha > 1.67326);
    assert_false(cnx_activation_find("", "Mish", NULL, 17, NULL, &s));
    assert_true(cnx_activation_find("com.microsoft", "QuickGelu", NULL, 1, NULL, &s));
    assert_false(cnx_activation_find("com.example", "Relu", NULL, 1, NULL, &s));
    assert_true(cnx_activation_find("", "Sigmoid", NULL, 0, NULL, &s) && s.at_zero == 0.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row),
        cmocka_unit_test(test_unusual_parameters),
        cmocka_unit_test(test_names_and_versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
