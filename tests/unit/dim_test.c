/* Symbolic dimensions: the laws of arithmetic hold as equality of ids, every operation agrees with plain
 * integers at random points, and nothing wrong comes out at the limits. */
#include "analyze/shapes/dim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define ROUNDS 3000

typedef struct fixture {
    cnx_arena *arena;
    cnx_dims *dims;
    uint64_t random;
} fixture;

static int set_up(void **state)
{
    fixture *f = test_malloc(sizeof *f);
    f->arena = cnx_arena_create(NULL);
    f->dims = cnx_dims_create(f->arena);
    f->random = 88172645463325252u;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    cnx_arena_destroy(f->arena);
    test_free(f);
    return 0;
}

static int64_t draw(fixture *f, int64_t low, int64_t high)
{
    f->random ^= f->random << 13;
    f->random ^= f->random >> 7;
    f->random ^= f->random << 17;
    return low + (int64_t)(f->random % (uint64_t)(high - low + 1));
}

static const char *const NAMES[] = {"N", "H", "W"};

typedef struct point {
    int64_t values[3];
} point;

static bool look_up(void *state, const char *name, int64_t *value)
{
    const point *p = state;
    for (size_t i = 0; i < 3; i++)
        if (strcmp(name, NAMES[i]) == 0) {
            *value = p->values[i];
            return true;
        }
    return false;
}

static int64_t floor_of(int64_t a, int64_t b)
{
    int64_t quotient = a / b;
    return quotient - (a % b != 0 && (a < 0) != (b < 0));
}

static cnx_dim symbol(fixture *f, size_t i)
{
    return cnx_dim_symbol(f->dims, NAMES[i]);
}

static cnx_dim number(fixture *f, int64_t value)
{
    return cnx_dim_number(f->dims, value);
}

/* A random expression, and its value at the point by plain integers. Divisors are made positive. */
static cnx_dim grow(fixture *f, const point *p, int depth, int64_t *value)
{
    cnx_dims *dims = f->dims;
    if (depth == 0) {
        size_t i = (size_t)draw(f, 0, 5);
        if (i < 3) {
            *value = p->values[i];
            return symbol(f, i);
        }
        *value = draw(f, -9, 9);
        return number(f, *value);
    }
    int64_t x, y, unit = draw(f, 1, 7);
    cnx_dim a = grow(f, p, depth - 1, &x), b = grow(f, p, depth - 1, &y), divisor = number(f, unit);
    switch (draw(f, 0, 8)) {
    case 0:
    case 1:
        *value = x + y;
        return cnx_dim_add(dims, a, b);
    case 2:
        *value = x - y;
        return cnx_dim_subtract(dims, a, b);
    case 3:
        *value = x * y;
        return cnx_dim_multiply(dims, a, b);
    case 4:
        *value = floor_of(x, unit);
        return cnx_dim_floor_divide(dims, a, divisor);
    case 5:
        *value = -floor_of(-x, unit);
        return cnx_dim_ceil_divide(dims, a, divisor);
    case 6:
        *value = x - unit * floor_of(x, unit);
        return cnx_dim_modulo(dims, a, divisor);
    case 7:
        *value = x > y ? x : y;
        return cnx_dim_max(dims, a, b);
    default:
        *value = x < y ? x : y;
        return cnx_dim_min(dims, a, b);
    }
}

static point random_point(fixture *f)
{
    return (point){{draw(f, 1, 30), draw(f, 1, 30), draw(f, 1, 30)}};
}

static void test_numbers(void **state)
{
    fixture *f = *state;
    int64_t found;
    assert_true(cnx_dim_is_number(f->dims, number(f, 0), &found));
    assert_int_equal(found, 0);
    assert_true(cnx_dim_is_number(f->dims, number(f, INT64_MIN), &found));
    assert_true(found == INT64_MIN);
    assert_false(cnx_dim_is_number(f->dims, symbol(f, 0), NULL));
    assert_true(cnx_dim_equals(f->dims, cnx_dim_add(f->dims, number(f, 3), number(f, 4)), 7));
    assert_true(cnx_dim_equals(f->dims, cnx_dim_floor_divide(f->dims, number(f, -7), number(f, 2)), -4));
    assert_true(cnx_dim_equals(f->dims, cnx_dim_floor_divide(f->dims, number(f, 7), number(f, -2)), -4));
    assert_true(cnx_dim_equals(f->dims, cnx_dim_ceil_divide(f->dims, number(f, -7), number(f, 2)), -3));
    assert_true(cnx_dim_equals(f->dims, cnx_dim_ceil_divide(f->dims, number(f, 7), number(f, 2)), 4));
    assert_true(cnx_dim_equals(f->dims, cnx_dim_modulo(f->dims, number(f, -7), number(f, 3)), 2));
}

static void test_values_at_random_points(void **state)
{
    fixture *f = *state;
    int checked = 0;
    for (int round = 0; round < ROUNDS; round++) {
        point p = random_point(f);
        int64_t expected, found;
        cnx_dim dim = grow(f, &p, (int)draw(f, 1, 4), &expected);
        if (!cnx_dim_evaluate(f->dims, dim, look_up, &p, &found))
            continue; /* grew past a bound into an unknown */
        if (found != expected)
            fail_msg("%s at N=%d H=%d W=%d", cnx_dim_text(f->dims, dim), (int)p.values[0], (int)p.values[1],
                     (int)p.values[2]);
        checked++;
    }
    assert_true(checked > ROUNDS * 9 / 10);
}

/* Quotients by expressions with symbols, which cancel and divide exactly, or stay. */
static void test_symbolic_divisors(void **state)
{
    fixture *f = *state;
    int checked = 0;
    for (int round = 0; round < ROUNDS; round++) {
        point p = random_point(f);
        int64_t x, y, low, high;
        cnx_dim a = grow(f, &p, 2, &x), b = grow(f, &p, (int)draw(f, 0, 2), &y);
        if (y == 0)
            continue;
        cnx_dim floor_dim = cnx_dim_floor_divide(f->dims, a, b),
                ceil_dim = cnx_dim_ceil_divide(f->dims, a, b);
        if (!cnx_dim_evaluate(f->dims, floor_dim, look_up, &p, &low) ||
            !cnx_dim_evaluate(f->dims, ceil_dim, look_up, &p, &high))
            continue;
        assert_true(low == floor_of(x, y));
        assert_true(high == -floor_of(-x, y));
        checked++;
    }
    assert_true(checked > ROUNDS / 2);
}

static void test_laws(void **state)
{
    fixture *f = *state;
    cnx_dims *d = f->dims;
    for (int round = 0; round < ROUNDS; round++) {
        point p = random_point(f);
        int64_t unused;
        cnx_dim a = grow(f, &p, 2, &unused), b = grow(f, &p, 2, &unused), c = grow(f, &p, 2, &unused);
        assert_int_equal(cnx_dim_add(d, a, b), cnx_dim_add(d, b, a));
        assert_int_equal(cnx_dim_multiply(d, a, b), cnx_dim_multiply(d, b, a));
        assert_int_equal(cnx_dim_add(d, cnx_dim_add(d, a, b), c), cnx_dim_add(d, a, cnx_dim_add(d, b, c)));
        assert_int_equal(cnx_dim_multiply(d, cnx_dim_multiply(d, a, b), c),
                         cnx_dim_multiply(d, a, cnx_dim_multiply(d, b, c)));
        assert_int_equal(cnx_dim_multiply(d, a, cnx_dim_add(d, b, c)),
                         cnx_dim_add(d, cnx_dim_multiply(d, a, b), cnx_dim_multiply(d, a, c)));
        assert_int_equal(cnx_dim_subtract(d, cnx_dim_add(d, a, b), b), a);
        assert_true(cnx_dim_equals(d, cnx_dim_subtract(d, a, a), 0));
        assert_int_equal(cnx_dim_multiply(d, a, number(f, 1)), a);
        assert_int_equal(cnx_dim_max(d, a, b), cnx_dim_max(d, b, a));
        assert_int_equal(cnx_dim_max(d, a, a), a);
        if (cnx_dim_equals(d, b, 0))
            continue;
        cnx_dim product = cnx_dim_multiply(d, a, b);
        assert_int_equal(cnx_dim_floor_divide(d, product, b), a);
        assert_int_equal(cnx_dim_ceil_divide(d, product, b), a);
        assert_true(cnx_dim_equals(d, cnx_dim_modulo(d, product, b), 0));
        int64_t unit = draw(f, 1, 9);
        cnx_dim shifted = cnx_dim_add(d, a, cnx_dim_multiply(d, c, number(f, unit)));
        assert_int_equal(cnx_dim_floor_divide(d, shifted, number(f, unit)),
                         cnx_dim_add(d, cnx_dim_floor_divide(d, a, number(f, unit)), c));
    }
}

static cnx_dim product(fixture *f, size_t name, int64_t factor)
{
    return cnx_dim_multiply(f->dims, symbol(f, name), number(f, factor));
}

static void check_text(fixture *f, cnx_dim dim, const char *expected)
{
    assert_string_equal(cnx_dim_text(f->dims, dim), expected);
}

/* The quotients that reshapes of exports compute. */
static void test_quotients(void **state)
{
    fixture *f = *state;
    cnx_dims *d = f->dims;
    cnx_dim n = symbol(f, 0), h = symbol(f, 1);
    check_text(f, cnx_dim_floor_divide(d, product(f, 0, 768), number(f, 64)), "12*N");
    check_text(f, cnx_dim_floor_divide(d, product(f, 0, 12 * 64), product(f, 0, 12)), "64");
    check_text(f, cnx_dim_floor_divide(d, product(f, 0, 196 * 768), product(f, 0, 196)), "768");
    check_text(f, cnx_dim_floor_divide(d, cnx_dim_multiply(d, product(f, 0, 7), h), product(f, 1, 7)), "N");
    check_text(f, cnx_dim_floor_divide(d, cnx_dim_add(d, product(f, 0, 2), number(f, 3)), number(f, 2)),
               "N + 1");
    check_text(f, cnx_dim_floor_divide(d, cnx_dim_multiply(d, n, h), product(f, 0, 2)), "floor(H/2)");
    check_text(f, cnx_dim_floor_divide(d, n, h), "floor(N/H)");
    check_text(f, cnx_dim_ceil_divide(d, n, product(f, 1, 2)), "ceil(N/(2*H))");
    check_text(f, cnx_dim_floor_divide(d, cnx_dim_add(d, product(f, 0, 2), number(f, 1)), number(f, 4)),
               "floor(N/2)");
}

/* A strided convolution with padding, twice, in the ways exporters and runtimes write its size. */
static void test_strided_sizes(void **state)
{
    fixture *f = *state;
    cnx_dims *d = f->dims;
    cnx_dim h = symbol(f, 1), two = number(f, 2), one = number(f, 1);
    cnx_dim once = cnx_dim_add(d, cnx_dim_floor_divide(d, cnx_dim_subtract(d, h, one), two), one);
    assert_int_equal(once, cnx_dim_ceil_divide(d, h, two));
    check_text(f, once, "ceil(H/2)");
    cnx_dim twice = cnx_dim_add(d, cnx_dim_floor_divide(d, cnx_dim_subtract(d, once, one), two), one);
    assert_int_equal(twice, cnx_dim_ceil_divide(d, h, number(f, 4)));
    check_text(f, twice, "ceil(H/4)");
    cnx_dim halves = cnx_dim_floor_divide(d, cnx_dim_floor_divide(d, h, two), two);
    assert_int_equal(halves, cnx_dim_floor_divide(d, h, number(f, 4)));
}

static void test_text(void **state)
{
    fixture *f = *state;
    cnx_dims *d = f->dims;
    cnx_dim n = symbol(f, 0), h = symbol(f, 1);
    check_text(f, cnx_dim_add(d, product(f, 0, 4), number(f, 2)), "4*N + 2");
    check_text(f, cnx_dim_subtract(d, number(f, 2), n), "-N + 2");
    check_text(f, cnx_dim_subtract(d, n, number(f, 2)), "N - 2");
    check_text(f, cnx_dim_multiply(d, n, cnx_dim_multiply(d, h, n)), "H*N^2");
    check_text(f, number(f, INT64_MIN), "-9223372036854775808");
    check_text(f, cnx_dim_max(d, n, h), "max(H, N)");
    check_text(f, cnx_dim_fresh(d), "?1");
    cnx_dim odd = cnx_dim_symbol(d, "past + 1");
    check_text(f, odd, "past + 1");
    check_text(f, cnx_dim_multiply(d, odd, number(f, 3)), "3*(past + 1)");
    check_text(f, cnx_dim_floor_divide(d, odd, number(f, 3)), "floor((past + 1)/3)");
    assert_string_equal(cnx_dim_short_text(d, product(f, 0, 1814073344)), "1.81 G * N");
    assert_string_equal(cnx_dim_short_text(d, number(f, 0)), "0");
    assert_string_equal(cnx_dim_short_text(d, number(f, 999)), "999");
    assert_string_equal(cnx_dim_short_text(d, number(f, 1000)), "1.00 k");
    assert_string_equal(cnx_dim_short_text(d, number(f, 12345)), "12.3 k");
    assert_string_equal(cnx_dim_short_text(d, number(f, 999499)), "999 k");
    assert_string_equal(cnx_dim_short_text(d, number(f, 999500)), "1.00 M");
    assert_string_equal(cnx_dim_short_text(d, number(f, 2500000000000)), "2.50 T");
    assert_string_equal(cnx_dim_short_text(d, number(f, INT64_MAX)), "9.22 E");
    cnx_dim sum = cnx_dim_add(d, cnx_dim_multiply(d, product(f, 0, 1500), n), cnx_dim_multiply(d, n, h));
    assert_string_equal(cnx_dim_short_text(d, cnx_dim_subtract(d, sum, h)), "1.50 k * N^2 + H*N - H");
}

static void test_brief_text(void **state)
{
    fixture *f = *state;
    cnx_dims *d = f->dims;
    cnx_dim dim = cnx_dim_multiply(d, product(f, 0, 1814073344), cnx_dim_symbol(d, "a_rather_long_name"));
    assert_string_equal(cnx_dim_brief_text(d, dim, 100), "1.81 G * N*a_rather_long_name");
    assert_string_equal(cnx_dim_brief_text(d, dim, 20), "1.81 G * ...");
    assert_string_equal(cnx_dim_brief_text(d, number(f, 0), 0), "0");
}

static void test_unknowns(void **state)
{
    fixture *f = *state;
    cnx_dims *d = f->dims;
    cnx_dim known = cnx_dim_add(d, product(f, 0, 3), number(f, 4)), unknown = cnx_dim_fresh(d);
    cnx_dim hidden = cnx_dim_max(d, cnx_dim_floor_divide(d, unknown, number(f, 2)), symbol(f, 1));
    assert_false(cnx_dim_has_unknown(d, known));
    assert_true(cnx_dim_has_unknown(d, hidden));
    cnx_dim sum = cnx_dim_add(d, known, cnx_dim_multiply(d, hidden, symbol(f, 2)));
    assert_true(cnx_dim_has_unknown(d, sum));
    assert_int_equal(cnx_dim_known_part(d, sum), known);
    assert_int_equal(cnx_dim_known_part(d, known), known);
}

/* The text does not depend on the order in which symbols were first seen. */
static void test_text_is_canonical(void **state)
{
    fixture *f = *state;
    cnx_dims *other = cnx_dims_create(f->arena);
    cnx_dim h = cnx_dim_symbol(other, "H"), n = cnx_dim_symbol(other, "N");
    const char *theirs =
        cnx_dim_text(other, cnx_dim_add(other, cnx_dim_multiply(other, h, n), cnx_dim_add(other, h, n)));
    cnx_dim n2 = symbol(f, 0), h2 = symbol(f, 1);
    const char *ours = cnx_dim_text(
        f->dims, cnx_dim_add(f->dims, cnx_dim_add(f->dims, n2, h2), cnx_dim_multiply(f->dims, n2, h2)));
    assert_string_equal(ours, theirs);
    assert_string_equal(ours, "H*N + H + N");
}

static void test_order(void **state)
{
    fixture *f = *state;
    cnx_dims *d = f->dims;
    cnx_dim n = symbol(f, 0);
    assert_int_equal(cnx_dim_max(d, n, number(f, 1)), n);
    assert_int_equal(cnx_dim_min(d, product(f, 0, 3), n), n);
    assert_true(cnx_dim_equals(d, cnx_dim_max(d, number(f, 3), number(f, -4)), 3));
    cnx_dim half = cnx_dim_floor_divide(d, n, number(f, 2));
    assert_int_equal(cnx_dim_max(d, half, number(f, 0)), half);
    cnx_dim unknown = cnx_dim_fresh(d); /* may be anything, negative too */
    assert_int_not_equal(cnx_dim_max(d, unknown, number(f, 0)), unknown);
}

static bool is_unknown(fixture *f, cnx_dim dim)
{
    return cnx_dim_text(f->dims, dim)[0] == '?';
}

static void test_signs(void **state)
{
    cnx_dims *d = ((fixture *)*state)->dims;
    cnx_dim n = cnx_dim_symbol(d, "N"), unknown = cnx_dim_fresh(d);
    cnx_dim one = cnx_dim_number(d, 1), two = cnx_dim_number(d, 2);
    cnx_dim less = cnx_dim_subtract(d, n, one), perhaps = cnx_dim_subtract(d, n, two);
    assert_true(cnx_dim_not_negative(d, cnx_dim_number(d, 0)));
    assert_false(cnx_dim_not_negative(d, cnx_dim_number(d, -1)));
    assert_true(cnx_dim_not_negative(d, less)); /* a symbol is at least 1 */
    assert_false(cnx_dim_not_negative(d, perhaps));
    assert_true(cnx_dim_not_negative(d, unknown)); /* an unknown extent is at least 0 */
    assert_false(cnx_dim_not_negative(d, cnx_dim_subtract(d, unknown, one)));
    assert_false(cnx_dim_not_negative(d, cnx_dim_subtract(d, unknown, cnx_dim_fresh(d))));
    assert_true(cnx_dim_not_negative(d, cnx_dim_floor_divide(d, less, two)));
    assert_false(cnx_dim_not_negative(d, cnx_dim_floor_divide(d, perhaps, cnx_dim_number(d, 3))));
    assert_true(cnx_dim_not_negative(d, cnx_dim_max(d, perhaps, cnx_dim_number(d, 0))));
    assert_false(cnx_dim_not_negative(d, cnx_dim_min(d, perhaps, cnx_dim_multiply(d, unknown, unknown))));
}

static void test_limits(void **state)
{
    fixture *f = *state;
    cnx_dims *d = f->dims;
    cnx_dim n = symbol(f, 0), most = number(f, INT64_MAX), least = number(f, INT64_MIN),
            minus = number(f, -1);
    assert_true(is_unknown(f, cnx_dim_add(d, most, number(f, 1))));
    assert_true(is_unknown(f, cnx_dim_multiply(d, most, number(f, 2))));
    assert_true(is_unknown(f, cnx_dim_multiply(d, least, minus)));
    assert_true(is_unknown(f, cnx_dim_floor_divide(d, least, minus)));
    assert_true(is_unknown(f, cnx_dim_floor_divide(d, n, number(f, 0))));
    assert_true(is_unknown(f, cnx_dim_modulo(d, n, number(f, 0))));
    assert_int_not_equal(cnx_dim_fresh(d), cnx_dim_fresh(d));
    assert_true(cnx_dim_equals(d, cnx_dim_floor_divide(d, least, number(f, 3)), INT64_MIN / 3 - 1));

    cnx_dim power = n;
    for (int i = 0; i < 40; i++)
        power = cnx_dim_multiply(d, power, n);
    assert_non_null(strchr(cnx_dim_text(d, power), '?'));

    cnx_dim nest = n, many = n;
    for (int i = 0; i < 2000; i++) {
        nest = cnx_dim_max(d, cnx_dim_multiply(d, nest, nest), cnx_dim_subtract(d, symbol(f, 1), nest));
        char name[16];
        snprintf(name, sizeof name, "s%d", i);
        many =
            cnx_dim_add(d, cnx_dim_floor_divide(d, many, cnx_dim_symbol(d, name)), cnx_dim_symbol(d, name));
    }
    assert_true(strlen(cnx_dim_text(d, nest)) < 100000);
    assert_true(strlen(cnx_dim_text(d, many)) < 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_numbers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_values_at_random_points, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_symbolic_divisors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_laws, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_quotients, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_strided_sizes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_brief_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unknowns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_text_is_canonical, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_signs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_limits, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("dim", tests, NULL, NULL);
}
