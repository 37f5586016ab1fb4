/* proxy/session/plane.h: what all sessions of a worker share. One per process, owned by worker.c; loop's thread only.
 */
#ifndef YETT_PROXY_SESSION_PLANE_H
#define YETT_PROXY_SESSION_PLANE_H

#include "proxy/process/counters.h"
#include "proxy/session/leg_means.h"
#include "proxy/session/peer_count.h"
#include "proxy/process/resolve.h"
#include "proxy/service/service.h"
#include "proxy/session/targets.h"
#include "proxy/session/wheel.h"
#include <uv.h>

struct session;

/* The place of a session that may do more without waiting for anybody, after the others had their turn. All zero: it
 * waits for none. */
struct plane_turn {
    struct plane_turn *next;
    bool waits;
};

/* What the plane wants of sessions: session_calls of session.h. */
struct plane_calls {
    void (*on_turn)(struct plane_turn *turn); /* may want another turn, and may free it */
    void (*on_due)(struct wheel_entry *e, void *context);
};

struct plane {
    uv_loop_t *loop;
    const struct plane_calls *calls;
    const struct config *config;
    struct services *services;
    struct counters *counters;
    struct handshake_pool *pool;
    struct handshake_turns *turns;
    uv_idle_t turns_idle; /* runs while somebody waits there */
    uv_prepare_t turns_round;
    uint64_t round; /* of the loop */
    struct resolver *resolver;
    struct peer_count *peers;
    struct targets *targets;
    struct wheel wheel;     /* the sessions' deadlines */
    uv_timer_t wheel_timer; /* runs out when one is near, ... */
    uint64_t tick_due_ms;   /* ... then; UINT64_MAX: it does not run */
    uv_idle_t turn_idle;    /* runs while somebody waits for a turn */
    struct plane_turn *turn_first, **turn_last;
    struct session *sessions; /* all that are open */
    size_t session_count;
    size_t *service_session_count; /* by service, then by door: see plane_count_of_door() */
    uint64_t *keys_failed_ms;      /* by service: when its token could not sign; 0: it could, as far as is known */
    size_t sessions_not_freed;     /* open ones, and closed ones whose engine is still on the pool */
    uint32_t slot, generation;     /* in connection ids */
    uint64_t next_session;
    const struct sockaddr_storage *own_addresses; /* where we listen: for http-proxy, since nobody connects
                                                   * through us to ourselves */
    size_t own_address_count;
    size_t descriptors_open; /* by this process before its first session */
    size_t listeners_paused; /* those that wait for descriptors: see proxy/worker/listener.h */
    struct local_addresses *local_addresses;
    void (*on_session_ended)(struct plane *p); /* worker: accept again, or be done with draining */
    unsigned trimmed_count;                    /* since pages last went back to the system ... */
    uint64_t pages_returned_ms;                /* ... which was then */
    struct leg_blocks blocks;
};

/* What the connections at a door count as, in service_session_count and peers, until it is known where each goes: as
 * none of its services, so that one that is full keeps nobody from the others. `door`: as in struct config_address. */
static inline size_t plane_count_of_door(const struct plane *p, size_t door)
{
    return p->services->count + door - 1;
}

/* Fills the rest of a plane whose loop, calls, config, services, counters, slot and generation are set. */
void plane_start(struct plane *p);

/* A session is about to be added: time runs while there is one. */
void plane_session_begins(struct plane *p);

/* Puts a session's entry into the wheel, or moves it: the loop wakes up for it, and for nothing else while nothing
 * happens. */
void plane_set_deadline(struct plane *p, struct wheel_entry *e, uint64_t due_ms);

/* on_turn() after other sessions had theirs. */
void plane_continue_later(struct plane *p, struct plane_turn *turn);

/* A session has given its buffers back, or has ended: after some of them, the pages go back to the system too. */
void plane_note_trimmed(struct plane *p);

/* Every session must have been closed and freed. The loop must run once more, for the handles' closing. */
void plane_stop(struct plane *p);

#endif
