/* The digest of a model's weights: of which numbers it holds, wherever in the graph they are.
 *
 * Each parameter of the canonical form has a digest of its own, of type, dims and elements; they are sorted,
 * repetitions go, and what is left is digested. The canonical form has put the elements in order already, so
 * models of one class agree, and so do models whose graphs differ but hold the same tensors. */
#include "analyze/parameters.h"
#include "rewrite/digest/digest.h"

#include <stdlib.h>

typedef struct collector {
    cnx_model *model;
    cnx_arena *arena;
    cnx_digest *digest;
    size_t count, capacity;
    cnx_digest_value *tensors;
} collector;

static void collect(void *state, const cnx_tensor *tensor)
{
    collector *work = state;
    cnx_digest_reset(work->digest);
    cnx_digest_shape(work->digest, tensor);
    cnx_digest_elements(work->digest, work->model, cnx_tensor_of(work->model, tensor->proto));
    CNX_PUSH(work->arena, work->tensors, work->count, work->capacity, cnx_digest_get(work->digest));
}

static void hash_weights(cnx_model *model, char text[33])
{
    if (model->not_canonical != NULL)
        cnx_fail(model->arena, CNX_ERROR_NOT_CANONICAL, NULL, "the form is not canonical: %s",
                 model->not_canonical);
    collector work = {.model = model, .arena = cnx_arena_create(model->arena)};
    work.digest = cnx_digest_create(work.arena);
    cnx_parameters_visit(model, collect, &work);
    if (work.count > 1)
        qsort(work.tensors, work.count, sizeof *work.tensors, cnx_digest_compare);
    cnx_digest_reset(work.digest);
    cnx_digest_text(work.digest, "weights");
    for (size_t i = 0; i < work.count; i++)
        if (i == 0 || cnx_digest_compare(&work.tensors[i - 1], &work.tensors[i]) != 0)
            cnx_digest_add(work.digest, &work.tensors[i]);
    cnx_digest_print(work.digest, text);
    cnx_arena_destroy(work.arena);
}

cnx_code cnx_model_hash_weights(cnx_model *model, char digest[33], cnx_error *error)
{
    cnx_trap trap;
    if (CNX_ENTER(model->arena, trap, error) == CNX_OK)
        hash_weights(model, digest);
    return cnx_leave(model->arena, &trap);
}
