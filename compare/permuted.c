#include "compare/permuted.h"

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

static bool same_under(cnx_comparison *c, const cnx_pair *pair, struct cnx_permutation *permutation)
{
    enum { BLOCK = 1 << 16 };
    uint8_t block[BLOCK];
    cnx_tensor *a = pair->a;
    const uint8_t *b = cnx_tensor_bytes(c->b->model, pair->b);
    struct cnx_permutation *present = a->permutation;
    bool same = true;
    a->permutation = permutation;
    for (uint64_t at = 0; at < a->size && same; at += BLOCK) {
        size_t size = a->size - at < BLOCK ? (size_t)(a->size - at) : BLOCK;
        cnx_tensor_read(c->a->model, a, at, block, size);
        same = memcmp(block, b + at, size) == 0;
    }
    a->permutation = present;
    return same;
}

bool cnx_proves_equality(cnx_comparison *c, const uint32_t *points)
{
    cnx_arena *scratch = cnx_arena_create(c->arena);
    bool equal = true;
    for (size_t i = 0; i < c->pair_count && equal; i++) {
        struct cnx_permutation *moved = cnx_pair_permutation(c, scratch, &c->pairs[i], points);
        equal = moved == NULL ? c->pairs[i].same : same_under(c, &c->pairs[i], moved);
    }
    cnx_arena_destroy(scratch);
    return equal;
}
