/* pkix/revocation.h: what staples, other OCSP responses and CRLs together say about one certificate of a path. */
#ifndef YETT_PKIX_REVOCATION_H
#define YETT_PKIX_REVOCATION_H

#include "pkix/search.h"

/* A certificate of which nothing is known passes in soft mode, and in hard mode only if it is a leaf that lives no
 * longer than this: a statement would not be younger than the certificate. */
enum { PKIX_SHORT_LIFE_DAYS = 10 };

/* PKIX_OK, PKIX_REVOKED, PKIX_OCSP_UNKNOWN_CERT (a responder that was asked does not know the certificate),
 * PKIX_REVOCATION_UNKNOWN (hard), PKIX_LIMIT_EXCEEDED, or an error of a stapled response that must not be passed over.
 * The order is Gecko's without CRLite: staple, CRLs at hand (of the request, and fetched before), then the request's
 * source of evidence, and last a CRL that is fetched now. What is at hand counts together: one that says revoked is
 * enough. Notes in the search what was learnt about the leaf. *what is a static explanation. */
MUST_CHECK enum pkix_error pkix_revocation_check(struct pkix_search *search, const struct pkix_cert *cert,
                                                 const struct pkix_cert *issuer, enum pkix_role role,
                                                 const char **what);

#endif
