/* see proxy/fetch/flight.h */
#include "proxy/fetch/flight.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NS_PER_MS = 1000000 };

struct flight {
    struct flight *next;
    char host[FAILED_HOST_NAME_SIZE];
    size_t key_size;
    uint8_t key[];
};

struct flights {
    uv_mutex_t lock;
    uv_cond_t landed;
    struct flight *flying;
    struct failed_hosts failed;
    uint64_t requests;
};

struct flights *flights_create(void)
{
    struct flights *f = base_alloc(sizeof(*f));

    if (uv_mutex_init(&f->lock) != 0 || uv_cond_init(&f->landed) != 0)
        base_abort("cannot make a lock");
    return f;
}

void flights_destroy(struct flights **flights)
{
    struct flights *f = *flights;

    if (f == NULL)
        return;
    assert(f->flying == NULL);
    uv_cond_destroy(&f->landed);
    uv_mutex_destroy(&f->lock);
    free(f);
    *flights = NULL;
}

void flights_lock(struct flights *f)
{
    uv_mutex_lock(&f->lock);
}

void flights_unlock(struct flights *f)
{
    uv_mutex_unlock(&f->lock);
}

uint64_t flights_requests(struct flights *f)
{
    uint64_t requests;

    uv_mutex_lock(&f->lock);
    requests = f->requests;
    uv_mutex_unlock(&f->lock);
    return requests;
}

/* --- one flight for a question --- */

static struct flight **find(struct flights *f, struct span key)
{
    struct flight **at = &f->flying;

    while (*at != NULL && !span_equal(span_of((*at)->key, (*at)->key_size), key))
        at = &(*at)->next;
    return at;
}

static struct flight_traffic look(struct flights *f, const struct flight_question *q)
{
    struct flight_traffic traffic = {.flies = *find(f, q->key) != NULL};

    for (const struct flight *flight = f->flying; flight != NULL; flight = flight->next) {
        traffic.all++;
        traffic.to_host += strcmp(flight->host, q->host) == 0;
    }
    return traffic;
}

static void take_off(struct flights *f, const struct flight_question *q)
{
    struct flight *flight = base_alloc(sizeof(*flight) + q->key.size);

    assert(*find(f, q->key) == NULL && strlen(q->host) < sizeof(flight->host));
    snprintf(flight->host, sizeof(flight->host), "%s", q->host);
    flight->key_size = q->key.size;
    memcpy(flight->key, q->key.data, q->key.size);
    flight->next = f->flying;
    f->flying = flight;
    f->requests++;
}

enum flight_end flights_answer_or_take_off(struct flights *f, const struct flight_question *q)
{
    for (;;) {
        struct flight_traffic traffic = look(f, q);

        if (q->known(q->ctx))
            return FLIGHT_ANSWERED;
        if (failed_hosts_has(&f->failed, q->host, base_now_ms(), q->memory_ms))
            return FLIGHT_HOST_FAILED;
        switch (q->course(q->ctx, &traffic)) {
        case FLIGHT_COURSE_ANSWERED:
            return FLIGHT_ANSWERED;
        case FLIGHT_COURSE_TAKE_OFF:
            take_off(f, q);
            return FLIGHT_MINE;
        case FLIGHT_COURSE_WAIT:
            break;
        }
        if (!flights_wait(f, q->deadline_ms))
            return FLIGHT_LATE;
    }
}

void flights_land(struct flights *f, struct span key)
{
    struct flight **at = find(f, key), *flight = *at;

    assert(flight != NULL);
    *at = flight->next;
    free(flight);
    uv_cond_broadcast(&f->landed);
}

/* --- for a fetcher that has flights of its own --- */

bool flights_wait_for(struct flights *f, uv_cond_t *condition, uint64_t deadline_ms)
{
    uint64_t now_ms = base_now_ms();

    if (now_ms >= deadline_ms)
        return false;
    (void)uv_cond_timedwait(condition, &f->lock, (deadline_ms - now_ms) * NS_PER_MS);
    return true;
}

bool flights_wait(struct flights *f, uint64_t deadline_ms)
{
    return flights_wait_for(f, &f->landed, deadline_ms);
}

void flights_sleep(struct flights *f, uv_cond_t *condition)
{
    uv_cond_wait(condition, &f->lock);
}

void flights_wake(struct flights *f)
{
    uv_cond_broadcast(&f->landed);
}

bool flights_may_ask(struct flights *f, const char *host, uint64_t memory_ms)
{
    if (failed_hosts_has(&f->failed, host, base_now_ms(), memory_ms))
        return false;
    f->requests++;
    return true;
}

/* --- what came of a request --- */

enum flight_fairness flight_fairness(uint32_t timeout_ms, uint64_t deadline_ms, uint64_t now_ms)
{
    return now_ms + timeout_ms / 2 <= deadline_ms ? FLIGHT_FAIR : FLIGHT_UNFAIR;
}

bool flight_tells(enum http_fetch_status status, enum flight_fairness fairness)
{
    return status != HTTP_FETCH_OVERLOAD && (status != HTTP_FETCH_LATE || fairness == FLIGHT_FAIR);
}

void flights_note(struct flights *f, const char *host, enum http_fetch_status status, enum flight_fairness fairness)
{
    if (flight_tells(status, fairness))
        failed_hosts_note(&f->failed, host, status, base_now_ms());
}

const char *flight_why(const struct flight_words *words, enum http_fetch_status status)
{
    switch (status) {
    case HTTP_FETCH_OK:
        break;
    case HTTP_FETCH_LATE:
        return words->late;
    case HTTP_FETCH_UNREACHABLE:
        return words->unreachable;
    case HTTP_FETCH_OVERLOAD:
        return words->overload;
    case HTTP_FETCH_DENIED:
        return words->denied;
    case HTTP_FETCH_BAD_ANSWER:
        return words->bad_answer;
    }
    return NULL;
}
