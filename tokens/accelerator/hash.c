/* see tokens/accelerator/hash.h
 *
 * The functions with a context of fixed size are deprecated in OpenSSL 3, in favour of ones that cannot give their
 * state away: PKCS #11's operation state could not be had with those. They are the same code underneath. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "tokens/accelerator/hash.h"

enum { SAVED_VERSION = 1, WORDS = 8 };

static const struct accel_hash hashes[] = {
    {CKM_SHA256, CKM_SHA256_HMAC, SHA256_DIGEST_LENGTH, SHA256_CBLOCK},
    {CKM_SHA384, CKM_SHA384_HMAC, SHA384_DIGEST_LENGTH, SHA512_CBLOCK},
    {CKM_SHA512, CKM_SHA512_HMAC, SHA512_DIGEST_LENGTH, SHA512_CBLOCK},
};

const struct accel_hash *accel_hash_find(CK_MECHANISM_TYPE mechanism)
{
    for (size_t i = 0; i < ARRAY_LEN(hashes); i++)
        if (hashes[i].mechanism == mechanism)
            return &hashes[i];
    return NULL;
}

const struct accel_hash *accel_hash_find_hmac(CK_MECHANISM_TYPE mechanism)
{
    for (size_t i = 0; i < ARRAY_LEN(hashes); i++)
        if (hashes[i].hmac == mechanism)
            return &hashes[i];
    return NULL;
}

static bool is_short(const struct accel_hash *hash)
{
    return hash->block == SHA256_CBLOCK;
}

/* Of the functions below only a state without room for its length could fail, and theirs is 2^61 bytes. */
void accel_hash_init(struct accel_hash_state *state, const struct accel_hash *hash)
{
    memset(state, 0, sizeof(*state));
    state->hash = hash;
    switch (hash->size) {
    case SHA256_DIGEST_LENGTH:
        SHA256_Init(&state->u.sha256);
        break;
    case SHA384_DIGEST_LENGTH:
        SHA384_Init(&state->u.sha512);
        break;
    default:
        SHA512_Init(&state->u.sha512);
    }
}

void accel_hash_update(struct accel_hash_state *state, const void *data, size_t size)
{
    if (size == 0)
        return;
    if (is_short(state->hash))
        SHA256_Update(&state->u.sha256, data, size);
    else
        SHA512_Update(&state->u.sha512, data, size);
}

void accel_hash_final(struct accel_hash_state *state, uint8_t *out)
{
    if (is_short(state->hash))
        SHA256_Final(out, &state->u.sha256);
    else
        SHA512_Final(out, &state->u.sha512);
    base_wipe(&state->u, sizeof(state->u));
}

static uint8_t *put(uint8_t *out, uint64_t value, size_t size)
{
    for (size_t i = size; i-- > 0; value >>= 8)
        out[i] = (uint8_t)value;
    return out + size;
}

static const uint8_t *get(const uint8_t *in, uint64_t *value, size_t size)
{
    *value = 0;
    for (size_t i = 0; i < size; i++)
        *value = *value << 8 | in[i];
    return in + size;
}

/* Version, digest size, chaining words, bits so far (two words), bytes of the block that is begun, and those bytes. */
size_t accel_hash_save(const struct accel_hash_state *state, uint8_t out[static ACCEL_HASH_SAVED_MAX])
{
    const SHA256_CTX *a = &state->u.sha256;
    const SHA512_CTX *b = &state->u.sha512;
    bool s = is_short(state->hash);
    size_t word = s ? sizeof(a->h[0]) : sizeof(b->h[0]), pending = s ? a->num : b->num;
    uint8_t *at = out;

    at = put(at, SAVED_VERSION, 1);
    at = put(at, state->hash->size, 1);
    for (size_t i = 0; i < WORDS; i++)
        at = put(at, s ? a->h[i] : b->h[i], word);
    at = put(at, s ? a->Nh : b->Nh, word);
    at = put(at, s ? a->Nl : b->Nl, word);
    at = put(at, pending, 1);
    memcpy(at, s ? (const void *)a->data : (const void *)b->u.p, pending);
    return (size_t)(at - out) + pending;
}

static void fill(struct accel_hash_state *state, const uint64_t words[static WORDS + 2], const uint8_t *pending,
                 size_t pending_size)
{
    SHA256_CTX *a = &state->u.sha256;
    SHA512_CTX *b = &state->u.sha512;
    bool s = is_short(state->hash);

    for (size_t i = 0; i < WORDS; i++)
        if (s)
            a->h[i] = (SHA_LONG)words[i];
        else
            b->h[i] = words[i];
    if (s) {
        a->Nh = (SHA_LONG)words[WORDS];
        a->Nl = (SHA_LONG)words[WORDS + 1];
        a->num = (unsigned)pending_size;
        memcpy(a->data, pending, pending_size);
    } else {
        b->Nh = words[WORDS];
        b->Nl = words[WORDS + 1];
        b->num = (unsigned)pending_size;
        memcpy(b->u.p, pending, pending_size);
    }
}

bool accel_hash_restore(struct accel_hash_state *state, const uint8_t *saved, size_t size)
{
    const struct accel_hash *hash = NULL;
    uint64_t words[WORDS + 2], pending;
    const uint8_t *at = saved;
    size_t word, head;

    if (size < 2 || saved[0] != SAVED_VERSION)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(hashes); i++)
        if (hashes[i].size == saved[1])
            hash = &hashes[i];
    if (hash == NULL)
        return false;
    word = is_short(hash) ? sizeof(state->u.sha256.h[0]) : sizeof(state->u.sha512.h[0]);
    head = 2 + (WORDS + 2) * word + 1;
    if (size < head)
        return false;
    at += 2;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        at = get(at, &words[i], word);
    at = get(at, &pending, 1);
    /* The count of bits has to agree with what is pending of a block. */
    if (pending >= hash->block || size != head + pending || words[WORDS + 1] / 8 % hash->block != pending ||
        words[WORDS + 1] % 8 != 0)
        return false;
    accel_hash_init(state, hash);
    fill(state, words, at, (size_t)pending);
    base_wipe(words, sizeof(words));
    return true;
}

void accel_hmac_init(struct accel_hmac *hmac, const struct accel_hash *hash, const void *key, size_t key_size)
{
    uint8_t block[ACCEL_BLOCK_MAX] = {0};

    if (key_size > hash->block) {
        accel_hash_init(&hmac->inner, hash);
        accel_hash_update(&hmac->inner, key, key_size);
        accel_hash_final(&hmac->inner, block);
    } else if (key_size != 0) {
        memcpy(block, key, key_size);
    }
    for (size_t i = 0; i < hash->block; i++)
        block[i] ^= 0x36;
    accel_hash_init(&hmac->inner, hash);
    accel_hash_update(&hmac->inner, block, hash->block);
    for (size_t i = 0; i < hash->block; i++)
        block[i] ^= 0x36 ^ 0x5c;
    accel_hash_init(&hmac->outer, hash);
    accel_hash_update(&hmac->outer, block, hash->block);
    base_wipe(block, sizeof(block));
}

void accel_hmac_update(struct accel_hmac *hmac, const void *data, size_t size)
{
    accel_hash_update(&hmac->inner, data, size);
}

void accel_hmac_final(struct accel_hmac *hmac, uint8_t *out)
{
    uint8_t inner[ACCEL_HASH_MAX];

    accel_hash_final(&hmac->inner, inner);
    accel_hash_update(&hmac->outer, inner, hmac->outer.hash->size);
    accel_hash_final(&hmac->outer, out);
    base_wipe(inner, sizeof(inner));
}

static void add_seed(struct accel_hmac *hmac, const struct accel_prf_input *input)
{
    accel_hmac_update(hmac, input->label, strlen(input->label));
    accel_hmac_update(hmac, input->first, input->first_size);
    accel_hmac_update(hmac, input->second, input->second_size);
}

void accel_prf(const struct accel_hash *hash, const struct accel_prf_input *input, uint8_t *out, size_t out_size)
{
    struct accel_hmac keyed, hmac;
    uint8_t a[ACCEL_HASH_MAX], block[ACCEL_HASH_MAX];

    accel_hmac_init(&keyed, hash, input->secret, input->secret_size);
    hmac = keyed;
    add_seed(&hmac, input);
    accel_hmac_final(&hmac, a); /* A(1) */
    for (size_t done = 0; done < out_size;) {
        size_t size = out_size - done < hash->size ? out_size - done : hash->size;

        hmac = keyed;
        accel_hmac_update(&hmac, a, hash->size);
        add_seed(&hmac, input);
        accel_hmac_final(&hmac, block);
        memcpy(out + done, block, size);
        done += size;
        hmac = keyed;
        accel_hmac_update(&hmac, a, hash->size);
        accel_hmac_final(&hmac, a); /* A(i + 1) */
    }
    base_wipe(&keyed, sizeof(keyed));
    base_wipe(a, sizeof(a));
    base_wipe(block, sizeof(block));
}
