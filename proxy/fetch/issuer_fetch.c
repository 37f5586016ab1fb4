/* see proxy/fetch/issuer_fetch.h
 *
 * One lock for all. An *entry* is a URL: on its way, or what came of it. An entry on its way stays where it is; of the
 * others the oldest makes room for a new one. */
#include "proxy/fetch/issuer_fetch.h"

#include "proxy/process/limits.h"
#include "proxy/process/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { HOST_SIZE = STARTTLS_HOST_BYTES_MAX + 1 + 6 };

enum entry_state { ENTRY_FREE, ENTRY_FLYING, ENTRY_ANSWERED, ENTRY_FAILED };

struct entry {
    enum entry_state state;
    enum http_fetch_reach reach; /* part of what it is found by: what one may see another may not */
    char url[HTTP_FETCH_URL_BYTES_MAX + 1];
    char host[HOST_SIZE]; /* "name:port" */
    uint64_t since_ms;    /* of the last change */
    bool host_failed;     /* FAILED: it did not answer at all */
    const char *why;      /* FAILED */
    uint8_t *bytes;       /* ANSWERED */
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
    uv_mutex_t lock;
    uv_cond_t landed; /* an entry is no longer FLYING */
    struct entry entries[LIMIT_ISSUER_URLS];
    struct asker *askers;
    uint64_t requests;
};

/* A question with what it is found by. */
struct question {
    struct asker *asker;
    struct http_url url;
    struct span text;
    enum http_fetch_reach reach;
    char host[HOST_SIZE];
    uint64_t deadline_ms;
};

struct issuer_fetch *issuer_fetch_create(void)
{
    struct issuer_fetch *f = base_alloc(sizeof(*f));

    if (uv_mutex_init(&f->lock) != 0 || uv_cond_init(&f->landed) != 0)
        base_abort("cannot make a lock");
    return f;
}

void issuer_fetch_destroy(struct issuer_fetch **fetch)
{
    struct issuer_fetch *f = *fetch;

    if (f == NULL)
        return;
    while (f->askers != NULL) {
        struct asker *next = f->askers->next;

        free(f->askers);
        f->askers = next;
    }
    for (size_t i = 0; i < ARRAY_LEN(f->entries); i++) {
        assert(f->entries[i].state != ENTRY_FLYING);
        free(f->entries[i].bytes);
    }
    uv_cond_destroy(&f->landed);
    uv_mutex_destroy(&f->lock);
    free(f);
    *fetch = NULL;
}

uint64_t issuer_fetch_requests(struct issuer_fetch *f)
{
    uint64_t requests;

    uv_mutex_lock(&f->lock);
    requests = f->requests;
    uv_mutex_unlock(&f->lock);
    return requests;
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

static bool is_current(const struct entry *e)
{
    return e->state == ENTRY_FLYING || (e->state != ENTRY_FREE && base_now_ms() - e->since_ms < LIMIT_ISSUER_MEMORY_MS);
}

static struct entry *find(struct issuer_fetch *f, const struct question *q)
{
    for (size_t i = 0; i < ARRAY_LEN(f->entries); i++) {
        struct entry *e = &f->entries[i];

        if (is_current(e) && e->reach == q->reach && span_equal(span_of_string(e->url), q->text))
            return e;
    }
    return NULL;
}

static bool host_has_failed(const struct issuer_fetch *f, const struct question *q)
{
    for (size_t i = 0; i < ARRAY_LEN(f->entries); i++) {
        const struct entry *e = &f->entries[i];

        if (is_current(e) && e->state == ENTRY_FAILED && e->host_failed && e->reach == q->reach &&
            strcmp(e->host, q->host) == 0)
            return true;
    }
    return false;
}

/* NULL: all are on their way. */
static struct entry *place_for_one(struct issuer_fetch *f)
{
    struct entry *oldest = NULL;

    for (size_t i = 0; i < ARRAY_LEN(f->entries); i++) {
        struct entry *e = &f->entries[i];

        if (e->state == ENTRY_FREE)
            return e;
        if (e->state != ENTRY_FLYING && (oldest == NULL || e->since_ms < oldest->since_ms))
            oldest = e;
    }
    return oldest;
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

static struct entry *take_off(struct issuer_fetch *f, struct entry *e, const struct question *q)
{
    free(e->bytes);
    *e = (struct entry){.state = ENTRY_FLYING, .reach = q->reach, .since_ms = base_now_ms()};
    memcpy(e->url, q->text.data, q->text.size);
    memcpy(e->host, q->host, sizeof(e->host));
    f->requests++;
    return e;
}

/* ---- asking ---- */

static void answer_with(const struct entry *e, struct pkix_issuer_answer *answer)
{
    if (e->state == ENTRY_ANSWERED)
        *answer = (struct pkix_issuer_answer){.bytes = base_memdup(e->bytes, e->size), .size = e->size};
    else
        *answer = (struct pkix_issuer_answer){.why = e->why};
}

/* With the lock held: until the question is answered (NULL), or this thread has its entry. */
static struct entry *answer_or_take_off(struct issuer_fetch *f, const struct question *q,
                                        struct pkix_issuer_answer *answer)
{
    for (;;) {
        struct entry *e = find(f, q), *place;
        uint64_t now_ms = base_now_ms();

        if (e != NULL && e->state != ENTRY_FLYING) {
            answer_with(e, answer);
            return NULL;
        }
        if (host_has_failed(f, q)) {
            answer->why = "its host did not answer a moment ago";
            return NULL;
        }
        if (q->asker->asking > LIMIT_ISSUER_ASKING) {
            answer->why = "too many others wait for an issuer";
            return NULL;
        }
        if (e == NULL && (place = place_for_one(f)) != NULL) {
            if (may_send(q->asker))
                return take_off(f, place, q);
            answer->why = "too many issuers were fetched within a minute";
            return NULL;
        }
        if (now_ms >= q->deadline_ms) {
            answer->why = "it did not come in time";
            return NULL;
        }
        (void)uv_cond_timedwait(&f->landed, &f->lock, (q->deadline_ms - now_ms) * 1000000);
    }
}

static const char *why_not(enum http_fetch_status status)
{
    switch (status) {
    case HTTP_FETCH_OK:
        break;
    case HTTP_FETCH_LATE:
        return "it did not come in time";
    case HTTP_FETCH_OVERLOAD:
        return "too much is being fetched to ask its host now";
    case HTTP_FETCH_UNREACHABLE:
        return "its host cannot be reached";
    case HTTP_FETCH_DENIED:
        return "its host is at an address that is not public, and issuer_fetch does not name it in full";
    case HTTP_FETCH_BAD_ANSWER:
        return "its host gave no usable answer";
    }
    return NULL;
}

/* Without the lock. */
static void fetch(struct issuer_fetch *f, struct entry *e, const struct question *q, struct pkix_issuer_answer *answer)
{
    const struct http_fetch_request request = {
        .url = q->url,
        .deadline_ms = q->deadline_ms,
        .answer_max = LIMIT_ISSUER_ANSWER_MAX,
        .reach = q->reach,
        .word = HTTP_FETCH_WORD_STRANGERS,
    };
    /* Who waited for others first may have no time left: that is not the host's failure. */
    bool is_fair = base_now_ms() + q->asker->timeout_ms / 2 <= q->deadline_ms;
    uint8_t *bytes;
    size_t size;
    char *error;
    enum http_fetch_status status = http_fetch(&request, &bytes, &size, &error);

    if (status == HTTP_FETCH_OK)
        log_peer_line(LOG_LEVEL_INFO, "issuer_fetched", log_span("url", q->text), log_number("bytes", (int64_t)size));
    else
        log_peer_line(LOG_LEVEL_WARNING, "issuer_fetch_failed", log_span("url", q->text), log_text("reason", error));
    free(error);
    uv_mutex_lock(&f->lock);
    e->since_ms = base_now_ms();
    e->bytes = bytes;
    e->size = size;
    e->why = why_not(status);
    e->host_failed = status == HTTP_FETCH_UNREACHABLE || status == HTTP_FETCH_LATE;
    e->state = status == HTTP_FETCH_OK ? ENTRY_ANSWERED : ENTRY_FAILED;
    answer_with(e, answer);
    if ((status == HTTP_FETCH_LATE && !is_fair) || status == HTTP_FETCH_OVERLOAD)
        e->state = ENTRY_FREE;
    uv_cond_broadcast(&f->landed);
    uv_mutex_unlock(&f->lock);
}

static void ask(void *ctx, struct span url, struct pkix_issuer_answer *answer)
{
    struct asker *asker = ctx;
    struct issuer_fetch *f = asker->fetch;
    struct question q = {.asker = asker, .text = url, .deadline_ms = base_now_ms() + asker->timeout_ms};
    struct entry *entry;

    *answer = (struct pkix_issuer_answer){.why = "it is not an address that can be asked"};
    if (!http_url_parse(url, &q.url))
        return;
    if (!issuer_fetch_allows(asker->hosts, asker->host_count, &q.url, &q.reach)) {
        answer->why = "its host is not among those of issuer_fetch";
        return;
    }
    snprintf(q.host, sizeof(q.host), "%s:%u", q.url.host, q.url.port);
    uv_mutex_lock(&f->lock);
    asker->asking++;
    entry = answer_or_take_off(f, &q, answer);
    if (entry != NULL) {
        uv_mutex_unlock(&f->lock);
        fetch(f, entry, &q, answer);
        uv_mutex_lock(&f->lock);
    }
    asker->asking--;
    uv_mutex_unlock(&f->lock);
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
