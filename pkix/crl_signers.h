/* pkix/crl_signers.h: whose keys may have signed a CRL about a certificate.
 *
 * The issuer's own, and any other of the same authority, since authorities change their keys: one whose certificate is
 * on the path, or whose certificate leads to the same anchor (RFC 5280 section 6.3.3 (f)). The anchor is what ties the
 * two together: of the name alone anybody can make a certificate, under an anchor of his own, and would say with it
 * that nothing is revoked, or everything. */
#ifndef YETT_PKIX_CRL_SIGNERS_H
#define YETT_PKIX_CRL_SIGNERS_H

#include "pkix/revocation.h"

struct pkix_search;

/* Add to those of the path the ones that are not on it, within the search's limits. True when there are any that were
 * not there before. */
MUST_CHECK bool pkix_crl_signers_find_more(struct pkix_search *search, const struct pkix_cert *cert,
                                           struct pkix_crl_signers *signers);

#endif
