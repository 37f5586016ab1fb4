/* pkix/search_issuers.h: fetching an issuer that no peer sent (struct pkix_issuer_source). */
#ifndef YETT_PKIX_SEARCH_ISSUERS_H
#define YETT_PKIX_SEARCH_ISSUERS_H

#include "pkix/search_state.h"

/* Whether issuers may still arrive: then a certificate that leads nowhere yet is not ruled out. */
bool pkix_search_may_fetch(const struct pkix_search *search);

/* After a search that ended in `error`: fetch an issuer of a dead end. True when there is one that was not there
 * before, so that another search may end otherwise. */
MUST_CHECK bool pkix_search_fetch_issuer(struct pkix_search *search, enum pkix_error error);

#endif
