/* Between normal_factors.c, which asks one anchor after the other, and ask_anchor.c, which does the asking:
 * what is known of every unit. */
#ifndef CNX_REWRITE_NORMALIZER_H
#define CNX_REWRITE_NORMALIZER_H

#include "base/heap.h"
#include "rewrite/factors/anchors.h"
#include "rewrite/factors/exactness.h"
#include "rewrite/factors/freedom.h"

/* What the units of one component may still be multiplied by. Most have the same freedom; those differ whose
 * slices said nothing. */
typedef struct cnx_freedoms {
    cnx_arena *arena; /* holds them; NULL: they live as long as the normalizer */
    uint32_t count;
    const cnx_freedom **list;
} cnx_freedoms;

/* An action of a generator on an axis of a parameter. */
typedef struct cnx_generator_use {
    size_t parameter;
    uint32_t axis;
    int32_t factor;
    const cnx_scaling_action *action;
} cnx_generator_use;

typedef struct cnx_generator_uses {
    size_t count, capacity;
    cnx_generator_use *list;
} cnx_generator_uses;

typedef struct cnx_normalizer {
    cnx_arena *arena;
    cnx_analysis *analysis;
    const cnx_scalings *scalings;
    cnx_scaling_kind kind;
    cnx_anchors *anchors;
    cnx_generator_uses *uses; /* by generator */
    cnx_freedoms *freedoms;   /* by component */
    uint32_t *freedom_of;     /* by unit: which of its component's */
    bool *multiplied;         /* by unit */
    bool *settled;            /* by piece: no unit's sum can change any more */
    uint32_t **open;          /* by parameter, then axis: pieces that are not settled */
    bool *asked;              /* by anchor: with nothing left out, and it cannot say more */
    bool *silent;             /* by anchor: and what it did not settle is all zeros */
    bool *dependent;          /* by anchor: some sums depended on each other when it was asked */
    cnx_heap ready;           /* anchors that can be asked with nothing left out */
    cnx_heap partial;         /* others, when there is something new about them */
    bool *waits_ready;        /* by anchor: it is in that heap */
    bool *waits_partial;
    uint32_t *question_of; /* by component: scratch of ask_anchor.c, all CNX_NONE between calls */
    uint32_t *place_of;    /* by piece: scratch of ask_anchor.c */
    struct cnx_idle *idle; /* of break_circle.c; NULL: not made yet */
    cnx_slice_reading reading;
    cnx_exponents *exponents; /* by parameter */
    atomic_bool *lost;        /* see cnx_has_room */
} cnx_normalizer;

/* Asks an anchor for the sums of its pieces, settles what it says, and multiplies all parameters by that.
 * With `partly`, elements that something open multiplies along another axis are left out. Returns whether
 * anything was settled. */
bool cnx_ask_anchor(cnx_normalizer *normalizer, uint32_t anchor, bool partly);

/* Marks the units of an anchor's pieces whose sums are not settled although the slices are not all zeros. */
void cnx_find_loud_units(cnx_normalizer *normalizer, uint32_t anchor, bool *loud);

/* Settles one sum as it is where that makes no difference, so that others can be asked; see break_circle.c.
 * Returns false where there is none. */
bool cnx_break_circle(cnx_normalizer *normalizer);

/* The unit at a place of an anchor, and whether the sum of its piece there can change. */
uint32_t cnx_unit_at(const cnx_normalizer *normalizer, const cnx_anchor_place *place);
bool cnx_is_open(const cnx_normalizer *normalizer, cnx_arena *scratch, const cnx_anchor_place *place,
                 int64_t **row);

/* Multiplies all that a generator acts on, by its numbers, one for each member. */
void cnx_multiply_units(cnx_normalizer *normalizer, uint32_t generator, const int32_t *numbers);

/* Called when the freedoms of a component got smaller: finds which pieces are settled now, and which anchors
 * can be asked. */
void cnx_component_changed(cnx_normalizer *normalizer, uint32_t component);

#endif
