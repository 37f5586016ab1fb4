/* pkix/crl_info.h: what one CRL says of itself, and which of two is the newer. */
#ifndef YETT_PKIX_CRL_INFO_H
#define YETT_PKIX_CRL_INFO_H

#include "base/span.h"

/* For listings: issuer as text is pkix_dn_text() of this. */
enum pkix_crl_version { PKIX_CRL_V1, PKIX_CRL_V2 };
struct pkix_crl_info {
    struct span der;
    struct span issuer; /* whole Name */
    enum pkix_crl_version version;
    int64_t this_update, next_update;
    size_t revoked_count;
    struct span number; /* contents of the INTEGER; size 0: it has none */
};

/* Compares CRL numbers (RFC 5280 section 5.2.3), contents of INTEGERs that are not negative: below 0, 0 or above. */
int pkix_crl_number_compare(struct span a, struct span b);

/* Whether `a` was issued before `b`, another list of the same issuer and scope, and so must not take its place: who is
 * on the way to the server, or has kept a file, would bring back the list in which his certificate is not. By
 * thisUpdate, which every list has; and by the numbers where both have one, since dates are coarse and clocks are set
 * back. */
bool pkix_crl_is_older(const struct pkix_crl_info *a, const struct pkix_crl_info *b);

#endif
