#include "compare/pair_reader.h"

#include "onnx/element.h"
#include "onnx/mapping.h"
#include "rewrite/permute.h"

#include <math.h>

cnx_pair_reader cnx_pair_reader_open(cnx_comparison *c, const cnx_pair *pair,
                                     struct cnx_permutation *permutation, struct cnx_permutation *factors,
                                     cnx_arena *arena)
{
    size_t parts = cnx_type_kind_of(pair->a->type) == CNX_KIND_COMPLEX ? 2 : 1;
    cnx_tensor *wide = CNX_NEW(arena, cnx_tensor);
    *wide = *pair->b;
    wide->type = CNX_TYPE_DOUBLE;
    wide->permutation = factors;
    return (cnx_pair_reader){.c = c,
                             .pair = pair,
                             .permutation = permutation,
                             .factors = factors,
                             .wide = wide,
                             .a_bytes = cnx_alloc(arena, CNX_PAIR_BLOCK * (size_t)16),
                             .a = CNX_NEW_ARRAY(arena, double, CNX_PAIR_BLOCK *parts),
                             .b = CNX_NEW_ARRAY(arena, double, CNX_PAIR_BLOCK *parts),
                             .parts = parts};
}

void cnx_pair_read(cnx_pair_reader *r, uint64_t first, size_t count)
{
    cnx_tensor *a = r->pair->a, *b = r->pair->b;
    unsigned bits = cnx_type_bits(a->type);
    uint64_t from = first * bits / 8, end = ((first + count) * bits + 7) / 8;
    struct cnx_permutation *present = a->permutation;
    a->permutation = r->permutation;
    cnx_tensor_read(r->c->a->model, a, from, r->a_bytes, (size_t)(end - from));
    a->permutation = present;
    r->b_bytes = cnx_tensor_bytes(r->c->b->model, b) + from;
    uint64_t skipped = bits < 8 ? first % (8 / bits) : 0;
    cnx_elements_read(a->type, r->a_bytes, skipped, count, r->a);
    cnx_elements_read(a->type, r->b_bytes, skipped, count, r->b);
    if (r->factors != NULL)
        cnx_multiply_by_factors(r->wide, first * sizeof *r->b, (uint8_t *)r->b, count * sizeof *r->b);
}

static uint64_t count_numbers(const cnx_pair_reader *r, size_t count)
{
    uint64_t same = 0;
    for (size_t i = 0; i < count; i++)
        same += r->a[i] == r->b[i] && isfinite(r->a[i]) && signbit(r->a[i]) == signbit(r->b[i]) &&
                (r->b[i] == 0 || isnormal(r->b[i]));
    return count - same;
}

uint64_t cnx_pair_differing(const cnx_pair_reader *r, size_t count)
{
    unsigned bits = cnx_type_bits(r->pair->a->type);
    size_t width = bits / 8;
    uint64_t differing = 0;
    if (r->factors != NULL)
        return count_numbers(r, count);
    if (bits >= 8 && memcmp(r->a_bytes, r->b_bytes, count * width) == 0)
        return 0;
    for (size_t i = 0; i < count; i++)
        differing += bits < 8 ? r->a[i] != r->b[i] || signbit(r->a[i]) != signbit(r->b[i])
                              : memcmp(r->a_bytes + i * width, r->b_bytes + i * width, width) != 0;
    return differing;
}

void cnx_pair_release(const cnx_pair_reader *r, uint64_t first, size_t count)
{
    unsigned bits = cnx_type_bits(r->pair->a->type);
    if (cnx_tensor_is_view(r->c->b->model, r->pair->b))
        cnx_view_release(r->pair->b->bytes + first * bits / 8, count * (size_t)bits / 8);
    if (r->permutation == NULL && cnx_tensor_is_view(r->c->a->model, r->pair->a))
        cnx_view_release(r->pair->a->bytes + first * bits / 8, count * (size_t)bits / 8);
}

bool cnx_pair_is_equal(cnx_comparison *c, const cnx_pair *pair, struct cnx_permutation *permutation,
                       struct cnx_permutation *factors)
{
    cnx_arena *scratch = cnx_arena_create(c->arena);
    cnx_pair_reader r = cnx_pair_reader_open(c, pair, permutation, factors, scratch);
    bool same = true;
    for (uint64_t first = 0; first < pair->a->count && same; first += CNX_PAIR_BLOCK) {
        uint64_t left = pair->a->count - first;
        size_t count = left < CNX_PAIR_BLOCK ? (size_t)left : CNX_PAIR_BLOCK;
        cnx_pair_read(&r, first, count);
        same = cnx_pair_differing(&r, count) == 0;
    }
    cnx_arena_destroy(scratch);
    return same;
}
