/* canonnx diff: whether two models are the same network, and what differs. */
#include "command.h"
#include "diff_report.h"
#include "document.h"
#include "options.h"
#include "outcome.h"
#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { KEY_ALL = 'a', KEY_WITNESS = 0x2000, KEY_STAT, KEY_TOLERANCE, KEY_AS_STORED };

static const struct argp_option options[] = {
    {.name = "stat", .key = KEY_STAT, .doc = "One line for each block that changed, with a bar"},
    {.name = "tolerance",
     .key = KEY_TOLERANCE,
     .arg = "X",
     .doc = "A tensor whose relative change is at most X counts as equal (default: 0, only equal bits do)"},
    {.name = "witness",
     .key = KEY_WITNESS,
     .arg = "FILE",
     .doc = "Write the symmetry that takes A's weights to B's, or nearest, as JSON (see canonnx apply)"},
    {.name = "as-stored",
     .key = KEY_AS_STORED,
     .doc = "Compare weights as they stand: look for no symmetry that brings them closer"},
    {.name = "all", .key = KEY_ALL, .doc = "Shorten nothing, and list tensors that are equal, too"},
    {0},
};

static const char *accept(int key, const char *value, void *settings_given)
{
    struct diff_settings *settings = settings_given;
    char *end;
    switch (key) {
    case KEY_STAT:
        settings->stat = true;
        return NULL;
    case KEY_ALL:
        settings->all = true;
        return NULL;
    case KEY_AS_STORED:
        settings->options.keep_place = true;
        return NULL;
    case KEY_WITNESS:
        settings->witness = value;
        return value[0] && strcmp(value, "-") != 0 ? NULL : "expected the name of a file";
    default:
        settings->options.tolerance = strtod(value, &end);
        bool good = end != value && *end == '\0' && isfinite(settings->options.tolerance) &&
                    settings->options.tolerance >= 0;
        return good ? NULL : "expected a number that is not negative";
    }
}

/* ---- the witness's file ---- */

static bool same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Written as models are: never half of it, and never over one of the models. */
static int write_witness(const struct request *request, const char *path, const cnx_witness *witness)
{
    cnx_error error = {0};
    if (same_file(path, request->operands[0]) || same_file(path, request->operands[1]))
        return outcome_usage("diff", "--witness=%s: it is one of the models", path);
    char *text = document_text(witness_document(request, witness));
    cnx_code code = cnx_file_write(path, text, strlen(text), &error);
    free(text);
    return code == CNX_OK ? OUTCOME_SUCCESS : outcome_failure(path, &error);
}

/* ---- the work ---- */

static int report(const struct request *request, const struct diff_settings *settings, const cnx_diff *diff)
{
    if (settings->witness) {
        int outcome = write_witness(request, settings->witness, diff ? diff->witness : NULL);
        if (outcome != OUTCOME_SUCCESS)
            return outcome;
    }
    if (request->json)
        document_print(diff_document(request, settings, diff));
    else
        diff_print(request, settings, diff);
    if (!diff || diff->verdict == CNX_VERDICT_EQUIVALENT || diff->verdict == CNX_VERDICT_TOLERATED)
        return OUTCOME_SUCCESS;
    return diff->verdict == CNX_VERDICT_UNDECIDED ? OUTCOME_TROUBLE : OUTCOME_DIFFERENT;
}

static int compare_opened(const struct request *request, const struct diff_settings *settings, cnx_model *a,
                          cnx_model *b)
{
    const cnx_diff *diff;
    cnx_model *culprit;
    cnx_error error = {0};
    if (cnx_diff_models(a, b, &settings->options, &diff, &culprit, &error) != CNX_OK)
        return outcome_failure(request->operands[culprit == b ? 1 : 0], &error);
    return report(request, settings, diff);
}

static int open_and_compare(const struct request *request, const struct diff_settings *settings)
{
    cnx_model *models[2] = {NULL, NULL};
    cnx_error error = {0};
    int outcome = OUTCOME_SUCCESS;
    for (size_t i = 0; i < 2 && outcome == OUTCOME_SUCCESS; i++)
        if (cnx_model_open(request->operands[i], &models[i], &error) != CNX_OK)
            outcome = outcome_failure(request->operands[i], &error);
    if (outcome == OUTCOME_SUCCESS)
        outcome = compare_opened(request, settings, models[0], models[1]);
    cnx_model_close(models[1]);
    cnx_model_close(models[0]);
    return outcome;
}

static int compare(const struct request *request, const struct diff_settings *settings)
{
    const char *a = request->operands[0], *b = request->operands[1], *culprit;
    bool same;
    cnx_error error = {0};
    if (strcmp(a, "-") == 0 && strcmp(b, "-") == 0)
        return outcome_usage("diff", "standard input can be only one of the models");
    if (cnx_same_bytes(a, b, &same, &culprit, &error) != CNX_OK)
        return outcome_failure(culprit, &error);
    return same ? report(request, settings, NULL) : open_and_compare(request, settings);
}

int cmd_diff(const struct command *command, int argc, char **argv)
{
    struct diff_settings settings = {0};
    struct request request;
    const struct syntax syntax = {
        .options = options,
        .accept = accept,
        .settings = &settings,
        .least_operands = 2,
        .most_operands = 2,
        .details =
            "The first line is the verdict: identical files; equivalent; same structure, other weights; "
            "different structure; or undecided. Exit status: 0 when the models are equivalent, 1 when they "
            "differ, 2 for trouble and when nothing was decided. --quiet prints the first line only.",
    };
    if (options_parse(command, &syntax, argc, argv, &request))
        request.outcome = compare(&request, &settings);
    options_release(&request);
    return request.outcome;
}
