/* tokens/accelerator/hash.h: SHA-256, SHA-384 and SHA-512, and what is made of them: HMAC (RFC 2104) and the PRF of
 * TLS 1.2 (RFC 5246 section 5).
 *
 * States are plain values: they can be copied and kept, and cost no allocation. That is what the transcript of a
 * handshake needs, which is hashed up to here again and again. */
#ifndef YETT_TOKENS_ACCELERATOR_HASH_H
#define YETT_TOKENS_ACCELERATOR_HASH_H

#include "tokens/accelerator/cryptoki.h"

#include <openssl/sha.h>

enum { ACCEL_HASH_MAX = 64, ACCEL_BLOCK_MAX = 128, ACCEL_HASH_SAVED_MAX = 256 };

struct accel_hash {
    CK_MECHANISM_TYPE mechanism;
    CK_MECHANISM_TYPE hmac; /* ... and of its HMAC */
    size_t size;
    size_t block;
};

/* By CKM_SHA256 ..., or by CKM_SHA256_HMAC ...; NULL for anything else. */
const struct accel_hash *accel_hash_find(CK_MECHANISM_TYPE mechanism);
const struct accel_hash *accel_hash_find_hmac(CK_MECHANISM_TYPE mechanism);

struct accel_hash_state {
    const struct accel_hash *hash;
    union {
        SHA256_CTX sha256;
        SHA512_CTX sha512; /* also SHA-384 */
    } u;
};

void accel_hash_init(struct accel_hash_state *state, const struct accel_hash *hash);
void accel_hash_update(struct accel_hash_state *state, const void *data, size_t size);
/* Writes hash->size bytes and wipes the state. */
void accel_hash_final(struct accel_hash_state *state, uint8_t *out);

/* A state as bytes, and back. Saved states are read as what anybody may have written: restore() is false, and leaves
 * the state alone, for anything that save() does not make. save() returns the size, at most ACCEL_HASH_SAVED_MAX. */
size_t accel_hash_save(const struct accel_hash_state *state, uint8_t out[static ACCEL_HASH_SAVED_MAX]);
MUST_CHECK bool accel_hash_restore(struct accel_hash_state *state, const uint8_t *saved, size_t size);

struct accel_hmac {
    struct accel_hash_state inner, outer;
};

void accel_hmac_init(struct accel_hmac *hmac, const struct accel_hash *hash, const void *key, size_t key_size);
void accel_hmac_update(struct accel_hmac *hmac, const void *data, size_t size);
/* Writes hash->size bytes and wipes the state. */
void accel_hmac_final(struct accel_hmac *hmac, uint8_t *out);

/* PRF(secret, label, seed) of TLS 1.2. The seed is `first` followed by `second`, which may be empty. */
struct accel_prf_input {
    const void *secret;
    size_t secret_size;
    const char *label;
    const void *first;
    size_t first_size;
    const void *second;
    size_t second_size;
};
void accel_prf(const struct accel_hash *hash, const struct accel_prf_input *input, uint8_t *out, size_t out_size);

#endif
