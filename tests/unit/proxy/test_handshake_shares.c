/* How services share a slow token, and how much of it is asked for at a time. */
#include "proxy/session/handshake_shares.h"

#include "proxy/process/limits.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { FLOODED = 3, OTHER = 7, SLOW_MS = 200 };

static void serve(struct handshake_shares *s, unsigned *flooded, unsigned *other)
{
    unsigned next = handshake_shares_next(s);

    handshake_shares_went(s, next);
    handshake_shares_serve(s, next);
    handshake_shares_took(s, next, SLOW_MS);
    *(next == FLOODED ? flooded : other) += 1;
}

static void a_flooded_service_leaves_another_its_half(void **state)
{
    struct handshake_shares s = {.count = 0};
    unsigned flooded = 0, other = 0;

    (void)state;
    for (int i = 0; i < 1000; i++)
        handshake_shares_came(&s, FLOODED);
    for (int i = 0; i < 100; i++)
        serve(&s, &flooded, &other);
    assert_int_equal(other, 0);
    /* It comes late, and has not saved up what it did not use. */
    for (int i = 0; i < 100; i++)
        handshake_shares_came(&s, OTHER);
    flooded = 0;
    for (int i = 0; i < 100; i++)
        serve(&s, &flooded, &other);
    assert_in_range(flooded, 49, 51);
    assert_in_range(other, 49, 51);
    handshake_shares_clear(&s);
}

static void time_is_shared_and_not_steps(void **state)
{
    struct handshake_shares s = {.count = 0};
    unsigned served[2] = {0, 0};

    (void)state;
    for (int i = 0; i < 1000; i++) {
        handshake_shares_came(&s, 0); /* RSA */
        handshake_shares_came(&s, 1); /* ECDSA */
    }
    for (int i = 0; i < 500; i++) {
        unsigned next = handshake_shares_next(&s);

        handshake_shares_went(&s, next);
        handshake_shares_serve(&s, next);
        handshake_shares_took(&s, next, next == 0 ? 400 : 100);
        served[next]++;
    }
    assert_in_range(served[1], served[0] * 3, served[0] * 5);
    handshake_shares_clear(&s);
}

/* One signature at a time, of so many ms: what a step takes is what is under way before it. */
static void a_single_session_is_not_asked_for_more_than_it_does(void **state)
{
    struct handshake_pace p;

    (void)state;
    handshake_pace_init(&p, 9);
    handshake_pace_took(&p, SLOW_MS);
    for (int i = 0; i < 100; i++)
        handshake_pace_took(&p, (uint64_t)p.now * SLOW_MS);
    assert_in_range(p.now, 2, 3);
}

static void who_signs_for_all_at_once_is_asked_by_all(void **state)
{
    struct handshake_pace p;

    (void)state;
    handshake_pace_init(&p, 9);
    for (int i = 0; i < 100; i++)
        handshake_pace_took(&p, SLOW_MS + (uint64_t)(i % 30));
    assert_int_equal(p.now, 9);
    /* One that is quick is, whatever its steps take in comparison. */
    handshake_pace_init(&p, 9);
    handshake_pace_took(&p, 1);
    for (int i = 0; i < 100; i++)
        handshake_pace_took(&p, LIMIT_STEP_QUICK_MS);
    assert_int_equal(p.now, 9);
}

static void a_token_that_became_slower_is_learnt_anew(void **state)
{
    struct handshake_pace p;

    (void)state;
    handshake_pace_init(&p, 9);
    handshake_pace_took(&p, SLOW_MS);
    for (int i = 0; i < 100; i++)
        handshake_pace_took(&p, 10 * SLOW_MS);
    assert_int_equal(p.now, 9);
    handshake_pace_rest(&p);
    assert_int_equal(p.shortest_ms, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flooded_service_leaves_another_its_half),
        cmocka_unit_test(time_is_shared_and_not_steps),
        cmocka_unit_test(a_single_session_is_not_asked_for_more_than_it_does),
        cmocka_unit_test(who_signs_for_all_at_once_is_asked_by_all),
        cmocka_unit_test(a_token_that_became_slower_is_learnt_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
