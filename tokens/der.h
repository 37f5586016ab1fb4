/* tokens/der.h: the little DER that tokens/ needs: to look into a certificate, and to write a key or a request.
 *
 * It checks nothing beyond what it walks over: whether a certificate is any good is for pkix/ to say.
 * Spans given point into what was read. X.690; RFC 5280 section 4.1; RFC 2986. */
#ifndef YETT_TOKENS_DER_H
#define YETT_TOKENS_DER_H

#include "base/buffer.h"
#include "base/span.h"

enum tokens_der_tag {
    TOKENS_DER_INTEGER = 0x02,
    TOKENS_DER_BIT_STRING = 0x03,
    TOKENS_DER_OCTET_STRING = 0x04,
    TOKENS_DER_NULL = 0x05,
    TOKENS_DER_OID = 0x06,
    TOKENS_DER_UTC_TIME = 0x17,
    TOKENS_DER_GENERALIZED_TIME = 0x18,
    TOKENS_DER_SEQUENCE = 0x30,
    TOKENS_DER_SET = 0x31,
    TOKENS_DER_CONTEXT_0 = 0xa0 /* constructed */
};

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

/* Writing: begin an element, write its content, end it. The buffer's ceiling must be above all that is written:
 * running into it is a broken contract. */
size_t tokens_der_begin(struct buffer *out);
void tokens_der_end(struct buffer *out, size_t mark, uint8_t tag);
void tokens_der_raw(struct buffer *out, struct span bytes);
void tokens_der_element(struct buffer *out, uint8_t tag, struct span content);
void tokens_der_unsigned(struct buffer *out, struct span number); /* big-endian bytes to INTEGER */
void tokens_der_bit_string(struct buffer *out, struct span bits);

/* A whole SubjectPublicKeyInfo. point: as PKCS#11's CKA_EC_POINT should be, a DER OCTET STRING. */
MUST_CHECK bool tokens_der_spki_ec(struct buffer *out, struct span ec_params, struct span point);
void tokens_der_spki_rsa(struct buffer *out, struct span modulus, struct span exponent);

/* r || s to SEQUENCE { INTEGER, INTEGER }. */
void tokens_der_ecdsa_signature(struct buffer *out, struct span raw);

#endif
