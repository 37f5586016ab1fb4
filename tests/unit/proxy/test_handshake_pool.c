/* The pool: groups and their threads, queues, turns of services, and who signs for whom. What peers have cost is in
 * test_handshake_pool_cost.c. */
#include "handshake_pool_jobs.h"

#include <sys/socket.h>

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
        cmocka_unit_test(who_has_begun_has_a_thread_and_goes_first),
        cmocka_unit_test(the_newest_is_next_when_the_oldest_waits_long),
        cmocka_unit_test(a_full_group_gives_the_place_of_who_waits_in_vain),
        cmocka_unit_test(services_take_turns),
        cmocka_unit_test(nobody_signs_for_who_has_left),
        cmocka_unit_test(every_job_of_a_flood_is_told_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
