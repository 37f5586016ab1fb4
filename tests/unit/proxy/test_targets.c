/* In which order several targets are tried: by `balance`, and behind the others while they are left alone. */
#include "proxy/process/limits.h"
#include "proxy/session/targets.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { COUNT = 3, NOW = 1000000 };

static struct config_service configs[2];
static struct service items[2] = {{.config = &configs[0]}, {.config = &configs[1]}};
static const struct services services = {.items = items, .count = 2};
static struct targets *targets;

static void begin(enum config_balance balance)
{
    configs[0] = (struct config_service){.connect_count = COUNT, .balance = balance};
    configs[1] = (struct config_service){.connect_count = 1};
    targets = targets_create(&services);
}

/* "012" */
static const char *order(uint64_t now_ms)
{
    static char text[COUNT + 1];
    size_t places[COUNT];

    targets_order(targets, 0, now_ms, places);
    for (size_t i = 0; i < COUNT; i++)
        text[i] = (char)('0' + places[i]);
    return text;
}

static void one_target_is_no_choice(void **state)
{
    (void)state;
    begin(CONFIG_BALANCE_FIRST);
    assert_true(targets_has(targets, 0));
    assert_false(targets_has(targets, 1));
    assert_false(targets_has(NULL, 0));
    targets_destroy(&targets);
    targets_destroy(&targets);
}

static void first_is_always_first(void **state)
{
    (void)state;
    begin(CONFIG_BALANCE_FIRST);
    targets_hold(targets, 0, 0);
    for (int i = 0; i < 5; i++)
        assert_string_equal(order(NOW), "012");
    targets_release(targets, 0, 0);
    targets_destroy(&targets);
}

static void round_goes_round(void **state)
{
    static const char *const want[] = {"012", "120", "201", "012"};

    (void)state;
    begin(CONFIG_BALANCE_ROUND);
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        assert_string_equal(order(NOW), want[i]);
    targets_destroy(&targets);
}

static void least_is_who_has_fewest(void **state)
{
    (void)state;
    begin(CONFIG_BALANCE_LEAST);
    targets_hold(targets, 0, 0);
    targets_hold(targets, 0, 0);
    targets_hold(targets, 0, 1);
    assert_string_equal(order(NOW), "210");
    targets_hold(targets, 0, 2);
    targets_hold(targets, 0, 2);
    targets_hold(targets, 0, 2);
    assert_int_equal(order(NOW)[0], '1');
    for (int i = 0; i < 2; i++)
        targets_release(targets, 0, 0);
    assert_string_equal(order(NOW), "012");
    targets_release(targets, 0, 1);
    for (int i = 0; i < 3; i++)
        targets_release(targets, 0, 2);
    /* Of those that have as few, each in its turn: many that come at once go to all of them. */
    {
        char firsts[COUNT + 1] = "";

        for (size_t i = 0; i < COUNT; i++)
            firsts[i] = order(NOW)[0];
        assert_non_null(strchr(firsts, '0'));
        assert_non_null(strchr(firsts, '1'));
        assert_non_null(strchr(firsts, '2'));
    }
    targets_destroy(&targets);
}

static void who_failed_is_left_alone(void **state)
{
    (void)state;
    begin(CONFIG_BALANCE_FIRST);
    assert_true(targets_note_failed(targets, 0, 0, NOW));
    assert_string_equal(order(NOW), "120");
    assert_string_equal(order(NOW + LIMIT_TARGET_ALONE_MS - 1), "120");
    assert_string_equal(order(NOW + LIMIT_TARGET_ALONE_MS), "012"); /* one more try */
    assert_true(targets_note_good(targets, 0, 0));
    assert_false(targets_note_good(targets, 0, 0));
    assert_string_equal(order(NOW), "012");
    targets_destroy(&targets);
}

static void all_have_failed_and_the_earliest_is_tried(void **state)
{
    (void)state;
    begin(CONFIG_BALANCE_FIRST);
    assert_true(targets_note_failed(targets, 0, 1, NOW));
    assert_true(targets_note_failed(targets, 0, 2, NOW + 1));
    assert_true(targets_note_failed(targets, 0, 0, NOW + 2));
    assert_string_equal(order(NOW + 3), "120");
    targets_destroy(&targets);
}

static void each_time_is_twice_the_last(void **state)
{
    uint64_t now_ms = NOW;
    uint32_t want_ms = LIMIT_TARGET_ALONE_MS;

    (void)state;
    begin(CONFIG_BALANCE_FIRST);
    assert_int_equal(targets_alone_ms(targets, 0, 0), 0);
    for (int i = 0; i < 40; i++) {
        assert_true(targets_note_failed(targets, 0, 0, now_ms) == (i == 0));
        /* Others that were on their way to it fail with it: once. */
        assert_false(targets_note_failed(targets, 0, 0, now_ms));
        assert_int_equal(targets_alone_ms(targets, 0, 0), want_ms);
        now_ms += want_ms;
        want_ms = want_ms * 2 < LIMIT_TARGET_ALONE_MAX_MS ? want_ms * 2 : LIMIT_TARGET_ALONE_MAX_MS;
    }
    assert_true(targets_note_good(targets, 0, 0));
    assert_true(targets_note_failed(targets, 0, 0, now_ms));
    assert_int_equal(targets_alone_ms(targets, 0, 0), LIMIT_TARGET_ALONE_MS);
    targets_destroy(&targets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_target_is_no_choice),
        cmocka_unit_test(first_is_always_first),
        cmocka_unit_test(round_goes_round),
        cmocka_unit_test(least_is_who_has_fewest),
        cmocka_unit_test(who_failed_is_left_alone),
        cmocka_unit_test(all_have_failed_and_the_earliest_is_tried),
        cmocka_unit_test(each_time_is_twice_the_last),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
