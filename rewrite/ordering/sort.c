#include "rewrite/ordering/sort.h"

void cnx_sort_members(const cnx_prints *prints, uint32_t cell, uint32_t *sorted)
{
    const cnx_keyed *ranked = cnx_rank_members(prints, cell);
    for (uint32_t i = 0; i < prints->cells->cells[cell].count; i++)
        sorted[i] = ranked[i].item;
}

void cnx_sort_cell(const cnx_prints *prints, uint32_t cell, uint32_t *image, uint32_t *scratch)
{
    const cnx_cell *c = &prints->cells->cells[cell];
    cnx_sort_members(prints, cell, scratch);
    for (uint32_t i = 0; i < c->count; i++)
        image[scratch[i]] = prints->cells->members[c->first + i];
}

uint32_t cnx_largest_cell(const cnx_cells *cells)
{
    uint32_t largest = 0;
    for (uint32_t k = 0; k < cells->cell_count; k++)
        largest = cells->cells[k].count > largest ? cells->cells[k].count : largest;
    return largest;
}

cnx_sorting *cnx_sort_cells(cnx_arena *arena, cnx_analysis *analysis)
{
    cnx_sorting *s = CNX_NEW(arena, cnx_sorting);
    s->arena = arena;
    s->analysis = analysis;
    s->cells = cnx_analysis_cells(s->analysis);
    cnx_prints *prints = cnx_fingerprint(arena, s->analysis);
    s->prints = prints;
    s->ties = cnx_break_ties(arena, prints);
    s->image = CNX_NEW_ARRAY(arena, uint32_t, s->cells->class_count);
    s->points = CNX_NEW_ARRAY(arena, uint32_t, s->analysis->points->point_count);
    uint32_t *scratch = CNX_NEW_ARRAY(arena, uint32_t, cnx_largest_cell(s->cells));
    for (uint32_t c = 0; c < s->cells->class_count; c++)
        s->image[c] = c;
    for (uint32_t k = 0; k < s->cells->cell_count; k++)
        cnx_sort_cell(prints, k, s->image, scratch);
    cnx_carry_classes(s->cells, s->image);
    cnx_permute_points(s->cells, s->image, s->points);
    return s;
}
