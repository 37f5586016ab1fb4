/* pkix/key.h: public keys and signature algorithms, and which of them are good enough.
 *
 * Taken: RSA of 2,048 to 8,192 bits (in whole bytes) with an odd exponent of 3 to 2^33, P-256, P-384, P-521; PKCS #1
 * v1.5, PSS (with one hash for both its uses, and any length of salt) and ECDSA with SHA-256, -384 and -512. Explicit
 * curve parameters are never read: that is the defence against CVE-2020-0601 and CVE-2022-0778. No cryptography is done
 * here. */
#ifndef YETT_PKIX_KEY_H
#define YETT_PKIX_KEY_H

#include "pkix/der.h"

enum pkix_key_type { PKIX_KEY_RSA, PKIX_KEY_EC };
enum pkix_curve { PKIX_CURVE_P256, PKIX_CURVE_P384, PKIX_CURVE_P521 };
enum pkix_digest { PKIX_SHA1, PKIX_SHA256, PKIX_SHA384, PKIX_SHA512 };
enum pkix_padding { PKIX_PADDING_NONE, PKIX_PADDING_PKCS1, PKIX_PADDING_PSS };

enum { PKIX_RSA_BITS_MIN = 2048, PKIX_RSA_BITS_MAX = 8192, PKIX_DIGEST_SIZE_MAX = 64 };

struct pkix_key {
    enum pkix_key_type type;
    enum pkix_curve curve;  /* EC */
    unsigned bits;          /* RSA: of the modulus, exactly; EC: of the field */
    unsigned exponent_bits; /* RSA */
    struct span modulus;    /* RSA: without leading zeros */
    struct span bit_string; /* the key bits, for key identifiers (RFC 6960 KeyHash) */
};

struct pkix_algorithm {
    enum pkix_key_type key_type;
    enum pkix_digest digest;
    enum pkix_padding padding;
    unsigned salt_size; /* PSS: bytes */
};

/* Read and judge a SubjectPublicKeyInfo (whole element). PKIX_WEAK_KEY, PKIX_UNSUPPORTED_KEY,
 * PKIX_UNSUPPORTED_CURVE, PKIX_UNSUPPORTED_POINT, PKIX_BAD_DER, PKIX_BAD_INTEGER. */
MUST_CHECK enum pkix_error pkix_key_read(struct span spki, struct pkix_key *key);

/* Read an AlgorithmIdentifier (contents) of a signature. PKIX_WEAK_SIGNATURE_ALGORITHM when it is not known. SHA-1 is
 * read here and refused by pkix_algorithm_check(). */
MUST_CHECK enum pkix_error pkix_algorithm_read(struct span contents, struct pkix_algorithm *algorithm);

/* Whether signatures made so are good enough. */
MUST_CHECK enum pkix_error pkix_algorithm_check(const struct pkix_algorithm *algorithm, struct span signature);

size_t pkix_digest_size(enum pkix_digest digest);

/* Such as "RSA 2048" or "EC P-256", and "ecdsa-sha256": static text. */
const char *pkix_key_text(const struct pkix_key *key, char *out, size_t out_size);
const char *pkix_algorithm_text(const struct pkix_algorithm *algorithm);

#endif
