#include "rewrite/metadata.h"
#include "rewrite/permute.h"
#include "rewrite/report.h"
#include "rewrite/trace.h"

static const cnx_canon_report *canonicalize(cnx_model *model, const cnx_canon_options *options)
{
    static const cnx_canon_options defaults = {0};
    if (options == NULL)
        options = &defaults;
    cnx_rewrite rewrite = {
        .model = model,
        .arena = cnx_arena_create(model->arena),
        .keep_metadata = options->keep_metadata,
        .keep_scales = options->keep_scales,
    };
    model->not_canonical = NULL;
    cnx_settle_permutations(model);
    cnx_report_begin(&rewrite);
    rewrite.trace = cnx_trace_begin(&rewrite, options->explain, options->name_map);
    cnx_rewrite_run(&rewrite, options->passes, options->with);
    cnx_model_lower(model);
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
        const cnx_canon_report *made = canonicalize(model, options);
        if (report != NULL)
            *report = made;
    }
    return cnx_leave(model->arena, &trap);
}
