/* The agent and PINs: who is asked, how often one is tried, and what ends a login. */
#include "agent_world.h"

static void pin_that_is_wrong_is_tried_once_until_an_administrator_gives_one(void **state)
{
    struct test_agent_options options = plain;
    struct world world;

    (void)state;
    options.pin = "9999";
    world_start(&world, &options);
    for (unsigned i = 0; i < 5; i++)
        test_expect_failed(test_find(world.client, EC_URI), TOKENS_WIRE_LOGIN, "CKR_PIN_INCORRECT");
    assert_int_equal(test_count(count_file, "C_Login"), 1);
    test_agent_expect(&world.agent, TOKENS_AGENT_PIN_TRYING, 1);
    test_agent_expect(&world.agent, TOKENS_AGENT_PIN_INCORRECT, 1);
    test_agent_expect(&world.agent, TOKENS_AGENT_PIN_WANTED, 1);
    test_agent_send_pin(&world.agent, TEST_PIN);
    test_agent_wait(&world.agent, TOKENS_AGENT_PIN_OK, 1);
    world.tag = test_find_tag(world.client, EC_URI);
    test_expect_signed(test_sign(world.client, EC_URI, world.tag));
    assert_int_equal(test_count(count_file, "C_Login"), 2);
    world_stop(&world, 0);
}

static void pin_refused_by_the_supervisor_fails_requests_at_once(void **state)
{
    struct test_agent_options options = plain;
    struct world world;

    (void)state;
    options.pin = NULL;
    world_start(&world, &options);
    test_expect_failed(test_find(world.client, EC_URI), TOKENS_WIRE_LOGIN, "none in this test");
    test_expect_failed(test_find(world.client, EC_URI), TOKENS_WIRE_LOGIN, "none in this test");
    test_agent_expect(&world.agent, TOKENS_AGENT_PIN_WANTED, 1);
    assert_int_equal(test_count(count_file, "C_Login"), 0);
    test_agent_send_pin(&world.agent, TEST_PIN);
    test_agent_wait(&world.agent, TOKENS_AGENT_PIN_OK, 1);
    world.tag = test_find_tag(world.client, EC_URI);
    world_stop(&world, 0);
}

static void pin_is_not_tried_when_one_try_is_left(void **state)
{
    struct world world;
    FILE *file = fopen(pin_state, "we");

    (void)state;
    assert_non_null(file);
    fputs("1\n", file);
    fclose(file);
    setenv("YETT_TEST_PIN_TRIES", "3", 1);
    world_start(&world, &plain);
    test_expect_failed(test_find(world.client, EC_URI), TOKENS_WIRE_LOGIN, "CKF_USER_PIN_FINAL_TRY");
    test_expect_failed(test_find(world.client, EC_URI), TOKENS_WIRE_LOGIN, "CKF_USER_PIN_FINAL_TRY");
    assert_int_equal(test_count(count_file, "C_Login"), 0);
    test_agent_expect(&world.agent, TOKENS_AGENT_PIN_LOCKED, 1);
    assert_int_equal(test_agent_events(&world.agent, TOKENS_AGENT_PIN_WANTED), 0);
    test_agent_send_pin(&world.agent, TEST_PIN);
    test_agent_wait(&world.agent, TOKENS_AGENT_PIN_OK, 1);
    world.tag = test_find_tag(world.client, EC_URI);
    world_stop(&world, 0);
}

static void tries_left(const char *text)
{
    FILE *file = fopen(pin_state, "we");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    setenv("YETT_TEST_PIN_TRIES", "3", 1);
}

/* Whoever gave it: we may have been started anew, with the PIN that was wrong before. */
static void pin_is_not_tried_after_a_wrong_one_that_the_token_remembers(void **state)
{
    struct world world;

    (void)state;
    tries_left("2\n");
    world_start(&world, &plain);
    test_expect_failed(test_find(world.client, EC_URI), TOKENS_WIRE_LOGIN, "CKF_USER_PIN_COUNT_LOW");
    test_expect_failed(test_find(world.client, EC_URI), TOKENS_WIRE_LOGIN, "CKF_USER_PIN_COUNT_LOW");
    assert_int_equal(test_count(count_file, "C_Login"), 0);
    test_agent_expect(&world.agent, TOKENS_AGENT_PIN_HELD, 1);
    test_agent_expect(&world.agent, TOKENS_AGENT_PIN_WANTED, 1);
    test_agent_send_pin(&world.agent, TEST_PIN);
    test_agent_wait(&world.agent, TOKENS_AGENT_PIN_OK, 1);
    world.tag = test_find_tag(world.client, EC_URI);
    world_stop(&world, 0);
}

static void pin_that_is_known_to_be_right_is_tried_all_the_same(void **state)
{
    struct test_agent_options options = plain;
    struct world world;

    (void)state;
    tries_left("2\n");
    options.knowing = true;
    world_start(&world, &options);
    world.tag = test_find_tag(world.client, EC_URI);
    assert_int_equal(test_count(count_file, "C_Login"), 1);
    test_agent_expect(&world.agent, TOKENS_AGENT_PIN_HELD, 0);
    world_stop(&world, 0);
}

static void pin_that_is_locked_is_said_by_name(void **state)
{
    struct world world;
    FILE *file = fopen(pin_state, "we");

    (void)state;
    assert_non_null(file);
    fputs("0\n", file);
    fclose(file);
    setenv("YETT_TEST_PIN_TRIES", "3", 1);
    world_start(&world, &plain);
    test_expect_failed(test_find(world.client, EC_URI), TOKENS_WIRE_LOGIN, "locked");
    test_agent_expect(&world.agent, TOKENS_AGENT_PIN_LOCKED, 1);
    assert_non_null(strstr(test_agent_text(&world.agent, TOKENS_AGENT_PIN_LOCKED), "CKF_USER_PIN_LOCKED"));
    assert_int_equal(test_count(count_file, "C_Login"), 0);
    world_stop(&world, 0);
}

/* Whatever it knows, it signs nothing until a PIN comes; and what was logged in to is logged out of. */
static void logout_ends_signing_until_a_pin_comes(void **state)
{
    struct world world;

    (void)state;
    world_start(&world, &plain);
    world.tag = test_find_tag(world.client, EC_URI);
    test_expect_signed(test_sign(world.client, EC_URI, world.tag));
    test_agent_send_logout(&world.agent);
    test_agent_wait(&world.agent, TOKENS_AGENT_LOGGED_OUT, 2); /* of both tokens */
    assert_int_equal(test_count(count_file, "C_Logout"), 2);
    for (unsigned i = 0; i < 3; i++)
        test_expect_failed(test_sign(world.client, EC_URI, world.tag), TOKENS_WIRE_LOGIN,
                           "an administrator has logged out");
    test_expect_failed(test_find(world.client, "pkcs11:token=two;object=other"), TOKENS_WIRE_LOGIN, "logged out");
    test_expect_failed(test_find(world.client, EC_URI), TOKENS_WIRE_LOGIN,
                       "logged out"); /* no worker: wants the truth */
    test_agent_expect(&world.agent, TOKENS_AGENT_PIN_WANTED, 1);
    assert_int_equal(test_count(count_file, "C_Login"), 1);
    test_agent_send_pin(&world.agent, TEST_PIN);
    test_agent_wait(&world.agent, TOKENS_AGENT_PIN_OK, 2);
    test_expect_signed(test_sign(world.client, EC_URI, world.tag));
    (void)test_find_tag(world.client, "pkcs11:token=two;object=other"); /* asks for its own */
    world_stop(&world, 0);
}

static void logout_of_a_key_pad_does_not_ask_it_again(void **state)
{
    struct world world;
    struct test_agent_options options = plain;

    (void)state;
    setenv("YETT_TEST_KEY_PAD_PIN", TEST_PIN, 1);
    options.pin = NULL;
    world_start(&world, &options);
    world.tag = test_find_tag(world.client, EC_URI);
    test_agent_send_logout(&world.agent);
    test_agent_wait(&world.agent, TOKENS_AGENT_LOGGED_OUT, 2);
    test_expect_failed(test_sign(world.client, EC_URI, world.tag), TOKENS_WIRE_LOGIN,
                       "an administrator has logged out");
    assert_int_equal(test_count(count_file, "C_Login"), 1);
    test_agent_send_pin(&world.agent, "anything: the key pad is asked");
    test_agent_wait(&world.agent, TOKENS_AGENT_PIN_OK, 2);
    test_expect_signed(test_sign(world.client, EC_URI, world.tag));
    world_stop(&world, 0);
}

/* Signatures in flight end one way or the other, and none begins later. */
static void logout_while_many_sign(void **state)
{
    struct signer signers[THREADS];
    struct world world;

    (void)state;
    setenv("YETT_TEST_SIGN_DELAY_MS", "5", 1);
    world_start(&world, &plain);
    world.tag = test_find_tag(world.client, EC_URI);
    for (unsigned round = 0; round < 5; round++) {
        for (size_t i = 0; i < THREADS; i++) {
            signers[i].world = &world;
            assert_int_equal(pthread_create(&signers[i].thread, NULL, signer_main, &signers[i]), 0);
        }
        test_agent_send_logout(&world.agent);
        for (size_t i = 0; i < THREADS; i++) {
            pthread_join(signers[i].thread, NULL);
            assert_int_equal(signers[i].call.status, AGENT_CLIENT_OK);
            free(signers[i].call.frame);
        }
        test_agent_wait(&world.agent, TOKENS_AGENT_LOGGED_OUT, 2 * (round + 1));
        test_expect_failed(test_sign(world.client, EC_URI, world.tag), TOKENS_WIRE_LOGIN,
                           "an administrator has logged out");
        test_agent_send_pin(&world.agent, TEST_PIN);
        test_agent_wait(&world.agent, TOKENS_AGENT_PIN_OK, 1);
        test_expect_signed(test_sign(world.client, EC_URI, world.tag));
    }
    world_stop(&world, 0);
}

static void key_pad_needs_no_pin(void **state)
{
    struct world world;

    (void)state;
    setenv("YETT_TEST_KEY_PAD_PIN", TEST_PIN, 1);
    world_start(&world, &plain);
    world.tag = test_find_tag(world.client, EC_URI);
    test_expect_signed(test_sign(world.client, EC_URI, world.tag));
    assert_int_equal(test_agent_events(&world.agent, TOKENS_AGENT_PIN_WANTED), 0);
    test_agent_expect(&world.agent, TOKENS_AGENT_PIN_OK, 1);
    world_stop(&world, 0);
}

static void always_authenticate_logs_in_for_each_signature(void **state)
{
    struct world world;

    (void)state;
    setenv("YETT_TEST_CONTEXT_PIN", TEST_PIN, 1);
    world_start(&world, &plain);
    world.tag = test_find_tag(world.client, EC_URI);
    for (unsigned i = 0; i < 3; i++)
        test_expect_signed(test_sign(world.client, EC_URI, world.tag));
    assert_int_equal(test_count(count_file, "C_Login(context)"), 3);
    assert_int_equal(test_count(count_file, "C_Login"), 1);
    world_stop(&world, 0);
}

static void pin_source_of_a_uri_is_read_once(void **state)
{
    struct test_agent_options options = plain;
    struct world world;
    char *path = test_store_path(&store, "pin-file");
    char *uri = base_printf("%s?pin-source=file:%s", EC_URI, path);
    FILE *file;

    (void)state;
    options.pin = NULL;
    test_file_create(path);
    file = fopen(path, "we");
    assert_non_null(file);
    fputs("7777\n", file);
    fclose(file);
    world_start(&world, &options);
    test_expect_failed(test_find(world.client, uri), TOKENS_WIRE_LOGIN, "CKR_PIN_INCORRECT");
    test_expect_failed(test_find(world.client, uri), TOKENS_WIRE_LOGIN, "CKR_PIN_INCORRECT");
    assert_int_equal(test_count(count_file, "C_Login"), 1);
    test_agent_expect(&world.agent, TOKENS_AGENT_PIN_INCORRECT, 1);
    world_stop(&world, 0);
    unlink(count_file);
    file = fopen(path, "we");
    assert_non_null(file);
    fputs(TEST_PIN "\n", file);
    fclose(file);
    world_start(&world, &options);
    test_expect_failed(test_find(world.client, uri), TOKENS_WIRE_LOGIN, "CKF_USER_PIN_COUNT_LOW");
    assert_int_equal(test_count(count_file, "C_Login"), 0);
    test_agent_send_pin(&world.agent, TEST_PIN);
    test_agent_wait(&world.agent, TOKENS_AGENT_PIN_OK, 1);
    world_stop(&world, 0);
    world_start(&world, &options);
    world.tag = test_find_tag(world.client, uri);
    test_agent_expect(&world.agent, TOKENS_AGENT_PIN_OK, 1);
    world_stop(&world, 0);
    free(uri);
    free(path);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(pin_that_is_wrong_is_tried_once_until_an_administrator_gives_one),
        TEST(pin_refused_by_the_supervisor_fails_requests_at_once),
        TEST(pin_is_not_tried_when_one_try_is_left),
        TEST(pin_is_not_tried_after_a_wrong_one_that_the_token_remembers),
        TEST(pin_that_is_known_to_be_right_is_tried_all_the_same),
        TEST(pin_that_is_locked_is_said_by_name),
        TEST(logout_ends_signing_until_a_pin_comes),
        TEST(logout_of_a_key_pad_does_not_ask_it_again),
        TEST(logout_while_many_sign),
        TEST(key_pad_needs_no_pin),
        TEST(always_authenticate_logs_in_for_each_signature),
        TEST(pin_source_of_a_uri_is_read_once),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
