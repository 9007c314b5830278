/* canonnx text: a model in ONNX's textual syntax, for people, diff(1) and git.
 *
 * git's textconv has no way to say "not this time": a program that fails stops `git log -p`. So --textconv
 * never does: a model whose canonical form is not found is printed as it was found or as it is stored, and a
 * file that is no model as what is wrong with it, its size and its digest, all in comments. */
#include "command.h"
#include "document.h"
#include "options.h"
#include "outcome.h"
#include "text.h"

#include <string.h>

enum { KEY_RAW = 0x3000, KEY_WEIGHTS, KEY_TEXTCONV };

struct settings {
    cnx_text_options text;
    bool textconv;
};

static const struct argp_option options[] = {
    {.name = "raw", .key = KEY_RAW, .doc = "The file as it is: its own names and order, nothing dropped"},
    {.name = "weights",
     .key = KEY_WEIGHTS,
     .arg = "HOW",
     .doc = "digest (default): tensors of more than 8 elements by their digest; none: floats not at all; "
            "values: "
            "whole"},
    {.name = "textconv", .key = KEY_TEXTCONV, .doc = "For git: what goes wrong is a comment, and no failure"},
    {0},
};

static const char *accept(int key, const char *value, void *settings_given)
{
    struct settings *settings = settings_given;
    if (key == KEY_RAW)
        settings->text.raw = true;
    else if (key == KEY_TEXTCONV)
        settings->textconv = true;
    else if (strcmp(value, "digest") == 0)
        settings->text.weights = CNX_TEXT_DIGEST;
    else if (strcmp(value, "none") == 0)
        settings->text.weights = CNX_TEXT_NONE;
    else if (strcmp(value, "values") == 0)
        settings->text.weights = CNX_TEXT_VALUES;
    else
        return "expected digest, none or values";
    return NULL;
}

static bool write_stream(void *stream, const char *text, size_t size)
{
    return fwrite(text, 1, size, stream) == size;
}

/* ---- one attempt ---- */

/* Prints the model of a path. */
static cnx_code print_model(const char *path, const cnx_text_options *wanted, FILE *out, cnx_error *error)
{
    /* A node more or less changes which scales are free, and so would change weights far from it. And what
     * was not trained must not depend on which weights happen to be equal. */
    const cnx_canon_options wished = {.keep_scales = true, .keep_copies = wanted->weights == CNX_TEXT_NONE};
    const cnx_canon_report *report;
    cnx_model *model;
    cnx_code code = cnx_model_open(path, &model, error);
    if (code == CNX_OK && !wanted->raw)
        code = cnx_canonicalize(model, &wished, &report, error);
    if (code == CNX_OK)
        code = cnx_model_text(model, wanted, write_stream, out, error);
    cnx_model_close(model);
    return code;
}

/* ---- what --textconv tries ---- */

static void print_trouble(FILE *out, const char *what, const cnx_error *error)
{
    char *place = text_printable(error->place), *message = text_printable(error->message);
    fprintf(out, "# %s: %s%s%s\n", what, place, place[0] ? ": " : "", message);
    free(message);
    free(place);
}

static void print_digest(FILE *out, const char *path)
{
    cnx_error error = {0};
    uint64_t size;
    char digest[33];
    if (cnx_file_digest(path, &size, digest, &error) == CNX_OK)
        fprintf(out, "# %llu bytes, xxh3 %s\n", (unsigned long long)size, digest);
}

/* An attempt that failed on the way has printed a part, which stays behind when the next one begins; that
 * needs a model that can be read and then cannot. */
static void print_somehow(const char *path, struct settings *settings, FILE *out)
{
    cnx_error error = {0};
    settings->text.best_effort = true;
    if (print_model(path, &settings->text, out, &error) == CNX_OK)
        return;
    if (!settings->text.raw) {
        cnx_error first = error;
        char *text;
        size_t size;
        FILE *stored = text_open(&text, &size);
        settings->text.raw = true;
        bool good = print_model(path, &settings->text, stored, &error) == CNX_OK;
        text_close(stored);
        if (good) {
            print_trouble(out, "As it is stored, no canonical form", &first);
            fwrite(text, 1, size, out);
        }
        free(text);
        if (good)
            return;
    }
    print_trouble(out, "Not a readable model", &error);
    print_digest(out, path);
}

/* ---- the command ---- */

static int print(const struct request *request, struct settings *settings, FILE *out)
{
    const char *path = request->operands[0];
    cnx_error error = {0};
    if (settings->textconv)
        print_somehow(path, settings, out);
    else if (print_model(path, &settings->text, out, &error) != CNX_OK)
        return outcome_failure(path, &error);
    return OUTCOME_SUCCESS;
}

static int print_document(const struct request *request, struct settings *settings)
{
    char *text;
    size_t size;
    FILE *out = text_open(&text, &size);
    int outcome = print(request, settings, out);
    text_close(out);
    if (outcome == OUTCOME_SUCCESS) {
        json_t *document = document_create(request->operands[0]);
        field_text(document, "text", text);
        document_print(document);
    }
    free(text);
    return outcome;
}

int cmd_text(const struct command *command, int argc, char **argv)
{
    struct settings settings = {0};
    const struct syntax syntax = {
        .options = options,
        .accept = accept,
        .settings = &settings,
        .least_operands = 1,
        .most_operands = 1,
        .details =
            "Equivalent models have the same text, and a change of the model changes few lines of it. "
            "Weights are comments: what is printed can be read by onnx.parser. --quiet changes nothing.",
    };
    struct request request;
    if (options_parse(command, &syntax, argc, argv, &request))
        request.outcome =
            request.json ? print_document(&request, &settings) : print(&request, &settings, stdout);
    options_release(&request);
    return request.outcome;
}
