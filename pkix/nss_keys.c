/* see pkix/nss_keys.h */
#include "pkix/nss_keys.h"

#include <pthread.h>
#include <stdlib.h>

struct pkix_nss_keys_entry {
    uint8_t digest[PKIX_NSS_KEYS_DIGEST_SIZE];
    SECKEYPublicKey *key; /* NULL: free */
    unsigned users;
    uint64_t used_at; /* by the cache's own count of uses */
};

struct pkix_nss_keys {
    pthread_mutex_t lock;
    uint64_t uses;
    struct pkix_nss_keys_entry sets[PKIX_NSS_KEYS_SETS][PKIX_NSS_KEYS_WAYS];
};

static_assert(PKIX_NSS_KEYS_SETS <= 256, "one byte of the digest picks the set");

struct pkix_nss_keys *pkix_nss_keys_create(void)
{
    struct pkix_nss_keys *keys = base_alloc(sizeof(*keys));

    if (pthread_mutex_init(&keys->lock, NULL) != 0)
        base_abort("a mutex cannot be made");
    return keys;
}

void pkix_nss_keys_destroy(struct pkix_nss_keys **keys)
{
    if (*keys == NULL)
        return;
    for (unsigned set = 0; set < PKIX_NSS_KEYS_SETS; set++)
        for (unsigned way = 0; way < PKIX_NSS_KEYS_WAYS; way++)
            if ((*keys)->sets[set][way].key != NULL)
                SECKEY_DestroyPublicKey((*keys)->sets[set][way].key);
    pthread_mutex_destroy(&(*keys)->lock);
    free(*keys);
    *keys = NULL;
}

static struct pkix_nss_keys_entry *set_of(struct pkix_nss_keys *keys, const uint8_t *digest)
{
    return keys->sets[digest[0] % PKIX_NSS_KEYS_SETS];
}

static struct pkix_nss_keys_entry *find(struct pkix_nss_keys_entry *set, const uint8_t *digest)
{
    for (unsigned way = 0; way < PKIX_NSS_KEYS_WAYS; way++)
        if (set[way].key != NULL && memcmp(set[way].digest, digest, PKIX_NSS_KEYS_DIGEST_SIZE) == 0)
            return &set[way];
    return NULL;
}

bool pkix_nss_keys_take(struct pkix_nss_keys *keys, const uint8_t digest[PKIX_NSS_KEYS_DIGEST_SIZE],
                        struct pkix_nss_key *out)
{
    struct pkix_nss_keys_entry *entry;

    pthread_mutex_lock(&keys->lock);
    entry = find(set_of(keys, digest), digest);
    if (entry != NULL) {
        entry->users++;
        entry->used_at = ++keys->uses;
        *out = (struct pkix_nss_key){.key = entry->key, .entry = entry};
    }
    pthread_mutex_unlock(&keys->lock);
    return entry != NULL;
}

void pkix_nss_keys_give_back(struct pkix_nss_keys *keys, struct pkix_nss_key *key)
{
    pthread_mutex_lock(&keys->lock);
    key->entry->users--;
    pthread_mutex_unlock(&keys->lock);
    *key = (struct pkix_nss_key){.key = NULL};
}

/* A free place, or else the one that has not been used for longest and is not in use now; NULL: all are. */
static struct pkix_nss_keys_entry *choose_place(struct pkix_nss_keys_entry *set)
{
    struct pkix_nss_keys_entry *oldest = NULL;

    for (unsigned way = 0; way < PKIX_NSS_KEYS_WAYS; way++) {
        if (set[way].key == NULL)
            return &set[way];
        if (set[way].users == 0 && (oldest == NULL || set[way].used_at < oldest->used_at))
            oldest = &set[way];
    }
    return oldest;
}

void pkix_nss_keys_keep(struct pkix_nss_keys *keys, const uint8_t digest[PKIX_NSS_KEYS_DIGEST_SIZE],
                        SECKEYPublicKey *key)
{
    struct pkix_nss_keys_entry *set = set_of(keys, digest), *place = NULL;
    SECKEYPublicKey *dropped = key;

    pthread_mutex_lock(&keys->lock);
    if (find(set, digest) == NULL) /* another thread may have been first */
        place = choose_place(set);
    if (place != NULL) {
        dropped = place->key;
        *place = (struct pkix_nss_keys_entry){.key = key, .used_at = ++keys->uses};
        memcpy(place->digest, digest, PKIX_NSS_KEYS_DIGEST_SIZE);
    }
    pthread_mutex_unlock(&keys->lock);
    if (dropped != NULL)
        SECKEY_DestroyPublicKey(dropped);
}
