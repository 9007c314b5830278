/* The public functions of compare/: they enter both models, so that a failure in either comes back here. */
#include "compare/verdict.h"
#include "compare/witness.h"

#include "onnx/source.h"

#include <stdlib.h>

/* ---- the same bytes ---- */

/* A key that every reference to external data has. */
static bool may_need_more(cnx_view bytes)
{
    static const char key[] = "location";
    return memmem(bytes.bytes, bytes.size, key, sizeof key - 1) != NULL;
}

static bool same_views(cnx_view a, cnx_view b)
{
    enum { BLOCK = 1 << 22 };
    bool same = a.size == b.size;
    for (uint64_t at = 0; at < a.size && same; at += BLOCK) {
        size_t size = a.size - at < BLOCK ? (size_t)(a.size - at) : BLOCK;
        cnx_view_prefetch(a.bytes + at, size);
        cnx_view_prefetch(b.bytes + at, size);
        same = memcmp(a.bytes + at, b.bytes + at, size) == 0;
    }
    return same;
}

static bool same_folder(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        return false;
    char *left = realpath(a, NULL), *right = realpath(b, NULL);
    bool same = left != NULL && right != NULL && strcmp(left, right) == 0;
    free(left);
    free(right);
    return same;
}

static bool same_sources(cnx_arena *arena, const char *a, const char *b, const char **culprit)
{
    *culprit = a;
    const cnx_source *left = cnx_source_open(arena, a);
    *culprit = b;
    const cnx_source *right = cnx_source_open(arena, b);
    *culprit = a;
    if (!same_views(left->model, right->model))
        return false;
    return same_folder(left->folder, right->folder) || !may_need_more(left->model);
}

cnx_code cnx_same_bytes(const char *a, const char *b, bool *same, const char **culprit, cnx_error *error)
{
    *same = false;
    *culprit = a;
    if (strcmp(a, "-") == 0 || strcmp(b, "-") == 0)
        return CNX_OK;
    cnx_arena *arena = cnx_arena_create(NULL);
    if (arena == NULL)
        return cnx_out_of_memory(error);
    cnx_trap trap;
    if (CNX_ENTER(arena, trap, error) == CNX_OK)
        *same = same_sources(arena, a, b, culprit);
    cnx_code code = cnx_leave(arena, &trap);
    cnx_arena_destroy(arena);
    return code;
}

/* ---- two models ---- */

cnx_code cnx_diff_models(cnx_model *a, cnx_model *b, const cnx_diff_options *options, const cnx_diff **diff,
                         cnx_model **culprit, cnx_error *error)
{
    static const cnx_diff_options defaults = {0};
    cnx_trap of_a, of_b;
    *diff = NULL;
    *culprit = NULL;
    volatile bool inside_b = false;
    if (CNX_ENTER(a->arena, of_a, error) == CNX_OK) {
        inside_b = true;
        if (CNX_ENTER(b->arena, of_b, error) == CNX_OK)
            *diff = cnx_compare(a, b, options != NULL ? options : &defaults);
        else
            *culprit = b;
    } else {
        *culprit = a;
    }
    cnx_code code = CNX_OK;
    if (inside_b)
        code = cnx_leave(b->arena, &of_b);
    cnx_code code_a = cnx_leave(a->arena, &of_a);
    return code != CNX_OK ? code : code_a;
}

cnx_code cnx_apply_witness(cnx_model *model, const cnx_witness *witness, cnx_error *error)
{
    cnx_trap trap;
    if (CNX_ENTER(model->arena, trap, error) == CNX_OK)
        cnx_witness_apply(model, witness);
    return cnx_leave(model->arena, &trap);
}
