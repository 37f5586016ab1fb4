/* see tokens/accelerator/handles.h */
#include "tokens/accelerator/handles.h"

#include <stdlib.h>

enum { BUCKETS_FIRST = 16 };

void accel_handles_init(struct accel_handles *table)
{
    memset(table, 0, sizeof(*table));
    atomic_init(&table->last, 0);
    for (size_t i = 0; i < ACCEL_SHARDS; i++)
        pthread_mutex_init(&table->shards[i].lock, NULL);
}

void accel_handles_clear(struct accel_handles *table)
{
    for (size_t i = 0; i < ACCEL_SHARDS; i++) {
        assert(table->shards[i].count == 0);
        free(table->shards[i].buckets);
        pthread_mutex_destroy(&table->shards[i].lock);
    }
}

static struct accel_shard *shard_of(struct accel_handles *table, CK_ULONG number)
{
    return &table->shards[number % ACCEL_SHARDS];
}

/* Numbers of a shard follow each other, so their low bits spread them evenly. */
static struct accel_handle **bucket_of(struct accel_shard *shard, CK_ULONG number)
{
    return &shard->buckets[(number >> ACCEL_SHARD_BITS) & (shard->bucket_count - 1)];
}

static struct accel_handle **find(struct accel_shard *shard, CK_ULONG number)
{
    struct accel_handle **at;

    if (shard->bucket_count == 0)
        return NULL;
    for (at = bucket_of(shard, number); *at != NULL; at = &(*at)->next)
        if ((*at)->number == number)
            return at;
    return NULL;
}

static void grow(struct accel_shard *shard)
{
    struct accel_handle **old = shard->buckets, *entry;
    size_t old_count = shard->bucket_count;

    shard->bucket_count = old_count == 0 ? BUCKETS_FIRST : old_count * 2;
    shard->buckets = base_alloc(shard->bucket_count * sizeof(*shard->buckets));
    for (size_t i = 0; i < old_count; i++)
        while ((entry = old[i]) != NULL) {
            struct accel_handle **bucket = bucket_of(shard, entry->number);

            old[i] = entry->next;
            entry->next = *bucket;
            *bucket = entry;
        }
    free(old);
}

/* False when the number is taken. */
static bool add(struct accel_shard *shard, struct accel_handle *entry, CK_ULONG number)
{
    struct accel_handle **bucket;
    bool is_free;

    pthread_mutex_lock(&shard->lock);
    is_free = find(shard, number) == NULL;
    if (is_free) {
        if (shard->count >= shard->bucket_count)
            grow(shard);
        entry->number = number;
        bucket = bucket_of(shard, number);
        entry->next = *bucket;
        *bucket = entry;
        shard->count++;
    }
    pthread_mutex_unlock(&shard->lock);
    return is_free;
}

void accel_handles_add(struct accel_handles *table, struct accel_handle *entry)
{
    CK_ULONG number;

    accel_handle_hold(entry);
    do {
        number = atomic_fetch_add_explicit(&table->last, 1, memory_order_relaxed) + 1;
    } while (number == CK_INVALID_HANDLE || !add(shard_of(table, number), entry, number));
}

struct accel_handle *accel_handles_get(struct accel_handles *table, CK_ULONG number)
{
    struct accel_shard *shard = shard_of(table, number);
    struct accel_handle **at, *entry = NULL;

    pthread_mutex_lock(&shard->lock);
    at = find(shard, number);
    if (at != NULL) {
        entry = *at;
        accel_handle_hold(entry);
    }
    pthread_mutex_unlock(&shard->lock);
    return entry;
}

static struct accel_handle *unlink_at(struct accel_shard *shard, struct accel_handle **at)
{
    struct accel_handle *entry = *at;

    *at = entry->next;
    entry->next = NULL;
    shard->count--;
    return entry;
}

struct accel_handle *accel_handles_remove(struct accel_handles *table, CK_ULONG number)
{
    struct accel_shard *shard = shard_of(table, number);
    struct accel_handle **at, *entry;

    pthread_mutex_lock(&shard->lock);
    at = find(shard, number);
    entry = at == NULL ? NULL : unlink_at(shard, at);
    pthread_mutex_unlock(&shard->lock);
    return entry;
}

static struct accel_handle *take_from(struct accel_shard *shard)
{
    struct accel_handle *entry = NULL;

    pthread_mutex_lock(&shard->lock);
    for (size_t i = 0; entry == NULL && i < shard->bucket_count; i++)
        if (shard->buckets[i] != NULL)
            entry = unlink_at(shard, &shard->buckets[i]);
    pthread_mutex_unlock(&shard->lock);
    return entry;
}

struct accel_handle *accel_handles_take_any(struct accel_handles *table)
{
    struct accel_handle *entry = NULL;

    for (size_t i = 0; entry == NULL && i < ACCEL_SHARDS; i++)
        entry = take_from(&table->shards[i]);
    return entry;
}

void accel_handles_walk(struct accel_handles *table, bool (*visit)(struct accel_handle *entry, void *context),
                        void *context)
{
    bool go_on = true;

    for (size_t i = 0; go_on && i < ACCEL_SHARDS; i++) {
        struct accel_shard *shard = &table->shards[i];

        pthread_mutex_lock(&shard->lock);
        for (size_t b = 0; go_on && b < shard->bucket_count; b++)
            for (struct accel_handle *e = shard->buckets[b]; go_on && e != NULL; e = e->next)
                go_on = visit(e, context);
        pthread_mutex_unlock(&shard->lock);
    }
}

void accel_handle_hold(struct accel_handle *entry)
{
    atomic_fetch_add_explicit(&entry->references, 1, memory_order_relaxed);
}

bool accel_handle_release(struct accel_handle *entry)
{
    unsigned before = atomic_fetch_sub_explicit(&entry->references, 1, memory_order_acq_rel);

    assert(before > 0);
    return before == 1;
}
