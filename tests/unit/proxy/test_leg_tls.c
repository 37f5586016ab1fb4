/* The steps of a leg's TLS (proxy/session/leg_tls.c): on the pool, in their turn, refused and abandoned. */
#include "leg_scene.h"

static void leg_on_pool_is_not_touched(void **state)
{
    (void)state;
    begin(&verifying);
    say_hello();
    assert_int_equal(leg_tls_state(&leg), LEG_TLS_ON_POOL);
    assert_int_equal(fake_pool_size(), 1);
    assert_int_equal(leg.tls.job.group, means.verify_group);
    assert_int_equal(counters.values[COUNTER_handshake_queue_waiting], 1);
    assert_null(leg_engine(&leg));
    assert_false(peer->base.reading);
    assert_false(leg_can_take(&leg) || leg_is_drained(&leg) || leg_has_left(&leg));
    leg_advance(&leg);
    leg_set_reading(&leg, true);
    leg_trim(&leg);
    (void)leg_memory(&leg);
    assert_string_equal(leg_error(&leg), "");
    assert_false(peer->base.reading); /* there is no room for records */
    fake_pool_run(0);
    assert_int_equal(leg_tls_state(&leg), LEG_TLS_UP);
    assert_int_equal(counters.values[COUNTER_handshake_queue_waiting], 0);
    finish();
}

static void leg_close_while_on_pool(void **state)
{
    (void)state;
    begin(&blocking);
    say_hello();
    assert_int_equal(leg.tls.job.group, means.pool_group);
    leg_alert(&leg); /* it has heard nothing yet */
    leg_close(&leg, TRANSPORT_CLOSE_ORDERLY);
    assert_int_equal(peer->outgoing.size, FAKE_RECORD_HEAD);
    assert_int_equal(fake_engines, 1);
    assert_int_equal(leg_tls_state(&leg), LEG_TLS_ON_POOL);
    fake_pool_run(0);
    assert_int_equal(leg_tls_state(&leg), LEG_TLS_FAILED);
    finish();
}

static void expect_refused(enum leg_refusal refusal)
{
    assert_int_equal(leg_refusal(&leg), refusal);
    assert_int_equal(leg_tls_state(&leg), LEG_TLS_FAILED);
    assert_string_equal(leg_error_name(&leg), "handshake_queue_full");
    leg_advance(&leg);
    assert_int_equal(peer->outgoing.size, FAKE_RECORD_HEAD); /* the alert */
    assert_int_equal(buffer_span(&peer->outgoing).data[0], FAKE_ALERT);
}

static void leg_refused_by_the_pool(void **state)
{
    (void)state;
    fake_pool_waiting_max = 0;
    begin(&blocking);
    say_hello();
    expect_refused(LEG_REFUSAL_QUEUE);
    finish();
    fake_pool_waiting_max = 1;
    begin(&blocking);
    say_hello();
    fake_pool_refuse(0); /* another has got its place */
    expect_refused(LEG_REFUSAL_QUEUE);
    assert_int_equal(counters.values[COUNTER_handshake_queue_waiting], 0);
    finish();
}

/* The peer has cost so much that it waits; the loop's round is used up. */
static void make_dear(void)
{
    for (int i = 0; i < 1000; i++)
        handshake_turns_charge(turns, means.peer, LIMIT_TURN_COST_US);
}

static void leg_waits_for_its_turn(void **state)
{
    (void)state;
    make_dear();
    begin(&server);
    say_hello();
    assert_int_equal(leg_tls_state(&leg), LEG_TLS_WAITS);
    assert_int_equal(counters.values[COUNTER_handshake_queue_behind_total], 1);
    assert_non_null(leg_engine(&leg));
    leg_advance(&leg); /* it waits once */
    assert_int_equal(handshake_turns_waiting(turns), 1);
    assert_false(handshake_turns_give(turns));
    assert_int_equal(leg_tls_state(&leg), LEG_TLS_UP);
    finish();
}

static void leg_closed_before_its_turn(void **state)
{
    (void)state;
    make_dear();
    begin(&server);
    say_hello();
    assert_int_equal(leg_tls_state(&leg), LEG_TLS_WAITS);
    finish();
    assert_int_equal(handshake_turns_waiting(turns), 0);
}

static void leg_loses_its_turn(void **state)
{
    struct handshake_turn others[4] = {{.waits = false}};

    (void)state;
    make_dear();
    begin(&server);
    say_hello();
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        assert_false(handshake_turns_ask(turns, &others[i], means.peer, HANDSHAKE_TURN_BEGUN));
    expect_refused(LEG_REFUSAL_TURN);
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        handshake_turns_leave(turns, &others[i]);
    finish();
}

/* A client may hold back its first words until its Finished is acknowledged; a target is not kept waiting so. */
static void leg_acknowledges_the_last_word_of_a_handshake(void **state)
{
    static const struct fake_context quiet = {.server = true, .quiet = true};
    static const struct {
        const struct fake_context *context;
        unsigned want;
    } rows[] = {{&quiet, 1}, {&server, 0}, {&client, 0}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        begin(rows[i].context);
        say_hello();
        assert_int_equal(leg_tls_state(&leg), LEG_TLS_UP);
        leg_advance(&leg);
        assert_int_equal(peer->acknowledged, rows[i].want);
        finish();
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(leg_on_pool_is_not_touched),
        TEST(leg_close_while_on_pool),
        TEST(leg_refused_by_the_pool),
        TEST(leg_waits_for_its_turn),
        TEST(leg_closed_before_its_turn),
        TEST(leg_loses_its_turn),
        TEST(leg_acknowledges_the_last_word_of_a_handshake),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
