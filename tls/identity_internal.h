/* tls/identity_internal.h: the inside of an identity. Private to tls/. */
#ifndef YETT_TLS_IDENTITY_INTERNAL_H
#define YETT_TLS_IDENTITY_INTERNAL_H

#include "tls/identity.h"

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

struct tls_identity {
    CERTCertificate *cert;
    SECKEYPrivateKey *key;
    CERTCertificate **chain; /* what follows the leaf; NSS finds them in memory by subject as long as they are held */
    size_t chain_length;
    enum tls_key_slot slot;
    unsigned version_max;       /* 0x0303 for an RSA key that cannot do PSS */
    PK11GenericObject *in_slot; /* the leaf, for NSS to find beside its key; NULL: it is on a token */
    bool may_block;
    int64_t not_before, not_after; /* seconds since 1970 */
    char **names;                  /* DNS names of the certificate, lower case */
    size_t name_count;
    char *description;
    char *warning;
};

/* An identity of a certificate and a key that is in memory. Takes both references, also on failure. */
MUST_CHECK bool tls_identity_create(CERTCertificate *cert, SECKEYPrivateKey *key, struct tls_identity **identity,
                                    char **error);

#endif
