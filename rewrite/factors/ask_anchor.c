/* Asking one anchor. For every unit, the sums of the anchor's pieces that are not settled are sorted: sums
 * that can only change together (copies that are multiplied alike) share a slice. When the sums that are left
 * can be set independently of each other, each is set to what its slice asks for. Which of several copies is
 * which plays no part in that. */
#include "rewrite/factors/factors.h"
#include "rewrite/factors/normalizer.h"
#include "rewrite/factors/slice_walk.h"
#include "rewrite/permute.h"

#include "base/intern.h"

#include <limits.h>

/* What the sums of an anchor's pieces look like to units with one freedom. */
typedef struct view {
    cnx_intern changes;           /* the different ways in which sums change, by number */
    const cnx_settling *settling; /* of all of them; NULL: they depend on each other, or there are none */
} view;

/* One component in the anchor. */
typedef struct question {
    uint32_t component;
    uint32_t first_slice;
    uint32_t slice_count; /* of each member: as many as any view has changes */
    view *views;          /* by freedom */
} question;

typedef struct asking {
    cnx_normalizer *n;
    const cnx_anchor *anchor;
    cnx_arena *scratch;
    size_t question_count, question_capacity;
    question *questions;
    uint32_t **change_of; /* by piece of the anchor, then freedom: number of the change; CNX_NONE: settled */
    uint32_t slice_count;
    cnx_slice *slices;
    bool any_slice;
    bool dependent; /* some sums cannot be settled because they depend on others */
    bool loud;      /* some slices did not settle their sums although they are not all zeros */
} asking;

/* ---- what there is to ask ---- */

static question *question_of(asking *a, uint32_t component)
{
    uint32_t *number = &a->n->question_of[component];
    if (*number == CNX_NONE) {
        uint32_t count = a->n->freedoms[component].count;
        question made = {.component = component, .views = CNX_NEW_ARRAY(a->scratch, view, count)};
        for (uint32_t f = 0; f < count; f++)
            cnx_intern_init(&made.views[f].changes, a->scratch);
        *number = (uint32_t)a->question_count;
        CNX_PUSH(a->scratch, a->questions, a->question_count, a->question_capacity, made);
    }
    return &a->questions[*number];
}

/* Finds how the sum of the anchor's piece number `i` changes with each freedom of its component. */
static void view_piece(asking *a, uint32_t i)
{
    const cnx_piece *piece = &a->n->anchors->pieces[a->anchor->pieces[i]];
    const cnx_freedoms *freedoms = &a->n->freedoms[piece->component];
    question *q = question_of(a, piece->component);
    a->n->place_of[a->anchor->pieces[i]] = i;
    a->change_of[i] = CNX_NEW_ARRAY(a->scratch, uint32_t, freedoms->count);
    for (uint32_t f = 0; f < freedoms->count; f++) {
        uint32_t rank = freedoms->list[f]->rank;
        int64_t *row = CNX_NEW_ARRAY(a->scratch, int64_t, rank);
        bool changes = cnx_freedom_change(freedoms->list[f], piece->terms, piece->term_count, row);
        a->change_of[i][f] =
            changes ? cnx_intern_add(&q->views[f].changes, row, rank * sizeof *row) : CNX_NONE;
    }
}

static const int64_t *change_row(const view *v, uint32_t change)
{
    size_t size;
    return cnx_intern_bytes(&v->changes, change, &size);
}

/* How the changes in `chosen`, `count` of them, can be settled together; NULL when they cannot. */
static const cnx_settling *settle(asking *a, const view *v, const cnx_freedom *freedom,
                                  const uint32_t *chosen, uint32_t count)
{
    int64_t *rows = CNX_NEW_ARRAY(a->scratch, int64_t, (size_t)count * freedom->rank);
    for (uint32_t i = 0; i < count; i++)
        memcpy(rows + (size_t)i * freedom->rank, change_row(v, chosen[i]), freedom->rank * sizeof *rows);
    return cnx_freedom_settle(a->scratch, freedom, rows, count);
}

static void number_slices(asking *a, question *q)
{
    const cnx_component *component = &a->n->anchors->components[q->component];
    const cnx_freedoms *freedoms = &a->n->freedoms[q->component];
    for (uint32_t f = 0; f < freedoms->count; f++) {
        view *v = &q->views[f];
        uint32_t count = (uint32_t)v->changes.count;
        uint32_t *all = CNX_NEW_ARRAY(a->scratch, uint32_t, count);
        for (uint32_t i = 0; i < count; i++)
            all[i] = i;
        v->settling = count != 0 ? settle(a, v, freedoms->list[f], all, count) : NULL;
        a->dependent = a->dependent || (count != 0 && v->settling == NULL);
        q->slice_count = v->settling != NULL && count > q->slice_count ? count : q->slice_count;
    }
    q->first_slice = a->slice_count;
    a->slice_count += q->slice_count * a->n->anchors->cells->cells[component->cell].count;
}

static asking begin(cnx_normalizer *n, uint32_t anchor)
{
    asking a = {.n = n, .anchor = &n->anchors->anchors[anchor], .scratch = cnx_arena_create(n->arena)};
    a.change_of = CNX_NEW_ARRAY(a.scratch, uint32_t *, a.anchor->piece_count);
    for (uint32_t i = 0; i < a.anchor->piece_count; i++)
        view_piece(&a, i);
    for (size_t i = 0; i < a.question_count; i++)
        number_slices(&a, &a.questions[i]);
    a.slices = CNX_NEW_ARRAY(a.scratch, cnx_slice, a.slice_count);
    return a;
}

static void end(asking *a)
{
    for (size_t i = 0; i < a->question_count; i++)
        a->n->question_of[a->questions[i].component] = CNX_NONE;
    cnx_arena_destroy(a->scratch);
}

/* ---- reading ---- */

uint32_t cnx_unit_at(const cnx_normalizer *n, const cnx_anchor_place *place)
{
    return n->anchors->components[n->anchors->pieces[place->piece].component].first + place->member;
}

bool cnx_is_open(const cnx_normalizer *n, cnx_arena *scratch, const cnx_anchor_place *place, int64_t **row)
{
    if (place->piece == CNX_NONE || n->settled[place->piece])
        return false;
    const cnx_piece *piece = &n->anchors->pieces[place->piece];
    const cnx_freedom *freedom = n->freedoms[piece->component].list[n->freedom_of[cnx_unit_at(n, place)]];
    *row = CNX_NEW_ARRAY(scratch, int64_t, freedom->rank);
    return cnx_freedom_change(freedom, piece->terms, piece->term_count, *row);
}

/* The slice that a position of the anchor's axis belongs to, or CNX_NONE. */
static uint32_t slice_at(const asking *a, const cnx_anchor_place *place)
{
    const cnx_normalizer *n = a->n;
    if (place->piece == CNX_NONE ||
        &n->anchors->anchors[n->anchors->pieces[place->piece].anchor] != a->anchor)
        return CNX_NONE;
    const question *q = &a->questions[n->question_of[n->anchors->pieces[place->piece].component]];
    uint32_t freedom = n->freedom_of[cnx_unit_at(n, place)];
    uint32_t change = a->change_of[n->place_of[place->piece]][freedom];
    if (change == CNX_NONE || q->views[freedom].settling == NULL)
        return CNX_NONE;
    return q->first_slice + place->member * q->slice_count + change;
}

static const uint32_t *slices_by_position(asking *a)
{
    uint32_t count;
    const cnx_anchor_place *places =
        cnx_anchor_places(a->n->anchors, a->anchor->parameter, a->anchor->axis, &count);
    uint32_t *members = CNX_NEW_ARRAY(a->scratch, uint32_t, count);
    for (uint32_t i = 0; i < count; i++) {
        members[i] = slice_at(a, &places[i]);
        a->any_slice = a->any_slice || members[i] != CNX_NONE;
    }
    return members;
}

/* By position of an axis: whether what multiplies it is open. NULL when nothing is. */
static bool *open_positions(const asking *a, uint32_t axis)
{
    const cnx_normalizer *n = a->n;
    uint32_t count;
    const cnx_anchor_place *places = cnx_anchor_places(n->anchors, a->anchor->parameter, axis, &count);
    bool *open = places != NULL ? CNX_NEW_ARRAY(a->scratch, bool, count) : NULL;
    int64_t *row;
    for (uint32_t i = 0; i < count; i++)
        open[i] = cnx_is_open(n, a->scratch, &places[i], &row);
    return open;
}

static bool *const *all_open_positions(const asking *a)
{
    uint32_t rank = a->n->analysis->parameters[a->anchor->parameter].tensor->rank;
    bool **open = CNX_NEW_ARRAY(a->scratch, bool *, rank);
    for (uint32_t k = 0; k < rank; k++)
        open[k] = k != a->anchor->axis ? open_positions(a, k) : NULL;
    return open;
}

/* Where slices are all of a tensor, it need not be read again to see whether its elements have room. */
static void note_exponents(const asking *a, const cnx_tensor *tensor)
{
    cnx_exponents *known = &a->n->exponents[a->anchor->parameter];
    if (!known->known)
        *known = cnx_exponents_of(tensor, a->slices, a->slice_count);
}

static void read_slices(asking *a, bool partly)
{
    bool with_sums = a->n->kind == CNX_SIGN, balanced = false;
    cnx_slicing s = {.arena = a->scratch,
                     .reading = &a->n->reading,
                     .parameter = &a->n->analysis->parameters[a->anchor->parameter],
                     .axis = a->anchor->axis,
                     .members = slices_by_position(a),
                     .member_count = a->slice_count,
                     .left_out = partly ? all_open_positions(a) : NULL};
    if (!a->any_slice)
        return;
    if (partly)
        cnx_walk_slices(&s, with_sums, a->slices);
    else
        cnx_measure_slices(&a->n->reading, s.parameter, s.axis, s.members, s.member_count, a->slices);
    if (!partly && !with_sums)
        note_exponents(a, s.parameter->tensor);
    if (!partly && with_sums)
        cnx_add_up_slices(&a->n->reading, s.parameter, s.axis, s.members, s.member_count, a->slices);
    for (uint32_t i = 0; i < s.member_count && with_sums; i++)
        balanced =
            balanced || (a->slices[i].sum == 0 && a->slices[i].finite && a->slices[i].largest != INT_MIN);
    if (balanced)
        cnx_hash_slices(&s, a->slices);
}

/* ---- what slices ask for ---- */

static bool is_silent(const cnx_slice *s)
{
    return s->finite && s->largest == INT_MIN;
}

/* The change that a slice asks for, a multiple of the divisor; false when it says nothing. */
static bool wanted_change(const cnx_normalizer *n, const cnx_slice *s, int64_t divisor, int64_t *change)
{
    if (!s->finite || s->largest == INT_MIN)
        return false;
    if (n->kind == CNX_SIGN) {
        *change = s->sum < 0 || (s->sum == 0 && s->hash >> 63 != 0);
        return s->sum != 0 || (s->hash != 0 && s->hash != UINT64_C(1) << 63);
    }
    int target = s->count == 1 ? 1 : 3;
    for (uint64_t size = 2; size < s->count; size *= 4)
        target--;
    int64_t rest = (target - s->largest) % divisor; /* the largest exponent up to the target */
    *change = target - s->largest - rest - (rest < 0 ? divisor : 0);
    return true;
}

/* ---- settling ---- */

/* What the units of one component get out of an anchor. */
typedef struct answer {
    asking *a;
    const question *q;
    const cnx_component *component;
    int32_t **numbers; /* by generator of the component, then member: what it is multiplied by in addition */
    /* Transitions: ways in which units of one freedom come to have another one. By number: */
    cnx_intern transitions; /* the freedom, and the changes that are settled */
    size_t count, capacity;
    const cnx_settling **settlings; /* NULL where numbers got out of hand */
    bool any;
} answer;

static uint32_t find_transition(answer *r, uint32_t freedom, const uint32_t *chosen, uint32_t count)
{
    uint32_t *key = CNX_NEW_ARRAY(r->a->scratch, uint32_t, (size_t)count + 1);
    key[0] = freedom;
    memcpy(key + 1, chosen, count * sizeof *key);
    uint32_t number = cnx_intern_add(&r->transitions, key, (count + 1) * sizeof *key);
    if (number == r->count) {
        const view *v = &r->q->views[freedom];
        const cnx_freedom *from = r->a->n->freedoms[r->q->component].list[freedom];
        const cnx_settling *made =
            count == v->settling->count ? v->settling : settle(r->a, v, from, chosen, count);
        CNX_PUSH(r->a->scratch, r->settlings, r->count, r->capacity, made);
    }
    return number;
}

/* Takes over the numbers of a unit, if exponents of that size can be used. */
static bool take_numbers(answer *r, uint32_t member, const int64_t *numbers)
{
    enum { LARGEST = 1 << 20 };
    for (uint32_t g = 0; g < r->component->size; g++)
        if (numbers[g] > LARGEST || numbers[g] < -LARGEST)
            return false;
    bool *multiplied = &r->a->n->multiplied[r->component->first + member];
    for (uint32_t g = 0; g < r->component->size; g++) {
        r->numbers[g][member] = (int32_t)numbers[g];
        *multiplied = *multiplied || numbers[g] != 0;
    }
    return true;
}

/* Room for one member's changes. */
typedef struct choice {
    uint32_t *chosen;
    int64_t *changes;
    int64_t *numbers;
} choice;

/* Settles what the slices of one member say. */
static void answer_member(answer *r, uint32_t member, const choice *c)
{
    cnx_normalizer *n = r->a->n;
    uint32_t unit = r->component->first + member, freedom = n->freedom_of[unit], count = 0;
    const view *v = &r->q->views[freedom];
    const cnx_slice *slices = r->a->slices + r->q->first_slice + (size_t)member * r->q->slice_count;
    for (uint32_t i = 0; v->settling != NULL && i < v->settling->count; i++) {
        if (wanted_change(n, &slices[i], v->settling->divisors[i], &c->changes[count]))
            c->chosen[count++] = i;
        else
            r->a->loud = r->a->loud || !is_silent(&slices[i]);
    }
    uint32_t transition = count != 0 ? find_transition(r, freedom, c->chosen, count) : CNX_NONE;
    const cnx_settling *settling = count != 0 ? r->settlings[transition] : NULL;
    if (settling == NULL) {
        r->a->loud = r->a->loud || count != 0;
        return;
    }
    memset(c->numbers, 0, r->component->size * sizeof *c->numbers);
    cnx_settling_solve(settling, c->changes, c->numbers);
    if (take_numbers(r, member, c->numbers)) {
        n->freedom_of[unit] = n->freedoms[r->q->component].count + transition;
        r->any = true;
    }
}

static bool are_zero(const int32_t *numbers, uint32_t count)
{
    bool zero = true;
    for (uint32_t i = 0; i < count && zero; i++)
        zero = numbers[i] == 0;
    return zero;
}

void cnx_multiply_units(cnx_normalizer *n, uint32_t generator, const int32_t *numbers)
{
    const cnx_generator_uses *uses = &n->uses[generator];
    for (size_t i = 0; i < uses->count; i++) {
        const cnx_generator_use *u = &uses->list[i];
        cnx_apply_generator(n->analysis, n->scalings, u->parameter, u->axis, u->action, u->factor, numbers);
    }
}

/* Multiplies what the component's generators act on. */
static void multiply(const answer *r)
{
    cnx_normalizer *n = r->a->n;
    uint32_t members = n->anchors->cells->cells[r->component->cell].count;
    for (uint32_t g = 0; g < r->component->size; g++)
        if (!are_zero(r->numbers[g], members))
            cnx_multiply_units(n, r->component->generators[g], r->numbers[g]);
}

/* Components with more generators keep their freedoms in an arena of their own. */
enum { FEW_GENERATORS = 8 };

/* Replaces the component's freedoms by those that its units have now. */
static void renew_freedoms(answer *r)
{
    cnx_normalizer *n = r->a->n;
    cnx_freedoms *old = &n->freedoms[r->q->component], new = {0};
    uint32_t members = n->anchors->cells->cells[r->component->cell].count;
    uint32_t all = old->count + (uint32_t)r->count;
    uint32_t *number = CNX_NEW_ARRAY(r->a->scratch, uint32_t, all);
    uint32_t *freedom_of = n->freedom_of + r->component->first;
    for (uint32_t m = 0; m < members; m++)
        if (number[freedom_of[m]] == 0)
            number[freedom_of[m]] = ++new.count;
    if (r->component->size > FEW_GENERATORS)
        new.arena = cnx_arena_create(n->arena);
    cnx_arena *arena = new.arena != NULL ? new.arena : n->arena;
    new.list = CNX_NEW_ARRAY(arena, const cnx_freedom *, new.count);
    for (uint32_t i = 0; i < all; i++)
        if (number[i] != 0)
            new.list[number[i] - 1] =
                cnx_freedom_copy(arena, i < old->count ? old->list[i] : r->settlings[i - old->count]->rest);
    for (uint32_t m = 0; m < members; m++)
        freedom_of[m] = number[freedom_of[m]] - 1;
    cnx_arena_destroy(old->arena);
    *old = new;
}

static bool answer_question(asking *a, const question *q)
{
    const cnx_component *component = &a->n->anchors->components[q->component];
    uint32_t members = a->n->anchors->cells->cells[component->cell].count;
    answer r = {.a = a, .q = q, .component = component};
    choice c = {.chosen = CNX_NEW_ARRAY(a->scratch, uint32_t, q->slice_count),
                .changes = CNX_NEW_ARRAY(a->scratch, int64_t, q->slice_count),
                .numbers = CNX_NEW_ARRAY(a->scratch, int64_t, component->size)};
    cnx_intern_init(&r.transitions, a->scratch);
    r.numbers = CNX_NEW_ARRAY(a->scratch, int32_t *, component->size);
    for (uint32_t g = 0; g < component->size; g++)
        r.numbers[g] = CNX_NEW_ARRAY(a->scratch, int32_t, members);
    for (uint32_t m = 0; m < members; m++)
        answer_member(&r, m, &c);
    if (r.any) {
        multiply(&r);
        renew_freedoms(&r);
        cnx_component_changed(a->n, q->component);
    }
    return r.any;
}

/* Whether nothing of the anchor can change any more. */
static bool has_settled(const cnx_normalizer *n, uint32_t anchor)
{
    for (uint32_t i = 0; i < n->anchors->anchors[anchor].piece_count; i++)
        if (!n->settled[n->anchors->anchors[anchor].pieces[i]])
            return false;
    return true;
}

bool cnx_ask_anchor(cnx_normalizer *n, uint32_t anchor, bool partly)
{
    bool any = false;
    if (has_settled(n, anchor)) {
        n->asked[anchor] = n->silent[anchor] = true;
        return false;
    }
    asking a = begin(n, anchor);
    read_slices(&a, partly);
    n->dependent[anchor] = a.dependent;
    n->asked[anchor] = !partly && !a.dependent; /* if not, it is to be asked again when something changes */
    for (size_t i = 0; i < a.question_count && a.any_slice; i++)
        any = answer_question(&a, &a.questions[i]) || any;
    if (!partly)
        n->silent[anchor] = !a.dependent && !a.loud;
    end(&a);
    return any;
}

void cnx_find_loud_units(cnx_normalizer *n, uint32_t anchor, bool *loud)
{
    if (has_settled(n, anchor))
        return;
    const cnx_anchor *of = &n->anchors->anchors[anchor];
    cnx_arena *scratch = cnx_arena_create(n->arena);
    uint32_t count, units = 0;
    const cnx_anchor_place *places = cnx_anchor_places(n->anchors, of->parameter, of->axis, &count);
    uint32_t *slice_of = CNX_NEW_ARRAY(scratch, uint32_t, count),
             *unit_of = CNX_NEW_ARRAY(scratch, uint32_t, count);
    asking a = {.n = n, .anchor = of, .scratch = scratch};
    const bool *open = open_positions(&a, of->axis);
    for (uint32_t i = 0; i < count; i++) {
        bool counts = open[i] && n->anchors->pieces[places[i].piece].anchor == anchor;
        slice_of[i] = counts ? units : CNX_NONE;
        unit_of[units] = counts ? cnx_unit_at(n, &places[i]) : 0;
        units += counts;
    }
    cnx_slice *slices = CNX_NEW_ARRAY(scratch, cnx_slice, units);
    if (units != 0)
        cnx_measure_slices(&n->reading, &n->analysis->parameters[of->parameter], of->axis, slice_of, units,
                           slices);
    for (uint32_t i = 0; i < units; i++)
        loud[unit_of[i]] = loud[unit_of[i]] || !is_silent(&slices[i]);
    cnx_arena_destroy(scratch);
}
