/* The public functions that need nothing but a loaded model. */
#include "onnx/model.h"

#ifndef CANONNX_VERSION
#error "the build defines CANONNX_VERSION"
#endif

const char *cnx_version(void)
{
    return CANONNX_VERSION;
}

cnx_code cnx_model_open(const char *path, cnx_model **model, cnx_error *error)
{
    *model = NULL;
    cnx_arena *arena = cnx_arena_create(NULL);
    if (arena == NULL)
        return cnx_out_of_memory(error);
    cnx_trap trap;
    if (CNX_ENTER(arena, trap, error) == CNX_OK)
        *model = cnx_load(arena, path);
    cnx_code code = cnx_leave(arena, &trap);
    if (code != CNX_OK)
        cnx_arena_destroy(arena);
    return code;
}

void cnx_model_close(cnx_model *model)
{
    if (model != NULL)
        cnx_arena_destroy(model->arena);
}

size_t cnx_limit_list(const cnx_list_row **rows)
{
    static const cnx_list_row table[] = {
#define LIMIT(symbol, value, name, unit, summary) {name, #value " " unit, summary},
#include "proto/limits.def"
#undef LIMIT
    };
    *rows = table;
    return sizeof table / sizeof table[0];
}
