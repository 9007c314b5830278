#include "onnx/load.h"

#include "onnx/source.h"

const char *cnx_domain_name(const char *domain)
{
    return domain == NULL || strcmp(domain, "ai.onnx") == 0 ? "" : domain;
}

static void parse(cnx_model *model)
{
    cnx_arena *scratch = cnx_arena_create(model->arena);
    const cnx_view *bytes = &model->source->model;
    cnx_lifted lifted;
    cnx_wire_lift(model->arena, scratch, bytes->bytes, bytes->size, &lifted);
    model->payloads = lifted.payloads;
    model->payload_count = lifted.payload_count;
    model->payload_capacity = lifted.payload_capacity;
    model->proto = cnx_wire_unpack(model->arena, lifted.skeleton, lifted.skeleton_size);
    cnx_arena_destroy(scratch);
    if (model->proto->graph == NULL)
        cnx_fail(model->arena, CNX_ERROR_FORMAT, NULL, "the file holds no graph (expected an ONNX model)");
}

static cnx_model *load_from(cnx_arena *arena, const char *path, cnx_source *source)
{
    cnx_model *model = CNX_NEW(arena, cnx_model);
    model->arena = arena;
    model->path = cnx_copy_text(arena, path);
    model->source = source;
    model->folder = model->source->folder;
    model->file_size = model->source->model.size;
    parse(model);
    cnx_tensors_collect(model);
    cnx_graphs_build(model);
    cnx_functions_link(model);
    return model;
}

cnx_model *cnx_load(cnx_arena *arena, const char *path)
{
    return load_from(arena, path, cnx_source_open(arena, path));
}

cnx_model *cnx_load_again(const cnx_model *model)
{
    return load_from(cnx_arena_create(model->arena), model->path, model->source);
}
