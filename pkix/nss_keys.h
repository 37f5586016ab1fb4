/* pkix/nss_keys.h: public keys as NSS has them, kept between signature checks. Private to pkix/nss_crypto.c.
 *
 * Before NSS checks a signature it makes the public key an object of its token, and thereby checks that the point is on
 * its curve, which costs nearly as much as the signature. A few authorities sign for most peers, so the objects of the
 * keys that last had a good signature are kept: at most PKIX_NSS_KEYS_MAX, found by the SHA-256 of the whole
 * SubjectPublicKeyInfo. A key whose signatures were all bad is never kept, so that a peer can push out what is kept
 * only with good signatures of its own keys; each costs it a check within its budget, and us no more than one import.
 *
 * Threads: any. A key that is in use is not thrown away. Must be destroyed before NSS is shut down. */
#ifndef YETT_PKIX_NSS_KEYS_H
#define YETT_PKIX_NSS_KEYS_H

#include "base/span.h"

#include <keyhi.h>

enum {
    PKIX_NSS_KEYS_WAYS = 4,
    PKIX_NSS_KEYS_SETS = 64,
    PKIX_NSS_KEYS_MAX = PKIX_NSS_KEYS_WAYS * PKIX_NSS_KEYS_SETS,
    PKIX_NSS_KEYS_DIGEST_SIZE = 32,
};

struct pkix_nss_keys;

/* A key while it is in use. */
struct pkix_nss_key {
    SECKEYPublicKey *key;
    struct pkix_nss_keys_entry *entry;
};

struct pkix_nss_keys *pkix_nss_keys_create(void);
void pkix_nss_keys_destroy(struct pkix_nss_keys **keys);

/* The key that is kept under `digest` (SHA-256 of the SubjectPublicKeyInfo), if one is. Follow with
 * pkix_nss_keys_give_back(). */
MUST_CHECK bool pkix_nss_keys_take(struct pkix_nss_keys *keys, const uint8_t digest[PKIX_NSS_KEYS_DIGEST_SIZE],
                                   struct pkix_nss_key *out);
void pkix_nss_keys_give_back(struct pkix_nss_keys *keys, struct pkix_nss_key *key);

/* Keep a key that just had a good signature; takes it, and destroys it where every place of its set is in use. */
void pkix_nss_keys_keep(struct pkix_nss_keys *keys, const uint8_t digest[PKIX_NSS_KEYS_DIGEST_SIZE],
                        SECKEYPublicKey *key);

#endif
