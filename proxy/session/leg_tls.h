/* proxy/session/leg_tls.h: the TLS engine of a leg: when its steps are taken, and where.
 *
 *                    .------ its turn has come ------.
 *                    v                               |
 *     no engine --> HERE -- others come first --> WAITS        (proxy/session/handshake_turns.h)
 *                    |  ^
 *     step may block v  | done
 *                   ON_POOL                                    (proxy/session/handshake_pool.h)
 *
 * Bytes are the leg's affair (proxy/session/leg.h): it takes records from `engine` and puts them there, and nobody does
 * while leg_tls_is_ours() is false. What this does not know: transports, and who reads. Threads: loop only. */
#ifndef YETT_PROXY_SESSION_LEG_TLS_H
#define YETT_PROXY_SESSION_LEG_TLS_H

#include "proxy/session/leg_means.h"

/* How TLS stands, for who decides what comes next. */
enum leg_tls_state {
    LEG_TLS_NONE, /* no TLS, or none yet */
    LEG_TLS_HANDSHAKE,
    LEG_TLS_WAITS,   /* its handshake waits behind those of others, since the client has cost much */
    LEG_TLS_ON_POOL, /* a step is under way elsewhere, of the handshake or after it */
    LEG_TLS_UP,      /* the handshake is done; the peer may have ended since */
    LEG_TLS_FAILED,
};

/* Whether it was given up for the load; then it fails, now or in a later step. */
enum leg_refusal {
    LEG_REFUSAL_NONE,
    LEG_REFUSAL_QUEUE, /* the pool's queue was full */
    LEG_REFUSAL_TURN,  /* too many waited for a turn */
};

enum leg_tls_place {
    LEG_TLS_PLACE_HERE,    /* or behind others: turn.waits */
    LEG_TLS_PLACE_TURN,    /* likewise here, and its turn has come */
    LEG_TLS_PLACE_ON_POOL, /* the engine is the pool's */
};

struct leg_tls {
    const struct leg_means *means;
    struct tls_engine *engine; /* NULL: no TLS (yet) */
    enum tls_status status;    /* the engine's last */
    enum leg_tls_place place;
    enum leg_refusal refusal;
    struct handshake_job job;
    struct handshake_turn turn;
    int fd;            /* the client's connection, where the leg has told; -1 */
    bool pool_begun;   /* a step was taken by the service's own group */
    bool records_sent; /* some record has gone to the peer; the leg says so */
    bool end_told;     /* the engine knows of the transport's end */
};

void leg_tls_init(struct leg_tls *t, const struct leg_means *means);
void leg_tls_start(struct leg_tls *t, const struct tls_context *context, const char *name, const char *cache_key);

/* Nobody waits for it any more. An engine that is on the pool lives until it comes back: then there is news. */
void leg_tls_close(struct leg_tls *t);
void leg_tls_clear(struct leg_tls *t); /* after leg_tls_close(), and not on the pool */

enum leg_tls_state leg_tls_state_of(const struct leg_tls *t);

/* Whether there is an engine, and it may be touched here and now. */
static inline bool leg_tls_is_ours(const struct leg_tls *t)
{
    return t->engine != NULL && t->place != LEG_TLS_PLACE_ON_POOL;
}

/* Every step that can be taken now, here, or given to the pool. `input_ended`: the transport's input has ended or is
 * broken; the engine is told after all that was in it, and what was held for more to come is judged then. */
void leg_tls_advance(struct leg_tls *t, bool input_ended);

/* What the plane's turns call. Both are news, and so may free the session. */
void leg_tls_take_turn(struct handshake_turn *turn);
void leg_tls_lose_turn(struct handshake_turn *turn);

#endif
