/* pkix/revoked.h: when and why a certificate was revoked, as a CRL entry or an OCSP response has it. */
#ifndef YETT_PKIX_REVOKED_H
#define YETT_PKIX_REVOKED_H

#include <stdint.h>

/* A CRLReason of RFC 5280 section 5.3.1, or PKIX_REASON_NOT_GIVEN. */
enum { PKIX_REASON_NOT_GIVEN = -1 };

struct pkix_revoked_when {
    int64_t time; /* seconds since 1970; 0: neither is known */
    int reason;
};

/* The reason by its name in RFC 5280, such as "keyCompromise"; NULL: none, or no such number. */
const char *pkix_reason_name(int reason);

#endif
