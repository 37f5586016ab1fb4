/* see proxy/fetch/crl_fetch.h
 *
 * One lock for all but the fetching itself. An entry in flight is not dropped, and what its flight reads of it does not
 * change, so that it is read without the lock.
 *
 *   find() --plan--> due --thread--> flying: the URLs in turn --> landed: who waits looks again
 *                     ^                                             |
 *                     +------------- ahead of nextUpdate -----------+ */
#include "proxy/fetch/crl_fetch.h"

#include "pkix/dn.h"
#include "proxy/fetch/crl_cache.h"
#include "proxy/fetch/flight.h"
#include "proxy/process/log.h"
#include "proxy/process/thread_priority.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

enum { NUMBER_BYTES_SHOWN_MAX = 20 /* RFC 5280 section 5.2.3: no number is longer */ };

struct crl_fetch {
    struct flights *flights; /* their lock is that of all else, too */
    uv_cond_t work;          /* for the threads: something is planned, or it is over */
    struct crl_cache *cache;
    struct http_fetch_stop *stop;
    bool stopping;
    uv_thread_t threads[LIMIT_CRL_THREADS];
    size_t thread_count;
};

struct crl_fetch *crl_fetch_create(void)
{
    struct crl_fetch *f = base_alloc(sizeof(*f));

    f->flights = flights_create();
    f->cache = crl_cache_create();
    f->stop = http_fetch_stop_create();
    if (f->stop == NULL || uv_cond_init(&f->work) != 0)
        base_abort("cannot make a lock");
    return f;
}

void crl_fetch_destroy(struct crl_fetch **fetch)
{
    struct crl_fetch *f = *fetch;

    if (f == NULL)
        return;
    flights_lock(f->flights);
    f->stopping = true;
    http_fetch_stop_set(f->stop);
    uv_cond_broadcast(&f->work);
    flights_unlock(f->flights);
    for (size_t i = 0; i < f->thread_count; i++)
        uv_thread_join(&f->threads[i]);
    crl_cache_destroy(&f->cache);
    http_fetch_stop_destroy(&f->stop);
    uv_cond_destroy(&f->work);
    flights_destroy(&f->flights);
    free(f);
    *fetch = NULL;
}

uint64_t crl_fetch_requests(struct crl_fetch *f)
{
    return flights_requests(f->flights);
}

static uint64_t failure_memory_ms(enum pkix_revocation revocation)
{
    return revocation == PKIX_REVOCATION_HARD ? LIMIT_CRL_FAILURE_HARD_MS : LIMIT_CRL_FAILURE_SOFT_MS;
}

/* Nothing depends on it but how requests are spread. */
static unsigned below(unsigned range)
{
    unsigned random = 0;

    (void)uv_random(NULL, NULL, &random, sizeof(random), 0, NULL);
    return random % range;
}

/* ---- a flight; on a thread of ours, without the lock ---- */

static void say_failed(struct span url, const char *reason)
{
    log_peer_line(LOG_LEVEL_WARNING, "crl_fetch_failed", log_span("url", url), log_text("reason", reason));
}

static void say_fetched(struct span url, const struct pkix_crl_info *info)
{
    char *issuer = pkix_dn_text(info->issuer);
    char number[2 + 2 * NUMBER_BYTES_SHOWN_MAX + 1] = "0x";

    if (info->number.size == 0)
        snprintf(number, sizeof(number), "none");
    for (size_t i = 0; i < info->number.size && i < NUMBER_BYTES_SHOWN_MAX; i++)
        snprintf(number + 2 + 2 * i, 3, "%02x", info->number.data[i]);
    log_peer_line(LOG_LEVEL_INFO, "crl_fetched", log_span("url", url), log_text("issuer", issuer),
                  log_text("number", number), log_number("entries", (int64_t)info->revoked_count),
                  log_number("bytes", (int64_t)info->der.size));
    free(issuer);
}

static const struct flight_words words = {
    .late = "its CRL did not come in time",
    .unreachable = "the server of its CRL cannot be reached",
    .overload = "too much is being fetched to ask for its CRL now",
    .denied = "the server of its CRL is at an address that is not public",
    .bad_answer = "the server of its CRL gave no usable answer",
};

static bool is_older(struct crl_fetch *f, const struct crl_entry *e, const struct pkix_crl_set *set, int64_t now)
{
    bool older;

    flights_lock(f->flights);
    older = crl_cache_is_older(e, set, now);
    flights_unlock(f->flights);
    return older;
}

/* Why a CRL that could be parsed is of no use to the entry, static; NULL: it is. */
static const char *find_fault(struct crl_fetch *f, const struct crl_entry *e, struct pkix_crl_set *set)
{
    int64_t now = time(NULL);
    enum pkix_error error =
        pkix_crl_set_accept(set, e->question.cert, e->question.signers, e->question.signer_count, now);

    if (error == PKIX_OK)
        return is_older(f, e, set, now) ? "the CRL at its distribution point is older than the one that is known"
                                        : NULL;
    /* What is no statement about the certificate: another's list, or one of another scope. */
    return error == PKIX_REVOCATION_UNKNOWN ? "the CRL at its distribution point is not about it"
                                            : pkix_error_sentence(error);
}

/* Parsed and judged, or NULL with *why. `der` is taken. */
static struct pkix_crl_set *judge(struct crl_fetch *f, const struct crl_entry *e, struct span url, uint8_t *der,
                                  size_t size, const char **why)
{
    struct pkix_crl_set *set = pkix_crl_set_create();
    char *sentence = NULL;

    if (!pkix_crl_set_add_taken(set, der, size, "the answer", &sentence)) {
        *why = "what its distribution point has is no CRL that can be used";
        say_failed(url, sentence);
        free(sentence);
    } else if ((*why = find_fault(f, e, set)) == NULL) {
        return set;
    } else {
        say_failed(url, *why);
    }
    pkix_crl_set_destroy(&set);
    return NULL;
}

static bool may_ask(struct crl_fetch *f, const char *host, uint64_t memory_ms)
{
    bool may;

    flights_lock(f->flights);
    may = !f->stopping && flights_may_ask(f->flights, host, memory_ms);
    flights_unlock(f->flights);
    return may;
}

/* False: the request was stopped, and says nothing about the server. */
static bool note_answer(struct crl_fetch *f, const char *host, enum http_fetch_status status)
{
    bool goes_on;

    flights_lock(f->flights);
    goes_on = !f->stopping;
    if (goes_on)
        flights_note(f->flights, host, status, FLIGHT_FAIR);
    flights_unlock(f->flights);
    return goes_on;
}

/* How a flight goes about it. */
struct trip {
    const struct crl_asker *asker; /* of those that wait, or asked last */
    uint64_t deadline_ms;
    uint32_t silence_ms; /* of one server */
    uint64_t memory_ms;  /* for how long a server that did not answer is left alone */
    bool was_overload;   /* HTTP_FETCH_OVERLOAD came up */
};

static struct pkix_crl_set *ask_server(struct crl_fetch *f, const struct crl_entry *e, struct trip *trip,
                                       struct span url, uint64_t deadline_ms, const char **why)
{
    struct http_fetch_request request = {.deadline_ms = deadline_ms,
                                         .silence_ms = trip->silence_ms,
                                         .answer_max = LIMIT_CRL_BYTES_MAX,
                                         .reach = e->reach,
                                         .stop = f->stop};
    char host[FAILED_HOST_NAME_SIZE];
    enum http_fetch_status status;
    struct pkix_crl_set *set = NULL;
    uint8_t *answer;
    size_t size;
    char *error;

    if (!http_url_parse(url, &request.url))
        return NULL;
    failed_host_name(&request.url, host);
    if (!may_ask(f, host, trip->memory_ms)) {
        *why = "the server of its CRL did not answer a moment ago";
        return NULL;
    }
    status = http_fetch(&request, &answer, &size, &error);
    *why = flight_why(&words, status);
    trip->was_overload = trip->was_overload || status == HTTP_FETCH_OVERLOAD;
    if (note_answer(f, host, status) && status != HTTP_FETCH_OK)
        say_failed(url, error);
    free(error);
    if (status == HTTP_FETCH_OK)
        set = judge(f, e, url, answer, size, why);
    if (trip->asker->counters != NULL) {
        counter_add_shared(trip->asker->counters, COUNTER_crl_fetches_total, 1);
        counter_add_shared(trip->asker->counters, COUNTER_crl_fetch_failures_total, set == NULL ? 1 : 0);
    }
    return set;
}

/* The URLs in turn, until one has a CRL that can be believed. Each gets its share of the time that is left, so that a
 * server that says nothing leaves some to the next. */
static struct pkix_crl_set *fly(struct crl_fetch *f, const struct crl_entry *e, struct trip *trip, struct span *url,
                                const char **why)
{
    *why = "it names no CRL that can be fetched";
    for (size_t i = 0; i < e->question.url_count; i++) {
        uint64_t now_ms = base_now_ms(), left_ms = trip->deadline_ms > now_ms ? trip->deadline_ms - now_ms : 0;
        struct pkix_crl_set *set;

        *url = e->question.urls[i];
        set = ask_server(f, e, trip, *url, now_ms + left_ms / (e->question.url_count - i), why);
        if (set != NULL)
            return set;
    }
    return NULL;
}

/* ---- the threads ---- */

/* A handshake that waits for the lock does not wait for the log. The URL lives as long as the entry flies. */
static void land(struct crl_fetch *f, struct crl_entry *e, struct pkix_crl_set *set, struct span url, unsigned jitter)
{
    struct pkix_crl_info info = pkix_crl_set_info(set, 0);
    struct pkix_crl_set *kept = pkix_crl_set_share(set); /* what `info` borrows */
    char *name = base_strndup((const char *)url.data, url.size);
    const char *failure;

    flights_lock(f->flights);
    (void)!crl_cache_land(f->cache, e, set, time(NULL), base_now_ms(), jitter);
    failure = e->failure;
    flights_wake(f->flights);
    flights_unlock(f->flights);
    if (failure == NULL)
        say_fetched(span_of_string(name), &info);
    else
        say_failed(span_of_string(name), failure);
    pkix_crl_set_destroy(&kept);
    free(name);
    flights_lock(f->flights);
}

/* A list that comes slowly may come after those that waited for it have gone: it is there for the next ones. But a
 * silent server must leave them time for the others. Who has a list does not wait for its successor. */
static struct trip plan_trip(const struct crl_entry *e, uint64_t now_ms)
{
    uint32_t patience_ms = e->set == NULL ? e->allowance_ms : LIMIT_CRL_BACKGROUND_MS;
    uint32_t share_ms = patience_ms / (uint32_t)e->question.url_count;

    return (struct trip){
        .asker = e->asker,
        .deadline_ms = now_ms + (patience_ms > LIMIT_CRL_BACKGROUND_MS ? patience_ms : LIMIT_CRL_BACKGROUND_MS),
        .silence_ms = share_ms < LIMIT_CRL_SILENCE_MS ? share_ms : LIMIT_CRL_SILENCE_MS,
        .memory_ms = failure_memory_ms(e->set == NULL ? e->revocation : PKIX_REVOCATION_HARD),
    };
}

/* With the lock held, which is let go of meanwhile. */
static void run_flight(struct crl_fetch *f, struct crl_entry *e)
{
    struct trip trip = plan_trip(e, base_now_ms());
    unsigned jitter = below(CRL_JITTER_RANGE);
    struct pkix_crl_set *set;
    struct span url;
    const char *why;

    e->failed_by_overload = false;
    flights_unlock(f->flights);
    set = fly(f, e, &trip, &url, &why);
    if (set == NULL) {
        flights_lock(f->flights);
        crl_cache_fail(f->cache, e, why, time(NULL), base_now_ms(), jitter);
        e->failed_by_overload = trip.was_overload;
        flights_wake(f->flights);
        return;
    }
    land(f, e, set, url, jitter);
}

static void run(void *arg)
{
    struct crl_fetch *f = arg;

    (void)thread_priority_patient();
    flights_lock(f->flights);
    while (!f->stopping) {
        uint64_t due_ms;
        struct crl_entry *e = crl_cache_take_off(f->cache, base_now_ms(), &due_ms);

        if (e != NULL) {
            run_flight(f, e);
            continue;
        }
        if (due_ms == CRL_NEVER)
            flights_sleep(f->flights, &f->work);
        else
            (void)!flights_wait_for(f->flights, &f->work, due_ms);
    }
    flights_unlock(f->flights);
}

/* ---- asking; with the lock held ---- */

/* Threads that will see what has been planned. */
static void call_threads(struct crl_fetch *f)
{
    while (f->thread_count < LIMIT_CRL_THREADS && uv_thread_create(&f->threads[f->thread_count], run, f) == 0)
        f->thread_count++;
    if (f->thread_count == 0)
        log_peer_line(LOG_LEVEL_ERROR, "crl_fetch_failed", log_text("reason", "no thread can be made for it"));
    uv_cond_broadcast(&f->work);
}

static void plan(struct crl_fetch *f, struct crl_entry *e, const struct crl_asker *asker, bool somebody_waits)
{
    uint64_t now_ms = base_now_ms();

    e->allowance_ms = somebody_waits ? asker->timeout_ms : LIMIT_CRL_BACKGROUND_MS;
    crl_cache_plan(e, now_ms + (somebody_waits ? 0 : below(LIMIT_CRL_SPREAD_MS)), now_ms);
    call_threads(f);
}

/* Until the flight that is planned or under way has landed, but no longer than an asker's timeout from when it was
 * planned: of those that come one after the other while a server is silent, the first pays. */
static struct pkix_crl_set *wait_for_landing(struct crl_fetch *f, struct crl_entry *e, const struct crl_asker *asker,
                                             int64_t time, const char **why)
{
    uint64_t deadline_ms = e->planned_ms + asker->timeout_ms;
    unsigned landings = e->landings;
    struct pkix_crl_set *set = NULL;

    e->waiters++;
    while (e->landings == landings && flights_wait(f->flights, deadline_ms))
        ;
    e->waiters--;
    if (e->landings == landings)
        *why = words.late;
    else if ((set = crl_cache_take(f->cache, e, time)) == NULL)
        *why = e->failure;
    return set;
}

static struct pkix_crl_set *fetch(struct crl_fetch *f, struct crl_entry *e, const struct crl_asker *asker,
                                  const struct pkix_crl_question *q, const char **why)
{
    bool waits = q->revocation == PKIX_REVOCATION_HARD && q->waiting == PKIX_MAY_WAIT;

    if (e == NULL)
        e = crl_cache_add(f->cache, q, asker->reach, base_now_ms());
    if (e == NULL) {
        *why = "too many CRLs are being fetched";
        return NULL;
    }
    e->asker = asker;
    e->revocation = q->revocation;
    if (!e->flying && e->failure != NULL && !e->failed_by_overload &&
        base_now_ms() - e->failed_ms < failure_memory_ms(q->revocation)) {
        *why = e->failure;
        return NULL;
    }
    if (!e->flying)
        plan(f, e, asker, waits);
    *why = "its CRL is being fetched";
    return waits ? wait_for_landing(f, e, asker, q->time, why) : NULL;
}

static struct pkix_crl_set *find(void *ctx, const struct pkix_crl_question *question, enum pkix_crl_effort effort,
                                 const char **why)
{
    const struct crl_asker *asker = ctx;
    struct crl_fetch *f = asker->fetch;
    struct pkix_crl_set *set = NULL;
    struct crl_entry *e;

    flights_lock(f->flights);
    e = crl_cache_find(f->cache, question, asker->reach, base_now_ms());
    if (e != NULL)
        set = crl_cache_take(f->cache, e, question->time);
    if (set == NULL && effort == PKIX_CRL_FETCH)
        set = fetch(f, e, asker, question, why);
    flights_unlock(f->flights);
    return set;
}

struct pkix_crl_source crl_fetch_source(const struct crl_asker *asker)
{
    return (struct pkix_crl_source){.ctx = (void *)(uintptr_t)asker, .find = find};
}
