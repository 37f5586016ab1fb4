/* "yett cert import" and "export": between the database and files. See proxy/cmd_cert_internal.h */
#include "proxy/cmd_cert_internal.h"
#include "proxy/secret_source.h"
#include "tls/database.h"

#include <stdio.h>
#include <stdlib.h>

static bool import_blocks(const struct tls_pem *pem, bool keys, char **error)
{
    for (size_t i = 0; i < pem->count; i++) {
        const struct tls_pem_block *block = &pem->blocks[i];
        bool is_cert = block->kind == BASE_PEM_CERTIFICATE;
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

static bool import_pem(const struct cert_options *o, char **error)
{
    struct tls_pem pem, key = {.blocks = NULL};
    bool done;

    if (!tls_pem_read_file(o->line.arguments[0], &tls_pem_identity, BASE_FILE_ANY, &pem, error))
        return false;
    /* Both files are read before anything is stored, and certificates are stored before their keys. */
    done = (o->key_file == NULL || tls_pem_read_file(o->key_file, &tls_pem_keys, BASE_FILE_ANY, &key, error)) &&
           import_blocks(&pem, false, error) && import_blocks(&pem, true, error) && import_blocks(&key, true, error);
    tls_pem_clear(&pem);
    tls_pem_clear(&key);
    return done;
}

/* --pkcs12-password-file: an empty one is no password. */
static struct tokens_pin *password_of_file(const char *path, char **error)
{
    struct tokens_pin *password = NULL;
    char *text;

    if (cert_password_read(path, &text, error) && text != NULL && *text != '\0')
        password = tokens_pin_copy(text, strlen(text), error);
    base_wipe_string(&text);
    return password;
}

/* From --pkcs12-password or --pkcs12-password-file. NULL with *error, or without where there is none. */
static struct tokens_pin *pkcs12_password(const struct cert_options *o, bool is_new, char **error)
{
    enum tokens_pin_source source;
    const char *value;

    if (o->pkcs12_password_file != NULL)
        return password_of_file(o->pkcs12_password_file, error);
    if (o->pkcs12_password == NULL || !secret_source_parse(o->pkcs12_password, &source, &value))
        return NULL;
    return is_new ? secret_read_new(source, value, "password", error)
                  : tokens_pin_read(source, value, "Password of the PKCS#12 file: ", error);
}

/* NULL: they are as they should be; else what is wrong with them. */
static const char *pkcs12_misuse(const struct cert_options *o)
{
    enum tokens_pin_source source;
    const char *value;

    if (!o->pkcs12 && (o->pkcs12_password_file != NULL || o->pkcs12_password != NULL))
        return "--pkcs12-password and --pkcs12-password-file go with --pkcs12 only";
    if (o->pkcs12_password_file != NULL && o->pkcs12_password != NULL)
        return "--pkcs12-password and --pkcs12-password-file say the same: give one";
    if (o->pkcs12_password != NULL && !secret_source_parse(o->pkcs12_password, &source, &value))
        return "--pkcs12-password is file:PATH, env:NAME, credential:NAME or prompt; never the password itself";
    return NULL;
}

static bool import_pkcs12(const struct cert_options *o, char **error)
{
    enum { PKCS12_BYTES_MAX = 4 * 1024 * 1024 };
    struct tokens_pin *password;
    uint8_t *data;
    size_t size, count;
    bool done;

    if (!base_file_read(o->line.arguments[0], BASE_FILE_ANY, PKCS12_BYTES_MAX, &data, &size, NULL, error))
        return false;
    password = pkcs12_password(o, false, error);
    done = *error == NULL && tls_database_import_pkcs12(
                                 span_of(data, size), password == NULL ? "" : tokens_pin_text(password), &count, error);
    if (done)
        printf("%zu certificate%s imported; see: yett cert list\n", count, count == 1 ? "" : "s");
    tokens_pin_destroy(&password);
    free(data);
    return done;
}

/* see proxy/cmd_cert_internal.h */
int cmd_cert_import(void *options)
{
    const struct cert_options *o = options;
    char *error = NULL;
    bool done;

    if (o->pkcs12 && o->key_file != NULL)
        return subcommand_misused(&o->line, "a PKCS#12 file brings its keys along: --key does not go with --pkcs12");
    if (pkcs12_misuse(o) != NULL)
        return subcommand_misused(&o->line, pkcs12_misuse(o));
    if (!cert_database_open(o, CERT_CHANGE_OR_CREATE, &error))
        return subcommand_failed(&o->line, &error);
    done = o->pkcs12 ? import_pkcs12(o, &error) : import_pem(o, &error);
    return cert_database_close(o, done ? SUBCOMMAND_DONE : subcommand_failed(&o->line, &error));
}

static bool export_pkcs12(const struct cert_options *o, char **error)
{
    struct tokens_pin *password = NULL;
    uint8_t *der = NULL;
    size_t size;
    bool done;

    if (!cert_key_file_is_free(o->out, error))
        return false;
    password = pkcs12_password(o, true, error);
    done = *error == NULL &&
           tls_database_export_pkcs12(cert_fingerprint_of(o->line.arguments[0]),
                                      password == NULL ? "" : tokens_pin_text(password), &der, &size, error) &&
           base_file_write_secret(o->out, span_of(der, size), error);
    tokens_pin_destroy(&password);
    free(der);
    return done;
}

static bool export_pem(const struct cert_options *o, char **error)
{
    struct tls_database_entry entry = {.der = NULL};
    bool done = cert_key_file_is_free(o->out_key, error) &&
                tls_database_find(cert_fingerprint_of(o->line.arguments[0]), &entry, error) &&
                cert_write_files(o, entry.sha256, span_of(entry.der, entry.size), error);

    if (done && o->out == NULL && o->out_key == NULL) {
        char *text = base_pem_encode(cert_label, span_of(entry.der, entry.size));

        fputs(text, stdout);
        free(text);
    }
    tls_database_entry_clear(&entry);
    return done;
}

/* see proxy/cmd_cert_internal.h */
int cmd_cert_export(void *options)
{
    struct cert_options *o = options;
    char *error = NULL;
    bool done;

    if (o->pkcs12 && (o->out == NULL || o->out_key != NULL))
        return subcommand_misused(&o->line,
                                  "a PKCS#12 file has certificate and key: say where it goes with --out alone");
    if (pkcs12_misuse(o) != NULL)
        return subcommand_misused(&o->line, pkcs12_misuse(o));
    if (o->pkcs12 && o->pkcs12_password == NULL && o->pkcs12_password_file == NULL)
        o->pkcs12_password = "prompt";
    if (!cert_database_open(o, CERT_LOOK, &error))
        return subcommand_failed(&o->line, &error);
    done = o->pkcs12 ? export_pkcs12(o, &error) : export_pem(o, &error);
    return cert_database_close(o, done ? SUBCOMMAND_DONE : subcommand_failed(&o->line, &error));
}
