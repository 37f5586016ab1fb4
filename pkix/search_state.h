/* pkix/search_state.h: the memory of one search, for its own parts.
 *
 *     search.c              the recursion: what is tried next, and what it comes to
 *       ├─ search_checks    what is asked of an issuer, and of a whole path
 *       ├─ search_candidates, search_extras, search_issuers    who may have issued a certificate
 *       ├─ search_signatures, search_budget    what it may cost
 *       └─ search_notes, search_path           what it has seen */
#ifndef YETT_PKIX_SEARCH_STATE_H
#define YETT_PKIX_SEARCH_STATE_H

#include "pkix/policy.h"
#include "pkix/request.h"
#include "pkix/search_budget.h"
#include "pkix/search_domain.h"
#include "pkix/search_notes.h"
#include "pkix/search_path.h"
#include "pkix/search_signatures.h"

struct pkix_intermediate;
struct pkix_store;

enum {
    PKIX_EXTRAS_MAX = 128,     /* whatever the limits say */
    PKIX_CANDIDATES_MAX = 256, /* likewise */
    PKIX_LENT_MAX = 64,        /* remembered intermediates that one verification looks at */
};

struct pkix_search {
    const struct pkix_store *store;
    const struct pkix_domain *domain;
    const struct pkix_request *request;
    struct pkix_cert leaf;
    const struct pkix_cert *crl_anchor; /* the leaf is the signer of a CRL, and its path has to end at this anchor;
                                           NULL: the leaf is a TLS peer */

    struct pkix_cert extras[PKIX_EXTRAS_MAX];
    enum pkix_error extra_errors[PKIX_EXTRAS_MAX];
    bool extra_reaches[PKIX_EXTRAS_MAX]; /* names lead from it to an authority of the store's */
    unsigned extras_count, extras_ignored;
    size_t extras_bytes_left;
    uint8_t *fetched[PKIX_EXTRAS_MAX]; /* extras that are ours to free */
    unsigned fetched_count;
    struct pkix_intermediate *lent[PKIX_LENT_MAX]; /* by the store, until pkix_search_clear() */
    unsigned lent_count;

    struct pkix_path path;               /* under construction; the path found after PKIX_OK */
    bool dead;                           /* distrust or revocation below: no other issuer helps */
    struct pkix_policy_outcome policies; /* of the complete path looked at last: the one found, after PKIX_OK */
    const struct pkix_ev_root *ev;       /* the pair by which that path is extended validation, or NULL */

    struct pkix_budget budget;
    struct pkix_signatures signatures;
    struct pkix_notes notes;
};

#endif
