/* When a token is held to fail, and what is tried then. No token, no clock. */
#include "tokens/agent/agent_health.h"
#include "tokens/ckr.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

enum { START_MS = 1000000, TICK_MS = 100 };

static void bad(struct agent_health *h, unsigned times, uint64_t now_ms)
{
    while (times-- > 0)
        agent_health_bad(h, AGENT_SIGN, now_ms);
}

static void some_failures_in_a_row_or_one_for_long(void **state)
{
    struct agent_health h = {0};

    (void)state;
    bad(&h, AGENT_HEALTH_FAILURES - 1, START_MS);
    assert_false(agent_health_fails(&h, START_MS));
    assert_int_equal(agent_health_due(&h, false, START_MS), AGENT_REPAIR_NONE);
    assert_true(agent_health_fails(&h, START_MS + AGENT_HEALTH_MS));
    agent_health_good(&h, AGENT_SIGN);
    assert_false(agent_health_fails(&h, START_MS + AGENT_HEALTH_MS));
    bad(&h, AGENT_HEALTH_FAILURES, START_MS);
    assert_true(agent_health_fails(&h, START_MS));
    agent_health_good(&h, AGENT_FIND); /* looking up works, signing does not */
    assert_true(agent_health_fails(&h, START_MS));
    agent_health_reset(&h);
    agent_health_bad(&h, AGENT_LOGIN, START_MS);
    assert_true(agent_health_fails(&h, START_MS));
}

/* What is tried within `ms` while every signature fails, and logins succeed or not. */
struct outage {
    unsigned looks, restarts, processes, logins;
    bool logins_succeed, others_are_well, needs_login;
};

static void live_through(struct outage *o, struct agent_health *h, uint64_t from_ms, uint64_t ms)
{
    bool logged_in = !o->needs_login;

    for (uint64_t now_ms = from_ms; now_ms < from_ms + ms && o->processes == 0; now_ms += TICK_MS) {
        enum agent_repair due;

        if (!logged_in && agent_health_may_login(h, now_ms)) {
            o->logins++;
            logged_in = o->logins_succeed;
            if (logged_in)
                agent_health_good(h, AGENT_LOGIN);
            else
                agent_health_bad(h, AGENT_LOGIN, now_ms);
        }
        if (logged_in)
            bad(h, 1, now_ms);
        due = agent_health_due(h, o->others_are_well, now_ms);
        o->looks += due == AGENT_REPAIR_LOOK;
        o->restarts += due == AGENT_REPAIR_RESTART;
        o->processes += due == AGENT_REPAIR_PROCESS;
        if (due == AGENT_REPAIR_NONE)
            continue;
        agent_health_tried(h, due, now_ms);
        logged_in = due == AGENT_REPAIR_RESTART ? !o->needs_login : logged_in;
    }
}

static struct agent_health good_before(void)
{
    struct agent_health h = {0};

    assert_true(agent_health_may_login(&h, START_MS));
    agent_health_good(&h, AGENT_SIGN);
    return h;
}

static void look_then_restart_then_another_process_with_one_login_each(void **state)
{
    struct outage o = {.logins_succeed = true, .needs_login = true};
    struct agent_health h = good_before();

    (void)state;
    live_through(&o, &h, START_MS, 5000);
    assert_int_equal(o.looks, 1);
    assert_int_equal(o.restarts, 1);
    assert_int_equal(o.processes, 1);
    assert_int_equal(o.logins, 2); /* the one that it lost at the beginning, and one after the restart */
    /* The one that takes over has one more, and waits. */
    h = (struct agent_health){0};
    o = (struct outage){.logins_succeed = true, .needs_login = true};
    live_through(&o, &h, START_MS, AGENT_HEALTH_LONG_MS - 1000);
    assert_int_equal(o.restarts, 0);
    assert_int_equal(o.processes, 0);
    assert_int_equal(o.logins, 1);
    live_through(&o, &h, START_MS + AGENT_HEALTH_LONG_MS, AGENT_HEALTH_LONG_MS_MAX * 4);
    assert_int_equal(o.processes, 0); /* it never gives way */
    assert_in_range(o.restarts, 4, 9);
    assert_in_range(o.logins, 5, 10);
}

static void logins_that_fail_are_tried_twice_and_then_seldom(void **state)
{
    struct outage o = {.needs_login = true};
    struct agent_health h = good_before();

    (void)state;
    live_through(&o, &h, START_MS, AGENT_HEALTH_LONG_MS - 1000);
    assert_int_equal(o.logins, 2);
    assert_int_equal(o.restarts, 1);
    live_through(&o, &h, START_MS + AGENT_HEALTH_LONG_MS, AGENT_HEALTH_LONG_MS);
    assert_int_equal(o.logins, 3);
    /* The same at the first start, where nobody knows better. */
    h = (struct agent_health){0};
    o = (struct outage){.needs_login = true};
    live_through(&o, &h, START_MS, AGENT_HEALTH_LONG_MS - 1000);
    assert_int_equal(o.logins, 2);
}

static void restarts_without_logins_go_on_soon(void **state)
{
    struct outage o = {.logins_succeed = true};
    struct agent_health h = good_before();

    (void)state;
    live_through(&o, &h, START_MS, 5000);
    assert_in_range(o.restarts, 3, 5);
    assert_int_equal(o.processes, 0);
    live_through(&o, &h, START_MS + 5000, 60000);
    assert_int_equal(o.restarts, AGENT_HEALTH_RESTARTS);
    assert_int_equal(o.processes, 1);
}

static void tokens_that_are_well_are_disturbed_seldom(void **state)
{
    struct outage o = {.logins_succeed = true, .others_are_well = true};
    struct agent_health h = good_before();

    (void)state;
    live_through(&o, &h, START_MS, AGENT_HEALTH_LONG_MS - 1000);
    assert_int_equal(o.restarts, 1);
    live_through(&o, &h, START_MS + AGENT_HEALTH_LONG_MS, 3600000);
    assert_int_equal(o.processes, 0);
    assert_in_range(o.restarts, 10, 25);
}

static void what_a_code_is_about(void **state)
{
    static const CK_RV pins[] = {CKR_PIN_INCORRECT, CKR_PIN_INVALID, CKR_PIN_LEN_RANGE,
                                 CKR_PIN_EXPIRED,   CKR_PIN_LOCKED,  CKR_USER_PIN_NOT_INITIALIZED};
    char text[TOKENS_CKR_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pins); i++)
        assert_int_equal(tokens_ckr_about(pins[i]), TOKENS_CKR_PIN);
    assert_int_equal(tokens_ckr_about(CKR_VENDOR_DEFINED | 0x113), TOKENS_CKR_TOKEN);
    assert_int_equal(tokens_ckr_about(0x1234), TOKENS_CKR_TOKEN);
    assert_int_equal(tokens_ckr_about(CKR_GENERAL_ERROR), TOKENS_CKR_TOKEN);
    assert_int_equal(tokens_ckr_about(CKR_DATA_INVALID), TOKENS_CKR_REQUEST);
    assert_int_equal(tokens_ckr_about(CKR_SESSION_HANDLE_INVALID), TOKENS_CKR_SESSION);
    assert_string_equal(tokens_ckr_text(CKR_DEVICE_REMOVED, text), "CKR_DEVICE_REMOVED (0x32)");
    assert_string_equal(tokens_ckr_text(0x80000113, text), "CKR_VENDOR_DEFINED (0x80000113)");
#define SAME(name, number, about) assert_int_equal(CKR_##name, number);
    SAME(SESSION_COUNT, 0xb1, ) SAME(FUNCTION_REJECTED, 0x200, ) SAME(USER_TOO_MANY_TYPES, 0x105, )
#undef SAME
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(some_failures_in_a_row_or_one_for_long),
        cmocka_unit_test(look_then_restart_then_another_process_with_one_login_each),
        cmocka_unit_test(logins_that_fail_are_tried_twice_and_then_seldom),
        cmocka_unit_test(restarts_without_logins_go_on_soon),
        cmocka_unit_test(tokens_that_are_well_are_disturbed_seldom),
        cmocka_unit_test(what_a_code_is_about),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
