/* "yett token list", "info", "init", "keygen", "request" and "import". See proxy/commands/cmd_token_internal.h */
#include "proxy/commands/cmd_token_internal.h"
#include "proxy/commands/token_report.h"
#include "proxy/process/secret_source.h"
#include "tls/pem.h"

#include <stdio.h>
#include <stdlib.h>

static enum token_report_form form(const struct token_options *o)
{
    return o->json ? TOKEN_REPORT_JSON : TOKEN_REPORT_TEXT;
}

int cmd_token_list(void *options)
{
    const struct token_options *o = options;
    char *error = NULL;

    return token_report_list(o->opened, stdout, form(o), &error) ? SUBCOMMAND_DONE
                                                                 : subcommand_failed(&o->line, &error);
}

/* see proxy/commands/cmd_token_internal.h */
int cmd_token_info(void *options)
{
    const struct token_options *o = options;
    const char *uri = o->line.argument_count == 0 ? NULL : o->line.arguments[0];
    char *error = NULL;

    return token_report_info(o->opened, uri, stdout, form(o), &error) ? SUBCOMMAND_DONE
                                                                      : subcommand_failed(&o->line, &error);
}

int cmd_token_init(void *options)
{
    const struct token_options *o = options;
    struct tokens_pin *pin, *so_pin = NULL;
    enum tokens_pin_source so_source;
    const char *so_value;
    char *error = NULL;
    bool done = false;

    if (o->label == NULL)
        return subcommand_misused(&o->line, "say what to call the token: --label NAME");
    if (!secret_source_parse(o->so_pin, &so_source, &so_value))
        return subcommand_misused(&o->line, "--so-pin is file:PATH, env:NAME, credential:NAME or prompt");
    pin = token_pin_read(o, &error);
    if (pin != NULL)
        so_pin = tokens_pin_read(so_source, so_value, "Security officer's PIN: ", &error);
    if (so_pin != NULL)
        done = tokens_init(o->opened, o->label, so_pin, pin, &error);
    tokens_pin_destroy(&pin);
    tokens_pin_destroy(&so_pin);
    return done ? SUBCOMMAND_DONE : subcommand_failed(&o->line, &error);
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
    return SUBCOMMAND_DONE;
}

int cmd_token_keygen(void *options)
{
    const struct token_options *o = options;
    enum tokens_key_type type = TOKENS_KEY_P256;
    struct tokens_pin *pin;
    char *uri = NULL, *error = NULL;
    bool done;

    if (o->type != NULL && !parse_key_type(o->type, &type))
        return subcommand_misused(&o->line, "--type is p256, p384, p521, rsa2048, rsa3072 or rsa4096");
    pin = token_pin_read(o, &error);
    done = pin != NULL && tokens_keygen(o->opened, o->line.arguments[0], type,
                                        o->force ? TOKENS_LABEL_AGAIN : TOKENS_LABEL_ONCE, pin, &uri, &error);
    tokens_pin_destroy(&pin);
    return done ? print_uri(uri) : subcommand_failed(&o->line, &error);
}

static bool write_request(const struct token_options *o, struct span der, char **error)
{
    char *text = base_pem_encode("CERTIFICATE REQUEST", der);
    bool written = true;

    if (o->out == NULL)
        fputs(text, stdout);
    else
        written = base_file_write_public(o->out, span_of_string(text), error);
    free(text);
    return written;
}

int cmd_token_request(void *options)
{
    const struct token_options *o = options;
    struct tokens_pin *pin;
    char *error = NULL;
    uint8_t *der = NULL;
    size_t size = 0;
    bool done;

    if (o->subject == NULL)
        return subcommand_misused(&o->line, "say whose certificate it will be: --subject CN=NAME");
    pin = token_pin_read(o, &error);
    done = pin != NULL &&
           tokens_request(o->opened, o->line.arguments[0], o->subject, o->sans.items, o->sans.count, pin, &der, &size,
                          &error) &&
           write_request(o, span_of(der, size), &error);
    tokens_pin_destroy(&pin);
    free(der);
    return done ? SUBCOMMAND_DONE : subcommand_failed(&o->line, &error);
}

int cmd_token_import(void *options)
{
    const struct token_options *o = options;
    struct tokens_pin *pin;
    struct tls_pem pem;
    struct span der;
    char *uri = NULL, *error = NULL;
    bool done = false;

    if (!tls_pem_read_file(o->line.arguments[1], &tls_pem_certificates, BASE_FILE_ANY, &pem, &error))
        return subcommand_failed(&o->line, &error);
    der = span_of(pem.blocks[0].der, pem.blocks[0].size);
    pin = token_pin_read(o, &error);
    if (pin != NULL)
        done = tokens_import_certificate(o->opened, o->line.arguments[0], der, pin, &uri, &error);
    tokens_pin_destroy(&pin);
    tls_pem_clear(&pem);
    return done ? print_uri(uri) : subcommand_failed(&o->line, &error);
}
