/* tokens/accelerator/key.h: keys of libcrypto's, made from the bytes of PKCS #11. NULL from each when there is no such
 * key: a point that is not on its curve, numbers that do not fit. What is secret is wiped on the way. */
#ifndef YETT_TOKENS_ACCELERATOR_KEY_H
#define YETT_TOKENS_ACCELERATOR_KEY_H

#include "tokens/accelerator/curve.h"

#include <openssl/evp.h>

enum {
    ACCEL_RSA_BITS_MIN = 1024,
    ACCEL_RSA_BITS_MAX = 16384, /* libcrypto's own limit */
    ACCEL_RSA_BYTES_MAX = ACCEL_RSA_BITS_MAX / 8,
};

/* A public key; `point` is curve->point bytes (accel_curve_point()). */
EVP_PKEY *accel_key_public(const struct accel_curve *curve, const uint8_t *point);

/* Likewise, for a moment: a peer's share, which is wanted for one derivation. To be given back; the key that comes is
 * one that was given back before, where there is one, with another point in it. */
EVP_PKEY *accel_key_peer_take(const struct accel_curve *curve, const uint8_t *point);
void accel_key_peer_give(const struct accel_curve *curve, EVP_PKEY *key);

/* A private key, big-endian, curve->coordinate bytes at most. The public key is computed. */
EVP_PKEY *accel_key_private(const struct accel_curve *curve, const uint8_t *value, size_t size);

/* A new pair. */
EVP_PKEY *accel_key_generate(const struct accel_curve *curve);

/* RSA: big-endian numbers. A public key has the first two only, a private one all of them (RFC 8017 A.1.2). */
enum accel_rsa_number {
    ACCEL_RSA_MODULUS,
    ACCEL_RSA_PUBLIC_EXPONENT,
    ACCEL_RSA_PRIVATE_EXPONENT,
    ACCEL_RSA_PRIME_1,
    ACCEL_RSA_PRIME_2,
    ACCEL_RSA_EXPONENT_1,
    ACCEL_RSA_EXPONENT_2,
    ACCEL_RSA_COEFFICIENT,
    ACCEL_RSA_NUMBER_COUNT
};
enum { ACCEL_RSA_PUBLIC_COUNT = ACCEL_RSA_PRIVATE_EXPONENT };

struct accel_number {
    const uint8_t *data;
    size_t size;
};

EVP_PKEY *accel_key_rsa(const struct accel_number *numbers, size_t count);

/* Free what is kept between calls: at C_Finalize(), before accel_crypto_stop(). */
void accel_keys_stop(void);

#endif
