/* pkix/policy.h: does a certificate carry the one policy that is required?
 *
 * One policy at a time, as mozilla::pkix does for extended validation: every certificate below the anchor must list
 * it; issuers may list anyPolicy instead. There is no policy tree, so there is nothing to make exponential
 * (CVE-2023-0464); policy mappings are not supported (critical ones are refused by the parser), and inhibitAnyPolicy
 * on the path refuses it. */
#ifndef YETT_PKIX_POLICY_H
#define YETT_PKIX_POLICY_H

#include "pkix/check.h"

/* `policy` is an object identifier's contents. PKIX_POLICY_MISSING. */
MUST_CHECK enum pkix_error pkix_policy_check(const struct pkix_cert *cert, struct span policy, enum pkix_role role,
                                             enum pkix_trust trust);

#endif
