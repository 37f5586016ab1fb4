/* see tests/unit/proxy/handshake_pool_jobs.h */
#include "handshake_pool_jobs.h"

static _Thread_local uint64_t thread_us;
_Atomic uint64_t now_ms;
atomic_uint turns;

uint64_t read_thread_us(void)
{
    return thread_us;
}

uint64_t read_now_ms(void)
{
    return atomic_load(&now_ms);
}

enum tls_status tls_engine_step(struct tls_engine *e)
{
    assert(atomic_fetch_add(&e->running, 1) == 0);
    e->turn = atomic_fetch_add(&turns, 1) + 1;
    if (e->gate != NULL)
        uv_sem_wait(e->gate);
    e->steps++;
    thread_us += e->cost_us;
    atomic_fetch_sub(&e->running, 1);
    return TLS_CLOSED;
}

struct handshake_pool *pool;
uv_loop_t loop;

static void on_done(struct handshake_job *job)
{
    struct test_job *t = CONTAINER_OF(job, struct test_job, job);

    if (job->refused)
        t->refused++;
    else
        assert_int_equal(job->status, t->engine.steps > 0 ? TLS_CLOSED : TLS_FAILED);
    t->told++;
}

void prepare(struct test_job *t, size_t group, uv_sem_t *gate)
{
    *t = (struct test_job){.job = {.engine = &t->engine, .group = group, .on_done = on_done}, .engine = {.gate = gate}};
}

void start_pool(size_t groups, unsigned threads, unsigned waiting)
{
    assert_int_equal(uv_loop_init(&loop), 0);
    atomic_store(&turns, 0);
    pool = handshake_pool_create(&loop, &(struct handshake_pool_options){.group_count = groups,
                                                                         .threads_per_group_max = threads,
                                                                         .waiting_per_group_max = waiting,
                                                                         .now_ms = read_now_ms,
                                                                         .thread_us = read_thread_us});
}

void run_until_idle(void)
{
    while (handshake_pool_busy(pool) > 0)
        uv_run(&loop, UV_RUN_ONCE);
}

void stop_pool(void)
{
    handshake_pool_destroy(&pool);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

const struct peer_key mallory = {{0, 0xffff7f000001}}, alice = {{0, 0xffff7f000002}}, nobody = {{0, 0}};

void submit(struct test_job *t, size_t group, struct peer_key peer, unsigned cost_us, uv_sem_t *gate)
{
    prepare(t, group, gate);
    t->job.peer = peer;
    t->engine.cost_us = cost_us;
    assert_true(handshake_pool_submit(pool, &t->job));
}

void wait_until_waiting(size_t count)
{
    while (handshake_pool_waiting(pool) > count)
        uv_sleep(1);
}

void make_dear(struct peer_key peer)
{
    struct test_job t;

    submit(&t, 0, peer, 100 * DEAR_US, NULL);
    run_until_idle();
    assert_false(t.job.put_behind);
    atomic_store(&turns, 0);
}

void hold(struct held *h)
{
    assert_int_equal(uv_sem_init(&h->gate, 0), 0);
    submit(&h->job, 0, nobody, 0, &h->gate);
    wait_until_waiting(0);
    atomic_store(&turns, 0);
}

void release(struct held *h)
{
    uv_sem_post(&h->gate);
    run_until_idle();
    uv_sem_destroy(&h->gate);
}
