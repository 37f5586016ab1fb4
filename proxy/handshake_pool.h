/* proxy/handshake_pool.h: where handshake steps wait for tokens, and verify certificates, so that the loop does not.
 *
 * A *job* is one tls_engine_step(). Jobs of one *group* (services whose keys are on the same token, or the certificates
 * that one service verifies) share a queue and have threads of their own, made when needed: a slow token fills its own
 * queue and blocks its own threads, never those of another token or of software keys. A full queue refuses new handshakes at once; one whose turn has come before is
 * let go on, since its peer has heard from us and the work is done (one job for each connection at most, so
 * connections_max bounds that).
 *
 * Threads: create, submit, destroy on the loop's thread; on_done is called there. Between submit and on_done the engine
 * belongs to the pool: nobody else may touch it, and it must not be destroyed. */
#ifndef YETT_PROXY_HANDSHAKE_POOL_H
#define YETT_PROXY_HANDSHAKE_POOL_H

#include "tls/engine.h"
#include <uv.h>

struct handshake_job {
    struct tls_engine *engine;
    size_t group;
    bool begun;                                 /* not the first step of its engine in this group: never refused */
    void (*on_done)(struct handshake_job *job); /* on the loop */
    enum tls_status status;                     /* of the step, once done */
    struct handshake_job *next;                 /* the pool's */
};

struct handshake_pool_options {
    size_t group_count;
    unsigned threads_per_group_max;
    unsigned waiting_per_group_max;
};

struct handshake_pool;

struct handshake_pool *handshake_pool_create(uv_loop_t *loop, const struct handshake_pool_options *options);

/* `job` must live until its on_done. false: the group's queue is full, nothing was taken. */
MUST_CHECK bool handshake_pool_submit(struct handshake_pool *p, struct handshake_job *job);

/* Jobs submitted whose step has not begun. */
size_t handshake_pool_waiting(const struct handshake_pool *p);
size_t handshake_pool_busy(const struct handshake_pool *p); /* submitted and not yet told on the loop */

/* No job may be outstanding (handshake_pool_busy() is 0). Ends the threads; the memory goes with the uv handle's close,
 * so run the loop once more. */
void handshake_pool_destroy(struct handshake_pool **p);

#endif
