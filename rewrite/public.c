#include "onnx/output.h"
#include "rewrite/digest/digest.h"
#include "rewrite/metadata.h"
#include "rewrite/permute.h"
#include "rewrite/report.h"
#include "rewrite/trace.h"
#include "rewrite/trial.h"

static const cnx_canon_report *canonicalize(cnx_model *model, const cnx_canon_options *options,
                                            atomic_bool *lost)
{
    static const cnx_canon_options defaults = {0};
    if (options == NULL)
        options = &defaults;
    cnx_rewrite rewrite = {
        .model = model,
        .arena = cnx_arena_create(model->arena),
        .keep_metadata = options->keep_metadata,
        .keep_scales = options->keep_scales,
        .keep_copies = options->keep_copies,
        .lost = lost,
    };
    model->not_canonical = NULL;
    cnx_settle_permutations(model);
    cnx_report_begin(&rewrite);
    rewrite.trace = cnx_trace_begin(&rewrite, options->explain, options->name_map);
    cnx_rewrite_run(&rewrite, options->passes, options->with);
    cnx_model_lower(model);
    cnx_try_exchanges(&rewrite, options);
    if (options->embed_hash)
        cnx_embed_hash(model);
    const cnx_canon_report *report = cnx_report_end(&rewrite);
    cnx_arena_destroy(rewrite.arena);
    return report;
}

cnx_code cnx_canonicalize(cnx_model *model, const cnx_canon_options *options, const cnx_canon_report **report,
                          cnx_error *error)
{
    if (report != NULL)
        *report = NULL;
    cnx_trap trap;
    if (CNX_ENTER(model->arena, trap, error) == CNX_OK) {
        const cnx_canon_report *made = canonicalize(model, options, NULL);
        if (report != NULL)
            *report = made;
    }
    return cnx_leave(model->arena, &trap);
}

/* ---- the form of a file, to be hashed or written ---- */

/* Whether all weights have room for the exponents that the pass `scales` gives them is seen when they are
 * read to be hashed or written, and not before, since nearly always they have. If not, all of it was in vain,
 * and is done once more, with a look at the weights first. */

/* What is made of a model. */
typedef struct product {
    const cnx_canon_options *options;
    const char *path; /* where its form is written; NULL: it is hashed */
    const cnx_canon_report *report;
    uint64_t bytes;
    char digest[33];
} product;

static void expect_tensors(cnx_output *output, const cnx_model *model)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < model->tensor_count; i++)
        bytes += model->tensors[i]->size;
    if (bytes < CNX_LARGEST_MESSAGE) /* else they will be written beside it */
        cnx_output_expect(output, bytes);
}

/* An output for which room is made while its contents are found out, which takes about as long. NULL where
 * there cannot be one: whose fault that is matters only when there is something to write. */
static cnx_output *begin_early(cnx_model *model, cnx_arena *scratch, const char *path)
{
    cnx_output *volatile output = NULL;
    cnx_trap trap;
    if (CNX_ENTER(scratch, trap, NULL) == CNX_OK) {
        output = cnx_output_begin(scratch, path);
        expect_tensors(output, model);
    }
    return cnx_leave(scratch, &trap) == CNX_OK ? output : NULL;
}

/* `lost` (NULL: nothing is taken on trust) tells whether the product is of no use. */
static void make(cnx_model *model, product *made, atomic_bool *lost)
{
    cnx_arena *scratch = cnx_arena_create(model->arena);
    cnx_trap trap;
    cnx_error error;
    cnx_tensor_reader reader = cnx_permuted_reader;
    reader.spoiled = lost;
    if (CNX_ENTER(scratch, trap, &error) == CNX_OK) {
        cnx_output *output = made->path != NULL ? begin_early(model, scratch, made->path) : NULL;
        made->report = canonicalize(model, made->options, lost);
        if (made->path == NULL)
            cnx_digest_of_model(model, made->digest);
        else
            made->bytes = cnx_save_output(model, &reader,
                                          output != NULL ? output : cnx_output_begin(scratch, made->path));
    }
    cnx_code code = cnx_leave(scratch, &trap);
    cnx_arena_destroy(scratch); /* and with it what is not finished */
    if (code != CNX_OK)
        cnx_fail(model->arena, code, error.place, "%s", error.message);
}

static cnx_code make_trusting(cnx_model *model, product *made, bool *spoiled, cnx_error *error)
{
    cnx_trap trap;
    atomic_bool *volatile lost = NULL;
    if (CNX_ENTER(model->arena, trap, error) == CNX_OK) {
        lost = CNX_NEW(model->arena, atomic_bool);
        make(model, made, lost);
    }
    *spoiled = lost != NULL && atomic_load(lost);
    return cnx_leave(model->arena, &trap);
}

static cnx_code make_looking(cnx_model *model, product *made, cnx_error *error)
{
    cnx_trap trap;
    made->report = NULL;
    if (CNX_ENTER(model->arena, trap, error) == CNX_OK)
        make(cnx_load_again(model), made, NULL);
    return cnx_leave(model->arena, &trap);
}

/* A form that is not canonical may be so because of what was taken on trust; a file that cannot be written
 * may not. */
static cnx_code make_product(cnx_model *model, product *made, cnx_error *error)
{
    bool spoiled;
    cnx_code code = make_trusting(model, made, &spoiled, error);
    if (spoiled || (code != CNX_OK && (made->report == NULL || made->path == NULL)))
        code = make_looking(model, made, error);
    return code;
}

cnx_code cnx_canonicalize_to(cnx_model *model, const cnx_canon_options *options, const char *path,
                             const cnx_canon_report **report, uint64_t *bytes_written, cnx_error *error)
{
    product made = {.options = options, .path = path};
    cnx_code code = make_product(model, &made, error);
    *report = made.report;
    *bytes_written = made.bytes;
    return code;
}

cnx_code cnx_path_hash(const char *path, char digest[33], cnx_error *error)
{
    cnx_model *model;
    cnx_code code = cnx_model_open(path, &model, error);
    if (code != CNX_OK)
        return code;
    product made = {0};
    code = make_product(model, &made, error);
    memcpy(digest, made.digest, sizeof made.digest);
    cnx_model_close(model);
    return code;
}
