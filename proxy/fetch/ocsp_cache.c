/* see proxy/fetch/ocsp_cache.h */
#include "proxy/fetch/ocsp_cache.h"

#include <stdlib.h>
#include <string.h>

struct entry {
    uint8_t key[PKIX_EVIDENCE_KEY_SIZE];
    struct pkix_statement statement;
    bool has_statement;
    enum pkix_error failure; /* PKIX_OK: none */
    uint64_t failed_ms;
};

struct ocsp_cache {
    struct entry *entries; /* most recently used first */
    size_t count;
};

struct ocsp_cache *ocsp_cache_create(void)
{
    struct ocsp_cache *cache = base_alloc(sizeof(*cache));

    cache->entries = base_alloc(OCSP_CACHE_ENTRIES_MAX * sizeof(*cache->entries));
    return cache;
}

void ocsp_cache_destroy(struct ocsp_cache **cache)
{
    if (*cache == NULL)
        return;
    free((*cache)->entries);
    free(*cache);
    *cache = NULL;
}

/* The entry, which then is the first one; NULL when there is none. */
static struct entry *find(struct ocsp_cache *cache, const uint8_t *key)
{
    for (size_t i = 0; i < cache->count; i++) {
        struct entry found = cache->entries[i];

        if (memcmp(found.key, key, sizeof(found.key)) != 0)
            continue;
        memmove(cache->entries + 1, cache->entries, i * sizeof(found));
        cache->entries[0] = found;
        return &cache->entries[0];
    }
    return NULL;
}

static bool may_be_dropped(const struct entry *e)
{
    return !e->has_statement || e->statement.error == PKIX_OK;
}

/* A new first entry; NULL when there is no room and nothing that may go. */
static struct entry *add(struct ocsp_cache *cache, const uint8_t *key)
{
    size_t last = cache->count;

    if (cache->count == OCSP_CACHE_ENTRIES_MAX) {
        do {
            if (last == 0)
                return NULL;
            last--;
        } while (!may_be_dropped(&cache->entries[last]));
    } else {
        cache->count++;
    }
    memmove(cache->entries + 1, cache->entries, last * sizeof(*cache->entries));
    cache->entries[0] = (struct entry){.failure = PKIX_OK};
    memcpy(cache->entries[0].key, key, sizeof(cache->entries[0].key));
    return &cache->entries[0];
}

static bool is_statement(enum pkix_error error)
{
    return error == PKIX_OK || error == PKIX_REVOKED || error == PKIX_OCSP_UNKNOWN_CERT;
}

static bool replaces(const struct pkix_statement *new, const struct entry *old)
{
    if (!old->has_statement)
        return true;
    if (old->statement.error == PKIX_REVOKED)
        return false;
    return new->error == PKIX_REVOKED || new->this_update >= old->statement.this_update;
}

void ocsp_cache_put(struct ocsp_cache *cache, const uint8_t key[static PKIX_EVIDENCE_KEY_SIZE],
                    const struct pkix_statement *statement, uint64_t now_ms)
{
    struct entry *e = find(cache, key);

    if (e == NULL)
        e = add(cache, key);
    if (e == NULL)
        return;
    if (!is_statement(statement->error)) {
        e->failure = statement->error;
        e->failed_ms = now_ms;
        return;
    }
    if (!replaces(statement, e))
        return;
    e->statement = *statement;
    e->has_statement = true;
    e->failure = PKIX_OK;
}

enum ocsp_cache_answer ocsp_cache_get(struct ocsp_cache *cache, const uint8_t key[static PKIX_EVIDENCE_KEY_SIZE],
                                      int64_t time, uint64_t now_ms, uint64_t failure_ms,
                                      struct pkix_statement *statement)
{
    const struct entry *e = find(cache, key);

    if (e == NULL)
        return OCSP_CACHE_NOTHING;
    if (e->has_statement && (e->statement.error == PKIX_REVOKED || time <= e->statement.valid_until)) {
        *statement = e->statement;
        return OCSP_CACHE_STATEMENT;
    }
    if (e->failure != PKIX_OK && now_ms - e->failed_ms < failure_ms) {
        *statement = (struct pkix_statement){.error = e->failure};
        return OCSP_CACHE_FAILURE;
    }
    return OCSP_CACHE_NOTHING;
}

size_t ocsp_cache_count(const struct ocsp_cache *cache)
{
    return cache->count;
}
