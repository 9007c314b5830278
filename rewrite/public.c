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

/* ---- the hash of a file ---- */

static cnx_code hash_path(const char *path, atomic_bool *lost, char digest[33], cnx_error *error)
{
    cnx_model *model;
    cnx_code code = cnx_model_open(path, &model, error);
    if (code != CNX_OK)
        return code;
    cnx_trap trap;
    if (CNX_ENTER(model->arena, trap, error) == CNX_OK) {
        canonicalize(model, NULL, lost);
        cnx_digest_of_model(model, digest);
    }
    code = cnx_leave(model->arena, &trap);
    cnx_model_close(model);
    return code;
}

/* Whether all weights have room for the exponents that the pass `scales` gives them is seen when they are
 * read to be hashed, and not before, since nearly always they have. If not, all of it was in vain. Standard
 * input cannot be read twice. */
cnx_code cnx_path_hash(const char *path, char digest[33], cnx_error *error)
{
    atomic_bool lost = false;
    if (strcmp(path, "-") != 0 && hash_path(path, &lost, digest, error) == CNX_OK && !lost)
        return CNX_OK;
    return hash_path(path, NULL, digest, error);
}
