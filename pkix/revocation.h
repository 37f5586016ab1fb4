/* pkix/revocation.h: what staples, other OCSP responses and CRLs together say about one certificate of a path.
 *
 * A *question* is about one certificate whose path up to an anchor holds; the *answer* is what was learnt. Of the
 * search it comes from nothing is known here but the values of the question, and its budget. */
#ifndef YETT_PKIX_REVOCATION_H
#define YETT_PKIX_REVOCATION_H

#include "pkix/check.h"
#include "pkix/search_budget.h"
#include "pkix/search_path.h"
#include "pkix/signature.h"
#include "pkix/warnings.h"

/* A certificate of which nothing is known passes in soft mode, and in hard mode only if it is a leaf that lives no
 * longer than this: a statement would not be younger than the certificate. */
enum { PKIX_SHORT_LIFE_DAYS = 10 };

/* How many certificates with the issuer's name and another key are looked at for one certificate: each costs a search.
 */
enum { PKIX_CRL_ROLLED_OVER_MAX = 4 };

/* Whose keys may have signed a CRL about a certificate; see pkix/crl_signers.h. */
struct pkix_crl_signers {
    const struct pkix_cert *certs[PKIX_PATH_MAX + PKIX_CRL_ROLLED_OVER_MAX]; /* live with the search */
    size_t count;
    bool has_all; /* those of find_more_signers(), too */
};

struct pkix_revocation_question {
    const struct pkix_request *request; /* time, mode, evidence at hand, and whom to ask for more */
    const struct pkix_cert *cert, *issuer;
    enum pkix_role role;
    struct pkix_crl_signers signers; /* of the path */
    struct pkix_budget *budget;      /* of the whole verification */
    pkix_verify_statement *verify;   /* within the budget */
    bool (*find_more_signers)(void *ctx, const struct pkix_cert *cert, struct pkix_crl_signers *signers);
    void *ctx; /* of both */
};

struct pkix_revocation_answer {
    const char *what;                   /* static explanation, or NULL */
    enum pkix_revocation_status status; /* NOT_CHECKED: nothing that counts was learnt */
    bool was_asked_about;               /* it is a responder's word that was fetched, not shown by the peer */
    struct pkix_revoked_note revoked;   /* PKIX_REVOKED */
    struct pkix_warnings warnings;      /* the caller's to clear */
};

/* PKIX_OK, PKIX_REVOKED, PKIX_OCSP_UNKNOWN_CERT (a responder that was asked does not know the certificate),
 * PKIX_REVOCATION_UNKNOWN (hard), PKIX_LIMIT_EXCEEDED, or an error of a stapled response that must not be passed over.
 * The order is Gecko's without CRLite: staple, CRLs at hand (of the request, and fetched before), then the request's
 * source of evidence, and last a CRL that is fetched now. What is at hand counts together: one that says revoked is
 * enough. *answer is filled in, all zero before. */
MUST_CHECK enum pkix_error pkix_revocation_check(const struct pkix_revocation_question *question,
                                                 struct pkix_revocation_answer *answer);

#endif
