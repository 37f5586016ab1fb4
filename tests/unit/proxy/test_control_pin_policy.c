/* When a PIN may be given: each of the rules of tokens/agent/agent.h, and what an agent that dies does to them. */
#include "proxy/supervisor/pin_policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static bool give(struct pin_policy *p, const char *label)
{
    const char *why;
    bool given = pin_policy_give(p, label, &why);

    assert_true(given == (why == NULL));
    return given;
}

static void try_right(struct pin_policy *p, const char *label)
{
    assert_true(give(p, label));
    pin_policy_trying(p, label);
    pin_policy_right(p, label);
}

static void give_once_per_agent(void **state)
{
    struct pin_policy p = {0};

    (void)state;
    assert_true(give(&p, "Mail"));
    assert_false(give(&p, "Mail"));
    assert_true(give(&p, "Other")); /* another token of the module has tries of its own */
    pin_policy_agent_died(&p);      /* before it tried: nothing was spent */
    assert_true(give(&p, "Mail"));
}

static void give_right_to_each_restarted_agent(void **state)
{
    struct pin_policy p = {0};

    (void)state;
    try_right(&p, "Mail");
    assert_int_equal(pin_policy_worst(&p), PIN_STANDING_RIGHT);
    for (int agent = 0; agent < 20; agent++) {
        pin_policy_agent_died(&p);
        try_right(&p, "Mail");
        assert_false(give(&p, "Mail"));
    }
}

static void what_is_known_of_a_pin(void **state)
{
    struct pin_policy p = {0};

    (void)state;
    assert_false(pin_policy_was_right(&p, "Mail"));
    assert_false(pin_policy_was_given(&p, "Mail"));
    try_right(&p, "Mail");
    assert_true(pin_policy_was_right(&p, "Mail"));
    assert_true(pin_policy_was_given(&p, "Mail"));
    pin_policy_agent_died(&p);
    assert_true(pin_policy_was_right(&p, "Mail"));
    assert_false(pin_policy_was_given(&p, "Mail"));
    pin_policy_refused(&p, "Mail", PIN_STANDING_HELD);
    assert_false(pin_policy_was_right(&p, "Mail"));
    assert_false(give(&p, "Mail"));
    assert_true(pin_policy_is_spent(&p));
    assert_string_equal(pin_standing_name(pin_policy_worst(&p)), "held");
    assert_int_equal(pin_policy_renew(&p), 1);
    assert_int_equal(pin_policy_worst(&p), PIN_STANDING_UNTRIED);
}

static void give_again_to_the_next_agent_after_a_try_that_came_to_nothing(void **state)
{
    struct pin_policy p = {0};

    (void)state;
    assert_true(give(&p, "Mail"));
    pin_policy_trying(&p, "Mail");
    pin_policy_unused(&p, "Mail");
    assert_int_equal(pin_policy_worst(&p), PIN_STANDING_UNTRIED);
    assert_false(pin_policy_is_spent(&p));
    assert_false(give(&p, "Mail")); /* this agent has it */
    pin_policy_agent_died(&p);
    assert_int_equal(pin_policy_worst(&p), PIN_STANDING_UNTRIED);
    try_right(&p, "Mail");
}

static void give_never_after_refusal(void **state)
{
    static const enum pin_standing refusals[] = {PIN_STANDING_INCORRECT, PIN_STANDING_LOCKED};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        struct pin_policy p = {0};

        assert_true(give(&p, "Mail"));
        pin_policy_trying(&p, "Mail");
        pin_policy_refused(&p, "Mail", refusals[i]);
        for (int agent = 0; agent < 20; agent++) {
            assert_false(give(&p, "Mail"));
            pin_policy_agent_died(&p);
        }
        assert_int_equal(pin_policy_worst(&p), refusals[i]);
        assert_true(pin_policy_is_spent(&p));
    }
}

static void give_never_after_death_while_trying(void **state)
{
    struct pin_policy p = {0};

    (void)state;
    assert_true(give(&p, "Mail"));
    pin_policy_trying(&p, "Mail");
    pin_policy_agent_died(&p);
    assert_false(give(&p, "Mail"));
    pin_policy_agent_died(&p);
    assert_false(give(&p, "Mail"));
    assert_int_equal(pin_policy_worst(&p), PIN_STANDING_UNKNOWN);
}

static void give_right_again_after_one_death_while_trying(void **state)
{
    struct pin_policy p = {0};

    (void)state;
    try_right(&p, "Mail");
    pin_policy_agent_died(&p);
    assert_true(give(&p, "Mail"));
    pin_policy_trying(&p, "Mail");
    pin_policy_agent_died(&p);
    assert_true(give(&p, "Mail"));
    pin_policy_trying(&p, "Mail");
    pin_policy_agent_died(&p);
    assert_false(give(&p, "Mail")); /* twice in a row: no more */
}

static void right_then_incorrect_is_spent(void **state)
{
    struct pin_policy p = {0};

    (void)state;
    try_right(&p, "Mail");
    pin_policy_agent_died(&p);
    assert_true(give(&p, "Mail"));
    pin_policy_trying(&p, "Mail");
    pin_policy_refused(&p, "Mail", PIN_STANDING_INCORRECT); /* changed elsewhere */
    pin_policy_agent_died(&p);
    assert_false(give(&p, "Mail"));
}

static void refused_names_its_token(void **state)
{
    struct pin_policy p = {0};

    (void)state;
    assert_true(give(&p, "A"));
    assert_true(give(&p, "B"));
    pin_policy_trying(&p, "A");
    pin_policy_trying(&p, "B");
    pin_policy_refused(&p, "B", PIN_STANDING_INCORRECT);
    pin_policy_right(&p, "A");
    pin_policy_agent_died(&p);
    assert_true(give(&p, "A"));
    assert_false(give(&p, "B"));
}

static void two_tokens_with_one_label_are_two_accounts(void **state)
{
    struct pin_policy p = {0};

    (void)state;
    try_right(&p, "Mail\n1");
    assert_true(give(&p, "Mail\n2"));
    pin_policy_trying(&p, "Mail\n2");
    pin_policy_refused(&p, "Mail\n2", PIN_STANDING_INCORRECT);
    pin_policy_agent_died(&p);
    assert_true(give(&p, "Mail\n1"));
    assert_false(give(&p, "Mail\n2"));
}

static void renew_gives_one_more_try(void **state)
{
    struct pin_policy p = {0};

    (void)state;
    try_right(&p, "Good");
    assert_true(give(&p, "Bad"));
    pin_policy_trying(&p, "Bad");
    pin_policy_refused(&p, "Bad", PIN_STANDING_INCORRECT);
    assert_int_equal(pin_policy_renew(&p), 2); /* who has the old one needs the new one, too */
    assert_false(give(&p, "Bad"));             /* given by the renewal itself, to the agent that was turned down */
    pin_policy_trying(&p, "Bad");
    pin_policy_refused(&p, "Bad", PIN_STANDING_INCORRECT);
    pin_policy_agent_died(&p);
    assert_false(give(&p, "Bad"));
    assert_true(give(&p, "Good"));
    assert_int_equal(pin_policy_renew(&p), 2);
    pin_policy_agent_died(&p); /* before it tried */
    assert_true(give(&p, "Bad"));
}

static void renew_serves_who_asked_in_vain(void **state)
{
    struct pin_policy p = {0};

    (void)state;
    pin_policy_missing(&p, "Mail"); /* no PIN was configured */
    pin_policy_token_gone(&p, "Somebody else's", false);
    assert_int_equal(pin_policy_renew(&p), 1);
    pin_policy_trying(&p, "Mail");
    pin_policy_right(&p, "Mail");
    assert_int_equal(pin_policy_renew(&p), 1);
    assert_int_equal(pin_policy_worst(&p), PIN_STANDING_UNTRIED);
    pin_policy_agent_died(&p);
    assert_true(give(&p, "Mail"));
}

static void one_that_came_unasked_is_untried(void **state)
{
    struct pin_policy p = {0};

    (void)state;
    assert_true(give(&p, "Mail"));
    pin_policy_trying(&p, "Mail");
    pin_policy_refused(&p, "Mail", PIN_STANDING_LOCKED);
    pin_policy_taken(&p, "Mail");
    assert_int_equal(pin_policy_worst(&p), PIN_STANDING_UNTRIED);
    assert_false(give(&p, "Mail"));
    pin_policy_agent_died(&p);
    assert_true(give(&p, "Mail"));
}

static void logout_makes_everybody_wait_for_the_next(void **state)
{
    struct pin_policy p = {0};

    (void)state;
    try_right(&p, "Mail");
    assert_true(give(&p, "Web"));            /* not tried yet */
    pin_policy_right(&p, "Key pad");         /* never given one */
    pin_policy_token_gone(&p, "Idle", true); /* has nothing to do with it */
    pin_policy_logout(&p);
    assert_int_equal(pin_policy_renew(&p), 3);
    assert_false(give(&p, "Mail"));
    assert_true(give(&p, "Idle"));
    assert_int_equal(pin_policy_renew(&p), 4);
}

static void too_many_tokens_get_nothing(void **state)
{
    struct pin_policy p = {0};
    char label[PIN_POLICY_LABEL_SIZE];

    (void)state;
    for (int i = 0; i < PIN_POLICY_TOKENS_MAX; i++) {
        snprintf(label, sizeof(label), "token %d", i);
        assert_true(give(&p, label));
    }
    assert_false(give(&p, "one more"));
    pin_policy_trying(&p, "one more");
    pin_policy_right(&p, "one more");
    assert_int_equal(p.count, PIN_POLICY_TOKENS_MAX);
}

static void long_labels_are_told_apart_up_to_their_size(void **state)
{
    struct pin_policy p = {0};
    char label[200];

    (void)state;
    memset(label, 'x', sizeof(label) - 1);
    label[sizeof(label) - 1] = '\0';
    assert_true(give(&p, label));
    assert_false(give(&p, label));
    assert_int_equal(p.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(give_once_per_agent),
        cmocka_unit_test(give_right_to_each_restarted_agent),
        cmocka_unit_test(what_is_known_of_a_pin),
        cmocka_unit_test(give_again_to_the_next_agent_after_a_try_that_came_to_nothing),
        cmocka_unit_test(give_never_after_refusal),
        cmocka_unit_test(give_never_after_death_while_trying),
        cmocka_unit_test(give_right_again_after_one_death_while_trying),
        cmocka_unit_test(right_then_incorrect_is_spent),
        cmocka_unit_test(refused_names_its_token),
        cmocka_unit_test(two_tokens_with_one_label_are_two_accounts),
        cmocka_unit_test(renew_gives_one_more_try),
        cmocka_unit_test(renew_serves_who_asked_in_vain),
        cmocka_unit_test(one_that_came_unasked_is_untried),
        cmocka_unit_test(logout_makes_everybody_wait_for_the_next),
        cmocka_unit_test(too_many_tokens_get_nothing),
        cmocka_unit_test(long_labels_are_told_apart_up_to_their_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
