/* Threads that prepare, one that consumes: everything once, in order, and nobody at work after a failure. */
#include "base/lanes.h"
#include "fixture.h"

#include <stdatomic.h>

enum { ITEMS = 1000 };

typedef struct job {
    cnx_arena *arena;
    atomic_uint prepared[ITEMS];
    atomic_uint at_work;
    size_t slots[64];
    size_t consumed;
    size_t fails_at;
} job;

static void prepare(void *state, size_t item, size_t slot)
{
    job *work = state;
    atomic_fetch_add(&work->at_work, 1);
    for (volatile unsigned i = 0; i < item % 7 * 1000; i++) /* some take longer than others */
        continue;
    work->slots[slot] = item;
    atomic_fetch_add(&work->prepared[item], 1);
    atomic_fetch_sub(&work->at_work, 1);
}

static void consume(void *state, size_t item, size_t slot)
{
    job *work = state;
    assert_int_equal(item, work->consumed);
    assert_int_equal(work->slots[slot], item);
    assert_int_equal(atomic_load(&work->prepared[item]), 1);
    if (item == work->fails_at)
        cnx_fail(work->arena, CNX_ERROR_FILE, "here", "no more");
    work->consumed++;
}

static job *new_job(cnx_arena *arena, size_t fails_at)
{
    job *work = CNX_NEW(arena, job);
    work->arena = arena;
    work->fails_at = fails_at;
    return work;
}

static void test_order(void **state)
{
    (void)state;
    cnx_arena *arena = cnx_arena_create(NULL);
    cnx_trap trap;
    if (CNX_ENTER(arena, trap, NULL) != CNX_OK)
        fail();
    cnx_lanes *lanes = cnx_lanes_start(arena);
    assert_in_range(cnx_lanes_slots(lanes), 1, 64);
    static const size_t counts[] = {0, 1, 2, 3, 17, ITEMS};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        job *work = new_job(arena, SIZE_MAX);
        cnx_lanes_run(lanes, counts[i], prepare, consume, work);
        assert_int_equal(work->consumed, counts[i]);
        for (size_t item = 0; item < ITEMS; item++)
            assert_int_equal(atomic_load(&work->prepared[item]), item < counts[i]);
    }
    cnx_leave(arena, &trap);
    cnx_arena_destroy(arena);
}

/* The failure comes through, the threads are idle by then, and can be used again. */
static void test_failure(void **state)
{
    (void)state;
    cnx_arena *arena = cnx_arena_create(NULL);
    cnx_lanes *lanes = cnx_lanes_start(arena);
    for (size_t fails_at = 0; fails_at < 30; fails_at++) {
        job *work = new_job(arena, fails_at);
        cnx_error error;
        cnx_trap trap;
        if (CNX_ENTER(arena, trap, &error) == CNX_OK)
            cnx_lanes_run(lanes, ITEMS, prepare, consume, work);
        assert_int_equal(cnx_leave(arena, &trap), CNX_ERROR_FILE);
        assert_string_equal(error.place, "here");
        assert_string_equal(error.message, "no more");
        assert_int_equal(atomic_load(&work->at_work), 0);
        assert_int_equal(work->consumed, fails_at);
    }
    cnx_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
