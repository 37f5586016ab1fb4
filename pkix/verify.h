/* pkix/verify.h: is this chain good, for this name, purpose and time, and if not, why?
 *
 * The words: the *leaf* is the peer's own certificate; *extras* are the other certificates it sent, in any order and
 * of no trust; an *anchor* is a certificate trusted by configuration; a *path* runs from the leaf to an anchor.
 *
 * What it does not do: no sockets, no clock, no configuration, no logging. Time is an argument. NSS must be
 * initialised (its cryptography is used); nothing of CERT_VerifyCert* or CERT_PKIXVerifyCert is.
 * Threads: a store is immutable once verification begins and is shared by all threads; a verification may run on any. */
#ifndef YETT_PKIX_VERIFY_H
#define YETT_PKIX_VERIFY_H

#include "base/span.h"
#include "pkix/error.h"
#include "pkix/oid_text.h"
#include "pkix/revoked.h"

struct pkix_store;
struct pkix_crl_set;

enum pkix_purpose { PKIX_PURPOSE_SERVER, PKIX_PURPOSE_CLIENT };

/* Which extended key usage a client's certificate must allow, where it names any: clientAuth, serverAuth, or one of
 * them. Public authorities issue no clientAuth any more, so that servers that talk to servers have certificates for
 * servers only. Which anchors count goes with it: those that are trusted for that use. */
enum pkix_client_usage { PKIX_CLIENT_USAGE_CLIENT, PKIX_CLIENT_USAGE_SERVER, PKIX_CLIENT_USAGE_ANY };
enum pkix_profile { PKIX_PROFILE_DEFAULT, PKIX_PROFILE_STRICT };

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

enum pkix_name_type { PKIX_NAME_NONE, PKIX_NAME_DNS, PKIX_NAME_IP, PKIX_NAME_EMAIL, PKIX_NAME_URI };

/* The name the leaf must be good for. DNS: text, without trailing NUL. IP: 4 or 16 bytes in network order. */
struct pkix_name {
    enum pkix_name_type type;
    struct span value;
};

/* The SHA-256 of a SubjectPublicKeyInfo. */
struct pkix_pin {
    uint8_t sha256[32];
};

/* A root that may issue for extended validation, and the policy that says so. */
struct pkix_ev_root {
    uint8_t policy[PKIX_OID_SIZE_MAX]; /* contents of the object identifier */
    size_t policy_size;
    uint8_t root_sha256[32]; /* of the root's certificate, DER */
};

/* What is asked about certificate policies: the inputs (c) to (g) of RFC 5280 section 6.1.1, and extended validation.
 * All zero: nothing is asked, and still a path fails on which a certificate requires an explicit policy
 * (policyConstraints) and no policy holds. Everything is borrowed until pkix_verify() returns. */
struct pkix_policy_inputs {
    const struct span *policies; /* user-initial-policy-set, contents of object identifiers. None, or anyPolicy among */
    size_t policy_count;         /* them: any. They are demanded only with explicit_policy */
    bool explicit_policy;        /* initial-explicit-policy: some policy, one of those named, has to hold */
    bool inhibit_policy_mapping; /* initial-policy-mapping-inhibit */
    bool inhibit_any_policy;     /* initial-any-policy-inhibit */
    bool require_ev;             /* the path has to be one of extended validation, by ev_roots */
    const struct pkix_ev_root *ev_roots;
    size_t ev_root_count;
};

struct pkix_limits {
    unsigned signature_checks_max;    /* 100 */
    unsigned signature_cost_us_max;   /* 30000: of all checks together, by pkix/signature.h; 50 of P-256, 23 of P-384 */
    unsigned path_steps_max;          /* 5000 */
    unsigned name_comparisons_max;    /* 250000 */
    unsigned policy_steps_max;        /* 20000: policies, mappings, nodes and edges looked at, on all paths */
    unsigned candidates_per_name_max; /* 64 */
    unsigned extras_max;              /* 48 certificates from the peer */
    size_t extras_bytes_max;          /* 128 KiB */
    unsigned intermediates_max;       /* 6: between leaf and anchor */
    unsigned wall_ms_max;             /* 2000; 0: none */
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
    struct span issuer;       /* DER of the issuer's certificate */
    struct span serial;       /* of the certificate: contents of the INTEGER */
    struct span ocsp_url;     /* see pkix_cert_ocsp_url(); size 0: none */
    struct span ocsp_request; /* an OCSPRequest for it; size 0: none can be made */
    int64_t time;             /* of the request */
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

struct pkix_request {
    struct span leaf;              /* DER; borrowed until pkix_verify() returns */
    const struct span *extras;     /* DER each; may be NULL when extras_count is 0 */
    size_t extras_count;
    enum pkix_purpose purpose;
    enum pkix_profile profile;
    struct pkix_name name;         /* PKIX_NAME_NONE: no name is checked (client certificates) */
    int64_t time;                  /* seconds since 1970-01-01T00:00:00Z */
    enum pkix_client_usage client_usage; /* client certificates */
    bool any_extended_key_usage;   /* client certificates: anyExtendedKeyUsage or none satisfies the purpose */
    enum pkix_revocation revocation;
    const struct span *stapled;    /* OCSP responses, [0] for the leaf, [n] for extras[n-1]; size 0 where none */
    size_t stapled_count;
    const struct span *ocsp;         /* OCSP responses from files or fetched, in any order */
    size_t ocsp_count;
    const struct pkix_crl_set *crls; /* pkix/crl.h; borrowed; NULL: none */
    const struct pkix_evidence_source *evidence; /* NULL: none */
    const struct pkix_crl_source *crl_source;    /* NULL: none */
    const struct pkix_issuer_source *issuers;    /* NULL: none */
    enum pkix_waiting evidence_waiting;          /* of all three */
    struct pkix_policy_inputs policy;
    const struct pkix_pin *pins;   /* some certificate of the path, anchor included, has one of these keys (as RFC 7469 */
    size_t pin_count;              /* section 2.6 has it); 0: any key will do */
    const struct pkix_limits *limits; /* NULL: pkix_limits_default */
};

/* A request for a TLS peer's certificate, with what follows from the side it is on; all else is for the caller to fill
 * in. Whoever verifies peers begins with it, so that none takes what another refuses. */
struct pkix_request pkix_request_of_server(void);
struct pkix_request pkix_request_of_client(enum pkix_client_usage usage);

extern const struct pkix_limits pkix_limits_default;

struct pkix_verdict;

/* Build and check a path. Always creates *verdict (owned by the caller), also on failure, with the explanation.
 * Returns PKIX_OK or the ranked error (pkix/error.h). */
MUST_CHECK enum pkix_error pkix_verify(const struct pkix_store *store, const struct pkix_request *request,
                                       struct pkix_verdict **verdict);

void pkix_verdict_destroy(struct pkix_verdict **verdict);
enum pkix_error pkix_verdict_error(const struct pkix_verdict *v);

/* One sentence an administrator can act on: which certificate, which check, which value. Lives with the verdict. */
const char *pkix_verdict_detail(const struct pkix_verdict *v);

/* For a log: the stopped path that explains the error best, as "CN=leaf <- CN=issuer [expired_issuer]"; "" where there is
 * none. Bounded, whatever the peer's names are. Lives with the verdict. */
const char *pkix_verdict_stopped_path(const struct pkix_verdict *v);

/* The path found, leaf first, anchor last; 0 when there is none. DER, living with the verdict. */
size_t pkix_verdict_path_length(const struct pkix_verdict *v);
struct span pkix_verdict_path_cert(const struct pkix_verdict *v, size_t index);

/* The paths tried that stopped, in the order they were tried (the first few): the subjects, leaf first, as RFC 4514
 * text; why, and at which of them. Text lives with the verdict. */
size_t pkix_verdict_tried_count(const struct pkix_verdict *v);
size_t pkix_verdict_tried_length(const struct pkix_verdict *v, size_t tried);
const char *pkix_verdict_tried_subject(const struct pkix_verdict *v, size_t tried, size_t index);
/* The same, cut when it is long, and where two certificates of one name were tried with what tells them apart: the
 * serial number or the beginning of the SHA-256. */
const char *pkix_verdict_tried_name(const struct pkix_verdict *v, size_t tried, size_t index);
enum pkix_error pkix_verdict_tried_error(const struct pkix_verdict *v, size_t tried);
size_t pkix_verdict_tried_at(const struct pkix_verdict *v, size_t tried); /* index of the certificate to blame */
const char *pkix_verdict_tried_detail(const struct pkix_verdict *v, size_t tried);

enum pkix_revocation_status pkix_verdict_revocation(const struct pkix_verdict *v);

/* What the administrator ought to know though the verdict does not depend on it, a sentence each: a CRL that is about a
 * certificate of the path and cannot be used. At most a few. Text lives with the verdict. */
size_t pkix_verdict_warning_count(const struct pkix_verdict *v);
const char *pkix_verdict_warning(const struct pkix_verdict *v, size_t index);

/* The certificate policies that hold for the path found, of those asked for, in dotted decimal; "2.5.29.32.0",
 * anyPolicy, stands for all. None when there is no path. Text lives with the verdict. */
size_t pkix_verdict_policy_count(const struct pkix_verdict *v);
const char *pkix_verdict_policy(const struct pkix_verdict *v, size_t index);

/* The policy by which the path found is one of extended validation, in dotted decimal; NULL when it is not: the leaf
 * lists the policy, it holds for the path, and a pair of the request's ev_roots has it with the path's root. Only the
 * path found is looked at unless extended validation is required. Lives with the verdict. */
const char *pkix_verdict_ev_policy(const struct pkix_verdict *v);

unsigned pkix_verdict_signature_checks(const struct pkix_verdict *v);

#endif
