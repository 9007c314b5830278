/* Members that look alike: what makes a unit, what the search finds, what the exact check refuses. */
#include "model_maker.h"

#include "base/intern.h"
#include "onnx/model.h"
#include "rewrite/ordering/sort.h"

#include <math.h>

enum { MOST = 12 };

/* A graph on one hidden class: x -> 1 (size x 2) -> Relu -> h; h + Relu(h M) -> 1 (size x 1). */
static const char *add_graph_net(maker *m, const char *x, int64_t size, const float *matrix,
                                 const char *prefix)
{
    float ones[2 * MOST];
    for (size_t i = 0; i < 2 * MOST; i++)
        ones[i] = 1;
    const char *in = maker_floats(m, cnx_print(m->arena, "%s.in", prefix), 2, (int64_t[]){2, size},
                                  2 * (size_t)size, ones);
    const char *middle = maker_floats(m, cnx_print(m->arena, "%s.middle", prefix), 2, (int64_t[]){size, size},
                                      (size_t)(size * size), matrix);
    const char *out =
        maker_floats(m, cnx_print(m->arena, "%s.out", prefix), 2, (int64_t[]){size, 1}, (size_t)size, ones);
    const char *h = maker_binary(m, "MatMul", cnx_print(m->arena, "%s.h", prefix), x, in);
    h = maker_unary(m, "Relu", cnx_print(m->arena, "%s.relu", prefix), h);
    const char *mixed = maker_binary(m, "MatMul", cnx_print(m->arena, "%s.mixed", prefix), h, middle);
    mixed = maker_unary(m, "Relu", cnx_print(m->arena, "%s.again", prefix), mixed);
    h = maker_binary(m, "Add", cnx_print(m->arena, "%s.sum", prefix), h, mixed);
    return maker_binary(m, "MatMul", cnx_print(m->arena, "%s.y", prefix), h, out);
}

typedef struct bench {
    maker *m;
    cnx_model *model;
    cnx_arena *arena;
    cnx_sorting *sorting;
} bench;

static bench sort_nets(size_t count, const int64_t *sizes, const float *const *matrices)
{
    static const char *const prefixes[] = {"a", "b"};
    bench b = {.m = maker_create()};
    const char *x = maker_input(b.m, "x", 2, (int64_t[]){-1, 2});
    for (size_t i = 0; i < count; i++)
        maker_output(b.m, add_graph_net(b.m, x, sizes[i], matrices[i], prefixes[i]));
    b.model = maker_open(b.m);
    b.arena = cnx_arena_create(b.model->arena);
    cnx_trap trap;
    cnx_error error;
    if (CNX_ENTER(b.model->arena, trap, &error) == CNX_OK)
        b.sorting = cnx_sort_cells(b.arena, cnx_analyze(b.arena, b.model));
    assert_int_equal(cnx_leave(b.model->arena, &trap), CNX_OK);
    return b;
}

static bench sort_net(int64_t size, const float *matrix)
{
    return sort_nets(1, &size, &matrix);
}

static void close_bench(bench *b)
{
    cnx_arena_destroy(b->arena);
    maker_destroy(b->m);
}

/* How many permutations of units keep the weights, and how many members are in units of several. */
static void assert_ties(const bench *b, double exchanges, uint32_t in_units)
{
    const cnx_sorting *s = b->sorting;
    uint32_t members = 0;
    assert_int_equal(s->ties.undecided, CNX_NONE);
    assert_true(fabs(pow(10, s->ties.log10_exchanges) - exchanges) < 1e-6 * exchanges);
    for (uint32_t c = 0; c < s->cells->class_count; c++) {
        bool shared = s->prints->unit[c] != c;
        for (uint32_t d = 0; d < s->cells->class_count; d++)
            shared = shared || (d != c && s->prints->unit[d] == c);
        members += shared;
        assert_false(s->prints->tied[c]);
    }
    assert_int_equal(members, in_units);
}

static void ring(float *matrix, int64_t size, int64_t from, int64_t length)
{
    for (int64_t i = 0; i < length; i++) {
        int64_t a = from + i, b = from + (i + 1) % length;
        matrix[a * size + b] = matrix[b * size + a] = 1;
    }
}

/* ---- tests ---- */

static void test_no_ties(void **state)
{
    (void)state;
    float matrix[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    bench b = sort_net(3, matrix);
    assert_ties(&b, 1, 0);
    assert_int_equal(b.sorting->ties.refinements, 0);
    close_bench(&b);
}

static void test_duplicates_are_units(void **state)
{
    (void)state;
    float matrix[25] = {0};
    for (size_t i = 0; i < 3; i++) /* units 0, 1, 2 are alike, and so are 3 and 4 */
        matrix[i * 5 + 3] = matrix[i * 5 + 4] = 2;
    bench b = sort_net(5, matrix);
    assert_ties(&b, 1, 5);
    assert_int_equal(b.sorting->ties.refinements, 0);
    close_bench(&b);
}

/* Automorphisms of a ring of 6: 12; of two triangles: 72; of the Petersen graph: 120. */
static void test_graphs(void **state)
{
    (void)state;
    float six[36] = {0}, triangles[36] = {0}, petersen[100] = {0};
    ring(six, 6, 0, 6);
    ring(triangles, 6, 0, 3);
    ring(triangles, 6, 3, 3);
    ring(petersen, 10, 0, 5);
    for (int64_t i = 0; i < 5; i++) {
        int64_t inner = 5 + i, next = 5 + (i + 2) % 5;
        petersen[i * 10 + inner] = petersen[inner * 10 + i] = 1;
        petersen[inner * 10 + next] = petersen[next * 10 + inner] = 1;
    }
    bench b = sort_net(6, six);
    assert_ties(&b, 12, 0);
    assert_true(b.sorting->ties.leaves > 0);
    close_bench(&b);
    b = sort_net(6, triangles);
    assert_ties(&b, 72 / 36.0, 6); /* the corners of a triangle are units: 3! each */
    close_bench(&b);
    b = sort_net(10, petersen);
    assert_ties(&b, 120, 0);
    close_bench(&b);
}

/* Independent searches add up: two rings of 5 and of 7 in nets of their own. */
static void test_components(void **state)
{
    (void)state;
    float five[25] = {0}, seven[49] = {0};
    ring(five, 5, 0, 5);
    ring(seven, 7, 0, 7);
    bench alone = sort_net(5, five), other = sort_net(7, seven);
    bench both = sort_nets(2, (int64_t[]){5, 7}, (const float *[]){five, seven});
    assert_ties(&both, 10 * 14, 0);
    assert_int_equal(both.sorting->ties.refinements,
                     alone.sorting->ties.refinements + other.sorting->ties.refinements);
    close_bench(&alone);
    close_bench(&other);
    close_bench(&both);
}

/* Five pairs that differ in nothing but that they are pairs: all at once, with as many refinements as units.
 */
static void test_all_at_once(void **state)
{
    (void)state;
    float pairs[100] = {0};
    for (int64_t i = 0; i < 10; i += 2) {
        pairs[i * 10 + i + 1] = 1;
        pairs[(i + 1) * 10 + i] = 2;
    }
    bench b = sort_net(10, pairs);
    assert_ties(&b, 120, 0);
    assert_int_equal(b.sorting->ties.leaves, 1);
    assert_int_equal(b.sorting->ties.refinements, 6);
    close_bench(&b);
}

/* The exact check: exchanging the first two of three units, on both axes of the matrix. */
static bool exchange_keeps(const float *matrix)
{
    bench b = sort_net(3, matrix);
    const cnx_cells *cells = b.sorting->cells;
    const cnx_cell *cell = NULL;
    for (uint32_t k = 0; k < cells->cell_count; k++)
        cell = cells->cells[k].count == 3 ? &cells->cells[k] : cell;
    assert_non_null(cell);
    uint32_t *image = CNX_NEW_ARRAY(b.arena, uint32_t, cells->class_count);
    uint32_t *points = CNX_NEW_ARRAY(b.arena, uint32_t, cells->points->point_count);
    uint32_t *moved = CNX_NEW_ARRAY(b.arena, uint32_t, cells->points->point_count);
    for (uint32_t c = 0; c < cells->class_count; c++)
        image[c] = c;
    image[cells->members[cell->first]] = cells->members[cell->first + 1];
    image[cells->members[cell->first + 1]] = cells->members[cell->first];
    cnx_permute_points(cells, image, points);
    size_t count = 0;
    for (uint32_t p = 0; p < cells->points->point_count; p++)
        if (points[p] != p)
            moved[count++] = p;
    cnx_weights_check *check = cnx_weights_check_create(b.arena, b.sorting->analysis);
    bool keeps = cnx_keeps_weights(check, moved, count, points);
    assert_true(cnx_weights_compared(check) > 0);
    assert_true(cnx_keeps_weights(check, moved, 0, points)); /* nothing moves, and nothing is left over */
    assert_int_equal(cnx_keeps_weights(check, moved, count, points), keeps);
    close_bench(&b);
    return keeps;
}

static void test_the_check(void **state)
{
    (void)state;
    assert_true(exchange_keeps((float[]){5, 7, 1, 7, 5, 1, 2, 2, 3}));
    assert_false(exchange_keeps((float[]){5, 7, 1, 7, 6, 1, 2, 2, 3})); /* the diagonal */
    assert_false(exchange_keeps((float[]){5, 7, 1, 8, 5, 1, 2, 2, 3})); /* the corner */
    assert_false(exchange_keeps((float[]){5, 7, 1, 7, 5, 4, 2, 2, 3})); /* a column */
    assert_false(exchange_keeps((float[]){5, 7, 1, 7, 5, 1, 2, 4, 3})); /* a row */
    assert_false(
        exchange_keeps((float[]){5, 7, 0, 7, 5, -0.0f, 2, 2, 3})); /* equal numbers, not equal bits */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_ties),     cmocka_unit_test(test_duplicates_are_units),
        cmocka_unit_test(test_graphs),      cmocka_unit_test(test_components),
        cmocka_unit_test(test_all_at_once), cmocka_unit_test(test_the_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
