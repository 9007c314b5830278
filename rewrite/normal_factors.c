/* A unit's scale is chosen from the magnitude of one of its slices, and its sign from the sign of one.
 *
 * A slice is what one member of a generator's cell has along one axis of one parameter. It can serve as an
 * *anchor* once nothing else that multiplies it is open: the generators on the tensor's other axes are
 * decided, and so are other parts of the action itself. Where a member has several copies on the axis that
 * are multiplied alike (in exchangeable blocks, for one), the anchor is all of them. Vectors (biases, scales
 * of normalizations) come first and are always ready, or nearly; matrices follow in the order of parameters.
 * Each member takes the first anchor that says something. Generators are visited again and again, each
 * waiting for its anchors to get ready one after the other; only where all wait is one allowed to skip.
 *
 * Scale: the exponent of the slice's largest magnitude becomes 1 for vectors and 1 - ceil(log4 n) for slices
 * of n elements; rows of a matrix keep a norm around 1, so that the factors of a deep network without biases
 * do not pile up. Slices of zeros, or with a number that is not finite, say nothing. Where a scale is missing
 * in the end, or some weight has no room for its new exponent, no scale is changed at all.
 *
 * Sign: the sum of the slice becomes positive. The sum is taken over whole numbers, the elements cut off 40
 * bits below the largest, so that no order rounds differently. Where it is zero, a sum of hashes, each with
 * the sign of its element, decides by its highest bit: of the magnitude, and of the magnitudes beside it
 * (rewrite/slices.c).
 *
 * What the largest magnitude is and what the sums are does not depend on the order of anything, so
 * permutations do not matter here, and what is sorted afterwards is sorted by normalized numbers.
 */
#include "rewrite/normal_factors.h"

#include "rewrite/exactness.h"
#include "rewrite/factors.h"
#include "rewrite/pass.h"
#include "rewrite/permute.h"
#include "rewrite/slice_walk.h"

#include <limits.h>

/* An action of a generator on an axis of a parameter. */
typedef struct use {
    size_t parameter;
    uint32_t axis;
    const cnx_scaling_action *action;
    int32_t factor;
    bool asked; /* as an anchor */
} use;

typedef struct use_list {
    size_t count;
    size_t capacity;
    use *uses;
} use_list;

typedef struct normalizer {
    cnx_arena *arena;
    cnx_analysis *analysis;
    const cnx_scalings *scalings;
    const cnx_cells *cells;
    cnx_scaling_kind kind;
    uint32_t generator_count;
    const cnx_generator *generators;
    use_list *uses; /* by generator */
    bool *done;     /* by generator */
    bool *decided;  /* by number */
    bool *applied;  /* by number: the tensors are multiplied by it */
    bool *open;     /* by number: a slice that is not zero left it undecided */
    int32_t *numbers;
    cnx_slice_reading reading;
    cnx_exponents *exponents; /* by parameter */
    atomic_bool *lost;        /* see cnx_has_room */
    uint64_t spread;          /* members that keep their numbers */
} normalizer;

/* ---- deciding ---- */

/* The number that a slice asks for; false when it says nothing. */
static bool wanted_number(const normalizer *n, const use *u, const cnx_slice *s, int32_t *number)
{
    if (!s->finite || s->largest == INT_MIN)
        return false;
    if (n->kind == CNX_SIGN) {
        *number = s->sum < 0 || (s->sum == 0 && s->hash >> 63 != 0);
        return s->sum != 0 || (s->hash != 0 && s->hash != UINT64_C(1) << 63);
    }
    int target = 0;
    for (uint64_t size = 1; size < s->count; size *= 4)
        target--;
    *number = (target + 1 - s->largest) * u->factor;
    return true;
}

/* Whether two uses are one anchor: copies of a member in the blocks of one axis, multiplied alike. */
static bool same_anchor(const use *a, const use *b)
{
    return a->parameter == b->parameter && a->axis == b->axis && a->factor == b->factor;
}

/* By position of the anchor's axis: the member there, or CNX_NONE. */
static uint32_t *members_of_anchor(const normalizer *n, cnx_arena *scratch, uint32_t generator, const use *u)
{
    const cnx_parameter *parameter = &n->analysis->parameters[u->parameter];
    uint32_t positions = cnx_parameter_labels(parameter, u->axis)->sequence->count, count;
    uint32_t *members = CNX_NEW_ARRAY(scratch, uint32_t, positions);
    memset(members, 0xff, positions * sizeof *members);
    for (size_t i = 0; i < n->uses[generator].count; i++) {
        const use *other = &n->uses[generator].uses[i];
        if (!same_anchor(u, other))
            continue;
        const cnx_scaling_place *places =
            cnx_scaling_places(scratch, n->scalings, other->action, u->axis, &count);
        for (uint32_t k = 0; k < count; k++)
            members[places[k].position] = places[k].member;
    }
    return members;
}

/* Where slices are all of a tensor, it need not be read again to see whether its elements have room. */
static void note_exponents(const normalizer *n, const cnx_slicing *s, const cnx_slice *slices)
{
    cnx_exponents *known = &n->exponents[s->parameter - n->analysis->parameters];
    if (!known->known)
        *known = cnx_exponents_of(s->parameter->tensor, slices, s->member_count);
}

static void read_slices(normalizer *n, const cnx_slicing *s, cnx_slice *slices)
{
    bool with_sums = n->kind == CNX_SIGN, balanced = false;
    if (s->left_out != NULL)
        cnx_walk_slices(s, with_sums, slices);
    else
        cnx_measure_slices(&n->reading, s->parameter, s->axis, s->members, s->member_count, slices);
    if (s->left_out == NULL && !with_sums)
        note_exponents(n, s, slices);
    if (s->left_out == NULL && with_sums)
        cnx_add_up_slices(&n->reading, s->parameter, s->axis, s->members, s->member_count, slices);
    for (uint32_t i = 0; i < s->member_count && with_sums; i++)
        balanced = balanced || (slices[i].sum == 0 && slices[i].finite && slices[i].largest != INT_MIN);
    if (balanced)
        cnx_hash_slices(s, slices);
}

/* Asks an anchor for the numbers of the generator's members; elements at the positions that are left out do
 * not count. Returns whether it decided any. */
static bool ask_anchor(normalizer *n, uint32_t generator, const use *u, bool *const *left_out)
{
    cnx_arena *scratch = cnx_arena_create(n->arena);
    uint32_t first = n->generators[generator].first;
    uint32_t count = n->cells->cells[n->generators[generator].cell].count;
    bool any = false;
    cnx_slicing slicing = {.arena = scratch,
                           .analysis = n->analysis,
                           .parameter = &n->analysis->parameters[u->parameter],
                           .axis = u->axis,
                           .members = members_of_anchor(n, scratch, generator, u),
                           .member_count = count,
                           .left_out = left_out};
    cnx_slice *slices = CNX_NEW_ARRAY(scratch, cnx_slice, count);
    read_slices(n, &slicing, slices);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = first + i;
        if (n->decided[number])
            continue;
        n->decided[number] = wanted_number(n, u, &slices[i], &n->numbers[number]);
        n->open[number] = n->open[number] || slices[i].largest != INT_MIN || !slices[i].finite;
        if (!n->decided[number])
            n->numbers[number] = 0;
        any = any || n->decided[number];
    }
    cnx_arena_destroy(scratch);
    return any;
}

static bool all_decided(const normalizer *n, uint32_t generator)
{
    const cnx_generator *g = &n->generators[generator];
    for (uint32_t i = 0; i < n->cells->cells[g->cell].count; i++)
        if (!n->decided[g->first + i])
            return false;
    return true;
}

static bool parts_done(const normalizer *n, const cnx_scaling_action *action, uint32_t besides)
{
    for (uint32_t t = 0; t < action->part_count; t++)
        if (action->parts[t].generator != besides && !n->done[action->parts[t].generator])
            return false;
    return true;
}

static bool is_ready(const normalizer *n, uint32_t generator, const use *u)
{
    uint32_t count;
    if (!parts_done(n, u->action, generator))
        return false;
    for (uint32_t k = 0; k < n->analysis->parameters[u->parameter].tensor->rank; k++) {
        const cnx_scaling_action *actions = cnx_scaling_actions(n->scalings, u->parameter, k, &count);
        for (uint32_t i = 0; i < count && k != u->axis; i++)
            if (actions[i].kind == n->kind && !parts_done(n, &actions[i], CNX_NONE))
                return false;
    }
    return true;
}

/* Whether something multiplies a position by a number that is still open, besides `except`. */
static bool is_open(const normalizer *n, const cnx_scaling_action *action, uint32_t member, uint32_t except)
{
    for (uint32_t t = 0; t < action->part_count; t++) {
        uint32_t generator = action->parts[t].generator;
        if (generator != except && !n->done[generator] &&
            !n->decided[n->generators[generator].first + member])
            return true;
    }
    return false;
}

/* By axis and position: where factors are open. On the anchor's own axis the generator itself does not count.
 */
static bool **open_positions(const normalizer *n, cnx_arena *scratch, uint32_t generator, const use *u)
{
    const cnx_parameter *parameter = &n->analysis->parameters[u->parameter];
    bool **open = CNX_NEW_ARRAY(scratch, bool *, parameter->tensor->rank);
    for (uint32_t k = 0, count; k < parameter->tensor->rank; k++) {
        const cnx_labels *labels = cnx_parameter_labels(parameter, k);
        const cnx_scaling_action *actions = cnx_scaling_actions(n->scalings, u->parameter, k, &count);
        open[k] = labels != NULL ? CNX_NEW_ARRAY(scratch, bool, labels->sequence->count) : NULL;
        for (uint32_t i = 0; i < count; i++) {
            uint32_t places_count;
            const cnx_scaling_place *places =
                cnx_scaling_places(scratch, n->scalings, &actions[i], k, &places_count);
            for (uint32_t j = 0; j < places_count && actions[i].kind == n->kind; j++)
                open[k][places[j].position] =
                    open[k][places[j].position] ||
                    is_open(n, &actions[i], places[j].member, k == u->axis ? generator : CNX_NONE);
        }
    }
    return open;
}

/* Multiplies the generator's uses by the numbers that were decided since the last time. */
static void apply_decided(normalizer *n, uint32_t generator)
{
    cnx_arena *scratch = cnx_arena_create(n->arena);
    uint32_t first = n->generators[generator].first;
    uint32_t count = n->cells->cells[n->generators[generator].cell].count;
    int32_t *fresh = CNX_NEW_ARRAY(scratch, int32_t, count);
    for (uint32_t i = 0; i < count; i++) {
        if (n->decided[first + i] && !n->applied[first + i])
            fresh[i] = n->numbers[first + i];
        n->applied[first + i] = n->decided[first + i];
    }
    for (size_t i = 0; i < n->uses[generator].count; i++) {
        const use *u = &n->uses[generator].uses[i];
        cnx_apply_generator(n->analysis, n->scalings, u->parameter, u->axis, u->action, u->factor, fresh);
    }
    cnx_arena_destroy(scratch);
}

static void apply_generator(normalizer *n, uint32_t generator)
{
    apply_decided(n, generator);
    n->done[generator] = true;
}

/* Members that no anchor was found for. */
static void leave_open(normalizer *n, uint32_t generator)
{
    const cnx_generator *g = &n->generators[generator];
    for (uint32_t i = 0; i < n->cells->cells[g->cell].count; i++)
        n->open[g->first + i] = true;
}

/* Whether the factor can be solved for the generator's number. */
static bool is_anchor(const use *u)
{
    return u->factor == 1 || u->factor == -1;
}

/* Asks anchors in order. One that is not ready stops that; with `skip`, the next one that is ready is asked
 * instead, and only that one. Returns whether there was anything to do. */
static bool advance(normalizer *n, uint32_t generator, bool skip)
{
    const use_list *list = &n->uses[generator];
    bool asked = false;
    for (size_t i = 0; i < list->count && !all_decided(n, generator); i++) {
        use *u = &list->uses[i];
        if (u->asked)
            continue;
        if (is_anchor(u) && !is_ready(n, generator, u)) {
            if (!skip)
                return asked;
            continue;
        }
        if (skip && asked)
            return true;
        if (is_anchor(u) && ask_anchor(n, generator, u, NULL))
            apply_decided(n, generator);
        else if (!is_anchor(u))
            leave_open(n, generator);
        u->asked = asked = true;
    }
    for (size_t i = 0; i < list->count && skip && !all_decided(n, generator); i++)
        if (!list->uses[i].asked)
            return asked;
    apply_generator(n, generator);
    return true;
}

/* ---- all of them ---- */

static void add_use(normalizer *n, size_t p, uint32_t axis, const cnx_scaling_action *action)
{
    for (uint32_t t = 0; t < action->part_count; t++) {
        use_list *list = &n->uses[action->parts[t].generator];
        use u = {.parameter = p, .axis = axis, .action = action, .factor = action->parts[t].factor};
        CNX_PUSH(n->arena, list->uses, list->count, list->capacity, u);
    }
}

/* Uses by generator: those of vectors first. */
static void list_uses(normalizer *n)
{
    for (int vectors = 1; vectors >= 0; vectors--)
        for (size_t p = 0; p < n->analysis->parameter_count; p++) {
            const cnx_tensor *tensor = n->analysis->parameters[p].tensor;
            for (uint32_t k = 0, count; k < tensor->rank; k++) {
                const cnx_scaling_action *actions = cnx_scaling_actions(n->scalings, p, k, &count);
                bool vector = tensor->count == (uint64_t)tensor->dims[k];
                for (uint32_t i = 0; i < count && vector == (vectors == 1); i++)
                    if (actions[i].kind == n->kind)
                        add_use(n, p, k, &actions[i]);
            }
        }
}

static bool lives_in(const cnx_cells *cells, uint32_t class, uint32_t block)
{
    for (uint32_t home = cells->home[class]; home != CNX_NONE; home = cells->home[home])
        if (home == block)
            return true;
    return false;
}

/* Whether copies of the cell's members lie in blocks that can be exchanged, though the members do not live
 * there: rotary pairs, once in every head. */
static bool is_spread(const cnx_cells *cells, uint32_t cell)
{
    uint32_t class = cells->members[cells->cells[cell].first];
    for (uint32_t i = cells->copy_start[class]; i < cells->copy_start[class + 1]; i++) {
        uint32_t twin = cells->twin_of[cells->copies[i]];
        for (uint32_t e = cells->parent_start[twin]; e < cells->parent_start[twin + 1]; e++) {
            uint32_t block = cells->class_of[cells->parent_point[e]], family = cells->cell_of[block];
            if (family != CNX_NONE && cells->cells[family].count > 1 && !lives_in(cells, class, block))
                return true;
        }
    }
    return false;
}

/* Which of the copies in exchangeable blocks stands for the others would depend on their order: members of
 * such cells keep their signs and scales. */
static void keep_spread(normalizer *n)
{
    for (uint32_t g = 0; g < n->generator_count; g++)
        if (!n->done[g] && is_spread(n->cells, n->generators[g].cell)) {
            n->done[g] = true;
            n->spread += n->cells->cells[n->generators[g].cell].count;
        }
}

/* Half precision has no room for exponents: what touches it keeps its scales. */
static void keep_halves(normalizer *n)
{
    for (uint32_t g = 0; g < n->generator_count && n->kind == CNX_SCALE; g++)
        for (size_t i = 0; i < n->uses[g].count && !n->done[g]; i++)
            n->done[g] =
                n->analysis->parameters[n->uses[g].uses[i].parameter].tensor->type == CNX_TYPE_FLOAT16;
}

/* Asks what is left of an anchor when everything is left out whose factors are open. Returns whether that
 * decided something. A generator that got all of its numbers is applied. */
static bool ask_partly(normalizer *n, uint32_t generator)
{
    const use_list *list = &n->uses[generator];
    bool any = false;
    for (size_t i = 0; i < list->count && !any; i++) {
        if (!is_anchor(&list->uses[i]))
            continue;
        cnx_arena *scratch = cnx_arena_create(n->arena);
        any = ask_anchor(n, generator, &list->uses[i], open_positions(n, scratch, generator, &list->uses[i]));
        cnx_arena_destroy(scratch);
    }
    if (any)
        apply_decided(n, generator);
    n->done[generator] = all_decided(n, generator);
    return any;
}

typedef enum manner { IN_TURN, OUT_OF_TURN, PARTLY } manner;

/* One round over the generators that wait. Returns whether any got further; except in turn, only one does. */
static bool go_round(normalizer *n, uint32_t *waiting, uint32_t *count, manner how)
{
    uint32_t left = 0;
    bool moved = false;
    for (uint32_t i = 0; i < *count; i++) {
        if (how == PARTLY)
            moved = moved || ask_partly(n, waiting[i]);
        else if (how == IN_TURN || !moved)
            moved = advance(n, waiting[i], how == OUT_OF_TURN) || moved;
        if (!n->done[waiting[i]])
            waiting[left++] = waiting[i];
    }
    *count = left;
    return moved;
}

/* Rounds until nobody gets further; then one generator may skip an anchor that is not ready; if none can, one
 * asks what is ready of an anchor; if that says nothing either, the first of those that wait for each other
 * is taken as it is. */
static void advance_all(normalizer *n)
{
    uint32_t *waiting = CNX_NEW_ARRAY(n->arena, uint32_t, n->generator_count), count = 0;
    for (uint32_t g = 0; g < n->generator_count; g++)
        if (!n->done[g])
            waiting[count++] = g;
    while (count != 0) {
        if (go_round(n, waiting, &count, IN_TURN) || go_round(n, waiting, &count, OUT_OF_TURN) ||
            go_round(n, waiting, &count, PARTLY))
            continue;
        leave_open(n, waiting[0]);
        apply_generator(n, waiting[0]);
        memmove(waiting, waiting + 1, --count * sizeof *waiting);
    }
}

/* Sets all numbers. Returns how many members were left undecided, and how many are multiplied. */
static uint64_t normalize(normalizer *n, size_t *changed)
{
    uint64_t undecided = 0;
    uint32_t number_count;
    n->generators = cnx_scaling_generators(n->scalings, n->kind, &n->generator_count, &number_count);
    n->uses = CNX_NEW_ARRAY(n->arena, use_list, n->generator_count);
    n->done = CNX_NEW_ARRAY(n->arena, bool, n->generator_count);
    n->decided = CNX_NEW_ARRAY(n->arena, bool, number_count);
    n->applied = CNX_NEW_ARRAY(n->arena, bool, number_count);
    n->open = CNX_NEW_ARRAY(n->arena, bool, number_count);
    n->numbers = CNX_NEW_ARRAY(n->arena, int32_t, number_count);
    list_uses(n);
    keep_halves(n);
    keep_spread(n);
    advance_all(n);
    for (uint32_t i = 0; i < number_count; i++) {
        undecided += !n->decided[i] && n->open[i];
        *changed += n->numbers[i] != 0;
    }
    return undecided;
}

/* ---- the passes ---- */

/* Whether all that the scales act on has room for its bits now. */
static bool scales_are_exact(normalizer *n)
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

static void take_back(const normalizer *n)
{
    for (size_t p = 0; p < n->analysis->parameter_count; p++)
        n->analysis->parameters[p].tensor->permutation = NULL;
}

static normalizer begin(cnx_rewrite *rewrite, cnx_scaling_kind kind)
{
    cnx_analysis *analysis = cnx_rewrite_facts(rewrite);
    cnx_arena *arena = cnx_arena_create(rewrite->arena);
    return (normalizer){.arena = arena,
                        .analysis = analysis,
                        .scalings = cnx_rewrite_scalings(rewrite),
                        .cells = cnx_analysis_cells(analysis),
                        .kind = kind,
                        .lost = rewrite->lost,
                        .reading = {.arena = arena, .analysis = analysis},
                        .exponents = CNX_NEW_ARRAY(arena, cnx_exponents, analysis->parameter_count)};
}

static void note_spread(cnx_rewrite *rewrite, const normalizer *n, const char *what)
{
    if (n->spread != 0)
        cnx_rewrite_note(rewrite, "%s of %llu units with copies in exchangeable blocks are left as they are",
                         what, (unsigned long long)n->spread);
}

size_t cnx_normalize_scales(cnx_rewrite *rewrite)
{
    normalizer n = begin(rewrite, CNX_SCALE);
    size_t changed = 0;
    uint64_t undecided = normalize(&n, &changed);
    note_spread(rewrite, &n, "scales");
    if (undecided != 0 || !scales_are_exact(&n)) {
        take_back(&n);
        changed = 0;
        cnx_rewrite_note(rewrite, undecided != 0
                                      ? "scales are left as they are: some hang together in circles"
                                      : "scales are left as they are: not all weights have room for "
                                        "another exponent");
    }
    cnx_arena_destroy(n.arena);
    return changed;
}

size_t cnx_normalize_signs(cnx_rewrite *rewrite)
{
    cnx_model *model = rewrite->model;
    normalizer n = begin(rewrite, CNX_SIGN);
    size_t changed = 0;
    uint64_t undecided = normalize(&n, &changed);
    note_spread(rewrite, &n, "signs");
    if (undecided != 0 && model->not_canonical == NULL) {
        model->not_canonical =
            cnx_print(model->arena, "the signs of %llu units cannot be told from the opposite ones",
                      (unsigned long long)undecided);
        cnx_rewrite_note(rewrite, "not canonical: %s", model->not_canonical);
    }
    cnx_arena_destroy(n.arena);
    return changed;
}
