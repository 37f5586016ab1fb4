/* pkix/crl_parse.h: one CRL, cut into its fields. */
#ifndef YETT_PKIX_CRL_PARSE_H
#define YETT_PKIX_CRL_PARSE_H

#include "pkix/cert.h"
#include "pkix/crl_info.h"
#include "pkix/revoked.h"

/* What an issuing distribution point restricts a CRL to. */
struct pkix_crl_scope {
    bool present;
    bool only_user, only_ca, only_attribute;
    struct span point; /* DistributionPointName (whole element), empty: none */
};

/* One revoked certificate, where it stands in the list: a third of a million of them have to be small. */
struct pkix_crl_entry {
    const uint8_t *serial; /* contents of the INTEGER without needless leading octets */
    uint32_t serial_size;
    uint32_t rest_size; /* from the end of the number to that of the entry: when, and extensions */
};

struct pkix_crl {
    struct pkix_signed outer;
    struct pkix_crl_info info;
    struct pkix_crl_scope scope;
    struct pkix_crl_entry *entries; /* sorted by number; owned */
    size_t entry_count;
    const char *why; /* after PKIX_CRL_UNUSABLE: what it has or lacks; static */
};

/* Spans borrow `der`. Clear with pkix_crl_clear(), also after a failure. */
MUST_CHECK enum pkix_error pkix_crl_read(struct span der, struct pkix_crl *crl);
void pkix_crl_clear(struct pkix_crl *crl);

/* The entry with the certificate's number, or NULL. Leading zeros and signs are compared as numbers are. */
const struct pkix_crl_entry *pkix_crl_find(const struct pkix_crl *crl, struct span serial);

/* When the certificate of an entry was revoked (seconds since 1970), and why. */
struct pkix_revoked_when pkix_crl_entry_when(const struct pkix_crl_entry *entry);

/* Whether the CRL is about such certificates: their kind, and one common name of a distribution point, all names of
 * all points considered (GHSA-pwjx-qhcg-rvj4). */
bool pkix_crl_covers(const struct pkix_crl *crl, const struct pkix_cert *cert, bool is_ca);

#endif
