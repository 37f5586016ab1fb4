/* see proxy/cmd_token.h */
#include "proxy/cmd_token.h"
#include "config/config.h"
#include "proxy/cmd_token_help.h"
#include "tls/pem.h"
#include "tokens/manage.h"
#include "tokens/pin.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

enum { EXIT_DONE = 0, EXIT_NOT_DONE = 1, EXIT_USAGE = 2 };

/* All that any of the commands can be told. Strings are those of argv. */
struct options {
    const char *command;
    const char *config;
    const char *module;
    const char *pin;
    const char *so_pin;
    const char *label;
    const char *type;
    const char *subject;
    const char *out;
    const char **sans;
    size_t san_count;
    bool json;
    char **arguments;
    int argument_count;
};

/* What the commands work with, from options and configuration. */
struct session {
    struct tokens_module *module;
    struct config *config; /* NULL: none */
    enum tokens_pin_source pin_source;
    const char *pin_value; /* of the options or the configuration */
};

struct command {
    const char *name;
    const char *allowed; /* `val`s of the options it takes, besides -h, -c and -m */
    int arguments;       /* how many it wants */
    int (*run)(const struct options *o, struct session *s);
    const char *help;
};

static int failed(const struct options *o, char **error)
{
    fprintf(stderr, "yett token %s: %s\n", o->command, *error);
    free(*error);
    *error = NULL;
    return EXIT_NOT_DONE;
}

static int misused(const struct options *o, const char *sentence)
{
    fprintf(stderr, "yett token %s: %s; see: yett token %s --help\n", o->command, sentence, o->command);
    return EXIT_USAGE;
}

/* PINs */

static bool parse_pin_source(const char *text, enum tokens_pin_source *source, const char **value)
{
    static const struct {
        const char *prefix;
        enum tokens_pin_source source;
    } prefixes[] = {{"file:", TOKENS_PIN_FILE}, {"env:", TOKENS_PIN_ENV}, {"credential:", TOKENS_PIN_CREDENTIAL}};

    *value = NULL;
    if (text == NULL || strcmp(text, "prompt") == 0) {
        *source = TOKENS_PIN_PROMPT;
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        size_t len = strlen(prefixes[i].prefix);

        if (strncmp(text, prefixes[i].prefix, len) == 0 && text[len] != '\0') {
            *source = prefixes[i].source;
            *value = text + len;
            return true;
        }
    }
    return false;
}

static enum tokens_pin_source configured_pin_source(enum config_pin_type type)
{
    switch (type) {
    case CONFIG_PIN_FILE:
        return TOKENS_PIN_FILE;
    case CONFIG_PIN_CREDENTIAL:
        return TOKENS_PIN_CREDENTIAL;
    case CONFIG_PIN_ENV:
        return TOKENS_PIN_ENV;
    case CONFIG_PIN_NONE:
    case CONFIG_PIN_PROMPT:
        return TOKENS_PIN_PROMPT;
    }
    base_abort("unknown PIN type");
}

static struct tokens_pin *read_pin(const struct session *s, char **error)
{
    return tokens_pin_read(s->pin_source, s->pin_value, "PIN: ", error);
}

/* Modules */

static void set_environment(const struct config_module *module)
{
    for (size_t i = 0; i < module->environment_count; i++)
        if (putenv(module->environment[i]) != 0) /* borrowed for good: the process ends before the configuration */
            base_abort("out of memory (environment)");
}

static bool configured_module(const struct options *o, struct session *s, const char **path, char **error)
{
    struct config_findings findings = {.items = NULL};
    struct config_snapshot *snapshot = config_snapshot_read(o->config, &findings);

    s->config = snapshot == NULL ? NULL : config_parse(snapshot, &findings);
    config_snapshot_destroy(&snapshot);
    if (s->config == NULL) {
        *error = findings.count == 0 ? base_printf("%s: cannot be read", o->config)
                                     : config_finding_text(&findings.items[0]);
        config_findings_clear(&findings);
        return false;
    }
    config_findings_clear(&findings);
    for (size_t i = 0; i < s->config->module_count; i++) {
        const struct config_module *module = &s->config->modules[i];

        if (strcmp(module->name, o->module) != 0)
            continue;
        *path = module->path;
        if (o->pin == NULL) {
            s->pin_source = configured_pin_source(module->pin_type);
            s->pin_value = module->pin_source;
        }
        set_environment(module);
        return true;
    }
    *error = base_printf("%s: there is no [module %s]", o->config, o->module);
    return false;
}

static bool open_session(const struct options *o, struct session *s, char **error)
{
    const char *path = o->module;

    if (o->config != NULL && !configured_module(o, s, &path, error))
        return false;
    s->module = tokens_module_load(path, error);
    return s->module != NULL;
}

static void close_session(struct session *s)
{
    tokens_module_unload(&s->module);
    config_destroy(&s->config);
}

/* The commands */

static int run_list(const struct options *o, struct session *s)
{
    char *error = NULL;

    return tokens_list(s->module, stdout, o->json, &error) ? EXIT_DONE : failed(o, &error);
}

static int run_init(const struct options *o, struct session *s)
{
    struct tokens_pin *pin, *so_pin = NULL;
    enum tokens_pin_source so_source;
    const char *so_value;
    char *error = NULL;
    bool done = false;

    if (o->label == NULL)
        return misused(o, "say what to call the token: --label NAME");
    if (!parse_pin_source(o->so_pin, &so_source, &so_value))
        return misused(o, "--so-pin is file:PATH, env:NAME, credential:NAME or prompt");
    pin = read_pin(s, &error);
    if (pin != NULL)
        so_pin = tokens_pin_read(so_source, so_value, "Security officer's PIN: ", &error);
    if (so_pin != NULL)
        done = tokens_init(s->module, o->label, so_pin, pin, &error);
    tokens_pin_destroy(&pin);
    tokens_pin_destroy(&so_pin);
    return done ? EXIT_DONE : failed(o, &error);
}

static bool parse_key_type(const char *name, enum tokens_key_type *type)
{
    static const struct {
        const char *name;
        enum tokens_key_type type;
    } types[] = {
        {"p256", TOKENS_KEY_P256},        {"p384", TOKENS_KEY_P384},        {"p521", TOKENS_KEY_P521},
        {"rsa2048", TOKENS_KEY_RSA_2048}, {"rsa3072", TOKENS_KEY_RSA_3072}, {"rsa4096", TOKENS_KEY_RSA_4096},
    };

    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (strcmp(types[i].name, name) == 0) {
            *type = types[i].type;
            return true;
        }
    }
    return false;
}

static int print_uri(char *uri)
{
    puts(uri);
    free(uri);
    return EXIT_DONE;
}

static int run_keygen(const struct options *o, struct session *s)
{
    enum tokens_key_type type = TOKENS_KEY_P256;
    struct tokens_pin *pin;
    char *uri = NULL, *error = NULL;
    bool done;

    if (o->type != NULL && !parse_key_type(o->type, &type))
        return misused(o, "--type is p256, p384, p521, rsa2048, rsa3072 or rsa4096");
    pin = read_pin(s, &error);
    done = pin != NULL && tokens_keygen(s->module, o->arguments[0], type, pin, &uri, &error);
    tokens_pin_destroy(&pin);
    return done ? print_uri(uri) : failed(o, &error);
}

static bool write_request(const struct options *o, struct span der, char **error)
{
    char *text = tls_pem_encode("CERTIFICATE REQUEST", der);
    bool written = true;

    if (o->out == NULL)
        fputs(text, stdout);
    else
        written = tls_pem_write_file(o->out, TLS_PEM_PUBLIC, text, error);
    free(text);
    return written;
}

static int run_request(const struct options *o, struct session *s)
{
    struct tokens_pin *pin;
    char *error = NULL;
    uint8_t *der = NULL;
    size_t size = 0;
    bool done;

    if (o->subject == NULL)
        return misused(o, "say whose certificate it will be: --subject CN=NAME");
    pin = read_pin(s, &error);
    done = pin != NULL &&
           tokens_request(s->module, o->arguments[0], o->subject, o->sans, o->san_count, pin, &der, &size, &error) &&
           write_request(o, span_of(der, size), &error);
    tokens_pin_destroy(&pin);
    free(der);
    return done ? EXIT_DONE : failed(o, &error);
}

static int run_import(const struct options *o, struct session *s)
{
    struct span der = {.data = NULL};
    struct tokens_pin *pin = NULL;
    struct tls_pem pem;
    char *uri = NULL, *error = NULL;
    bool done = false;

    if (!tls_pem_read_file(o->arguments[1], &pem, &error))
        return failed(o, &error);
    for (size_t i = pem.count; i > 0; i--)
        if (strcmp(pem.blocks[i - 1].label, "CERTIFICATE") == 0)
            der = span_of(pem.blocks[i - 1].der, pem.blocks[i - 1].size);
    if (der.size == 0)
        error = base_printf("%s: there is no certificate in it", o->arguments[1]);
    else
        pin = read_pin(s, &error);
    if (pin != NULL)
        done = tokens_import_certificate(s->module, o->arguments[0], der, pin, &uri, &error);
    tokens_pin_destroy(&pin);
    tls_pem_clear(&pem);
    return done ? print_uri(uri) : failed(o, &error);
}

/* Options */

static const struct command commands[] = {
    {"list", "j", 0, run_list, cmd_token_help_list},        {"init", "pSl", 0, run_init, cmd_token_help_init},
    {"keygen", "pt", 1, run_keygen, cmd_token_help_keygen}, {"request", "pnro", 1, run_request, cmd_token_help_request},
    {"import", "p", 2, run_import, cmd_token_help_import},
};

static const struct option long_options[] = {
    {"help", no_argument, NULL, 'h'},         {"config", required_argument, NULL, 'c'},
    {"module", required_argument, NULL, 'm'}, {"pin", required_argument, NULL, 'p'},
    {"so-pin", required_argument, NULL, 'S'}, {"label", required_argument, NULL, 'l'},
    {"type", required_argument, NULL, 't'},   {"subject", required_argument, NULL, 'n'},
    {"san", required_argument, NULL, 'r'},    {"out", required_argument, NULL, 'o'},
    {"json", no_argument, NULL, 'j'},         {NULL, 0, NULL, 0},
};

static void take_option(struct options *o, int option)
{
    switch (option) {
    case 'c':
        o->config = optarg;
        return;
    case 'm':
        o->module = optarg;
        return;
    case 'p':
        o->pin = optarg;
        return;
    case 'S':
        o->so_pin = optarg;
        return;
    case 'l':
        o->label = optarg;
        return;
    case 't':
        o->type = optarg;
        return;
    case 'n':
        o->subject = optarg;
        return;
    case 'r':
        o->sans = base_realloc_array(o->sans, o->san_count + 1, sizeof(*o->sans));
        o->sans[o->san_count++] = optarg;
        return;
    case 'o':
        o->out = optarg;
        return;
    case 'j':
        o->json = true;
        return;
    }
    base_abort("option %c is in the table and not taken", option);
}

static int run_with_module(const struct command *command, const struct options *o)
{
    struct session s = {.pin_source = TOKENS_PIN_PROMPT};
    char *error = NULL;
    int status;

    if (o->argument_count != command->arguments)
        return misused(o, command->arguments == 0   ? "it takes options only"
                          : command->arguments == 1 ? "it takes one pkcs11: URI"
                                                    : "it takes a pkcs11: URI and a file");
    if (o->module == NULL)
        return misused(o, "say which module: --module PATH, or -c FILE --module NAME");
    if (!parse_pin_source(o->pin, &s.pin_source, &s.pin_value))
        return misused(o, "--pin is file:PATH, env:NAME, credential:NAME or prompt; never the PIN itself");
    status = open_session(o, &s, &error) ? command->run(o, &s) : failed(o, &error);
    close_session(&s);
    return status;
}

static int run_command(const struct command *command, int argc, char **argv)
{
    struct options o = {.command = command->name};
    int option, at, status = EXIT_USAGE;
    char *sentence;

    opterr = 0;
    optind = 0;
    while ((option = getopt_long(argc, argv, ":hc:", long_options, NULL)) != -1) {
        at = optind - 1 < argc ? optind - 1 : argc - 1;
        if (option == 'h') {
            fputs(command->help, stdout);
            status = EXIT_DONE;
            goto out;
        }
        if (option == ':' || option == '?' ||
            (strchr("cm", option) == NULL && strchr(command->allowed, option) == NULL)) {
            sentence = base_printf(option == ':' ? "%s needs a value" : "%s is no option of this command", argv[at]);
            misused(&o, sentence);
            free(sentence);
            goto out;
        }
        take_option(&o, option);
    }
    o.arguments = argv + optind;
    o.argument_count = argc - optind;
    status = run_with_module(command, &o);
    if (fflush(stdout) != 0 && status == EXIT_DONE)
        status = EXIT_NOT_DONE;

out:
    free(o.sans);
    return status;
}

int cmd_token(int argc, char **argv)
{
    const char *name = argc < 2 ? "" : argv[1];

    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        fputs(cmd_token_help, stdout);
        return EXIT_DONE;
    }
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (strcmp(name, commands[i].name) == 0)
            return run_command(&commands[i], argc - 1, argv + 1);
    if (*name == '\0')
        fputs("yett token: say what to do; ", stderr);
    else
        fprintf(stderr, "yett token: there is no command %s; ", name);
    fputs("see: yett token --help\n", stderr);
    return EXIT_USAGE;
}
