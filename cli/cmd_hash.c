/* canonnx hash: digests of models, printed and checked as sha256sum does. */
#include "command.h"
#include "digest_line.h"
#include "document.h"
#include "hash_check.h"
#include "options.h"
#include "outcome.h"

#include <stdint.h>
#include <stdio.h>

enum { KEY_STRUCTURE = 0x2000, KEY_WEIGHTS, KEY_CHECK = 'c' };

struct settings {
    bool structure;
    bool weights;
    bool check;
};

static const struct argp_option options[] = {
    {.name = "structure",
     .key = KEY_STRUCTURE,
     .doc = "Digest everything but the parameters: equal for a model and its fine-tuned copy"},
    {.name = "weights",
     .key = KEY_WEIGHTS,
     .doc = "Digest the parameters only, wherever in the graph they are"},
    {.name = "check",
     .key = KEY_CHECK,
     .doc = "Read digests and paths from the files (- is standard input), or from a model that canon "
            "--embed-hash "
            "wrote, and compare"},
    {0},
};

static const char *accept(int key, const char *value, void *settings_given)
{
    struct settings *settings = settings_given;
    (void)value;
    settings->structure = settings->structure || key == KEY_STRUCTURE;
    settings->weights = settings->weights || key == KEY_WEIGHTS;
    settings->check = settings->check || key == KEY_CHECK;
    return NULL;
}

static const char *check(const void *settings_given)
{
    const struct settings *settings = settings_given;
    return settings->structure && settings->weights ? "--structure and --weights exclude each other" : NULL;
}

/* Prints the digest of one model, or adds it to the array. Returns the outcome. */
static int hash_model(const struct request *request, enum digest_kind kind, const char *path, json_t *models)
{
    char digest[33];
    cnx_error error = {0};
    bool good = hash_digest(path, kind, digest, NULL, &error) == CNX_OK;
    if (request->json) {
        json_t *object = document_object();
        field_text(object, "path", path);
        field_text(object, "digest", good ? digest : NULL);
        field_value(object, "error", good ? json_null() : hash_error_value(&error));
        item_value(models, object);
    } else if (good && request->quiet) {
        puts(digest);
    } else if (good) {
        char before[DIGEST_LENGTH + 3];
        snprintf(before, sizeof before, "%s  ", digest);
        digest_line_print(stdout, before, path, "");
    }
    return good ? OUTCOME_SUCCESS : outcome_failure(path, &error);
}

static int work(const struct request *request, const struct settings *settings)
{
    static const char *const kinds[] = {
        [DIGEST_OF_FORM] = "form", [DIGEST_OF_STRUCTURE] = "structure", [DIGEST_OF_WEIGHTS] = "weights"};
    enum digest_kind kind = settings->structure ? DIGEST_OF_STRUCTURE
                            : settings->weights ? DIGEST_OF_WEIGHTS
                                                : DIGEST_OF_FORM;
    int outcome = OUTCOME_SUCCESS;
    json_t *items = document_array();
    for (size_t i = 0; i < request->operand_count; i++) {
        const char *operand = request->operands[i];
        int one = settings->check ? hash_check(request, kind, operand, items)
                                  : hash_model(request, kind, operand, items);
        outcome = one > outcome ? one : outcome;
    }
    if (request->json) {
        json_t *document = document_create(NULL);
        field_text(document, "kind", kinds[kind]);
        field_value(document, settings->check ? "checks" : "models", json_incref(items));
        document_print(document);
    }
    json_decref(items);
    return outcome;
}

int cmd_hash(const struct command *command, int argc, char **argv)
{
    struct settings settings = {0};
    const struct syntax syntax = {
        .options = options,
        .accept = accept,
        .check = check,
        .settings = &settings,
        .least_operands = 1,
        .most_operands = SIZE_MAX,
        .details = "Models with equal digests compute the same function and differ at most in names, order, "
                   "storage, "
                   "metadata, needless nodes and a permutation. One bad model does not stop the others. "
                   "--quiet prints "
                   "digests without paths, with --check only what failed; --check exits with 1 when a digest "
                   "differs.",
    };
    struct request request;
    if (options_parse(command, &syntax, argc, argv, &request))
        request.outcome = work(&request, &settings);
    options_release(&request);
    return request.outcome;
}
