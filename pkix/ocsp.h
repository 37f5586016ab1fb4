/* pkix/ocsp.h: OCSP responses (RFC 6960), read and judged; requests, written.
 *
 * Pure functions: fetching is the caller's. The rules are mozilla::pkix's: the signature is verified before anything
 * else of the response is looked at; the issuer signs itself or through a delegate whose certificate is in the
 * response; several statements about one certificate count as the worst. Nonces are not used. */
#ifndef YETT_PKIX_OCSP_H
#define YETT_PKIX_OCSP_H

#include "pkix/cert.h"
#include "pkix/oid.h"
#include "pkix/signature.h"
#include "pkix/sources.h"

enum {
    PKIX_OCSP_REQUEST_SIZE_MAX = 160,
    PKIX_OCSP_AGE_DAYS_MAX = 10, /* a response is not believed for longer, whatever it says */
    PKIX_OCSP_CERTS_MAX = 8,     /* certificates in a response */
};

/* What it says of the certificate, with all that is to be remembered of it. Returns statement->error: PKIX_OK (good and
 * current), PKIX_REVOKED, PKIX_OCSP_UNKNOWN_CERT (both also when old), PKIX_OCSP_OLD, PKIX_OCSP_FUTURE,
 * PKIX_OCSP_OTHER_CERT, PKIX_OCSP_BAD_SIGNER, PKIX_OCSP_BAD_SIGNATURE, PKIX_OCSP_MALFORMED, PKIX_OCSP_TRY_LATER,
 * PKIX_OCSP_SERVER_ERROR, PKIX_UNKNOWN_CRITICAL_EXTENSION, PKIX_LIMIT_EXCEEDED. The times are set when a statement
 * about the certificate was found: for caches. */
MUST_CHECK enum pkix_error pkix_ocsp_judge(struct span response, const struct pkix_cert *cert,
                                           const struct pkix_cert *issuer, int64_t time, pkix_verify_statement *verify,
                                           void *ctx, struct pkix_statement *statement);

/* Whether the file may be one at all: OCSPResponse ::= SEQUENCE { responseStatus ENUMERATED, ... }. What it is worth is
 * for the judge. */
bool pkix_ocsp_has_form(struct span file);

/* When the first of its statements ends (nextUpdate), whomever it is about and whoever signed it: for a file of our
 * own, to see whether it was renewed. False where there is none that says so. */
bool pkix_ocsp_ends_at(struct span file, int64_t *ends);

/* A request about one certificate, SHA-1 CertID, no extensions. False when the serial number is too long. */
MUST_CHECK bool pkix_ocsp_request_write(const struct pkix_cert *cert, const struct pkix_cert *issuer,
                                        uint8_t out[PKIX_OCSP_REQUEST_SIZE_MAX], size_t *size);

/* Where to ask: the first http or https URI of a responder in the certificate (AIA), or an empty span. Printable ASCII
 * only, at most PKIX_URL_SIZE_MAX bytes; borrows the certificate. */
enum { PKIX_URL_SIZE_MAX = 1024 };
struct span pkix_cert_access_url(const struct pkix_cert *cert, enum pkix_oid method, const char *scheme); /* of AIA */
struct span pkix_cert_ocsp_url(const struct pkix_cert *cert);

/* Where its CRL is, such URIs of all its distribution points, in order, the first PKIX_CRL_URLS_MAX of them; how many.
 * Points for some reasons only, and those whose CRL another authority issues, are left out. 0 also for a malformed
 * list. */
size_t pkix_cert_crl_urls(const struct pkix_cert *cert, struct span urls[static PKIX_CRL_URLS_MAX]);

#endif
