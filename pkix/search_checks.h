/* pkix/search_checks.h: what is asked of one issuer before its own issuers are looked for, and of a whole path.
 *
 * The order of what is asked is that of search.c's design note: names and fields before the signature, the signature
 * before anything is built upon it. On failure *failure says which rule was broken, and whose fault it is. */
#ifndef YETT_PKIX_SEARCH_CHECKS_H
#define YETT_PKIX_SEARCH_CHECKS_H

#include "pkix/check.h"
#include "pkix/search_candidates.h"

/* One certificate's own fields. */
MUST_CHECK enum pkix_error pkix_search_check_step(const struct pkix_search *search, const struct pkix_path_step *step,
                                                  enum pkix_role role, struct pkix_failure *failure);

/* All that can be said about one issuer of the path's last certificate. */
MUST_CHECK enum pkix_error pkix_search_check_issuer(struct pkix_search *search, const struct pkix_candidate *candidate,
                                                    struct pkix_failure *failure);

/* What only a whole path shows: a root that is trusted for older leaves only, policies, pinned keys, and the strict
 * profile's rules. The path's last certificate is an anchor. */
MUST_CHECK enum pkix_error pkix_search_check_path(struct pkix_search *search, struct pkix_failure *failure);

/* Verify a signature within the limits, and note the path on which one is met. */
MUST_CHECK enum pkix_error pkix_search_verify(struct pkix_search *search, const struct pkix_signed *statement,
                                              struct span spki);
MUST_CHECK enum pkix_error pkix_search_verify_child(struct pkix_search *search, const struct pkix_cert *child,
                                                    struct span spki);

/* `error`, having noted the path when it is that a limit of the whole verification is met. */
enum pkix_error pkix_search_limited(struct pkix_search *search, enum pkix_error error);

#endif
