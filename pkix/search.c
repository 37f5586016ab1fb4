/* see pkix/search.h
 *
 * Why this order. For each issuer, what is cheap comes first: its names, its own fields, then the signature it has
 * made, and only then its own issuers. mozilla::pkix verifies signatures from the anchor downwards, which is as right
 * but lets a peer who merely names an anchor buy 10^5 signatures. With the signature first, a peer can build only on
 * certificates that somebody signed, and whoever signs a lattice of authorities for himself meets the limits.
 *
 * Which error is told. An issuer's error is recorded under its issuer's name (EXPIRED becomes EXPIRED_ISSUER); if the
 * issuers tried fail for different reasons, the certificate below has an UNKNOWN_ISSUER. A leaf's own problem is told
 * only when a path was found, for without one the leaf is anybody's. Distrust is the exception: it is told at once. */
#include "pkix/search.h"
#include "pkix/constraints.h"
#include "pkix/ev.h"
#include "pkix/lint.h"
#include "pkix/nss_crypto.h"
#include "pkix/search_candidates.h"

#include <stdlib.h>

/* Which rule a path broke, and which of its certificates did. */
struct failure {
    const char *what; /* static, or NULL */
    unsigned culprit, required_by;
};

static enum pkix_error extend(struct pkix_search *s);

static enum pkix_trust trust_of(const struct pkix_search *s, const struct pkix_path_step *step)
{
    if (pkix_store_distrusts(s->store, step->cert))
        return PKIX_TRUST_DISTRUSTED;
    return pkix_search_is_anchor(s, step->entry) ? PKIX_TRUST_ANCHOR : PKIX_TRUST_INHERITED;
}

static unsigned at_most(unsigned value, unsigned max)
{
    return value < max ? value : max;
}

enum pkix_error pkix_search_init(struct pkix_search *s, const struct pkix_store *store,
                                 const struct pkix_domain *domain, const struct pkix_request *request)
{
    enum pkix_error error;

    *s = (struct pkix_search){.store = store, .domain = domain, .request = request};
    s->limits = request->limits != NULL ? *request->limits : pkix_limits_default;
    s->limits.extras_max = at_most(s->limits.extras_max, PKIX_EXTRAS_MAX);
    s->limits.candidates_per_name_max = at_most(s->limits.candidates_per_name_max, PKIX_CANDIDATES_MAX);
    s->limits.intermediates_max = at_most(s->limits.intermediates_max, PKIX_PATH_MAX - 2);
    s->comparisons_left = s->limits.name_comparisons_max;
    s->policy_steps_left = s->limits.policy_steps_max;
    if (s->limits.wall_ms_max != 0)
        s->deadline_ms = domain->now_ms() + s->limits.wall_ms_max;
    error = pkix_cert_read(request->leaf, &s->leaf);
    if (error != PKIX_OK)
        return error;
    s->extras_bytes_left = s->limits.extras_bytes_max;
    for (size_t i = 0; i < request->extras_count; i++) {
        if (pkix_search_add_extra(s, request->extras[i]))
            continue;
        s->extras_ignored = (unsigned)(request->extras_count - i);
        break;
    }
    pkix_search_find_reach(s);
    return PKIX_OK;
}

bool pkix_search_add_extra(struct pkix_search *s, struct span der)
{
    struct pkix_cert *cert = &s->extras[s->extras_count];

    if (s->extras_count == s->limits.extras_max || der.size > s->extras_bytes_left)
        return false;
    s->extras_bytes_left -= der.size;
    s->extra_errors[s->extras_count] = pkix_cert_read(der, cert);
    if (!pkix_search_knows(s, cert))
        s->extras_count++;
    return true;
}

static void note_tried(struct pkix_search *s, enum pkix_error error, struct failure failure)
{
    if (s->tried_count == PKIX_TRIED_MAX)
        return;
    s->tried[s->tried_count++] = (struct pkix_tried){.path = s->path,
                                                     .error = error,
                                                     .what = failure.what,
                                                     .culprit = failure.culprit,
                                                     .required_by = failure.required_by,
                                                     .breach = s->breach,
                                                     .revoked = s->revoked};
}

/* The path's last certificate is the one that failed. */
static struct failure at_end(const struct pkix_search *s)
{
    return (struct failure){.culprit = s->path.count - 1};
}

static enum pkix_error out_of_limits(struct pkix_search *s, const char *what)
{
    if (!s->exhausted) {
        s->limit_met = what;
        note_tried(s, PKIX_LIMIT_EXCEEDED, (struct failure){0});
    }
    s->exhausted = true;
    return PKIX_LIMIT_EXCEEDED;
}

/* The hash of what signs a certificate, made once however many keys are tried on it. */
static bool digest_of(struct pkix_search *s, const struct pkix_cert *cert, uint8_t digest[PKIX_CACHE_KEY_SIZE])
{
    for (unsigned i = 0; i < s->digest_count; i++) {
        if (s->digests[i].cert == cert) {
            memcpy(digest, s->digests[i].digest, PKIX_CACHE_KEY_SIZE);
            return true;
        }
    }
    if (!pkix_signature_cache_digest(&cert->outer, digest))
        return false;
    if (s->digest_count < PKIX_DIGEST_MEMO_MAX) {
        s->digests[s->digest_count].cert = cert;
        memcpy(s->digests[s->digest_count++].digest, digest, PKIX_CACHE_KEY_SIZE);
    }
    return true;
}

/* `digest` is the statement's, or NULL when it could not be made. */
static enum pkix_error verify_signature(struct pkix_search *s, const struct pkix_signed *statement,
                                        const uint8_t *digest, struct span spki)
{
    struct pkix_signature_cache *cache = s->store->signatures;
    uint8_t key[PKIX_CACHE_KEY_SIZE];
    bool has_key = digest != NULL && pkix_signature_cache_key(digest, spki, key);
    unsigned cost_us;
    enum pkix_error error;

    /* What cannot be a signature costs nothing and does not count. */
    if ((error = s->domain->look_at_signature(s->domain->ctx, statement, spki, &cost_us)) != PKIX_OK)
        return error;
    if (has_key && pkix_signature_cache_has(cache, key))
        return PKIX_OK;
    if (s->signature_checks == s->limits.signature_checks_max)
        return out_of_limits(s, "signature checks");
    if (cost_us > s->limits.signature_cost_us_max - s->signature_cost_us)
        return out_of_limits(s, "cost of signature checks");
    s->signature_checks++;
    s->signature_cost_us += cost_us;
    error = s->domain->verify_signature(s->domain->ctx, statement, spki);
    if (error == PKIX_OK && has_key)
        pkix_signature_cache_put(cache, key);
    return error;
}

enum pkix_error pkix_search_verify(struct pkix_search *s, const struct pkix_signed *statement, struct span spki)
{
    uint8_t digest[PKIX_CACHE_KEY_SIZE];

    return verify_signature(s, statement, pkix_signature_cache_digest(statement, digest) ? digest : NULL, spki);
}

/* Each pair of certificate and issuer's key is looked at once in a verification, good or bad. */
static enum pkix_error verify_child(struct pkix_search *s, const struct pkix_cert *child, struct span spki)
{
    uint8_t digest[PKIX_CACHE_KEY_SIZE];
    enum pkix_error error;

    for (unsigned i = 0; i < s->memo_count; i++)
        if (s->memo[i].child == child && span_equal(s->memo[i].spki, spki))
            return s->memo[i].error;
    error = verify_signature(s, &child->outer, digest_of(s, child, digest) ? digest : NULL, spki);
    if (error != PKIX_LIMIT_EXCEEDED && s->memo_count < PKIX_SIGNATURE_MEMO_MAX)
        s->memo[s->memo_count++] = (struct pkix_signature_memo){child, spki, error};
    return error;
}

/* RFC 4158 section 5.2: the same name with the same key twice gains nothing. */
static bool is_loop(const struct pkix_search *s, const struct pkix_cert *cert)
{
    for (unsigned i = 0; i < s->path.count; i++)
        if (span_equal(s->path.steps[i].cert->subject, cert->subject) &&
            span_equal(s->path.steps[i].cert->spki, cert->spki))
            return true;
    return false;
}

static enum pkix_error check_constraints_of(struct pkix_search *s, struct span constraints)
{
    for (unsigned i = 0; i < s->path.count; i++) {
        enum pkix_common_name common_name = i == 0 && s->request->purpose == PKIX_PURPOSE_SERVER
                                                ? PKIX_COMMON_NAME_CONSTRAINED
                                                : PKIX_COMMON_NAME_IGNORED;
        enum pkix_error error =
            pkix_constraints_check(constraints, s->path.steps[i].cert, common_name, &s->comparisons_left, &s->breach);

        if (error == PKIX_LIMIT_EXCEEDED)
            return out_of_limits(s, "comparisons of names");
        if (error != PKIX_OK) {
            s->constrained = i;
            return error;
        }
    }
    return PKIX_OK;
}

/* The candidate's name constraints, and those imposed on it, bind every certificate below. */
static enum pkix_error check_constraints(struct pkix_search *s, const struct pkix_candidate *candidate)
{
    struct span value;
    enum pkix_error error = PKIX_OK;

    if (pkix_cert_extension(candidate->cert, PKIX_EXT_NAME_CONSTRAINTS, &value))
        error = check_constraints_of(s, value);
    if (error == PKIX_OK && candidate->entry != NULL && candidate->entry->imposed_constraints != NULL)
        error = check_constraints_of(s, span_of(candidate->entry->imposed_constraints,
                                                candidate->entry->imposed_constraints_size));
    return error;
}

/* How many intermediates there are above the leaf on the path so far. */
static unsigned intermediates_on(const struct pkix_path *path)
{
    return path->count - 1;
}

/* Self-issued certificates (key rollover) do not count towards the configured depth, RFC 5280 section 6.1. */
static unsigned counted_intermediates_on(const struct pkix_path *path)
{
    unsigned count = 0;

    for (unsigned i = 1; i < path->count; i++)
        count += pkix_cert_is_self_issued(path->steps[i].cert) ? 0 : 1;
    return count;
}

/* What the leaf is for here; its issuers have to allow it. */
static enum pkix_usage usage_of(const struct pkix_search *s, enum pkix_role role)
{
    if (role == PKIX_ROLE_LEAF && s->crl_anchor != NULL)
        return PKIX_USAGE_CRL_SIGNER;
    return s->request->purpose == PKIX_PURPOSE_SERVER ? PKIX_USAGE_SERVER : PKIX_USAGE_CLIENT;
}

static enum pkix_error check_step(struct pkix_search *s, const struct pkix_path_step *step, enum pkix_role role)
{
    struct pkix_check check = {
        .role = role,
        .trust = trust_of(s, step),
        .usage = usage_of(s, role),
        .any_usage = s->request->purpose == PKIX_PURPOSE_CLIENT && s->request->any_extended_key_usage
                         ? PKIX_ANY_USAGE_ACCEPTED
                         : PKIX_ANY_USAGE_REFUSED,
        .client_usage = s->request->client_usage,
        .intermediates_below = role == PKIX_ROLE_ISSUER ? intermediates_on(&s->path) : 0,
        .time = s->request->time,
        .what = &s->check_what,
    };

    s->check_what = NULL;
    return pkix_check_certificate(step->cert, &check);
}

/* The strict profile's rules, for each certificate of a complete path. */
static enum pkix_error lint_path(struct pkix_search *s, struct failure *failure)
{
    for (unsigned i = 0; i < s->path.count; i++) {
        const struct pkix_cert *cert = s->path.steps[i].cert;
        enum pkix_lint_place place = i == 0                     ? PKIX_LINT_LEAF
                                     : i + 1 == s->path.count ? PKIX_LINT_ANCHOR
                                                                : PKIX_LINT_INTERMEDIATE;
        enum pkix_lint_signer signer = PKIX_LINT_SIGNED_BY_ANOTHER;

        if (place == PKIX_LINT_ANCHOR && !cert->extensions[PKIX_EXT_AUTHORITY_KEY_ID].present &&
            verify_child(s, cert, cert->spki) == PKIX_OK)
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

static bool is_pinned(const struct pkix_request *request, const struct pkix_cert *cert)
{
    struct pkix_pin pin;

    if (!pkix_nss_digest(PKIX_SHA256, cert->spki, pin.sha256))
        return false;
    for (size_t i = 0; i < request->pin_count; i++)
        if (memcmp(&request->pins[i], &pin, sizeof(pin)) == 0)
            return true;
    return false;
}

/* RFC 7469 section 2.6: one key of the validated chain is enough. Here and not afterwards, since a cross-signed issuer may
 * lead to another path that has one. */
static enum pkix_error check_pins(const struct pkix_search *s, struct failure *failure)
{
    if (s->request->pin_count == 0)
        return PKIX_OK;
    for (unsigned i = 0; i < s->path.count; i++)
        if (is_pinned(s->request, s->path.steps[i].cert))
            return PKIX_OK;
    failure->culprit = 0;
    return PKIX_PIN_MISMATCH;
}

static enum pkix_error check_ev(struct pkix_search *s, struct failure *failure)
{
    s->ev =
        pkix_ev_find(&s->request->policy, &s->leaf, s->path.steps[s->path.count - 1].cert, &s->policies.authorities);
    if (s->ev != NULL || !s->request->policy.require_ev)
        return PKIX_OK;
    *failure = (struct failure){"none of its certificate policies means extended validation by this root", 0,
                                PKIX_POLICY_REQUESTED};
    return PKIX_POLICY_MISSING;
}

/* RFC 5280 section 6.1 has the path end below the anchor. A leaf that is one itself is trusted as it is; what it says
 * of policies counts where some are asked for. */
static enum pkix_error check_policies(struct pkix_search *s, struct failure *failure)
{
    const struct pkix_policy_inputs *inputs = &s->request->policy;
    const struct pkix_cert *certs[PKIX_PATH_MAX];
    unsigned count = s->path.count - 1;
    enum pkix_error error;

    if (s->path.count == 1 && (inputs->explicit_policy || inputs->require_ev))
        count = 1;
    for (unsigned i = 0; i < count; i++)
        certs[i] = s->path.steps[i].cert;
    error = pkix_policy_check(certs, count, inputs, &s->policy_steps_left, &s->policies);
    if (error == PKIX_LIMIT_EXCEEDED && s->policy_steps_left == 0)
        return out_of_limits(s, s->policies.what);
    if (error == PKIX_OK)
        return check_ev(s, failure);
    *failure = (struct failure){s->policies.what, s->policies.culprit, s->policies.required_by};
    return error;
}

/* What only a whole path shows: a root that is trusted for older leaves only, policies, pinned keys, and the strict
 * profile's rules. */
static enum pkix_error check_whole_path(struct pkix_search *s, struct failure *failure)
{
    const struct pkix_path_step *anchor = &s->path.steps[s->path.count - 1];
    enum pkix_error error;

    if (s->crl_anchor == NULL && anchor->entry != NULL && s->leaf.not_before > anchor->entry->distrust_after)
        return PKIX_DISTRUSTED_AFTER;
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

/* The candidate has signed the path's last certificate and is on the path now: go on to an anchor. */
static enum pkix_error complete(struct pkix_search *s, const struct pkix_candidate *candidate, struct failure *failure,
                                bool *noted)
{
    *noted = false;
    if (pkix_search_is_anchor(s, candidate->entry))
        return check_whole_path(s, failure);
    *noted = true; /* by whatever stopped further up */
    if (counted_intermediates_on(&s->path) > s->limits.intermediates_max || s->path.count + 1 > PKIX_PATH_MAX) {
        *noted = false;
        return PKIX_PATH_TOO_LONG;
    }
    return extend(s);
}

static enum pkix_error check_limits(struct pkix_search *s)
{
    if (s->steps == s->limits.path_steps_max)
        return out_of_limits(s, "path steps");
    s->steps++;
    if (s->deadline_ms != 0 && s->domain->now_ms() > s->deadline_ms)
        return out_of_limits(s, "time");
    return PKIX_OK;
}

/* A distrusted certificate that merely has the issuer's name says nothing about the child. */
static enum pkix_error distrusted(struct pkix_search *s, const struct pkix_cert *child, const struct pkix_cert *issuer)
{
    enum pkix_error error = verify_child(s, child, issuer->spki);

    return error == PKIX_OK ? PKIX_DISTRUSTED_ISSUER : error;
}

/* All that can be said about one issuer of the path's last certificate before its own issuers are looked for. *culprit
 * is the index of whose fault it is: the issuer's, that of a certificate whose names it may not issue for, or the
 * child's, whose signature does not hold. A SHA-1 leaf is not its issuer's fault. */
static enum pkix_error check_issuer(struct pkix_search *s, const struct pkix_candidate *candidate,
                                    const struct pkix_path_step *step, unsigned *culprit)
{
    const unsigned child_index = s->path.count - 1;
    const struct pkix_cert *child = s->path.steps[child_index].cert;
    enum pkix_error error;

    *culprit = child_index + 1;
    s->check_what = NULL;
    if ((error = candidate->parse_error) != PKIX_OK)
        return error;
    if ((error = check_constraints(s, candidate)) != PKIX_OK) {
        if (error == PKIX_NAME_CONSTRAINT_VIOLATION)
            *culprit = s->constrained;
        return error;
    }
    if ((error = pkix_check_tls_feature_of_issuer(child, step->cert)) != PKIX_OK) {
        *culprit = child_index;
        return error;
    }
    error = check_step(s, step, PKIX_ROLE_ISSUER);
    if (error != PKIX_OK && error != PKIX_DISTRUSTED)
        return as_issuer_error(error);
    if (error == PKIX_OK && candidate->leads_nowhere)
        return PKIX_UNKNOWN_ISSUER;
    error = error == PKIX_OK ? verify_child(s, child, step->cert->spki) : distrusted(s, child, step->cert);
    if (error != PKIX_OK && error != PKIX_DISTRUSTED_ISSUER)
        *culprit = child_index;
    return error;
}

/* For the explanation: as far as names lead from a certificate that leads nowhere. */
static void follow_names(struct pkix_search *s)
{
    bool found = true;

    while (found && s->path.count < PKIX_PATH_MAX) {
        struct span wanted = s->path.steps[s->path.count - 1].cert->issuer;

        found = false;
        for (unsigned i = 0; i < s->extras_count && !found; i++) {
            found = span_equal(s->extras[i].subject, wanted) && !is_loop(s, &s->extras[i]);
            if (found)
                s->path.steps[s->path.count++] = (struct pkix_path_step){.cert = &s->extras[i]};
        }
    }
}

/* One issuer for the path's last certificate. On PKIX_OK the path is complete and good down to that certificate. */
static enum pkix_error try_issuer(struct pkix_search *s, const struct pkix_candidate *candidate)
{
    struct pkix_path_step step = {candidate->cert, candidate->entry};
    const struct pkix_cert *child = s->path.steps[s->path.count - 1].cert;
    unsigned child_index = s->path.count - 1;
    struct failure failure = {0};
    bool noted = false;
    enum pkix_error error;

    if ((error = check_limits(s)) != PKIX_OK)
        return error;
    error = check_issuer(s, candidate, &step, &failure.culprit);
    s->path.steps[s->path.count++] = step;
    if (error != PKIX_OK) {
        failure.what = s->check_what;
        if (error == PKIX_UNKNOWN_ISSUER) {
            follow_names(s);
            failure = at_end(s);
        }
        note_tried(s, error, failure);
        s->path.count = child_index + 1;
        return error;
    }
    failure = at_end(s);
    error = complete(s, candidate, &failure, &noted);
    if (error == PKIX_OK) {
        error = s->domain->check_revocation(s->domain->ctx, s, child, step.cert,
                                            child_index == 0 ? PKIX_ROLE_LEAF : PKIX_ROLE_ISSUER, &failure.what);
        failure.culprit = child_index;
        s->dead = error != PKIX_OK; /* revoked by this issuer's word: another one for the same name changes nothing */
    }
    if (error != PKIX_OK) {
        if (!noted || s->dead)
            note_tried(s, error, failure);
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

/* Whether nobody but our memory knows an issuer. */
static bool is_dead_end(const struct pkix_candidates *candidates)
{
    for (size_t i = 0; i < candidates->count; i++)
        if (candidates->list[i].rank != PKIX_RANK_REMEMBERED && !is_loop(candidates->search, candidates->list[i].cert))
            return false;
    return true;
}

static void note_dead_end(struct pkix_search *s, const struct pkix_cert *child)
{
    for (unsigned i = 0; i < s->dead_end_count; i++)
        if (s->dead_ends[i] == child)
            return;
    if (s->dead_end_count < PKIX_DEAD_ENDS_MAX)
        s->dead_ends[s->dead_end_count++] = child;
}

/* All issuers of the path's last certificate. What would lead in a circle, such as a root that is not trusted and names
 * itself, is none. */
static enum pkix_error extend(struct pkix_search *s)
{
    const struct pkix_cert *child = s->path.steps[s->path.count - 1].cert;
    struct pkix_candidates *candidates = base_alloc(sizeof(*candidates));
    enum pkix_error recorded = PKIX_OK;
    size_t loops = 0;

    pkix_search_collect(s, child, candidates);
    for (size_t i = 0; i < candidates->count; i++) {
        enum pkix_error error;

        if (is_loop(s, candidates->list[i].cert)) {
            loops++;
            continue;
        }
        error = try_issuer(s, &candidates->list[i]);
        if (error == PKIX_OK || s->exhausted || s->dead) {
            s->dead = false; /* another certificate in the child's place may still do */
            recorded = error;
            goto out;
        }
        recorded = recorded == PKIX_OK ? error : both_failed(recorded, error);
    }
    if (is_dead_end(candidates))
        note_dead_end(s, child);
    if (candidates->count == loops) {
        recorded = PKIX_UNKNOWN_ISSUER;
        note_tried(s, recorded, at_end(s));
    }
out:
    free(candidates);
    return recorded;
}

/* A leaf that is itself configured as an anchor needs no issuer. */
static enum pkix_error run_anchored_leaf(struct pkix_search *s, enum pkix_error leaf_error)
{
    struct failure failure = {.what = s->check_what};
    enum pkix_error error = leaf_error != PKIX_OK ? leaf_error : check_whole_path(s, &failure);

    if (error != PKIX_OK)
        note_tried(s, error, failure);
    return error;
}

/* Nothing but itself names the leaf's issuer: say so, it is what people look for. */
static bool is_merely_self_signed(struct pkix_search *s)
{
    return pkix_cert_is_self_issued(&s->leaf) && s->tried_count == 1 && s->tried[0].path.count == 1 &&
           verify_child(s, &s->leaf, s->leaf.spki) == PKIX_OK;
}

/* A leaf whose issuer is out of date as well: the nearer reason is told. */
static bool is_same_date_error(enum pkix_error of_leaf, enum pkix_error of_issuer)
{
    return (of_leaf == PKIX_EXPIRED && of_issuer == PKIX_EXPIRED_ISSUER) ||
           (of_leaf == PKIX_NOT_YET_VALID && of_issuer == PKIX_NOT_YET_VALID_ISSUER);
}

enum pkix_error pkix_search_run(struct pkix_search *s)
{
    const struct pkix_store_entry *anchor = pkix_store_find_same(&s->store->anchors, &s->leaf);
    struct pkix_path_step leaf = {&s->leaf, anchor};
    struct failure failure = {0};
    enum pkix_error leaf_error, error;

    s->path = (struct pkix_path){.steps = {leaf}, .count = 1};
    leaf_error = check_step(s, &leaf, PKIX_ROLE_LEAF);
    failure.what = s->check_what;
    if (pkix_search_is_anchor(s, anchor) || leaf_error == PKIX_DISTRUSTED)
        return run_anchored_leaf(s, leaf_error);
    error = extend(s);
    while (leaf_error == PKIX_OK && pkix_search_fetch_issuer(s, error)) {
        s->tried_count = s->dead_end_count = 0;
        error = extend(s);
    }
    if ((error == PKIX_OK && leaf_error != PKIX_OK) || is_same_date_error(leaf_error, error)) {
        s->path.count = 1;
        note_tried(s, leaf_error, failure);
        return leaf_error;
    }
    return error == PKIX_UNKNOWN_ISSUER && is_merely_self_signed(s) ? PKIX_SELF_SIGNED : error;
}

void pkix_search_remember(const struct pkix_search *s)
{
    if (s->store->remembered == NULL)
        return;
    for (unsigned i = 1; i + 1 < s->path.count; i++)
        if (s->path.steps[i].entry == NULL)
            pkix_intermediates_add(s->store->remembered, s->path.steps[i].cert->der, PKIX_INTERMEDIATE_LEARNT);
}

void pkix_search_warn(struct pkix_search *s, char *sentence)
{
    bool is_new = s->warning_count < PKIX_WARNINGS_MAX;

    for (unsigned i = 0; i < s->warning_count; i++)
        is_new = is_new && strcmp(s->warnings[i], sentence) != 0;
    if (is_new)
        s->warnings[s->warning_count++] = sentence;
    else
        free(sentence);
}

void pkix_search_clear(struct pkix_search *s)
{
    for (unsigned i = 0; i < s->warning_count; i++)
        free(s->warnings[i]);
    s->warning_count = 0;
    for (unsigned i = 0; i < s->lent_count; i++)
        pkix_intermediates_return(s->store->remembered, s->lent[i]);
    s->lent_count = 0;
    for (unsigned i = 0; i < s->fetched_count; i++)
        free(s->fetched[i]);
    s->fetched_count = 0;
}
