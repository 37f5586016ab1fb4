/* proxy/fetch/flight.h: what all share who ask the world about certificates.
 *
 * A *question* has a key; a *flight* is the request that somebody is making for it. Whoever has the same question
 * meanwhile waits for that flight to *land*, no longer than its own deadline, and looks again. A *host* ("NAME:PORT",
 * or what the fetcher takes for one) that did not answer a moment ago is not asked, so that one that hangs costs one
 * timeout and not one for each connection. What is asked, how the answer is judged, and what is remembered of it are
 * the fetcher's own; so are the threads.
 *
 * One lock for the flights and for what the fetcher remembers: flights_lock(). All but create, destroy, lock, requests
 * and the pure ones are called with it held; no request is made with it held. Threads: any that may wait. */
#ifndef YETT_PROXY_FETCH_FLIGHT_H
#define YETT_PROXY_FETCH_FLIGHT_H

#include "proxy/fetch/failed_hosts.h"
#include "proxy/fetch/http_fetch.h"

#include <uv.h>

struct flights;

struct flights *flights_create(void);
void flights_destroy(struct flights **f); /* when nobody asks and nothing flies any more */

void flights_lock(struct flights *f);
void flights_unlock(struct flights *f);

/* --- one flight for a question --- */

enum flight_course {
    FLIGHT_COURSE_ANSWERED, /* the question has been answered, or refused; nothing is to be done */
    FLIGHT_COURSE_WAIT,     /* until something lands: there may be an answer then, or room */
    FLIGHT_COURSE_TAKE_OFF, /* ask; never when the question flies already */
};

/* What is in the air. */
struct flight_traffic {
    bool flies; /* this question */
    size_t to_host;
    size_t all;
};

struct flight_question {
    struct span key;
    const char *host;     /* shorter than FAILED_HOST_NAME_SIZE */
    uint64_t memory_ms;   /* how long a host that did not answer is left alone */
    uint64_t deadline_ms; /* of base_now_ms() */
    void *ctx;
    bool (*known)(void *ctx); /* whether the fetcher remembers an answer, or that there is none */
    enum flight_course (*course)(void *ctx, const struct flight_traffic *traffic); /* when it does not */
};

enum flight_end {
    FLIGHT_ANSWERED,    /* known() or course() did */
    FLIGHT_HOST_FAILED, /* a moment ago */
    FLIGHT_LATE,        /* the deadline has passed */
    FLIGHT_MINE,        /* nobody else asks until flights_land() */
};

/* Lets go of the lock while it waits. */
MUST_CHECK enum flight_end flights_answer_or_take_off(struct flights *f, const struct flight_question *q);

/* The question's flight, which has been FLIGHT_MINE, is over: who waited looks again. */
void flights_land(struct flights *f, struct span key);

/* --- for a fetcher that has flights of its own (its threads make them) --- */

/* Until something lands; false: the deadline has passed. May wake for nothing. */
MUST_CHECK bool flights_wait(struct flights *f, uint64_t deadline_ms);
void flights_wake(struct flights *f); /* something has landed */
/* The same for another condition of the fetcher's, for ever or until `deadline_ms`. */
void flights_sleep(struct flights *f, uv_cond_t *condition);
MUST_CHECK bool flights_wait_for(struct flights *f, uv_cond_t *condition, uint64_t deadline_ms);
/* Whether the host may be asked, which is counted as a request. */
MUST_CHECK bool flights_may_ask(struct flights *f, const char *host, uint64_t memory_ms);

/* --- what came of a request --- */

/* Who waited for others first may have had no time left: then being late is not the host's failure. Call before the
 * request. */
enum flight_fairness { FLIGHT_UNFAIR, FLIGHT_FAIR };
enum flight_fairness flight_fairness(uint32_t timeout_ms, uint64_t deadline_ms, uint64_t now_ms);

/* Whether it says something that is worth remembering, of the host or of the question. */
bool flight_tells(enum http_fetch_status status, enum flight_fairness fairness);

/* Remembers a host that failed, and forgets that it did when it answers. */
void flights_note(struct flights *f, const char *host, enum http_fetch_status status, enum flight_fairness fairness);

/* One for each status that is not OK, static. */
struct flight_words {
    const char *late, *unreachable, *overload, *denied, *bad_answer;
};
const char *flight_why(const struct flight_words *words, enum http_fetch_status status); /* NULL: OK */

/* Requests until now. Without the lock. */
uint64_t flights_requests(struct flights *f);

#endif
