/* see proxy/fetch/crl_cache.h */
#include "proxy/fetch/crl_cache.h"

#include "proxy/process/limits.h"
#include <stdlib.h>

struct crl_cache {
    struct crl_entry *entries; /* in no order */
    size_t count, size;
};

struct crl_cache *crl_cache_create(void)
{
    return base_alloc(sizeof(struct crl_cache));
}

size_t crl_cache_count(const struct crl_cache *cache)
{
    return cache->count;
}

size_t crl_cache_size(const struct crl_cache *cache)
{
    return cache->size;
}

static void set_size(struct crl_cache *cache, struct crl_entry *e, size_t size)
{
    cache->size += size - e->size;
    e->size = size;
}

static size_t question_size(const struct pkix_crl_question *q)
{
    size_t size = q->cert.size;

    for (size_t i = 0; i < q->signer_count; i++)
        size += q->signers[i].size;
    for (size_t i = 0; i < q->url_count; i++)
        size += q->urls[i].size;
    return size;
}

static void drop_set(struct crl_cache *cache, struct crl_entry *e)
{
    pkix_crl_set_destroy(&e->set);
    set_size(cache, e, question_size(&e->question));
}

static void drop(struct crl_cache *cache, struct crl_entry *e)
{
    struct crl_entry **at = &cache->entries;

    assert(!e->flying && e->waiters == 0);
    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    drop_set(cache, e);
    set_size(cache, e, 0);
    cache->count--;
    free(e->bytes);
    free(e);
}

void crl_cache_destroy(struct crl_cache **cache)
{
    if (*cache == NULL)
        return;
    while ((*cache)->entries != NULL)
        drop(*cache, (*cache)->entries);
    assert((*cache)->count == 0 && (*cache)->size == 0);
    free(*cache);
    *cache = NULL;
}

/* ---- finding and adding ---- */

static bool is_about(const struct crl_entry *e, const struct pkix_crl_question *q, enum http_fetch_reach reach)
{
    if (e->reach != reach || e->question.url_count != q->url_count)
        return false;
    for (size_t i = 0; i < q->url_count; i++)
        if (!span_equal(e->question.urls[i], q->urls[i]))
            return false;
    /* All of them: who shows only some of an authority's keys must not decide for others which lists are believed. */
    if (e->question.signer_count != q->signer_count)
        return false;
    for (size_t i = 0; i < q->signer_count; i++)
        if (!span_equal(e->question.signers[i], q->signers[i]))
            return false;
    return true;
}

struct crl_entry *crl_cache_find(struct crl_cache *cache, const struct pkix_crl_question *question,
                                 enum http_fetch_reach reach, uint64_t now_ms)
{
    for (struct crl_entry *e = cache->entries; e != NULL; e = e->next)
        if (is_about(e, question, reach)) {
            e->used_ms = now_ms;
            return e;
        }
    return NULL;
}

/* Drop the entry that has not been asked for for the longest time, but not `kept`. */
static bool drop_oldest(struct crl_cache *cache, const struct crl_entry *kept)
{
    struct crl_entry *oldest = NULL;

    for (struct crl_entry *e = cache->entries; e != NULL; e = e->next)
        if (e != kept && !e->flying && e->waiters == 0 && (oldest == NULL || e->used_ms < oldest->used_ms))
            oldest = e;
    if (oldest != NULL)
        drop(cache, oldest);
    return oldest != NULL;
}

static bool make_room(struct crl_cache *cache, size_t size, const struct crl_entry *kept)
{
    while (cache->size + size > LIMIT_CRL_BYTES_TOTAL)
        if (!drop_oldest(cache, kept))
            return false;
    return true;
}

static struct span keep(struct span bytes, uint8_t **at)
{
    struct span kept = span_of(*at, bytes.size);

    memcpy(*at, bytes.data, bytes.size);
    *at += bytes.size;
    return kept;
}

struct crl_entry *crl_cache_add(struct crl_cache *cache, const struct pkix_crl_question *question,
                                enum http_fetch_reach reach, uint64_t now_ms)
{
    size_t size = question_size(question);
    struct crl_entry *e;
    uint8_t *at;

    assert(question->signer_count > 0 && question->url_count > 0);
    if (size > LIMIT_CRL_ENTRY_BYTES_MAX || (cache->count == LIMIT_CRLS && !drop_oldest(cache, NULL)) ||
        !make_room(cache, size, NULL))
        return NULL;
    e = base_alloc(sizeof(*e));
    *e = (struct crl_entry){.question = *question,
                            .reach = reach,
                            .bytes = base_alloc(size),
                            .used_ms = now_ms,
                            .due_ms = CRL_NEVER,
                            .revocation = question->revocation};
    at = e->bytes;
    e->question.cert = keep(question->cert, &at);
    for (size_t i = 0; i < question->signer_count; i++)
        e->question.signers[i] = keep(question->signers[i], &at);
    for (size_t i = 0; i < question->url_count; i++)
        e->question.urls[i] = keep(question->urls[i], &at);
    set_size(cache, e, size);
    e->next = cache->entries;
    cache->entries = e;
    cache->count++;
    return e;
}

struct pkix_crl_set *crl_cache_take(struct crl_cache *cache, struct crl_entry *e, int64_t time)
{
    if (e->set != NULL && time > e->next_update)
        drop_set(cache, e);
    return e->set == NULL ? NULL : pkix_crl_set_share(e->set);
}

/* ---- flights ---- */

void crl_cache_plan(struct crl_entry *e, uint64_t due_ms, uint64_t now_ms)
{
    assert(!e->flying);
    if (e->due_ms > now_ms)
        e->planned_ms = now_ms;
    if (due_ms < e->due_ms)
        e->due_ms = due_ms;
}

static bool is_unused(const struct crl_entry *e, uint64_t now_ms)
{
    return !e->flying && e->waiters == 0 && now_ms > e->used_ms + LIMIT_CRL_UNUSED_MS;
}

/* Who is waited for goes first. */
static bool goes_before(const struct crl_entry *a, const struct crl_entry *b, uint64_t now_ms)
{
    bool a_is_urgent = a->waiters > 0 && a->due_ms <= now_ms, b_is_urgent = b->waiters > 0 && b->due_ms <= now_ms;

    return a_is_urgent != b_is_urgent ? a_is_urgent : a->due_ms < b->due_ms;
}

struct crl_entry *crl_cache_take_off(struct crl_cache *cache, uint64_t now_ms, uint64_t *due_ms)
{
    struct crl_entry *first = NULL, *e = cache->entries;

    while (e != NULL) {
        struct crl_entry *next = e->next;

        if (is_unused(e, now_ms))
            drop(cache, e);
        else if (!e->flying && (first == NULL || goes_before(e, first, now_ms)))
            first = e;
        e = next;
    }
    *due_ms = first == NULL ? CRL_NEVER : first->due_ms;
    if (first == NULL || first->due_ms > now_ms)
        return NULL;
    first->flying = true;
    if (first->waiters == 0)
        first->planned_ms = now_ms; /* its time has come, nobody asked for it just now */
    first->due_ms = CRL_NEVER;
    return first;
}

/* When to look for the next one, if this one holds for `left` seconds more. */
static uint64_t due_after(int64_t left, uint64_t delay_max_ms, uint64_t now_ms, unsigned jitter)
{
    uint64_t delay_ms = left <= 0 ? 0 : (uint64_t)left * 1000 / 2;

    assert(jitter < CRL_JITTER_RANGE);
    if (delay_ms > delay_max_ms)
        delay_ms = delay_max_ms;
    delay_ms -= delay_ms / 4 * jitter / CRL_JITTER_RANGE;
    return now_ms + (delay_ms < LIMIT_CRL_REFRESH_MIN_MS ? LIMIT_CRL_REFRESH_MIN_MS : delay_ms);
}

static void end_flight(struct crl_entry *e)
{
    assert(e->flying);
    e->flying = false;
    e->landings++;
}

void crl_cache_fail(struct crl_cache *cache, struct crl_entry *e, const char *why, int64_t time, uint64_t now_ms,
                    unsigned jitter)
{
    end_flight(e);
    e->failure = why;
    e->failed_ms = now_ms;
    if (e->set != NULL && time > e->next_update)
        drop_set(cache, e);
    e->due_ms = e->set == NULL ? CRL_NEVER : due_after(e->next_update - time, LIMIT_CRL_RETRY_MS, now_ms, jitter);
}

bool crl_cache_is_older(const struct crl_entry *e, const struct pkix_crl_set *set, int64_t time)
{
    struct pkix_crl_info info = pkix_crl_set_info(set, 0);

    struct pkix_crl_info known;

    if (e->set == NULL || time > e->next_update)
        return info.this_update < e->this_update;
    known = pkix_crl_set_info(e->set, 0);
    return pkix_crl_is_older(&info, &known);
}

enum crl_landing crl_cache_land(struct crl_cache *cache, struct crl_entry *e, struct pkix_crl_set *set, int64_t time,
                                uint64_t now_ms, unsigned jitter)
{
    struct pkix_crl_info info = pkix_crl_set_info(set, 0);
    size_t size = question_size(&e->question) + pkix_crl_set_memory(set);

    if (!make_room(cache, size > e->size ? size - e->size : 0, e)) {
        pkix_crl_set_destroy(&set);
        crl_cache_fail(cache, e, "there is no room for its CRL", time, now_ms, jitter);
        return CRL_LANDED_NO_ROOM;
    }
    end_flight(e);
    drop_set(cache, e);
    e->set = set;
    set_size(cache, e, size);
    e->this_update = info.this_update;
    e->next_update = info.next_update;
    e->failure = NULL;
    e->due_ms = due_after(e->next_update - time, LIMIT_CRL_REFRESH_MS, now_ms, jitter);
    e->planned_ms = now_ms;
    return CRL_LANDED;
}
