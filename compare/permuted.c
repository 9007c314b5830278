#include "compare/permuted.h"

#include "compare/multiplied.h"
#include "compare/pair_reader.h"

void cnx_comparison_analyze(cnx_comparison *c)
{
    if (c->analysis != NULL)
        return;
    c->analysis = cnx_analyze(c->a->arena, c->a->model);
    c->position = CNX_NEW_ARRAY(c->arena, uint32_t, c->analysis->points->point_count);
    cnx_intern by_tensor;
    cnx_intern_init(&by_tensor, cnx_arena_create(c->arena));
    uint32_t *parameter = CNX_NEW_ARRAY(by_tensor.arena, uint32_t, c->analysis->parameter_count);
    for (size_t p = 0; p < c->analysis->parameter_count; p++) {
        const cnx_parameter *one = &c->analysis->parameters[p];
        size_t known = by_tensor.count;
        if (!one->again && cnx_intern_add(&by_tensor, &one->tensor, sizeof one->tensor) == known)
            parameter[known] = (uint32_t)p;
    }
    for (size_t i = 0; i < c->pair_count; i++) {
        uint32_t number = cnx_intern_find(&by_tensor, &c->pairs[i].a, sizeof c->pairs[i].a);
        c->pairs[i].parameter = number != CNX_NONE ? parameter[number] : CNX_NONE;
    }
    cnx_arena_destroy(by_tensor.arena);
}

struct cnx_permutation *cnx_pair_permutation(cnx_comparison *c, cnx_arena *arena, const cnx_pair *pair,
                                             const uint32_t *points)
{
    if (points == NULL || pair->parameter == CNX_NONE)
        return NULL;
    return cnx_permutation_of(arena, &c->analysis->parameters[pair->parameter], points, c->position);
}

const uint32_t *cnx_sequence_source(cnx_arena *arena, const cnx_sequence *sequence, const uint32_t *points,
                                    uint32_t *position)
{
    uint32_t *source = CNX_NEW_ARRAY(arena, uint32_t, sequence->count);
    for (uint32_t i = 0; i < sequence->count; i++)
        position[sequence->points[i]] = i;
    for (uint32_t i = 0; i < sequence->count; i++)
        source[position[points[sequence->points[i]]]] = i;
    return source;
}

bool cnx_proves_equality(cnx_comparison *c, const uint32_t *points, const cnx_numbers *numbers)
{
    cnx_arena *scratch = cnx_arena_create(c->arena);
    bool equal = true;
    for (size_t i = 0; i < c->pair_count && equal; i++) {
        const cnx_pair *pair = &c->pairs[i];
        struct cnx_permutation *moved = cnx_pair_permutation(c, scratch, pair, points);
        struct cnx_permutation *multiplied = cnx_pair_factors(c, scratch, pair, numbers);
        equal =
            moved == NULL && multiplied == NULL ? pair->same : cnx_pair_is_equal(c, pair, moved, multiplied);
    }
    cnx_arena_destroy(scratch);
    return equal;
}
