/* "yett cert import" and "export": between the database and files. See proxy/cmd_cert_internal.h */
#include "proxy/cmd_cert_internal.h"
#include "tls/database.h"

#include <stdio.h>
#include <stdlib.h>

static bool import_blocks(const struct tls_pem *pem, bool keys, char **error)
{
    for (size_t i = 0; i < pem->count; i++) {
        const struct tls_pem_block *block = &pem->blocks[i];
        bool is_cert = strcmp(block->label, cert_label) == 0;
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

    if (!tls_pem_read_file(o->line.arguments[0], &pem, error))
        return false;
    /* Both files are read before anything is stored, and certificates are stored before their keys. */
    done = (o->key_file == NULL || tls_pem_read_file(o->key_file, &key, error)) && import_blocks(&pem, false, error) &&
           import_blocks(&pem, true, error) && import_blocks(&key, true, error);
    tls_pem_clear(&pem);
    tls_pem_clear(&key);
    return done;
}

static bool import_pkcs12(const struct cert_options *o, char **error)
{
    enum { PKCS12_BYTES_MAX = 4 * 1024 * 1024 };
    char *password = NULL;
    uint8_t *data;
    size_t size, count;
    bool done;

    if (!tls_file_read(o->line.arguments[0], PKCS12_BYTES_MAX, &data, &size, error))
        return false;
    done = cert_password_read(o->pkcs12_password_file, &password, error) &&
           tls_database_import_pkcs12(span_of(data, size), password == NULL ? "" : password, &count, error);
    if (done)
        printf("%zu certificate%s imported; see: yett cert list\n", count, count == 1 ? "" : "s");
    base_wipe_string(&password);
    free(data);
    return done;
}

int cmd_cert_import(void *options)
{
    const struct cert_options *o = options;
    char *error = NULL;
    bool done;

    if (o->pkcs12 && o->key_file != NULL)
        return subcommand_misused(&o->line, "a PKCS#12 file brings its keys along: --key does not go with --pkcs12");
    if (!o->pkcs12 && o->pkcs12_password_file != NULL)
        return subcommand_misused(&o->line, "--pkcs12-password-file goes with --pkcs12 only");
    if (!cert_database_open(o, CERT_CHANGE_OR_CREATE, &error))
        return subcommand_failed(&o->line, &error);
    done = o->pkcs12 ? import_pkcs12(o, &error) : import_pem(o, &error);
    return cert_database_close(o, done ? SUBCOMMAND_DONE : subcommand_failed(&o->line, &error));
}

int cmd_cert_export(void *options)
{
    const struct cert_options *o = options;
    struct tls_database_entry entry = {.der = NULL};
    char *error = NULL;
    bool done;

    if (!cert_database_open(o, CERT_LOOK, &error))
        return subcommand_failed(&o->line, &error);
    done = cert_key_file_is_free(o->out_key, &error) &&
           tls_database_find(cert_fingerprint_of(o->line.arguments[0]), &entry, &error) &&
           cert_write_files(o, entry.sha256, span_of(entry.der, entry.size), &error);
    if (done && o->out == NULL && o->out_key == NULL) {
        char *text = tls_pem_encode(cert_label, span_of(entry.der, entry.size));

        fputs(text, stdout);
        free(text);
    }
    tls_database_entry_clear(&entry);
    return cert_database_close(o, done ? SUBCOMMAND_DONE : subcommand_failed(&o->line, &error));
}
