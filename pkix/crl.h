/* pkix/crl.h: certificate revocation lists (RFC 5280 section 5).
 *
 * A set is filled once and then immutable and shared, like a store. Each CRL is parsed when it is added: its numbers
 * are sorted, so that looking one up does not depend on the size of the list.
 *
 * Used: complete CRLs, signed by the certificate's own issuer with the certificate's own issuer's key, of the scope
 * that fits. Not used, and so no statement: delta and indirect CRLs, CRLs for some reasons only, unknown critical
 * extensions in the list or in any entry, no or a critical CRL number. */
#ifndef YETT_PKIX_CRL_H
#define YETT_PKIX_CRL_H

#include "pkix/cert.h"
#include "pkix/check.h"

struct pkix_crl_set;

struct pkix_crl_set *pkix_crl_set_create(void);
void pkix_crl_set_destroy(struct pkix_crl_set **set);

/* One CRL, DER, copied. False with a sentence in *error (the caller's) when it is malformed or of a kind that is not
 * used; `origin` names it there. */
MUST_CHECK bool pkix_crl_set_add(struct pkix_crl_set *set, struct span der, const char *origin, char **error);

/* PEM or DER file, or a directory of them. */
MUST_CHECK bool pkix_crl_set_add_path(struct pkix_crl_set *set, const char *path, char **error);

size_t pkix_crl_set_count(const struct pkix_crl_set *set);

#endif
