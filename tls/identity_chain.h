/* tls/identity_chain.h: the certificates above the leaf of an identity that is not a file. Private to tls/.
 *
 * Looked for among the certificates on the leaf's own token and in the certificate database, and nowhere else: NSS's
 * own search (CERT_GetCertChainFromCert()) takes from all that the process has seen, peers' certificates included. An
 * issuer is one by name (RFC 5280 section 7.1), by key identifier where both have one, and by signature; of several the
 * one that is valid at the time goes first, then the newest. The root is left out: who trusts it has it. */
#ifndef YETT_TLS_IDENTITY_CHAIN_H
#define YETT_TLS_IDENTITY_CHAIN_H

#include "tls/identity_internal.h"

/* Appends to identity->chain, which is empty. What cannot be found is not there. `now`: seconds since 1970. */
void tls_identity_find_chain(struct tls_identity *identity, int64_t now);

#endif
