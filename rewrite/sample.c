/* A uniformly random member of the permutation group: every cell is shuffled, cells inside blocks on their
 * own, then the blocks carry what is inside them. That is uniform over the wreath product. */
#include "base/mix.h"
#include "rewrite/permute.h"

/* A step of SplitMix64: the same numbers on every machine. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t drawn = cnx_mix(*state);
    *state += UINT64_C(0x9e3779b97f4a7c15);
    return drawn;
}

/* Uniform in [0, bound), by rejection. */
static uint32_t random_below(uint64_t *state, uint32_t bound)
{
    uint64_t limit = UINT64_MAX - UINT64_MAX % bound, x;
    do
        x = next_random(state);
    while (x >= limit);
    return (uint32_t)(x % bound);
}

static void shuffle_cell(const cnx_cells *cells, const cnx_cell *cell, uint64_t *state, uint32_t *image)
{
    const uint32_t *members = cells->members + cell->first;
    for (uint32_t i = 0; i < cell->count; i++)
        image[members[i]] = members[i];
    for (uint32_t i = cell->count; i > 1; i--) {
        uint32_t j = random_below(state, i);
        uint32_t swap = image[members[i - 1]];
        image[members[i - 1]] = image[members[j]];
        image[members[j]] = swap;
    }
}

static void sample(cnx_model *model, uint64_t seed)
{
    cnx_settle_permutations(model);
    cnx_analysis *analysis = cnx_analyze(model->arena, model);
    const cnx_cells *cells = cnx_analysis_cells(analysis);
    uint32_t *image = CNX_NEW_ARRAY(model->arena, uint32_t, cells->class_count);
    uint32_t *points = CNX_NEW_ARRAY(model->arena, uint32_t, analysis->points->point_count);
    for (uint32_t c = 0; c < cells->class_count; c++)
        image[c] = c;
    for (uint32_t k = 0; k < cells->cell_count; k++)
        shuffle_cell(cells, &cells->cells[k], &seed, image);
    cnx_carry_classes(cells, image);
    cnx_permute_points(cells, image, points);
    cnx_apply_permutation(analysis, points);
}

cnx_code cnx_sample(cnx_model *model, uint64_t seed, cnx_error *error)
{
    cnx_trap trap;
    if (CNX_ENTER(model->arena, trap, error) == CNX_OK)
        sample(model, seed);
    return cnx_leave(model->arena, &trap);
}
