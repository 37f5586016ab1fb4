/* see proxy/fetch/issuer_fetch.h
 *
 * An *entry* is a URL and what came of it; the oldest makes room for a new one. The flights' lock is that of the
 * entries and the askers, too. */
#include "proxy/fetch/issuer_fetch.h"

#include "proxy/fetch/flight.h"
#include "proxy/process/limits.h"
#include "proxy/process/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum entry_state { ENTRY_FREE, ENTRY_ANSWERED, ENTRY_FAILED };

/* What one may see another may not: where a URL may lead is part of its key, and of its host's, as a mark behind it. */
enum { MARK_SIZE = 1, KEY_SIZE = HTTP_FETCH_URL_BYTES_MAX + MARK_SIZE + 1 };
static const char *const marks[] = {[HTTP_FETCH_ANYWHERE] = "", [HTTP_FETCH_PUBLIC_ONLY] = "!"};

struct entry {
    enum entry_state state;
    char key[KEY_SIZE];
    uint64_t since_ms;
    const char *why; /* FAILED */
    uint8_t *bytes;  /* ANSWERED */
    size_t size;
};

struct asker {
    struct asker *next;
    struct issuer_fetch *fetch;
    struct pkix_issuer_source source;
    const struct config_issuer_host *hosts;
    size_t host_count;
    uint32_t timeout_ms;
    unsigned asking;    /* threads, under the lock like the rest */
    uint64_t window_ms; /* when the window began */
    unsigned in_window;
};

struct issuer_fetch {
    struct flights *flights;
    struct entry entries[LIMIT_ISSUER_URLS];
    struct asker *askers;
};

static const struct flight_words words = {
    .late = "it did not come in time",
    .unreachable = "its host cannot be reached",
    .overload = "too much is being fetched to ask its host now",
    .denied = "its host is at an address that is not public, and issuer_fetch does not name it in full",
    .bad_answer = "its host gave no usable answer",
};

/* A question with what it is found by, and the place of its answer. */
struct question {
    struct asker *asker;
    struct http_url url;
    struct span text;
    enum http_fetch_reach reach;
    char key[KEY_SIZE];
    char host[FAILED_HOST_NAME_SIZE];
    uint64_t deadline_ms;
    struct pkix_issuer_answer *answer;
};

struct issuer_fetch *issuer_fetch_create(void)
{
    struct issuer_fetch *f = base_alloc(sizeof(*f));

    f->flights = flights_create();
    return f;
}

void issuer_fetch_destroy(struct issuer_fetch **fetch)
{
    struct issuer_fetch *f = *fetch;

    if (f == NULL)
        return;
    flights_destroy(&f->flights);
    while (f->askers != NULL) {
        struct asker *next = f->askers->next;

        free(f->askers);
        f->askers = next;
    }
    for (size_t i = 0; i < ARRAY_LEN(f->entries); i++)
        free(f->entries[i].bytes);
    free(f);
    *fetch = NULL;
}

uint64_t issuer_fetch_requests(struct issuer_fetch *f)
{
    return flights_requests(f->flights);
}

/* ---- where to ---- */

/* "*.suffix" is every name below suffix, at any depth, and not suffix itself. */
static bool is_below(const char *pattern, const char *host)
{
    size_t suffix_len = strlen(pattern) - 1, host_len = strlen(host);

    return host_len > suffix_len && strcasecmp(host + host_len - suffix_len, pattern + 1) == 0;
}

/* Hosts of both sides have one text each: names in lower case, addresses as address_text() writes them. */
bool issuer_fetch_allows(const struct config_issuer_host *hosts, size_t host_count, const struct http_url *url,
                         enum http_fetch_reach *reach)
{
    bool allowed = false;

    *reach = HTTP_FETCH_PUBLIC_ONLY;
    for (size_t i = 0; i < host_count; i++) {
        const char *host = hosts[i].host;

        if (hosts[i].port != url->port)
            continue;
        if (host[0] == '*') {
            allowed = allowed || host[1] == '\0' || is_below(host, url->host);
        } else if (strcmp(host, url->host) == 0) {
            *reach = HTTP_FETCH_ANYWHERE;
            return true;
        }
    }
    return allowed;
}

/* ---- what is remembered; all with the lock held ---- */

static const struct entry *find(const struct issuer_fetch *f, const struct question *q)
{
    for (size_t i = 0; i < ARRAY_LEN(f->entries); i++) {
        const struct entry *e = &f->entries[i];

        if (e->state != ENTRY_FREE && base_now_ms() - e->since_ms < LIMIT_ISSUER_MEMORY_MS &&
            strcmp(e->key, q->key) == 0)
            return e;
    }
    return NULL;
}

/* The question's own, one that is free, or the oldest. */
static struct entry *place_for(struct issuer_fetch *f, const struct question *q)
{
    struct entry *place = &f->entries[0];

    for (size_t i = 0; i < ARRAY_LEN(f->entries); i++) {
        struct entry *e = &f->entries[i];

        if (e->state != ENTRY_FREE && strcmp(e->key, q->key) == 0)
            return e;
        if (place->state != ENTRY_FREE && (e->state == ENTRY_FREE || e->since_ms < place->since_ms))
            place = e;
    }
    return place;
}

/* `bytes` is taken; NULL: it failed, and `why` says so. */
static void remember(struct issuer_fetch *f, const struct question *q, uint8_t *bytes, size_t size, const char *why)
{
    struct entry *e = place_for(f, q);

    free(e->bytes);
    *e = (struct entry){.state = bytes == NULL ? ENTRY_FAILED : ENTRY_ANSWERED,
                        .since_ms = base_now_ms(),
                        .why = why,
                        .bytes = bytes,
                        .size = size};
    snprintf(e->key, sizeof(e->key), "%s", q->key);
}

static bool may_send(struct asker *a)
{
    uint64_t now_ms = base_now_ms();

    if (a->in_window == 0 || now_ms - a->window_ms >= LIMIT_ISSUER_WINDOW_MS) {
        a->window_ms = now_ms;
        a->in_window = 0;
    }
    if (a->in_window == LIMIT_ISSUER_FETCHES)
        return false;
    a->in_window++;
    return true;
}

/* ---- asking ---- */

static bool known(void *ctx)
{
    struct question *q = ctx;
    const struct entry *e = find(q->asker->fetch, q);

    if (e == NULL)
        return false;
    if (e->state == ENTRY_ANSWERED)
        *q->answer = (struct pkix_issuer_answer){.bytes = base_memdup(e->bytes, e->size), .size = e->size};
    else
        *q->answer = (struct pkix_issuer_answer){.why = e->why};
    return true;
}

/* A stranger chooses the URLs: what its certificates can make us hold, wait for and send is limited here. */
static enum flight_course course(void *ctx, const struct flight_traffic *traffic)
{
    struct question *q = ctx;

    if (q->asker->asking > LIMIT_ISSUER_ASKING) {
        q->answer->why = "too many others wait for an issuer";
        return FLIGHT_COURSE_ANSWERED;
    }
    if (traffic->flies || traffic->all >= LIMIT_ISSUER_URLS)
        return FLIGHT_COURSE_WAIT;
    if (may_send(q->asker))
        return FLIGHT_COURSE_TAKE_OFF;
    q->answer->why = "too many issuers were fetched within a minute";
    return FLIGHT_COURSE_ANSWERED;
}

/* With the lock held, which is let go of meanwhile. */
static void fetch(struct issuer_fetch *f, const struct question *q)
{
    const struct http_fetch_request request = {
        .url = q->url,
        .deadline_ms = q->deadline_ms,
        .answer_max = LIMIT_ISSUER_ANSWER_MAX,
        .reach = q->reach,
        .word = HTTP_FETCH_WORD_STRANGERS,
    };
    enum flight_fairness fairness = flight_fairness(q->asker->timeout_ms, q->deadline_ms, base_now_ms());
    enum http_fetch_status status;
    uint8_t *bytes;
    size_t size;
    char *error;

    flights_unlock(f->flights);
    status = http_fetch(&request, &bytes, &size, &error);
    if (status == HTTP_FETCH_OK)
        log_peer_line(LOG_LEVEL_INFO, "issuer_fetched", log_span("url", q->text), log_number("bytes", (int64_t)size));
    else
        log_peer_line(LOG_LEVEL_WARNING, "issuer_fetch_failed", log_span("url", q->text), log_text("reason", error));
    free(error);
    flights_lock(f->flights);
    if (status == HTTP_FETCH_OK)
        *q->answer = (struct pkix_issuer_answer){.bytes = base_memdup(bytes, size), .size = size};
    else
        *q->answer = (struct pkix_issuer_answer){.why = flight_why(&words, status)};
    flights_note(f->flights, q->host, status, fairness);
    if (flight_tells(status, fairness))
        remember(f, q, bytes, size, q->answer->why);
    else
        free(bytes);
    flights_land(f->flights, span_of_string(q->key));
}

/* With the lock held. */
static void answer_or_fetch(struct issuer_fetch *f, struct question *q)
{
    const struct flight_question question = {
        .key = span_of_string(q->key),
        .host = q->host,
        .memory_ms = LIMIT_ISSUER_MEMORY_MS,
        .deadline_ms = q->deadline_ms,
        .ctx = q,
        .known = known,
        .course = course,
    };

    switch (flights_answer_or_take_off(f->flights, &question)) {
    case FLIGHT_ANSWERED:
        break;
    case FLIGHT_HOST_FAILED:
        q->answer->why = "its host did not answer a moment ago";
        break;
    case FLIGHT_LATE:
        q->answer->why = words.late;
        break;
    case FLIGHT_MINE:
        fetch(f, q);
        break;
    }
}

static void ask(void *ctx, struct span url, struct pkix_issuer_answer *answer)
{
    struct asker *asker = ctx;
    struct issuer_fetch *f = asker->fetch;
    struct question q = {
        .asker = asker, .text = url, .deadline_ms = base_now_ms() + asker->timeout_ms, .answer = answer};

    *answer = (struct pkix_issuer_answer){.why = "it is not an address that can be asked"};
    if (!http_url_parse(url, &q.url))
        return;
    if (!issuer_fetch_allows(asker->hosts, asker->host_count, &q.url, &q.reach)) {
        answer->why = "its host is not among those of issuer_fetch";
        return;
    }
    snprintf(q.key, sizeof(q.key), "%.*s%s", (int)url.size, (const char *)url.data, marks[q.reach]);
    snprintf(q.host, sizeof(q.host), "%s:%u%s", q.url.host, q.url.port, marks[q.reach]);
    flights_lock(f->flights);
    asker->asking++;
    answer_or_fetch(f, &q);
    asker->asking--;
    flights_unlock(f->flights);
}

const struct pkix_issuer_source *issuer_fetch_open(struct issuer_fetch *f, const struct config_issuer_host *hosts,
                                                   size_t host_count, uint32_t timeout_ms)
{
    struct asker *a;

    if (host_count == 0)
        return NULL;
    for (a = f->askers; a != NULL; a = a->next)
        if (a->hosts == hosts)
            return &a->source;
    a = base_alloc(sizeof(*a));
    *a = (struct asker){
        .next = f->askers, .fetch = f, .hosts = hosts, .host_count = host_count, .timeout_ms = timeout_ms};
    a->source = (struct pkix_issuer_source){.ctx = a, .ask = ask};
    f->askers = a;
    return &a->source;
}
