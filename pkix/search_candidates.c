/* see pkix/search_candidates.h */
#include "pkix/search_candidates.h"
#include "pkix/intermediates.h"
#include "pkix/search_extras.h"
#include "pkix/search_issuers.h"

/* What an anchor has to be trusted for, one of these. Mozilla's list has no root for clients, and public authorities
 * issue no client certificates any more: who lets servers' certificates in (peer_purpose) means the roots for servers.
 */
static unsigned wanted_purposes(const struct pkix_request *r)
{
    if (r->purpose == PKIX_PURPOSE_SERVER)
        return PKIX_FOR_SERVER;
    switch (r->client_usage) {
    case PKIX_CLIENT_USAGE_CLIENT:
        return PKIX_FOR_CLIENT;
    case PKIX_CLIENT_USAGE_SERVER:
        return PKIX_FOR_SERVER;
    case PKIX_CLIENT_USAGE_ANY:
        break;
    }
    return PKIX_FOR_CLIENT | PKIX_FOR_SERVER;
}

/* A signer of a CRL must end at the very anchor of the path it speaks about: any other authority that we trust could
 * be made to issue a namesake (RFC 5280 section 6.3.3 (f)). */
bool pkix_search_is_anchor(const struct pkix_search *s, const struct pkix_store_entry *entry)
{
    if (s->crl_anchor != NULL && (entry == NULL || &entry->cert != s->crl_anchor))
        return false;
    /* An entry of the store, which is found by all of its bytes: a certificate with the subject and the key identifier
     * of an anchor is not that anchor (CVE-2026-34580). */
    return entry != NULL && entry->trust == PKIX_TRUST_ANCHOR && (entry->purposes & wanted_purposes(s->request)) != 0;
}

/* One that cannot be read is a candidate as well: that it is malformed is what should be told, if nothing else does. */
static void add_candidate(struct pkix_candidates *c, const struct pkix_cert *cert, const struct pkix_store_entry *entry,
                          enum pkix_error parse_error)
{
    bool anchor = pkix_search_is_anchor(c->search, entry);
    struct span key_id = pkix_cert_subject_key_id(cert);
    enum pkix_candidate_rank rank;

    /* More of one name than that nobody has; a peer that sends more is making work. */
    if (c->count == c->max)
        return;
    /* RFC 4158 section 3.5: key identifiers sort, they exclude nobody. They are the peer's words, and real chains
     * have wrong ones; a mismatch that excluded would let one bad hint hide a good path. */
    if (c->wanted_key_id.size == 0 || key_id.size == 0)
        rank = anchor ? PKIX_RANK_ANCHOR_NO_DATA : PKIX_RANK_OTHER_NO_DATA;
    else if (span_equal(c->wanted_key_id, key_id))
        rank = anchor ? PKIX_RANK_ANCHOR_MATCH : PKIX_RANK_OTHER_MATCH;
    else
        rank = anchor ? PKIX_RANK_ANCHOR_MISMATCH : PKIX_RANK_OTHER_MISMATCH;
    c->list[c->count++] =
        (struct pkix_candidate){.cert = cert, .entry = entry, .parse_error = parse_error, .rank = rank};
}

/* Up to the ceiling, which anchors are counted under as well: a store with a thousand roots of one name is somebody's
 * mistake and not a reason to try them all. */
static bool visit_entry(void *ctx, const struct pkix_store_entry *entry)
{
    struct pkix_candidates *c = ctx;

    add_candidate(c, &entry->cert, entry, PKIX_OK);
    return c->count < c->max;
}

/* Held until the search ends: the memory may drop what it has at any time, from another thread. */
static bool is_lent(const struct pkix_search *s, const struct pkix_intermediate *item)
{
    for (unsigned i = 0; i < s->lent_count; i++)
        if (s->lent[i] == item)
            return true;
    return false;
}

/* What other peers have sent stands behind everything else: it mends a server that forgot its intermediate, and must
 * not change what a complete chain comes to. */
static void add_remembered(struct pkix_search *s, const struct pkix_cert *child, struct pkix_candidates *c)
{
    struct pkix_intermediate *found[PKIX_INTERMEDIATES_PER_NAME_MAX];
    size_t count;

    if (s->store->remembered == NULL)
        return;
    count = pkix_intermediates_lend(s->store->remembered, child->issuer, found);
    for (size_t i = 0; i < count; i++) {
        bool again = is_lent(s, found[i]);

        /* What the peer sent, or the store has, is not looked at twice under another rank; the ceiling keeps one
         * verification from holding all that is remembered. */
        if (!again && (s->lent_count == PKIX_LENT_MAX || pkix_search_knows(s, &found[i]->cert))) {
            pkix_intermediates_return(s->store->remembered, found[i]);
            continue;
        }
        if (again)
            pkix_intermediates_return(s->store->remembered, found[i]); /* one hold is enough */
        else
            s->lent[s->lent_count++] = found[i];
        if (c->count < c->max)
            c->list[c->count++] = (struct pkix_candidate){.cert = &found[i]->cert, .rank = PKIX_RANK_REMEMBERED};
    }
}

/* Whether `a` comes after `b`. Among equals the newer one: an authority that was certified anew, after an expiry or a
 * change of its algorithm, is the likelier to lead somewhere (RFC 4158 section 3.5.8). AddTrust's in 2020 and DST Root
 * X3's in 2021 ended while newer paths were at hand. */
static bool is_after(const struct pkix_candidate *a, const struct pkix_candidate *b)
{
    return a->rank != b->rank ? a->rank > b->rank : a->cert->not_before < b->cert->not_before;
}

/* Whoever has the issuer's name, in its bytes. An authority that spells its own name in another way in what it issues
 * has issued something that nobody can chain (RFC 5280 section 4.1.2.6 has the same encoding used). */
void pkix_search_collect(struct pkix_search *s, const struct pkix_cert *child, struct pkix_candidates *c)
{
    c->search = s;
    c->count = 0;
    c->max = s->budget.limits.candidates_per_name_max;
    c->wanted_key_id = pkix_cert_authority_key_id(child);
    /* Anchors before the peer's, so that the ceiling cannot be used up with namesakes of an issuer that we have. */
    pkix_store_find(&s->store->anchors, child->issuer, visit_entry, c);
    for (unsigned i = 0; i < s->extras_count && c->count < c->max; i++) {
        if (!span_equal(s->extras[i].subject, child->issuer))
            continue;
        add_candidate(c, &s->extras[i], NULL, s->extra_errors[i]);
        /* By names alone, so it costs no signature; see search_extras.c for what that is worth. */
        c->list[c->count - 1].leads_nowhere = !s->extra_reaches[i] && !pkix_search_may_fetch(s);
    }
    pkix_store_find(&s->store->intermediates, child->issuer, visit_entry, c);
    add_remembered(s, child, c);
    /* Insertion sort: short lists, and equal ones keep the order in which the peer sent them. */
    for (size_t i = 1; i < c->count; i++) {
        struct pkix_candidate moving = c->list[i];
        size_t at = i;

        for (; at > 0 && is_after(&c->list[at - 1], &moving); at--)
            c->list[at] = c->list[at - 1];
        c->list[at] = moving;
    }
}
