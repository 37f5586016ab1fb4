/* pkix/revoked.h: when and why a certificate was revoked, as a CRL entry or an OCSP response has it. */
#ifndef YETT_PKIX_REVOKED_H
#define YETT_PKIX_REVOKED_H

#include <stddef.h>
#include <stdint.h>

/* A CRLReason of RFC 5280 section 5.3.1, or PKIX_REASON_NOT_GIVEN. */
enum { PKIX_REASON_NOT_GIVEN = -1 };

struct pkix_revoked_when {
    int64_t time; /* seconds since 1970; 0: neither is known */
    int reason;
};

/* The statement's own words, for the explanation. */
enum { PKIX_CRL_NUMBER_SIZE_MAX = 20 /* octets; RFC 5280 section 5.2.3: no number is longer */ };

struct pkix_revoked_note {
    struct pkix_revoked_when when;
    uint8_t number[PKIX_CRL_NUMBER_SIZE_MAX]; /* of the CRL that says so */
    size_t number_size;                       /* 0: it has none, or it was no CRL */
};

/* The reason by its name in RFC 5280, such as "keyCompromise"; NULL: none, or no such number. */
const char *pkix_reason_name(int reason);

#endif
