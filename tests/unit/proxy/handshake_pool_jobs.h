/* tests/unit/proxy/handshake_pool_jobs.h: a pool with an engine and clocks of our own: a step waits until the test lets
 * it go, and costs what the test says. For the tests of proxy/session/handshake_pool.h; there is one pool at a time. */
#ifndef YETT_TESTS_UNIT_PROXY_HANDSHAKE_POOL_JOBS_H
#define YETT_TESTS_UNIT_PROXY_HANDSHAKE_POOL_JOBS_H

#include "proxy/process/limits.h"
#include "proxy/session/handshake_pool.h"

#include <setjmp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

struct tls_engine {
    uv_sem_t *gate; /* NULL: the step does not wait */
    atomic_int running;
    int steps; /* guarded by "one thread at a time": TSan would see a violation */
    unsigned cost_us;
    unsigned turn; /* this was the so manieth step of all, from 1 */
};

struct test_job {
    struct handshake_job job;
    struct tls_engine engine;
    unsigned told;
    unsigned refused; /* of those */
};

extern struct handshake_pool *pool;
extern uv_loop_t loop;
extern _Atomic uint64_t now_ms;
extern atomic_uint turns;

/* One thread's clock, and the one on the wall (now_ms). */
uint64_t read_thread_us(void);
uint64_t read_now_ms(void);

void start_pool(size_t groups, unsigned threads, unsigned waiting);
void run_until_idle(void);
void stop_pool(void);

/* A job of nobody, whose step waits for `gate`, if any. */
void prepare(struct test_job *t, size_t group, uv_sem_t *gate);

enum { DEAR_US = LIMIT_PEER_COST_DEAR_US, BEFORE_BEHIND = LIMIT_STEPS_BEFORE_BEHIND };

extern const struct peer_key mallory, alice, nobody;

/* A job of `peer` whose step costs so much and waits for `gate`, if any. */
void submit(struct test_job *t, size_t group, struct peer_key peer, unsigned cost_us, uv_sem_t *gate);

void wait_until_waiting(size_t count);
void make_dear(struct peer_key peer);

/* One thread, which is held until all that a test submits waits for it. */
struct held {
    struct test_job job;
    uv_sem_t gate;
};

void hold(struct held *h);
void release(struct held *h);

#endif
