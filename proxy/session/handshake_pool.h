/* proxy/session/handshake_pool.h: where handshake steps wait for tokens, and verify certificates, so that the loop does
 * not.
 *
 * A *job* is one tls_engine_step(). Jobs of one *group* (services whose keys are on the same token, or the certificates
 * that one service verifies) wait together and have threads of their own, made when needed: a slow token fills its own
 * group and blocks its own threads, never those of another token or of software keys. A full group refuses new
 * handshakes at once; one whose turn has come before is let go on, since its peer has heard from us and the work is
 * done (one job for each connection at most, so connections_max bounds that).
 *
 * A slow token, asked for more than it can do, would serve nobody: first come, first served, all wait until they give
 * up. So:
 *
 *   - Handshakes that have begun go first, on a thread that first steps leave free for them: theirs is the work done.
 *   - Who has left costs no signature: a first step whose client's connection has ended is not taken (`left`).
 *   - Services share a token by the time that their steps take: the one that had the least is next.
 *   - Within a service it is first come, first served, until the oldest has waited for LIMIT_STEP_WAIT_MS; then the
 * newest is next. At twice what a token can do all who wait in order are as old as their patience when their turn
 * comes, and leave before their handshake is done; newest first, who is served is served at once, and the others would
 * not have been either. A full group then gives the place of the oldest to who comes.
 *   - As many first steps are under way as keep the token busy, and no more, since what it has been asked for cannot be
 *     taken back: when steps take three times as long as the shortest did (and more than LIMIT_STEP_QUICK_MS), they are
 *     waiting for one another, and one less is let go at a time; when they do not, one more.
 *
 * Who has cost much lately waits behind who has not. A peer may make a step compute for as long as pkix_limits allow,
 * and may have as many such steps wait as a group takes; first come, first served, one peer could make all others wait
 * for longer than they have. So the processor time of each step is put down to its job's peer
 * (proxy/session/peer_cost.h; waiting for a token or a responder is none), and the steps of a *dear* peer are put
 * *behind*:
 *
 *   - They are served when nobody waits in front, and by all threads but one, so that one is there for who comes next.
 *   - After LIMIT_STEPS_BEFORE_BEHIND from the front one of them has its turn regardless, on one thread at a time: so
 *     while others wait, their share of the processor is a thread's, however dear a step is.
 *   - A full group refuses them, and gives the place of the one that has waited longest to who is not dear.
 *
 * A peer is looked at again when its turn comes, since all it will ever send may wait before the first step of it is
 * done. Until then it can hold every thread for one step each. Peers in front wait first in, first out, and so do those
 * behind; while nobody else comes, to be behind costs nothing.
 *
 * The peer is the client, for steps of the connecting side too: it is who had the target connected to, and with an
 * http-proxy who chose it. A target that is configured is the same for all clients; if it could be dear, the steps of
 * all sessions would wait behind, together with those of an attacker.
 *
 * Threads: create, submit, destroy on the loop's thread; on_done is called there. Between submit and on_done the engine
 * belongs to the pool: nobody else may touch it, and it must not be destroyed. */
#ifndef YETT_PROXY_SESSION_HANDSHAKE_POOL_H
#define YETT_PROXY_SESSION_HANDSHAKE_POOL_H

#include "proxy/session/peer_key.h"
#include "tls/engine.h"
#include <uv.h>

struct handshake_job {
    struct tls_engine *engine;
    size_t group;
    struct peer_key peer;                       /* whom the step's cost is put down to; no address: nobody */
    bool signs;                                 /* for a token: all that is said above of those holds for it */
    unsigned service;                           /* whose share of the group's time it takes */
    int fd;                                     /* the client's connection, to see whether it has left; -1: not known */
    bool begun;                                 /* not the first step of its engine in this group: never refused, never
                                                 * put behind */
    void (*on_done)(struct handshake_job *job); /* on the loop */
    enum tls_status status;                     /* of the step, once done */
    bool put_behind;                            /* the pool's answer: the peer was dear */
    bool refused;                               /* once done: there was no step, another has got the place */
    bool left;                                  /* once done: there was no step, its client has left */
    bool abandoned;                             /* handshake_pool_abandon() was called */
    uint64_t came_ms;                           /* the pool's */
    struct handshake_job *next;                 /* the pool's */
};

struct handshake_pool_options {
    size_t group_count;
    unsigned threads_per_group_max;
    unsigned threads_for_begun; /* of those, kept from first steps */
    unsigned waiting_per_group_max;
    uint64_t (*now_ms)(void);    /* never goes back; any thread */
    uint64_t (*thread_us)(void); /* processor time of the calling thread */
};

struct handshake_pool;

struct handshake_pool *handshake_pool_create(uv_loop_t *loop, const struct handshake_pool_options *options);

/* `job` must live until its on_done. false: the group is full, nothing was taken; put_behind says whether that is so
 * for everybody. */
MUST_CHECK bool handshake_pool_submit(struct handshake_pool *p, struct handshake_job *job);

/* Nobody waits for the job any more, as when its connection has timed out: if its step has not begun it never does, and
 * status will be TLS_FAILED. on_done comes in any case, and until then all is as it was. */
void handshake_pool_abandon(struct handshake_pool *p, struct handshake_job *job);

/* Jobs submitted whose step has not begun. */
size_t handshake_pool_waiting(const struct handshake_pool *p);
size_t handshake_pool_busy(const struct handshake_pool *p); /* submitted and not yet told on the loop */

/* No job may be outstanding (handshake_pool_busy() is 0). Ends the threads; the memory goes with the uv handle's close,
 * so run the loop once more. */
void handshake_pool_destroy(struct handshake_pool **p);

#endif
