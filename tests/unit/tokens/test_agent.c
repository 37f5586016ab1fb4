/* The agent against a token that misbehaves. PINs are in test_agent_pin.c. */
#include "agent_world.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

static void find_gives_certificate_and_chain_and_asks_no_pin_of_other_tokens(void **state)
{
    struct tokens_wire_identity identity;
    struct world world;
    struct test_call call;

    (void)state;
    world_start(&world, &plain);
    call = test_find(world.client, "pkcs11:object=ec");
    assert_int_equal(call.status, AGENT_CLIENT_OK);
    assert_int_equal(call.reply.type, TOKENS_WIRE_FOUND);
    assert_int_equal(tokens_wire_identity_decode(call.reply.identity, &identity), TOKENS_WIRE_OK);
    assert_int_equal(identity.key_type, TOKENS_WIRE_KEY_EC);
    assert_int_equal(identity.mechanisms, 1 << TOKENS_WIRE_ECDSA);
    assert_true(identity.cert.size > 0);
    assert_int_equal(identity.chain_count, 1); /* "TestCA" */
    assert_true(span_equal(identity.token_label, span_of_string("one")));
    free(call.frame);
    test_agent_expect(&world.agent, TOKENS_AGENT_PIN_WANTED, 1);
    assert_string_equal(test_agent_text(&world.agent, TOKENS_AGENT_PIN_WANTED), "one");
    world_stop(&world, 0);
}

static void find_lists_candidates(void **state)
{
    struct world world;

    (void)state;
    world_start(&world, &plain);
    test_expect_failed(test_find(world.client, "pkcs11:token=one;type=private"), TOKENS_WIRE_AMBIGUOUS,
                       "object=TestCA");
    test_expect_failed(test_find(world.client, "pkcs11:token=one;object=x"), TOKENS_WIRE_NOT_FOUND, "object=ec");
    test_expect_failed(test_find(world.client, "pkcs11:token=three"), TOKENS_WIRE_GONE, "token=two");
    test_expect_failed(test_find(world.client, "pkcs11:token=one;object=ec?module-name=foo"), TOKENS_WIRE_GONE,
                       "no token");
    test_expect_failed(test_find(world.client, "http://x"), TOKENS_WIRE_BAD_URI, "scheme");
    world.tag = test_find_tag(world.client, "pkcs11:token=one;object=ec?module-name=slow-token");
    world_stop(&world, 0);
}

static void token_with_a_single_session_serves_all(void **state)
{
    struct signer signers[THREADS];
    struct world world;

    (void)state;
    setenv("YETT_TEST_SESSIONS_MAX", "1", 1);
    world_start(&world, &plain);
    world.tag = test_find_tag(world.client, EC_URI);
    sign_at_once(&world, signers, THREADS);
    for (size_t i = 0; i < THREADS; i++)
        test_expect_signed(signers[i].call);
    world_stop(&world, 0);
}

static void module_that_cannot_lock_is_called_by_one_thread_at_a_time(void **state)
{
    struct signer signers[THREADS];
    struct world world;

    (void)state;
    setenv("YETT_TEST_CANT_LOCK", "1", 1);
    setenv("YETT_TEST_SIGN_DELAY_MS", "5", 1);
    world_start(&world, &plain);
    world.tag = test_find_tag(world.client, EC_URI);
    sign_at_once(&world, signers, THREADS);
    for (size_t i = 0; i < THREADS; i++)
        test_expect_signed(signers[i].call);
    assert_int_equal(test_count(count_file, "C_Sign"), THREADS);
    assert_int_equal(test_count(count_file, "CONCURRENT"), 0);
    world_stop(&world, 0);
}

static void queue_that_is_full_refuses_and_counts(void **state)
{
    struct test_agent_options options = {.sessions = 1, .queue = 2, .timeout_ms = 10000, .pin = TEST_PIN};
    struct signer signers[THREADS];
    struct world world;
    size_t done = 0, refused = 0;

    (void)state;
    setenv("YETT_TEST_HANG_FILE", hang_file, 1);
    world_start(&world, &options);
    world.tag = test_find_tag(world.client, EC_URI);
    test_file_create(hang_file); /* no signature ends before all requests are there */
    for (size_t i = 0; i < THREADS; i++) {
        signers[i].world = &world;
        assert_int_equal(pthread_create(&signers[i].thread, NULL, signer_main, &signers[i]), 0);
        /* The first has its place before the others come and wait. */
        while (test_count(count_file, "C_Sign") == 0)
            usleep(1000);
    }
    test_agent_wait_refused(&world.agent, THREADS - 3);
    unlink(hang_file);
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(signers[i].thread, NULL);
        if (signers[i].call.reply.type == TOKENS_WIRE_SIGNED) {
            test_expect_signed(signers[i].call);
            done++;
        } else {
            test_expect_failed(signers[i].call, TOKENS_WIRE_QUEUE_FULL, "queue_max");
            refused++;
        }
    }
    assert_int_equal(done, 3); /* one in its place, two waiting */
    assert_int_equal(refused, THREADS - 3);
    world_stop(&world, 0);
}

static void signature_that_hangs_loses_its_place_and_others_go_on(void **state)
{
    struct test_agent_options options = {.sessions = 2, .queue = 16, .timeout_ms = 3000, .pin = TEST_PIN};
    struct world world;

    (void)state;
    setenv("YETT_TEST_HANG_AT", "1", 1);
    world_start(&world, &options);
    world.tag = test_find_tag(world.client, EC_URI);
    test_expect_failed(test_sign(world.client, EC_URI, world.tag), TOKENS_WIRE_TIMEOUT, "no answer from token \"one\"");
    for (unsigned i = 0; i < 5; i++)
        test_expect_signed(test_sign(world.client, EC_URI, world.tag));
    world_stop(&world, 0);
}

static void token_that_hangs_for_good_ends_the_agent_and_not_the_others_before(void **state)
{
    struct test_agent_options options = {.sessions = 1, .queue = 16, .timeout_ms = 1000, .pin = TEST_PIN};
    struct world world;
    uint64_t other;

    (void)state;
    setenv("YETT_TEST_HANG_AT", "1", 1);
    world_start(&world, &options);
    world.tag = test_find_tag(world.client, EC_URI);
    other = test_find_tag(world.client, "pkcs11:token=two;object=other");
    test_expect_failed(test_sign(world.client, EC_URI, world.tag), TOKENS_WIRE_TIMEOUT, "no answer");
    test_expect_failed(test_sign(world.client, EC_URI, world.tag), TOKENS_WIRE_TIMEOUT, "hangs");
    test_expect_signed(test_sign(world.client, "pkcs11:token=two;object=other", other));
    test_agent_wait(&world.agent, TOKENS_AGENT_FAILED, 1);
    assert_non_null(strstr(test_agent_text(&world.agent, TOKENS_AGENT_FAILED), "token one hangs"));
    world_stop(&world, 1);
}

static void session_that_was_dropped_is_opened_again_and_the_signature_made(void **state)
{
    struct world world;

    (void)state;
    setenv("YETT_TEST_LOSE_AT", "3", 1);
    world_start(&world, &plain);
    world.tag = test_find_tag(world.client, EC_URI);
    for (unsigned i = 0; i < 5; i++)
        test_expect_signed(test_sign(world.client, EC_URI, world.tag));
    assert_int_equal(test_count(count_file, "C_Sign"), 6);
    assert_int_equal(test_count(count_file, "C_Login"), 2); /* the kept PIN, once more */
    test_agent_expect(&world.agent, TOKENS_AGENT_PIN_WANTED, 1);
    world_stop(&world, 0);
}

static void module_that_recovers_only_by_finalize_is_finalized(void **state)
{
    struct world world;

    (void)state;
    setenv("YETT_TEST_NEEDS_FINALIZE", "1", 1);
    world_start(&world, &plain);
    world.tag = test_find_tag(world.client, EC_URI);
    test_file_create(gone_file);
    test_expect_failed(test_sign(world.client, EC_URI, world.tag), TOKENS_WIRE_GONE, "one");
    test_agent_wait(&world.agent, TOKENS_AGENT_TOKEN_GONE, 1);
    unlink(gone_file);
    test_agent_wait(&world.agent, TOKENS_AGENT_TOKEN_BACK, 1);
    test_expect_signed(test_sign(world.client, EC_URI, world.tag));
    assert_true(test_count(count_file, "C_Finalize") >= 1);
    world_stop(&world, 0);
}

static void key_that_is_not_the_one_found_at_first_does_not_sign(void **state)
{
    struct world world;

    (void)state;
    world_start(&world, &plain);
    test_expect_failed(test_sign(world.client, EC_URI, 12345), TOKENS_WIRE_KEY_CHANGED, "another key");
    assert_int_equal(test_count(count_file, "C_Sign"), 0);
    world_stop(&world, 0);
}

static void module_that_crashes_fails_one_request_and_the_next_agent_goes_on(void **state)
{
    struct world world;
    struct test_call call;

    (void)state;
    setenv("YETT_TEST_ABORT_AT", "1", 1);
    world_start(&world, &plain);
    world.tag = test_find_tag(world.client, EC_URI);
    {
        struct signer signer = {.world = &world};

        assert_int_equal(pthread_create(&signer.thread, NULL, signer_main, &signer), 0);
        pthread_mutex_lock(&world.agent.mutex);
        while (!world.agent.ended)
            pthread_cond_wait(&world.agent.changed, &world.agent.mutex);
        pthread_mutex_unlock(&world.agent.mutex);
        test_agent_kill(&world.agent, SIGKILL);
        unsetenv("YETT_TEST_ABORT_AT");
        test_agent_restart(&world.agent, &plain);
        pthread_join(signer.thread, NULL);
        call = signer.call;
    }
    test_expect_signed(call); /* sent again, once, to the new agent */
    test_expect_signed(test_sign(world.client, EC_URI, world.tag));
    world_stop(&world, 0);
}

static void nonsense_ends_the_connection_and_nothing_else(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
    } table[] = {
        {"\x00\x00\x00\x00", 4},
        {"\xff\xff\xff\xff", 4},
        {"\x00\x00\x00\x05\x09\x00\x00\x00\x01", 9},
        {"GET / HTTP/1.0\r\n\r\n", 18},
    };
    struct world world;
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)state;
    world_start(&world, &plain);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", world.agent.socket_path);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        char byte;

        assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(send(fd, table[i].bytes, table[i].size, MSG_NOSIGNAL), table[i].size);
        assert_true(recv(fd, &byte, 1, 0) <= 0);
        close(fd);
    }
    world.tag = test_find_tag(world.client, EC_URI);
    world_stop(&world, 0);
}

static void sigterm_ends_it_and_no_core_is_ever_written(void **state)
{
    struct world world;
    char path[64], line[128];
    bool zero = false;
    FILE *file;

    (void)state;
    world_start(&world, &plain);
    world.tag = test_find_tag(world.client, EC_URI);
    snprintf(path, sizeof(path), "/proc/%d/limits", (int)world.agent.pid);
    file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        long soft = -1, hard = -1;

        if (sscanf(line, "Max core file size %ld %ld", &soft, &hard) == 2)
            zero = soft == 0 && hard == 0;
    }
    fclose(file);
    assert_true(zero);
    kill(world.agent.pid, SIGTERM);
    world_stop(&world, 0);
}

static void module_that_does_not_load_is_told(void **state)
{
    int pair[2];
    struct tokens_agent_message message, unread = {.event = TOKENS_AGENT_CLIENT, .text = "0"};
    struct tokens_agent_options direct = {.module_name = "none", .module_path = "/nonexistent.so", .sessions_max = 1};

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    direct.control_fd = pair[1];
    direct.listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(tokens_agent_send(pair[0], &unread));
    assert_int_equal(tokens_agent_main(&direct), 1);
    close(pair[1]); /* with what it was told and has not read: Linux says ECONNRESET */
    assert_int_equal(tokens_agent_receive(pair[0], &message), 1);
    assert_int_equal(message.event, TOKENS_AGENT_FAILED);
    assert_non_null(strstr(message.text, "/nonexistent.so"));
    while (tokens_agent_receive(pair[0], &message) == 1)
        assert_int_equal(message.event, TOKENS_AGENT_COUNTERS);
    close(pair[0]);
    close(direct.listen_fd);
}

/* Told what is not the agent's to hear, it ends. */
static void supervisor_that_says_what_is_not_its_to_say_is_lost(void **state)
{
    unsigned count = 0;

    (void)state;
    for (enum tokens_agent_event event = 0; event < TOKENS_AGENT_EVENT_COUNT; event++) {
        const struct tokens_agent_message message = {.event = event};
        struct world world;
        siginfo_t info;

        if (tokens_agent_message_fault(event, false, TOKENS_AGENT_TO_AGENT) == NULL)
            continue;
        world_start(&world, &plain);
        assert_true(tokens_agent_send(world.agent.control_fd, &message));
        assert_int_equal(waitid(P_PID, (id_t)world.agent.pid, &info, WEXITED | WNOWAIT), 0); /* by itself */
        world_stop(&world, 0);
        count++;
    }
    assert_int_equal(count, TOKENS_AGENT_EVENT_COUNT - 5); /* GRANTS came without its descriptor */
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(find_gives_certificate_and_chain_and_asks_no_pin_of_other_tokens),
        TEST(find_lists_candidates),
        TEST(token_with_a_single_session_serves_all),
        TEST(module_that_cannot_lock_is_called_by_one_thread_at_a_time),
        TEST(queue_that_is_full_refuses_and_counts),
        TEST(signature_that_hangs_loses_its_place_and_others_go_on),
        TEST(token_that_hangs_for_good_ends_the_agent_and_not_the_others_before),
        TEST(session_that_was_dropped_is_opened_again_and_the_signature_made),
        TEST(module_that_recovers_only_by_finalize_is_finalized),
        TEST(key_that_is_not_the_one_found_at_first_does_not_sign),
        TEST(module_that_crashes_fails_one_request_and_the_next_agent_goes_on),
        TEST(nonsense_ends_the_connection_and_nothing_else),
        TEST(sigterm_ends_it_and_no_core_is_ever_written),
        TEST(supervisor_that_says_what_is_not_its_to_say_is_lost),
        TEST(module_that_does_not_load_is_told),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
