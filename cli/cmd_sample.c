/* canonnx sample: write a random member of a model's equivalence class. */
#include "command.h"
#include "document.h"
#include "options.h"
#include "outcome.h"
#include "text.h"
#include "written.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_OUTPUT = 'o', KEY_SEED = 0x2000, KEY_WITH };

struct settings {
    const char *output;
    uint64_t seed;
    bool has_seed;
    unsigned kinds; /* of cnx_sample_kind */
};

static const struct {
    const char *name;
    unsigned kind;
} kinds[] = {
    {"permute", CNX_SAMPLE_PERMUTE},
    {"sign", CNX_SAMPLE_SIGN},
    {"scale", CNX_SAMPLE_SCALE},
    {"linear", CNX_SAMPLE_LINEAR},
};

static const struct argp_option options[] = {
    {.name = "output", .key = KEY_OUTPUT, .arg = "OUT", .doc = "File to write; may be the input itself"},
    {.name = "seed",
     .key = KEY_SEED,
     .arg = "N",
     .doc = "Which member: the same number gives the same one everywhere"},
    {.name = "with",
     .key = KEY_WITH,
     .arg = "KINDS",
     .doc = "What may change, separated by commas: permute (the default), sign, scale (by powers of two), "
            "linear (changes of basis where only linear operators look, signs of units behind sigmoids; the "
            "only kind that rounds)"},
    {0},
};

/* Adds the kinds of a list to *chosen. */
static const char *read_kinds(const char *list, unsigned *chosen)
{
    for (const char *at = list; *at != '\0';) {
        size_t length = strcspn(at, ","), k = 0;
        while (k < sizeof kinds / sizeof kinds[0] &&
               (strlen(kinds[k].name) != length || memcmp(kinds[k].name, at, length) != 0))
            k++;
        if (k == sizeof kinds / sizeof kinds[0])
            return "expected some of permute, sign, scale, linear";
        *chosen |= kinds[k].kind;
        at += length + (at[length] == ',');
    }
    return *chosen != 0 ? NULL : "expected some of permute, sign, scale, linear";
}

static const char *accept(int key, const char *value, void *settings_given)
{
    struct settings *settings = settings_given;
    char *end;
    if (key == KEY_OUTPUT) {
        settings->output = value;
        return options_check_output(value);
    }
    if (key == KEY_WITH)
        return read_kinds(value, &settings->kinds);
    errno = 0;
    settings->seed = strtoull(value, &end, 10);
    settings->has_seed = true;
    bool is_number = value[0] >= '0' && value[0] <= '9' && *end == '\0' && errno == 0;
    return is_number ? NULL : "expected a whole number from 0 to 18446744073709551615";
}

static const char *check(const void *settings_given)
{
    const struct settings *settings = settings_given;
    if (!settings->has_seed)
        return "option --seed is missing";
    return settings->output ? NULL : "option -o is missing";
}

static void print_result(const struct request *request, const struct settings *settings, uint64_t bytes)
{
    const char *path = request->operands[0];
    if (request->json) {
        json_t *document = document_create(path);
        written_fields(document, settings->output, bytes);
        field_count(document, "seed", settings->seed);
        document_print(document);
    } else if (!request->quiet) {
        struct screen screen = screen_open(request);
        char *size = written_text(settings->output, bytes);
        screen_label(&screen, 0, "",
                     text_format("%s: random member of the class of %s, seed %" PRIu64 ", %s",
                                 settings->output, path, settings->seed, size));
        free(size);
    }
}

static int work(const struct request *request, const void *settings_given, cnx_model *model)
{
    const struct settings *settings = settings_given;
    cnx_error error = {0};
    uint64_t bytes;
    if (cnx_sample(model, settings->seed, settings->kinds != 0 ? settings->kinds : CNX_SAMPLE_PERMUTE,
                   &error) != CNX_OK)
        return outcome_failure(request->operands[0], &error);
    if (cnx_model_write(model, settings->output, &bytes, &error) != CNX_OK)
        return outcome_failure(settings->output, &error);
    print_result(request, settings, bytes);
    return OUTCOME_SUCCESS;
}

int cmd_sample(const struct command *command, int argc, char **argv)
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
            "The member is drawn from the group that `canonnx symmetry` reports, uniformly where that means "
            "something (permutations and signs); the model computes the same function. --quiet prints "
            "nothing.",
    };
    return options_run(command, &syntax, argc, argv, work);
}
