/* The engine of the symmetry search by itself: points, cells, and the check that stands behind every claim.
 */
#include "analyze/symmetry/cells.h"
#include "analyze/symmetry/verify.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Points without a model: sequences are made by hand. */
typedef struct bench {
    cnx_arena *arena;
    cnx_trap trap;
    cnx_error error;
    cnx_dims *dims;
    cnx_points *points;
    uint32_t reason;
} bench;

static void lay_out(bench *b)
{
    b->dims = cnx_dims_create(b->arena);
    b->points = cnx_points_create(b->arena, b->dims);
    b->reason = cnx_reason(b->points, "a test", NULL, NULL);
}

/* A macro, because the function that is entered must still be running when something fails. */
#define OPEN_BENCH(b)                                                                                        \
    do {                                                                                                     \
        (b).arena = cnx_arena_create(NULL);                                                                  \
        assert_non_null((b).arena);                                                                          \
        if (CNX_ENTER((b).arena, (b).trap, &(b).error) != CNX_OK)                                            \
            fail_msg("%s", (b).error.message);                                                               \
        lay_out(&(b));                                                                                       \
    } while (0)

static void close_bench(bench *b)
{
    cnx_leave(b->arena, &b->trap);
    cnx_arena_destroy(b->arena);
}

static double log10_of(double number)
{
    return lgamma(number + 1) / log(10.0);
}

/* log10 of the product over cells without home. */
static double order_of(const cnx_cells *cells)
{
    double sum = 0;
    for (uint32_t k = 0; k < cells->cell_count; k++)
        if (cells->cells[k].home == CNX_NONE)
            sum += cnx_cell_log10_order(cells, k);
    return sum;
}

/* Two axes that are the same axis: one symmetric group. */
static void test_unified_axes(void **state)
{
    (void)state;
    bench b;
    OPEN_BENCH(b);
    cnx_axis x = cnx_axis_fresh(b.points, 6, NULL), y = cnx_axis_fresh(b.points, 6, NULL);
    cnx_axis_unify(b.points, x, y, b.reason);
    const cnx_cells *cells = cnx_find_cells(b.arena, b.points);
    assert_int_equal(cells->cell_count, 1);
    assert_true(fabs(order_of(cells) - log10_of(6)) < 1e-12);
    close_bench(&b);
}

/* x + x[i + 1 mod n] ties all positions into one class: the engine claims nothing (the truth is a cyclic
 * group). */
static void test_rotation(void **state)
{
    (void)state;
    bench b;
    OPEN_BENCH(b);
    cnx_axis x = cnx_axis_fresh(b.points, 5, NULL);
    const uint32_t next[5] = {1, 2, 3, 4, 0};
    cnx_axis_unify(b.points, x, cnx_axis_gather(b.points, x, next, 5, b.reason), b.reason);
    assert_true(order_of(cnx_find_cells(b.arena, b.points)) == 0);
    close_bench(&b);
}

/* Two rings that turn in opposite ways cannot be exchanged position by position in order: whatever is claimed
 * has been verified, and is at most the exchange of the rings. */
static void test_opposite_rings(void **state)
{
    (void)state;
    bench b;
    OPEN_BENCH(b);
    cnx_axis x = cnx_axis_fresh(b.points, 6, NULL);
    const uint32_t turned[6] = {1, 2, 0, 5, 3, 4};
    cnx_axis_unify(b.points, x, cnx_axis_gather(b.points, x, turned, 6, b.reason), b.reason);
    const cnx_cells *cells = cnx_find_cells(b.arena, b.points);
    assert_true(order_of(cells) <= log10_of(2) + 1e-12);
    assert_true(cnx_verify_cells(cells, CNX_NEW_ARRAY(b.arena, bool, cells->cell_count)));
    close_bench(&b);
}

/* Heads: what is inside a block is permuted, and blocks are: S_4 wr S_3. Slicing the first block off pins it.
 */
static void test_blocks(void **state)
{
    (void)state;
    bench b;
    OPEN_BENCH(b);
    cnx_axis x = cnx_axis_fresh(b.points, 12, NULL), outer, inner;
    cnx_axis_split(b.points, x, cnx_dim_number(b.dims, 3), cnx_dim_number(b.dims, 4), &outer, &inner,
                   b.reason);
    const cnx_cells *cells = cnx_find_cells(b.arena, b.points);
    assert_true(fabs(order_of(cells) - (3 * log10_of(4) + log10_of(3))) < 1e-12);
    close_bench(&b);

    OPEN_BENCH(b);
    x = cnx_axis_fresh(b.points, 12, NULL);
    cnx_axis_split(b.points, x, cnx_dim_number(b.dims, 3), cnx_dim_number(b.dims, 4), &outer, &inner,
                   b.reason);
    const uint32_t first[1] = {0};
    cnx_axis_gather(b.points, outer, first, 1, b.reason);
    cells = cnx_find_cells(b.arena, b.points);
    assert_true(fabs(order_of(cells) - (3 * log10_of(4) + log10_of(2))) < 1e-12);
    close_bench(&b);
}

/* Pinning one axis of a chain pins all of it; a reason is kept. */
static void test_pins(void **state)
{
    (void)state;
    bench b;
    OPEN_BENCH(b);
    cnx_axis x = cnx_axis_fresh(b.points, 4, NULL), y = cnx_axis_fresh(b.points, 4, NULL);
    cnx_axis_unify(b.points, x, y, b.reason);
    cnx_axis_pin(b.points, y, b.reason);
    uint32_t point = x.labels->sequence->points[2];
    const cnx_cells *cells = cnx_find_cells(b.arena, b.points);
    assert_true(order_of(cells) == 0);
    assert_string_equal(cnx_reason_text(b.points, cells->pinned[cells->class_of[point]]), "a test");
    close_bench(&b);
}

/* The check refuses what is no symmetry: an exchange on one side of an identification, one that leaves its
 * sequence, one that is not one-to-one, one that moves a pinned point. */
static void test_the_check_refuses(void **state)
{
    (void)state;
    bench b;
    OPEN_BENCH(b);
    cnx_axis x = cnx_axis_fresh(b.points, 3, NULL), y = cnx_axis_fresh(b.points, 3, NULL);
    cnx_axis z = cnx_axis_fresh(b.points, 3, NULL);
    cnx_axis_unify(b.points, x, y, b.reason);
    cnx_axis_pin(b.points, z, b.reason);
    const uint32_t *a = x.labels->sequence->points, *c = y.labels->sequence->points,
                   *p = z.labels->sequence->points;
    const cnx_cells *cells = cnx_find_cells(b.arena, b.points);
    uint32_t map[16], witness;
    for (uint32_t i = 0; i < 16; i++)
        map[i] = i;
    assert_true(cnx_is_symmetry(cells, map, &witness));
    map[a[0]] = a[1];
    map[a[1]] = a[0];
    assert_false(cnx_is_symmetry(cells, map, &witness)); /* the partner stays */
    map[c[0]] = c[1];
    map[c[1]] = c[0];
    assert_true(cnx_is_symmetry(cells, map, &witness));
    map[p[0]] = p[1];
    map[p[1]] = p[0];
    assert_false(cnx_is_symmetry(cells, map, &witness)); /* pinned */
    map[p[0]] = p[0];
    map[p[1]] = p[1];
    map[a[2]] = c[2];
    map[c[2]] = a[2];
    assert_false(cnx_is_symmetry(cells, map, &witness)); /* out of its sequence */
    map[a[2]] = a[0];
    map[c[2]] = c[2];
    assert_false(cnx_is_symmetry(cells, map, &witness)); /* two points in one place */
    close_bench(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unified_axes),   cmocka_unit_test(test_rotation),
        cmocka_unit_test(test_opposite_rings), cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_pins),           cmocka_unit_test(test_the_check_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
