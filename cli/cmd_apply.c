/* canonnx apply: permute and multiply weights as a witness of canonnx diff says. */
#include "command.h"
#include "document.h"
#include "memory.h"
#include "options.h"
#include "outcome.h"
#include "text.h"
#include "written.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { KEY_OUTPUT = 'o', KEY_WITNESS = 0x2000 };

struct settings {
    const char *output;
    const char *witness;
};

static const struct argp_option options[] = {
    {.name = "output", .key = KEY_OUTPUT, .arg = "OUT", .doc = "File to write; may be the input itself"},
    {.name = "witness", .key = KEY_WITNESS, .arg = "W.json", .doc = "What canonnx diff --witness wrote"},
    {0},
};

static const char *accept(int key, const char *value, void *settings_given)
{
    struct settings *settings = settings_given;
    if (key == KEY_OUTPUT) {
        settings->output = value;
        return options_check_output(value);
    }
    settings->witness = value;
    return value[0] && strcmp(value, "-") != 0 ? NULL : "expected the name of a file";
}

static const char *check(const void *settings_given)
{
    const struct settings *settings = settings_given;
    if (!settings->witness)
        return "option --witness is missing";
    if (!settings->output)
        return "option -o is missing";
    if (strcmp(settings->witness, settings->output) == 0)
        return "the model and the witness cannot be one file";
    return NULL;
}

/* ---- reading a witness ---- */

__attribute__((format(printf, 2, 3))) static int complain(const char *path, const char *format, ...)
{
    cnx_error error = {.code = CNX_ERROR_FORMAT};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error.message, sizeof error.message, format, arguments);
    va_end(arguments);
    return outcome_failure(path, &error);
}

static bool read_number(const json_t *row, const char *key, uint64_t most, uint64_t *number)
{
    const json_t *value = json_object_get(row, key);
    *number = (uint64_t)json_integer_value(value);
    return json_is_integer(value) && json_integer_value(value) >= 0 && *number <= most;
}

/* A list of whole numbers in the given range, `*count` of them; when *count is 0 it takes their number. NULL
 * without a list; *good turns false where it is none. To be released with free(). */
static int32_t *read_list(const json_t *row, const char *key, int64_t least, size_t *count, bool *good)
{
    const json_t *list = json_object_get(row, key);
    if (!list)
        return NULL;
    size_t length = json_array_size(list);
    *good = *good && json_is_array(list) && length > 0 && (*count == 0 || *count == length);
    *count = length;
    int32_t *items = memory_array(length + 1, sizeof *items);
    for (size_t i = 0; i < length && *good; i++) {
        const json_t *item = json_array_get(list, i);
        json_int_t value = json_integer_value(item);
        *good = json_is_integer(item) && value >= least && value <= INT32_MAX;
        items[i] = *good ? (int32_t)value : 0;
    }
    return items;
}

static bool read_axis(const json_t *row, cnx_witness_axis *axis)
{
    const json_t *tensor = json_object_get(row, "tensor");
    uint64_t use, number;
    if (!read_number(row, "use", UINT32_MAX, &use) || !read_number(row, "axis", UINT32_MAX, &number) ||
        !json_is_string(tensor))
        return false;
    bool good = true;
    *axis = (cnx_witness_axis){
        .use = (uint32_t)use, .axis = (uint32_t)number, .tensor = json_string_value(tensor)};
    axis->source = (const uint32_t *)read_list(row, "source", 0, &axis->count, &good);
    axis->signs = read_list(row, "signs", -1, &axis->count, &good);
    axis->exponents = read_list(row, "exponents", INT32_MIN, &axis->count, &good);
    return good && axis->count > 0;
}

/* Fills in a witness whose texts belong to the document. */
static bool read_witness(const json_t *document, cnx_witness *witness)
{
    const json_t *axes = json_object_get(document, "axes");
    uint64_t uses;
    if (!json_is_array(axes) || !read_number(document, "uses", UINT32_MAX, &uses))
        return false;
    cnx_witness_axis *rows = memory_array(json_array_size(axes) + 1, sizeof *rows);
    *witness = (cnx_witness){.use_count = (uint32_t)uses, .axis_count = json_array_size(axes), .axes = rows};
    for (size_t i = 0; i < witness->axis_count; i++)
        if (!read_axis(json_array_get(axes, i), &rows[i]))
            return false;
    return true;
}

static void release_witness(cnx_witness *witness)
{
    for (size_t i = 0; i < witness->axis_count; i++) {
        free((void *)(uintptr_t)witness->axes[i].source);
        free((void *)(uintptr_t)witness->axes[i].signs);
        free((void *)(uintptr_t)witness->axes[i].exponents);
    }
    free((void *)(uintptr_t)witness->axes);
}

/* ---- the work ---- */

static int apply(const struct request *request, const struct settings *settings, cnx_model *model,
                 const cnx_witness *witness)
{
    cnx_error error = {0};
    uint64_t bytes;
    if (cnx_apply_witness(model, witness, &error) != CNX_OK)
        return outcome_failure(request->operands[0], &error);
    if (cnx_model_write(model, settings->output, &bytes, &error) != CNX_OK)
        return outcome_failure(settings->output, &error);
    if (request->json) {
        json_t *document = document_create(request->operands[0]);
        field_text(document, "witness", settings->witness);
        written_fields(document, settings->output, bytes);
        document_print(document);
    } else if (!request->quiet) {
        struct screen screen = screen_open(request);
        char *size = written_text(settings->output, bytes);
        screen_label(&screen, 0, "",
                     text_format("%s: %s moved as %s says, %s", settings->output, request->operands[0],
                                 settings->witness, size));
        free(size);
    }
    return OUTCOME_SUCCESS;
}

/* The JSON of a file; NULL after a complaint. */
static json_t *load_document(const char *path)
{
    json_error_t problem;
    struct stat status;
    json_t *document = NULL;
    FILE *file = fopen(path, "re");
    if (!file || fstat(fileno(file), &status) != 0)
        complain(path, "cannot open the file: %s", strerror(errno));
    else if (S_ISDIR(status.st_mode))
        complain(path, "it is a folder (expected a file)");
    else if (!(document = json_loadf(file, JSON_REJECT_DUPLICATES, &problem)))
        complain(path, "no JSON, line %d: %s", problem.line, problem.text);
    if (file)
        fclose(file);
    return document;
}

static int work(const struct request *request, const void *settings_given, cnx_model *model)
{
    const struct settings *settings = settings_given;
    json_t *document = load_document(settings->witness);
    if (!document)
        return OUTCOME_TROUBLE;
    cnx_witness witness = {0};
    int outcome =
        read_witness(document, &witness)
            ? apply(request, settings, model, &witness)
            : complain(settings->witness, "no witness (expected what canonnx diff --witness writes)");
    release_witness(&witness);
    json_decref(document);
    return outcome;
}

int cmd_apply(const struct command *command, int argc, char **argv)
{
    struct settings settings = {0};
    const struct syntax syntax = {
        .options = options,
        .accept = accept,
        .check = check,
        .settings = &settings,
        .least_operands = 1,
        .most_operands = 1,
        .details = "The witness is checked: what is no symmetry of the model is refused, so the result "
                   "computes what the model computes. Only weights change: they are permuted, flipped in "
                   "sign, multiplied by powers of two. --quiet prints nothing.",
    };
    return options_run(command, &syntax, argc, argv, work);
}
