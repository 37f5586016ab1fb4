/* pkix/search_notes.h: what a search has seen, for the explanation and for whoever goes on from there.
 *
 * A note decides nothing. All lists are bounded, since what is noted is the peer's to choose: the first few are kept.
 * A *dead end* is a certificate on a path for which no issuer was sent or is configured. */
#ifndef YETT_PKIX_SEARCH_NOTES_H
#define YETT_PKIX_SEARCH_NOTES_H

#include "pkix/constraints.h"
#include "pkix/revoked.h"
#include "pkix/search_path.h"
#include "pkix/sources.h"
#include "pkix/warnings.h"

enum {
    PKIX_TRIED_MAX = 32,    /* paths remembered for the explanation */
    PKIX_DEAD_ENDS_MAX = 8, /* noted in one search */
};

/* Which rule a path broke, and which of its certificates did. */
struct pkix_failure {
    const char *what;     /* which rule, or NULL; static */
    unsigned culprit;     /* index on the path of the certificate to blame */
    unsigned required_by; /* PKIX_POLICY_MISSING: index of the certificate that requires a policy, or
                             PKIX_POLICY_REQUESTED */
};

/* A path that stopped. */
struct pkix_tried {
    struct pkix_path path;
    enum pkix_error error;
    struct pkix_failure failure;
    struct pkix_constraint_breach breach; /* PKIX_NAME_CONSTRAINT_VIOLATION */
    struct pkix_revoked_note revoked;     /* PKIX_REVOKED */
};

/* A question to the source of issuers, and what came of it. */
struct pkix_issuer_note {
    const struct pkix_cert *child;
    struct span url;
    const char *why; /* there was no answer of use; NULL: there was */
};

struct pkix_notes {
    struct pkix_tried tried[PKIX_TRIED_MAX];
    unsigned tried_count;
    bool limit_is_noted; /* the path on which a limit was met first is among them */

    const struct pkix_cert *dead_ends[PKIX_DEAD_ENDS_MAX];
    unsigned dead_end_count;
    struct pkix_issuer_note issuers[PKIX_ISSUERS_ASKED_MAX];
    unsigned issuer_count;

    struct pkix_constraint_breach breach;   /* how a certificate last broke name constraints */
    struct pkix_revoked_note revoked;       /* of the certificate that was found revoked last */
    enum pkix_revocation_status revocation; /* of the leaf */
    bool leaf_was_asked_about;              /* its status was fetched, not shown by the peer */
    struct pkix_warnings warnings;          /* see pkix_verdict_warning() */
};

/* The path stopped. Breach and revocation noted last are its own, where the error is about them. */
void pkix_notes_tried(struct pkix_notes *notes, const struct pkix_path *path, enum pkix_error error,
                      struct pkix_failure failure);

/* A limit is met on the path: the first time it is noted as one that stopped there. */
void pkix_notes_limit(struct pkix_notes *notes, const struct pkix_path *path);

/* The certificate is one; each is noted once. */
void pkix_notes_dead_end(struct pkix_notes *notes, const struct pkix_cert *child);

/* Whether the source of issuers was asked for that address. */
bool pkix_notes_asked(const struct pkix_notes *notes, struct span url);

/* What stopped is looked for once more, with more issuers. */
void pkix_notes_begin_again(struct pkix_notes *notes);

void pkix_notes_clear(struct pkix_notes *notes);

#endif
