/* Operands of a commutative operator may look alike to every hash that signs, scales and permutations leave
 * alone, and not be equal: V and V once more, where one was multiplied by what the other was divided by.
 * Their order means nothing if the form comes out the same with either. So that is tried.
 *
 * Exchanges of neighbours are enough. When the form is the same after an exchange, some element of the
 * class's group does what the exchange does; then products of exchanges are done by products of such
 * elements.
 */
#include "rewrite/trial.h"

#include "proto/limits.h"
#include "rewrite/digest/digest.h"
#include "rewrite/report.h"

/* The digest of the form with one tie's operands exchanged; false when that one is not canonical either. */
static bool digest_exchanged(const cnx_rewrite *rewrite, const cnx_canon_options *options, size_t tie,
                             char digest[33])
{
    cnx_model *again = cnx_load_again(rewrite->model);
    cnx_rewrite trial = {.model = again,
                         .arena = cnx_arena_create(again->arena),
                         .keep_metadata = rewrite->keep_metadata,
                         .keep_scales = rewrite->keep_scales,
                         .keep_copies = rewrite->keep_copies,
                         .lost = rewrite->lost,
                         .exchanged = tie + 1};
    cnx_report_begin(&trial);
    cnx_rewrite_run(&trial, options->passes, options->with);
    cnx_model_lower(again);
    bool canonical = again->not_canonical == NULL;
    if (canonical)
        cnx_digest_of_model(again, digest);
    cnx_arena_destroy(again->arena);
    return canonical;
}

static void refuse(cnx_rewrite *rewrite, const cnx_open_tie *tie)
{
    cnx_rewrite_refuse(rewrite, "inputs of %s look alike but cannot be exchanged", tie->place);
}

void cnx_try_exchanges(cnx_rewrite *rewrite, const cnx_canon_options *options)
{
    cnx_model *model = rewrite->model;
    char own[33], other[33];
    if (rewrite->open_count == 0 || model->not_canonical != NULL)
        return;
    if (rewrite->open_count > CNX_LIMIT_TIE_EXCHANGES) {
        refuse(rewrite, &rewrite->open[0]);
        return;
    }
    cnx_digest_of_model(model, own);
    for (size_t i = 0; i < rewrite->open_count && model->not_canonical == NULL; i++)
        if (!digest_exchanged(rewrite, options, rewrite->open[i].number, other) || strcmp(own, other) != 0)
            refuse(rewrite, &rewrite->open[i]);
}
