/* proxy/commands/command_line.h: what the commands that need a configuration file take alike. Threads: one. */
#ifndef YETT_PROXY_COMMANDS_COMMAND_LINE_H
#define YETT_PROXY_COMMANDS_COMMAND_LINE_H

#include "base/base.h"

enum { COMMAND_DONE = 0, COMMAND_FAILED = 1, COMMAND_USAGE = 2 };

/* The options a command may take besides -c and -h. */
enum command_option { COMMAND_JSON = 1, COMMAND_NOW = 2, COMMAND_CONTROL = 4, COMMAND_LIVE = 8, COMMAND_ONE_MORE = 16 };

struct command_line {
    const char *config_path; /* -c; default /etc/yett/yett.conf */
    const char *control;     /* --control PATH: another socket than the configuration's; NULL: none */
    unsigned options;        /* enum command_option bits that were given */
    char **arguments;        /* what is left */
    int argument_count;
};

/* argv[0] is the command's name. False when the command is over: *status is the exit status then (help was asked for,
 * or the usage was wrong, which has been said). `allowed`: bits of enum command_option; `arguments`: how many it takes;
 * COMMAND_ONE_MORE: one more may follow. */
MUST_CHECK bool command_line_parse(struct command_line *c, int argc, char **argv, unsigned allowed, int arguments,
                                   const char *help, int *status);

#endif
