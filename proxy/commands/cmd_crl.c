/* see proxy/commands/cmd_crl.h */
#include "proxy/commands/cmd_crl.h"

#include "base/file.h"
#include "base/text.h"
#include "pkix/crl.h"
#include "pkix/dn.h"
#include "pkix/pem.h"
#include "proxy/commands/cmd_crl_help.h"
#include "tls/runtime.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_DONE = 0, EXIT_NOT_DONE = 1, EXIT_USAGE = 2 };

static const char default_directory[] = "/var/lib/yett/crls";

/* Strings are those of argv. */
struct options {
    const char *command;
    const char *directory;
    const char *argument; /* NULL: none */
    bool json;
};

struct command {
    const char *name;
    bool takes_json, takes_argument;
    bool (*run)(const struct options *o, char **error);
    const char *help;
};

/* ---- what a list says ---- */

static const char *state_of(const struct pkix_crl_info *info)
{
    int64_t now = time(NULL);

    return now < info->this_update ? "not yet valid" : now > info->next_update ? "expired" : "current";
}

/* Owned by the caller. */
static char *hex_text(struct span bytes)
{
    char *text = base_alloc(2 * bytes.size + 1);

    for (size_t i = 0; i < bytes.size; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes.data[i]);
    return text;
}

static json_t *info_json(const char *name, const struct pkix_crl_info *info)
{
    char this_update[BASE_TEXT_TIME_SIZE], next_update[BASE_TEXT_TIME_SIZE];
    char *issuer = pkix_dn_text(info->issuer), *number = info->number.size == 0 ? NULL : hex_text(info->number);
    json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s?, s:I}", "name", name, "issuer", issuer, "state",
                               state_of(info), "this_update", base_text_time(info->this_update, this_update),
                               "next_update", base_text_time(info->next_update, next_update), "number", number,
                               "revoked", (json_int_t)info->revoked_count);

    if (object == NULL)
        base_abort("a list cannot be written as JSON");
    free(issuer);
    free(number);
    return object;
}

static void print_json(json_t *value)
{
    json_dumpf(value, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(value);
}

static void print_line(const char *name, const struct pkix_crl_info *info)
{
    char next_update[BASE_TEXT_TIME_SIZE];
    char *issuer = pkix_dn_text(info->issuer);

    printf("%s  %s, %s until %s, %zu revoked\n", name, issuer, state_of(info),
           base_text_time(info->next_update, next_update), info->revoked_count);
    free(issuer);
}

static void print_words(const char *name, const struct pkix_crl_info *info)
{
    char this_update[BASE_TEXT_TIME_SIZE], next_update[BASE_TEXT_TIME_SIZE];
    char *issuer = pkix_dn_text(info->issuer), *number = hex_text(info->number);

    printf("name:        %s\nissuer:      %s\nnumber:      %s%s\nthis update: %s\nnext update: %s\nstate:       %s\n"
           "revoked:     %zu\n",
           name, issuer, info->number.size == 0 ? "none" : "0x", number, base_text_time(info->this_update, this_update),
           base_text_time(info->next_update, next_update), state_of(info), info->revoked_count);
    free(issuer);
    free(number);
}

/* ---- the folder ---- */

static char *path_in(const struct options *o, const char *name)
{
    return base_printf("%s/%s", o->directory, name);
}

/* Of the errno there is. */
static char *path_failed(const char *path, const char *what)
{
    char *why = base_file_why(path, errno), *error = base_printf("%s: cannot be %s: %s", path, what, why);

    free(why);
    return error;
}

/* The list of the file; *data is the caller's and what info borrows. */
static bool read_stored(const char *path, uint8_t **data, struct pkix_crl_info *info, char **error)
{
    enum pkix_error status;
    size_t size;

    if (!pkix_file_read(path, data, &size, error))
        return false;
    status = pkix_crl_info_read(span_of(*data, size), info);
    if (status == PKIX_OK)
        return true;
    *error = base_printf("%s: %s", path, pkix_error_sentence(status));
    free(*data);
    *data = NULL;
    return false;
}

/* ---- the commands ---- */

/* Whether the stored list of that path, if there is one, is no newer. */
static bool is_news(const char *path, const struct pkix_crl_info *info, char **error)
{
    struct pkix_crl_info old;
    uint8_t *data;
    bool news;

    if (access(path, F_OK) != 0)
        return true;
    if (!read_stored(path, &data, &old, error)) {
        free(*error); /* a damaged file is replaced */
        *error = NULL;
        return true;
    }
    news = !pkix_crl_is_older(info, &old);
    free(data);
    if (!news)
        *error = base_strdup("the stored list of this issuer is newer");
    return news;
}

/* Lists that have been checked and written beside where they go: all of a file are stored, or none. */
struct staged {
    char *path, *beside;
    uint8_t *der;
    struct pkix_crl_info info; /* borrows der */
    char name[PKIX_CRL_FILE_NAME_SIZE];
};

struct adding {
    const struct options *o;
    struct staged *items;
    size_t count;
};

static void staged_clear(struct staged *s)
{
    base_file_discard(&s->beside);
    free(s->path);
    free(s->der);
    *s = (struct staged){.path = NULL};
}

/* Whether no other list of the file takes the same place. */
static bool is_only_one(const struct adding *a, const struct staged *s, char **why)
{
    for (size_t i = 0; i < a->count; i++) {
        if (strcmp(a->items[i].name, s->name) == 0) {
            *why = base_strdup("the file has another list of this issuer and scope; only the newest is kept: take the "
                               "other out");
            return false;
        }
    }
    return true;
}

static bool stage_one(void *ctx, struct span der, const char *origin, char **error)
{
    struct adding *a = ctx;
    struct pkix_crl_set *check = pkix_crl_set_create();
    struct staged s = {.der = base_memdup(der.data, der.size)};
    char *why = NULL;
    bool good = pkix_crl_set_add(check, der, origin, error);

    pkix_crl_set_destroy(&check);
    if (good) {
        good = pkix_crl_info_read(span_of(s.der, der.size), &s.info) == PKIX_OK && pkix_crl_file_name(der, s.name);
        if (good) {
            s.path = path_in(a->o, s.name);
            good = is_news(s.path, &s.info, &why) && is_only_one(a, &s, &why) &&
                   base_file_stage(s.path, der, &s.beside, &why);
        }
        if (!good)
            *error = base_printf("%s: %s", origin, why == NULL ? "cannot be named" : why);
    }
    free(why);
    if (!good) {
        staged_clear(&s);
        return false;
    }
    a->items = base_realloc_array(a->items, a->count + 1, sizeof(*a->items));
    a->items[a->count++] = s;
    return true;
}

static bool run_add(const struct options *o, char **error)
{
    struct adding a = {.o = o};
    bool good = base_folder_make(o->directory, 0755, NULL, error) &&
                pkix_pem_each_path(o->argument, &pkix_pem_crls, stage_one, &a, error);

    for (size_t i = 0; i < a.count && good; i++) {
        good = base_file_commit(a.items[i].path, &a.items[i].beside, error);
        if (good)
            print_line(a.items[i].name, &a.items[i].info);
    }
    if (good)
        printf("%s: %zu list%s\n", o->argument, a.count, a.count == 1 ? "" : "s");
    for (size_t i = 0; i < a.count; i++)
        staged_clear(&a.items[i]);
    free(a.items);
    return good;
}

static int is_list(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return entry->d_name[0] != '.' && dot != NULL && strcmp(dot, ".crl") == 0;
}

static bool run_list(const struct options *o, char **error)
{
    struct dirent **entries = NULL;
    int count = scandir(o->directory, &entries, is_list, alphasort);
    json_t *array = json_array();
    bool ok = count >= 0;

    if (!ok)
        *error = path_failed(o->directory, "read");
    for (int i = 0; i < count; i++) {
        char *path = path_in(o, entries[i]->d_name);
        struct pkix_crl_info info;
        uint8_t *data = NULL;

        ok = ok && read_stored(path, &data, &info, error);
        if (ok && o->json)
            (void)json_array_append_new(array, info_json(entries[i]->d_name, &info));
        else if (ok)
            print_line(entries[i]->d_name, &info);
        free(data);
        free(path);
        free(entries[i]);
    }
    free(entries);
    if (ok && o->json)
        print_json(array);
    else
        json_decref(array);
    return ok;
}

static bool show_one(void *ctx, struct span der, const char *origin, char **error)
{
    const struct options *o = ctx;
    struct pkix_crl_info info;
    enum pkix_error status = pkix_crl_info_read(der, &info);

    if (status != PKIX_OK) {
        *error = base_printf("%s: %s", origin, pkix_error_sentence(status));
        return false;
    }
    if (o->json)
        print_json(info_json(o->argument, &info));
    else
        print_words(o->argument, &info);
    return true;
}

/* A name without a folder is one of a list that is kept, or else of a file that is here. */
static char *path_to_show(const struct options *o)
{
    char *kept = path_in(o, o->argument);

    if (strchr(o->argument, '/') == NULL && (access(kept, F_OK) == 0 || access(o->argument, F_OK) != 0))
        return kept;
    free(kept);
    return base_strdup(o->argument);
}

static bool run_show(const struct options *o, char **error)
{
    char *path = path_to_show(o);
    bool shown = pkix_pem_each_path(path, &pkix_pem_crls, show_one, (void *)(uintptr_t)o, error);

    free(path);
    return shown;
}

static bool run_delete(const struct options *o, char **error)
{
    char *path;
    bool deleted;

    if (strchr(o->argument, '/') != NULL || o->argument[0] == '.') {
        *error = base_printf("%s is not a name that yett crl list prints", o->argument);
        return false;
    }
    path = path_in(o, o->argument);
    deleted = unlink(path) == 0;
    if (!deleted)
        *error = path_failed(path, "deleted");
    free(path);
    return deleted;
}

static const struct command commands[] = {
    {"add", false, true, run_add, cmd_crl_help_add},
    {"list", true, false, run_list, cmd_crl_help_list},
    {"show", true, true, run_show, cmd_crl_help_show},
    {"delete", false, true, run_delete, cmd_crl_help_delete},
};

/* ---- the command line ---- */

static int misused(const struct options *o, const char *sentence, const char *what)
{
    fprintf(stderr, "yett crl %s: %s%s; see: yett crl %s --help\n", o->command, sentence, what, o->command);
    return EXIT_USAGE;
}

/* NSS hashes the names of files. */
static int run_with_nss(const struct command *command, const struct options *o)
{
    const struct tls_runtime_options runtime = {.database = NULL};
    char *error = NULL, *ignored = NULL;
    bool done = tls_runtime_start(&runtime, &error);

    if (done) {
        done = command->run(o, &error);
        if (!tls_runtime_stop(done ? &error : &ignored))
            done = false;
        free(ignored);
    }
    if (done)
        return EXIT_DONE;
    fprintf(stderr, "yett crl %s: %s\n", o->command, error);
    free(error);
    return EXIT_NOT_DONE;
}

static int run_command(const struct command *command, int argc, char **argv)
{
    static const struct option long_options[] = {{"directory", required_argument, NULL, 'd'},
                                                 {"json", no_argument, NULL, 'j'},
                                                 {"help", no_argument, NULL, 'h'},
                                                 {NULL, 0, NULL, 0}};
    struct options o = {.command = command->name, .directory = default_directory};
    int option;

    opterr = 0;
    optind = 1;
    while ((option = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
        if (option == 'h') {
            fputs(command->help, stdout);
            return EXIT_DONE;
        }
        if (option == ':')
            return misused(&o, "a value is missing after ", argv[optind - 1]);
        if (option == '?' || (option == 'j' && !command->takes_json))
            return misused(&o, "it does not take ", argv[optind - 1]);
        if (option == 'd')
            o.directory = optarg;
        else
            o.json = true;
    }
    if (argc - optind != (command->takes_argument ? 1 : 0))
        return misused(&o, command->takes_argument ? "it takes one argument" : "it takes no arguments", "");
    o.argument = argv[optind];
    return run_with_nss(command, &o);
}

int cmd_crl(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        fputs(cmd_crl_help, argc < 2 ? stderr : stdout);
        return argc < 2 ? EXIT_USAGE : EXIT_DONE;
    }
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return run_command(&commands[i], argc - 1, argv + 1);
    fprintf(stderr, "yett crl: there is no command %s; see: yett crl --help\n", argv[1]);
    return EXIT_USAGE;
}
