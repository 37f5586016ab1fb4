/* pkix/search_candidates.h: who may have issued a certificate, and in what order they are tried.
 *
 * A *candidate* is a certificate whose subject is the issuer of another, byte for byte. It may be in the store, among
 * what the peer sent, among what was fetched, or remembered. Nothing here verifies a signature. */
#ifndef YETT_PKIX_SEARCH_CANDIDATES_H
#define YETT_PKIX_SEARCH_CANDIDATES_H

#include "pkix/search_state.h"
#include "pkix/store_internal.h"

/* Candidate order, after BoringSSL: anchors first, key identifiers as a hint only, then the newest. */
enum pkix_candidate_rank {
    PKIX_RANK_ANCHOR_MATCH,
    PKIX_RANK_ANCHOR_NO_DATA,
    PKIX_RANK_OTHER_MATCH,
    PKIX_RANK_OTHER_NO_DATA,
    PKIX_RANK_ANCHOR_MISMATCH,
    PKIX_RANK_OTHER_MISMATCH,
    PKIX_RANK_REMEMBERED, /* after the peer's own: what it sends is what it means */
};

struct pkix_candidate {
    const struct pkix_cert *cert;
    const struct pkix_store_entry *entry;
    enum pkix_error parse_error;
    enum pkix_candidate_rank rank;
    bool leads_nowhere; /* names alone show that no path through it ends at an anchor */
};

struct pkix_candidates {
    struct pkix_candidate list[PKIX_CANDIDATES_MAX];
    size_t count, max;
    struct span wanted_key_id;
    const struct pkix_search *search;
};

/* Whether this is an anchor for what is asked: one for servers says nothing about clients. `entry` NULL: none. */
bool pkix_search_is_anchor(const struct pkix_search *s, const struct pkix_store_entry *entry);

/* The candidates for the issuer of `child`, in order, at most as many as the search's limits say. Those remembered are
 * lent until the end of the search. */
void pkix_search_collect(struct pkix_search *s, const struct pkix_cert *child, struct pkix_candidates *c);

#endif
