/* see proxy/commands/cmd_token.h */
#include "proxy/commands/cmd_token.h"
#include "proxy/commands/cmd_token_help.h"
#include "proxy/commands/cmd_token_internal.h"
#include "proxy/process/secret_source.h"

#include <stdlib.h>
#include <string.h>

/* Where none is configured, whoever calls types it. */
static enum tokens_pin_source configured_pin_source(enum config_pin_type type)
{
    return type == CONFIG_PIN_NONE ? TOKENS_PIN_PROMPT : secret_source_configured(type);
}

/* see proxy/commands/cmd_token_internal.h */
struct tokens_pin *token_pin_read(const struct token_options *o, char **error)
{
    return tokens_pin_read(o->pin_source, o->pin_value, "PIN: ", error);
}

static void set_environment(const struct config_module *module)
{
    for (size_t i = 0; i < module->environment_count; i++)
        if (putenv(module->environment[i]) != 0) /* borrowed for good: the process ends before the configuration */
            base_abort("out of memory (environment)");
}

static bool configured_module(struct token_options *o, const char **path, struct tokens_module_settings *settings,
                              char **error)
{
    struct config_findings findings = {.items = NULL};
    struct config_snapshot *snapshot = config_snapshot_read(o->config, &findings);

    o->read = snapshot == NULL ? NULL : config_parse_for_commands(snapshot, &findings);
    config_snapshot_destroy(&snapshot);
    if (o->read == NULL) {
        *error = findings.count == 0 ? base_printf("%s: cannot be read", o->config)
                                     : config_finding_text(&findings.items[0]);
        config_findings_clear(&findings);
        return false;
    }
    config_findings_clear(&findings);
    for (size_t i = 0; i < o->read->module_count; i++) {
        const struct config_module *module = &o->read->modules[i];

        if (strcmp(module->name, o->module) != 0)
            continue;
        *path = module->path;
        settings->parameters = module->parameters;
        settings->serialise = module->serialise;
        if (o->pin == NULL) {
            o->pin_source = configured_pin_source(module->pin_type);
            o->pin_value = module->pin_source;
        }
        set_environment(module);
        return true;
    }
    *error = base_printf("%s: there is no [module %s]", o->config, o->module);
    return false;
}

static bool open_module(struct token_options *o, char **error)
{
    const char *path = o->module;
    struct tokens_module_settings settings = {.parameters = NULL};

    if (o->config != NULL && !configured_module(o, &path, &settings, error))
        return false;
    o->opened = tokens_module_load_with(path, &settings, error);
    return o->opened != NULL;
}

static int with_module(const struct subcommand *command, void *options)
{
    struct token_options *o = options;
    char *error = NULL;
    int status;

    /* "yett token info MODULE" */
    if (o->module == NULL && command->run == cmd_token_info && o->line.argument_count == 1 &&
        strncmp(o->line.arguments[0], "pkcs11:", strlen("pkcs11:")) != 0) {
        o->module = o->line.arguments[0];
        o->line.argument_count = 0;
    }
    if (o->module == NULL)
        return subcommand_misused(&o->line, "say which module: --module PATH, or -c FILE --module NAME");
    if (!secret_source_parse(o->pin, &o->pin_source, &o->pin_value))
        return subcommand_misused(&o->line,
                                  "--pin is file:PATH, env:NAME, credential:NAME or prompt; never the PIN itself");
    status = open_module(o, &error) ? command->run(o) : subcommand_failed(&o->line, &error);
    tokens_module_unload(&o->opened);
    config_destroy(&o->read);
    return status;
}

#define OPTION(name, letter, type, member)                                                                             \
    {                                                                                                                  \
        name, letter, SUBCOMMAND_##type, offsetof(struct token_options, member)                                        \
    }

static const struct subcommand_option options_table[] = {
    OPTION("config", 'c', TEXT, config),
    OPTION("module", 'm', TEXT, module),
    OPTION("pin", 'p', TEXT, pin),
    OPTION("new-pin", 'N', TEXT, new_pin),
    OPTION("insecure-weak-pin", 'W', FLAG, insecure_weak_pin),
    OPTION("so-pin", 'S', TEXT, so_pin),
    OPTION("label", 'l', TEXT, label),
    OPTION("type", 't', TEXT, type),
    OPTION("subject", 'n', TEXT, subject),
    OPTION("san", 'r', TEXTS, sans),
    OPTION("out", 'o', TEXT, out),
    OPTION("json", 'j', FLAG, json),
    OPTION("force", 'f', FLAG, force),
};

static const struct subcommand commands[] = {
    {"list", "j", 0, 0, "it takes options only", cmd_token_list, cmd_token_help_list},
    {"info", "j", 0, 1, "it takes one pkcs11: URI, or a module", cmd_token_info, cmd_token_help_info},
    {"set-pin", "pNW", 1, 1, "it takes one pkcs11: URI", cmd_token_set_pin, cmd_token_help_set_pin},
    {"init", "pSl", 0, 0, "it takes options only", cmd_token_init, cmd_token_help_init},
    {"keygen", "ptf", 1, 1, "it takes one pkcs11: URI", cmd_token_keygen, cmd_token_help_keygen},
    {"request", "pnro", 1, 1, "it takes one pkcs11: URI", cmd_token_request, cmd_token_help_request},
    {"import", "p", 2, 2, "it takes a pkcs11: URI and a file", cmd_token_import, cmd_token_help_import},
};

/* see proxy/commands/cmd_token.h */
int cmd_token(int argc, char **argv)
{
    static const struct subcommand_set set = {
        .name = "token",
        .help = cmd_token_help,
        .commands = commands,
        .command_count = ARRAY_LEN(commands),
        .options = options_table,
        .option_count = ARRAY_LEN(options_table),
        .for_all = "cm",
        .short_options = ":hc:",
        .around = with_module,
    };
    struct token_options options = {.pin_source = TOKENS_PIN_PROMPT};

    return subcommand_main(&set, &options, argc, argv);
}
