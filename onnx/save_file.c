/* Saving to a path. Of two files the data gets its name first: a model is never there without its weights. */
#include "onnx/model.h"
#include "onnx/output.h"
#include "onnx/reader.h"
#include "onnx/source.h"

#include <inttypes.h>
#include <sys/stat.h>

static bool is_spoiled(const cnx_tensor_reader *reader)
{
    return reader != NULL && reader->spoiled != NULL && atomic_load(reader->spoiled);
}

static uint64_t write_one(cnx_model *model, const cnx_tensor_reader *reader, cnx_output *out)
{
    cnx_save(model, reader, cnx_output_sink(out));
    if (is_spoiled(reader))
        return 0;
    cnx_output_finish(out);
    return cnx_output_size(out);
}

/* Where a file of the source has the name of the data, and the model is not the one that is replaced, weights
 * that somebody still refers to would go. */
static void keep_source(cnx_arena *scratch, const cnx_model *model, const char *path, const char *data)
{
    struct stat old, source, target;
    if (stat(data, &old) != 0 || (stat(model->path, &source) == 0 && stat(path, &target) == 0 &&
                                  source.st_dev == target.st_dev && source.st_ino == target.st_ino))
        return;
    if (cnx_source_reads(model->source, old.st_dev, old.st_ino))
        cnx_fail(scratch, CNX_ERROR_FILE, NULL,
                 "cannot write: weights would go to \"%.200s\", which holds those of the input", data);
}

static uint64_t write_two(cnx_model *model, const cnx_tensor_reader *reader, cnx_output *out)
{
    cnx_arena *arena = cnx_output_sink(out)->arena;
    const char *data = cnx_print(arena, "%s.data", cnx_output_path(out)), *slash = strrchr(data, '/');
    keep_source(arena, model, cnx_output_path(out), data);
    cnx_output *beside = cnx_output_begin(arena, data);
    uint64_t size = cnx_save_in_two(model, reader, cnx_output_sink(out), slash == NULL ? data : slash + 1,
                                    cnx_output_sink(beside));
    if (cnx_output_size(out) > CNX_LARGEST_MESSAGE)
        cnx_fail(arena, CNX_ERROR_LIMIT, NULL,
                 "cannot write: without its initializers the model takes %" PRIu64
                 " bytes (expected less than 2 GiB)",
                 cnx_output_size(out));
    if (is_spoiled(reader))
        return 0;
    cnx_output_finish(beside);
    cnx_output_finish(out);
    return size;
}

uint64_t cnx_save_output(cnx_model *model, const cnx_tensor_reader *reader, cnx_output *out)
{
    return cnx_saved_size(model) > CNX_LARGEST_MESSAGE ? write_two(model, reader, out)
                                                       : write_one(model, reader, out);
}

typedef uint64_t writer(cnx_model *model, const cnx_tensor_reader *reader, cnx_output *out);

/* The trap of its own makes what is not finished go at once on failure, and not only with the model. */
static uint64_t save_by(writer *write, cnx_model *model, const cnx_tensor_reader *reader, const char *path)
{
    cnx_arena *scratch = cnx_arena_create(model->arena);
    volatile uint64_t size = 0;
    cnx_error error;
    cnx_trap trap;
    if (CNX_ENTER(scratch, trap, &error) == CNX_OK)
        size = write(model, reader, cnx_output_begin(scratch, path));
    cnx_code code = cnx_leave(scratch, &trap);
    cnx_arena_destroy(scratch);
    if (code != CNX_OK)
        cnx_fail(model->arena, code, error.place, "%s", error.message);
    return size;
}

uint64_t cnx_save_file(cnx_model *model, const cnx_tensor_reader *reader, const char *path)
{
    return save_by(cnx_save_output, model, reader, path);
}

uint64_t cnx_save_two_files(cnx_model *model, const cnx_tensor_reader *reader, const char *path)
{
    return save_by(write_two, model, reader, path);
}

cnx_code cnx_file_write(const char *path, const void *bytes, size_t size, cnx_error *error)
{
    cnx_arena *arena = cnx_arena_create(NULL);
    if (arena == NULL)
        return cnx_out_of_memory(error);
    cnx_trap trap;
    if (CNX_ENTER(arena, trap, error) == CNX_OK) {
        cnx_output *out = cnx_output_begin(arena, path);
        cnx_output_sink(out)->write(cnx_output_sink(out), bytes, size);
        cnx_output_finish(out);
    }
    cnx_code code = cnx_leave(arena, &trap);
    cnx_arena_destroy(arena);
    return code;
}
