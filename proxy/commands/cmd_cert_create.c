/* "yett cert create": authorities, certificates, signed requests. See proxy/commands/cmd_cert_internal.h */
#include "proxy/commands/cmd_cert_internal.h"
#include "tls/manage/database.h"
#include "tls/manage/issue.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static bool parse_days(const char *text, unsigned *days)
{
    char *end;
    unsigned long value;

    if (text == NULL)
        return true;
    value = strtoul(text, &end, 10);
    *days = (unsigned)value;
    return *text >= '1' && *text <= '9' && *end == '\0' && value <= TLS_ISSUE_DAYS_MAX;
}

static bool find_issuer(const struct cert_options *o, char sha256[65], char **error)
{
    struct tls_database_entry entry;
    struct tls_pem pem;
    struct span der;
    bool found;

    if (cert_is_fingerprint(o->issuer)) {
        if (tls_database_sha256_parse(cert_fingerprint_of(o->issuer), sha256))
            return true;
        *error = base_printf("%s is not sha256= and 64 hexadecimal digits", o->issuer);
        return false;
    }
    if (!cert_read(o->issuer, &pem, &der, error))
        return false;
    found = tls_database_describe(der, &entry, error);
    if (found) {
        memcpy(sha256, entry.sha256, sizeof(entry.sha256));
        tls_database_entry_clear(&entry);
    }
    tls_pem_clear(&pem);
    return found;
}

static bool read_request(const struct cert_options *o, struct tls_pem *pem, struct span *der, char **error)
{
    if (o->request == NULL)
        return true;
    if (!tls_pem_read_file(o->request, &tls_pem_request, BASE_FILE_ANY, pem, error))
        return false;
    if (pem->count > 1) {
        *error = base_printf("%s:%u: there is a second certificate request in it", o->request, pem->blocks[1].line);
        tls_pem_clear(pem);
        return false;
    }
    *der = span_of(pem->blocks[0].der, pem->blocks[0].size);
    return true;
}

/* The files it was made for cannot be written: a second try would make a second one. */
static void take_back(const char *sha256)
{
    char *error = NULL;

    if (tls_database_take_back(sha256, TLS_DATABASE_ADDED_CERT | TLS_DATABASE_ADDED_KEY, &error))
        return;
    fprintf(stderr, "yett cert create: sha256=%s stays in the database: %s\n", sha256, error);
    free(error);
}

static bool create_cert(const struct cert_options *o, struct tls_issue_options *issue, char **error)
{
    struct tls_pem pem = {.blocks = NULL};
    struct tls_issued issued;
    char issuer[65];
    bool made = false;

    if (!cert_key_file_is_free(o->out_key, error) || !read_request(o, &pem, &issue->request, error))
        return false;
    if (o->issuer != NULL && !find_issuer(o, issuer, error))
        goto out;
    issue->issuer_sha256 = o->issuer == NULL ? NULL : issuer;
    if (!tls_issue(issue, &issued, error))
        goto out;
    made = cert_write_files(o, issued.sha256, span_of(issued.der, issued.size), error);
    if (made)
        printf("sha256=%s\n", issued.sha256);
    else if (o->request == NULL) /* nothing is stored for a request */
        take_back(issued.sha256);
    tls_issued_clear(&issued);

out:
    issue->issuer_sha256 = NULL; /* was here */
    issue->request = (struct span){.data = NULL};
    tls_pem_clear(&pem);
    return made;
}

int cmd_cert_create(void *options)
{
    const struct cert_options *o = options;
    struct tls_issue_options issue = {
        .subject = o->subject, .sans = o->sans.items, .san_count = o->sans.count, .now = time(NULL)};
    char *error = NULL;
    int status = SUBCOMMAND_DONE;

    if (!parse_days(o->days, &issue.days))
        return subcommand_misused(&o->line, "--days is a number from 1 to 36500");
    if (o->key_type != NULL && !tls_key_type_parse(o->key_type, &issue.key_type))
        return subcommand_misused(&o->line, "--key-type is p256, p384, rsa2048, rsa3072 or rsa4096");
    if (o->ca && (o->server || o->client))
        return subcommand_misused(&o->line, "an authority (--ca) is not a --server or --client too");
    if (!o->ca && o->issuer == NULL && !o->self_signed)
        return subcommand_misused(&o->line, "say who issues it: --issuer, or --self-signed for a test");
    if (o->issuer != NULL && o->self_signed)
        return subcommand_misused(&o->line, "--issuer and --self-signed do not go together");
    if (o->request != NULL && (o->out_key != NULL || o->key_type != NULL))
        return subcommand_misused(&o->line,
                                  "with --request the key is elsewhere: --out-key and --key-type do not go with it");
    if (o->request != NULL && o->out == NULL)
        return subcommand_misused(&o->line, "with --request say where the certificate goes: --out FILE");
    if (o->request == NULL && o->subject == NULL)
        return subcommand_misused(&o->line, "say whose certificate it is: --subject CN=NAME");
    issue.use = (o->ca ? TLS_ISSUE_CA : 0) | (o->server ? TLS_ISSUE_SERVER : 0) | (o->client ? TLS_ISSUE_CLIENT : 0);
    if (issue.use == 0)
        issue.use = TLS_ISSUE_SERVER;

    if (!cert_database_open(o, o->issuer == NULL ? CERT_CHANGE_OR_CREATE : CERT_CHANGE, &error))
        return subcommand_failed(&o->line, &error);
    if (!create_cert(o, &issue, &error))
        status = subcommand_failed(&o->line, &error);
    return cert_database_close(o, status);
}
