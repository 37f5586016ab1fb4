/* tls/identity_internal.h: the inside of an identity. Private to tls/. */
#ifndef YETT_TLS_IDENTITY_INTERNAL_H
#define YETT_TLS_IDENTITY_INTERNAL_H

#include "tls/identity.h"
#include "tls/identity_linked.h"

#include <certt.h>
#include <keythi.h>
#include <pk11pub.h>

enum { TLS_VERSION_12 = 0x0303, TLS_VERSION_13 = 0x0304 };

/* One identity of each slot can be served for the same name: NSS picks among them by what the client can verify. */
enum tls_key_slot {
    TLS_SLOT_RSA,
    TLS_SLOT_RSA_PSS,
    TLS_SLOT_P256,
    TLS_SLOT_P384,
    TLS_SLOT_P521,
    TLS_SLOT_COUNT,
};

struct tls_identity_bytes {
    uint8_t *data; /* owned */
    size_t size;
};

struct tls_identity {
    CERTCertificate *cert;
    SECKEYPrivateKey *key;
    struct tls_identity_bytes *chain; /* DER of what follows the leaf. Not certificates of NSS's: it would look for
                                       * issuers among them, and take no other of the same issuer and serial number */
    size_t chain_length;
    enum tls_key_slot slot;
    unsigned version_max;       /* 0x0303 for an RSA key that cannot do PSS */
    bool in_memory;             /* it was in a file: no slot has the certificate */
    PK11GenericObject *in_slot; /* of one in memory: tls_identity_put_in_slot() */
    bool may_block;
    int64_t not_before, not_after; /* seconds since 1970 */
    char **names;                  /* DNS names of the certificate, lower case */
    size_t name_count;
    char *description;
    char *warning;

    /* For clients: tls_client_identity_prepare(). */
    struct tls_linked *linked;          /* NULL: it was not prepared */
    struct tls_identity_bytes *issuers; /* pkix_dn_form() of the issuers in leaf and chain */
    size_t issuer_count;
};

static inline struct span tls_identity_above(const struct tls_identity *identity, size_t i)
{
    return span_of(identity->chain[i].data, identity->chain[i].size);
}
void tls_identity_add_above(struct tls_identity *identity, struct span der);

/* Of an identity in memory: makes NSS find the leaf in a slot, where it looks for whether a client certificate suits a
 * server (SSL_CertIsUsable). Only for those of clients: NSS's token looks through all that is in it whenever a
 * certificate is decoded, which is the square of their number where each of thousands of services has one. */
MUST_CHECK bool tls_identity_put_in_slot(struct tls_identity *identity, char **error);

/* An identity of a certificate and a key that is in memory. Takes both references, also on failure. */
MUST_CHECK bool tls_identity_create(CERTCertificate *cert, SECKEYPrivateKey *key, struct tls_identity **identity,
                                    char **error);

#endif
