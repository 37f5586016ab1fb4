/* see pkix/signature_cache.h
 *
 * What a wrong "good" would be worth: a forged certificate, for as long as the entry lasts. So an entry is the
 * SHA-256 of all that was verified (the statement, its algorithm, its signature and the key), only what was good is
 * kept, and nothing is ever answered but "this very thing was good". A peer can fill the table only with signatures
 * that are good, and what it pushes out is verified again: that costs a check, never a verdict. */
#include "pkix/signature_cache.h"
#include "pkix/nss_crypto.h"

#include <pthread.h>
#include <stdlib.h>

/* The key's bytes are uniform: its first byte picks the shard, the next two one of two places in it. */
struct cache_shard {
    pthread_mutex_t lock;
    uint8_t keys[PKIX_CACHE_ENTRIES_PER_SHARD][PKIX_CACHE_KEY_SIZE];
};

/* 128 KiB in all, whoever fills it. */
struct pkix_signature_cache {
    struct cache_shard shards[PKIX_CACHE_SHARDS];
};

static_assert(PKIX_CACHE_ENTRIES_PER_SHARD == 256, "one byte of the key is a place");
static_assert(PKIX_CACHE_SHARDS <= 256, "one byte of the key picks the shard");

struct pkix_signature_cache *pkix_signature_cache_create(void)
{
    struct pkix_signature_cache *cache = base_alloc(sizeof(*cache));

    for (unsigned i = 0; i < PKIX_CACHE_SHARDS; i++)
        if (pthread_mutex_init(&cache->shards[i].lock, NULL) != 0)
            base_abort("a mutex cannot be made");
    return cache;
}

void pkix_signature_cache_destroy(struct pkix_signature_cache **cache)
{
    if (*cache == NULL)
        return;
    for (unsigned i = 0; i < PKIX_CACHE_SHARDS; i++)
        pthread_mutex_destroy(&(*cache)->shards[i].lock);
    free(*cache);
    *cache = NULL;
}

/* What failed is no key: an unfinished digest would be bytes of the stack, and found under them an answer to another
 * question. */
bool pkix_signature_cache_digest(const struct pkix_signed *statement, uint8_t digest[PKIX_CACHE_KEY_SIZE])
{
    /* Each part is hashed by itself, so that no two different sequences of parts look alike. Joined first and hashed
     * then, the end of one part could be moved to the beginning of the next: a statement one byte shorter with a
     * signature one byte longer would have the key of the good one. */
    const struct span parts[] = {statement->data, statement->algorithm, statement->signature};
    uint8_t digests[ARRAY_LEN(parts) * PKIX_CACHE_KEY_SIZE];

    for (unsigned i = 0; i < ARRAY_LEN(parts); i++)
        if (!pkix_nss_digest(PKIX_SHA256, parts[i], digests + i * PKIX_CACHE_KEY_SIZE))
            return false;
    return pkix_nss_digest(PKIX_SHA256, span_of(digests, sizeof(digests)), digest);
}

/* The key is part of it: a signature that is good with one key says nothing of another that has the same name, and an
 * issuer's name is what anybody can write. */
bool pkix_signature_cache_key(const uint8_t digest[PKIX_CACHE_KEY_SIZE], struct span spki,
                              uint8_t key[PKIX_CACHE_KEY_SIZE])
{
    uint8_t digests[2 * PKIX_CACHE_KEY_SIZE];

    memcpy(digests, digest, PKIX_CACHE_KEY_SIZE);
    return pkix_nss_digest(PKIX_SHA256, spki, digests + PKIX_CACHE_KEY_SIZE) &&
           pkix_nss_digest(PKIX_SHA256, span_of(digests, sizeof(digests)), key);
}

/* Locks are by the key, so that threads that verify different peers seldom wait for each other. */
static struct cache_shard *shard_of(struct pkix_signature_cache *cache, const uint8_t *key)
{
    return &cache->shards[key[0] % PKIX_CACHE_SHARDS];
}

/* All 32 bytes. Its place is found by the first four, which a peer can choose by trying; the rest it cannot. In no
 * constant time, since nothing here is secret. */
static bool holds(const struct cache_shard *shard, unsigned place, const uint8_t *key)
{
    return memcmp(shard->keys[place], key, PKIX_CACHE_KEY_SIZE) == 0;
}

/* Under the lock: half of one key and half of another, as a thread may see while one is written, would be an answer
 * about neither. */
bool pkix_signature_cache_has(struct pkix_signature_cache *cache, const uint8_t key[PKIX_CACHE_KEY_SIZE])
{
    struct cache_shard *shard = shard_of(cache, key);
    bool found;

    pthread_mutex_lock(&shard->lock);
    found = holds(shard, key[1], key) || holds(shard, key[2], key);
    pthread_mutex_unlock(&shard->lock);
    return found;
}

void pkix_signature_cache_put(struct pkix_signature_cache *cache, const uint8_t key[PKIX_CACHE_KEY_SIZE])
{
    static const uint8_t empty[PKIX_CACHE_KEY_SIZE];
    struct cache_shard *shard = shard_of(cache, key);
    unsigned place;

    pthread_mutex_lock(&shard->lock);
    /* A free place, or else one of the two by a third byte of the key: nobody can keep an entry out on purpose. A free
     * place is all zeros, which would answer for a key of zeros: a SHA-256 that nobody can find something for. */
    if (holds(shard, key[1], empty))
        place = key[1];
    else if (holds(shard, key[2], empty))
        place = key[2];
    else
        place = (key[3] & 1) != 0 ? key[1] : key[2];
    memcpy(shard->keys[place], key, PKIX_CACHE_KEY_SIZE);
    pthread_mutex_unlock(&shard->lock);
}
