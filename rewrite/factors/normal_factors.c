/* By what units are multiplied in the canonical form: powers of two, then signs.
 *
 * By what a unit (a member of a cell) can be multiplied is a few whole numbers, or bits: those of the
 * generators that analyze/equations.c found. But which generators it found is an accident; what means
 * something is the sums that multiply the unit's slices, where a slice is what a unit has along one axis of
 * one parameter. So it is sums that are chosen here, and generators only serve to write them down. For each
 * unit we keep what is still free (rewrite/factors/freedom.h). Anchors (rewrite/factors/anchors.h) are asked
 * one after the other. If the sum that multiplies a unit's slice can still change, it is settled so that the
 * slice becomes normal, and what is free shrinks to what leaves that sum alone. The result depends on the
 * sums and on the order of anchors, and on nothing else.
 *
 * An anchor has many slices: of the members of a cell, of cells in exchangeable blocks, of copies of a member
 * in several blocks. All are read before any is settled, so their order means nothing. Where sums of one unit
 * can only change together, because nothing is free but what multiplies all of them alike, their slices are
 * read as one. (The first halves of a rotary pair have a sign in each head; once these are settled, the
 * second halves in all heads have one sign in common.) Where the sums of one unit depend on each other in any
 * other way, the anchor has to wait until something else has been settled.
 *
 * An anchor can be asked once nothing is open that multiplies its elements along their other axes. Of all
 * that can be asked, the first is. When there are none, the first is asked that says something about the
 * elements that are left when the open ones are left out.
 *
 * Scale: the exponent of the slice's largest magnitude becomes 1 for single elements and 3 - round(log4 n)
 * for slices of n elements, with round(1/2) = 0. Then rows of a matrix have about the norm with which layers
 * that rectify pass signals on as they are (the square root of 2, three or four times less than the largest
 * of many normal numbers), and the factors of a deep network without biases do not pile up. A sum that can
 * only change by multiples of k gets the largest exponent up to that. Slices of zeros, or with a number that
 * is not finite, say nothing. Units whose weights have no room for their new exponents get others
 * (rewrite/factors/make_room.c). Where a scale is missing in the end, or some weight has no room even so, no
 * scale is changed at all.
 *
 * Sign: the sum of the slice's elements becomes positive. It is taken over whole numbers, the elements cut
 * off 40 bits below the largest, so that no order rounds differently. Where it is zero, a sum of hashes, each
 * with the sign of its element, decides by its highest bit: of the magnitude, and of the magnitudes beside it
 * (rewrite/factors/slice_walk.c).
 *
 * What the largest magnitude is and what the sums are does not depend on the order of anything, so
 * permutations do not matter here, and what is sorted afterwards is sorted by normalized numbers.
 */
#include "rewrite/factors/normal_factors.h"

#include "rewrite/factors/make_room.h"
#include "rewrite/factors/normalizer.h"
#include "rewrite/pass.h"

/* ---- which anchors can be asked ---- */

/* Whether nothing is open along the other axes of the anchor's parameter. */
static bool is_ready(const cnx_normalizer *n, const cnx_anchor *anchor)
{
    uint32_t rank = n->analysis->parameters[anchor->parameter].tensor->rank;
    for (uint32_t k = 0; k < rank; k++)
        if (k != anchor->axis && n->open[anchor->parameter][k] != 0)
            return false;
    return true;
}

static void offer_anchor(cnx_normalizer *n, uint32_t number)
{
    bool ready = is_ready(n, &n->anchors->anchors[number]);
    bool *waits = ready ? &n->waits_ready[number] : &n->waits_partial[number];
    if (n->asked[number] || *waits)
        return;
    *waits = true;
    cnx_heap_push(n->arena, ready ? &n->ready : &n->partial, number);
}

/* The anchors whose elements the piece's sum multiplies. Those on its own axis have nothing new to say,
 * unless they wait for sums that depend on each other. */
static void offer_beside(cnx_normalizer *n, const cnx_piece *piece)
{
    uint32_t rank = n->analysis->parameters[piece->parameter].tensor->rank, first;
    for (uint32_t k = 0; k < rank; k++) {
        uint32_t count = cnx_anchors_on_axis(n->anchors, piece->parameter, k, &first);
        for (uint32_t i = first; i < first + count; i++)
            if (k != piece->axis || n->dependent[i])
                offer_anchor(n, i);
    }
}

/* Whether no unit's sum of the piece can change. */
static bool is_settled(const cnx_normalizer *n, cnx_arena *scratch, const cnx_piece *piece)
{
    const cnx_freedoms *freedoms = &n->freedoms[piece->component];
    for (uint32_t f = 0; f < freedoms->count; f++) {
        int64_t *row = CNX_NEW_ARRAY(scratch, int64_t, freedoms->list[f]->rank);
        if (cnx_freedom_change(freedoms->list[f], piece->terms, piece->term_count, row))
            return false;
    }
    return true;
}

void cnx_component_changed(cnx_normalizer *n, uint32_t component)
{
    const cnx_component *of = &n->anchors->components[component];
    cnx_arena *scratch = cnx_arena_create(n->arena);
    for (uint32_t i = 0; i < of->piece_count; i++) {
        const cnx_piece *piece = &n->anchors->pieces[of->pieces[i]];
        if (n->settled[of->pieces[i]])
            continue;
        n->settled[of->pieces[i]] = is_settled(n, scratch, piece);
        n->open[piece->parameter][piece->axis] -= n->settled[of->pieces[i]];
        offer_beside(n, piece);
    }
    cnx_arena_destroy(scratch);
}

/* ---- all of them ---- */

static bool ask_next_ready(cnx_normalizer *n)
{
    if (n->ready.count == 0)
        return false;
    uint32_t number = cnx_heap_pop(&n->ready);
    n->waits_ready[number] = false;
    cnx_ask_anchor(n, number, false);
    return true;
}

/* Asks partly until something is settled, or nothing is left to ask. Anchors that got ready while they waited
 * were asked in full. */
static bool ask_next_partly(cnx_normalizer *n)
{
    bool any = false;
    while (n->partial.count != 0 && !any) {
        uint32_t number = cnx_heap_pop(&n->partial);
        n->waits_partial[number] = false;
        any = !is_ready(n, &n->anchors->anchors[number]) && cnx_ask_anchor(n, number, true);
    }
    return any;
}

/* Half precision has no room for exponents: sums that multiply it are settled as they are. */
static void keep_halves(cnx_normalizer *n)
{
    const cnx_anchors *a = n->anchors;
    for (size_t i = 0; i < a->piece_count && n->kind == CNX_SCALE; i++) {
        const cnx_piece *piece = &a->pieces[i];
        cnx_freedoms *freedoms = &n->freedoms[piece->component];
        if (n->analysis->parameters[piece->parameter].tensor->type != CNX_TYPE_FLOAT16)
            continue;
        int64_t *row = CNX_NEW_ARRAY(n->arena, int64_t, freedoms->list[0]->rank);
        if (cnx_freedom_change(freedoms->list[0], piece->terms, piece->term_count, row))
            freedoms->list[0] = cnx_freedom_settle(n->arena, freedoms->list[0], row, 1)->rest;
    }
}

/* Everything is free at first. */
static void free_all(cnx_normalizer *n)
{
    const cnx_anchors *a = n->anchors;
    for (uint32_t c = 0; c < a->component_count; c++) {
        n->freedoms[c].count = 1;
        n->freedoms[c].list = CNX_NEW_ARRAY(n->arena, const cnx_freedom *, 1);
        n->freedoms[c].list[0] = cnx_freedom_all(n->arena, a->components[c].size, n->kind == CNX_SIGN);
    }
    keep_halves(n);
    for (size_t i = 0; i < a->piece_count; i++) {
        n->settled[i] = is_settled(n, n->arena, &a->pieces[i]);
        n->open[a->pieces[i].parameter][a->pieces[i].axis] += !n->settled[i];
    }
}

static void list_uses(cnx_normalizer *n)
{
    uint32_t generators, numbers, count;
    cnx_scaling_generators(n->scalings, n->kind, &generators, &numbers);
    n->uses = CNX_NEW_ARRAY(n->arena, cnx_generator_uses, generators);
    for (size_t p = 0; p < n->analysis->parameter_count; p++)
        for (uint32_t k = 0; k < n->analysis->parameters[p].tensor->rank; k++) {
            const cnx_scaling_action *actions = cnx_scaling_actions(n->scalings, p, k, &count);
            for (uint32_t i = 0; i < count; i++)
                for (uint32_t t = 0; t < actions[i].part_count && actions[i].kind == n->kind; t++) {
                    cnx_generator_uses *uses = &n->uses[actions[i].parts[t].generator];
                    cnx_generator_use u = {p, k, actions[i].parts[t].factor, &actions[i]};
                    CNX_PUSH(n->arena, uses->list, uses->count, uses->capacity, u);
                }
        }
}

static cnx_normalizer *begin(cnx_rewrite *rewrite, cnx_scaling_kind kind)
{
    cnx_analysis *analysis = cnx_rewrite_facts(rewrite);
    cnx_arena *arena = cnx_arena_create(rewrite->arena);
    cnx_normalizer *n = CNX_NEW(arena, cnx_normalizer);
    *n = (cnx_normalizer){.arena = arena,
                          .analysis = analysis,
                          .scalings = cnx_rewrite_scalings(rewrite),
                          .kind = kind,
                          .lost = rewrite->lost,
                          .reading = {.arena = arena, .analysis = analysis},
                          .exponents = CNX_NEW_ARRAY(arena, cnx_exponents, analysis->parameter_count)};
    cnx_anchors *a = n->anchors =
        cnx_find_anchors(arena, analysis, n->scalings, cnx_rewrite_colours(rewrite), kind);
    n->freedoms = CNX_NEW_ARRAY(arena, cnx_freedoms, a->component_count);
    n->question_of = CNX_NEW_ARRAY(arena, uint32_t, a->component_count);
    if (a->component_count != 0)
        memset(n->question_of, 0xff, a->component_count * sizeof *n->question_of);
    n->freedom_of = CNX_NEW_ARRAY(arena, uint32_t, a->unit_count);
    n->multiplied = CNX_NEW_ARRAY(arena, bool, a->unit_count);
    n->settled = CNX_NEW_ARRAY(arena, bool, a->piece_count);
    n->place_of = CNX_NEW_ARRAY(arena, uint32_t, a->piece_count);
    n->open = CNX_NEW_ARRAY(arena, uint32_t *, analysis->parameter_count);
    for (size_t p = 0; p < analysis->parameter_count; p++)
        n->open[p] = CNX_NEW_ARRAY(arena, uint32_t, analysis->parameters[p].tensor->rank);
    n->asked = CNX_NEW_ARRAY(arena, bool, a->count);
    n->silent = CNX_NEW_ARRAY(arena, bool, a->count);
    n->dependent = CNX_NEW_ARRAY(arena, bool, a->count);
    n->waits_ready = CNX_NEW_ARRAY(arena, bool, a->count);
    n->waits_partial = CNX_NEW_ARRAY(arena, bool, a->count);
    list_uses(n);
    free_all(n);
    return n;
}

/* Settles all there is to settle. Returns how many units are left of which that cannot be said, and how many
 * are multiplied. */
static uint64_t normalize(cnx_normalizer *n, size_t *changed)
{
    const cnx_anchors *a = n->anchors;
    bool *loud = CNX_NEW_ARRAY(n->arena, bool, a->unit_count);
    uint64_t undecided = 0;
    for (uint32_t i = 0; i < a->count; i++)
        offer_anchor(n, i);
    while (ask_next_ready(n) || ask_next_partly(n) || cnx_break_circle(n))
        ;
    for (uint32_t i = 0; i < a->count; i++)
        if (!n->silent[i])
            cnx_find_loud_units(n, i, loud);
    *changed = 0;
    for (uint32_t i = 0; i < a->unit_count; i++) {
        undecided += loud[i];
        *changed += n->multiplied[i];
    }
    return undecided;
}

/* ---- the passes ---- */

/* Whether all that the scales act on has room for its bits now. */
static bool scales_are_exact(cnx_normalizer *n)
{
    for (size_t p = 0; p < n->analysis->parameter_count; p++) {
        cnx_tensor *tensor = n->analysis->parameters[p].tensor;
        bool scaled = false;
        for (uint32_t k = 0, count; k < tensor->rank; k++) {
            const cnx_scaling_action *actions = cnx_scaling_actions(n->scalings, p, k, &count);
            for (uint32_t i = 0; i < count; i++)
                scaled = scaled || actions[i].kind == CNX_SCALE;
        }
        if (scaled && tensor->type != CNX_TYPE_FLOAT16 &&
            !cnx_has_room(&n->reading, tensor, &n->exponents[p], n->lost))
            return false;
    }
    return true;
}

static void take_back(const cnx_normalizer *n)
{
    for (size_t p = 0; p < n->analysis->parameter_count; p++)
        n->analysis->parameters[p].tensor->permutation = NULL;
}

/* Nearly always all elements have room for what they are multiplied by while scales are chosen, and in the
 * end. */
static bool choose_scales(cnx_normalizer *n, uint64_t *undecided, size_t *changed)
{
    *undecided = normalize(n, changed);
    return !n->reading.lost && (*undecided != 0 || scales_are_exact(n));
}

/* The same where they have not: slices are read in numbers that have room for everything, and units moved. */
static bool choose_scales_with_room(cnx_normalizer *n, uint64_t *undecided, size_t *changed)
{
    n->lost = NULL;
    n->reading.wide = true;
    *undecided = normalize(n, changed);
    if (n->reading.lost)
        return false;
    if (*undecided != 0)
        return true;
    n->reading.lost = !cnx_make_room(n);
    return scales_are_exact(n);
}

size_t cnx_normalize_scales(cnx_rewrite *rewrite)
{
    cnx_normalizer *n = begin(rewrite, CNX_SCALE);
    size_t changed = 0;
    uint64_t undecided;
    bool exact = choose_scales(n, &undecided, &changed);
    if (!exact) {
        take_back(n);
        cnx_arena_destroy(n->arena);
        n = begin(rewrite, CNX_SCALE);
        exact = choose_scales_with_room(n, &undecided, &changed);
    }
    if (!exact || undecided != 0) {
        take_back(n);
        changed = 0;
        cnx_rewrite_note(rewrite, exact ? "scales are left as they are: some hang together in circles"
                                        : "scales are left as they are: not all weights have room for "
                                          "another exponent");
    }
    /* Whether even doubles have no room for what scales are on the way depends on the scales in the file. */
    if (n->reading.lost && rewrite->model->not_canonical == NULL)
        cnx_rewrite_refuse(rewrite, "scales were looked for beyond the exponents of doubles");
    cnx_arena_destroy(n->arena);
    return changed;
}

size_t cnx_normalize_signs(cnx_rewrite *rewrite)
{
    cnx_normalizer *n = begin(rewrite, CNX_SIGN);
    size_t changed = 0;
    uint64_t undecided = normalize(n, &changed);
    if (undecided != 0 && rewrite->model->not_canonical == NULL)
        cnx_rewrite_refuse(rewrite, "the signs of %llu units cannot be told from the opposite ones",
                           (unsigned long long)undecided);
    cnx_arena_destroy(n->arena);
    return changed;
}
