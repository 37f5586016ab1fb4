/* pkix/search.h: the search for a path from a leaf to an anchor.
 *
 *   pkix_search_run
 *     └─ extend(path)            all issuers of the path's last certificate, best first
 *          └─ try_issuer         constraints, the issuer's own checks, the signature (search_checks.c), then:
 *               ├─ an anchor:    the path is complete; checks of the whole path
 *               └─ otherwise:    extend(path + issuer)
 *                    └─ then     revocation of the certificate below
 *
 * When there is no path, and an issuer may be fetched, it is done once more with what came (search_issuers.c).
 *
 * The words are those of pkix/verify.h. A *step* is one issuer tried. Everything is bounded: steps, signatures,
 * comparisons of names, work on policies, depth, and time (search_budget.h). A signature is verified before anything is
 * built upon it, each pair of certificate and key once: the 16 kB message that costs mozilla::pkix 166 s costs us the
 * signatures of one level. Its memory is search_state.h's. */
#ifndef YETT_PKIX_SEARCH_H
#define YETT_PKIX_SEARCH_H

#include "pkix/search_state.h"

/* Parse the leaf and the extras. Returns the leaf's parse error. `search` is large: keep it on the heap. */
MUST_CHECK enum pkix_error pkix_search_init(struct pkix_search *search, const struct pkix_store *store,
                                            const struct pkix_domain *domain, const struct pkix_request *request);

/* Find a path. Ranking of errors: see pkix/error.h. */
MUST_CHECK enum pkix_error pkix_search_run(struct pkix_search *search);

/* Remember the authorities on the path found that the peer sent. After PKIX_OK, when nothing else is held against it.
 */
void pkix_search_remember(const struct pkix_search *search);

/* Give back what the store has lent. The certificates of the search are not to be looked at any more. */
void pkix_search_clear(struct pkix_search *search);

#endif
