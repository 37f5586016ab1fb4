/* proxy/commands/subcommand.h: commands with commands of their own ("yett cert show"), whose options come from one
 * table.
 *
 * The words: a *set* is "cert" or "token" with all its commands; its options fill one struct of the set's own, which
 * begins with a struct subcommand_line. Strings are those of argv. Threads: one. */
#ifndef YETT_PROXY_COMMANDS_SUBCOMMAND_H
#define YETT_PROXY_COMMANDS_SUBCOMMAND_H

#include "base/base.h"

enum { SUBCOMMAND_DONE = 0, SUBCOMMAND_NOT_DONE = 1, SUBCOMMAND_USAGE = 2 }; /* exit statuses */

struct subcommand_line {
    const char *set;     /* "cert" */
    const char *command; /* "show" */
    char **arguments;    /* what is left after the options */
    int argument_count;
};

struct subcommand_texts {
    const char **items;
    size_t count;
};

enum subcommand_option_type {
    SUBCOMMAND_FLAG, /* bool */
    SUBCOMMAND_TEXT, /* const char * */
    SUBCOMMAND_TEXTS /* struct subcommand_texts: may be repeated */
};

struct subcommand_option {
    const char *name; /* without "--" */
    char letter;      /* its own within the set; "-x" works too where that is in `short_options` */
    enum subcommand_option_type type;
    size_t offset; /* into the set's struct */
};

struct subcommand {
    const char *name;
    const char *allowed; /* letters of the options it takes, besides those for all */
    int arguments_min, arguments_max;
    const char *takes; /* a sentence, for when it gets more or less: "it takes one file" */
    int (*run)(void *options);
    const char *help;
};

struct subcommand_set {
    const char *name;
    const char *help;
    const struct subcommand *commands;
    size_t command_count;
    const struct subcommand_option *options;
    size_t option_count;
    const char *for_all;       /* letters of the options every command takes */
    const char *short_options; /* for getopt(): begins with ':', and has 'h' */
    /* Called in place of command->run(), which it calls; NULL: command->run() is called. */
    int (*around)(const struct subcommand *command, void *options);
};

/* Parse and run; argv[0] is the set's name. `options` is the set's struct, with the defaults in it. Returns the exit
 * status; help and wrong usage have been told. */
int subcommand_main(const struct subcommand_set *set, void *options, int argc, char **argv);

/* Say what failed (frees *error), or what is wrong with the command line, on standard error, and return the status. */
int subcommand_failed(const struct subcommand_line *line, char **error);
int subcommand_misused(const struct subcommand_line *line, const char *sentence);

#endif
