/* canonnx: finds the command and runs it. */
#include "command.h"
#include "nearest.h"
#include "outcome.h"
#include "text.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

static const struct command commands[] = {
#define COMMAND(name, function, arguments, summary) {name, function, arguments, summary},
#include "commands.def"
#undef COMMAND
};

enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

/* A file opened in the place of a closed standard stream would be written over by messages. A stream that is
 * closed becomes one that cannot be written. */
static void keep_standard_streams(void)
{
    for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; stream++) {
        if (fcntl(stream, F_GETFD) < 0)
            (void)!open("/dev/null", O_RDONLY);
    }
}

static void print_help(void)
{
    puts("Usage: canonnx COMMAND [OPTION...] ARGUMENT...\n"
         "Which changes of an ONNX model's parameters leave its function unchanged, and what follows.\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        printf("  canonnx %-8s %-21s  %s\n", commands[i].name, commands[i].arguments, commands[i].summary);
    puts("\n"
         "MODEL is a file.onnx, a folder or a .zip that holds one, bundle.zip!inner/model.onnx, or - for\n"
         "standard input. `canonnx COMMAND --help` explains a command. Exit status: 0 success, 1 different,\n"
         "2 trouble.");
}

static int unknown_command(const char *word)
{
    const char *names[COMMAND_COUNT];
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        names[i] = commands[i].name;
    if (word[0] == '-')
        return outcome_usage(
            NULL, "unknown option '%s' (options come after the command; canonnx --help lists commands)",
            word);
    const char *near = nearest_word(word, names, COMMAND_COUNT);
    if (near)
        return outcome_usage(NULL, "unknown command '%s', did you mean '%s'?", word, near);
    return outcome_usage(NULL, "unknown command '%s' (canonnx --help lists them)", word);
}

static int run(int argc, char **argv)
{
    if (argc < 2)
        return outcome_usage(NULL, "a command is missing (canonnx --help lists them)");
    const char *word = argv[1];
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        print_help();
        return OUTCOME_SUCCESS;
    }
    if (strcmp(word, "--version") == 0) {
        printf("canonnx %s\n", cnx_version());
        return OUTCOME_SUCCESS;
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(word, commands[i].name) == 0)
            return commands[i].run(&commands[i], argc - 1, argv + 1);
    }
    return unknown_command(word);
}

/* Scratch memory comes and goes. Handing large blocks back to the system each time costs a page fault for
 * every page that is used again; a program that is about to end keeps them. */
static void keep_freed_memory(void)
{
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
#endif
}

int main(int argc, char **argv)
{
    keep_freed_memory();
    keep_standard_streams();
    text_start();
    return outcome_finish(run(argc, argv));
}
