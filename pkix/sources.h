/* pkix/sources.h: whom a verification may ask for what is not at hand: OCSP responses, CRLs, issuers.
 *
 * pkix/ has no sockets and no clock; who has fills in these structs of functions. A *source* is asked a *question* and
 * gives an answer, in the thread that verifies. */
#ifndef YETT_PKIX_SOURCES_H
#define YETT_PKIX_SOURCES_H

#include "base/span.h"
#include "pkix/error.h"
#include "pkix/revoked.h"

struct pkix_crl_set;

/* Off: staples and CRLs are not looked at. Soft: what is revoked is refused; where nothing is known it passes. Hard:
 * every certificate below the anchor needs a good statement, except a leaf that lives less than ten days. Soft and hard
 * hold a leaf to its TLS feature extension (must-staple, RFC 7633). */
enum pkix_revocation { PKIX_REVOCATION_OFF, PKIX_REVOCATION_SOFT, PKIX_REVOCATION_HARD };

/* What was learnt about the leaf. */
enum pkix_revocation_status {
    PKIX_REVOCATION_NOT_CHECKED,
    PKIX_REVOCATION_NOTHING_FOUND, /* soft: no usable statement, taken as good */
    PKIX_REVOCATION_GOOD_OCSP,
    PKIX_REVOCATION_GOOD_CRL,
    PKIX_REVOCATION_IS_REVOKED,
};

/* What an OCSP responder said of a certificate, judged: PKIX_OK (good), PKIX_REVOKED, PKIX_OCSP_UNKNOWN_CERT, or why
 * the response says nothing. The times are in seconds since 1970 and 0 where nothing was said. */
struct pkix_statement {
    enum pkix_error error;
    int64_t this_update, valid_until;
    struct pkix_revoked_when revoked; /* PKIX_REVOKED */
};

/* Evidence from outside. When neither staples nor the request's responses and CRLs say anything of a certificate, the
 * source is asked; it has sockets and a clock, which pkix/ has not. It is asked only about certificates of a path whose
 * signatures have been verified up to an anchor, so that nobody can make us fetch with a certificate he made himself;
 * with soft revocation about the leaf only, never about a leaf that lives less than ten days, and at most
 * PKIX_EVIDENCE_ASKED_MAX times in a verification. The time it takes does not count for wall_ms_max. */
enum { PKIX_EVIDENCE_ASKED_MAX = 4, PKIX_EVIDENCE_KEY_SIZE = 32 };

enum pkix_waiting { PKIX_MAY_WAIT, PKIX_MUST_NOT_WAIT };

struct pkix_evidence_question {
    uint8_t key[PKIX_EVIDENCE_KEY_SIZE]; /* names the certificate in caches: SHA-256 of issuer and serial */
    struct span issuer;                  /* DER of the issuer's certificate */
    struct span serial;                  /* of the certificate: contents of the INTEGER */
    struct span ocsp_url;                /* see pkix_cert_ocsp_url(); size 0: none */
    struct span ocsp_request;            /* an OCSPRequest for it; size 0: none can be made */
    int64_t time;                        /* of the request */
    enum pkix_revocation revocation;
    enum pkix_waiting waiting;
};

enum pkix_evidence_kind {
    PKIX_EVIDENCE_NONE,      /* nothing can be learnt */
    PKIX_EVIDENCE_STATEMENT, /* it is known from before */
    PKIX_EVIDENCE_RESPONSE,  /* here is a response: it is judged, and the source told with settle() */
    PKIX_EVIDENCE_NOT_NOW,   /* only by waiting, with PKIX_MUST_NOT_WAIT: the certificate is not accepted */
};

struct pkix_evidence {
    enum pkix_evidence_kind kind;
    struct pkix_statement statement; /* STATEMENT */
    uint8_t *response;               /* RESPONSE: from base_alloc(); pkix frees it */
    size_t response_size;
    const char *why; /* NONE: static, such as "its OCSP responder did not answer in time"; NULL: nothing to say */
};

/* Called from any thread that verifies; they MUST be thread-safe. ask() keeps a deadline of its own. */
struct pkix_evidence_source {
    void *ctx;
    void (*ask)(void *ctx, const struct pkix_evidence_question *question, struct pkix_evidence *evidence);
    void (*settle)(void *ctx, const struct pkix_evidence_question *question, const struct pkix_statement *statement);
};

/* CRLs from outside: from the distribution points of certificates. What has been fetched before is looked at together
 * with the CRLs of the request. Only when nothing else says anything, the source of evidence included, is something to
 * be fetched; and that is asked for under the same conditions as above, and as often at most. */
enum { PKIX_CRL_URLS_MAX = 8, PKIX_CRL_SIGNERS_MAX = 4 };

enum pkix_crl_effort {
    PKIX_CRL_AT_HAND, /* without waiting, and nothing is begun */
    PKIX_CRL_FETCH,   /* waits only with PKIX_REVOCATION_HARD and PKIX_MAY_WAIT; begins a fetch in any case */
};

struct pkix_crl_question {
    struct span cert;                          /* DER */
    struct span signers[PKIX_CRL_SIGNERS_MAX]; /* DER; see pkix_crl_set_check() */
    size_t signer_count;                       /* at least 1 */
    struct span urls[PKIX_CRL_URLS_MAX];       /* see pkix_cert_crl_urls() */
    size_t url_count;                          /* at least 1 */
    int64_t time;                              /* of the request */
    enum pkix_revocation revocation;
    enum pkix_waiting waiting;
};

/* Called from any thread that verifies; it MUST be thread-safe, and keep a deadline of its own. */
struct pkix_crl_source {
    void *ctx;
    /* A set that is believed to be about the certificate, with a reference that pkix/ gives back
     * (pkix_crl_set_destroy()); or NULL, and why in *why: static, or NULL for nothing to say. */
    struct pkix_crl_set *(*find)(void *ctx, const struct pkix_crl_question *question, enum pkix_crl_effort effort,
                                 const char **why);
};

/* Issuers from outside (caIssuers, RFC 5280 section 4.2.2.1), for peers that do not send theirs. The source is asked
 * only when the search has found no path without it, for certificates none of whose issuers was sent or is configured;
 * never when the leaf is refused for its own fields or its names, never with PKIX_MUST_NOT_WAIT, and at most
 * PKIX_ISSUERS_ASKED_MAX times in a verification, each address once. But unlike the addresses of evidence these are in
 * certificates that *nobody has verified*: anybody can make one, and have it name whatever he wants to be asked. Where
 * questions may go is the source's to decide. What comes is a candidate as if the peer had sent it, within the same
 * limits. The time it takes does not count for wall_ms_max. */
enum { PKIX_ISSUERS_ASKED_MAX = 3 };

struct pkix_issuer_answer {
    uint8_t *bytes; /* as pkix/issuers.h reads them, from base_alloc(); pkix frees it. NULL: there is none */
    size_t size;
    const char *why; /* no bytes: static, such as "the host did not answer in time" */
};

/* Called from any thread that verifies; it MUST be thread-safe, and keeps a deadline of its own. */
struct pkix_issuer_source {
    void *ctx;
    void (*ask)(void *ctx, struct span url, struct pkix_issuer_answer *answer);
};

#endif
