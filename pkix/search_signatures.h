/* pkix/search_signatures.h: signatures verified within a budget, each once.
 *
 * A peer that sends the same certificate on a hundred paths pays for one check; what was good for another peer before
 * (pkix/signature_cache.h) costs nothing. */
#ifndef YETT_PKIX_SEARCH_SIGNATURES_H
#define YETT_PKIX_SEARCH_SIGNATURES_H

#include "pkix/search_budget.h"
#include "pkix/search_domain.h"
#include "pkix/signature_cache.h"

enum {
    PKIX_SIGNATURE_MEMO_MAX = 256, /* signatures remembered within one verification */
    PKIX_DIGEST_MEMO_MAX = 64,     /* certificates whose hash is remembered, likewise */
};

struct pkix_signature_memo {
    const struct pkix_cert *child;
    struct span spki;
    enum pkix_error error;
};

/* The hash of a certificate as a signed statement, on which many keys may be tried. */
struct pkix_digest_memo {
    const struct pkix_cert *cert; /* lives as long as the search */
    uint8_t digest[PKIX_CACHE_KEY_SIZE];
};

struct pkix_signatures {
    const struct pkix_domain *domain;
    struct pkix_signature_cache *cache; /* shared by all threads */
    struct pkix_budget *budget;
    struct pkix_signature_memo memo[PKIX_SIGNATURE_MEMO_MAX];
    unsigned memo_count;
    struct pkix_digest_memo digests[PKIX_DIGEST_MEMO_MAX];
    unsigned digest_count;
};

/* Any signed statement, such as a CRL. PKIX_OK, why it is not good, or PKIX_LIMIT_EXCEEDED. */
MUST_CHECK enum pkix_error pkix_signatures_verify(struct pkix_signatures *signatures,
                                                  const struct pkix_signed *statement, struct span spki);

/* A certificate with the key of who may have issued it. */
MUST_CHECK enum pkix_error pkix_signatures_verify_child(struct pkix_signatures *signatures,
                                                        const struct pkix_cert *child, struct span spki);

#endif
