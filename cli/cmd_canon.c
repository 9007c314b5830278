/* canonnx canon: write the canonical member of a model's equivalence class. */
#include "canon_text.h"
#include "command.h"
#include "document.h"
#include "options.h"
#include "outcome.h"

#include <stdlib.h>
#include <string.h>

enum {
    KEY_OUTPUT = 'o',
    KEY_ALL = 'a',
    KEY_PASSES = 0x2000,
    KEY_KEEP_METADATA,
    KEY_EMBED_HASH,
    KEY_EXPLAIN,
    KEY_WITH,
    KEY_NAME_MAP
};

struct settings {
    const char *output;
    const char *name_map;
    bool all;
    cnx_canon_options canon;
};

static const struct argp_option options[] = {
    {.name = "output", .key = KEY_OUTPUT, .arg = "OUT", .doc = "File to write; may be the input itself"},
    {.name = "passes",
     .key = KEY_PASSES,
     .arg = "LIST",
     .doc = "Only these passes, separated by commas (canonnx list passes), or none (default: all)"},
    {.name = "with",
     .key = KEY_WITH,
     .arg = "LIST",
     .doc = "Also these opt-in passes, which round (canonnx list passes)"},
    {.name = "keep-metadata", .key = KEY_KEEP_METADATA, .doc = "Do not drop metadata"},
    {.name = "embed-hash",
     .key = KEY_EMBED_HASH,
     .doc = "Store the model's hash in its metadata, for canonnx hash --check"},
    {.name = "explain", .key = KEY_EXPLAIN, .doc = "Say what each pass did"},
    {.name = "all", .key = KEY_ALL, .doc = "With --explain: all of it, and passes that did nothing"},
    {.name = "name-map",
     .key = KEY_NAME_MAP,
     .arg = "MAP",
     .doc = "Write another file, JSON, that gives for every new name the old ones"},
    {0},
};

static const char *accept(int key, const char *value, void *settings_given)
{
    struct settings *settings = settings_given;
    switch (key) {
    case KEY_OUTPUT:
        settings->output = value;
        return options_check_output(value);
    case KEY_NAME_MAP:
        settings->name_map = value;
        settings->canon.name_map = true;
        return value[0] ? NULL : "expected the name of a file";
    case KEY_PASSES:
        settings->canon.passes = value;
        return NULL;
    case KEY_WITH:
        settings->canon.with = value;
        return NULL;
    case KEY_KEEP_METADATA:
        settings->canon.keep_metadata = true;
        return NULL;
    case KEY_EMBED_HASH:
        settings->canon.embed_hash = true;
        return NULL;
    case KEY_EXPLAIN:
        settings->canon.explain = true;
        return NULL;
    default:
        settings->all = true;
        return NULL;
    }
}

static const char *check(const void *settings_given)
{
    const struct settings *settings = settings_given;
    if (!settings->output)
        return "option -o is missing";
    if (settings->name_map && strcmp(settings->name_map, settings->output) == 0)
        return "the model and the map of names cannot be one file";
    return NULL;
}

/* The map of names, written as models are: never half of it. */
static int write_map(const char *model, const struct settings *settings, const cnx_canon_report *report)
{
    cnx_error error = {0};
    json_t *document = canon_name_map(model, settings->output, report);
    char *text = document_text(document);
    cnx_code code = cnx_file_write(settings->name_map, text, strlen(text), &error);
    free(text);
    return code == CNX_OK ? OUTCOME_SUCCESS : outcome_failure(settings->name_map, &error);
}

static int work(const struct request *request, const void *settings_given, cnx_model *model)
{
    const struct settings *settings = settings_given;
    const cnx_canon_report *report;
    cnx_error error = {0};
    uint64_t bytes;
    int outcome = OUTCOME_SUCCESS;
    if (cnx_canonicalize_to(model, &settings->canon, settings->output, &report, &bytes, &error) != CNX_OK)
        return error.code == CNX_ERROR_USAGE
                   ? outcome_usage("canon", "%s", error.message)
                   : outcome_failure(report ? settings->output : request->operands[0], &error);
    if (settings->name_map)
        outcome = write_map(request->operands[0], settings, report);
    if (request->json)
        document_print(canon_document(request->operands[0], settings->output, bytes, report));
    else if (!request->quiet)
        canon_print(request, settings->output, bytes, report, settings->all);
    return outcome;
}

int cmd_canon(const struct command *command, int argc, char **argv)
{
    struct settings settings = {0};
    const struct syntax syntax = {
        .options = options,
        .accept = accept,
        .check = check,
        .settings = &settings,
        .least_operands = 1,
        .most_operands = 1,
        .details =
            "OUT is written to a temporary file beside it and renamed, so it is never half a model, and it "
            "may be the input. --quiet prints nothing.",
    };
    return options_run(command, &syntax, argc, argv, work);
}
