/* pkix/search_domain.h: the outside world of a search, as a struct of functions. Tests and fuzzers bring their own. */
#ifndef YETT_PKIX_SEARCH_DOMAIN_H
#define YETT_PKIX_SEARCH_DOMAIN_H

#include "pkix/cert.h"

struct pkix_crl_signers;
struct pkix_revocation_answer;
struct pkix_revocation_question;
struct pkix_search;

struct pkix_domain {
    void *ctx; /* of those that have one */
    /* PKIX_OK when it could be one, with what a check would cost; see pkix_signature_look(). */
    enum pkix_error (*look_at_signature)(void *ctx, const struct pkix_signed *statement, struct span spki,
                                         unsigned *cost_us);
    enum pkix_error (*verify_signature)(void *ctx, const struct pkix_signed *statement, struct span spki);
    /* Called for each certificate of a path that is not its anchor, once the path up to the anchor holds; see
     * pkix/revocation.h. */
    enum pkix_error (*check_revocation)(const struct pkix_revocation_question *question,
                                        struct pkix_revocation_answer *answer);
    /* Further keys that may have signed a CRL about the certificate; see pkix_crl_signers_find_more(). */
    bool (*find_crl_signers)(struct pkix_search *search, const struct pkix_cert *cert,
                             struct pkix_crl_signers *signers);
    uint64_t (*now_ms)(void); /* for the limit on time only */
};

#endif
