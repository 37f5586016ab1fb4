/* pkix/crl_parse.h: one CRL, cut into its fields. */
#ifndef YETT_PKIX_CRL_PARSE_H
#define YETT_PKIX_CRL_PARSE_H

#include "pkix/crl.h"

/* What an issuing distribution point restricts a CRL to. */
struct pkix_crl_scope {
    bool present;
    bool only_user, only_ca, only_attribute;
    struct span point; /* DistributionPointName (whole element), empty: none */
};

struct pkix_crl {
    struct pkix_signed outer;
    struct pkix_crl_info info;
    struct pkix_crl_scope scope;
    struct span *serials; /* sorted; contents without needless leading octets; owned */
    size_t serial_count;
    const char *why; /* after PKIX_CRL_UNUSABLE: what it has or lacks; static */
};

/* Spans borrow `der`. Clear with pkix_crl_clear(), also after a failure. */
MUST_CHECK enum pkix_error pkix_crl_read(struct span der, struct pkix_crl *crl);
void pkix_crl_clear(struct pkix_crl *crl);

/* Whether the certificate's number is listed. Leading zeros and signs are compared as numbers are. */
bool pkix_crl_lists(const struct pkix_crl *crl, struct span serial);

/* Whether the CRL is about such certificates: their kind, and one common name of a distribution point, all names of
 * all points considered (GHSA-pwjx-qhcg-rvj4). */
bool pkix_crl_covers(const struct pkix_crl *crl, const struct pkix_cert *cert, bool is_ca);

#endif
