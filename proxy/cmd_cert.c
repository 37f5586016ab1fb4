/* see proxy/cmd_cert.h */
#include "proxy/cmd_cert.h"
#include "proxy/cmd_cert_help.h"
#include "tls/database.h"
#include "tls/issue.h"
#include "tls/pem.h"
#include "tls/runtime.h"

#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_DONE = 0, EXIT_NOT_DONE = 1, EXIT_USAGE = 2, PASSWORD_BYTES_MAX = 1024 };

static const char default_database[] = "sql:/var/lib/yett/nss";
static const char certificate_label[] = "CERTIFICATE";
static const char key_label[] = "PRIVATE KEY";

/* All that any of the commands can be told. Strings are those of argv. */
struct options {
    const char *command;
    const char *database;
    const char *password_file;
    const char *subject;
    const char *issuer;
    const char *request;
    const char *out;
    const char *out_key;
    const char *key_file;
    const char *pkcs12_password_file;
    const char *key_type;
    const char **sans;
    size_t san_count;
    unsigned days;
    bool ca, server, client, self_signed, none, with_key, pkcs12, json;
    char **arguments;
    int argument_count;
};

struct command {
    const char *name;
    const char *allowed; /* `val`s of the options it takes, besides -h, -d and -p */
    int arguments;       /* how many it wants */
    int (*run)(const struct options *o);
    const char *help;
};

static int failed(const struct options *o, char **error)
{
    fprintf(stderr, "yett cert %s: %s\n", o->command, *error);
    free(*error);
    *error = NULL;
    return EXIT_NOT_DONE;
}

static int misused(const struct options *o, const char *sentence)
{
    fprintf(stderr, "yett cert %s: %s; see: yett cert %s --help\n", o->command, sentence, o->command);
    return EXIT_USAGE;
}

/* Opening and closing */

static bool read_password(const char *path, char **password, char **error)
{
    uint8_t *data;
    size_t size;

    *password = NULL;
    if (path == NULL)
        return true;
    if (!tls_file_read(path, PASSWORD_BYTES_MAX, &data, &size, error))
        return false;
    *password = (char *)data;
    (*password)[strcspn(*password, "\r\n")] = '\0';
    return true;
}

enum access { LOOK, CHANGE, CHANGE_OR_CREATE };

static bool database_open(const struct options *o, enum access access, char **error)
{
    const struct tls_runtime_options runtime = {.database = o->database, .database_writable = access != LOOK};
    char *password = NULL, *ignored = NULL;
    bool open;

    if (!tls_database_prepare(o->database, access == CHANGE_OR_CREATE ? TLS_DATABASE_CREATE : TLS_DATABASE_EXISTING,
                              error) ||
        !read_password(o->password_file, &password, error))
        return false;
    open = tls_runtime_start(&runtime, error);
    if (open && !tls_database_unlock(password, error)) {
        open = false;
        if (!tls_runtime_stop(&ignored))
            free(ignored); /* the first error is the one that is told */
    }
    base_wipe_string(&password);
    return open;
}

static int database_close(const struct options *o, int status)
{
    char *error = NULL;

    if (tls_runtime_stop(&error))
        return status;
    failed(o, &error);
    return status == EXIT_DONE ? EXIT_NOT_DONE : status;
}

/* "sha256=HEX" or HEX */
static const char *fingerprint_of(const char *argument)
{
    static const char prefix[] = "sha256=";

    return strncmp(argument, prefix, strlen(prefix)) == 0 ? argument + strlen(prefix) : argument;
}

static bool is_fingerprint(const char *argument)
{
    char sha256[65];

    return strncmp(argument, "sha256=", 7) == 0 || tls_database_sha256_parse(argument, sha256);
}

/* The certificate a PEM file begins with. The caller clears *pem. */
static bool read_cert(const char *path, struct tls_pem *pem, struct span *der, char **error)
{
    if (!tls_pem_read_file(path, pem, error))
        return false;
    for (size_t i = 0; i < pem->count; i++) {
        if (strcmp(pem->blocks[i].label, certificate_label) == 0) {
            *der = span_of(pem->blocks[i].der, pem->blocks[i].size);
            return true;
        }
    }
    *error = base_printf("%s: there is no certificate in it", path);
    tls_pem_clear(pem);
    return false;
}

/* Writing files */

static bool key_file_is_free(const char *path, char **error)
{
    if (path == NULL || access(path, F_OK) != 0)
        return true;
    *error = base_printf("%s: exists already, and a key is never written over; move it away first", path);
    return false;
}

static bool write_cert(const char *path, struct span der, char **error)
{
    char *text = tls_pem_encode(certificate_label, der);
    bool written = tls_pem_write_file(path, TLS_PEM_PUBLIC, text, error);

    free(text);
    return written;
}

/* The key alone, or after its certificate when both go to one file: such a file is an identity = file:... */
static bool write_key(const char *path, const char *sha256, struct span cert_in_front, char **error)
{
    char *cert = cert_in_front.size == 0 ? base_strdup("") : tls_pem_encode(certificate_label, cert_in_front);
    char *key = NULL, *text = NULL;
    uint8_t *der;
    size_t size;
    bool written = false;

    if (tls_database_export_key(sha256, &der, &size, error)) {
        key = tls_pem_encode(key_label, span_of(der, size));
        text = base_printf("%s%s", cert, key);
        written = tls_pem_write_file(path, TLS_PEM_SECRET, text, error);
        base_wipe(der, size);
        free(der);
    }
    base_wipe_string(&key);
    base_wipe_string(&text);
    free(cert);
    return written;
}

static bool write_files(const struct options *o, const char *sha256, struct span der, char **error)
{
    bool together = o->out != NULL && o->out_key != NULL && strcmp(o->out, o->out_key) == 0;

    if (o->out != NULL && !together && !write_cert(o->out, der, error))
        return false;
    return o->out_key == NULL || write_key(o->out_key, sha256, together ? der : span_of(NULL, 0), error);
}

/* create */

static bool find_issuer(const struct options *o, char sha256[65], char **error)
{
    struct tls_database_entry entry;
    struct tls_pem pem;
    struct span der;
    bool found;

    if (is_fingerprint(o->issuer)) {
        if (tls_database_sha256_parse(fingerprint_of(o->issuer), sha256))
            return true;
        *error = base_printf("%s is not sha256= and 64 hexadecimal digits", o->issuer);
        return false;
    }
    if (!read_cert(o->issuer, &pem, &der, error))
        return false;
    found = tls_database_describe(der, &entry, error);
    if (found) {
        memcpy(sha256, entry.sha256, sizeof(entry.sha256));
        tls_database_entry_clear(&entry);
    }
    tls_pem_clear(&pem);
    return found;
}

static bool read_request(const struct options *o, struct tls_pem *pem, struct span *der, char **error)
{
    if (o->request == NULL)
        return true;
    if (!tls_pem_read_file(o->request, pem, error))
        return false;
    for (size_t i = 0; i < pem->count; i++) {
        if (strcmp(pem->blocks[i].label, "CERTIFICATE REQUEST") == 0 ||
            strcmp(pem->blocks[i].label, "NEW CERTIFICATE REQUEST") == 0) {
            *der = span_of(pem->blocks[i].der, pem->blocks[i].size);
            return true;
        }
    }
    *error = base_printf("%s: there is no certificate request in it", o->request);
    tls_pem_clear(pem);
    return false;
}

static bool create_cert(const struct options *o, struct tls_issue_options *issue, char **error)
{
    struct tls_pem pem = {.blocks = NULL};
    struct tls_issued issued;
    char issuer[65];
    bool made = false;

    if (!key_file_is_free(o->out_key, error) || !read_request(o, &pem, &issue->request, error))
        return false;
    if (o->issuer != NULL && !find_issuer(o, issuer, error))
        goto out;
    issue->issuer_sha256 = o->issuer == NULL ? NULL : issuer;
    if (!tls_issue(issue, &issued, error))
        goto out;
    made = write_files(o, issued.sha256, span_of(issued.der, issued.size), error);
    if (made)
        printf("sha256=%s\n", issued.sha256);
    tls_issued_clear(&issued);

out:
    issue->issuer_sha256 = NULL; /* was here */
    issue->request = (struct span){.data = NULL};
    tls_pem_clear(&pem);
    return made;
}

static int run_create(const struct options *o)
{
    struct tls_issue_options issue = {
        .subject = o->subject, .sans = o->sans, .san_count = o->san_count, .days = o->days, .now = time(NULL)};
    char *error = NULL;
    int status = EXIT_DONE;

    if (o->key_type != NULL && !tls_key_type_parse(o->key_type, &issue.key_type))
        return misused(o, "--key-type is p256, p384, rsa2048, rsa3072 or rsa4096");
    if (o->ca && (o->server || o->client))
        return misused(o, "an authority (--ca) is not a --server or --client too");
    if (!o->ca && o->issuer == NULL && !o->self_signed)
        return misused(o, "say who issues it: --issuer, or --self-signed for a test");
    if (o->issuer != NULL && o->self_signed)
        return misused(o, "--issuer and --self-signed do not go together");
    if (o->request != NULL && (o->out_key != NULL || o->key_type != NULL))
        return misused(o, "with --request the key is elsewhere: --out-key and --key-type do not go with it");
    if (o->request != NULL && o->out == NULL)
        return misused(o, "with --request say where the certificate goes: --out FILE");
    if (o->request == NULL && o->subject == NULL)
        return misused(o, "say whose certificate it is: --subject CN=NAME");
    issue.use = (o->ca ? TLS_ISSUE_CA : 0) | (o->server ? TLS_ISSUE_SERVER : 0) | (o->client ? TLS_ISSUE_CLIENT : 0);
    if (issue.use == 0)
        issue.use = TLS_ISSUE_SERVER;

    if (!database_open(o, o->issuer == NULL ? CHANGE_OR_CREATE : CHANGE, &error))
        return failed(o, &error);
    if (!create_cert(o, &issue, &error))
        status = failed(o, &error);
    return database_close(o, status);
}

/* list and show */

static void date_text(int64_t seconds, char out[32])
{
    time_t when = (time_t)seconds;
    struct tm parts;

    gmtime_r(&when, &parts);
    strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

static json_t *entry_json(const struct tls_database_entry *e)
{
    char from[32], until[32];
    json_t *trust = json_array();

    date_text(e->not_before, from);
    date_text(e->not_after, until);
    if (e->trust & TLS_DATABASE_TRUST_SERVER)
        json_array_append_new(trust, json_string("server"));
    if (e->trust & TLS_DATABASE_TRUST_CLIENT)
        json_array_append_new(trust, json_string("client"));
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:o}", "sha256", e->sha256, "subject",
                     e->subject, "issuer", e->issuer, "serial", e->serial, "names", e->sans, "not_before", from,
                     "not_after", until, "key", e->key, "has_key", e->has_key, "ca", e->is_ca, "trust", trust);
}

static void print_json(json_t *value)
{
    json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
    putchar('\n');
    json_decref(value);
}

static void print_line(const struct tls_database_entry *e)
{
    static const char *const trusts[] = {"", ", trusted for servers", ", trusted for clients",
                                         ", trusted for servers and clients"};
    char until[32];

    date_text(e->not_after, until);
    printf("sha256=%s\n    %s, %s%s%s%s, until %s\n", e->sha256, e->subject, e->key, e->has_key ? " with its key" : "",
           e->is_ca ? ", authority" : "", trusts[e->trust], until);
}

static int run_list(const struct options *o)
{
    struct tls_database_list list;
    char *error = NULL;
    json_t *array;

    if (!database_open(o, LOOK, &error))
        return failed(o, &error);
    if (!tls_database_list(&list, &error))
        return database_close(o, failed(o, &error));
    if (o->json) {
        array = json_array();
        for (size_t i = 0; i < list.count; i++)
            json_array_append_new(array, entry_json(&list.entries[i]));
        print_json(array);
    } else {
        for (size_t i = 0; i < list.count; i++)
            print_line(&list.entries[i]);
    }
    tls_database_list_clear(&list);
    return database_close(o, EXIT_DONE);
}

static void show_entry(const struct options *o, const struct tls_database_entry *entry)
{
    char *text, *pem;

    if (o->json) {
        print_json(entry_json(entry));
        return;
    }
    text = tls_database_entry_text(entry);
    pem = tls_pem_encode(certificate_label, span_of(entry->der, entry->size));
    printf("%s%s", text, pem);
    free(text);
    free(pem);
}

static bool show_file(const struct options *o, const char *path, char **error)
{
    struct tls_pem pem;
    bool ok, any = false;

    if (!tls_pem_read_file(path, &pem, error))
        return false;
    ok = true;
    for (size_t i = 0; ok && i < pem.count; i++) {
        struct tls_database_entry entry;

        if (strcmp(pem.blocks[i].label, certificate_label) != 0)
            continue;
        if (any && !o->json)
            putchar('\n');
        any = true;
        ok = tls_database_describe(span_of(pem.blocks[i].der, pem.blocks[i].size), &entry, error);
        if (ok) {
            show_entry(o, &entry);
            tls_database_entry_clear(&entry);
        }
    }
    if (ok && !any)
        *error = base_printf("%s: there is no certificate in it", path);
    tls_pem_clear(&pem);
    return ok && any;
}

static int run_show(const struct options *o)
{
    const char *what = o->arguments[0];
    struct tls_database_entry entry;
    char *error = NULL;
    bool shown;

    if (is_fingerprint(what)) {
        if (!database_open(o, LOOK, &error))
            return failed(o, &error);
        shown = tls_database_find(fingerprint_of(what), &entry, &error);
        if (shown) {
            show_entry(o, &entry);
            tls_database_entry_clear(&entry);
        }
    } else {
        if (!tls_runtime_start(&(struct tls_runtime_options){.database = NULL}, &error))
            return failed(o, &error);
        shown = show_file(o, what, &error);
    }
    return database_close(o, shown ? EXIT_DONE : failed(o, &error));
}

/* import and export */

static bool import_blocks(const struct tls_pem *pem, bool keys, char **error)
{
    for (size_t i = 0; i < pem->count; i++) {
        const struct tls_pem_block *block = &pem->blocks[i];
        bool is_cert = strcmp(block->label, certificate_label) == 0;
        char sha256[65];

        if (is_cert == keys)
            continue;
        if (is_cert ? !tls_database_import_cert(span_of(block->der, block->size), sha256, error)
                    : !tls_database_import_key(block->label, span_of(block->der, block->size), sha256, error))
            return false;
        if (is_cert)
            printf("sha256=%s\n", sha256);
    }
    return true;
}

static bool import_pem(const struct options *o, char **error)
{
    struct tls_pem pem, key = {.blocks = NULL};
    bool done;

    if (!tls_pem_read_file(o->arguments[0], &pem, error))
        return false;
    /* Both files are read before anything is stored, and certificates are stored before their keys. */
    done = (o->key_file == NULL || tls_pem_read_file(o->key_file, &key, error)) && import_blocks(&pem, false, error) &&
           import_blocks(&pem, true, error) && import_blocks(&key, true, error);
    tls_pem_clear(&pem);
    tls_pem_clear(&key);
    return done;
}

static bool import_pkcs12(const struct options *o, char **error)
{
    enum { PKCS12_BYTES_MAX = 4 * 1024 * 1024 };
    char *password = NULL;
    uint8_t *data;
    size_t size, count;
    bool done;

    if (!tls_file_read(o->arguments[0], PKCS12_BYTES_MAX, &data, &size, error))
        return false;
    done = read_password(o->pkcs12_password_file, &password, error) &&
           tls_database_import_pkcs12(span_of(data, size), password == NULL ? "" : password, &count, error);
    if (done)
        printf("%zu certificate%s imported; see: yett cert list\n", count, count == 1 ? "" : "s");
    base_wipe_string(&password);
    free(data);
    return done;
}

static int run_import(const struct options *o)
{
    char *error = NULL;
    bool done;

    if (o->pkcs12 && o->key_file != NULL)
        return misused(o, "a PKCS#12 file brings its keys along: --key does not go with --pkcs12");
    if (!o->pkcs12 && o->pkcs12_password_file != NULL)
        return misused(o, "--pkcs12-password-file goes with --pkcs12 only");
    if (!database_open(o, CHANGE_OR_CREATE, &error))
        return failed(o, &error);
    done = o->pkcs12 ? import_pkcs12(o, &error) : import_pem(o, &error);
    return database_close(o, done ? EXIT_DONE : failed(o, &error));
}

static int run_export(const struct options *o)
{
    struct tls_database_entry entry = {.der = NULL};
    char *error = NULL;
    bool done;

    if (!database_open(o, LOOK, &error))
        return failed(o, &error);
    done = key_file_is_free(o->out_key, &error) && tls_database_find(fingerprint_of(o->arguments[0]), &entry, &error) &&
           write_files(o, entry.sha256, span_of(entry.der, entry.size), &error);
    if (done && o->out == NULL && o->out_key == NULL) {
        char *text = tls_pem_encode(certificate_label, span_of(entry.der, entry.size));

        fputs(text, stdout);
        free(text);
    }
    tls_database_entry_clear(&entry);
    return database_close(o, done ? EXIT_DONE : failed(o, &error));
}

/* trust and delete */

static int run_trust(const struct options *o)
{
    unsigned trust = (o->server ? TLS_DATABASE_TRUST_SERVER : 0) | (o->client ? TLS_DATABASE_TRUST_CLIENT : 0);
    char *error = NULL;

    if (o->none == (trust != 0))
        return misused(o, "say --server, --client, both of them, or --none");
    if (!database_open(o, CHANGE, &error))
        return failed(o, &error);
    if (!tls_database_set_trust(fingerprint_of(o->arguments[0]), trust, &error))
        return database_close(o, failed(o, &error));
    return database_close(o, EXIT_DONE);
}

static int run_delete(const struct options *o)
{
    char *error = NULL;

    if (!database_open(o, CHANGE, &error))
        return failed(o, &error);
    if (!tls_database_delete(fingerprint_of(o->arguments[0]),
                             o->with_key ? TLS_DATABASE_DELETE_KEY : TLS_DATABASE_KEEP_KEY, &error))
        return database_close(o, failed(o, &error));
    return database_close(o, EXIT_DONE);
}

/* Options */

static const struct command commands[] = {
    {"create", "CSUsinrRDKok", 0, run_create, cmd_cert_help_create},
    {"list", "j", 0, run_list, cmd_cert_help_list},
    {"show", "j", 1, run_show, cmd_cert_help_show},
    {"import", "fPw", 1, run_import, cmd_cert_help_import},
    {"export", "ok", 1, run_export, cmd_cert_help_export},
    {"trust", "SUN", 1, run_trust, cmd_cert_help_trust},
    {"delete", "W", 1, run_delete, cmd_cert_help_delete},
};

static const struct option long_options[] = {
    {"help", no_argument, NULL, 'h'},
    {"database", required_argument, NULL, 'd'},
    {"password-file", required_argument, NULL, 'p'},
    {"ca", no_argument, NULL, 'C'},
    {"server", no_argument, NULL, 'S'},
    {"client", no_argument, NULL, 'U'},
    {"self-signed", no_argument, NULL, 's'},
    {"issuer", required_argument, NULL, 'i'},
    {"subject", required_argument, NULL, 'n'},
    {"san", required_argument, NULL, 'r'},
    {"days", required_argument, NULL, 'D'},
    {"key-type", required_argument, NULL, 'K'},
    {"request", required_argument, NULL, 'R'},
    {"out", required_argument, NULL, 'o'},
    {"out-key", required_argument, NULL, 'k'},
    {"key", required_argument, NULL, 'f'},
    {"pkcs12", no_argument, NULL, 'P'},
    {"pkcs12-password-file", required_argument, NULL, 'w'},
    {"none", no_argument, NULL, 'N'},
    {"with-key", no_argument, NULL, 'W'},
    {"json", no_argument, NULL, 'j'},
    {NULL, 0, NULL, 0},
};

static bool parse_days(const char *text, unsigned *days)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    *days = (unsigned)value;
    return *text >= '1' && *text <= '9' && *end == '\0' && value <= TLS_ISSUE_DAYS_MAX;
}

/* Take one option; false with the usage told when it is not right. */
static bool take_option(struct options *o, int option)
{
    switch (option) {
    case 'd':
        o->database = optarg;
        return true;
    case 'p':
        o->password_file = optarg;
        return true;
    case 'C':
        o->ca = true;
        return true;
    case 'S':
        o->server = true;
        return true;
    case 'U':
        o->client = true;
        return true;
    case 's':
        o->self_signed = true;
        return true;
    case 'i':
        o->issuer = optarg;
        return true;
    case 'n':
        o->subject = optarg;
        return true;
    case 'r':
        o->sans = base_realloc_array(o->sans, o->san_count + 1, sizeof(*o->sans));
        o->sans[o->san_count++] = optarg;
        return true;
    case 'D':
        if (parse_days(optarg, &o->days))
            return true;
        misused(o, "--days is a number from 1 to 36500");
        return false;
    case 'K':
        o->key_type = optarg;
        return true;
    case 'R':
        o->request = optarg;
        return true;
    case 'o':
        o->out = optarg;
        return true;
    case 'k':
        o->out_key = optarg;
        return true;
    case 'f':
        o->key_file = optarg;
        return true;
    case 'P':
        o->pkcs12 = true;
        return true;
    case 'w':
        o->pkcs12_password_file = optarg;
        return true;
    case 'N':
        o->none = true;
        return true;
    case 'W':
        o->with_key = true;
        return true;
    case 'j':
        o->json = true;
        return true;
    }
    base_abort("option %c is in the table and not taken", option);
}

static int run_command(const struct command *command, int argc, char **argv)
{
    struct options o = {.command = command->name, .database = default_database};
    int option, at, status = EXIT_USAGE;
    char *sentence;

    opterr = 0;
    optind = 0;
    while ((option = getopt_long(argc, argv, ":hd:", long_options, NULL)) != -1) {
        at = optind - 1 < argc ? optind - 1 : argc - 1;
        if (option == 'h') {
            fputs(command->help, stdout);
            status = EXIT_DONE;
            goto out;
        }
        if (option == ':' || option == '?' ||
            (strchr("dp", option) == NULL && strchr(command->allowed, option) == NULL)) {
            sentence = base_printf(option == ':' ? "%s needs a value" : "%s is no option of this command", argv[at]);
            misused(&o, sentence);
            free(sentence);
            goto out;
        }
        if (!take_option(&o, option))
            goto out;
    }
    o.arguments = argv + optind;
    o.argument_count = argc - optind;
    if (o.argument_count != command->arguments) {
        misused(&o, command->arguments == 0      ? "it takes options only"
                    : command->run == run_import ? "it takes one file"
                                                 : "it takes one certificate, sha256=HEX");
        goto out;
    }
    status = command->run(&o);
    if (fflush(stdout) != 0 && status == EXIT_DONE)
        status = EXIT_NOT_DONE;

out:
    free(o.sans);
    return status;
}

int cmd_cert(int argc, char **argv)
{
    const char *name = argc < 2 ? "" : argv[1];

    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        fputs(cmd_cert_help, stdout);
        return EXIT_DONE;
    }
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (strcmp(name, commands[i].name) == 0)
            return run_command(&commands[i], argc - 1, argv + 1);
    if (*name == '\0')
        fputs("yett cert: say what to do; ", stderr);
    else
        fprintf(stderr, "yett cert: there is no command %s; ", name);
    fputs("see: yett cert --help\n", stderr);
    return EXIT_USAGE;
}
