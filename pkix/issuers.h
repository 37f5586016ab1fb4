/* pkix/issuers.h: certificates as they are served at a caIssuers address (RFC 5280 section 4.2.2.1).
 *
 * One certificate in DER; a "certs-only" message of PKCS #7 (RFC 8551 section 3.8: a SignedData of RFC 5652 section 5.1
 * without content and without signers) in DER, not BER; or, as some serve it, PEM. What the server calls it does not
 * matter. The reader finds where each certificate begins and ends; what is in them is pkix_cert_read()'s to say. */
#ifndef YETT_PKIX_ISSUERS_H
#define YETT_PKIX_ISSUERS_H

#include "pkix/cert.h"

enum { PKIX_ISSUERS_MAX = 32 /* certificates of one answer */ };

/* Called for each with its DER, lent. */
typedef void pkix_issuers_visit(void *ctx, struct span der);

/* All or nothing. PKIX_BAD_DER when it is none of these, has no certificate, or more than PKIX_ISSUERS_MAX. */
MUST_CHECK enum pkix_error pkix_issuers_read(struct span answer, pkix_issuers_visit *visit, void *ctx);

/* Where the certificate says that its issuer's can be had: its first http address; size 0 when there is none. Nothing
 * has been verified. Borrows the certificate. */
struct span pkix_cert_issuer_url(const struct pkix_cert *cert);

#endif
