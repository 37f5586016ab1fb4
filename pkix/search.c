/* see pkix/search.h
 *
 * Why this order. For each issuer, what is cheap comes first: its names, its own fields, then the signature it has
 * made, and only then its own issuers. mozilla::pkix verifies signatures from the anchor downwards, which is as right
 * but lets a peer who merely names an anchor buy 10^5 signatures. With the signature first, a peer can build only on
 * certificates that somebody signed, and whoever signs a lattice of authorities for himself meets the limits.
 *
 * Which error is told. An issuer's error is recorded under its issuer's name (EXPIRED becomes EXPIRED_ISSUER); if the
 * issuers tried fail for different reasons, the certificate below has an UNKNOWN_ISSUER. A leaf's own problem is told
 * only when a path was found, for without one the leaf is anybody's. Distrust is the exception: it is told at once.
 *
 * What a peer decides: which certificates there are beside ours, in which order, how they are linked, their names, keys
 * and dates. What it does not: who is an anchor, the order in which kinds of candidates are tried, the budget, and that
 * a certificate is built upon only after its signature held. Backtracking is needed because honest peers send chains
 * that end twice, once well and once badly: in 2020 (AddTrust) and in 2021 (DST Root X3) the worse end was the one they
 * sent, and verifiers without it (OpenSSL 1.0.2, GnuTLS 3.6.13) refused servers that were in order. */
#include "pkix/search.h"
#include "pkix/intermediates.h"
#include "pkix/revocation.h"
#include "pkix/search_candidates.h"
#include "pkix/search_checks.h"
#include "pkix/search_extras.h"
#include "pkix/search_issuers.h"

#include <stdlib.h>

static enum pkix_error extend(struct pkix_search *s);

static unsigned at_most(unsigned value, unsigned max)
{
    return value < max ? value : max;
}

/* Whatever the caller says, there is no more room. The arrays are fixed so that a verification's memory is known before
 * the first byte of a peer is read. */
static struct pkix_limits capped(const struct pkix_limits *asked)
{
    struct pkix_limits limits = *asked;

    /* The arrays of search_state.h are this long; limits are an administrator's and may be larger. */
    limits.extras_max = at_most(limits.extras_max, PKIX_EXTRAS_MAX);
    limits.candidates_per_name_max = at_most(limits.candidates_per_name_max, PKIX_CANDIDATES_MAX);
    limits.intermediates_max = at_most(limits.intermediates_max, PKIX_PATH_MAX - 2);
    return limits;
}

enum pkix_error pkix_search_init(struct pkix_search *s, const struct pkix_store *store,
                                 const struct pkix_domain *domain, const struct pkix_request *request)
{
    struct pkix_limits limits = capped(request->limits != NULL ? request->limits : &pkix_limits_default);
    enum pkix_error error;

    *s = (struct pkix_search){.store = store, .domain = domain, .request = request};
    pkix_budget_init(&s->budget, &limits, domain->now_ms);
    s->signatures.domain = domain;
    s->signatures.cache = store->signatures;
    s->signatures.budget = &s->budget;
    error = pkix_cert_read(request->leaf, &s->leaf);
    if (error != PKIX_OK)
        return error;
    /* What is too much is ignored and not refused: a server with a folder of certificates in its chain is careless, and
     * its own path stands at the beginning. */
    s->extras_bytes_left = limits.extras_bytes_max;
    for (size_t i = 0; i < request->extras_count; i++) {
        if (pkix_search_add_extra(s, request->extras[i]))
            continue;
        s->extras_ignored = (unsigned)(request->extras_count - i);
        break;
    }
    pkix_search_find_reach(s);
    return PKIX_OK;
}

/* The path's last certificate is the one that failed. */
static struct pkix_failure at_end(const struct pkix_search *s)
{
    return (struct pkix_failure){.culprit = s->path.count - 1};
}

/* The candidate has signed the path's last certificate and is on the path now: go on to an anchor. Only the store says
 * what an anchor is: a certificate of the peer's that has signed itself ends no path, it goes on and finds nobody
 * (CVE-2008-4989 trusted a chain for ending in one). */
static enum pkix_error complete(struct pkix_search *s, const struct pkix_candidate *candidate,
                                struct pkix_failure *failure, bool *noted)
{
    *noted = false;
    if (pkix_search_is_anchor(s, candidate->entry))
        return pkix_search_check_path(s, failure);
    *noted = true; /* by whatever stopped further up */
    /* The depth is ours to limit: what RFC 5280 lets an authority allow below itself has no end. */
    if (pkix_path_counted_intermediates(&s->path) > s->budget.limits.intermediates_max ||
        s->path.count + 1 > PKIX_PATH_MAX) {
        *noted = false;
        return PKIX_PATH_TOO_LONG;
    }
    return extend(s);
}

/* For the explanation: as far as names lead from a certificate that leads nowhere. Nothing is verified here, and
 * nothing hangs on it: a person sees which certificate is missing. */
static void follow_names(struct pkix_search *s)
{
    bool found = true;

    while (found && s->path.count < PKIX_PATH_MAX) {
        struct span wanted = s->path.steps[s->path.count - 1].cert->issuer;

        found = false;
        for (unsigned i = 0; i < s->extras_count && !found; i++) {
            found = span_equal(s->extras[i].subject, wanted) && !pkix_path_has(&s->path, &s->extras[i]);
            if (found)
                s->path.steps[s->path.count++] = (struct pkix_path_step){.cert = &s->extras[i]};
        }
    }
}

/* Whose keys may have signed a CRL about the certificate: the issuer's, and those of its name on the path, which is
 * complete and verified. More are found by pkix/crl_signers.h, which says why. */
static struct pkix_crl_signers signers_on(const struct pkix_path *path, const struct pkix_cert *cert,
                                          const struct pkix_cert *issuer)
{
    struct pkix_crl_signers signers = {.certs = {issuer}, .count = 1};

    for (unsigned i = 1; i < path->count; i++) {
        const struct pkix_cert *other = path->steps[i].cert;

        if (other != issuer && other != cert && span_equal(other->subject, cert->issuer))
            signers.certs[signers.count++] = other;
    }
    return signers;
}

/* The CRL's signer is looked for by a search, of which those who ask are to know nothing. */
static bool find_more_signers(void *ctx, const struct pkix_cert *cert, struct pkix_crl_signers *signers)
{
    struct pkix_search *s = ctx;

    return s->domain->find_crl_signers(s, cert, signers);
}

/* All signatures of a verification, those of lists and responses too, are paid from one budget. */
static enum pkix_error verify_statement(void *ctx, const struct pkix_signed *statement, struct span spki)
{
    return pkix_search_verify(ctx, statement, spki);
}

/* Only now that the path holds up to an anchor (RFC 5280 section 6.1.3 (a) (3) has it earlier, with each certificate):
 * an issuer whose own signature nobody has checked would have us believe its CRLs, and ask where it pleases. */
static enum pkix_error check_revocation(struct pkix_search *s, unsigned child_index, const char **what)
{
    const struct pkix_cert *cert = s->path.steps[child_index].cert, *issuer = s->path.steps[child_index + 1].cert;
    struct pkix_revocation_question question = {
        .request = s->request,
        .cert = cert,
        .issuer = issuer,
        .role = child_index == 0 ? PKIX_ROLE_LEAF : PKIX_ROLE_ISSUER,
        .signers = signers_on(&s->path, cert, issuer),
        .budget = &s->budget,
        .verify = verify_statement,
        .find_more_signers = find_more_signers,
        .ctx = s,
    };
    struct pkix_revocation_answer answer = {.what = NULL};
    enum pkix_error error;

    /* Values go in and come out: those who judge evidence cannot change the path they judge. */
    error = s->domain->check_revocation(&question, &answer);
    *what = answer.what;
    /* By which statement, kept for the explanation. */
    if (error == PKIX_REVOKED)
        s->notes.revoked = answer.revoked;
    if (child_index == 0 && answer.status != PKIX_REVOCATION_NOT_CHECKED)
        s->notes.revocation = answer.status;
    if (child_index == 0 && answer.was_asked_about)
        s->notes.leaf_was_asked_about = true;
    pkix_warnings_take(&s->notes.warnings, &answer.warnings);
    return error;
}

/* One issuer for the path's last certificate. On PKIX_OK the path is complete and good down to that certificate. */
static enum pkix_error try_issuer(struct pkix_search *s, const struct pkix_candidate *candidate)
{
    unsigned child_index = s->path.count - 1;
    struct pkix_failure failure;
    bool noted = false;
    enum pkix_error error;

    if ((error = pkix_search_limited(s, pkix_budget_take_step(&s->budget))) != PKIX_OK)
        return error;
    /* All of this issuer, its signature included, before its own issuers are looked for: see the design note above. */
    error = pkix_search_check_issuer(s, candidate, &failure);
    s->path.steps[s->path.count++] = (struct pkix_path_step){candidate->cert, candidate->entry};
    if (error != PKIX_OK) {
        if (error == PKIX_UNKNOWN_ISSUER) {
            follow_names(s);
            failure = at_end(s);
        }
        pkix_notes_tried(&s->notes, &s->path, error, failure);
        s->path.count = child_index + 1;
        return error;
    }
    failure = at_end(s);
    error = complete(s, candidate, &failure, &noted);
    if (error == PKIX_OK) {
        error = check_revocation(s, child_index, &failure.what);
        failure.culprit = child_index;
        s->dead = error != PKIX_OK; /* revoked by this issuer's word: another one for the same name changes nothing */
    }
    if (error != PKIX_OK) {
        if (!noted || s->dead)
            pkix_notes_tried(&s->notes, &s->path, error, failure);
        s->path.count = child_index + 1;
    }
    return error;
}

/* What two issuers' failures come to (pkix/error.h). Distrust is never hidden: it is somebody's decision, and the
 * reason why the rest did not matter. Pins, and before them policies, were the last things asked of a path that was
 * good. */
static enum pkix_error both_failed(enum pkix_error a, enum pkix_error b)
{
    static const enum pkix_error told_first[] = {PKIX_DISTRUSTED_ISSUER, PKIX_PIN_MISMATCH, PKIX_POLICY_MISSING};

    for (size_t i = 0; i < ARRAY_LEN(told_first); i++)
        if (a == told_first[i] || b == told_first[i])
            return told_first[i];
    return a == b ? a : PKIX_UNKNOWN_ISSUER;
}

/* Whether nobody but our memory knows an issuer. Where nobody else knows one it is worth asking for it; what we
 * remember may be out of date. */
static bool is_dead_end(const struct pkix_candidates *candidates)
{
    for (size_t i = 0; i < candidates->count; i++)
        if (candidates->list[i].rank != PKIX_RANK_REMEMBERED &&
            !pkix_path_has(&candidates->search->path, candidates->list[i].cert))
            return false;
    return true;
}

/* All issuers of the path's last certificate. What would lead in a circle, such as a root that is not trusted and names
 * itself, is none. */
static enum pkix_error extend(struct pkix_search *s)
{
    const struct pkix_cert *child = s->path.steps[s->path.count - 1].cert;
    struct pkix_candidates *candidates = base_alloc(sizeof(*candidates));
    enum pkix_error recorded = PKIX_OK;
    size_t loops = 0;

    /* On the heap: a level of them is kilobytes, and there may be as many levels as a path is long. */
    pkix_search_collect(s, child, candidates);
    for (size_t i = 0; i < candidates->count; i++) {
        enum pkix_error error;

        /* By subject and key (RFC 4158 section 2.4.2, section 5.2): a certificate that was issued anew is the same
         * authority, and two that certify each other would lead round and round. */
        if (pkix_path_has(&s->path, candidates->list[i].cert)) {
            loops++;
            continue;
        }
        error = try_issuer(s, &candidates->list[i]);
        if (error == PKIX_OK || s->budget.limit_met != NULL || s->dead) {
            s->dead = false; /* another certificate in the child's place may still do */
            recorded = error;
            goto out;
        }
        /* The next one may still do: a bad issuer beside a good one of the same name, sent by mistake or by somebody
         * else, must not cost the peer its path. */
        recorded = recorded == PKIX_OK ? error : both_failed(recorded, error);
    }
    if (is_dead_end(candidates))
        pkix_notes_dead_end(&s->notes, child);
    if (candidates->count == loops) {
        recorded = PKIX_UNKNOWN_ISSUER;
        pkix_notes_tried(&s->notes, &s->path, recorded, at_end(s));
    }
out:
    free(candidates);
    return recorded;
}

/* A leaf that is itself configured as an anchor needs no issuer: who put it there has decided. All else holds as for
 * any path: it is not used beyond its dates, its name or its policies, and distrust counts more than trust. */
static enum pkix_error run_anchored_leaf(struct pkix_search *s, enum pkix_error leaf_error, struct pkix_failure failure)
{
    enum pkix_error error = leaf_error != PKIX_OK ? leaf_error : pkix_search_check_path(s, &failure);

    if (error != PKIX_OK)
        pkix_notes_tried(&s->notes, &s->path, error, failure);
    return error;
}

/* Nothing but itself names the leaf's issuer: say so, it is what people look for. Only with the signature checked:
 * the name alone is no self-signed certificate, and people are told to trust those. */
static bool is_merely_self_signed(struct pkix_search *s)
{
    return pkix_cert_is_self_issued(&s->leaf) && s->notes.tried_count == 1 && s->notes.tried[0].path.count == 1 &&
           pkix_search_verify_child(s, &s->leaf, s->leaf.spki) == PKIX_OK;
}

/* A leaf whose issuer is out of date as well: the nearer reason is told. */
static bool is_same_date_error(enum pkix_error of_leaf, enum pkix_error of_issuer)
{
    return (of_leaf == PKIX_EXPIRED && of_issuer == PKIX_EXPIRED_ISSUER) ||
           (of_leaf == PKIX_NOT_YET_VALID && of_issuer == PKIX_NOT_YET_VALID_ISSUER);
}

/* The words of the result: what stops every path is told if all stop alike (pkix/error.h has the ranking); s->notes has
 * each path that was tried, for who asks why. */
enum pkix_error pkix_search_run(struct pkix_search *s)
{
    const struct pkix_store_entry *anchor = pkix_store_find_same(&s->store->anchors, &s->leaf);
    struct pkix_path_step leaf = {&s->leaf, anchor};
    struct pkix_failure failure = {0};
    enum pkix_error leaf_error, error;

    s->path = (struct pkix_path){.steps = {leaf}, .count = 1};
    /* The leaf's own checks first, since distrust ends it; their other results wait for a path. */
    leaf_error = pkix_search_check_step(s, &leaf, PKIX_ROLE_LEAF, &failure);
    if (pkix_search_is_anchor(s, anchor) || leaf_error == PKIX_DISTRUSTED)
        return run_anchored_leaf(s, leaf_error, failure);
    error = extend(s);
    /* Each round adds certificates that somebody unknown has served, within the limits of the first; a leaf that is
     * refused anyway is not worth a question, which tells a third party who is talking to whom. */
    while (leaf_error == PKIX_OK && pkix_search_fetch_issuer(s, error)) {
        pkix_notes_begin_again(&s->notes);
        error = extend(s);
    }
    /* Only now: without a path the leaf is anybody's, and what it says of itself is nobody's word. */
    if ((error == PKIX_OK && leaf_error != PKIX_OK) || is_same_date_error(leaf_error, error)) {
        s->path.count = 1;
        pkix_notes_tried(&s->notes, &s->path, leaf_error, failure);
        return leaf_error;
    }
    return error == PKIX_UNKNOWN_ISSUER && is_merely_self_signed(s) ? PKIX_SELF_SIGNED : error;
}

/* Only what stands on a path that was verified to its end, and only what the store has not: so nobody fills the memory
 * with certificates of his own making, and an anchor's place is the configuration. */
void pkix_search_remember(const struct pkix_search *s)
{
    if (s->store->remembered == NULL)
        return;
    for (unsigned i = 1; i + 1 < s->path.count; i++)
        if (s->path.steps[i].entry == NULL)
            pkix_intermediates_add(s->store->remembered, s->path.steps[i].cert->der, PKIX_INTERMEDIATE_LEARNT);
}

/* What was lent goes back and what was fetched is freed only here: every certificate that was looked at borrows its
 * bytes, the notes' too. */
void pkix_search_clear(struct pkix_search *s)
{
    pkix_notes_clear(&s->notes);
    for (unsigned i = 0; i < s->lent_count; i++)
        pkix_intermediates_return(s->store->remembered, s->lent[i]);
    s->lent_count = 0;
    for (unsigned i = 0; i < s->fetched_count; i++)
        free(s->fetched[i]);
    s->fetched_count = 0;
}
