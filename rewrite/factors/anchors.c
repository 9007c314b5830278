#include "rewrite/factors/anchors.h"

#include "analyze/symmetry/cells.h"
#include "base/intern.h"
#include "base/mix.h"

#include <stdlib.h>

/* What was found of one axis. */
struct cnx_axis_pieces {
    const cnx_anchor_place *places; /* by position; NULL: nothing multiplies any of them */
    uint32_t count;
    uint32_t first_anchor;
    uint32_t anchor_count;
};

/* ---- where points occur ---- */

/* One round: what a relation says of a point is the colour of the other one, and the relation's number. */
static void colour_once(const cnx_points *points, const uint64_t *colours, uint64_t *next)
{
    memcpy(next, colours, points->point_count * sizeof *next);
    for (size_t r = 0; r < points->relation_count; r++) {
        const cnx_relation *relation = &points->relations[r];
        for (uint32_t i = 0; i < relation->from->count; i++) {
            uint32_t from = relation->from->points[i];
            uint32_t to = relation->to->points[i / (relation->middle * relation->inner) * relation->inner +
                                               i % relation->inner];
            next[from] += cnx_mix_pair(2 * r, colours[to]);
            next[to] += cnx_mix_pair(2 * r + 1, colours[from]);
        }
    }
}

/* From the sequences that list a point, and from the points related to it and to these. The halves of a table
 * of angles are told apart by what is cut out of the queries. */
const uint64_t *cnx_colour_points(cnx_arena *arena, const cnx_cells *cells)
{
    const cnx_points *points = cells->points;
    uint64_t *colours = CNX_NEW_ARRAY(arena, uint64_t, points->point_count);
    if (points->point_count == 0)
        return colours;
    cnx_arena *scratch = cnx_arena_create(arena);
    uint64_t *between = CNX_NEW_ARRAY(scratch, uint64_t, points->point_count);
    colour_once(points, cells->occurrence, between);
    colour_once(points, between, colours);
    cnx_arena_destroy(scratch);
    return colours;
}

/* ---- places ---- */

/* Positions are told apart by where they occur and by the actions on them, step by step, and numbered by
 * that. */

/* A step: of the position's occurrence, the first one; or of the number before and of an action. */
typedef struct step {
    uint64_t occurrence;
    uint32_t before; /* CNX_NONE: none */
    uint32_t action;
} step;

typedef struct places {
    uint32_t count;
    cnx_anchor_place *of; /* by position; `piece` is its number at first */
    cnx_intern steps;
} places;

static uint32_t take_step(places *p, step next)
{
    return cnx_intern_add(&p->steps, &next, sizeof next);
}

static step step_of(const places *p, uint32_t number)
{
    size_t size;
    step s;
    memcpy(&s, cnx_intern_bytes(&p->steps, number, &size), sizeof s);
    return s;
}

/* Adds action number `i` at all of its places. */
static void add_action(const cnx_anchors *a, places *p, cnx_arena *scratch, const cnx_labels *labels,
                       const cnx_scaling_action *action, uint32_t i, uint32_t axis)
{
    uint32_t count, before = CNX_NONE, after = CNX_NONE;
    const cnx_scaling_place *acts = cnx_scaling_places(scratch, a->scalings, action, axis, &count);
    for (uint32_t k = 0; k < count; k++) {
        cnx_anchor_place *place = &p->of[acts[k].position];
        if (place->piece == CNX_NONE) {
            uint64_t occurrence = a->colours[labels->sequence->points[acts[k].position]];
            place->piece = take_step(p, (step){occurrence, CNX_NONE, 0});
        }
        if (k == 0 || place->piece != before) {
            before = place->piece;
            after = take_step(p, (step){0, before, i});
        }
        *place = (cnx_anchor_place){after, acts[k].member};
    }
}

/* Numbers the positions of an axis; count is 0 when nothing multiplies any of them. Only the steps are in
 * `scratch`. */
static places number_positions(const cnx_anchors *a, cnx_arena *scratch, size_t parameter, uint32_t axis)
{
    const cnx_labels *labels = cnx_parameter_labels(&a->analysis->parameters[parameter], axis);
    places p = {0};
    uint32_t count;
    const cnx_scaling_action *actions = cnx_scaling_actions(a->scalings, parameter, axis, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (actions[i].kind != a->kind)
            continue;
        if (p.count == 0) {
            p.count = labels->sequence->count;
            p.of = CNX_NEW_ARRAY(a->arena, cnx_anchor_place, p.count);
            memset(p.of, 0xff, p.count * sizeof *p.of);
            cnx_intern_init(&p.steps, scratch);
        }
        add_action(a, &p, scratch, labels, &actions[i], i, axis);
    }
    return p;
}

const cnx_anchor_place *cnx_anchor_places(const cnx_anchors *a, size_t parameter, uint32_t axis,
                                          uint32_t *count)
{
    *count = a->axes[parameter][axis].count;
    return a->axes[parameter][axis].places;
}

uint32_t cnx_anchors_on_axis(const cnx_anchors *a, size_t parameter, uint32_t axis, uint32_t *first)
{
    *first = a->axes[parameter][axis].first_anchor;
    return a->axes[parameter][axis].anchor_count;
}

/* ---- sums ---- */

static int compare_terms(const void *a, const void *b)
{
    const cnx_term *x = a, *y = b;
    return (x->unknown > y->unknown) - (x->unknown < y->unknown);
}

/* Adds up terms of one generator and drops those that cancel. Returns how many are left. */
static uint32_t collect_terms(cnx_term *terms, uint32_t count, bool modulo_two)
{
    uint32_t kept = 0;
    if (count > 1)
        qsort(terms, count, sizeof *terms, compare_terms);
    for (uint32_t i = 0, end; i < count; i = end) {
        cnx_term sum = {terms[i].unknown, 0};
        for (end = i; end < count && terms[end].unknown == sum.unknown; end++)
            sum.factor += terms[end].factor;
        sum.factor = modulo_two ? sum.factor & 1 : sum.factor;
        if (sum.factor != 0)
            terms[kept++] = sum;
    }
    return kept;
}

/* The sum of the actions that led to a number, in generators; and the cell. */
static cnx_piece piece_of_number(const cnx_anchors *a, const places *p, size_t parameter, uint32_t axis,
                                 uint32_t number, uint32_t *cell, uint64_t *occurrence)
{
    cnx_piece piece = {.parameter = parameter, .axis = axis};
    size_t count = 0, capacity = 0;
    uint32_t action_count;
    const cnx_scaling_action *actions = cnx_scaling_actions(a->scalings, parameter, axis, &action_count);
    step s = step_of(p, number);
    *cell = CNX_NONE;
    for (; s.before != CNX_NONE; s = step_of(p, s.before)) {
        const cnx_scaling_action *action = &actions[s.action];
        *cell = action->cell;
        for (uint32_t t = 0; t < action->part_count; t++) {
            cnx_term term = {action->parts[t].generator, action->parts[t].factor};
            CNX_PUSH(a->arena, piece.terms, count, capacity, term);
        }
    }
    *occurrence = s.occurrence;
    piece.term_count = collect_terms(piece.terms, (uint32_t)count, a->kind == CNX_SIGN);
    return piece;
}

/* ---- the anchors of one axis ---- */

/* A piece while its anchor is looked for. */
typedef struct draft {
    uint64_t colour; /* of its cell */
    uint64_t occurrence;
    uint32_t first; /* position */
    uint32_t piece;
} draft;

static int compare_parts(const draft *x, const draft *y)
{
    if (x->colour != y->colour)
        return x->colour < y->colour ? -1 : 1;
    return (x->occurrence > y->occurrence) - (x->occurrence < y->occurrence);
}

static int compare_drafts(const void *a, const void *b)
{
    const draft *x = a, *y = b;
    int order = compare_parts(x, y);
    return order != 0 ? order : (x->first > y->first) - (x->first < y->first);
}

static int compare_first(const void *a, const void *b)
{
    const draft *const *x = a, *const *y = b;
    return ((*x)->first > (*y)->first) - ((*x)->first < (*y)->first);
}

/* Makes one anchor of drafts, which play the same part. */
static void add_anchor(cnx_anchors *a, size_t parameter, uint32_t axis, const draft *drafts, uint32_t count)
{
    uint32_t *pieces = CNX_NEW_ARRAY(a->arena, uint32_t, count);
    for (uint32_t i = 0; i < count; i++) {
        pieces[i] = drafts[i].piece;
        a->pieces[pieces[i]].anchor = (uint32_t)a->count;
    }
    cnx_anchor anchor = {.parameter = parameter, .axis = axis, .piece_count = count, .pieces = pieces};
    CNX_PUSH(a->arena, a->anchors, a->count, a->capacity, anchor);
}

/* Sorts the pieces of an axis into anchors, and these by the first position of all. */
static void sort_into_anchors(cnx_anchors *a, cnx_arena *scratch, size_t parameter, uint32_t axis,
                              draft *drafts, uint32_t count)
{
    const draft **parts = CNX_NEW_ARRAY(scratch, const draft *, count);
    uint32_t part_count = 0;
    qsort(drafts, count, sizeof *drafts, compare_drafts);
    for (uint32_t i = 0; i < count; i++)
        if (i == 0 || compare_parts(&drafts[i], &drafts[i - 1]) != 0)
            parts[part_count++] = &drafts[i];
    if (part_count > 1)
        qsort(parts, part_count, sizeof *parts, compare_first);
    a->axes[parameter][axis].first_anchor = (uint32_t)a->count;
    a->axes[parameter][axis].anchor_count = part_count;
    for (uint32_t i = 0; i < part_count; i++) {
        const draft *end = parts[i];
        while (end < drafts + count && compare_parts(end, parts[i]) == 0)
            end++;
        add_anchor(a, parameter, axis, parts[i], (uint32_t)(end - parts[i]));
    }
}

static void find_axis(cnx_anchors *a, size_t parameter, uint32_t axis)
{
    cnx_arena *scratch = cnx_arena_create(a->arena);
    places p = number_positions(a, scratch, parameter, axis);
    uint32_t numbers = (uint32_t)p.steps.count, count = 0;
    draft *drafts = CNX_NEW_ARRAY(scratch, draft, numbers);
    uint32_t *piece_of = CNX_NEW_ARRAY(scratch, uint32_t, numbers);
    uint32_t *draft_of = CNX_NEW_ARRAY(scratch, uint32_t, numbers);
    if (numbers != 0) {
        memset(piece_of, 0xff, numbers * sizeof *piece_of);
        memset(draft_of, 0xff, numbers * sizeof *draft_of);
    }
    for (uint32_t i = 0; i < p.count; i++) {
        uint32_t number = p.of[i].piece, cell;
        if (number == CNX_NONE || draft_of[number] != CNX_NONE)
            continue;
        uint64_t occurrence;
        cnx_piece piece = piece_of_number(a, &p, parameter, axis, number, &cell, &occurrence);
        draft_of[number] = 0;
        if (piece.term_count == 0)
            continue;
        piece_of[number] = (uint32_t)a->piece_count;
        drafts[count++] = (draft){a->cells->cells[cell].colour, occurrence, i, piece_of[number]};
        CNX_PUSH(a->arena, a->pieces, a->piece_count, a->piece_capacity, piece);
    }
    for (uint32_t i = 0; i < p.count; i++)
        if (p.of[i].piece != CNX_NONE)
            p.of[i].piece = piece_of[p.of[i].piece];
    a->axes[parameter][axis] = (struct cnx_axis_pieces){.places = p.of, .count = p.count};
    if (count != 0)
        sort_into_anchors(a, scratch, parameter, axis, drafts, count);
    cnx_arena_destroy(scratch);
}

/* A parameter, and how many elements it has. */
typedef struct sized {
    uint64_t count;
    size_t parameter;
} sized;

static int compare_sizes(const void *a, const void *b)
{
    const sized *x = a, *y = b;
    if (x->count != y->count)
        return x->count < y->count ? -1 : 1;
    return (x->parameter > y->parameter) - (x->parameter < y->parameter);
}

/* Finds the anchors of axes that have one element a position, in the order of parameters, or of the others:
 * small tensors first, so that large ones need not be read where small ones settle everything. */
static void find_axes(cnx_anchors *a, bool vectors)
{
    cnx_arena *scratch = cnx_arena_create(a->arena);
    size_t count = a->analysis->parameter_count;
    sized *order = CNX_NEW_ARRAY(scratch, sized, count);
    for (size_t p = 0; p < count; p++)
        order[p] = (sized){vectors ? 0 : a->analysis->parameters[p].tensor->count, p};
    if (count > 1)
        qsort(order, count, sizeof *order, compare_sizes);
    for (size_t i = 0; i < count; i++) {
        const cnx_tensor *tensor = a->analysis->parameters[order[i].parameter].tensor;
        for (uint32_t k = 0; k < tensor->rank; k++)
            if ((tensor->count == (uint64_t)tensor->dims[k]) == vectors)
                find_axis(a, order[i].parameter, k);
    }
    cnx_arena_destroy(scratch);
}

/* ---- components ---- */

static uint32_t find_root(uint32_t *parent, uint32_t i)
{
    while (parent[i] != i)
        i = parent[i] = parent[parent[i]];
    return i;
}

/* By generator: the smallest one that it hangs together with. */
static uint32_t *join_generators(const cnx_anchors *a, cnx_arena *scratch, uint32_t count)
{
    uint32_t *parent = CNX_NEW_ARRAY(scratch, uint32_t, count);
    for (uint32_t g = 0; g < count; g++)
        parent[g] = g;
    for (size_t i = 0; i < a->piece_count; i++)
        for (uint32_t t = 1; t < a->pieces[i].term_count; t++) {
            uint32_t x = find_root(parent, a->pieces[i].terms[0].unknown);
            uint32_t y = find_root(parent, a->pieces[i].terms[t].unknown);
            parent[x < y ? y : x] = x < y ? x : y;
        }
    for (uint32_t g = 0; g < count; g++)
        parent[g] = find_root(parent, g);
    return parent;
}

/* Makes components of the generators. place_of[g] is the generator's number in its component. */
static void list_components(cnx_anchors *a, cnx_arena *scratch, uint32_t *root, uint32_t count,
                            const cnx_generator *generators, uint32_t *place_of)
{
    uint32_t *sizes = CNX_NEW_ARRAY(scratch, uint32_t, count);
    uint32_t **lists = CNX_NEW_ARRAY(scratch, uint32_t *, count);
    a->components = CNX_NEW_ARRAY(a->arena, cnx_component, count);
    for (uint32_t g = 0; g < count; g++)
        place_of[g] = sizes[root[g]]++;
    for (uint32_t g = 0; g < count; g++) {
        if (root[g] == g) {
            lists[g] = CNX_NEW_ARRAY(a->arena, uint32_t, sizes[g]);
            cnx_component component = {
                .cell = generators[g].cell, .size = sizes[g], .generators = lists[g], .first = a->unit_count};
            a->unit_count += a->cells->cells[generators[g].cell].count;
            a->components[a->component_count++] = component;
        }
        lists[root[g]][place_of[g]] = g;
    }
    /* From here on: by generator, the number of its component. */
    for (uint32_t c = 0; c < a->component_count; c++)
        for (uint32_t i = 0; i < a->components[c].size; i++)
            root[a->components[c].generators[i]] = c;
}

static void find_components(cnx_anchors *a)
{
    uint32_t count, number_count;
    cnx_arena *scratch = cnx_arena_create(a->arena);
    const cnx_generator *generators = cnx_scaling_generators(a->scalings, a->kind, &count, &number_count);
    uint32_t *component_of = join_generators(a, scratch, count);
    uint32_t *place_of = CNX_NEW_ARRAY(scratch, uint32_t, count);
    list_components(a, scratch, component_of, count, generators, place_of);
    uint32_t **lists = CNX_NEW_ARRAY(scratch, uint32_t *, a->component_count);
    for (size_t i = 0; i < a->piece_count; i++) {
        cnx_piece *piece = &a->pieces[i];
        piece->component = component_of[piece->terms[0].unknown];
        a->components[piece->component].piece_count++;
        for (uint32_t t = 0; t < piece->term_count; t++)
            piece->terms[t].unknown = place_of[piece->terms[t].unknown];
    }
    for (uint32_t c = 0; c < a->component_count; c++) {
        a->components[c].pieces = lists[c] = CNX_NEW_ARRAY(a->arena, uint32_t, a->components[c].piece_count);
        a->components[c].piece_count = 0;
    }
    for (uint32_t i = 0; i < a->piece_count; i++) {
        cnx_component *component = &a->components[a->pieces[i].component];
        lists[a->pieces[i].component][component->piece_count++] = i;
    }
    cnx_arena_destroy(scratch);
}

cnx_anchors *cnx_find_anchors(cnx_arena *arena, cnx_analysis *analysis, const cnx_scalings *scalings,
                              const uint64_t *colours, cnx_scaling_kind kind)
{
    cnx_anchors *a = CNX_NEW(arena, cnx_anchors);
    *a = (cnx_anchors){.arena = arena,
                       .analysis = analysis,
                       .scalings = scalings,
                       .cells = cnx_analysis_cells(analysis),
                       .kind = kind,
                       .colours = colours};
    a->axes = CNX_NEW_ARRAY(arena, struct cnx_axis_pieces *, analysis->parameter_count);
    for (size_t p = 0; p < analysis->parameter_count; p++)
        a->axes[p] = CNX_NEW_ARRAY(arena, struct cnx_axis_pieces, analysis->parameters[p].tensor->rank);
    find_axes(a, true);
    find_axes(a, false);
    find_components(a);
    return a;
}
