/* see proxy/commands/cmd_cert_internal.h */
#include "proxy/commands/cmd_cert_internal.h"
#include "tls/manage/database.h"
#include "tls/runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PASSWORD_BYTES_MAX = 1024 };

static const char key_label[] = "PRIVATE KEY";
const char cert_label[] = "CERTIFICATE";

/* see proxy/commands/cmd_cert_internal.h */
bool cert_password_read(const char *path, char **password, char **error)
{
    uint8_t *data;
    size_t size;

    *password = NULL;
    if (path == NULL)
        return true;
    if (!base_file_read(path, BASE_FILE_ANY, PASSWORD_BYTES_MAX, &data, &size, NULL, error))
        return false;
    *password = (char *)data;
    (*password)[strcspn(*password, "\r\n")] = '\0';
    return true;
}

/* see proxy/commands/cmd_cert_internal.h */
bool cert_database_open(const struct cert_options *o, enum cert_access access, char **error)
{
    const struct tls_runtime_options runtime = {.database = o->database, .database_writable = access != CERT_LOOK};
    enum tls_database_mode mode = access == CERT_CHANGE_OR_CREATE ? TLS_DATABASE_CREATE : TLS_DATABASE_EXISTING;
    char *password = NULL, *ignored = NULL;
    bool open, made;

    if (!cert_password_read(o->password_file, &password, error) ||
        !tls_database_prepare(o->database, mode, &made, error))
        return false;
    if (made && geteuid() == 0)
        fprintf(stderr,
                "yett cert: made the folder %s for root alone; where yett runs as another user, give it away: "
                "chown -R USER: %s\n",
                o->database + strlen("sql:"), o->database + strlen("sql:"));
    open = tls_runtime_start(&runtime, error);
    if (open && !tls_database_unlock(password, error)) {
        open = false;
        if (!tls_runtime_stop(&ignored))
            free(ignored); /* the first error is the one that is told */
    }
    base_wipe_string(&password);
    return open;
}

/* see proxy/commands/cmd_cert_internal.h */
int cert_database_close(const struct cert_options *o, int status)
{
    char *error = NULL;

    if (tls_runtime_stop(&error))
        return status;
    subcommand_failed(&o->line, &error);
    return status == SUBCOMMAND_DONE ? SUBCOMMAND_NOT_DONE : status;
}

/* see proxy/commands/cmd_cert_internal.h */
const char *cert_fingerprint_of(const char *argument)
{
    static const char prefix[] = "sha256=";

    return strncmp(argument, prefix, strlen(prefix)) == 0 ? argument + strlen(prefix) : argument;
}

/* see proxy/commands/cmd_cert_internal.h */
bool cert_is_fingerprint(const char *argument)
{
    char sha256[65];

    return strncmp(argument, "sha256=", 7) == 0 || tls_database_sha256_parse(argument, sha256);
}

/* see proxy/commands/cmd_cert_internal.h */
bool cert_read(const char *path, struct tls_pem *pem, struct span *der, char **error)
{
    if (!tls_pem_read_file(path, &tls_pem_certificates, BASE_FILE_ANY, pem, error))
        return false;
    *der = span_of(pem->blocks[0].der, pem->blocks[0].size);
    return true;
}

/* Writing files */

/* see proxy/commands/cmd_cert_internal.h */
bool cert_key_file_is_free(const char *path, char **error)
{
    if (path == NULL || access(path, F_OK) != 0)
        return true;
    *error = base_printf("%s: exists already, and a key is never written over; move it away first", path);
    return false;
}

/* The key alone, or after its certificate when both go to one file: such a file is an identity = file:... */
static bool write_key(const char *path, const char *sha256, struct span cert_in_front, char **error)
{
    char *cert = cert_in_front.size == 0 ? base_strdup("") : base_pem_encode(cert_label, cert_in_front);
    char *key = NULL, *text = NULL;
    uint8_t *der;
    size_t size;
    bool written = false;

    if (tls_database_export_key(sha256, &der, &size, error)) {
        key = base_pem_encode(key_label, span_of(der, size));
        text = base_printf("%s%s", cert, key);
        written = base_file_write_secret(path, span_of_string(text), error);
        base_wipe(der, size);
        free(der);
    }
    base_wipe_string(&key);
    base_wipe_string(&text);
    free(cert);
    return written;
}

static bool write_cert(const char *path, struct span der, char **error)
{
    char *text = base_pem_encode(cert_label, der);
    bool written = base_file_write_public(path, span_of_string(text), error);

    free(text);
    return written;
}

/* see proxy/commands/cmd_cert_internal.h */
bool cert_write_files(const struct cert_options *o, const char *sha256, struct span der, char **error)
{
    bool together = o->out != NULL && o->out_key != NULL && strcmp(o->out, o->out_key) == 0;

    /* The key first: its file is a new one and can be taken back, while the certificate's may replace another. */
    if (o->out_key != NULL && !write_key(o->out_key, sha256, together ? der : span_of(NULL, 0), error))
        return false;
    if (o->out == NULL || together || write_cert(o->out, der, error))
        return true;
    if (o->out_key != NULL)
        (void)unlink(o->out_key);
    return false;
}
