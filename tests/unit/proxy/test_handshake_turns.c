/* Whose handshake is next: dear peers wait, others do not; a slice at a time, the begun before the fresh, each in the
 * order in which they came; and who is refused when too many wait. Time is the test's. */
#include "proxy/session/handshake_turns.h"
#include "proxy/process/limits.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

enum { WAITING_MAX = 5, TURNS = 16, DEAR_US = LIMIT_PEER_COST_DEAR_US };

static struct handshake_turns *turns;
static struct handshake_turn places[TURNS];
static uint64_t now_ms, now_us, step_us; /* what each turn takes */
static int taken[TURNS], refused[TURNS]; /* indices of places, in order */
static size_t taken_count, refused_count;

static uint64_t tell_now_ms(void)
{
    return now_ms;
}

static uint64_t tell_now_us(void)
{
    return now_us;
}

static void on_turn(struct handshake_turn *turn)
{
    assert_false(turn->waits);
    taken[taken_count++] = (int)(turn - places);
    now_us += step_us;
}

static void on_refused(struct handshake_turn *turn)
{
    assert_false(turn->waits);
    refused[refused_count++] = (int)(turn - places);
}

static int start(void **state)
{
    (void)state;
    turns = handshake_turns_create(&(struct handshake_turns_options){.waiting_max = WAITING_MAX,
                                                                     .now_ms = tell_now_ms,
                                                                     .now_us = tell_now_us,
                                                                     .on_turn = on_turn,
                                                                     .on_refused = on_refused});
    memset(places, 0, sizeof(places));
    now_ms = now_us = 0;
    step_us = LIMIT_TURNS_SLICE_US / 4;
    taken_count = refused_count = 0;
    return 0;
}

static int stop(void **state)
{
    (void)state;
    for (size_t i = 0; i < TURNS; i++)
        handshake_turns_leave(turns, &places[i]);
    handshake_turns_destroy(&turns);
    assert_null(turns);
    return 0;
}

static struct peer_key key_of(const char *literal)
{
    struct sockaddr_in address = {.sin_family = AF_INET};

    assert_int_equal(inet_pton(AF_INET, literal, &address.sin_addr), 1);
    return peer_key_of((const struct sockaddr *)&address);
}

static struct peer_key dear(void)
{
    return key_of("192.0.2.66");
}

/* In one round of the loop. */
static void make_dear(void)
{
    for (unsigned us = 0; us < DEAR_US; us += LIMIT_TURN_COST_US)
        handshake_turns_charge(turns, dear(), LIMIT_TURN_COST_US);
}

static void wait_behind(int place, enum handshake_turn_kind kind)
{
    make_dear();
    assert_false(handshake_turns_ask(turns, &places[place], dear(), kind));
    assert_true(places[place].waits);
}

static void who_has_cost_little_does_not_wait(void **state)
{
    (void)state;
    assert_true(handshake_turns_ask(turns, &places[0], key_of("192.0.2.1"), HANDSHAKE_TURN_FRESH));
    for (unsigned us = 0; us < DEAR_US - LIMIT_TURN_COST_US; us += LIMIT_TURN_COST_US)
        handshake_turns_charge(turns, key_of("192.0.2.1"), LIMIT_TURN_COST_US);
    handshake_turns_charge(turns, key_of("192.0.2.1"), LIMIT_TURN_COST_US - 1);
    assert_true(handshake_turns_ask(turns, &places[0], key_of("192.0.2.1"), HANDSHAKE_TURN_FRESH));
    assert_false(places[0].waits);
    assert_int_equal(handshake_turns_waiting(turns), 0);
    assert_false(handshake_turns_give(turns));
    assert_int_equal(taken_count, 0);
}

/* A thousand hellos of one address, and one of another: that one is answered at once. */
static void one_address_does_not_make_another_wait(void **state)
{
    unsigned answered = 0;

    (void)state;
    for (int i = 0; i < 1000 && answered == (unsigned)i; i++)
        if (handshake_turns_ask(turns, &places[0], dear(), HANDSHAKE_TURN_FRESH)) {
            handshake_turns_charge(turns, dear(), 500);
            answered++;
        }
    assert_int_equal(answered, DEAR_US / 500);
    assert_true(places[0].waits);
    assert_true(handshake_turns_ask(turns, &places[1], key_of("192.0.2.1"), HANDSHAKE_TURN_FRESH));
    assert_false(places[1].waits);
}

/* While a round has time left, nobody waits: to be dear costs nothing then. */
static void who_is_dear_waits_only_when_a_round_is_full(void **state)
{
    (void)state;
    make_dear();
    handshake_turns_begin_round(turns);
    handshake_turns_charge(turns, dear(), LIMIT_TURNS_SLICE_US - 1);
    assert_true(handshake_turns_ask(turns, &places[0], dear(), HANDSHAKE_TURN_FRESH));
    handshake_turns_charge(turns, dear(), 1);
    assert_false(handshake_turns_ask(turns, &places[0], dear(), HANDSHAKE_TURN_FRESH));
    handshake_turns_begin_round(turns); /* not before who waits already */
    assert_false(handshake_turns_ask(turns, &places[1], dear(), HANDSHAKE_TURN_FRESH));
    assert_true(handshake_turns_ask(turns, &places[2], key_of("192.0.2.1"), HANDSHAKE_TURN_FRESH));
}

/* A step in which the machine had no time for us is not put down to who had it taken. */
static void a_step_counts_so_much_at_most(void **state)
{
    (void)state;
    handshake_turns_charge(turns, dear(), 100 * (uint64_t)DEAR_US);
    assert_true(handshake_turns_ask(turns, &places[0], dear(), HANDSHAKE_TURN_FRESH));
}

static void what_was_cost_is_forgotten(void **state)
{
    (void)state;
    make_dear();
    now_ms = LIMIT_PEER_COST_HALVED_MS;
    assert_true(handshake_turns_ask(turns, &places[0], dear(), HANDSHAKE_TURN_FRESH));
}

static void nobody_is_who_has_no_address(void **state)
{
    const struct peer_key nobody = {{0, 0}};

    (void)state;
    for (unsigned us = 0; us < 2 * DEAR_US; us += LIMIT_TURN_COST_US)
        handshake_turns_charge(turns, nobody, LIMIT_TURN_COST_US);
    assert_true(handshake_turns_ask(turns, &places[0], nobody, HANDSHAKE_TURN_FRESH));
}

static void turns_are_given_a_slice_at_a_time(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        wait_behind(i, HANDSHAKE_TURN_FRESH);
    assert_true(handshake_turns_give(turns)); /* four quarters of a slice */
    assert_int_equal(taken_count, 4);
    assert_int_equal(handshake_turns_waiting(turns), 1);
    assert_false(handshake_turns_give(turns));
    assert_int_equal(taken_count, 5);
    for (int i = 0; i < 5; i++)
        assert_int_equal(taken[i], i);
}

/* However long a step takes, one is taken: those behind are served in the end. */
static void one_turn_is_given_at_least(void **state)
{
    (void)state;
    step_us = 100 * (uint64_t)LIMIT_TURNS_SLICE_US;
    wait_behind(0, HANDSHAKE_TURN_FRESH);
    wait_behind(1, HANDSHAKE_TURN_FRESH);
    assert_true(handshake_turns_give(turns));
    assert_int_equal(taken_count, 1);
}

static void the_begun_come_first(void **state)
{
    static const int want[] = {1, 3, 0, 2};

    (void)state;
    step_us = 0;
    wait_behind(0, HANDSHAKE_TURN_FRESH);
    wait_behind(1, HANDSHAKE_TURN_BEGUN);
    wait_behind(2, HANDSHAKE_TURN_FRESH);
    wait_behind(3, HANDSHAKE_TURN_BEGUN);
    assert_false(handshake_turns_give(turns));
    assert_int_equal(taken_count, 4);
    assert_memory_equal(taken, want, sizeof(want));
}

static void who_leaves_is_given_no_turn(void **state)
{
    static const int want[] = {1, 3};

    (void)state;
    step_us = 0;
    for (int i = 0; i < 5; i++)
        wait_behind(i, HANDSHAKE_TURN_FRESH);
    handshake_turns_leave(turns, &places[2]); /* in the middle, */
    handshake_turns_leave(turns, &places[0]); /* first, */
    handshake_turns_leave(turns, &places[4]); /* last, */
    handshake_turns_leave(turns, &places[4]); /* and again */
    assert_int_equal(handshake_turns_waiting(turns), 2);
    assert_false(handshake_turns_give(turns));
    assert_int_equal(taken_count, 2);
    assert_memory_equal(taken, want, sizeof(want));
}

static void beyond_the_limit_the_oldest_fresh_one_is_refused(void **state)
{
    (void)state;
    wait_behind(0, HANDSHAKE_TURN_BEGUN);
    for (int i = 1; i < WAITING_MAX + 2; i++)
        wait_behind(i, HANDSHAKE_TURN_FRESH);
    assert_int_equal(handshake_turns_waiting(turns), WAITING_MAX);
    assert_int_equal(refused_count, 2);
    assert_int_equal(refused[0], 1);
    assert_int_equal(refused[1], 2);
    assert_true(places[0].waits); /* what was computed for it is not in vain */
}

static void where_all_have_begun_the_oldest_is_refused(void **state)
{
    (void)state;
    for (int i = 0; i < WAITING_MAX + 1; i++)
        wait_behind(i, HANDSHAKE_TURN_BEGUN);
    assert_int_equal(refused_count, 1);
    assert_int_equal(refused[0], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_has_cost_little_does_not_wait, start, stop),
        cmocka_unit_test_setup_teardown(one_address_does_not_make_another_wait, start, stop),
        cmocka_unit_test_setup_teardown(who_is_dear_waits_only_when_a_round_is_full, start, stop),
        cmocka_unit_test_setup_teardown(a_step_counts_so_much_at_most, start, stop),
        cmocka_unit_test_setup_teardown(what_was_cost_is_forgotten, start, stop),
        cmocka_unit_test_setup_teardown(nobody_is_who_has_no_address, start, stop),
        cmocka_unit_test_setup_teardown(turns_are_given_a_slice_at_a_time, start, stop),
        cmocka_unit_test_setup_teardown(one_turn_is_given_at_least, start, stop),
        cmocka_unit_test_setup_teardown(the_begun_come_first, start, stop),
        cmocka_unit_test_setup_teardown(who_leaves_is_given_no_turn, start, stop),
        cmocka_unit_test_setup_teardown(beyond_the_limit_the_oldest_fresh_one_is_refused, start, stop),
        cmocka_unit_test_setup_teardown(where_all_have_begun_the_oldest_is_refused, start, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
