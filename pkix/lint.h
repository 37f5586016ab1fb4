/* pkix/lint.h: the strict profile's rules, on top of what every path has to keep.
 *
 * RFC 5280's and the CA/Browser Forum's letters that real certificates sometimes do not keep: key identifiers,
 * criticality, serial numbers, the common name; lint_form.h and lint_names.h have those about encoding and names. Off
 * by default because real chains would break. */
#ifndef YETT_PKIX_LINT_H
#define YETT_PKIX_LINT_H

#include "pkix/cert.h"
#include "pkix/lint_place.h"
#include "pkix/request.h"

/* Who signed an anchor: RFC 5280 section 4.2.1.1 lets only those that sign themselves leave out their issuer's key. */
enum pkix_lint_signer { PKIX_LINT_SIGNED_BY_ANOTHER, PKIX_LINT_SIGNED_BY_ITSELF };

/* The rule that is broken, in words (static), or NULL. */
const char *pkix_lint(const struct pkix_cert *cert, enum pkix_lint_place place, enum pkix_lint_signer signer,
                      enum pkix_purpose purpose);

/* As pkix_lint(), of a certificate and the one it was issued by: what the first says of the other's key is true. */
const char *pkix_lint_issued(const struct pkix_cert *child, const struct pkix_cert *issuer);

#endif
