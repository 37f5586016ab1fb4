/* see pkix/intermediates.h */
#include "pkix/intermediates.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct pkix_intermediates {
    pthread_mutex_t lock;
    struct pkix_intermediate *items[PKIX_INTERMEDIATES_MAX];
    size_t count;
    uint64_t clock;           /* counts uses */
    atomic_size_t news, used; /* how many are: looked at without the lock, since mostly there are none */
};

struct pkix_intermediates *pkix_intermediates_create(void)
{
    struct pkix_intermediates *known = base_alloc(sizeof(*known));

    if (pthread_mutex_init(&known->lock, NULL) != 0)
        base_abort("a mutex cannot be made");
    return known;
}

/* With the lock, or when nobody else has it any more. */
static void release(struct pkix_intermediate *item)
{
    if (--item->holders > 0)
        return;
    free(item->der);
    free(item);
}

void pkix_intermediates_destroy(struct pkix_intermediates **known)
{
    if (*known == NULL)
        return;
    for (size_t i = 0; i < (*known)->count; i++) {
        assert((*known)->items[i]->holders == 1);
        release((*known)->items[i]);
    }
    pthread_mutex_destroy(&(*known)->lock);
    free(*known);
    *known = NULL;
}

static void mark(atomic_size_t *count, bool *is, bool value)
{
    if (*is != value && value)
        atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
    if (*is != value && !value)
        atomic_fetch_sub_explicit(count, 1, memory_order_relaxed);
    *is = value;
}

static void forget_news(struct pkix_intermediates *known, struct pkix_intermediate *item)
{
    mark(&known->news, &item->is_news, false);
    mark(&known->used, &item->was_used, false);
}

/* Which place a new one of this name gets: one more, or that of the one unused for the longest time, of its own name
 * when there are enough of that. */
static size_t place_for(const struct pkix_intermediates *known, uint64_t name_hash)
{
    size_t oldest = SIZE_MAX, oldest_namesake = SIZE_MAX, namesakes = 0;

    for (size_t i = 0; i < known->count; i++) {
        if (oldest == SIZE_MAX || known->items[i]->used < known->items[oldest]->used)
            oldest = i;
        if (known->items[i]->name_hash != name_hash)
            continue;
        namesakes++;
        if (oldest_namesake == SIZE_MAX || known->items[i]->used < known->items[oldest_namesake]->used)
            oldest_namesake = i;
    }
    if (namesakes >= PKIX_INTERMEDIATES_PER_NAME_MAX)
        return oldest_namesake;
    return known->count < PKIX_INTERMEDIATES_MAX ? known->count : oldest;
}

static struct pkix_intermediate *find(const struct pkix_intermediates *known, struct span der, uint64_t name_hash)
{
    for (size_t i = 0; i < known->count; i++)
        if (known->items[i]->name_hash == name_hash && span_equal(known->items[i]->cert.der, der))
            return known->items[i];
    return NULL;
}

static void put(struct pkix_intermediates *known, struct pkix_intermediate *item)
{
    size_t place = place_for(known, item->name_hash);

    if (place == known->count) {
        known->count++;
    } else {
        forget_news(known, known->items[place]);
        release(known->items[place]);
    }
    known->items[place] = item;
}

bool pkix_intermediates_add(struct pkix_intermediates *known, struct span der, enum pkix_intermediate_origin origin)
{
    struct pkix_intermediate *item, *same;

    if (der.size > PKIX_INTERMEDIATE_BYTES_MAX)
        return false;
    item = base_alloc(sizeof(*item));
    item->holders = 1;
    item->der = base_memdup(der.data, der.size);
    if (pkix_cert_read(span_of(item->der, der.size), &item->cert) != PKIX_OK) {
        release(item);
        return false;
    }
    item->name_hash = span_hash(item->cert.subject);
    pthread_mutex_lock(&known->lock);
    same = find(known, der, item->name_hash);
    (same != NULL ? same : item)->used = ++known->clock;
    if (same == NULL)
        put(known, item);
    else
        release(item);
    if (origin == PKIX_INTERMEDIATE_LEARNT && same == NULL)
        mark(&known->news, &item->is_news, true);
    if (origin == PKIX_INTERMEDIATE_LEARNT && same != NULL)
        mark(&known->used, &same->was_used, true);
    pthread_mutex_unlock(&known->lock);
    return same == NULL;
}

size_t pkix_intermediates_lend(struct pkix_intermediates *known, struct span subject,
                               struct pkix_intermediate *out[static PKIX_INTERMEDIATES_PER_NAME_MAX])
{
    uint64_t name_hash = span_hash(subject);
    size_t count = 0;

    pthread_mutex_lock(&known->lock);
    for (size_t i = 0; i < known->count && count < PKIX_INTERMEDIATES_PER_NAME_MAX; i++) {
        if (known->items[i]->name_hash != name_hash || !span_equal(known->items[i]->cert.subject, subject))
            continue;
        known->items[i]->holders++;
        out[count++] = known->items[i];
    }
    pthread_mutex_unlock(&known->lock);
    return count;
}

void pkix_intermediates_return(struct pkix_intermediates *known, struct pkix_intermediate *lent)
{
    pthread_mutex_lock(&known->lock);
    release(lent);
    pthread_mutex_unlock(&known->lock);
}

size_t pkix_intermediates_take_news(struct pkix_intermediates *known, enum pkix_intermediate_news news,
                                    uint8_t out[static PKIX_INTERMEDIATE_BYTES_MAX])
{
    size_t size = 0;

    if (atomic_load_explicit(&known->news, memory_order_relaxed) == 0 &&
        (news == PKIX_INTERMEDIATES_NEW || atomic_load_explicit(&known->used, memory_order_relaxed) == 0))
        return 0;
    pthread_mutex_lock(&known->lock);
    for (size_t i = 0; i < known->count && size == 0; i++) {
        struct pkix_intermediate *item = known->items[i];

        if (!item->is_news && (news == PKIX_INTERMEDIATES_NEW || !item->was_used))
            continue;
        forget_news(known, item);
        memcpy(out, item->cert.der.data, item->cert.der.size);
        size = item->cert.der.size;
    }
    pthread_mutex_unlock(&known->lock);
    return size;
}

static int by_use(const void *a, const void *b)
{
    const struct pkix_intermediate *const *left = a, *const *right = b;

    return ((*left)->used > (*right)->used) - ((*left)->used < (*right)->used);
}

size_t pkix_intermediates_lend_all(struct pkix_intermediates *known,
                                   struct pkix_intermediate *out[static PKIX_INTERMEDIATES_MAX])
{
    size_t count;

    pthread_mutex_lock(&known->lock);
    count = known->count;
    for (size_t i = 0; i < count; i++) {
        known->items[i]->holders++;
        out[i] = known->items[i];
    }
    if (count != 0)
        qsort(out, count, sizeof(struct pkix_intermediate *), by_use);
    pthread_mutex_unlock(&known->lock);
    return count;
}

size_t pkix_intermediates_count(struct pkix_intermediates *known)
{
    size_t count;

    pthread_mutex_lock(&known->lock);
    count = known->count;
    pthread_mutex_unlock(&known->lock);
    return count;
}
