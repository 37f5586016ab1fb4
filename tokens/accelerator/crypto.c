/* see tokens/accelerator/crypto.h */
#include "tokens/accelerator/crypto.h"
#include "tokens/accelerator/cryptoki.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

static const char *const cipher_names[] = {
    [ACCEL_AES_128_GCM] = "AES-128-GCM", [ACCEL_AES_192_GCM] = "AES-192-GCM",
    [ACCEL_AES_256_GCM] = "AES-256-GCM", [ACCEL_CHACHA20_POLY1305] = "ChaCha20-Poly1305",
    [ACCEL_AES_128_ECB] = "AES-128-ECB", [ACCEL_AES_192_ECB] = "AES-192-ECB",
    [ACCEL_AES_256_ECB] = "AES-256-ECB",
};
static_assert(ARRAY_LEN(cipher_names) == ACCEL_CIPHER_COUNT, "one name for each cipher");

static struct {
    OSSL_LIB_CTX *library;
    EVP_CIPHER *ciphers[ACCEL_CIPHER_COUNT];
} crypto;

bool accel_crypto_start(void)
{
    uint8_t seed[1];
    bool ok;

    assert(crypto.library == NULL);
    crypto.library = OSSL_LIB_CTX_new();
    ok = crypto.library != NULL;
    for (size_t i = 0; ok && i < ACCEL_CIPHER_COUNT; i++) {
        crypto.ciphers[i] = EVP_CIPHER_fetch(crypto.library, cipher_names[i], NULL);
        ok = crypto.ciphers[i] != NULL;
    }
    /* The generator takes its seed with the first bytes: now, not when a sandbox has closed. */
    ok = ok && accel_crypto_random(seed, sizeof(seed));
    if (!ok)
        accel_crypto_stop();
    return ok;
}

void accel_crypto_stop(void)
{
    for (size_t i = 0; i < ACCEL_CIPHER_COUNT; i++) {
        EVP_CIPHER_free(crypto.ciphers[i]);
        crypto.ciphers[i] = NULL;
    }
    OSSL_LIB_CTX_free(crypto.library);
    crypto.library = NULL;
}

OSSL_LIB_CTX *accel_crypto_library(void)
{
    return crypto.library;
}

const EVP_CIPHER *accel_crypto_cipher(enum accel_cipher cipher)
{
    return crypto.ciphers[cipher];
}

bool accel_crypto_random(void *out, size_t size)
{
    return RAND_priv_bytes_ex(crypto.library, out, size, 0) == 1;
}

const char *accel_crypto_hash_name(unsigned long mechanism)
{
    switch (mechanism) {
    case CKM_SHA256:
        return "SHA2-256";
    case CKM_SHA384:
        return "SHA2-384";
    case CKM_SHA512:
        return "SHA2-512";
    }
    return NULL;
}
