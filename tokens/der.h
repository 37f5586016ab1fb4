/* tokens/der.h: what tokens/ has in DER: it looks into a certificate, and writes a key or a signature.
 *
 * It checks nothing beyond what it walks over (DER_LOOSE of base/der_read.h): whether a certificate is any good is for
 * pkix/ to say. Spans given point into what was read. X.690; RFC 5280 section 4.1; RFC 2986. */
#ifndef YETT_TOKENS_DER_H
#define YETT_TOKENS_DER_H

#include "base/der_write.h"

/* Take one element off the front of *rest: its tag, its content, and (unless NULL) all of it. false when there is none
 * whole; then *rest is unchanged. Long-form tags are not known. */
MUST_CHECK bool tokens_der_read(struct span *rest, uint8_t *tag, struct span *content, struct span *whole);

struct tokens_der_cert {
    struct span serial; /* whole elements, as PKCS#11 has them */
    struct span issuer;
    struct span subject;
    struct span spki;
    char not_after[16]; /* "YYYYMMDDHHMMSSZ", so that strcmp() orders them */
};

MUST_CHECK bool tokens_der_cert_read(struct span der, struct tokens_der_cert *cert);

/* The parts of a SubjectPublicKeyInfo: parameters of the algorithm (a whole element, may be empty) and the key bits. */
MUST_CHECK bool tokens_der_spki_read(struct span spki, struct span *parameters, struct span *key_bits);

/* The two numbers of an RSA key's bits, without leading zeros. */
MUST_CHECK bool tokens_der_rsa_read(struct span key_bits, struct span *modulus, struct span *exponent);

/* A whole SubjectPublicKeyInfo. point: as PKCS#11's CKA_EC_POINT should be, a DER OCTET STRING. */
MUST_CHECK bool tokens_der_spki_ec(struct buffer *out, struct span ec_params, struct span point);
void tokens_der_spki_rsa(struct buffer *out, struct span modulus, struct span exponent);

/* r || s to SEQUENCE { INTEGER, INTEGER }. */
void tokens_der_ecdsa_signature(struct buffer *out, struct span raw);

#endif
