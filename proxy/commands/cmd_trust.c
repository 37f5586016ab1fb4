/* see proxy/commands/cmd_trust.h */
#include "proxy/commands/cmd_trust.h"

#include "base/file.h"
#include "base/text.h"
#include "pkix/cert.h"
#include "pkix/certdata.h"
#include "pkix/dn.h"
#include "pkix/pem.h"
#include "pkix/roots.h"
#include "proxy/commands/cmd_trust_help.h"
#include "proxy/commands/subcommand.h"
#include "tls/runtime.h"

#include <inttypes.h>
#include <jansson.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

enum { TOLD_MAX = 40 /* roots named one by one */ };

struct trust_options {
    struct subcommand_line line;
    const char *roots, *date;
    bool json, force;
};

static int64_t days_since(int64_t seconds)
{
    return ((int64_t)time(NULL) - seconds) / PKIX_ROOTS_SECONDS_PER_DAY;
}

/* ---- reading ---- */

static bool add_bundle_root(void *ctx, struct span der, const char *origin, char **error)
{
    struct pkix_roots *roots = ctx;
    struct pkix_store *probe = pkix_store_create();
    bool is_authority, usable = pkix_store_add_authority(probe, der, origin, &is_authority, error);

    pkix_store_destroy(&probe);
    if (!usable)
        return false;
    if (!is_authority) {
        *error = base_printf("%s: is no authority's certificate", origin);
        return false;
    }
    if (pkix_roots_add(roots, der, INT64_MAX))
        return true;
    *error = base_printf("%s: there are more than %d", origin, PKIX_ROOTS_MAX);
    return false;
}

static struct pkix_roots *read_bundle(struct span text, const char *path, char **error)
{
    struct pkix_roots *roots = pkix_roots_create();
    size_t count;

    if (!pkix_pem_each(text, &pkix_pem_certificates, path, add_bundle_root, roots, &count, error))
        pkix_roots_destroy(&roots);
    return roots;
}

/* --date, or else the file's own. */
static bool choose_date(const struct trust_options *o, const struct stat *info, int64_t *date, char **error)
{
    *date = (int64_t)info->st_mtim.tv_sec;
    if (o->date != NULL && !pkix_distrust_time_read(span_of_string(o->date), date)) {
        *error = base_printf("--date is a day such as 2026-11-20, not %s", o->date);
        return false;
    }
    *date -= *date % PKIX_ROOTS_SECONDS_PER_DAY; /* a list is of a day */
    if (*date > (int64_t)time(NULL) + PKIX_ROOTS_SECONDS_PER_DAY) {
        *error = base_printf("the day of the list is in the future; say which it is with --date");
        return false;
    }
    return true;
}

static struct pkix_roots *read_list(const struct trust_options *o, char **error)
{
    const char *path = o->line.arguments[0];
    char *name = base_strdup(path);
    struct pkix_roots *roots = NULL;
    struct stat info;
    uint8_t *data;
    size_t size;
    int64_t date;

    if (base_file_read(path, BASE_FILE_TRUSTED, PKIX_ROOTS_FILE_BYTES_MAX, &data, &size, &info, error)) {
        if (choose_date(o, &info, &date, error))
            roots = pkix_certdata_is(span_of(data, size)) ? pkix_certdata_read(span_of(data, size), path, error)
                                                          : read_bundle(span_of(data, size), path, error);
        if (roots != NULL) {
            roots->date = date;
            roots->source = base_printf("%.*s", PKIX_ROOTS_SOURCE_MAX, basename(name));
            roots->source[strcspn(roots->source, "\r\n")] = '\0';
        }
        free(data);
    }
    free(name);
    return roots;
}

/* ---- what changes ---- */

static void tell(const char *what, size_t number, struct span subject)
{
    char *text = pkix_dn_text(subject);

    if (number < TOLD_MAX)
        printf("  %s %s\n", what, text);
    else if (number == TOLD_MAX)
        puts("  and more");
    free(text);
}

/* The anchors of `a` that `b` does not have. */
static size_t tell_missing(const struct pkix_store *a, const struct pkix_store *b, const char *what)
{
    size_t missing = 0;

    for (size_t i = 0; i < pkix_store_anchor_count(a); i++)
        if (!pkix_store_has_anchor(b, pkix_store_anchor_der(a, i)))
            tell(what, missing++, pkix_store_anchor_subject(a, i));
    return missing;
}

static bool is_plausible(const struct trust_options *o, const struct pkix_roots *roots, size_t before, size_t removed,
                         char **error)
{
    struct pkix_roots_state state;
    char date[BASE_TEXT_TIME_SIZE];

    if (o->force)
        return true;
    if (2 * removed > before) {
        *error = base_printf("the list lacks %zu of the %zu roots in use: is it all of Mozilla's? --force takes it",
                             removed, before);
        return false;
    }
    if (!pkix_roots_state_read(o->roots, &state, error))
        return false;
    if (!state.kept || state.date <= roots->date)
        return true;
    *error = base_printf("the list kept in %s is newer, of %s; --force takes this one", o->roots,
                         base_text_day(state.date, date));
    return false;
}

static bool keep(const struct trust_options *o, const struct pkix_roots *roots, char **error)
{
    char *text = pkix_roots_text(roots);
    bool kept = base_file_write_public(o->roots, span_of_string(text), error);

    free(text);
    return kept;
}

static bool update(const struct trust_options *o, const struct pkix_roots *roots, char **error)
{
    struct pkix_store *before = pkix_store_create(), *after = pkix_store_create();
    size_t removed = 0, added, count;
    char date[BASE_TEXT_TIME_SIZE];
    bool done = pkix_store_add_mozilla(before, o->roots, error);

    if (!done) { /* a kept list that is damaged is replaced */
        fprintf(stderr, "yett trust update: %s\n", *error);
        free(*error);
        *error = NULL;
    }
    pkix_store_add_roots(after, roots);
    pkix_roots_apply_known(after, NULL, NULL);
    count = pkix_store_anchor_count(after);
    added = tell_missing(after, before, "+");
    removed = tell_missing(before, after, "-");
    done = is_plausible(o, roots, pkix_store_anchor_count(before), removed, error) && keep(o, roots, error);
    if (done)
        printf("%s: %zu roots for servers, as of %s: %zu new, %zu gone; yett reload puts them to use\n", o->roots,
               count, base_text_day(roots->date, date), added, removed);
    pkix_store_destroy(&before);
    pkix_store_destroy(&after);
    return done;
}

/* ---- status ---- */

struct status {
    struct pkix_roots_state state;
    struct pkix_roots *kept; /* NULL: there is none */
    size_t count, removed, restricted, missing;
    json_t *missing_names;
    const struct pkix_store *store;
};

static void note_missing(void *ctx, const struct pkix_distrust_rule *rule)
{
    struct status *status = ctx;

    if (rule->verb != PKIX_DISTRUST_ADDED || pkix_store_has_anchor_sha256(status->store, rule->sha256))
        return;
    status->missing++;
    json_array_append_new(status->missing_names, json_stringn((const char *)rule->note.data, rule->note.size));
}

static bool read_status(const struct trust_options *o, struct status *status, char **error)
{
    struct pkix_store *store = pkix_store_create(), *untouched = pkix_store_create();
    bool read = pkix_roots_state_read(o->roots, &status->state, error) &&
                (!status->state.kept || (status->kept = pkix_roots_file_read(o->roots, error)) != NULL) &&
                pkix_store_add_mozilla(store, o->roots, error);

    status->store = store;
    if (read && status->kept == NULL)
        read = pkix_store_add_module_roots(untouched, error);
    else if (read)
        pkix_store_add_roots(untouched, status->kept);
    if (read) {
        pkix_roots_apply_known(untouched, &status->removed, &status->restricted);
        status->count = pkix_store_anchor_count(store);
        pkix_roots_each_known(note_missing, status);
    }
    pkix_store_destroy(&store);
    pkix_store_destroy(&untouched);
    return read;
}

static void print_status(const struct trust_options *o, const struct status *status)
{
    char date[BASE_TEXT_TIME_SIZE];
    size_t i;
    json_t *name;

    if (status->kept != NULL)
        printf("mozilla: %zu roots for servers, kept in %s, made from %s\n", status->count, o->roots,
               status->kept->source);
    else
        printf("mozilla: %zu roots for servers, from NSS's libnssckbi.so\n", status->count);
    if (status->removed + status->restricted > 0)
        printf("held against what is known to have changed: %zu removed, %zu restricted to what they signed before a "
               "date\n",
               status->removed, status->restricted);
    printf("as of %s, %" PRId64 " day%s ago%s\n", base_text_day(status->state.date, date),
           days_since(status->state.date), days_since(status->state.date) == 1 ? "" : "s",
           days_since(status->state.date) > PKIX_ROOTS_AGE_DAYS_MAX ? ": yett trust update takes in a newer list" : "");
    if (status->missing > 0)
        printf("not in it, though Mozilla has added them since (trust = system, or yett trust update):\n");
    json_array_foreach(status->missing_names, i, name) printf("  %s\n", json_string_value(name));
}

static void print_status_json(const struct trust_options *o, const struct status *status)
{
    char date[BASE_TEXT_TIME_SIZE];
    json_t *object = json_pack(
        "{s:s, s:s?, s:s, s:I, s:I, s:I, s:I, s:O}", "source", status->kept == NULL ? "nss" : "kept", "path",
        status->kept == NULL ? NULL : o->roots, "date", base_text_day(status->state.date, date), "age_days",
        (json_int_t)days_since(status->state.date), "roots", (json_int_t)status->count, "removed",
        (json_int_t)status->removed, "restricted", (json_int_t)status->restricted, "missing", status->missing_names);

    json_dumpf(object, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(object);
}

/* ---- the command line ---- */

/* NSS hashes, and has the module. */
static int with_nss(const struct trust_options *o, bool (*run)(const struct trust_options *o, char **error))
{
    const struct tls_runtime_options runtime = {.database = NULL};
    char *error = NULL, *ignored = NULL;
    bool done = tls_runtime_start(&runtime, &error);

    if (done) {
        done = run(o, &error);
        if (!tls_runtime_stop(done ? &error : &ignored))
            done = false;
        free(ignored);
    }
    return done ? SUBCOMMAND_DONE : subcommand_failed(&o->line, &error);
}

static bool update_from_file(const struct trust_options *o, char **error)
{
    struct pkix_roots *roots = read_list(o, error);
    bool done = roots != NULL && update(o, roots, error);

    pkix_roots_destroy(&roots);
    return done;
}

static bool tell_status(const struct trust_options *o, char **error)
{
    struct status status = {.missing_names = json_array()};
    bool read = read_status(o, &status, error);

    if (read && o->json)
        print_status_json(o, &status);
    else if (read)
        print_status(o, &status);
    json_decref(status.missing_names);
    pkix_roots_destroy(&status.kept);
    return read;
}

static int run_update(void *options)
{
    return with_nss(options, update_from_file);
}

static int run_status(void *options)
{
    return with_nss(options, tell_status);
}

#define OPTION(name, letter, type, member)                                                                             \
    {                                                                                                                  \
        name, letter, SUBCOMMAND_##type, offsetof(struct trust_options, member)                                        \
    }

static const struct subcommand_option options_table[] = {
    OPTION("roots", 'r', TEXT, roots),
    OPTION("date", 'd', TEXT, date),
    OPTION("force", 'f', FLAG, force),
    OPTION("json", 'j', FLAG, json),
};

static const struct subcommand commands[] = {
    {"update", "df", 1, 1, "it takes one file, a certdata.txt or a PEM bundle", run_update, cmd_trust_help_update},
    {"status", "j", 0, 0, "it takes options only", run_status, cmd_trust_help_status},
};

int cmd_trust(int argc, char **argv)
{
    static const struct subcommand_set set = {
        .name = "trust",
        .help = cmd_trust_help,
        .commands = commands,
        .command_count = ARRAY_LEN(commands),
        .options = options_table,
        .option_count = ARRAY_LEN(options_table),
        .for_all = "r",
        .short_options = ":h",
    };
    struct trust_options options = {.roots = pkix_roots_kept_path};

    return subcommand_main(&set, &options, argc, argv);
}
