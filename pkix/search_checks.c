/* see pkix/search_checks.h
 *
 * RFC 5280 section 6.1 walks from the anchor to the leaf with a state; a search goes the other way and may turn back.
 * So each rule is asked where all it needs is known: about one issuer and what hangs below it when the issuer is tried
 * (constraints, features, usage, depth, signature), about a whole path when it has reached an anchor (policies, pins,
 * the day on which a root ends, the strict profile). A state that would have to be undone is kept nowhere. */
#include "pkix/search_checks.h"
#include "pkix/constraints.h"
#include "pkix/ev.h"
#include "pkix/lint.h"
#include "pkix/nss_crypto.h"

/* Where the path stood when a limit was met is noted, once: an administrator who has to raise one has to see for whom.
 */
enum pkix_error pkix_search_limited(struct pkix_search *s, enum pkix_error error)
{
    if (s->budget.limit_met != NULL)
        pkix_notes_limit(&s->notes, &s->path);
    return error;
}

enum pkix_error pkix_search_verify(struct pkix_search *s, const struct pkix_signed *statement, struct span spki)
{
    return pkix_search_limited(s, pkix_signatures_verify(&s->signatures, statement, spki));
}

enum pkix_error pkix_search_verify_child(struct pkix_search *s, const struct pkix_cert *child, struct span spki)
{
    return pkix_search_limited(s, pkix_signatures_verify_child(&s->signatures, child, spki));
}

/* ---- one issuer ---- */

/* Distrust first: an anchor that the administrator or Mozilla has taken back is none, wherever else it is listed. The
 * peer's own extension of trust does not exist: what is not in the store inherits it, from a signature. */
static enum pkix_trust trust_of(const struct pkix_search *s, const struct pkix_path_step *step)
{
    if (pkix_store_distrusts(s->store, step->cert))
        return PKIX_TRUST_DISTRUSTED;
    return pkix_search_is_anchor(s, step->entry) ? PKIX_TRUST_ANCHOR : PKIX_TRUST_INHERITED;
}

/* RFC 5280 section 6.1.3 (b) and (c): every certificate below, not just the next one, or an authority that may issue
 * for its own domain only makes itself an intermediate without constraints and issues for all others below that. A
 * self-issued certificate in between is not let off, as the RFC would have it (section 6.1.3 (b)): mozilla::pkix and Go
 * know no such exception, and an authority could name itself anything in it. */
static enum pkix_error check_constraints_of(struct pkix_search *s, struct span constraints,
                                            struct pkix_failure *failure)
{
    for (unsigned i = 0; i < s->path.count; i++) {
        enum pkix_common_name common_name = i == 0 && s->request->purpose == PKIX_PURPOSE_SERVER
                                                ? PKIX_COMMON_NAME_CONSTRAINED
                                                : PKIX_COMMON_NAME_IGNORED;
        enum pkix_error error = pkix_constraints_check(constraints, s->path.steps[i].cert, common_name,
                                                       &s->budget.comparisons_left, &s->notes.breach);

        if (error == PKIX_LIMIT_EXCEEDED)
            return pkix_search_limited(s, pkix_budget_met(&s->budget, "comparisons of names"));
        if (error == PKIX_NAME_CONSTRAINT_VIOLATION)
            failure->culprit = i;
        if (error != PKIX_OK)
            return error;
    }
    return PKIX_OK;
}

/* The candidate's name constraints, and those imposed on it from outside: a government's root that Mozilla's list holds
 * to its country's domains would not say so itself. */
static enum pkix_error check_constraints(struct pkix_search *s, const struct pkix_candidate *candidate,
                                         struct pkix_failure *failure)
{
    struct span value;
    enum pkix_error error = PKIX_OK;

    if (pkix_cert_extension(candidate->cert, PKIX_EXT_NAME_CONSTRAINTS, &value))
        error = check_constraints_of(s, value, failure);
    if (error == PKIX_OK && candidate->entry != NULL && candidate->entry->imposed_constraints != NULL)
        error = check_constraints_of(
            s, span_of(candidate->entry->imposed_constraints, candidate->entry->imposed_constraints_size), failure);
    return error;
}

/* What the leaf is for here; its issuers have to allow it, which check_extended_key_usage() of pkix/check.c says
 * more about. */
static enum pkix_usage usage_of(const struct pkix_search *s, enum pkix_role role)
{
    if (role == PKIX_ROLE_LEAF && s->crl_anchor != NULL)
        return PKIX_USAGE_CRL_SIGNER;
    return s->request->purpose == PKIX_PURPOSE_SERVER ? PKIX_USAGE_SERVER : PKIX_USAGE_CLIENT;
}

/* pkix_check_certificate(), with what it has to know of the path and of the request. */
enum pkix_error pkix_search_check_step(const struct pkix_search *s, const struct pkix_path_step *step,
                                       enum pkix_role role, struct pkix_failure *failure)
{
    struct pkix_check check = {
        .role = role,
        .trust = trust_of(s, step),
        .usage = usage_of(s, role),
        .any_usage = s->request->purpose == PKIX_PURPOSE_CLIENT && s->request->any_extended_key_usage
                         ? PKIX_ANY_USAGE_ACCEPTED
                         : PKIX_ANY_USAGE_REFUSED,
        .client_usage = s->request->client_usage,
        /* RFC 5280 section 6.1.4 (l) and (m): counted from the leaf, whatever the issuer says is between. */
        .intermediates_below = role == PKIX_ROLE_ISSUER ? pkix_path_intermediates(&s->path) : 0,
        .time = s->request->time,
        .what = &failure->what,
    };

    failure->what = NULL;
    return pkix_check_certificate(step->cert, &check);
}

/* The same error of an issuer has a name of its own: what is to be done about it is another person's work. */
static enum pkix_error as_issuer_error(enum pkix_error error)
{
    if (error == PKIX_EXPIRED)
        return PKIX_EXPIRED_ISSUER;
    if (error == PKIX_NOT_YET_VALID)
        return PKIX_NOT_YET_VALID_ISSUER;
    if (error == PKIX_DISTRUSTED)
        return PKIX_DISTRUSTED_ISSUER;
    return error;
}

/* A distrusted certificate that merely has the issuer's name says nothing about the child: without the signature a peer
 * could have a good chain refused by sending a distrusted certificate with it, and hide why its own chain fails. */
static enum pkix_error check_distrusted(struct pkix_search *s, const struct pkix_cert *child,
                                        const struct pkix_cert *issuer)
{
    enum pkix_error error = pkix_search_verify_child(s, child, issuer->spki);

    return error == PKIX_OK ? PKIX_DISTRUSTED_ISSUER : error;
}

/* The culprit is the issuer, a certificate whose names it may not issue for, or the child, whose signature does not
 * hold: a SHA-1 leaf is not its issuer's fault. */
enum pkix_error pkix_search_check_issuer(struct pkix_search *s, const struct pkix_candidate *candidate,
                                         struct pkix_failure *failure)
{
    const unsigned child_index = s->path.count - 1;
    const struct pkix_cert *child = s->path.steps[child_index].cert;
    const struct pkix_path_step step = {candidate->cert, candidate->entry};
    enum pkix_error error;

    *failure = (struct pkix_failure){.culprit = child_index + 1};
    /* Names first: the constraints of an issuer that we know keep a peer from buying signature checks with
     * certificates that may never be issued under it. */
    if ((error = candidate->parse_error) != PKIX_OK || (error = check_constraints(s, candidate, failure)) != PKIX_OK)
        return error;
    if ((error = pkix_check_tls_feature_of_issuer(child, step.cert)) != PKIX_OK) {
        failure->culprit = child_index;
        return error;
    }
    error = pkix_search_check_step(s, &step, PKIX_ROLE_ISSUER, failure);
    if (error != PKIX_OK && error != PKIX_DISTRUSTED)
        return as_issuer_error(error);
    /* Said only now, so that what is wrong with it itself is told before that it leads nowhere; and before the
     * signature, which it is not worth. */
    if (error == PKIX_OK && candidate->leads_nowhere)
        return PKIX_UNKNOWN_ISSUER;
    /* Last, since it is what costs; and before the issuer's own issuers, which are a matter of the peer's choice until
     * this holds. */
    error =
        error == PKIX_OK ? pkix_search_verify_child(s, child, step.cert->spki) : check_distrusted(s, child, step.cert);
    if (error != PKIX_OK && error != PKIX_DISTRUSTED_ISSUER)
        failure->culprit = child_index;
    return error;
}

/* ---- a whole path ---- */

/* The strict profile's rules, for each certificate of a complete path. Last of all: what the profile forbids would be
 * accepted by others, and is told only of a path that is good. */
static enum pkix_error lint_path(struct pkix_search *s, struct pkix_failure *failure)
{
    for (unsigned i = 0; i < s->path.count; i++) {
        const struct pkix_cert *cert = s->path.steps[i].cert;
        enum pkix_lint_place place = i == 0                   ? PKIX_LINT_LEAF
                                     : i + 1 == s->path.count ? PKIX_LINT_ANCHOR
                                                              : PKIX_LINT_INTERMEDIATE;
        enum pkix_lint_signer signer = PKIX_LINT_SIGNED_BY_ANOTHER;

        /* An anchor need not be self-signed; what it may leave out depends on it, so it is looked at, on the budget
         * like any signature. */
        if (place == PKIX_LINT_ANCHOR && !cert->extensions[PKIX_EXT_AUTHORITY_KEY_ID].present &&
            pkix_search_verify_child(s, cert, cert->spki) == PKIX_OK)
            signer = PKIX_LINT_SIGNED_BY_ITSELF;
        failure->what = pkix_lint(cert, place, signer, s->request->purpose);
        if (failure->what == NULL && i + 1 < s->path.count)
            failure->what = pkix_lint_issued(cert, s->path.steps[i + 1].cert);
        failure->culprit = i;
        if (failure->what != NULL)
            return PKIX_RULE_VIOLATION;
    }
    return PKIX_OK;
}

/* By the key, not the certificate: a pin outlives the certificate's renewal (RFC 7469 section 2.4). */
static bool is_pinned(const struct pkix_request *request, const struct pkix_cert *cert)
{
    struct pkix_pin pin;

    if (!pkix_nss_digest(PKIX_SHA256, cert->spki, pin.sha256))
        return false;
    /* Pins are no secret: memcmp() may tell how far it came. */
    for (size_t i = 0; i < request->pin_count; i++)
        if (memcmp(&request->pins[i], &pin, sizeof(pin)) == 0)
            return true;
    return false;
}

/* RFC 7469 section 2.6: one key of the validated chain is enough. Only of the path that was verified: a pinned
 * certificate that the peer merely sends along proves nothing. Here and not afterwards, since a cross-signed issuer may
 * lead to another path that has one. */
static enum pkix_error check_pins(const struct pkix_search *s, struct pkix_failure *failure)
{
    if (s->request->pin_count == 0)
        return PKIX_OK;
    for (unsigned i = 0; i < s->path.count; i++)
        if (is_pinned(s->request, s->path.steps[i].cert))
            return PKIX_OK;
    failure->culprit = 0;
    return PKIX_PIN_MISMATCH;
}

/* The policy is a claim, the root is what makes it one (pkix/ev.h); so it is looked at when both are known. Asked
 * for, and not there, the path fails like one without the policy: another root may have it. */
static enum pkix_error check_ev(struct pkix_search *s, struct pkix_failure *failure)
{
    s->ev =
        pkix_ev_find(&s->request->policy, &s->leaf, s->path.steps[s->path.count - 1].cert, &s->policies.authorities);
    if (s->ev != NULL || !s->request->policy.require_ev)
        return PKIX_OK;
    *failure = (struct pkix_failure){"none of its certificate policies means extended validation by this root", 0,
                                     PKIX_POLICY_REQUESTED};
    return PKIX_POLICY_MISSING;
}

/* RFC 5280 section 6.1 has the path end below the anchor. A leaf that is one itself is trusted as it is; what it says
 * of policies counts where some are asked for. Of an anchor it takes the name and the key (section 6.1.1 (d)), and no
 * policies. */
static enum pkix_error check_policies(struct pkix_search *s, struct pkix_failure *failure)
{
    const struct pkix_policy_inputs *inputs = &s->request->policy;
    const struct pkix_cert *certs[PKIX_PATH_MAX];
    unsigned count = s->path.count - 1;
    enum pkix_error error;

    if (s->path.count == 1 && (inputs->explicit_policy || inputs->require_ev))
        count = 1;
    for (unsigned i = 0; i < count; i++)
        certs[i] = s->path.steps[i].cert;
    error = pkix_policy_check(certs, count, inputs, &s->budget.policy_steps_left, &s->policies);
    if (error == PKIX_LIMIT_EXCEEDED && s->budget.policy_steps_left == 0)
        return pkix_search_limited(s, pkix_budget_met(&s->budget, s->policies.what));
    if (error == PKIX_OK)
        return check_ev(s, failure);
    *failure = (struct pkix_failure){s->policies.what, s->policies.culprit, s->policies.required_by};
    return error;
}

/* A root that Mozilla phases out keeps what it issued until a day. The leaf's date is what is held against that day,
 * and it is the authority's word: one that backdates is found out by CT logs, not here. Not for the signer of a list,
 * who is no leaf of the public's. */
static bool is_issued_too_late(const struct pkix_search *s, const struct pkix_path_step *anchor)
{
    return s->crl_anchor == NULL && anchor->entry != NULL && s->leaf.not_before > anchor->entry->distrust_after;
}

/* Only of a path that is otherwise good, and for each such path: what one of them lacks another may have. */
enum pkix_error pkix_search_check_path(struct pkix_search *s, struct pkix_failure *failure)
{
    enum pkix_error error;

    if (is_issued_too_late(s, &s->path.steps[s->path.count - 1]))
        return PKIX_DISTRUSTED_AFTER;
    /* Policies, then pins, then form: by how much they say about whose path it is. */
    if ((error = check_policies(s, failure)) != PKIX_OK || (error = check_pins(s, failure)) != PKIX_OK)
        return error;
    switch (s->request->profile) {
    case PKIX_PROFILE_DEFAULT:
        break;
    case PKIX_PROFILE_STRICT:
        return lint_path(s, failure);
    }
    return PKIX_OK;
}
