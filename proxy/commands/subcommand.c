/* see proxy/commands/subcommand.h */
#include "proxy/commands/subcommand.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTIONS_MAX = 63 };

/* see proxy/commands/subcommand.h */
int subcommand_failed(const struct subcommand_line *line, char **error)
{
    fprintf(stderr, "yett %s %s: %s\n", line->set, line->command, *error);
    free(*error);
    *error = NULL;
    return SUBCOMMAND_NOT_DONE;
}

/* see proxy/commands/subcommand.h */
int subcommand_misused(const struct subcommand_line *line, const char *sentence)
{
    fprintf(stderr, "yett %s %s: %s; see: yett %s %s --help\n", line->set, line->command, sentence, line->set,
            line->command);
    return SUBCOMMAND_USAGE;
}

static void make_long_options(const struct subcommand_set *set, struct option *out)
{
    assert(set->option_count + 1 < OPTIONS_MAX);
    out[0] = (struct option){.name = "help", .has_arg = no_argument, .val = 'h'};
    for (size_t i = 0; i < set->option_count; i++)
        out[i + 1] =
            (struct option){.name = set->options[i].name,
                            .has_arg = set->options[i].type == SUBCOMMAND_FLAG ? no_argument : required_argument,
                            .val = set->options[i].letter};
    out[set->option_count + 1] = (struct option){.name = NULL};
}

static void take_option(const struct subcommand_set *set, void *options, int letter)
{
    for (size_t i = 0; i < set->option_count; i++) {
        void *place = (char *)options + set->options[i].offset;
        struct subcommand_texts *texts = place;

        if (set->options[i].letter != letter)
            continue;
        switch (set->options[i].type) {
        case SUBCOMMAND_FLAG:
            *(bool *)place = true;
            break;
        case SUBCOMMAND_TEXT:
            *(const char **)place = optarg;
            break;
        case SUBCOMMAND_TEXTS:
            texts->items = base_realloc_array(texts->items, texts->count + 1, sizeof(*texts->items));
            texts->items[texts->count++] = optarg;
            break;
        }
        return;
    }
    base_abort("option %c is in no table", letter);
}

static void free_texts(const struct subcommand_set *set, void *options)
{
    for (size_t i = 0; i < set->option_count; i++)
        if (set->options[i].type == SUBCOMMAND_TEXTS)
            free(((struct subcommand_texts *)(void *)((char *)options + set->options[i].offset))->items);
}

/* Returns whether to go on; *status otherwise. */
static bool parse(const struct subcommand_set *set, const struct subcommand *command, void *options, int argc,
                  char **argv, int *status)
{
    struct subcommand_line *line = options;
    struct option long_options[OPTIONS_MAX];
    int option;

    make_long_options(set, long_options);
    opterr = 0;
    optind = 0;
    while ((option = getopt_long(argc, argv, set->short_options, long_options, NULL)) != -1) {
        int at = optind - 1 < argc ? optind - 1 : argc - 1;

        if (option == 'h') {
            fputs(command->help, stdout);
            *status = SUBCOMMAND_DONE;
            return false;
        }
        if (option == ':' || option == '?' ||
            (strchr(set->for_all, option) == NULL && strchr(command->allowed, option) == NULL)) {
            char *sentence =
                base_printf(option == ':' ? "%s needs a value" : "%s is no option of this command", argv[at]);

            *status = subcommand_misused(line, sentence);
            free(sentence);
            return false;
        }
        take_option(set, options, option);
    }
    line->arguments = argv + optind;
    line->argument_count = argc - optind;
    if (line->argument_count >= command->arguments_min && line->argument_count <= command->arguments_max)
        return true;
    *status = subcommand_misused(line, command->takes);
    return false;
}

static int run_command(const struct subcommand_set *set, const struct subcommand *command, void *options, int argc,
                       char **argv)
{
    struct subcommand_line *line = options;
    int status;

    line->set = set->name;
    line->command = command->name;
    if (parse(set, command, options, argc, argv, &status)) {
        status = set->around != NULL ? set->around(command, options) : command->run(options);
        if (fflush(stdout) != 0 && status == SUBCOMMAND_DONE)
            status = SUBCOMMAND_NOT_DONE;
    }
    free_texts(set, options);
    return status;
}

/* see proxy/commands/subcommand.h */
int subcommand_main(const struct subcommand_set *set, void *options, int argc, char **argv)
{
    const char *name = argc < 2 ? "" : argv[1];

    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        fputs(set->help, stdout);
        return SUBCOMMAND_DONE;
    }
    for (size_t i = 0; i < set->command_count; i++)
        if (strcmp(name, set->commands[i].name) == 0)
            return run_command(set, &set->commands[i], options, argc - 1, argv + 1);
    if (*name == '\0')
        fprintf(stderr, "yett %s: say what to do; ", set->name);
    else
        fprintf(stderr, "yett %s: there is no command %s; ", set->name, name);
    fprintf(stderr, "see: yett %s --help\n", set->name);
    return SUBCOMMAND_USAGE;
}
