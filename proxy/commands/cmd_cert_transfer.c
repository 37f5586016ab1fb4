/* "yett cert import" and "export": between the database and files. See proxy/commands/cmd_cert_internal.h */
#include "proxy/commands/cmd_cert_internal.h"
#include "proxy/process/secret_source.h"
#include "tls/manage/database.h"

#include <stdio.h>
#include <stdlib.h>

/* What an import has stored so far. */
struct imported {
    struct imported_one {
        char sha256[65];
        unsigned added; /* of enum tls_database_added */
        bool is_cert;
    } * items;
    size_t count;
};

static bool import_blocks(const struct tls_pem *pem, bool keys, struct imported *imported, char **error)
{
    for (size_t i = 0; i < pem->count; i++) {
        const struct tls_pem_block *block = &pem->blocks[i];
        struct span der = span_of(block->der, block->size);
        struct imported_one *one;
        char *why = NULL;

        if ((block->kind == BASE_PEM_CERTIFICATE) == keys)
            continue;
        imported->items = base_realloc_array(imported->items, imported->count + 1, sizeof(*imported->items));
        one = &imported->items[imported->count];
        *one = (struct imported_one){.is_cert = !keys};
        if (!(keys ? tls_database_import_key(block->label, der, one->sha256, &one->added, &why)
                   : tls_database_import_cert(der, one->sha256, &one->added, &why))) {
            *error = base_printf("line %u: %s", block->line, why);
            free(why);
            return false;
        }
        imported->count++;
    }
    return true;
}

/* A certificate without the key that was to come with it would look like a success. */
static void take_back(const struct imported *imported)
{
    for (size_t i = imported->count; i > 0; i--) {
        const struct imported_one *one = &imported->items[i - 1];
        char *error = NULL;

        if (tls_database_take_back(one->sha256, one->added, &error))
            continue;
        fprintf(stderr, "yett cert import: sha256=%s stays in the database: %s\n", one->sha256, error);
        free(error);
    }
}

/* Says which file, where import_blocks() has said the line. */
static bool in_file(bool good, const char *path, char **error)
{
    char *why = *error;

    if (good)
        return true;
    *error = base_printf("%s: %s", path, why);
    free(why);
    return false;
}

/* All or nothing: both files are read before anything is stored, certificates are stored before their keys, and what is
 * stored is taken back when something else cannot be. */
static bool import_pem(const struct cert_options *o, char **error)
{
    const char *path = o->line.arguments[0];
    struct imported imported = {.items = NULL};
    struct tls_pem pem, key = {.blocks = NULL};
    bool done;

    if (!tls_pem_read_file(path, &tls_pem_identity, BASE_FILE_ANY, &pem, error))
        return false;
    done = o->key_file == NULL || tls_pem_read_file(o->key_file, &tls_pem_keys, BASE_FILE_ANY, &key, error);
    done = done &&
           in_file(import_blocks(&pem, false, &imported, error) && import_blocks(&pem, true, &imported, error), path,
                   error) &&
           in_file(import_blocks(&key, true, &imported, error), o->key_file, error);
    if (!done)
        take_back(&imported);
    for (size_t i = 0; i < imported.count && done; i++)
        if (imported.items[i].is_cert)
            printf("sha256=%s\n", imported.items[i].sha256);
    free(imported.items);
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

/* see proxy/commands/cmd_cert_internal.h */
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

/* see proxy/commands/cmd_cert_internal.h */
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
