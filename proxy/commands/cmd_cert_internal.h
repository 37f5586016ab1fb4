/* proxy/commands/cmd_cert_internal.h: what the commands of "yett cert" have in common; each is in the file about its
 * subject. Commands take a struct cert_options (proxy/commands/subcommand.h). On failure *error has a sentence, owned
 * by the caller. */
#ifndef YETT_PROXY_COMMANDS_CMD_CERT_INTERNAL_H
#define YETT_PROXY_COMMANDS_CMD_CERT_INTERNAL_H

#include "proxy/commands/subcommand.h"
#include "tls/pem.h"

/* All that any of the commands can be told. */
struct cert_options {
    struct subcommand_line line; /* first */
    const char *database;
    const char *password_file;
    const char *subject;
    const char *issuer;
    const char *request;
    const char *out;
    const char *out_key;
    const char *key_file;
    const char *pkcs12_password_file;
    const char *pkcs12_password;
    const char *key_type;
    const char *days;
    struct subcommand_texts sans;
    bool ca, server, client, self_signed, none, with_key, pkcs12, json;
};

int cmd_cert_create(void *options);
int cmd_cert_list(void *options);
int cmd_cert_show(void *options);
int cmd_cert_import(void *options);
int cmd_cert_export(void *options);

extern const char cert_label[]; /* of a PEM block */

enum cert_access { CERT_LOOK, CERT_CHANGE, CERT_CHANGE_OR_CREATE };
MUST_CHECK bool cert_database_open(const struct cert_options *o, enum cert_access access, char **error);
/* Gives `status`, or another when closing fails, which is told. */
MUST_CHECK int cert_database_close(const struct cert_options *o, int status);

/* The first line of a file; *password is the caller's to wipe, NULL when path is. */
MUST_CHECK bool cert_password_read(const char *path, char **password, char **error);

/* "sha256=HEX" or HEX: whether it is one, and without the prefix. */
bool cert_is_fingerprint(const char *argument);
const char *cert_fingerprint_of(const char *argument);

/* The certificate a PEM file begins with. The caller clears *pem. */
MUST_CHECK bool cert_read(const char *path, struct tls_pem *pem, struct span *der, char **error);

/* A key is never written over what is there. path NULL: none is written. */
MUST_CHECK bool cert_key_file_is_free(const char *path, char **error);
/* The certificate to --out, its key to --out-key; both where they are the same. */
MUST_CHECK bool cert_write_files(const struct cert_options *o, const char *sha256, struct span der, char **error);

#endif
