#include "rewrite/search_internal.h"

#include "base/mix.h"
#include "rewrite/fingerprint_internal.h"
#include "rewrite/permute.h"
#include "rewrite/sort.h"

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
        state->prints->print[component->classes[i]] = print[i];
        cnx_set_token(state->prints, component->classes[i]);
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

void cnx_search_arrange(cnx_search_state *state, uint32_t *points)
{
    const cnx_cells *cells = state->prints->cells;
    for (size_t i = 0; i < state->component->cell_count; i++)
        cnx_sort_cell(state->prints, state->component->cells[i], state->image, state->order);
    memcpy(state->carried, state->image, cells->class_count * sizeof *state->carried);
    cnx_carry_classes(cells, state->carried);
    cnx_permute_points(cells, state->carried, points);
}

void cnx_search_match(cnx_search_state *state, const uint64_t *print)
{
    size_t point_count = state->prints->cells->points->point_count;
    uint32_t *back = state->moved; /* from places to points here; overwritten from the front, see below */
    cnx_search_arrange(state, state->points);
    cnx_search_save(state, state->kept);
    cnx_search_restore(state, print);
    cnx_search_arrange(state, state->target);
    cnx_search_restore(state, state->kept);
    for (uint32_t p = 0; p < point_count; p++)
        back[state->points[p]] = p;
    for (uint32_t p = 0; p < point_count; p++)
        state->target[p] = back[state->target[p]];
    state->moved_count = 0;
    for (uint32_t p = 0; p < point_count; p++)
        if (state->target[p] != p)
            state->moved[state->moved_count++] = p;
}

uint32_t cnx_search_image(const cnx_search_state *state, uint32_t class)
{
    const cnx_cells *cells = state->prints->cells;
    return cells->class_of[state->target[cells->copies[cells->copy_start[class]]]];
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
