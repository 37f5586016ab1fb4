/* see pkix/crl_signers.h */
#include "pkix/crl_signers.h"
#include "pkix/search.h"
#include "pkix/search_candidates.h"

#include <stdlib.h>

/* The same key again could only give the same answer. */
static bool has_key(const struct pkix_crl_signers *signers, const struct pkix_cert *cert)
{
    for (size_t i = 0; i < signers->count; i++)
        if (span_equal(signers->certs[i]->spki, cert->spki))
            return true;
    return false;
}

/* A search of its own, for a path from the signer to the anchor of the outer one. The signer may be revoked itself:
 * then what is at hand says so, and nothing is fetched for it. A signer of which nothing is known passes in every mode:
 * hard is about the certificates of the path (RFC 5280 section 6.3.3 asks for no more). */
static bool leads_to_anchor(struct pkix_search *s, const struct pkix_cert *signer)
{
    struct pkix_search *inner = base_alloc(sizeof(*inner));
    /* Of what the outer one has left: a peer that sends certificates of its issuer's name pays for them. */
    struct pkix_limits limits = pkix_budget_left(&s->budget);
    struct span extras[PKIX_EXTRAS_MAX];
    struct pkix_request request = {
        .leaf = signer->der,
        .extras = extras,
        .extras_count = s->extras_count,
        .purpose = s->request->purpose,
        .client_usage = s->request->client_usage,
        .any_extended_key_usage = s->request->any_extended_key_usage,
        .time = s->request->time,
        /* Only what is at hand: a source that is asked here would be asked for the sake of a certificate that the peer
         * need not even have. */
        .revocation = PKIX_REVOCATION_SOFT,
        .ocsp = s->request->ocsp,
        .ocsp_count = s->request->ocsp_count,
        .crls = s->request->crls,
        .evidence_waiting = PKIX_MUST_NOT_WAIT,
        .limits = &limits,
    };
    enum pkix_error error;

    for (unsigned i = 0; i < s->extras_count; i++)
        extras[i] = s->extras[i].der;
    /* With the peer's certificates and under the same purpose: whoever may issue for clients may sign lists about
     * clients. */
    error = pkix_search_init(inner, s->store, s->domain, &request);
    inner->crl_anchor = s->path.steps[s->path.count - 1].cert;
    inner->budget.deadline_ms = s->budget.deadline_ms;
    if (error == PKIX_OK)
        error = pkix_search_run(inner);
    pkix_budget_spend(&s->budget, &inner->budget);
    pkix_search_clear(inner);
    free(inner);
    return error == PKIX_OK;
}

/* Ours go before the peer's: it must not be able to crowd them out with certificates of that name. */
static bool is_ours(const struct pkix_candidate *candidate)
{
    return candidate->entry != NULL || candidate->rank == PKIX_RANK_REMEMBERED;
}

/* RFC 5280 section 6.3.3 (f): the list's signer and the certificate's issuer are the same entity, which is the same
 * name below the same anchor; the key may be another one, since an authority that changes its key signs its lists with
 * the new one and its older certificates were signed with the old. */
bool pkix_crl_signers_find_more(struct pkix_search *s, const struct pkix_cert *cert, struct pkix_crl_signers *signers)
{
    struct pkix_candidates *candidates;
    size_t before = signers->count;
    unsigned looked_at = 0;

    /* The signer of a CRL is not looked for by the signer of another one. Once for each certificate: the answer would
     * be the same. */
    if (signers->has_all || s->crl_anchor != NULL)
        return false;
    signers->has_all = true;
    candidates = base_alloc(sizeof(*candidates));
    pkix_search_collect(s, cert, candidates);
    /* Few are looked at (PKIX_CRL_ROLLED_OVER_MAX), as each is a search. */
    for (unsigned of_peer = 0; of_peer < 2; of_peer++) {
        for (size_t i = 0; i < candidates->count && looked_at < PKIX_CRL_ROLLED_OVER_MAX; i++) {
            const struct pkix_candidate *candidate = &candidates->list[i];

            /* A key that may not sign CRLs is not worth a search, whatever leads to it (RFC 5280 section 4.2.1.3). */
            if (is_ours(candidate) != (of_peer == 0) || candidate->parse_error != PKIX_OK ||
                has_key(signers, candidate->cert) || pkix_check_key_usage(candidate->cert, PKIX_KU_CRL_SIGN) != PKIX_OK)
                continue;
            looked_at++;
            if (leads_to_anchor(s, candidate->cert))
                signers->certs[signers->count++] = candidate->cert;
        }
    }
    free(candidates);
    return signers->count != before;
}
