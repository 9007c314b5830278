/* The command line of one command: options that all commands share, the command's own, and operands. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "canonnx.h"
#include "command.h"

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>

enum color_mode { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

/* What a command accepts. */
struct syntax {
    const struct argp_option *options; /* its own, ended by an empty entry; NULL: none */
    /* Takes one of `options`. Returns NULL, or what is wrong with the value ("expected a number"). */
    const char *(*accept)(int key, const char *value, void *settings);
    /* Looks at the settings when all options are in. Returns NULL, or what is missing. May be NULL. */
    const char *(*check)(const void *settings);
    void *settings; /* handed to accept and check */
    size_t least_operands, most_operands;
    const char *details; /* printed by --help below the options; may be NULL */
};

/* What the user asked for. */
struct request {
    bool json;
    bool quiet;
    enum color_mode color;
    size_t operand_count;
    char **operands;
    int outcome; /* when options_parse returns false: how the program ends */
};

/* Returns true when the command should run. False: --help was printed, or the line made no sense and that
 * was said; then return request->outcome. Release the request with options_release in either case. */
bool options_parse(const struct command *command, const struct syntax *syntax, int argc, char **argv,
                   struct request *request);
void options_release(struct request *request);

/* What is wrong with the name of a file to write, or NULL. */
const char *options_check_output(const char *path);

/* The work of a command that takes one model, with the syntax's settings. Prints the result, or what went
 * wrong; returns the outcome. */
typedef int model_work(const struct request *request, const void *settings, cnx_model *model);

/* A whole command: parses, opens the model that the only operand names, does the work. Returns the outcome.
 */
int options_run(const struct command *command, const struct syntax *syntax, int argc, char **argv,
                model_work *work);

#endif
