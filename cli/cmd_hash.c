/* canonnx hash: digests of canonical forms, printed as sha256sum prints its own. */
#include "command.h"
#include "document.h"
#include "options.h"
#include "outcome.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static cnx_code hash_model(const char *path, char digest[33], cnx_error *error)
{
    static const cnx_canon_options everything = {0};
    const cnx_canon_report *report;
    cnx_model *model;
    cnx_code code = cnx_model_open(path, &model, error);
    if (code == CNX_OK)
        code = cnx_canonicalize(model, &everything, &report, error);
    if (code == CNX_OK)
        code = cnx_model_hash(model, digest, error);
    cnx_model_close(model);
    return code;
}

/* A name with a newline or backslash is escaped, and the line starts with a backslash to tell. */
static void print_line(const char *digest, const char *path)
{
    bool escape = strpbrk(path, "\\\n\r") != NULL;
    printf("%s%s  ", escape ? "\\" : "", digest);
    for (const char *c = path; *c; c++) {
        if (*c == '\\')
            fputs("\\\\", stdout);
        else if (*c == '\n')
            fputs("\\n", stdout);
        else if (*c == '\r')
            fputs("\\r", stdout);
        else
            putchar(*c);
    }
    putchar('\n');
}

static json_t *error_value(const cnx_error *error)
{
    json_t *object = document_object();
    field_text(object, "place", error->place);
    field_text(object, "message", error->message);
    return object;
}

static void add_model(json_t *models, const char *path, const char *digest, const cnx_error *error)
{
    json_t *object = document_object();
    field_text(object, "path", path);
    field_text(object, "digest", digest);
    field_value(object, "error", digest ? json_null() : error_value(error));
    item_value(models, object);
}

int cmd_hash(const struct command *command, int argc, char **argv)
{
    const struct syntax syntax = {
        .least_operands = 1,
        .most_operands = SIZE_MAX,
        .details =
            "Models with equal digests compute the same function and differ at most in names, order, "
            "storage, "
            "metadata, needless nodes and a permutation. One bad model does not stop the others. --quiet "
            "prints digests without paths.",
    };
    struct request request;
    if (options_parse(command, &syntax, argc, argv, &request)) {
        json_t *models = document_array();
        request.outcome = OUTCOME_SUCCESS;
        for (size_t i = 0; i < request.operand_count; i++) {
            const char *path = request.operands[i];
            char digest[33];
            cnx_error error = {0};
            bool good = hash_model(path, digest, &error) == CNX_OK;
            if (!good)
                request.outcome = outcome_failure(path, &error);
            if (request.json)
                add_model(models, path, good ? digest : NULL, &error);
            else if (good && request.quiet)
                puts(digest);
            else if (good)
                print_line(digest, path);
        }
        if (request.json) {
            json_t *document = document_create(NULL);
            field_value(document, "models", json_incref(models));
            document_print(document);
        }
        json_decref(models);
    }
    options_release(&request);
    return request.outcome;
}
