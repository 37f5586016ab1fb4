/* pkix/constraints.h: which names an issuer may issue for (RFC 5280 section 4.2.1.10).
 *
 * mozilla::pkix's rules, with URI host constraints added. Excluded directory names other than the empty one, and any
 * constraint on a kind of name that cannot be compared, refuse every certificate with such a name: what is not
 * understood is refused. */
#ifndef YETT_PKIX_CONSTRAINTS_H
#define YETT_PKIX_CONSTRAINTS_H

#include "pkix/cert.h"

/* Who is checked decides whether the common name counts: only a server's own certificate without any dNSName or
 * iPAddress, so that nobody who still looks there is misled. */
enum pkix_common_name { PKIX_COMMON_NAME_IGNORED, PKIX_COMMON_NAME_CONSTRAINED };

/* Check all names of `cert` against one NameConstraints value. `*comparisons_left` is counted down for each pair of
 * name and subtree; PKIX_LIMIT_EXCEEDED at zero. PKIX_NAME_CONSTRAINT_VIOLATION, PKIX_BAD_DER. */
MUST_CHECK enum pkix_error pkix_constraints_check(struct span constraints, const struct pkix_cert *cert,
                                                  enum pkix_common_name common_name, unsigned *comparisons_left);

#endif
