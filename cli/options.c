/* argp does the parsing and formats --help. Its own complaints take two lines and end with its own exit
 * code, so they are switched off (ARGP_NO_ERRS) and the offending word is diagnosed here. */
#include "options.h"

#include "memory.h"
#include "nearest.h"
#include "outcome.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_HELP = 'h', KEY_QUIET = 'q', KEY_JSON = 0x1000, KEY_COLOR };

static const struct argp_option common_options[] = {
    {.doc = "Every command:"},
    {.name = "json", .key = KEY_JSON, .doc = "Print one JSON object instead of text"},
    {.name = "quiet", .key = KEY_QUIET, .doc = "Print only the essential result"},
    {.name = "color",
     .key = KEY_COLOR,
     .arg = "WHEN",
     .doc = "auto (default: on a terminal, unless NO_COLOR is set), always or never"},
    {.name = "help", .key = KEY_HELP, .doc = "Print this and exit"},
    {0},
};

/* Everything the argp callback needs. */
struct parser {
    const struct command *command;
    const struct syntax *syntax;
    struct argp_option *table; /* the command's own options, then the common ones */
    size_t option_count;
    struct request *request;
    int stopped_at; /* index into argv, when getopt did not like a word */
    bool reported;
    bool wants_help;
};

static const struct argp_option *option_by_key(const struct parser *parser, int key)
{
    for (size_t i = 0; i < parser->option_count; i++) {
        if (parser->table[i].key == key)
            return &parser->table[i];
    }
    return NULL;
}

/* The option a long name (without dashes, `length` bytes) means: exact, or the only one it begins. */
static const struct argp_option *option_by_name(const struct parser *parser, const char *name, size_t length)
{
    const struct argp_option *found = NULL;
    for (size_t i = 0; i < parser->option_count; i++) {
        const char *candidate = parser->table[i].name;
        if (!candidate || strncmp(candidate, name, length) != 0)
            continue;
        if (candidate[length] == '\0')
            return &parser->table[i];
        if (found)
            return NULL;
        found = &parser->table[i];
    }
    return found;
}

static void diagnose_unknown_long(const struct parser *parser, const char *word, size_t length)
{
    const char *names[64] = {0};
    char *name = text_format("%.*s", (int)length, word);
    for (size_t i = 0; i < parser->option_count && i < 64; i++)
        names[i] = parser->table[i].name;
    const char *near = nearest_word(name, names, 64);
    outcome_usage(parser->command->name, "unknown option '--%s'%s%s%s", name,
                  near ? ", did you mean '--" : "", near ? near : "", near ? "'?" : "");
    free(name);
}

/* Says what is wrong with one word of the command line. Returns false when nothing is. */
static bool diagnose_word(const struct parser *parser, const char *word)
{
    const char *command = parser->command->name;
    if (strncmp(word, "--", 2) == 0) {
        const char *name = word + 2;
        size_t length = strcspn(name, "=");
        const struct argp_option *option = option_by_name(parser, name, length);
        if (!option)
            diagnose_unknown_long(parser, name, length);
        else if (!option->arg)
            outcome_usage(command, "option '--%s' takes no value", option->name);
        else
            outcome_usage(command, "option '--%s' needs a value (%s)", option->name, option->arg);
        return true;
    }
    for (const char *letter = word + 1; word[0] == '-' && *letter; letter++) {
        const struct argp_option *option = option_by_key(parser, (unsigned char)*letter);
        if (!option) {
            outcome_usage(command, "unknown option '-%c'", *letter);
            return true;
        }
        if (option->arg && !letter[1]) {
            outcome_usage(command, "option '-%c' needs a value (%s)", *letter, option->arg);
            return true;
        }
    }
    return false;
}

/* getopt stops behind the word it dislikes, or at it when it is in the middle of a cluster such as -qx. */
static void diagnose(const struct parser *parser, int argc, char **argv)
{
    int stopped_at = parser->stopped_at;
    if (stopped_at > 1 && stopped_at <= argc && diagnose_word(parser, argv[stopped_at - 1]))
        return;
    if (stopped_at < argc && diagnose_word(parser, argv[stopped_at]))
        return;
    outcome_usage(parser->command->name, "cannot read the command line (usage: canonnx %s %s)",
                  parser->command->name, parser->command->arguments);
}

static const char *accept_common(struct parser *parser, int key, const char *value)
{
    struct request *request = parser->request;
    switch (key) {
    case KEY_HELP:
        parser->wants_help = true;
        return NULL;
    case KEY_JSON:
        request->json = true;
        return NULL;
    case KEY_QUIET:
        request->quiet = true;
        return NULL;
    default:
        if (strcmp(value, "auto") == 0)
            request->color = COLOR_AUTO;
        else if (strcmp(value, "always") == 0)
            request->color = COLOR_ALWAYS;
        else if (strcmp(value, "never") == 0)
            request->color = COLOR_NEVER;
        else
            return "expected auto, always or never";
        return NULL;
    }
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct parser *parser = state->input;
    const struct argp_option *option = option_by_key(parser, key);
    if (key == ARGP_KEY_ARG) {
        parser->request->operands[parser->request->operand_count++] = value;
        return 0;
    }
    if (key == ARGP_KEY_ERROR)
        parser->stopped_at = state->next;
    if (!option)
        return ARGP_ERR_UNKNOWN;
    bool is_common = key == KEY_HELP || key == KEY_QUIET || key == KEY_JSON || key == KEY_COLOR;
    const char *problem = is_common ? accept_common(parser, key, value)
                                    : parser->syntax->accept(key, value, parser->syntax->settings);
    if (!problem)
        return 0;
    outcome_usage(parser->command->name, "--%s=%s: %s", option->name, value, problem);
    parser->reported = true;
    return EINVAL;
}

/* "Mandatory arguments to long options are mandatory for short ones too" helps nobody. */
static char *filter_help(int key, const char *text, void *input)
{
    (void)input;
    return key == ARGP_KEY_HELP_DUP_ARGS_NOTE ? NULL : (char *)text;
}

static void build_table(struct parser *parser)
{
    const struct argp_option *own = parser->syntax->options;
    size_t own_count = 0, common_count = sizeof common_options / sizeof common_options[0];
    while (own && (own[own_count].name || own[own_count].doc))
        own_count++;
    parser->option_count = own_count + common_count - 1;
    parser->table = memory_array(own_count + common_count, sizeof *parser->table);
    if (own_count)
        memcpy(parser->table, own, own_count * sizeof *own);
    memcpy(parser->table + own_count, common_options, sizeof common_options);
}

/* The text above and below the options, as argp wants it: summary, vertical tab, details. */
static char *build_description(const struct command *command, const struct syntax *syntax)
{
    return text_format("%s.\v%s", command->summary, syntax->details ? syntax->details : "");
}

static void print_help(const struct command *command, const struct argp *grammar)
{
    char *name = text_format("canonnx %s", command->name);
    argp_help(grammar, stdout, ARGP_HELP_STD_HELP, name);
    free(name);
}

static bool check_request(const struct parser *parser)
{
    const struct command *command = parser->command;
    const struct request *request = parser->request;
    if (request->operand_count < parser->syntax->least_operands) {
        outcome_usage(command->name, "an argument is missing (usage: canonnx %s %s)", command->name,
                      command->arguments);
        return false;
    }
    if (request->operand_count > parser->syntax->most_operands) {
        outcome_usage(command->name, "unexpected argument '%s' (usage: canonnx %s %s)",
                      request->operands[parser->syntax->most_operands], command->name, command->arguments);
        return false;
    }
    const char *problem = parser->syntax->check ? parser->syntax->check(parser->syntax->settings) : NULL;
    if (problem)
        outcome_usage(command->name, "%s (usage: canonnx %s %s)", problem, command->name, command->arguments);
    return !problem;
}

bool options_parse(const struct command *command, const struct syntax *syntax, int argc, char **argv,
                   struct request *request)
{
    struct parser parser = {.command = command, .syntax = syntax, .request = request};
    *request =
        (struct request){.outcome = OUTCOME_TROUBLE, .operands = memory_array((size_t)argc, sizeof(char *))};
    build_table(&parser);
    char *description = build_description(command, syntax);
    const struct argp grammar = {.options = parser.table,
                                 .parser = parse_option,
                                 .args_doc = command->arguments,
                                 .doc = description,
                                 .help_filter = filter_help};
    error_t failed =
        argp_parse(&grammar, argc, argv, ARGP_NO_ERRS | ARGP_NO_HELP | ARGP_NO_EXIT, NULL, &parser);
    bool go_on = false;
    if (parser.wants_help) {
        print_help(command, &grammar);
        request->outcome = OUTCOME_SUCCESS;
    } else if (failed && !parser.reported) {
        diagnose(&parser, argc, argv);
    } else if (!failed) {
        go_on = check_request(&parser);
    }
    free(description);
    free(parser.table);
    return go_on;
}

void options_release(struct request *request)
{
    free(request->operands);
    request->operands = NULL;
}

const char *options_check_output(const char *path)
{
    if (strcmp(path, "-") == 0)
        return "a model is not written to standard output: name a file";
    return path[0] ? NULL : "expected the name of a file";
}

int options_run(const struct command *command, const struct syntax *syntax, int argc, char **argv,
                model_work *work)
{
    struct request request;
    cnx_model *model = NULL;
    cnx_error error = {0};
    if (options_parse(command, syntax, argc, argv, &request)) {
        const char *path = request.operands[0];
        if (cnx_model_open(path, &model, &error) == CNX_OK)
            request.outcome = work(&request, syntax->settings, model);
        else
            request.outcome = outcome_failure(path, &error);
        cnx_model_close(model);
    }
    options_release(&request);
    return request.outcome;
}
