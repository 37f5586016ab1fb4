/* The pool with an engine and clocks of our own: a step waits until the test lets it go, and costs what the test says.
 */
#include "proxy/session/handshake_pool.h"

#include "proxy/process/limits.h"
#include <setjmp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

struct tls_engine {
    uv_sem_t *gate; /* NULL: the step does not wait */
    atomic_int running;
    int steps; /* guarded by "one thread at a time": TSan would see a violation */
    unsigned cost_us;
    unsigned turn; /* this was the so manieth step of all, from 1 */
};

static _Thread_local uint64_t thread_us;
static _Atomic uint64_t now_ms;
static atomic_uint turns;

static uint64_t read_thread_us(void)
{
    return thread_us;
}

static uint64_t read_now_ms(void)
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

struct test_job {
    struct handshake_job job;
    struct tls_engine engine;
    unsigned told;
    unsigned refused; /* of those */
};

static struct handshake_pool *pool;
static uv_loop_t loop;

static void on_done(struct handshake_job *job)
{
    struct test_job *t = CONTAINER_OF(job, struct test_job, job);

    if (job->refused)
        t->refused++;
    else
        assert_int_equal(job->status, t->engine.steps > 0 ? TLS_CLOSED : TLS_FAILED);
    t->told++;
}

static void prepare(struct test_job *t, size_t group, uv_sem_t *gate)
{
    *t = (struct test_job){.job = {.engine = &t->engine, .group = group, .on_done = on_done}, .engine = {.gate = gate}};
}

static void start_pool(size_t groups, unsigned threads, unsigned waiting)
{
    assert_int_equal(uv_loop_init(&loop), 0);
    atomic_store(&turns, 0);
    pool = handshake_pool_create(&loop, &(struct handshake_pool_options){.group_count = groups,
                                                                         .threads_per_group_max = threads,
                                                                         .waiting_per_group_max = waiting,
                                                                         .now_ms = read_now_ms,
                                                                         .thread_us = read_thread_us});
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

/* ---- who has cost much waits behind who has not ---- */

enum { DEAR_US = LIMIT_PEER_COST_DEAR_US, BEFORE_BEHIND = LIMIT_STEPS_BEFORE_BEHIND };

static const struct peer_key mallory = {{0, 0xffff7f000001}}, alice = {{0, 0xffff7f000002}}, nobody = {{0, 0}};

/* A job of `peer` whose step costs so much and waits for `gate`, if any. */
static void submit(struct test_job *t, size_t group, struct peer_key peer, unsigned cost_us, uv_sem_t *gate)
{
    prepare(t, group, gate);
    t->job.peer = peer;
    t->engine.cost_us = cost_us;
    assert_true(handshake_pool_submit(pool, &t->job));
}

static void wait_until_waiting(size_t count)
{
    while (handshake_pool_waiting(pool) > count)
        uv_sleep(1);
}

static void make_dear(struct peer_key peer)
{
    struct test_job t;

    submit(&t, 0, peer, 100 * DEAR_US, NULL);
    run_until_idle();
    assert_false(t.job.put_behind);
    atomic_store(&turns, 0);
}

/* One thread, which is held until all that a test submits waits for it. */
struct held {
    struct test_job job;
    uv_sem_t gate;
};

static void hold(struct held *h)
{
    assert_int_equal(uv_sem_init(&h->gate, 0), 0);
    submit(&h->job, 0, nobody, 0, &h->gate);
    wait_until_waiting(0);
    atomic_store(&turns, 0);
}

static void release(struct held *h)
{
    uv_sem_post(&h->gate);
    run_until_idle();
    uv_sem_destroy(&h->gate);
}

static void dear_peer_waits_behind_others(void **state)
{
    struct test_job hers[2], his[3];
    struct held held;

    (void)state;
    start_pool(1, 1, 100);
    make_dear(mallory);
    hold(&held);
    for (size_t i = 0; i < ARRAY_LEN(his); i++)
        submit(&his[i], 0, mallory, 1, NULL);
    for (size_t i = 0; i < ARRAY_LEN(hers); i++)
        submit(&hers[i], 0, alice, 1, NULL);
    release(&held);
    for (size_t i = 0; i < ARRAY_LEN(hers); i++) {
        assert_int_equal(hers[i].engine.turn, 1 + i);
        assert_false(hers[i].job.put_behind);
    }
    for (size_t i = 0; i < ARRAY_LEN(his); i++) {
        assert_int_equal(his[i].engine.turn, 3 + i);
        assert_true(his[i].job.put_behind);
    }
    stop_pool();
}

/* All that he sends waits before anybody knows: what is over the allowance goes behind when its turn comes. */
static void peer_that_becomes_dear_while_it_waits_goes_behind(void **state)
{
    struct test_job hers, his[50];
    struct held held;

    (void)state;
    start_pool(1, 1, 100);
    hold(&held);
    for (size_t i = 0; i < ARRAY_LEN(his); i++)
        submit(&his[i], 0, mallory, DEAR_US / 2, NULL);
    submit(&hers, 0, alice, 1, NULL);
    release(&held);
    assert_int_equal(hers.engine.turn, 3);
    for (size_t i = 0; i < ARRAY_LEN(his); i++) {
        assert_int_equal(his[i].engine.turn, i < 2 ? 1 + i : 2 + i);
        assert_int_equal(his[i].job.put_behind, i >= 2);
    }
    stop_pool();
}

static void those_behind_have_a_turn_now_and_then(void **state)
{
    struct test_job hers[3 * BEFORE_BEHIND], his[4];
    struct held held;

    (void)state;
    start_pool(1, 1, 100);
    make_dear(mallory);
    hold(&held);
    for (size_t i = 0; i < ARRAY_LEN(his); i++)
        submit(&his[i], 0, mallory, 1, NULL);
    for (size_t i = 0; i < ARRAY_LEN(hers); i++)
        submit(&hers[i], 0, alice, 1, NULL);
    release(&held);
    for (size_t i = 0; i < ARRAY_LEN(hers); i++)
        assert_int_equal(hers[i].engine.turn, 1 + i + i / BEFORE_BEHIND);
    for (size_t i = 0; i < ARRAY_LEN(his); i++)
        assert_int_equal(his[i].engine.turn, i < 3 ? (i + 1) * (BEFORE_BEHIND + 1) : ARRAY_LEN(hers) + ARRAY_LEN(his));
    stop_pool();
}

/* However many of his wait, one thread is there for who comes next; and while others wait, he has one. */
static void dear_peer_never_has_all_threads(void **state)
{
    enum { THREADS = 4 };
    struct test_job hers[3 * BEFORE_BEHIND], his[2 * THREADS], more;
    uv_sem_t gate;

    (void)state;
    assert_int_equal(uv_sem_init(&gate, 0), 0);
    start_pool(1, THREADS, 100);
    make_dear(mallory);
    for (size_t i = 0; i < ARRAY_LEN(his); i++)
        submit(&his[i], 0, mallory, 1, &gate);
    wait_until_waiting(ARRAY_LEN(his) - (THREADS - 1));
    for (size_t i = 0; i < ARRAY_LEN(hers); i++)
        submit(&hers[i], 0, alice, 1, NULL);
    while (hers[ARRAY_LEN(hers) - 1].told == 0)
        uv_run(&loop, UV_RUN_ONCE);
    for (size_t i = 0; i < ARRAY_LEN(hers); i++)
        assert_int_equal(hers[i].engine.turn, THREADS + i); /* behind has had THREADS - 1, and none meanwhile */
    assert_int_equal(handshake_pool_waiting(pool), ARRAY_LEN(his) - (THREADS - 1));
    for (size_t i = 0; i < ARRAY_LEN(his); i++)
        uv_sem_post(&gate);
    run_until_idle();
    submit(&more, 0, mallory, 1, NULL); /* the kept thread is not all that is left */
    run_until_idle();
    assert_int_equal(more.told, 1);
    stop_pool();
    uv_sem_destroy(&gate);
}

/* Of three threads one is his, one waits, and the third serves her, who comes before all else of his. */
static void those_behind_have_one_thread_while_others_wait(void **state)
{
    struct test_job hers[3 * BEFORE_BEHIND], his[2], stuck[2];
    uv_sem_t gate, last;

    (void)state;
    assert_int_equal(uv_sem_init(&gate, 0), 0);
    assert_int_equal(uv_sem_init(&last, 0), 0);
    start_pool(1, 3, 100);
    make_dear(mallory);
    submit(&his[0], 0, mallory, 1, &gate);
    submit(&stuck[0], 0, nobody, 0, &gate);
    wait_until_waiting(0);
    submit(&stuck[1], 0, nobody, 0, &last);
    wait_until_waiting(0);
    atomic_store(&turns, 0);
    submit(&his[1], 0, mallory, 1, NULL);
    for (size_t i = 0; i < ARRAY_LEN(hers); i++)
        submit(&hers[i], 0, alice, 1, NULL);
    uv_sem_post(&last);
    while (his[1].told == 0)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(his[1].engine.turn, ARRAY_LEN(hers) + 1);
    uv_sem_post(&gate);
    uv_sem_post(&gate);
    run_until_idle();
    stop_pool();
    uv_sem_destroy(&gate);
    uv_sem_destroy(&last);
}

/* In front and behind; what has begun goes on. */
static void abandoned_job_is_told_without_its_step(void **state)
{
    struct test_job hers[3], his[3];
    struct held held;

    (void)state;
    start_pool(1, 1, 100);
    make_dear(mallory);
    hold(&held);
    for (size_t i = 0; i < ARRAY_LEN(hers); i++) {
        submit(&his[i], 0, mallory, 1, NULL);
        submit(&hers[i], 0, alice, 1, NULL);
    }
    handshake_pool_abandon(pool, &held.job.job);
    handshake_pool_abandon(pool, &hers[1].job);
    handshake_pool_abandon(pool, &his[1].job);
    release(&held);
    assert_int_equal(held.job.engine.steps, 1);
    for (size_t i = 0; i < ARRAY_LEN(hers); i++) {
        assert_int_equal(hers[i].told, 1);
        assert_int_equal(his[i].told, 1);
        assert_int_equal(hers[i].engine.steps, i != 1);
        assert_int_equal(his[i].engine.steps, i != 1);
    }
    submit(&hers[1], 0, alice, 1, NULL); /* it is another job now */
    run_until_idle();
    assert_int_equal(hers[1].engine.steps, 1);
    stop_pool();
}

static void what_a_peer_has_cost_is_forgotten(void **state)
{
    struct test_job hers, his;
    struct held held;

    (void)state;
    start_pool(1, 1, 100);
    make_dear(mallory);
    atomic_fetch_add(&now_ms, 6 * LIMIT_PEER_COST_HALVED_MS); /* of a hundred allowances one and a half are left */
    hold(&held);
    submit(&his, 0, mallory, 1, NULL);
    submit(&hers, 0, alice, 1, NULL);
    release(&held);
    assert_int_equal(hers.engine.turn, 1);
    atomic_fetch_add(&now_ms, LIMIT_PEER_COST_HALVED_MS);
    hold(&held);
    submit(&his, 0, mallory, 1, NULL);
    submit(&hers, 0, alice, 1, NULL);
    release(&held);
    assert_int_equal(his.engine.turn, 1);
    assert_false(his.job.put_behind);
    stop_pool();
}

static void dear_peer_is_dear_in_every_group(void **state)
{
    struct test_job his;

    (void)state;
    start_pool(2, 1, 100);
    make_dear(mallory);
    submit(&his, 1, mallory, 1, NULL);
    run_until_idle();
    assert_true(his.job.put_behind);
    stop_pool();
}

/* A slow token is not its client's fault, a Unix socket is everybody's, and a handshake under way goes on. */
static void put_behind_are_only_new_handshakes_of_those_who_compute(void **state)
{
    struct test_job slow, local, his[2];
    struct held held;

    (void)state;
    start_pool(1, 1, 100);
    submit(&slow, 0, alice, 0, NULL);
    run_until_idle();
    atomic_fetch_add(&now_ms, 3600 * 1000); /* the clock on the wall does not count */
    make_dear(nobody);
    make_dear(mallory);
    submit(&slow, 0, alice, 0, NULL);
    submit(&local, 0, nobody, 0, NULL);
    run_until_idle();
    assert_false(slow.job.put_behind || local.job.put_behind);

    hold(&held);
    submit(&his[0], 0, mallory, 1, NULL);
    prepare(&his[1], 0, NULL);
    his[1].job.peer = mallory;
    his[1].job.begun = true;
    assert_true(handshake_pool_submit(pool, &his[1].job));
    release(&held);
    assert_true(his[0].job.put_behind);
    assert_false(his[1].job.put_behind);
    assert_int_equal(his[1].engine.turn, 1);
    stop_pool();
}

/* His are refused, and make room for hers, the oldest first; then she too is one too many. */
static void full_group_refuses_the_dear(void **state)
{
    enum { QUEUE = 3 };
    struct test_job hers[QUEUE + 1], his[QUEUE + 1], begun;
    struct held held;

    (void)state;
    start_pool(1, 1, QUEUE);
    make_dear(mallory);
    hold(&held);
    for (size_t i = 0; i < QUEUE; i++)
        submit(&his[i], 0, mallory, 1, NULL);
    prepare(&his[QUEUE], 0, NULL);
    his[QUEUE].job.peer = mallory;
    assert_false(handshake_pool_submit(pool, &his[QUEUE].job));
    assert_true(his[QUEUE].job.put_behind);
    for (size_t i = 0; i < QUEUE; i++) {
        submit(&hers[i], 0, alice, 1, NULL);
        assert_int_equal(handshake_pool_waiting(pool), QUEUE);
        while (his[i].told == 0)
            uv_run(&loop, UV_RUN_ONCE);
        assert_int_equal(his[i].refused, 1);
        assert_int_equal(handshake_pool_busy(pool), 1 + QUEUE);
    }
    prepare(&hers[QUEUE], 0, NULL);
    hers[QUEUE].job.peer = alice;
    assert_false(handshake_pool_submit(pool, &hers[QUEUE].job));
    assert_false(hers[QUEUE].job.put_behind);
    prepare(&begun, 0, NULL);
    begun.job.peer = mallory;
    begun.job.begun = true;
    assert_true(handshake_pool_submit(pool, &begun.job));
    release(&held);
    for (size_t i = 0; i < QUEUE; i++) {
        assert_int_equal(hers[i].told, 1);
        assert_int_equal(hers[i].refused, 0);
        assert_int_equal(his[i].told, 1);
        assert_int_equal(his[i].engine.steps, 0);
    }
    assert_int_equal(begun.engine.steps, 1);
    stop_pool();
}

/* What filled the group before anybody knew makes room as well. */
static void full_group_finds_the_dear_in_front(void **state)
{
    enum { QUEUE = 4 };
    struct test_job hers, his[QUEUE], other;
    struct held held;

    (void)state;
    start_pool(2, 1, QUEUE);
    hold(&held);
    for (size_t i = 0; i < QUEUE; i++)
        submit(&his[i], 0, mallory, 1, NULL);
    submit(&other, 1, mallory, DEAR_US, NULL);
    while (other.told == 0)
        uv_run(&loop, UV_RUN_ONCE);
    atomic_store(&turns, 0);
    submit(&hers, 0, alice, 1, NULL);
    release(&held);
    assert_int_equal(hers.engine.turn, 1);
    assert_int_equal(his[0].refused, 1);
    for (size_t i = 1; i < QUEUE; i++)
        assert_int_equal(his[i].engine.turn, 1 + i);
    stop_pool();
}

static void prepare_signing(struct test_job *t, unsigned service, uv_sem_t *gate)
{
    prepare(t, 0, gate);
    t->job.signs = true;
    t->job.service = service;
    t->job.fd = -1;
}

static void submit_signing(struct test_job *t, unsigned service)
{
    prepare_signing(t, service, NULL);
    assert_true(handshake_pool_submit(pool, &t->job));
}

/* All threads for first steps are taken, and many wait: a second step is taken at once all the same. */
static void who_has_begun_has_a_thread_and_goes_first(void **state)
{
    struct test_job held, first[5], begun;
    uv_sem_t gate;

    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(uv_sem_init(&gate, 0), 0);
    pool = handshake_pool_create(&loop, &(struct handshake_pool_options){.group_count = 1,
                                                                         .threads_per_group_max = 2,
                                                                         .threads_for_begun = 1,
                                                                         .waiting_per_group_max = 100,
                                                                         .now_ms = read_now_ms,
                                                                         .thread_us = read_thread_us});
    prepare_signing(&held, 0, &gate);
    assert_true(handshake_pool_submit(pool, &held.job));
    wait_until_waiting(0);
    for (size_t i = 0; i < ARRAY_LEN(first); i++)
        submit_signing(&first[i], 0);
    prepare_signing(&begun, 0, NULL);
    begun.job.begun = true;
    assert_true(handshake_pool_submit(pool, &begun.job));
    while (begun.told == 0)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(handshake_pool_waiting(pool), ARRAY_LEN(first));
    uv_sem_post(&gate);
    run_until_idle();
    uv_sem_destroy(&gate);
    stop_pool();
}

static void the_newest_is_next_when_the_oldest_waits_long(void **state)
{
    struct test_job jobs[4], quick[2];
    struct held held;

    (void)state;
    start_pool(1, 1, 100);
    hold(&held);
    for (size_t i = 0; i < ARRAY_LEN(quick); i++)
        submit_signing(&quick[i], 0);
    release(&held);
    assert_true(quick[0].engine.turn < quick[1].engine.turn); /* nobody has waited: in order */
    hold(&held);
    for (size_t i = 0; i < ARRAY_LEN(jobs); i++)
        submit_signing(&jobs[i], 0);
    atomic_fetch_add(&now_ms, LIMIT_STEP_WAIT_MS);
    release(&held);
    for (size_t i = 0; i + 1 < ARRAY_LEN(jobs); i++)
        assert_true(jobs[i].engine.turn > jobs[i + 1].engine.turn);
    stop_pool();
}

static void a_full_group_gives_the_place_of_who_waits_in_vain(void **state)
{
    struct test_job jobs[2], late, too_late;
    struct held held;

    (void)state;
    start_pool(1, 1, 2);
    hold(&held);
    for (size_t i = 0; i < ARRAY_LEN(jobs); i++)
        submit_signing(&jobs[i], 0);
    prepare_signing(&too_late, 0, NULL);
    assert_false(handshake_pool_submit(pool, &too_late.job)); /* all came just now */
    atomic_fetch_add(&now_ms, LIMIT_STEP_WAIT_MS);
    submit_signing(&late, 0);
    release(&held);
    assert_int_equal(jobs[0].refused, 1);
    assert_int_equal(jobs[1].refused + late.refused, 0);
    stop_pool();
}

static void services_take_turns(void **state)
{
    struct test_job flood[6], other[2];
    struct held held;

    (void)state;
    start_pool(1, 1, 100);
    hold(&held);
    for (size_t i = 0; i < ARRAY_LEN(flood); i++)
        submit_signing(&flood[i], 1);
    for (size_t i = 0; i < ARRAY_LEN(other); i++)
        submit_signing(&other[i], 2);
    release(&held);
    assert_in_range(other[0].engine.turn, 1, 2);
    assert_in_range(other[1].engine.turn, 3, 4);
    stop_pool();
}

static void nobody_signs_for_who_has_left(void **state)
{
    struct test_job gone, there;
    struct held held;
    int ends[2], kept[2];

    (void)state;
    start_pool(1, 1, 100);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, kept), 0);
    hold(&held);
    prepare_signing(&gone, 0, NULL);
    gone.job.fd = ends[0];
    prepare_signing(&there, 0, NULL);
    there.job.fd = kept[0];
    assert_true(handshake_pool_submit(pool, &gone.job));
    assert_true(handshake_pool_submit(pool, &there.job));
    close(ends[1]);
    release(&held);
    assert_true(gone.job.left);
    assert_int_equal(gone.engine.steps, 0);
    assert_false(there.job.left);
    assert_int_equal(there.engine.steps, 1);
    close(ends[0]);
    close(kept[0]);
    close(kept[1]);
    stop_pool();
}

static struct test_job flood[3000];

/* Everybody at once, on several threads: each job is told once, and nobody is left behind for ever. */
static void every_job_of_a_flood_is_told_once(void **state)
{
    size_t taken = 0, told = 0, refused = 0;

    (void)state;
    start_pool(2, 4, 500);
    for (size_t i = 0; i < ARRAY_LEN(flood); i++) {
        struct test_job *t = &flood[i];

        prepare(t, i % 2, NULL);
        t->job.peer = i % 3 == 0 ? mallory : (struct peer_key){{0, 0xffff0a000000 + i % 7}};
        t->job.begun = i % 11 == 0;
        t->engine.cost_us = i % 3 == 0 ? DEAR_US : i % 5;
        taken += handshake_pool_submit(pool, &t->job);
        if (i % 50 == 0)
            uv_run(&loop, UV_RUN_NOWAIT);
    }
    run_until_idle();
    for (size_t i = 0; i < ARRAY_LEN(flood); i++) {
        assert_true(flood[i].told <= 1);
        assert_int_equal(flood[i].engine.steps, flood[i].told - flood[i].refused);
        told += flood[i].told;
        refused += flood[i].refused;
        assert_false(flood[i].job.begun && (flood[i].told == 0 || flood[i].refused > 0));
    }
    assert_int_equal(told, taken);
    assert_true(refused < told);
    assert_int_equal(handshake_pool_waiting(pool), 0);
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
        cmocka_unit_test(dear_peer_waits_behind_others),
        cmocka_unit_test(peer_that_becomes_dear_while_it_waits_goes_behind),
        cmocka_unit_test(those_behind_have_a_turn_now_and_then),
        cmocka_unit_test(dear_peer_never_has_all_threads),
        cmocka_unit_test(those_behind_have_one_thread_while_others_wait),
        cmocka_unit_test(abandoned_job_is_told_without_its_step),
        cmocka_unit_test(what_a_peer_has_cost_is_forgotten),
        cmocka_unit_test(dear_peer_is_dear_in_every_group),
        cmocka_unit_test(put_behind_are_only_new_handshakes_of_those_who_compute),
        cmocka_unit_test(full_group_refuses_the_dear),
        cmocka_unit_test(full_group_finds_the_dear_in_front),
        cmocka_unit_test(who_has_begun_has_a_thread_and_goes_first),
        cmocka_unit_test(the_newest_is_next_when_the_oldest_waits_long),
        cmocka_unit_test(a_full_group_gives_the_place_of_who_waits_in_vain),
        cmocka_unit_test(services_take_turns),
        cmocka_unit_test(nobody_signs_for_who_has_left),
        cmocka_unit_test(every_job_of_a_flood_is_told_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
