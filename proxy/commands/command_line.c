/* see proxy/commands/command_line.h */
#include "proxy/commands/command_line.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char default_config[] = "/etc/yett/yett.conf";

static const struct option long_options[] = {{"config", required_argument, NULL, 'c'},
                                             {"help", no_argument, NULL, 'h'},
                                             {"control", required_argument, NULL, COMMAND_CONTROL},
                                             {"json", no_argument, NULL, COMMAND_JSON},
                                             {"live", no_argument, NULL, COMMAND_LIVE},
                                             {"now", no_argument, NULL, COMMAND_NOW},
                                             {NULL, 0, NULL, 0}};

/* The command is named as its help does: "token login", and not the last word of it. */
static bool misused(const char *help, const char *what, const char *argument, int *status)
{
    static const char before[] = "Usage: yett ";
    const char *command = help + strlen(before);
    int size = (int)strspn(command, "abcdefghijklmnopqrstuvwxyz ");

    assert(strncmp(help, before, strlen(before)) == 0);
    while (size > 0 && command[size - 1] == ' ')
        size--;
    fprintf(stderr, "yett %.*s: %s%s; see: yett %.*s --help\n", size, command, what, argument, size, command);
    *status = COMMAND_USAGE;
    return false;
}

bool command_line_parse(struct command_line *c, int argc, char **argv, unsigned allowed, int arguments,
                        const char *help, int *status)
{
    int option;

    *c = (struct command_line){.config_path = default_config};
    opterr = 0;
    optind = 1;
    while ((option = getopt_long(argc, argv, ":c:h", long_options, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            *status = COMMAND_DONE;
            return false;
        }
        if (option == ':')
            return misused(help, "a value is missing after ", argv[optind - 1], status);
        if (option == '?' || (option != 'c' && ((unsigned)option & allowed) == 0))
            return misused(help, "it does not take ", argv[optind - 1], status);
        if (option == 'c') {
            c->config_path = optarg;
            continue;
        }
        if (option == COMMAND_CONTROL)
            c->control = optarg;
        c->options |= (unsigned)option;
    }
    c->arguments = argv + optind;
    c->argument_count = argc - optind;
    if ((allowed & COMMAND_ONE_MORE) != 0 && c->argument_count == arguments + 1)
        return true;
    if (c->argument_count != arguments)
        return misused(help, arguments == 0 ? "it takes no arguments" : "it takes one argument", "", status);
    return true;
}
