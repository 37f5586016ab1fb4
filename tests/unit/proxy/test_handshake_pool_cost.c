/* The pool: who has cost much waits behind who has not. */
#include "handshake_pool_jobs.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
