/* tls/key_der.h: the encodings of private keys, without NSS. Private to tls/.
 *
 * Keys come as PKCS#8 (RFC 5958), PKCS#1 (RFC 8017 appendix A.1.2) or SEC 1 (RFC 5915); NSS takes PKCS#8 only. */
#ifndef YETT_TLS_KEY_DER_H
#define YETT_TLS_KEY_DER_H

#include "base/span.h"

/* The two structures that make up a session ticket key. Borrow from `der`. False when it is anything else. */
MUST_CHECK bool tls_key_der_split(struct span der, struct span *first, struct span *second);

/* The size of the element that `bytes` begin with, a SEQUENCE; 0 when there is none. */
size_t tls_key_der_element_size(struct span bytes);

/* What a certificate's or a key's AlgorithmIdentifier says it is for, where that is nothing that we can use, as
 * "Ed25519"; NULL for RSA, RSA-PSS, EC, and what nobody knows. `algorithm` is its contents. Static. */
const char *tls_key_der_foreign(struct span algorithm);

/* The key of a PEM block as PKCS#8. `label` is "PRIVATE KEY", "RSA PRIVATE KEY" or "EC PRIVATE KEY". Returns false,
 * with a sentence without file name in *error, for others and for malformed ones. The caller wipes and frees *pkcs8. */
MUST_CHECK bool tls_key_der_to_pkcs8(const char *label, struct span der, uint8_t **pkcs8, size_t *size, char **error);

/* An EC key in PKCS#8 with `point` as its public half, which is optional there (RFC 5915 section 3), and may be wrong:
 * NSS takes a point that begins 04 3F for DER when it writes a key it has made, and leaves out those two bytes. False
 * when it is any other key: then it is good as it is. The caller wipes and frees *whole. */
MUST_CHECK bool tls_key_der_put_public(struct span pkcs8, struct span point, uint8_t **whole, size_t *size);

/* The DNS names of a DER-encoded subject alternative name extension (its value, a GeneralNames), in order; names that
 * are not ASCII or longer than a host name are left out. Calls `add` for each. False when it is malformed. */
MUST_CHECK bool tls_key_der_dns_names(struct span san, void (*add)(void *arg, struct span name), void *arg);

#endif
