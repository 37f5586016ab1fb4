/* see proxy/fetch/ocsp_fetch.h
 *
 * One lock for all. A *flight* is a question on its way, from before the request until pkix/ has judged the response:
 * then the cache knows, and who waited looks again. */
#include "proxy/fetch/ocsp_fetch.h"

#include "proxy/fetch/failed_hosts.h"
#include "proxy/process/log.h"
#include "proxy/fetch/ocsp_cache.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

struct flight {
    struct flight *next;
    uint8_t key[PKIX_EVIDENCE_KEY_SIZE];
    char responder[FAILED_HOST_NAME_SIZE];
};

struct ocsp_fetch {
    uv_mutex_t lock;
    uv_cond_t landed; /* a flight has ended */
    struct ocsp_cache *cache;
    struct flight *flights;
    struct failed_hosts failed;
    uint64_t requests;
};

struct ocsp_fetch *ocsp_fetch_create(void)
{
    struct ocsp_fetch *f = base_alloc(sizeof(*f));

    f->cache = ocsp_cache_create();
    if (uv_mutex_init(&f->lock) != 0 || uv_cond_init(&f->landed) != 0)
        base_abort("cannot make a lock");
    return f;
}

void ocsp_fetch_destroy(struct ocsp_fetch **fetch)
{
    struct ocsp_fetch *f = *fetch;

    if (f == NULL)
        return;
    assert(f->flights == NULL);
    ocsp_cache_destroy(&f->cache);
    uv_cond_destroy(&f->landed);
    uv_mutex_destroy(&f->lock);
    free(f);
    *fetch = NULL;
}

uint64_t ocsp_fetch_requests(struct ocsp_fetch *f)
{
    uint64_t requests;

    uv_mutex_lock(&f->lock);
    requests = f->requests;
    uv_mutex_unlock(&f->lock);
    return requests;
}

/* ---- what is remembered; all with the lock held ---- */

static uint64_t failure_memory_ms(enum pkix_revocation revocation)
{
    return revocation == PKIX_REVOCATION_HARD ? LIMIT_OCSP_FAILURE_HARD_MS : LIMIT_OCSP_FAILURE_SOFT_MS;
}

static struct flight **find_flight(struct ocsp_fetch *f, const uint8_t *key)
{
    struct flight **at = &f->flights;

    while (*at != NULL && memcmp((*at)->key, key, sizeof((*at)->key)) != 0)
        at = &(*at)->next;
    return at;
}

static size_t flights_to(const struct ocsp_fetch *f, const char *responder)
{
    size_t count = 0;

    for (const struct flight *flight = f->flights; flight != NULL; flight = flight->next)
        count += strcmp(flight->responder, responder) == 0;
    return count;
}

static void take_off(struct ocsp_fetch *f, const uint8_t *key, const char *responder)
{
    struct flight *flight = base_alloc(sizeof(*flight));

    memcpy(flight->key, key, sizeof(flight->key));
    snprintf(flight->responder, sizeof(flight->responder), "%s", responder);
    flight->next = f->flights;
    f->flights = flight;
    f->requests++;
}

static void land(struct ocsp_fetch *f, const uint8_t *key)
{
    struct flight **at = find_flight(f, key), *flight = *at;

    assert(flight != NULL);
    *at = flight->next;
    free(flight);
    uv_cond_broadcast(&f->landed);
}

/* ---- asking ---- */

/* What is to be done about a question. */
enum course { COURSE_ANSWERED, COURSE_WAIT, COURSE_FETCH };

static void answer_none(struct pkix_evidence *evidence, const char *why)
{
    *evidence = (struct pkix_evidence){.kind = PKIX_EVIDENCE_NONE, .why = why};
}

/* With the lock held. */
static enum course choose(struct ocsp_fetch *f, const struct pkix_evidence_question *q, const char *responder,
                          struct pkix_evidence *evidence)
{
    uint64_t memory_ms = failure_memory_ms(q->revocation);
    struct pkix_statement statement;

    switch (ocsp_cache_get(f->cache, q->key, q->time, base_now_ms(), memory_ms, &statement)) {
    case OCSP_CACHE_STATEMENT:
        *evidence = (struct pkix_evidence){.kind = PKIX_EVIDENCE_STATEMENT, .statement = statement};
        return COURSE_ANSWERED;
    case OCSP_CACHE_FAILURE:
        answer_none(evidence, pkix_error_sentence(statement.error));
        return COURSE_ANSWERED;
    case OCSP_CACHE_NOTHING:
        break;
    }
    if (failed_hosts_has(&f->failed, responder, base_now_ms(), memory_ms)) {
        answer_none(evidence, "its OCSP responder did not answer a moment ago");
        return COURSE_ANSWERED;
    }
    if (q->waiting == PKIX_MUST_NOT_WAIT) {
        *evidence = (struct pkix_evidence){.kind = PKIX_EVIDENCE_NOT_NOW};
        return COURSE_ANSWERED;
    }
    if (*find_flight(f, q->key) != NULL)
        return COURSE_WAIT;
    if (flights_to(f, responder) < LIMIT_OCSP_FETCHES_PER_RESPONDER)
        return COURSE_FETCH;
    if (q->revocation == PKIX_REVOCATION_HARD)
        return COURSE_WAIT;
    answer_none(evidence, "its OCSP responder is busy");
    return COURSE_ANSWERED;
}

/* Until the question is answered or this thread has its flight (true). */
static bool answer_or_take_off(struct ocsp_fetch *f, const struct pkix_evidence_question *q, const char *responder,
                               uint64_t deadline_ms, struct pkix_evidence *evidence)
{
    for (;;) {
        uint64_t now_ms = base_now_ms();

        switch (choose(f, q, responder, evidence)) {
        case COURSE_ANSWERED:
            return false;
        case COURSE_FETCH:
            take_off(f, q->key, responder);
            return true;
        case COURSE_WAIT:
            break;
        }
        if (now_ms >= deadline_ms) {
            answer_none(evidence, "its OCSP responder did not answer in time");
            return false;
        }
        (void)uv_cond_timedwait(&f->landed, &f->lock, (deadline_ms - now_ms) * 1000000);
    }
}

static const char *why_not(enum http_fetch_status status)
{
    switch (status) {
    case HTTP_FETCH_OK:
        break;
    case HTTP_FETCH_LATE:
        return "its OCSP responder did not answer in time";
    case HTTP_FETCH_OVERLOAD:
        return "too much is being fetched to ask its OCSP responder now";
    case HTTP_FETCH_UNREACHABLE:
        return "its OCSP responder cannot be reached";
    case HTTP_FETCH_DENIED:
        return "its OCSP responder is at an address that is not public";
    case HTTP_FETCH_BAD_ANSWER:
        return "its OCSP responder gave no usable answer";
    }
    return NULL;
}

/* Without the lock. The flight lands here when there is no response to judge. */
static void fetch(const struct ocsp_asker *asker, const struct pkix_evidence_question *q, const struct http_url *url,
                  const char *responder, uint64_t deadline_ms, struct pkix_evidence *evidence)
{
    struct ocsp_fetch *f = asker->fetch;
    const struct http_fetch_request request = {
        .url = *url,
        .content_type = "application/ocsp-request",
        .body = q->ocsp_request,
        .deadline_ms = deadline_ms,
        .answer_max = LIMIT_OCSP_ANSWER_MAX,
        .reach = asker->reach,
    };
    static const struct pkix_statement useless = {.error = PKIX_OCSP_SERVER_ERROR};
    uint8_t *answer;
    size_t size;
    char *error;
    /* Who waited for others first may have no time left: that is not the responder's failure. */
    bool is_fair = base_now_ms() + asker->timeout_ms / 2 <= deadline_ms;
    enum http_fetch_status status = http_fetch(&request, &answer, &size, &error);

    if (status != HTTP_FETCH_OK)
        log_peer_line(LOG_LEVEL_WARNING, "ocsp_fetch_failed", log_span("url", q->ocsp_url), log_text("reason", error));
    free(error);
    uv_mutex_lock(&f->lock);
    if (status != HTTP_FETCH_LATE || is_fair)
        failed_hosts_note(&f->failed, responder, status, base_now_ms());
    if (status == HTTP_FETCH_OK) {
        *evidence = (struct pkix_evidence){.kind = PKIX_EVIDENCE_RESPONSE, .response = answer, .response_size = size};
    } else {
        if (status == HTTP_FETCH_BAD_ANSWER || status == HTTP_FETCH_DENIED)
            ocsp_cache_put(f->cache, q->key, &useless, base_now_ms());
        answer_none(evidence, why_not(status));
        land(f, q->key);
    }
    uv_mutex_unlock(&f->lock);
}

static void ask(void *ctx, const struct pkix_evidence_question *question, struct pkix_evidence *evidence)
{
    const struct ocsp_asker *asker = ctx;
    struct ocsp_fetch *f = asker->fetch;
    uint64_t deadline_ms = base_now_ms() + asker->timeout_ms;
    char responder[FAILED_HOST_NAME_SIZE];
    struct http_url url;
    bool flies;

    if (question->ocsp_request.size == 0 || !http_url_parse(question->ocsp_url, &url)) {
        answer_none(evidence, "it names no OCSP responder that can be asked");
        return;
    }
    failed_host_name(&url, responder);
    uv_mutex_lock(&f->lock);
    flies = answer_or_take_off(f, question, responder, deadline_ms, evidence);
    uv_mutex_unlock(&f->lock);
    if (flies)
        fetch(asker, question, &url, responder, deadline_ms, evidence);
}

static void settle(void *ctx, const struct pkix_evidence_question *question, const struct pkix_statement *statement)
{
    const struct ocsp_asker *asker = ctx;
    struct ocsp_fetch *f = asker->fetch;

    /* An answer that is no use is the responder's affair; one that refuses the peer is in the line of its session. */
    if (statement->error != PKIX_OK)
        log_peer_line(statement->error == PKIX_REVOKED || statement->error == PKIX_OCSP_UNKNOWN_CERT
                          ? LOG_LEVEL_DEBUG
                          : LOG_LEVEL_WARNING,
                      "ocsp_answer", log_span("url", question->ocsp_url),
                      log_text("reason", pkix_error_sentence(statement->error)));
    uv_mutex_lock(&f->lock);
    /* A limit that one peer's chain has used up says nothing about the response. */
    if (statement->error != PKIX_LIMIT_EXCEEDED)
        ocsp_cache_put(f->cache, question->key, statement, base_now_ms());
    land(f, question->key);
    uv_mutex_unlock(&f->lock);
}

struct pkix_evidence_source ocsp_fetch_source(const struct ocsp_asker *asker)
{
    return (struct pkix_evidence_source){.ctx = (void *)(uintptr_t)asker, .ask = ask, .settle = settle};
}
