#include "rewrite/ordering/search_internal.h"

#include "base/mix.h"
#include "rewrite/ordering/fingerprint_internal.h"
#include "rewrite/ordering/sort.h"
#include "rewrite/permute.h"

void cnx_search_state_init(cnx_search_state *state, cnx_arena *arena, cnx_prints *prints,
                           cnx_weights_check *check)
{
    const cnx_cells *cells = prints->cells;
    size_t point_count = cells->points->point_count;
    *state = (cnx_search_state){.prints = prints, .check = check};
    state->local = CNX_NEW_ARRAY(arena, uint32_t, cells->class_count);
    state->image = CNX_NEW_ARRAY(arena, uint32_t, cells->class_count);
    state->carried = CNX_NEW_ARRAY(arena, uint32_t, cells->class_count);
    state->order = CNX_NEW_ARRAY(arena, uint32_t, cnx_largest_cell(cells));
    state->aligned = CNX_NEW_ARRAY(arena, uint32_t, cnx_largest_cell(cells));
    state->occupant = CNX_NEW_ARRAY(arena, uint32_t, cells->class_count);
    state->rank = CNX_NEW_ARRAY(arena, uint32_t, cells->class_count);
    state->kept = CNX_NEW_ARRAY(arena, uint64_t, cells->class_count);
    state->points = CNX_NEW_ARRAY(arena, uint32_t, point_count);
    state->target = CNX_NEW_ARRAY(arena, uint32_t, point_count);
    state->moved = CNX_NEW_ARRAY(arena, uint32_t, point_count);
    for (uint32_t c = 0; c < cells->class_count; c++)
        state->image[c] = c;
    for (uint32_t k = 0; k < cells->cell_count; k++)
        cnx_sort_cell(prints, k, state->image, state->order);
}

void cnx_search_save(const cnx_search_state *state, uint64_t *print)
{
    for (size_t i = 0; i < state->component->class_count; i++)
        print[i] = state->prints->print[state->component->classes[i]];
}

void cnx_search_restore(cnx_search_state *state, const uint64_t *print)
{
    const cnx_component *component = state->component;
    for (size_t i = 0; i < component->class_count; i++) {
        uint32_t class = component->classes[i];
        state->prints->print[class] = print[i];
        cnx_set_token(state->prints, class);
        state->prints->told[class] = state->prints->token[class]; /* what was saved was refined to the end */
    }
    for (size_t i = 0; i < component->cell_count; i++)
        cnx_set_stale(state->prints, component->cells[i]);
    cnx_mark_ties(state->prints);
}

void cnx_search_refine(cnx_search_state *state)
{
    const cnx_component *component = state->component;
    const cnx_cells *cells = state->prints->cells;
    cnx_refine(state->prints, component->faces, component->face_count);
    state->trace = 0;
    for (size_t i = 0; i < component->class_count; i++) {
        uint32_t class = component->classes[i];
        state->trace += cnx_mix_pair(state->prints->token[class], cells->cells[cells->cell_of[class]].colour);
    }
}

bool cnx_search_is_leaf(const cnx_search_state *state)
{
    for (size_t i = 0; i < state->component->class_count; i++)
        if (state->prints->tied[state->component->classes[i]])
            return false;
    return true;
}

/* The permutation of points that the order in `image` induces. */
static void carry(cnx_search_state *state, uint32_t *points)
{
    const cnx_cells *cells = state->prints->cells;
    memcpy(state->carried, state->image, cells->class_count * sizeof *state->carried);
    cnx_carry_classes(cells, state->carried);
    cnx_permute_points(cells, state->carried, points);
}

void cnx_search_arrange(cnx_search_state *state, uint32_t *points)
{
    for (size_t i = 0; i < state->component->cell_count; i++)
        cnx_sort_cell(state->prints, state->component->cells[i], state->image, state->order);
    carry(state, points);
}

uint32_t cnx_search_image(const cnx_search_state *state, uint32_t class)
{
    const cnx_cells *cells = state->prints->cells;
    return cells->class_of[state->target[cells->copies[cells->copy_start[class]]]];
}

/* Puts members order[from .. end) of a cell, a run that looks alike in the state at hand, into `aligned`:
 * those that the other state's order has in the same places of the cell keep their places there, the others
 * fill the gaps. Returns whether there was no choice: the others are of one unit. */
static bool align_run(const cnx_search_state *state, const cnx_cell *cell, uint32_t from, uint32_t end)
{
    const cnx_prints *prints = state->prints;
    const uint32_t *places = prints->cells->members + cell->first;
    const uint32_t *order = state->order;
    uint32_t *aligned = state->aligned, gap = from, unit = CNX_NONE;
    bool forced = true, comparable = true;
    for (uint32_t i = from; i < end; i++)
        comparable =
            comparable && state->kept[state->local[state->occupant[places[i]]]] == prints->print[order[i]];
    for (uint32_t i = from; i < end; i++) {
        aligned[i] = CNX_NONE;
        state->rank[state->occupant[places[i]]] = comparable ? i + 1 : 0;
    }
    for (uint32_t i = from; i < end; i++)
        if (state->rank[order[i]] != 0)
            aligned[state->rank[order[i]] - 1] = order[i];
    for (uint32_t i = from; i < end; i++) {
        if (state->rank[order[i]] != 0)
            continue;
        while (aligned[gap] != CNX_NONE)
            gap++;
        aligned[gap] = order[i];
        forced = forced && (unit == CNX_NONE || unit == prints->unit[order[i]]);
        unit = prints->unit[order[i]];
    }
    for (uint32_t i = from; i < end; i++)
        state->rank[state->occupant[places[i]]] = 0;
    return forced;
}

/* Orders a cell of the state at hand so that it differs as little as possible from the other one's order. */
static bool align_cell(cnx_search_state *state, uint32_t cell)
{
    const cnx_prints *prints = state->prints;
    const cnx_cell *c = &prints->cells->cells[cell];
    bool forced = true;
    cnx_sort_members(prints, cell, state->order);
    for (uint32_t i = 0, end; i < c->count; i = end) {
        end = i + 1;
        while (end < c->count && cnx_compare_prints(prints, state->order[i], state->order[end]) == 0)
            end++;
        forced = align_run(state, c, i, end) && forced;
    }
    for (uint32_t i = 0; i < c->count; i++)
        state->image[state->aligned[i]] = prints->cells->members[c->first + i];
    return forced;
}

static bool is_tied(const cnx_prints *prints, uint32_t cell)
{
    const cnx_cell *c = &prints->cells->cells[cell];
    for (uint32_t i = 0; i < c->count; i++)
        if (prints->tied[prints->cells->members[c->first + i]])
            return true;
    return false;
}

/* Whether the match moves a block with ties inside: what is inside then lies anyhow on what is inside
 * another. */
static bool moves_ties(const cnx_search_state *state)
{
    const cnx_cells *cells = state->prints->cells;
    for (size_t i = 0; i < state->component->cell_count; i++) {
        uint32_t cell = state->component->cells[i], home = cells->cells[cell].home;
        if (home != CNX_NONE && cnx_search_image(state, home) != home && is_tied(state->prints, cell))
            return true;
    }
    return false;
}

bool cnx_search_match(cnx_search_state *state, const uint64_t *print)
{
    const cnx_component *component = state->component;
    const cnx_cells *cells = state->prints->cells;
    size_t point_count = cells->points->point_count;
    uint32_t *back = state->moved; /* from places to points; its own contents come after it was used */
    bool forced = true;
    cnx_search_arrange(state, state->points);
    for (size_t i = 0; i < component->class_count; i++)
        state->occupant[state->image[component->classes[i]]] = component->classes[i];
    cnx_search_save(state, state->kept);
    cnx_search_restore(state, print);
    for (size_t i = 0; i < component->cell_count; i++)
        forced = align_cell(state, component->cells[i]) && forced;
    carry(state, state->target);
    cnx_search_restore(state, state->kept);
    for (uint32_t p = 0; p < point_count; p++)
        back[state->points[p]] = p;
    for (uint32_t p = 0; p < point_count; p++)
        state->target[p] = back[state->target[p]];
    state->moved_count = 0;
    for (uint32_t p = 0; p < point_count; p++)
        if (state->target[p] != p)
            state->moved[state->moved_count++] = p;
    return forced && !moves_ties(state);
}

enum { BLOCK = 1 << 16 };

/* Compares one tensor under two permutations, of which NULL is none. */
static int compare_tensor(cnx_model *model, cnx_tensor *tensor, struct cnx_permutation *a,
                          struct cnx_permutation *b, uint8_t *buffer)
{
    int order = 0;
    struct cnx_permutation *present = tensor->permutation;
    for (uint64_t offset = 0; offset < tensor->size && order == 0; offset += BLOCK) {
        size_t size = tensor->size - offset < BLOCK ? (size_t)(tensor->size - offset) : BLOCK;
        tensor->permutation = a;
        cnx_tensor_read(model, tensor, offset, buffer, size);
        tensor->permutation = b;
        cnx_tensor_read(model, tensor, offset, buffer + BLOCK, size);
        order = memcmp(buffer, buffer + BLOCK, size);
    }
    tensor->permutation = present;
    return order;
}

int cnx_search_compare(const cnx_search_state *state, const uint32_t *a, const uint32_t *b)
{
    cnx_analysis *analysis = state->prints->analysis;
    cnx_arena *scratch = cnx_arena_create(state->prints->arena);
    uint32_t *position = CNX_NEW_ARRAY(scratch, uint32_t, analysis->points->point_count);
    uint8_t *buffer = cnx_alloc(scratch, 2 * (size_t)BLOCK);
    int order = 0;
    for (size_t i = 0; i < state->component->parameter_count && order == 0; i++) {
        const cnx_parameter *parameter = &analysis->parameters[state->component->parameters[i]];
        struct cnx_permutation *left = cnx_permutation_of(scratch, parameter, a, position);
        struct cnx_permutation *right = cnx_permutation_of(scratch, parameter, b, position);
        if (left != NULL || right != NULL)
            order = compare_tensor(analysis->model, parameter->tensor, left, right, buffer);
        state->prints->bytes_read += parameter->tensor->size;
    }
    cnx_arena_destroy(scratch);
    return order;
}
