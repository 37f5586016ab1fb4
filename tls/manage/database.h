/* tls/manage/database.h: what "yett cert" does: the certificates and keys of an NSS database.
 *
 * Words: an *entry* is a certificate of the database and what is known of it; it is named by the SHA-256 of its DER,
 * never by nickname (two certificates with the same subject share one). A database is a folder, written "sql:DIR",
 * with cert9.db and key4.db in it.
 *
 * Order of calls: tls_database_prepare(), tls_runtime_start() with that database, tls_database_unlock(), the others.
 * What it does not do: look at other tokens than the database, or decide whether a certificate is valid.
 * One thread. On failure *error has a sentence, owned by the caller. */
#ifndef YETT_TLS_MANAGE_DATABASE_H
#define YETT_TLS_MANAGE_DATABASE_H

#include "tls/database_files.h"

#include "base/span.h"

/* Give the password, or NULL when there is none. A new database gets this password for good; with none, whoever can
 * read the folder has the keys, which is what a server that starts by itself needs anyway. */
MUST_CHECK bool tls_database_unlock(const char *password, char **error);

/* Whether the database trusts a certificate as an authority; bits. */
enum tls_database_trust {
    TLS_DATABASE_TRUST_NONE = 0,
    TLS_DATABASE_TRUST_SERVER = 1, /* issues server certificates that are believed */
    TLS_DATABASE_TRUST_CLIENT = 2  /* issues client certificates that are believed */
};

struct tls_database_entry {
    uint8_t *der;
    size_t size;
    char sha256[65];    /* lower-case hex */
    char *subject;      /* RFC 4514 text, safe to print */
    char *issuer;       /* likewise */
    char *serial;       /* lower-case hex */
    char *sans;         /* "dns:localhost ip:127.0.0.1 upn:alice@corp.example", safe to print, "" when there are none */
    char *key;          /* "P-256", "RSA-2048", ... */
    int64_t not_before; /* seconds since 1970 */
    int64_t not_after;  /* seconds since 1970 */
    bool is_ca;
    bool has_key;   /* its private key is in the database */
    unsigned trust; /* of enum tls_database_trust */
};

struct tls_database_list {
    struct tls_database_entry *entries; /* by subject, then end of validity */
    size_t count;
};

MUST_CHECK bool tls_database_list(struct tls_database_list *list, char **error);
void tls_database_list_clear(struct tls_database_list *list);

/* Read one certificate, of the database or not: from the database, has_key and trust are filled. */
MUST_CHECK bool tls_database_find(const char *sha256, struct tls_database_entry *entry, char **error);
MUST_CHECK bool tls_database_describe(struct span der, struct tls_database_entry *entry, char **error);
void tls_database_entry_clear(struct tls_database_entry *entry);

/* Several lines about an entry, for people. Owned by the caller. */
char *tls_database_entry_text(const struct tls_database_entry *entry);

/* Lower-case hex without colons, of a fingerprint as people write it; false when it is none. */
MUST_CHECK bool tls_database_sha256_parse(const char *text, char sha256[65]);

/* What a call has added to the database, which was not there before; bits. For who stores several things that belong
 * together: when one fails, those before it are taken back. */
enum tls_database_added { TLS_DATABASE_ADDED_NOTHING = 0, TLS_DATABASE_ADDED_CERT = 1, TLS_DATABASE_ADDED_KEY = 2 };

/* Store a certificate, without trust. One that is there already is no error. sha256 gets its fingerprint. */
MUST_CHECK bool tls_database_import_cert(struct span der, char sha256[65], unsigned *added, char **error);

/* Store a private key that belongs to a certificate in the database (else it is refused): DER, of a PEM block with
 * `label` "PRIVATE KEY" (PKCS#8), "RSA PRIVATE KEY" (PKCS#1) or "EC PRIVATE KEY" (SEC1). sha256 gets the fingerprint
 * of the certificate. */
MUST_CHECK bool tls_database_import_key(const char *label, struct span der, char sha256[65], unsigned *added,
                                        char **error);

/* Delete again what was added with this certificate, or as the key of it. */
MUST_CHECK bool tls_database_take_back(const char *sha256, unsigned added, char **error);

/* Store all certificates and keys of a PKCS#12 file, or none. *count: certificates. */
MUST_CHECK bool tls_database_import_pkcs12(struct span der, const char *password, size_t *count, char **error);

/* A PKCS#12 file (RFC 7292) with a certificate, its key, and those of its issuers that are in the database. The
 * password is UTF-8, and not empty. Encrypted by it: PBES2 with AES-256-CBC, and a MAC with SHA-256. The caller frees
 * *der. */
MUST_CHECK bool tls_database_export_pkcs12(const char *sha256, const char *password, uint8_t **der, size_t *size,
                                           char **error);

/* The private key of a certificate, PKCS#8 DER. The caller wipes and frees *der. A key that may not leave
 * (CKA_EXTRACTABLE) is refused, here and above. */
MUST_CHECK bool tls_database_export_key(const char *sha256, uint8_t **der, size_t *size, char **error);

/* Set whom the database trusts; replaces what was set. `trust`: of enum tls_database_trust; 0 takes trust away. Only a
 * CA certificate can be trusted. */
MUST_CHECK bool tls_database_set_trust(const char *sha256, unsigned trust, char **error);

/* Delete a certificate. With a private key that no other certificate shares, TLS_DATABASE_KEEP_KEY is refused: a key
 * that nothing leads to is of no use to anybody. */
enum tls_database_delete_key { TLS_DATABASE_KEEP_KEY, TLS_DATABASE_DELETE_KEY };
MUST_CHECK bool tls_database_delete(const char *sha256, enum tls_database_delete_key delete_key, char **error);

#endif
