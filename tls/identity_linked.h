/* tls/identity_linked.h: a client's certificate that NSS can only send with the chain that was configured. Private to
 * tls/.
 *
 * libssl takes a client's certificate from a hook, and no chain: it looks for the issuers by itself, with
 * CERT_CertChainFromCert(), among all certificates that the process knows. Those of peers are among them, verified or
 * not, and of several with one subject and key identifier the one with the later dates wins. So a peer could decide
 * what we show to another: a certificate with our intermediate's names, signed by nobody, in the intermediate's place.
 *
 * NSS finds an issuer by the names in the attributes of a PKCS#11 object, CKA_ISSUER of one and CKA_SUBJECT of the
 * next, and sends what is in CKA_VALUE. So each certificate of a chain is put into NSS's internal token as an object
 * of its own, linked to the next by random names that nobody outside this process ever sees, and that are in no
 * certificate: there is just one issuer to be found, and at the end of the chain none.
 *
 * What is left to NSS is leaving out: an issuer whose key identifier is not the one that the certificate below it
 * names, one that is no authority, and a root at the end of the chain. tls_linked_create() finds that out by asking NSS
 * for the chain, then and there; nothing that comes later changes it. */
#ifndef YETT_TLS_IDENTITY_LINKED_H
#define YETT_TLS_IDENTITY_LINKED_H

#include "base/span.h"

#include <certt.h>

struct tls_linked;

/* `chain`: DER, the leaf first; the bytes are copied. NULL (*error): NSS does not take it. Any thread. */
MUST_CHECK struct tls_linked *tls_linked_create(const struct span *chain, size_t count, char **error);
void tls_linked_destroy(struct tls_linked **linked);

/* The leaf, for NSS; lent. */
CERTCertificate *tls_linked_leaf(const struct tls_linked *linked);

/* How many certificates of the chain, from the leaf on, NSS sends. */
size_t tls_linked_sent(const struct tls_linked *linked);

#endif
