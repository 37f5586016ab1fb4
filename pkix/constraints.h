/* pkix/constraints.h: which names an issuer may issue for (RFC 5280 section 4.2.1.10).
 *
 * mozilla::pkix's rules, with URI host constraints, mailboxes with UTF-8 (RFC 9598) and directory names by comparison
 * (RFC 5280 section 7.1) added. Any constraint on a kind of name that cannot be compared refuses every certificate with
 * such a name: what is not understood is refused. */
#ifndef YETT_PKIX_CONSTRAINTS_H
#define YETT_PKIX_CONSTRAINTS_H

#include "pkix/cert.h"
#include "pkix/names.h"

/* Who is checked decides whether the common name counts: only a server's own certificate without any dNSName or
 * iPAddress, so that nobody who still looks there is misled. */
enum pkix_common_name { PKIX_COMMON_NAME_IGNORED, PKIX_COMMON_NAME_CONSTRAINED };

/* Which name broke which constraint, for the explanation. Spans borrow the certificate and the constraints. */
struct pkix_constraint_breach {
    enum pkix_general_name type; /* of both */
    struct span name;            /* as the certificate has it: of a directory name the whole Name */
    enum pkix_constraint_rule { PKIX_CONSTRAINT_UNKNOWN, PKIX_CONSTRAINT_EXCLUDED, PKIX_CONSTRAINT_NOT_PERMITTED } rule;
    struct span base; /* EXCLUDED: the subtree; NOT_PERMITTED: the last one of the type that is permitted */
};

/* Check all names of `cert` against one NameConstraints value. `*comparisons_left` is counted down for each pair of
 * name and subtree, for directory names by their length; PKIX_LIMIT_EXCEEDED at zero. PKIX_NAME_CONSTRAINT_VIOLATION,
 * with *breach; PKIX_BAD_DER. */
MUST_CHECK enum pkix_error pkix_constraints_check(struct span constraints, const struct pkix_cert *cert,
                                                  enum pkix_common_name common_name, unsigned *comparisons_left,
                                                  struct pkix_constraint_breach *breach);

#endif
