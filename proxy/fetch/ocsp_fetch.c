/* see proxy/fetch/ocsp_fetch.h
 *
 * A flight lasts from before the request until pkix/ has judged the response: then the cache knows, and who waited
 * looks again. The flights' lock is that of the cache, too. */
#include "proxy/fetch/ocsp_fetch.h"

#include "proxy/fetch/flight.h"
#include "proxy/fetch/ocsp_cache.h"
#include "proxy/process/log.h"
#include <stdlib.h>

struct ocsp_fetch {
    struct flights *flights;
    struct ocsp_cache *cache;
};

static const struct flight_words words = {
    .late = "its OCSP responder did not answer in time",
    .unreachable = "its OCSP responder cannot be reached",
    .overload = "too much is being fetched to ask its OCSP responder now",
    .denied = "its OCSP responder is at an address that is not public",
    .bad_answer = "its OCSP responder gave no usable answer",
};

struct ocsp_fetch *ocsp_fetch_create(void)
{
    struct ocsp_fetch *f = base_alloc(sizeof(*f));

    f->flights = flights_create();
    f->cache = ocsp_cache_create();
    return f;
}

void ocsp_fetch_destroy(struct ocsp_fetch **fetch)
{
    struct ocsp_fetch *f = *fetch;

    if (f == NULL)
        return;
    flights_destroy(&f->flights);
    ocsp_cache_destroy(&f->cache);
    free(f);
    *fetch = NULL;
}

uint64_t ocsp_fetch_requests(struct ocsp_fetch *f)
{
    return flights_requests(f->flights);
}

/* ---- asking ---- */

struct question {
    const struct ocsp_asker *asker;
    const struct pkix_evidence_question *asked;
    struct http_url url;
    char responder[FAILED_HOST_NAME_SIZE];
    uint64_t memory_ms;
    uint64_t deadline_ms;
    struct pkix_evidence *evidence; /* the answer */
};

static void answer_none(struct pkix_evidence *evidence, const char *why)
{
    *evidence = (struct pkix_evidence){.kind = PKIX_EVIDENCE_NONE, .why = why};
}

static struct span key_of(const struct pkix_evidence_question *q)
{
    return span_of(q->key, sizeof(q->key));
}

static bool known(void *ctx)
{
    struct question *q = ctx;
    struct pkix_statement statement;

    switch (ocsp_cache_get(q->asker->fetch->cache, q->asked->key, q->asked->time, base_now_ms(), q->memory_ms,
                           &statement)) {
    case OCSP_CACHE_STATEMENT:
        *q->evidence = (struct pkix_evidence){.kind = PKIX_EVIDENCE_STATEMENT, .statement = statement};
        return true;
    case OCSP_CACHE_FAILURE:
        answer_none(q->evidence, pkix_error_sentence(statement.error));
        return true;
    case OCSP_CACHE_NOTHING:
        break;
    }
    return false;
}

static enum flight_course course(void *ctx, const struct flight_traffic *traffic)
{
    struct question *q = ctx;

    if (q->asked->waiting == PKIX_MUST_NOT_WAIT) {
        *q->evidence = (struct pkix_evidence){.kind = PKIX_EVIDENCE_NOT_NOW};
        return FLIGHT_COURSE_ANSWERED;
    }
    if (traffic->flies)
        return FLIGHT_COURSE_WAIT;
    if (traffic->to_host < LIMIT_OCSP_FETCHES_PER_RESPONDER)
        return FLIGHT_COURSE_TAKE_OFF;
    if (q->asked->revocation == PKIX_REVOCATION_HARD)
        return FLIGHT_COURSE_WAIT;
    answer_none(q->evidence, "its OCSP responder is busy");
    return FLIGHT_COURSE_ANSWERED;
}

/* Without the lock. The flight lands here when there is no response to judge. */
static void fetch(const struct question *q)
{
    struct ocsp_fetch *f = q->asker->fetch;
    const struct http_fetch_request request = {
        .url = q->url,
        .content_type = "application/ocsp-request",
        .body = q->asked->ocsp_request,
        .deadline_ms = q->deadline_ms,
        .answer_max = LIMIT_OCSP_ANSWER_MAX,
        .reach = q->asker->reach,
    };
    static const struct pkix_statement useless = {.error = PKIX_OCSP_SERVER_ERROR};
    enum flight_fairness fairness = flight_fairness(q->asker->timeout_ms, q->deadline_ms, base_now_ms());
    uint8_t *answer;
    size_t size;
    char *error;
    enum http_fetch_status status = http_fetch(&request, &answer, &size, &error);

    if (status != HTTP_FETCH_OK)
        log_peer_line(LOG_LEVEL_WARNING, "ocsp_fetch_failed", log_span("url", q->asked->ocsp_url),
                      log_text("reason", error));
    free(error);
    flights_lock(f->flights);
    flights_note(f->flights, q->responder, status, fairness);
    if (status == HTTP_FETCH_OK) {
        *q->evidence =
            (struct pkix_evidence){.kind = PKIX_EVIDENCE_RESPONSE, .response = answer, .response_size = size};
    } else {
        if (status == HTTP_FETCH_BAD_ANSWER || status == HTTP_FETCH_DENIED)
            ocsp_cache_put(f->cache, q->asked->key, &useless, base_now_ms());
        answer_none(q->evidence, flight_why(&words, status));
        flights_land(f->flights, key_of(q->asked));
    }
    flights_unlock(f->flights);
}

static enum flight_end answer_or_take_off(struct question *q)
{
    struct flights *flights = q->asker->fetch->flights;
    const struct flight_question question = {
        .key = key_of(q->asked),
        .host = q->responder,
        .memory_ms = q->memory_ms,
        .deadline_ms = q->deadline_ms,
        .ctx = q,
        .known = known,
        .course = course,
    };
    enum flight_end end;

    flights_lock(flights);
    end = flights_answer_or_take_off(flights, &question);
    flights_unlock(flights);
    return end;
}

static void ask(void *ctx, const struct pkix_evidence_question *asked, struct pkix_evidence *evidence)
{
    const struct ocsp_asker *asker = ctx;
    struct question q = {.asker = asker, .asked = asked, .evidence = evidence};

    if (asked->ocsp_request.size == 0 || !http_url_parse(asked->ocsp_url, &q.url)) {
        answer_none(evidence, "it names no OCSP responder that can be asked");
        return;
    }
    failed_host_name(&q.url, q.responder);
    q.memory_ms = asked->revocation == PKIX_REVOCATION_HARD ? LIMIT_OCSP_FAILURE_HARD_MS : LIMIT_OCSP_FAILURE_SOFT_MS;
    q.deadline_ms = base_now_ms() + asker->timeout_ms;
    switch (answer_or_take_off(&q)) {
    case FLIGHT_ANSWERED:
        break;
    case FLIGHT_HOST_FAILED:
        answer_none(evidence, "its OCSP responder did not answer a moment ago");
        break;
    case FLIGHT_LATE:
        answer_none(evidence, words.late);
        break;
    case FLIGHT_MINE:
        fetch(&q);
        break;
    }
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
    flights_lock(f->flights);
    /* A limit that one peer's chain has used up says nothing about the response. */
    if (statement->error != PKIX_LIMIT_EXCEEDED)
        ocsp_cache_put(f->cache, question->key, statement, base_now_ms());
    flights_land(f->flights, key_of(question));
    flights_unlock(f->flights);
}

struct pkix_evidence_source ocsp_fetch_source(const struct ocsp_asker *asker)
{
    return (struct pkix_evidence_source){.ctx = (void *)(uintptr_t)asker, .ask = ask, .settle = settle};
}
