#include "base/lanes.h"

#include "base/thread.h"

enum { MOST_HELPERS = 3, SLOTS = 8 };

struct cnx_lanes {
    cnx_arena *arena;
    size_t helper_count;
    pthread_t helpers[MOST_HELPERS];
    pthread_mutex_t mutex;   /* for everything below */
    pthread_cond_t work;     /* helpers wait here for items */
    pthread_cond_t progress; /* the consumer waits here for a helper to be done with one */
    bool quit;
    cnx_lane_function prepare; /* the present run */
    void *state;
    size_t count;
    size_t next;     /* first item that nobody prepares yet */
    size_t consumed; /* items before it have been consumed */
    size_t busy;     /* helpers at work */
    bool ready[SLOTS];
};

static bool has_work(const cnx_lanes *lanes)
{
    return lanes->next < lanes->count && lanes->next < lanes->consumed + SLOTS;
}

/* Prepares the next item; the mutex is held before and after. */
static void prepare_next(cnx_lanes *lanes)
{
    size_t item = lanes->next++;
    pthread_mutex_unlock(&lanes->mutex);
    lanes->prepare(lanes->state, item, item % SLOTS);
    pthread_mutex_lock(&lanes->mutex);
    lanes->ready[item % SLOTS] = true;
}

static void *help(void *argument)
{
    cnx_lanes *lanes = argument;
    pthread_mutex_lock(&lanes->mutex);
    while (!lanes->quit) {
        if (!has_work(lanes)) {
            pthread_cond_wait(&lanes->work, &lanes->mutex);
            continue;
        }
        lanes->busy++;
        prepare_next(lanes);
        lanes->busy--;
        pthread_cond_signal(&lanes->progress);
    }
    pthread_mutex_unlock(&lanes->mutex);
    return NULL;
}

static void stop(void *argument)
{
    cnx_lanes *lanes = argument;
    pthread_mutex_lock(&lanes->mutex);
    lanes->quit = true;
    pthread_cond_broadcast(&lanes->work);
    pthread_mutex_unlock(&lanes->mutex);
    for (size_t i = 0; i < lanes->helper_count; i++)
        pthread_join(lanes->helpers[i], NULL);
    pthread_cond_destroy(&lanes->progress);
    pthread_cond_destroy(&lanes->work);
    pthread_mutex_destroy(&lanes->mutex);
}

static size_t wanted_helpers(void)
{
    unsigned others = cnx_processor_count() - 1;
    return others < MOST_HELPERS ? others : MOST_HELPERS;
}

cnx_lanes *cnx_lanes_start(cnx_arena *arena)
{
    cnx_lanes *lanes = CNX_NEW(arena, cnx_lanes);
    lanes->arena = arena;
    pthread_mutex_init(&lanes->mutex, NULL);
    pthread_cond_init(&lanes->work, NULL);
    pthread_cond_init(&lanes->progress, NULL);
    cnx_defer(arena, stop, lanes);
    for (size_t wanted = wanted_helpers(); lanes->helper_count < wanted; lanes->helper_count++)
        if (!cnx_thread_start(&lanes->helpers[lanes->helper_count], help, lanes))
            break;
    return lanes;
}

size_t cnx_lanes_slots(const cnx_lanes *lanes)
{
    return lanes->helper_count == 0 ? 1 : SLOTS;
}

/* Sees to it that the item is ready: waits only when it is in a helper's hands and there is nothing else to
 * prepare. */
static void await(cnx_lanes *lanes, size_t item)
{
    while (!lanes->ready[item % SLOTS]) {
        if (has_work(lanes))
            prepare_next(lanes);
        else
            pthread_cond_wait(&lanes->progress, &lanes->mutex);
    }
    lanes->ready[item % SLOTS] = false;
}

static void consume_all(cnx_lanes *lanes, cnx_lane_function consume)
{
    for (size_t item = 0; item < lanes->count; item++) {
        pthread_mutex_lock(&lanes->mutex);
        await(lanes, item);
        pthread_mutex_unlock(&lanes->mutex);
        consume(lanes->state, item, item % SLOTS);
        pthread_mutex_lock(&lanes->mutex);
        lanes->consumed++;
        pthread_cond_signal(&lanes->work);
        pthread_mutex_unlock(&lanes->mutex);
    }
}

static void open_run(cnx_lanes *lanes, size_t count, cnx_lane_function prepare, void *state)
{
    pthread_mutex_lock(&lanes->mutex);
    lanes->prepare = prepare;
    lanes->state = state;
    lanes->count = count;
    lanes->next = lanes->consumed = 0;
    memset(lanes->ready, 0, sizeof lanes->ready);
    pthread_cond_broadcast(&lanes->work);
    pthread_mutex_unlock(&lanes->mutex);
}

/* No helper looks at the caller's state any more. */
static void close_run(cnx_lanes *lanes)
{
    pthread_mutex_lock(&lanes->mutex);
    lanes->count = 0;
    while (lanes->busy != 0)
        pthread_cond_wait(&lanes->progress, &lanes->mutex);
    pthread_mutex_unlock(&lanes->mutex);
}

void cnx_lanes_run(cnx_lanes *lanes, size_t count, cnx_lane_function prepare, cnx_lane_function consume,
                   void *state)
{
    if (lanes->helper_count == 0 || count < 2) {
        for (size_t item = 0; item < count; item++) {
            prepare(state, item, 0);
            consume(state, item, 0);
        }
        return;
    }
    open_run(lanes, count, prepare, state);
    cnx_error error;
    cnx_trap trap;
    if (CNX_ENTER(lanes->arena, trap, &error) == CNX_OK)
        consume_all(lanes, consume);
    cnx_code code = cnx_leave(lanes->arena, &trap);
    close_run(lanes);
    if (code != CNX_OK)
        cnx_fail(lanes->arena, code, error.place, "%s", error.message);
}
