/* pkix/search_extras.h: the peer's certificates, and those that were fetched: candidates that nobody vouches for. */
#ifndef YETT_PKIX_SEARCH_EXTRAS_H
#define YETT_PKIX_SEARCH_EXTRAS_H

#include "pkix/search_state.h"

/* Add one; `der` is lent for the life of the search. False when the limits have no room for it. */
MUST_CHECK bool pkix_search_add_extra(struct pkix_search *search, struct span der);

/* Whether it is the leaf, in the store, or among the extras: what the store has it offers anyway, with its trust. */
bool pkix_search_knows(const struct pkix_search *search, const struct pkix_cert *cert);

/* Fill in extra_reaches. They hold only while no certificate is added: where issuers may still arrive during a search,
 * nothing is to be ruled out by them. */
void pkix_search_find_reach(struct pkix_search *search);

#endif
