/* see proxy/session/peer_count.h */
#include "proxy/session/peer_count.h"

#include <stdlib.h>
#include <string.h>

enum { PEER_BUCKETS_MIN = 256 /* a power of two */ };

struct peer {
    struct peer *next;
    struct peer_key key;
    size_t service;
    unsigned connections;
};

struct peer_count {
    struct peer **buckets;
    size_t bucket_count; /* a power of two */
    size_t peer_count;
    struct peer_key_secret secret;
};

struct peer_count *peer_count_create(void)
{
    struct peer_count *p = base_alloc(sizeof(*p));

    p->bucket_count = PEER_BUCKETS_MIN;
    p->buckets = base_alloc(p->bucket_count * sizeof(struct peer *));
    p->secret = peer_key_secret_make();
    return p;
}

void peer_count_destroy(struct peer_count **p)
{
    if (*p == NULL)
        return;
    for (size_t i = 0; i < (*p)->bucket_count; i++)
        while ((*p)->buckets[i] != NULL) {
            struct peer *next = (*p)->buckets[i]->next;
            free((*p)->buckets[i]);
            (*p)->buckets[i] = next;
        }
    free((*p)->buckets);
    free(*p);
    *p = NULL;
}

static struct peer **bucket_of(const struct peer_count *p, size_t service, struct peer_key key)
{
    return &p->buckets[peer_key_hash(key, p->secret, service) & (p->bucket_count - 1)];
}

/* Where the pointer to the peer is; it points to NULL when there is none. */
static struct peer **find(const struct peer_count *p, size_t service, struct peer_key key)
{
    struct peer **at = bucket_of(p, service, key);

    while (*at != NULL && ((*at)->service != service || memcmp(&(*at)->key, &key, sizeof(key)) != 0))
        at = &(*at)->next;
    return at;
}

static void grow(struct peer_count *p)
{
    struct peer **old = p->buckets;
    size_t old_count = p->bucket_count;

    p->bucket_count *= 2;
    p->buckets = base_alloc(p->bucket_count * sizeof(struct peer *));
    for (size_t i = 0; i < old_count; i++)
        while (old[i] != NULL) {
            struct peer *peer = old[i];
            struct peer **bucket = bucket_of(p, peer->service, peer->key);

            old[i] = peer->next;
            peer->next = *bucket;
            *bucket = peer;
        }
    free(old);
}

bool peer_count_add(struct peer_count *p, size_t service, struct peer_key key, unsigned limit)
{
    struct peer **at;

    if (!peer_key_is_address(key))
        return true;
    at = find(p, service, key);
    if (*at == NULL) {
        if (p->peer_count >= p->bucket_count) {
            grow(p);
            at = find(p, service, key);
        }
        *at = base_alloc(sizeof(**at));
        **at = (struct peer){.key = key, .service = service};
        p->peer_count++;
    }
    if (limit != 0 && (*at)->connections >= limit)
        return false;
    (*at)->connections++;
    return true;
}

void peer_count_subtract(struct peer_count *p, size_t service, struct peer_key key)
{
    struct peer **at;
    struct peer *peer;

    if (!peer_key_is_address(key))
        return;
    at = find(p, service, key);
    peer = *at;
    assert(peer != NULL && peer->connections > 0);
    if (--peer->connections > 0)
        return;
    *at = peer->next;
    free(peer);
    p->peer_count--;
}

unsigned peer_count_of(const struct peer_count *p, size_t service, struct peer_key key)
{
    struct peer *const *at = find(p, service, key);

    return *at == NULL ? 0 : (*at)->connections;
}

size_t peer_count_addresses(const struct peer_count *p)
{
    return p->peer_count;
}
