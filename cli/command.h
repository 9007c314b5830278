/* What a command is. The table is commands.def; each command is one file, cmd_NAME.c. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

struct command {
    const char *name;
    /* Returns an outcome (outcome.h). argv[0] is the command's name. */
    int (*run)(const struct command *command, int argc, char **argv);
    const char *arguments; /* "MODEL -o OUT" */
    const char *summary;   /* one line, without a full stop */
};

#define COMMAND(name, function, arguments, summary)                                                          \
    int function(const struct command *command, int argc, char **argv);
#include "commands.def"
#undef COMMAND

#endif
