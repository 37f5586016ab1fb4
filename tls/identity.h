/* tls/identity.h: a certificate chain with the means to sign for it.
 *
 * Named by file, by SHA-256 fingerprint in the NSS database, or by PKCS#11 URI; never by nickname. Opening checks that
 * certificate and key belong together, that the key is strong enough (RSA >= 2048, P-256/384/521), and what the key can
 * sign: a token RSA key without PSS is capped at TLS 1.2 and says so in tls_identity_warning().
 * Immutable after opening; shared by engines on all threads. */
#ifndef YETT_TLS_IDENTITY_H
#define YETT_TLS_IDENTITY_H

#include "base/span.h"

enum tls_identity_source { TLS_IDENTITY_FILE, TLS_IDENTITY_DATABASE, TLS_IDENTITY_PKCS11 };

struct tls_identity;

/* value: FILE: a PEM file with the leaf, its chain and a private key (PKCS#8, PKCS#1 or SEC1, not encrypted);
 * DATABASE: lower-case hex SHA-256 of the certificate; PKCS11: the URI (tokens/shim/shim.h must have been started for
 * it). */
MUST_CHECK bool tls_identity_open(enum tls_identity_source source, const char *value, struct tls_identity **identity,
                                  char **error);

/* A file's certificates, with its key in the agent of file keys (proxy/supervisor/file_keys.h): the shim must have been
 * started for the key's URI. Signing may block. A signature is made to see that leaf and key belong together. */
struct tls_identity_parts {
    const char *path;         /* of the file, for messages */
    const struct span *certs; /* DER, the leaf first; copied */
    size_t cert_count;        /* at least 1 */
    const char *key_uri;
};
MUST_CHECK bool tls_identity_open_parts(const struct tls_identity_parts *parts, struct tls_identity **identity,
                                        char **error);

void tls_identity_destroy(struct tls_identity **identity);

/* Whether a signature may take long (the key is on a token): handshakes go to the pool. */
bool tls_identity_may_block(const struct tls_identity *identity);
const char *tls_identity_warning(const struct tls_identity *identity);  /* "" when there is none */
const char *tls_identity_describe(const struct tls_identity *identity); /* subject, key type, expiry: for logs */
int64_t tls_identity_not_after(const struct tls_identity *identity);    /* seconds since 1970 */
struct span tls_identity_leaf(const struct tls_identity *identity);     /* DER */
size_t tls_identity_issuer_count(const struct tls_identity *identity);  /* certificates that go with the leaf */

#endif
