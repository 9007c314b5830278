/* Threads that make pieces of work ready for one that takes them in order.
 *
 * A long tensor is written, or hashed, piece by piece, and each piece may first have to be gathered from
 * elsewhere. Pieces are prepared by whoever is free, the calling thread included, and consumed by the
 * calling thread alone, one after the other. So the result does not depend on how many threads there are,
 * and whatever can fail stays in the thread that can.
 *
 * Plain threads and not OpenMP, whose runtime ends the whole program when it cannot start a thread, and whose
 * regions may not be left by a failure.
 */
#ifndef CNX_BASE_LANES_H
#define CNX_BASE_LANES_H

#include "base/arena.h"

#include <stddef.h>

typedef struct cnx_lanes cnx_lanes;

/* One item of work. `slot` is a place for its result (a buffer of the caller's): below cnx_lanes_slots(), and
 * not used by another item between the item's preparation and its consumption. */
typedef void (*cnx_lane_function)(void *state, size_t item, size_t slot);

/* As many threads as the process may use processors, the caller included, but few: one consumer keeps no more
 * busy. Threads that cannot be started are done without. They end when the arena dies. */
cnx_lanes *cnx_lanes_start(cnx_arena *arena);

/* How many items can be ready at once. */
size_t cnx_lanes_slots(const cnx_lanes *lanes);

/* Items 0 ... count - 1: each is prepared by some thread, then consumed by this one, in order. `prepare` may
 * neither fail (cnx_fail) nor touch an arena; `consume` may. Returns, or fails, when no thread works any
 * more. */
void cnx_lanes_run(cnx_lanes *lanes, size_t count, cnx_lane_function prepare, cnx_lane_function consume,
                   void *state);

#endif
