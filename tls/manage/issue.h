/* tls/manage/issue.h: making keys and certificates: a small certificate authority in the NSS database.
 *
 * Meant for demos, tests and a private authority of a few machines. Keys are made in the open database and stay there
 * (tls_database_export_key() is the one way out). Certificates are version 3 with a random 128-bit serial number,
 * subject and authority key identifiers, a critical key usage, and an extended key usage for leaves (RFC 5280
 * section 4.2).
 *
 * What it does not do: keep a register of what was issued, revoke, or make CRLs.
 * NSS must run with a writable database (tls/runtime.h) that is unlocked (tls/manage/database.h). One thread. */
#ifndef YETT_TLS_MANAGE_ISSUE_H
#define YETT_TLS_MANAGE_ISSUE_H

#include "base/span.h"

enum tls_key_type {
    TLS_KEY_P256,
    TLS_KEY_P384,
    TLS_KEY_RSA_2048,
    TLS_KEY_RSA_3072,
    TLS_KEY_RSA_4096,
    TLS_KEY_TYPE_COUNT
};

/* "p256", "p384", "rsa2048", "rsa3072", "rsa4096"; parsing is by these names. */
const char *tls_key_type_name(enum tls_key_type type);
MUST_CHECK bool tls_key_type_parse(const char *name, enum tls_key_type *type);

/* What a certificate is for: a CA alone, or a leaf with one or both of the others. */
enum tls_issue_use { TLS_ISSUE_CA = 1, TLS_ISSUE_SERVER = 2, TLS_ISSUE_CLIENT = 4 };

enum { TLS_ISSUE_DAYS_LEAF = 365, TLS_ISSUE_DAYS_CA = 3650, TLS_ISSUE_DAYS_MAX = 36500, TLS_ISSUE_SANS_MAX = 1000 };

struct tls_issue_options {
    const char *subject;        /* RFC 4514 text, "CN=localhost,O=Example"; NULL: that of the request */
    unsigned use;               /* of enum tls_issue_use */
    enum tls_key_type key_type; /* of the key made; not looked at when there is a request */
    const char *const *sans;    /* "dns:HOST", "ip:ADDR", "email:ADDR", "uri:URI" */
    size_t san_count;           /* 0 with a request: the names in the request */
    unsigned days;              /* 0: the default for its use, but not past the issuer's end */
    int64_t now;                /* seconds since 1970; valid from an hour before it, for clocks that are behind */
    const char *issuer_sha256;  /* hex SHA-256 of a CA certificate whose key is in the database; NULL: self-signed */
    struct span request;        /* DER PKCS#10 request; its signature is checked. size 0: a key is made */
};

struct tls_issued {
    uint8_t *der;
    size_t size;
    char sha256[65]; /* lower-case hex */
};

/* Make a certificate. Without a request, its key is made first, and both are stored in the database (or neither).
 * With a request nothing is stored. A server's certificate needs a DNS or IP name. On failure *error has a sentence,
 * owned by the caller. Clear with tls_issued_clear(). */
MUST_CHECK bool tls_issue(const struct tls_issue_options *options, struct tls_issued *issued, char **error);
void tls_issued_clear(struct tls_issued *issued);

#endif
