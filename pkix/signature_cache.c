/* see pkix/signature_cache.h */
#include "pkix/signature_cache.h"
#include "pkix/nss_crypto.h"

#include <pthread.h>
#include <stdlib.h>

/* The key's bytes are uniform: its first byte picks the shard, the next two one of two places in it. */
struct cache_shard {
    pthread_mutex_t lock;
    uint8_t keys[PKIX_CACHE_ENTRIES_PER_SHARD][PKIX_CACHE_KEY_SIZE];
};

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

bool pkix_signature_cache_digest(const struct pkix_signed *statement, uint8_t digest[PKIX_CACHE_KEY_SIZE])
{
    /* Each part is hashed by itself, so that no two different sequences of parts look alike. */
    const struct span parts[] = {statement->data, statement->algorithm, statement->signature};
    uint8_t digests[ARRAY_LEN(parts) * PKIX_CACHE_KEY_SIZE];

    for (unsigned i = 0; i < ARRAY_LEN(parts); i++)
        if (!pkix_nss_digest(PKIX_SHA256, parts[i], digests + i * PKIX_CACHE_KEY_SIZE))
            return false;
    return pkix_nss_digest(PKIX_SHA256, span_of(digests, sizeof(digests)), digest);
}

bool pkix_signature_cache_key(const uint8_t digest[PKIX_CACHE_KEY_SIZE], struct span spki,
                              uint8_t key[PKIX_CACHE_KEY_SIZE])
{
    uint8_t digests[2 * PKIX_CACHE_KEY_SIZE];

    memcpy(digests, digest, PKIX_CACHE_KEY_SIZE);
    return pkix_nss_digest(PKIX_SHA256, spki, digests + PKIX_CACHE_KEY_SIZE) &&
           pkix_nss_digest(PKIX_SHA256, span_of(digests, sizeof(digests)), key);
}

static struct cache_shard *shard_of(struct pkix_signature_cache *cache, const uint8_t *key)
{
    return &cache->shards[key[0] % PKIX_CACHE_SHARDS];
}

static bool holds(const struct cache_shard *shard, unsigned place, const uint8_t *key)
{
    return memcmp(shard->keys[place], key, PKIX_CACHE_KEY_SIZE) == 0;
}

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
    /* A free place, or else one of the two by a third byte of the key: nobody can keep an entry out on purpose. */
    if (holds(shard, key[1], empty))
        place = key[1];
    else if (holds(shard, key[2], empty))
        place = key[2];
    else
        place = (key[3] & 1) != 0 ? key[1] : key[2];
    memcpy(shard->keys[place], key, PKIX_CACHE_KEY_SIZE);
    pthread_mutex_unlock(&shard->lock);
}
