/* Balancing: every number of every generator of scales is chosen such that, over all tensors,
 *
 *     mean over elements a of (a 2^e)^2 / 2 - e ln 2          e: the sum of the numbers that act on a
 *
 * sums up to as little as possible. It is what makes the elements most likely had they been drawn from a
 * normal distribution of variance one. The sum is convex in the numbers, so there is one least value,
 * whatever member of the orbit it is looked for from, in whatever order its channels are; and a little noise
 * changes it by little. Signs do not count. Tensors of zeros, which noise would change a lot, do not either.
 *
 * The numbers are not rounded. Where several generators act on a tensor only their sums are determined, so
 * two members of an orbit may find different ones, and rounded they would add up to different sums. And one
 * that is near a half would be rounded up in one model and down in the other.
 *
 * Cost: of every tensor the squares are summed up over axes along which it is not multiplied. What is left
 * are one or two axes. Then the numbers of one generator after the other are chosen, those of its members at
 * once, given all others: sums along one axis with the factors of the others. Where two axes of a tensor are
 * multiplied that is a pass over its squares. It goes on until nothing changes by much, or it has taken long:
 * numbers that are not quite settled are a start that is not quite as good. */
#include "compare/balance.h"

#include "compare/families.h"
#include "compare/multiplied.h"
#include "onnx/element.h"
#include "proto/limits.h"
#include "rewrite/permute.h"

#include <math.h>

enum { MOST_SWEEPS = 100, FARTHEST = 100 };

/* Numbers that may be held, and multiply-adds that may be spent. */
#define MOST_HELD ((uint64_t)1 << 28)
#define MOST_WORK 3e9

/* Numbers that change by less are settled. */
#define LITTLE 0.01

/* An axis that is left of a tensor. */
typedef struct axis {
    uint32_t extent;
    uint32_t count;    /* of positions in its sequence */
    uint32_t governor; /* an axis that is left, too, or CNX_NONE */
    uint32_t block;
    uint64_t elements; /* of the tensor, by position */
    double *exponent;  /* by position: the sum of its numbers; NULL: it is not multiplied */
    double *square;    /* 4^exponent */
    double *sum;       /* of the squares at the position, with the factors of all other axes ... */
    bool stale;        /* ... unless these have changed since */
} axis;

/* A tensor, summed up over axes along which it is not multiplied. */
typedef struct condensed {
    uint32_t axis_count;
    axis *axes;
    uint64_t count;
    float *size; /* square roots of the sums of squares */
} condensed;

/* A number that acts on a position of an axis. */
typedef struct action {
    uint32_t position;
    uint32_t member;
    int32_t factor;
} action;

/* What a generator does on one axis. */
typedef struct site {
    condensed *of;
    axis *at;
    size_t action_count, action_capacity;
    action *actions;
} site;

typedef struct sites {
    size_t count, capacity;
    site *items;
} sites;

typedef struct balancing {
    cnx_comparison *c;
    cnx_arena *arena;
    bool b;
    const cnx_scalings *scalings;
    const cnx_generator *generators;
    uint32_t generator_count, number_count;
    sites *sites; /* by generator */
    uint64_t held;
    double work;
    double *numbers;
} balancing;

/* ---- summing up ---- */

/* Adds the squares of the tensor's elements to sums[]; stride[] says, by axis, how far apart positions are
 * there: 0 where they are summed up. */
static void add_squares(cnx_model *model, cnx_tensor *tensor, const uint64_t *stride, double *sums)
{
    enum { BLOCK = 1 << 12 };
    double block[BLOCK];
    uint64_t at[CNX_LIMIT_TENSOR_RANK] = {0}, place = 0, width = cnx_type_bits(tensor->type) / 8, line = 1;
    const uint8_t *bytes = cnx_tensor_bytes(model, tensor);
    uint32_t last = tensor->rank; /* it and what follows makes a line, which is summed up or one axis */
    do
        line *= (uint64_t)tensor->dims[--last];
    while (last > 0 && stride[last] == 0 && stride[last - 1] == 0);
    for (uint64_t first = 0, count; first < tensor->count; first += count) {
        count = line - at[last] < BLOCK ? line - at[last] : BLOCK;
        cnx_elements_read(tensor->type, bytes + first * width, 0, (size_t)count, block);
        for (uint64_t i = 0; i < count; i++)
            sums[place + i * stride[last]] += isfinite(block[i]) ? block[i] * block[i] : 0;
        at[last] += count;
        place += count * stride[last];
        for (uint32_t k = last; k > 0 && at[k] == (k == last ? line : (uint64_t)tensor->dims[k]); k--) {
            place -= at[k] * stride[k];
            at[k] = 0;
            at[k - 1]++;
            place += stride[k - 1];
        }
    }
}

/* Chooses the axes that are left: multiplied ones, and those that govern them. number[] is by axis of the
 * tensor.
 */
static void keep_axes(const balancing *b, size_t parameter, condensed *made, uint32_t *number)
{
    const cnx_parameter *of = &b->c->analysis->parameters[parameter];
    uint32_t rank = of->tensor->rank, governor[CNX_LIMIT_TENSOR_RANK], block[CNX_LIMIT_TENSOR_RANK];
    bool kept[CNX_LIMIT_TENSOR_RANK] = {false}, multiplied[CNX_LIMIT_TENSOR_RANK] = {false};
    for (uint32_t k = 0; k < rank; k++) {
        multiplied[k] = cnx_find_governor(of, k, &governor[k], &block[k]) &&
                        cnx_is_multiplied(b->scalings, parameter, k, CNX_SCALE);
        kept[k] = kept[k] || multiplied[k];
        if (multiplied[k] && governor[k] != CNX_NONE)
            kept[governor[k]] = true;
    }
    made->axes = CNX_NEW_ARRAY(b->arena, axis, rank);
    for (uint32_t k = 0; k < rank; k++)
        number[k] = kept[k] ? made->axis_count++ : CNX_NONE;
    for (uint32_t k = 0; k < rank; k++) {
        if (!kept[k])
            continue;
        axis *one = &made->axes[number[k]];
        *one =
            (axis){.extent = (uint32_t)of->tensor->dims[k], .governor = CNX_NONE, .block = 1, .stale = true};
        if (!multiplied[k])
            continue;
        one->governor = governor[k] != CNX_NONE ? number[governor[k]] : CNX_NONE;
        one->block = block[k];
        one->count = cnx_parameter_labels(of, k)->sequence->count;
        one->elements = of->tensor->count / one->count;
        one->exponent = CNX_NEW_ARRAY(b->arena, double, one->count);
        one->square = CNX_NEW_ARRAY(b->arena, double, one->count);
        one->sum = CNX_NEW_ARRAY(b->arena, double, one->count);
        for (uint32_t i = 0; i < one->count; i++)
            one->square[i] = 1;
    }
}

static void list_actions(balancing *b, size_t parameter, uint32_t k, condensed *of, axis *at)
{
    cnx_arena *scratch = cnx_arena_create(b->arena);
    uint32_t action_count, place_count;
    const cnx_scaling_action *actions = cnx_scaling_actions(b->scalings, parameter, k, &action_count);
    for (uint32_t i = 0; i < action_count; i++) {
        const cnx_scaling_place *places =
            cnx_scaling_places(scratch, b->scalings, &actions[i], k, &place_count);
        for (uint32_t t = 0; t < actions[i].part_count && actions[i].kind == CNX_SCALE; t++) {
            sites *list = &b->sites[actions[i].parts[t].generator];
            if (list->count == 0 || list->items[list->count - 1].at != at)
                CNX_PUSH(b->arena, list->items, list->count, list->capacity, ((site){.of = of, .at = at}));
            site *here = &list->items[list->count - 1];
            for (uint32_t n = 0; n < place_count; n++) {
                action one = {places[n].position, places[n].member, actions[i].parts[t].factor};
                CNX_PUSH(b->arena, here->actions, here->action_count, here->action_capacity, one);
            }
        }
    }
    cnx_arena_destroy(scratch);
}

static void condense(balancing *b, const cnx_pair *pair)
{
    cnx_tensor *tensor = b->b ? pair->b : pair->a;
    condensed *made = CNX_NEW(b->arena, condensed);
    uint32_t number[CNX_LIMIT_TENSOR_RANK];
    uint64_t stride[CNX_LIMIT_TENSOR_RANK];
    keep_axes(b, pair->parameter, made, number);
    if (made->axis_count == 0)
        return;
    made->count = 1;
    for (uint32_t k = tensor->rank; k-- > 0;) {
        stride[k] = number[k] != CNX_NONE ? made->count : 0;
        made->count *= number[k] != CNX_NONE ? (uint64_t)tensor->dims[k] : 1;
    }
    b->held += made->count;
    if (b->held > MOST_HELD)
        return;
    cnx_arena *scratch = cnx_arena_create(b->arena);
    double *sums = CNX_NEW_ARRAY(scratch, double, made->count);
    add_squares(b->b ? b->c->b->model : b->c->a->model, tensor, stride, sums);
    made->size = CNX_NEW_ARRAY(b->arena, float, made->count);
    for (uint64_t i = 0; i < made->count; i++)
        made->size[i] = (float)sqrt(sums[i]);
    cnx_arena_destroy(scratch);
    for (uint32_t k = 0; k < tensor->rank; k++)
        if (number[k] != CNX_NONE && made->axes[number[k]].exponent != NULL)
            list_actions(b, pair->parameter, k, made, &made->axes[number[k]]);
}

/* ---- sums along an axis ---- */

/* The place in its sequence of where an axis is. */
static uint32_t position_of(const condensed *of, const uint32_t *at, uint32_t k)
{
    const axis *one = &of->axes[k];
    return at[k] + (one->governor != CNX_NONE ? at[one->governor] / one->block * one->extent : 0);
}

/* Elements of the last axis over which no other axis's place changes. */
static uint32_t run_of(const condensed *of)
{
    uint32_t last = of->axis_count - 1, run = of->axes[last].extent;
    for (uint32_t k = 0; k < last; k++)
        if (of->axes[k].governor == last)
            run = run == of->axes[last].extent || run == of->axes[k].block ? of->axes[k].block : 1;
    return run;
}

/* Adds a run of squares, with the factors of the last axis, to that axis or to one place of another one. */
static void add_run(const axis *last, uint32_t from, uint32_t count, double factor, const float *size,
                    double *each, double *all)
{
    const double *square = last->square != NULL ? last->square + from : NULL;
    double sum = 0;
    for (uint32_t i = 0; each != NULL && i < count; i++)
        each[from + i] += factor * (double)size[i] * (double)size[i];
    for (uint32_t i = 0; each == NULL && square != NULL && i < count; i++)
        sum += square[i] * (double)size[i] * (double)size[i];
    for (uint32_t i = 0; each == NULL && square == NULL && i < count; i++)
        sum += (double)size[i] * (double)size[i];
    if (each == NULL)
        *all += factor * sum;
}

static void sum_along(balancing *b, const condensed *of, axis *along)
{
    uint32_t at[CNX_LIMIT_TENSOR_RANK] = {0}, last = of->axis_count - 1, run = run_of(of);
    memset(along->sum, 0, along->count * sizeof *along->sum);
    for (uint64_t first = 0; first < of->count; first += run) {
        double factor = 1, *all = NULL;
        for (uint32_t k = 0; k < last; k++) {
            const axis *one = &of->axes[k];
            if (one->exponent == NULL)
                continue;
            uint32_t position = position_of(of, at, k);
            if (one == along)
                all = &along->sum[position];
            else
                factor *= one->square[position];
        }
        add_run(&of->axes[last], position_of(of, at, last), run, factor, of->size + first,
                all == NULL ? along->sum : NULL, all);
        at[last] += run;
        for (uint32_t k = last; k > 0 && at[k] == of->axes[k].extent; k--) {
            at[k] = 0;
            at[k - 1]++;
        }
    }
    along->stale = false;
    b->work += (double)of->count;
}

/* ---- choosing ---- */

enum { LARGEST_FACTOR = 4 };

/* Of a member: its squares, by the factor with which the number acts on them, and the sum of these factors.
 */
typedef struct pull {
    double squares[2 * LARGEST_FACTOR + 1];
    double factors;
} pull;

static double slope(const pull *of, double change)
{
    double sum = -of->factors;
    for (int f = -LARGEST_FACTOR; f <= LARGEST_FACTOR; f++)
        if (of->squares[f + LARGEST_FACTOR] != 0)
            sum += f * of->squares[f + LARGEST_FACTOR] * exp2(2 * f * change);
    return sum;
}

/* The change after which the slope is zero. It rises all the way. */
static double best_change(const pull *of)
{
    enum { STEPS = 24 };
    double least = -8, most = 8;
    for (unsigned i = 0; i < STEPS; i++) {
        double middle = (least + most) / 2;
        if (slope(of, middle) < 0)
            least = middle;
        else
            most = middle;
    }
    return (least + most) / 2;
}

static bool has_squares(const pull *of)
{
    for (unsigned i = 0; i <= 2 * LARGEST_FACTOR; i++)
        if (of->squares[i] > 0 && i != LARGEST_FACTOR)
            return true;
    return false;
}

/* Adds what an axis says about a generator; false when a factor is beyond what is followed. */
static bool add_pulls(balancing *b, site *here, pull *pulls)
{
    double weight = 1 / ((double)here->at->elements * here->at->count);
    if (here->at->stale)
        sum_along(b, here->of, here->at);
    for (size_t i = 0; i < here->action_count; i++) {
        const action *one = &here->actions[i];
        if (one->factor > LARGEST_FACTOR || one->factor < -LARGEST_FACTOR)
            return false;
        pulls[one->member].squares[one->factor + LARGEST_FACTOR] +=
            weight * here->at->sum[one->position] * here->at->square[one->position];
        pulls[one->member].factors += weight * one->factor * (double)here->at->elements;
    }
    return true;
}

static void apply_changes(const site *here, const double *changes)
{
    for (size_t i = 0; i < here->action_count; i++) {
        const action *one = &here->actions[i];
        here->at->exponent[one->position] += one->factor * changes[one->member];
        here->at->square[one->position] = exp2(2 * here->at->exponent[one->position]);
    }
    for (uint32_t k = 0; k < here->of->axis_count; k++)
        here->of->axes[k].stale = here->of->axes[k].stale || &here->of->axes[k] != here->at;
}

/* Chooses the numbers of one generator. Returns the largest change. */
static double settle(balancing *b, uint32_t generator)
{
    cnx_arena *scratch = cnx_arena_create(b->arena);
    const sites *list = &b->sites[generator];
    double *numbers = b->numbers + b->generators[generator].first, largest = 0;
    uint32_t members = cnx_analysis_cells(b->c->analysis)->cells[b->generators[generator].cell].count;
    pull *pulls = CNX_NEW_ARRAY(scratch, pull, members);
    double *changes = CNX_NEW_ARRAY(scratch, double, members);
    bool followed = true;
    for (size_t i = 0; i < list->count && followed; i++)
        followed = add_pulls(b, &list->items[i], pulls);
    for (uint32_t i = 0; i < members && followed; i++) {
        double change = has_squares(&pulls[i]) ? best_change(&pulls[i]) : 0;
        if (fabs(numbers[i] + change) > FARTHEST)
            continue;
        changes[i] = change;
        numbers[i] += change;
        largest = fmax(largest, fabs(change));
    }
    for (size_t i = 0; i < list->count && largest > 0; i++)
        apply_changes(&list->items[i], changes);
    cnx_arena_destroy(scratch);
    return largest;
}

/* Whether the elements of a tensor are all zero: no factor changes that. */
static bool is_zero(cnx_model *model, cnx_tensor *tensor)
{
    enum { BLOCK = 1 << 8 };
    double block[BLOCK];
    uint64_t width = cnx_type_bits(tensor->type) / 8;
    const uint8_t *bytes = cnx_tensor_bytes(model, tensor);
    for (uint64_t first = 0; first < tensor->count; first += BLOCK) {
        size_t count = tensor->count - first < BLOCK ? (size_t)(tensor->count - first) : BLOCK;
        cnx_elements_read(tensor->type, bytes + first * width, 0, count, block);
        for (size_t i = 0; i < count; i++)
            if (block[i] != 0)
                return false;
    }
    return true;
}

/* Whether both tensors of a pair have a size to compare: a bias that was zero before training has none. */
static bool has_size(const cnx_comparison *c, const cnx_pair *pair)
{
    return cnx_is_evidence(c, pair) && !is_zero(c->a->model, pair->a) && !is_zero(c->b->model, pair->b);
}

/* The exponents of two, by number, that balance a side; all zero when it is too large to be held. */
static double *balance_side(cnx_comparison *c, cnx_arena *arena, bool of_b)
{
    cnx_arena *scratch = cnx_arena_create(arena);
    balancing b = {.c = c, .arena = scratch, .b = of_b, .scalings = cnx_comparison_scalings(c)};
    b.generators = cnx_scaling_generators(b.scalings, CNX_SCALE, &b.generator_count, &b.number_count);
    b.sites = CNX_NEW_ARRAY(scratch, sites, b.generator_count);
    b.numbers = CNX_NEW_ARRAY(arena, double, b.number_count);
    for (size_t i = 0; i < c->pair_count && b.generator_count != 0 && b.held <= MOST_HELD; i++)
        if (has_size(c, &c->pairs[i]))
            condense(&b, &c->pairs[i]);
    for (unsigned sweep = 0; b.held <= MOST_HELD && sweep < MOST_SWEEPS && b.work < MOST_WORK; sweep++) {
        double largest = 0;
        for (uint32_t g = 0; g < b.generator_count;
             g++) /* there and back: what is far away is heard sooner */
            largest = fmax(largest, settle(&b, sweep % 2 == 0 ? g : b.generator_count - 1 - g));
        if (largest < LITTLE)
            break;
    }
    cnx_arena_destroy(scratch);
    return b.numbers;
}

/* ---- both sides ---- */

struct cnx_balance {
    cnx_comparison *c;
    uint32_t count;
    double *a; /* exponents, by number */
    double *b;
};

/* What a tensor is multiplied by; NULL when that is nothing. */
static struct cnx_permutation *factors_of(cnx_comparison *c, cnx_arena *arena, const cnx_pair *pair,
                                          const double *numbers)
{
    const cnx_parameter *of = &c->analysis->parameters[pair->parameter];
    cnx_axis_factors *made = CNX_NEW_ARRAY(arena, cnx_axis_factors, of->tensor->rank);
    bool any = false;
    for (uint32_t k = 0; k < of->tensor->rank; k++) {
        const cnx_labels *labels = cnx_parameter_labels(of, k);
        if (labels == NULL || !cnx_is_multiplied(cnx_comparison_scalings(c), pair->parameter, k, CNX_SCALE) ||
            !cnx_find_governor(of, k, &made[k].governor, &made[k].block))
            continue;
        const cnx_position_sum *sums =
            cnx_axis_sums(arena, c->analysis, cnx_comparison_scalings(c), pair->parameter, k, CNX_SCALE);
        made[k].factor = CNX_NEW_ARRAY(arena, double, labels->sequence->count);
        for (uint32_t i = 0; i < labels->sequence->count; i++) {
            double sum = 0;
            for (size_t t = 0; t < sums[i].count; t++)
                sum += sums[i].terms[t].factor * numbers[sums[i].terms[t].unknown - 1];
            made[k].factor[i] = exp2(sum);
        }
        cnx_prepare_factors(arena, &made[k], labels->sequence->count);
        any = true;
    }
    return any ? cnx_permutation_with_factors(arena, of->tensor, made) : NULL;
}

cnx_balance *cnx_balance_begin(cnx_comparison *c, cnx_arena *arena)
{
    cnx_balance *made = CNX_NEW(arena, cnx_balance);
    uint32_t generators;
    *made = (cnx_balance){.c = c, .a = balance_side(c, arena, false), .b = balance_side(c, arena, true)};
    cnx_scaling_generators(cnx_comparison_scalings(c), CNX_SCALE, &generators, &made->count);
    for (size_t i = 0; i < c->pair_count; i++)
        if (cnx_is_evidence(c, &c->pairs[i])) {
            c->pairs[i].a->permutation = factors_of(c, arena, &c->pairs[i], made->a);
            c->pairs[i].b->permutation = factors_of(c, arena, &c->pairs[i], made->b);
        }
    return made;
}

void cnx_balance_end(cnx_balance *balance, const uint32_t *image, cnx_numbers *numbers)
{
    cnx_comparison *c = balance->c;
    cnx_arena *scratch = cnx_arena_create(c->arena);
    const cnx_multipliers *multipliers = cnx_multipliers_create(c, scratch, CNX_SCALE);
    const cnx_cells *cells = cnx_analysis_cells(c->analysis);
    for (size_t i = 0; i < c->pair_count; i++)
        if (cnx_is_evidence(c, &c->pairs[i]))
            c->pairs[i].a->permutation = c->pairs[i].b->permutation = NULL;
    memset(numbers->exponents, 0, balance->count * sizeof *numbers->exponents);
    for (uint32_t class = 0; class < cells->class_count; class ++) {
        uint32_t cell = cells->cell_of[class];
        uint32_t count = cell != CNX_NONE ? cnx_multiplier_count(multipliers, CNX_SCALE, cell) : 0;
        for (uint32_t g = 0; g < count; g++) {
            uint32_t from = cnx_multiplier_number(multipliers, CNX_SCALE, class, g);
            uint32_t to = cnx_multiplier_number(multipliers, CNX_SCALE, image[class], g);
            numbers->exponents[to] = (int32_t)lrint(balance->b[to] - balance->a[from]);
        }
    }
    cnx_arena_destroy(scratch);
}
