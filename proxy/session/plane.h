/* proxy/session/plane.h: what all sessions of a worker share. One per process, owned by worker.c; loop's thread only.
 */
#ifndef YETT_PROXY_SESSION_PLANE_H
#define YETT_PROXY_SESSION_PLANE_H

#include "proxy/process/counters.h"
#include "proxy/session/handshake_pool.h"
#include "proxy/session/handshake_turns.h"
#include "proxy/session/peer_count.h"
#include "proxy/process/resolve.h"
#include "proxy/service/service.h"
#include "proxy/session/wheel.h"
#include <uv.h>

struct session;

/* A session that may do more without waiting for anybody, after the others had their turn. */
struct plane_turn {
    struct session *first, **last;
};

struct plane {
    uv_loop_t *loop;
    const struct config *config;
    struct services *services;
    struct counters *counters;
    struct handshake_pool *pool;
    struct handshake_turns *turns;
    uv_idle_t turns_idle; /* runs while somebody waits there */
    uv_prepare_t turns_round;
    struct resolver *resolver;
    struct peer_count *peers;
    struct wheel wheel; /* the sessions' deadlines */
    uv_timer_t wheel_timer;
    uv_idle_t turn_idle; /* runs while `turn` has a session */
    struct plane_turn turn;
    struct session *sessions; /* all that are open */
    size_t session_count;
    size_t *service_session_count; /* by service */
    uint64_t *keys_failed_ms;      /* by service: when its token could not sign; 0: it could, as far as is known */
    size_t sessions_not_freed;     /* open ones, and closed ones whose engine is still on the pool */
    uint32_t slot, generation;     /* in connection ids */
    uint64_t next_session;
    const struct sockaddr_storage *own_listeners; /* for http-proxy: nobody connects through us to ourselves */
    size_t own_listener_count;
    struct local_addresses *local_addresses;
    void (*on_session_ended)(struct plane *p); /* worker: accept again, or be done with draining */
    unsigned trimmed_count;                    /* since pages last went back to the system ... */
    uint64_t pages_returned_ms;                /* ... which was then */
    uint8_t *read_block;                       /* LIMIT_READ_BLOCK: lent to plain legs for one read */
    uint8_t *relay_block;                      /* LIMIT_RELAY_BLOCK: plain text between two legs, within one step */
};

/* Fills the rest of a plane whose loop, config, services, counters, slot and generation are set. */
void plane_start(struct plane *p);

/* A session is about to be added: time runs while there is one. */
void plane_session_begins(struct plane *p);

/* Step `s` again after other sessions had their turn. */
void plane_continue_later(struct plane *p, struct session *s);

/* Microseconds that never go back; cheap. */
uint64_t plane_now_us(void);

/* Somebody waits in `turns`: they are given when nothing else is to be done. */
void plane_give_turns(struct plane *p);

/* A session has given its buffers back, or has ended: after some of them, the pages go back to the system too. */
void plane_note_trimmed(struct plane *p);

/* Every session must have been closed and freed. The loop must run once more, for the handles' closing. */
void plane_stop(struct plane *p);

#endif
