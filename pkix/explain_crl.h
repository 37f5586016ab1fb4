/* pkix/explain_crl.h: which CRL, and why it cannot be used. */
#ifndef YETT_PKIX_EXPLAIN_CRL_H
#define YETT_PKIX_EXPLAIN_CRL_H

#include "pkix/cert.h"
#include "pkix/crl_info.h"
#include "pkix/request.h"

/* " number 0x07", or nothing where there is none or it is longer than it may be. Owned by the caller. */
char *pkix_explain_crl_number(struct span number);

/* A CRL that is about a certificate and cannot be used: whose, which, and why. Owned by the caller. */
char *pkix_explain_unused_crl(const struct pkix_crl_info *list, enum pkix_error error, const struct pkix_cert *cert,
                              enum pkix_profile profile);

#endif
