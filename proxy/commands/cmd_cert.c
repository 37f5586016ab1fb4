/* see proxy/commands/cmd_cert.h */
#include "proxy/commands/cmd_cert.h"
#include "proxy/commands/cmd_cert_help.h"
#include "proxy/commands/cmd_cert_internal.h"
#include "tls/manage/database.h"

static int cmd_cert_trust(void *options)
{
    const struct cert_options *o = options;
    unsigned trust = (o->server ? TLS_DATABASE_TRUST_SERVER : 0) | (o->client ? TLS_DATABASE_TRUST_CLIENT : 0);
    char *error = NULL;

    if (o->none == (trust != 0))
        return subcommand_misused(&o->line, "say --server, --client, both of them, or --none");
    if (!cert_database_open(o, CERT_CHANGE, &error))
        return subcommand_failed(&o->line, &error);
    if (!tls_database_set_trust(cert_fingerprint_of(o->line.arguments[0]), trust, &error))
        return cert_database_close(o, subcommand_failed(&o->line, &error));
    return cert_database_close(o, SUBCOMMAND_DONE);
}

static int cmd_cert_delete(void *options)
{
    const struct cert_options *o = options;
    char *error = NULL;

    if (!cert_database_open(o, CERT_CHANGE, &error))
        return subcommand_failed(&o->line, &error);
    if (!tls_database_delete(cert_fingerprint_of(o->line.arguments[0]),
                             o->with_key ? TLS_DATABASE_DELETE_KEY : TLS_DATABASE_KEEP_KEY, &error))
        return cert_database_close(o, subcommand_failed(&o->line, &error));
    return cert_database_close(o, SUBCOMMAND_DONE);
}

#define OPTION(name, letter, type, member)                                                                             \
    {                                                                                                                  \
        name, letter, SUBCOMMAND_##type, offsetof(struct cert_options, member)                                         \
    }

static const struct subcommand_option options_table[] = {
    OPTION("database", 'd', TEXT, database),
    OPTION("password-file", 'p', TEXT, password_file),
    OPTION("ca", 'C', FLAG, ca),
    OPTION("server", 'S', FLAG, server),
    OPTION("client", 'U', FLAG, client),
    OPTION("self-signed", 's', FLAG, self_signed),
    OPTION("issuer", 'i', TEXT, issuer),
    OPTION("subject", 'n', TEXT, subject),
    OPTION("san", 'r', TEXTS, sans),
    OPTION("days", 'D', TEXT, days),
    OPTION("key-type", 'K', TEXT, key_type),
    OPTION("request", 'R', TEXT, request),
    OPTION("out", 'o', TEXT, out),
    OPTION("out-key", 'k', TEXT, out_key),
    OPTION("key", 'f', TEXT, key_file),
    OPTION("pkcs12", 'P', FLAG, pkcs12),
    OPTION("pkcs12-password-file", 'w', TEXT, pkcs12_password_file),
    OPTION("pkcs12-password", 'x', TEXT, pkcs12_password),
    OPTION("none", 'N', FLAG, none),
    OPTION("with-key", 'W', FLAG, with_key),
    OPTION("json", 'j', FLAG, json),
};

static const struct subcommand commands[] = {
    {"create", "CSUsinrRDKok", 0, 0, "it takes options only", cmd_cert_create, cmd_cert_help_create},
    {"list", "j", 0, 0, "it takes options only", cmd_cert_list, cmd_cert_help_list},
    {"show", "j", 1, 1, "it takes one certificate, sha256=HEX, or a file", cmd_cert_show, cmd_cert_help_show},
    {"import", "fPwx", 1, 1, "it takes one file", cmd_cert_import, cmd_cert_help_import},
    {"export", "okPwx", 1, 1, "it takes one certificate, sha256=HEX", cmd_cert_export, cmd_cert_help_export},
    {"trust", "SUN", 1, 1, "it takes one certificate, sha256=HEX", cmd_cert_trust, cmd_cert_help_trust},
    {"delete", "W", 1, 1, "it takes one certificate, sha256=HEX", cmd_cert_delete, cmd_cert_help_delete},
};

/* see proxy/commands/cmd_cert.h */
int cmd_cert(int argc, char **argv)
{
    static const struct subcommand_set set = {
        .name = "cert",
        .help = cmd_cert_help,
        .commands = commands,
        .command_count = ARRAY_LEN(commands),
        .options = options_table,
        .option_count = ARRAY_LEN(options_table),
        .for_all = "dp",
        .short_options = ":hd:",
    };
    struct cert_options options = {.database = "sql:/var/lib/yett/nss"};

    return subcommand_main(&set, &options, argc, argv);
}
