/* tokens/accelerator/crypto.h: libcrypto, as this module uses it.
 *
 * In a library context of its own: no configuration file of OpenSSL's, no engine and no other provider has a say in it,
 * and nothing else in the process that uses libcrypto is touched. Algorithms are fetched once: a fetch by name at each
 * call would take libcrypto's locks. All of it is read-only between start and stop, so any thread may use it. */
#ifndef YETT_TOKENS_ACCELERATOR_CRYPTO_H
#define YETT_TOKENS_ACCELERATOR_CRYPTO_H

#include "base/base.h"

#include <openssl/evp.h>

enum accel_cipher {
    ACCEL_AES_128_GCM,
    ACCEL_AES_192_GCM,
    ACCEL_AES_256_GCM,
    ACCEL_CHACHA20_POLY1305,
    ACCEL_AES_128_ECB,
    ACCEL_AES_192_ECB,
    ACCEL_AES_256_ECB,
    ACCEL_CIPHER_COUNT
};

/* False when libcrypto lacks something, as it does in a mode that allows only some algorithms. */
MUST_CHECK bool accel_crypto_start(void);
void accel_crypto_stop(void);

OSSL_LIB_CTX *accel_crypto_library(void);
const EVP_CIPHER *accel_crypto_cipher(enum accel_cipher cipher);

/* Random bytes for keys. False when there are none to be had. */
MUST_CHECK bool accel_crypto_random(void *out, size_t size);

/* The name of a hash for libcrypto by its mechanism (CKM_SHA256 ...), or NULL. */
const char *accel_crypto_hash_name(unsigned long mechanism);

#endif
