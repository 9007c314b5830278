/* A random member of the group. Permutations: every cell is shuffled, cells inside blocks on their own, then
 * the blocks carry what is inside them, which is uniform over the wreath product. Signs: every free one is
 * drawn, which is uniform too. Scales and linear changes have no uniform distribution: exponents are drawn
 * from a small range, matrices are well conditioned. */
#include "rewrite/factors/exact_scales.h"
#include "rewrite/factors/linear.h"
#include "rewrite/factors/random.h"
#include "rewrite/factors/shift.h"
#include "rewrite/permute.h"

/* Exponents of two lie in [-LARGEST_EXPONENT, LARGEST_EXPONENT]. */
#define LARGEST_EXPONENT 3

static void shuffle_cell(const cnx_cells *cells, const cnx_cell *cell, uint64_t *state, uint32_t *image)
{
    const uint32_t *members = cells->members + cell->first;
    for (uint32_t i = 0; i < cell->count; i++)
        image[members[i]] = members[i];
    for (uint32_t i = cell->count; i > 1; i--) {
        uint32_t j = cnx_random_below(state, i);
        uint32_t swap = image[members[i - 1]];
        image[members[i - 1]] = image[members[j]];
        image[members[j]] = swap;
    }
}

static void permute(cnx_analysis *analysis, uint64_t *state)
{
    cnx_arena *arena = analysis->model->arena;
    const cnx_cells *cells = cnx_analysis_cells(analysis);
    uint32_t *image = CNX_NEW_ARRAY(arena, uint32_t, cells->class_count);
    uint32_t *points = CNX_NEW_ARRAY(arena, uint32_t, analysis->points->point_count);
    for (uint32_t c = 0; c < cells->class_count; c++)
        image[c] = c;
    for (uint32_t k = 0; k < cells->cell_count; k++)
        shuffle_cell(cells, &cells->cells[k], state, image);
    cnx_carry_classes(cells, image);
    cnx_permute_points(cells, image, points);
    cnx_apply_permutation(analysis, points);
}

static void multiply(cnx_analysis *analysis, const cnx_scalings *scalings, cnx_scaling_kind kind,
                     uint64_t *state)
{
    uint32_t generator_count, number_count;
    cnx_scaling_generators(scalings, kind, &generator_count, &number_count);
    int32_t *numbers = CNX_NEW_ARRAY(analysis->model->arena, int32_t, number_count);
    for (uint32_t i = 0; i < number_count; i++)
        numbers[i] = kind == CNX_SIGN
                         ? (int32_t)cnx_random_below(state, 2)
                         : (int32_t)cnx_random_below(state, 2 * LARGEST_EXPONENT + 1) - LARGEST_EXPONENT;
    if (kind == CNX_SCALE)
        cnx_apply_exact_scales(analysis, scalings, numbers);
    else
        cnx_apply_factors(analysis, scalings, kind, numbers);
}

static void sample(cnx_model *model, uint64_t seed, unsigned kinds)
{
    uint64_t state = seed;
    cnx_settle_permutations(model);
    cnx_analysis *analysis = cnx_analyze(model->arena, model);
    if ((kinds & CNX_SAMPLE_PERMUTE) != 0)
        permute(analysis, &state);
    if ((kinds & ~(unsigned)CNX_SAMPLE_PERMUTE) == 0)
        return;
    const cnx_scalings *scalings = cnx_find_scalings(model->arena, analysis);
    if ((kinds & CNX_SAMPLE_SIGN) != 0)
        multiply(analysis, scalings, CNX_SIGN, &state);
    if ((kinds & CNX_SAMPLE_SCALE) != 0)
        multiply(analysis, scalings, CNX_SCALE, &state);
    if ((kinds & CNX_SAMPLE_LINEAR) != 0) {
        cnx_mix_linear_cells(analysis, scalings, &state);
        cnx_draw_shifted_signs(analysis, &state);
    }
}

cnx_code cnx_sample(cnx_model *model, uint64_t seed, unsigned kinds, cnx_error *error)
{
    cnx_trap trap;
    if (CNX_ENTER(model->arena, trap, error) == CNX_OK)
        sample(model, seed, kinds);
    return cnx_leave(model->arena, &trap);
}
