/* The pool with an engine of our own: a step waits until the test lets it go. */
#include "proxy/handshake_pool.h"

#include <setjmp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <cmocka.h>

struct tls_engine {
    uv_sem_t *gate; /* NULL: the step does not wait */
    atomic_int running;
    int steps;      /* guarded by "one thread at a time": TSan would see a violation */
};

enum tls_status tls_engine_step(struct tls_engine *e)
{
    assert(atomic_fetch_add(&e->running, 1) == 0);
    if (e->gate != NULL)
        uv_sem_wait(e->gate);
    e->steps++;
    atomic_fetch_sub(&e->running, 1);
    return TLS_CLOSED;
}

struct test_job {
    struct handshake_job job;
    struct tls_engine engine;
    unsigned told;
};

static struct handshake_pool *pool;
static uv_loop_t loop;

static void on_done(struct handshake_job *job)
{
    struct test_job *t = CONTAINER_OF(job, struct test_job, job);

    assert_int_equal(job->status, TLS_CLOSED);
    t->told++;
}

static void prepare(struct test_job *t, size_t group, uv_sem_t *gate)
{
    *t = (struct test_job){.job = {.engine = &t->engine, .group = group, .on_done = on_done}, .engine = {.gate = gate}};
}

static void start_pool(size_t groups, unsigned threads, unsigned waiting)
{
    assert_int_equal(uv_loop_init(&loop), 0);
    pool = handshake_pool_create(&loop, &(struct handshake_pool_options){.group_count = groups,
                                                                         .threads_per_group_max = threads,
                                                                         .waiting_per_group_max = waiting});
}

static void run_until_idle(void)
{
    while (handshake_pool_busy(pool) > 0)
        uv_run(&loop, UV_RUN_ONCE);
}

static void stop_pool(void)
{
    handshake_pool_destroy(&pool);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void submit_tells_each_job_once(void **state)
{
    static struct test_job jobs[200];

    (void)state;
    start_pool(2, 4, 1000);
    for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
        prepare(&jobs[i], i % 2, NULL);
        assert_true(handshake_pool_submit(pool, &jobs[i].job));
    }
    run_until_idle();
    for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
        assert_int_equal(jobs[i].told, 1);
        assert_int_equal(jobs[i].engine.steps, 1);
    }
    stop_pool();
}

static void submit_refuses_when_the_groups_queue_is_full(void **state)
{
    struct test_job jobs[5];
    uv_sem_t gate;

    (void)state;
    assert_int_equal(uv_sem_init(&gate, 0), 0);
    start_pool(1, 1, 2);
    for (size_t i = 0; i < ARRAY_LEN(jobs); i++)
        prepare(&jobs[i], 0, &gate);
    assert_true(handshake_pool_submit(pool, &jobs[0].job));
    while (handshake_pool_waiting(pool) > 0) /* until the thread has it */
        uv_sleep(1);
    assert_true(handshake_pool_submit(pool, &jobs[1].job));
    assert_true(handshake_pool_submit(pool, &jobs[2].job));
    assert_false(handshake_pool_submit(pool, &jobs[3].job));
    assert_int_equal(handshake_pool_waiting(pool), 2);
    jobs[4].job.begun = true; /* its turn has come before */
    assert_true(handshake_pool_submit(pool, &jobs[4].job));
    assert_false(handshake_pool_submit(pool, &jobs[3].job));
    for (size_t i = 0; i < 4; i++)
        uv_sem_post(&gate);
    run_until_idle();
    assert_int_equal(jobs[2].told, 1);
    assert_int_equal(jobs[3].told, 0);
    assert_int_equal(jobs[4].told, 1);
    stop_pool();
    uv_sem_destroy(&gate);
}

/* A burst before any thread has run: each thread that there may be has room for one, besides the queue. */
static void submit_counts_threads_that_have_just_been_made(void **state)
{
    enum { THREADS = 4, QUEUE = 2, JOBS = 20 };
    struct test_job jobs[JOBS];
    size_t taken = 0;
    uv_sem_t gate;

    (void)state;
    assert_int_equal(uv_sem_init(&gate, 0), 0);
    start_pool(1, THREADS, QUEUE);
    for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
        prepare(&jobs[i], 0, &gate);
        taken += handshake_pool_submit(pool, &jobs[i].job);
    }
    assert_int_equal(taken, THREADS + QUEUE);
    for (size_t i = 0; i < taken; i++)
        uv_sem_post(&gate);
    run_until_idle();
    stop_pool();
    uv_sem_destroy(&gate);
}

static void a_stuck_group_does_not_hold_up_another(void **state)
{
    struct test_job stuck[4], free_jobs[50];
    uv_sem_t gate;

    (void)state;
    assert_int_equal(uv_sem_init(&gate, 0), 0);
    start_pool(2, 2, 100);
    for (size_t i = 0; i < ARRAY_LEN(stuck); i++) {
        prepare(&stuck[i], 0, &gate);
        assert_true(handshake_pool_submit(pool, &stuck[i].job));
    }
    for (size_t i = 0; i < ARRAY_LEN(free_jobs); i++) {
        prepare(&free_jobs[i], 1, NULL);
        assert_true(handshake_pool_submit(pool, &free_jobs[i].job));
    }
    while (handshake_pool_busy(pool) > ARRAY_LEN(stuck))
        uv_run(&loop, UV_RUN_ONCE);
    for (size_t i = 0; i < ARRAY_LEN(free_jobs); i++)
        assert_int_equal(free_jobs[i].told, 1);
    for (size_t i = 0; i < ARRAY_LEN(stuck); i++) {
        assert_int_equal(stuck[i].told, 0);
        uv_sem_post(&gate);
    }
    run_until_idle();
    stop_pool();
    uv_sem_destroy(&gate);
}

static struct test_job repeated;

static void submit_again(struct handshake_job *job)
{
    struct test_job *t = CONTAINER_OF(job, struct test_job, job);

    if (++t->told < 10)
        assert_true(handshake_pool_submit(pool, job));
}

static void on_done_may_submit_the_same_job(void **state)
{
    (void)state;
    start_pool(1, 2, 4);
    prepare(&repeated, 0, NULL);
    repeated.job.on_done = submit_again;
    assert_true(handshake_pool_submit(pool, &repeated.job));
    run_until_idle();
    assert_int_equal(repeated.told, 10);
    assert_int_equal(repeated.engine.steps, 10);
    stop_pool();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(submit_tells_each_job_once),
        cmocka_unit_test(submit_refuses_when_the_groups_queue_is_full),
        cmocka_unit_test(submit_counts_threads_that_have_just_been_made),
        cmocka_unit_test(a_stuck_group_does_not_hold_up_another),
        cmocka_unit_test(on_done_may_submit_the_same_job),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
