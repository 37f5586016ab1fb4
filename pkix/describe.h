/* pkix/describe.h: a certificate in words, for people and for JSON. */
#ifndef YETT_PKIX_DESCRIBE_H
#define YETT_PKIX_DESCRIBE_H

#include "base/span.h"

struct pkix_description {
    char *subject, *issuer;       /* RFC 4514 */
    char *serial;                 /* hexadecimal, lower case, two digits a byte */
    char *not_before, *not_after; /* RFC 3339, UTC; empty when unreadable */
    char sha256[65];
    char *key;       /* "RSA 2048", "EC P-256", or why it is not usable */
    char *signature; /* "ecdsa-sha256", or "unknown" */
};

/* False when `der` cannot be cut into fields. Clear with pkix_description_clear(), also after a failure. NSS must be
 * initialised. */
MUST_CHECK bool pkix_describe(struct span der, struct pkix_description *d);
void pkix_description_clear(struct pkix_description *d);

/* RFC 3339, in UTC, of seconds since 1970. Owned by the caller. */
char *pkix_time_text(int64_t seconds);

#endif
