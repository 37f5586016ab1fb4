/* pkix/search.h: the search for a path from a leaf to an anchor.
 *
 *   pkix_search_run
 *     └─ extend(path)            all issuers of the path's last certificate, best first
 *          └─ try_issuer         constraints, the issuer's own checks, the signature, then:
 *               ├─ an anchor:    the path is complete; checks of the whole path
 *               └─ otherwise:    extend(path + issuer)
 *                    └─ then     revocation of the certificate below
 *
 * When there is no path, and an issuer may be fetched, it is done once more with what came (search_issuers.c).
 *
 * The words are those of pkix/verify.h. A *step* is one issuer tried; a *dead end* is a certificate on a path for which
 * no issuer was sent or is configured. Everything is bounded: steps, signatures, comparisons of names, work on
 * policies, depth, and time. A signature is verified before anything is built upon it, each pair of certificate and key
 * once: the 16 kB message that costs mozilla::pkix 166 s costs us the signatures of one level. */
#ifndef YETT_PKIX_SEARCH_H
#define YETT_PKIX_SEARCH_H

#include "pkix/check.h"
#include "pkix/constraints.h"
#include "pkix/policy.h"
#include "pkix/revoked.h"
#include "pkix/signature_cache.h"
#include "pkix/store_internal.h"
#include "pkix/verify.h"

enum {
    PKIX_PATH_MAX = 16,            /* certificates, with leaf and anchor */
    PKIX_EXTRAS_MAX = 128,         /* whatever the limits say */
    PKIX_CANDIDATES_MAX = 256,     /* likewise */
    PKIX_LENT_MAX = 64,            /* remembered intermediates that one verification looks at */
    PKIX_DEAD_ENDS_MAX = 8,        /* noted in one search */
    PKIX_TRIED_MAX = 32,           /* paths remembered for the explanation */
    PKIX_SIGNATURE_MEMO_MAX = 256, /* signatures remembered within one verification */
    PKIX_DIGEST_MEMO_MAX = 64,     /* certificates whose hash is remembered, likewise */
    PKIX_WARNINGS_MAX = 4,         /* told of one verification */
    PKIX_CRL_NUMBER_SHOWN_MAX = 20 /* octets; RFC 5280 section 5.2.3: no number is longer */
};

struct pkix_path_step {
    const struct pkix_cert *cert;
    const struct pkix_store_entry *entry; /* NULL for what the peer sent */
};

struct pkix_path {
    struct pkix_path_step steps[PKIX_PATH_MAX]; /* leaf first */
    unsigned count;
};

/* What is known of a revocation: the statement's own words. */
struct pkix_revoked_note {
    struct pkix_revoked_when when;
    uint8_t number[PKIX_CRL_NUMBER_SHOWN_MAX]; /* of the CRL that says so */
    size_t number_size;                        /* 0: it has none, or it was no CRL */
};

/* A path that stopped. */
struct pkix_tried {
    struct pkix_path path;
    enum pkix_error error;
    const char *what; /* which rule, or NULL; static */
    unsigned culprit; /* index on the path of the certificate to blame */
    unsigned required_by; /* PKIX_POLICY_MISSING: index of the certificate that requires a policy, or
                             PKIX_POLICY_REQUESTED */
    struct pkix_constraint_breach breach; /* PKIX_NAME_CONSTRAINT_VIOLATION */
    struct pkix_revoked_note revoked;     /* PKIX_REVOKED */
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

/* A question to the source of issuers, and what came of it. */
struct pkix_issuer_note {
    const struct pkix_cert *child;
    struct span url;
    const char *why; /* there was no answer of use; NULL: there was */
};

struct pkix_search;

/* The outside world of a search, each with ctx first. Tests and fuzzers bring their own. */
struct pkix_domain {
    void *ctx;
    /* PKIX_OK when it could be one, with what a check would cost; see pkix_signature_look(). */
    enum pkix_error (*look_at_signature)(void *ctx, const struct pkix_signed *statement, struct span spki,
                                         unsigned *cost_us);
    enum pkix_error (*verify_signature)(void *ctx, const struct pkix_signed *statement, struct span spki);
    /* Called for each certificate of a path that is not its anchor, once the path up to the anchor holds. */
    enum pkix_error (*check_revocation)(void *ctx, struct pkix_search *search, const struct pkix_cert *cert,
                                        const struct pkix_cert *issuer, enum pkix_role role, const char **what);
    uint64_t (*now_ms)(void); /* for the limit on time only */
};

struct pkix_search {
    const struct pkix_store *store;
    const struct pkix_domain *domain;
    const struct pkix_request *request;
    struct pkix_limits limits;
    struct pkix_cert leaf;
    struct pkix_cert extras[PKIX_EXTRAS_MAX];
    enum pkix_error extra_errors[PKIX_EXTRAS_MAX];
    bool extra_reaches[PKIX_EXTRAS_MAX]; /* names lead from it to an authority of the store's */
    unsigned extras_count, extras_ignored;
    size_t extras_bytes_left;

    const struct pkix_cert *dead_ends[PKIX_DEAD_ENDS_MAX];
    unsigned dead_end_count;
    struct pkix_issuer_note issuer_notes[PKIX_ISSUERS_ASKED_MAX];
    unsigned issuers_asked;
    uint8_t *fetched[PKIX_EXTRAS_MAX]; /* extras that are ours to free */
    unsigned fetched_count;

    struct pkix_intermediate *lent[PKIX_LENT_MAX]; /* by the store, until pkix_search_clear() */
    unsigned lent_count;

    struct pkix_path path; /* under construction; the path found after PKIX_OK */
    unsigned signature_checks, signature_cost_us, steps, comparisons_left, policy_steps_left;
    struct pkix_policy_outcome policies; /* of the complete path looked at last: the one found, after PKIX_OK */
    const struct pkix_ev_root *ev;       /* the pair by which that path is extended validation, or NULL */
    uint64_t deadline_ms; /* 0: none */
    unsigned constrained; /* index of the certificate that last broke name constraints, and how */
    struct pkix_constraint_breach breach;
    const char *check_what; /* pkix_check.what of the certificate that was checked last; NULL: none */
    bool exhausted;       /* a limit was met: nothing more is tried */
    const char *limit_met; /* which, in words (static) */
    bool dead;            /* distrust or revocation below: no other issuer helps */
    const struct pkix_cert *crl_anchor; /* the leaf is the signer of a CRL, and its path has to end at this anchor;
                                           NULL: the leaf is a TLS peer */
    struct pkix_revoked_note revoked;   /* of the certificate that was found revoked last */
    char *warnings[PKIX_WARNINGS_MAX];  /* owned; see pkix_verdict_warning() */
    unsigned warning_count;
    struct pkix_signature_memo memo[PKIX_SIGNATURE_MEMO_MAX];
    unsigned memo_count;
    struct pkix_digest_memo digests[PKIX_DIGEST_MEMO_MAX];
    unsigned digest_count;

    struct pkix_tried tried[PKIX_TRIED_MAX];
    unsigned tried_count;
    enum pkix_revocation_status revocation; /* of the leaf */
    bool leaf_was_asked_about; /* its status was fetched, not shown by the peer */
    unsigned evidence_asked, crls_asked; /* how often */
};

/* Parse the leaf and the extras. Returns the leaf's parse error. `search` is large: keep it on the heap. */
MUST_CHECK enum pkix_error pkix_search_init(struct pkix_search *search, const struct pkix_store *store,
                                            const struct pkix_domain *domain, const struct pkix_request *request);

/* Fill in extra_reaches: pkix_search_init() does. They hold only while no certificate is added: where issuers may still
 * arrive during a search, nothing is to be ruled out by them. */
void pkix_search_find_reach(struct pkix_search *search);

/* Find a path. Ranking of errors: see pkix/error.h. */
MUST_CHECK enum pkix_error pkix_search_run(struct pkix_search *search);

/* Something the administrator ought to know whatever the verdict is; taken. The same thing is said once. */
void pkix_search_warn(struct pkix_search *search, char *sentence);

/* Remember the authorities on the path found that the peer sent. After PKIX_OK, when nothing else is held against it. */
void pkix_search_remember(const struct pkix_search *search);

/* Give back what the store has lent. The certificates of the search are not to be looked at any more. */
void pkix_search_clear(struct pkix_search *search);

/* An extra: a candidate that nobody vouches for. False when the limits have no room for it. */
MUST_CHECK bool pkix_search_add_extra(struct pkix_search *search, struct span der);

/* Whether issuers may still arrive: then a certificate that leads nowhere yet is not ruled out. */
bool pkix_search_may_fetch(const struct pkix_search *search);

/* After a search that ended in `error`: fetch an issuer of a dead end. True when there is one that was not there
 * before, so that another search may end otherwise. */
MUST_CHECK bool pkix_search_fetch_issuer(struct pkix_search *search, enum pkix_error error);

/* Verify a signature within the limits, with the memo and the shared cache: for CRLs and OCSP responses. */
MUST_CHECK enum pkix_error pkix_search_verify(struct pkix_search *search, const struct pkix_signed *statement,
                                              struct span spki);

#endif
