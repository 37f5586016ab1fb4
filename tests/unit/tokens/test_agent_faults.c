/* The agent against a token that fails in every way there is: faulty-token.so. What each code of PKCS #11 comes to at a
 * login, at a search and at a signature, and what mends a token that goes on failing. */
#include "agent_call.h"
#include "support.h"
#include "tokens/agent/agent_health.h"
#include "tokens/agent_client.h"
#include "tokens/ckr.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#define EC_URI    "pkcs11:token=one;object=ec"
#define OTHER_URI "pkcs11:token=two;object=other"

enum { PATIENCE_MS = 30000, PAUSE_MS = 20 };

static struct test_store store;
static char *calls;

struct code {
    CK_RV rv;
    const char *name;
    enum tokens_ckr_about about;
};

/* All that there are, one of a vendor's, and one of nobody's. */
static const struct code codes[] = {
#define CODE(name, number, about) {number, "CKR_" #name, TOKENS_CKR_##about},
    TOKENS_CKR_LIST(CODE)
#undef CODE
        {CKR_VENDOR_DEFINED | 0x113, "CKR_VENDOR_DEFINED (0x80000113)", TOKENS_CKR_TOKEN},
    {0x4711, "(0x4711)", TOKENS_CKR_TOKEN},
};

static int group_setup(void **state)
{
    struct tokens_module *module;

    (void)state;
    test_store_create(&store);
    calls = test_store_path(&store, "fault-calls");
    module = test_module_load();
    test_token_create(module, "one");
    test_key_create(module, "one", "ec", TOKENS_KEY_P256, true);
    test_token_create(module, "two");
    test_key_create(module, "two", "other", TOKENS_KEY_P256, true);
    tokens_module_unload(&module);
    setenv("YETT_FAULT_CALLS", calls, 1);
    setenv("YETT_FAULT_PIN", TEST_PIN, 1);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    test_store_destroy(&store);
    free(calls);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    test_faults(&store, "");
    unlink(calls);
    return 0;
}

struct world {
    struct test_agent agent;
    struct agent_client *client;
    uint64_t tag;
};

static const struct test_agent_options plain = {
    .module = TEST_FAULTY_TOKEN, .sessions = 4, .queue = 64, .timeout_ms = 10000, .pin = TEST_PIN};

static void world_start(struct world *world, const struct test_agent_options *options)
{
    test_agent_start(&world->agent, &store, options);
    world->client = agent_client_create(world->agent.socket_path);
}

static void world_stop(struct world *world)
{
    test_faults(&store, "");
    agent_client_destroy(&world->client);
    test_agent_stop(&world->agent, 0);
    test_agent_clear(&world->agent);
}

static void faults(const char *format, ...) PRINTF_LIKE(1, 2);

static void faults(const char *format, ...)
{
    va_list args;
    char *rules;

    va_start(args, format);
    rules = base_vprintf(format, args);
    va_end(args);
    test_faults(&store, rules);
    free(rules);
}

static bool is_signed(struct world *world, const char *uri, uint64_t tag)
{
    struct test_call call = test_sign(world->client, uri, tag);
    bool is = call.status == AGENT_CLIENT_OK && call.reply.type == TOKENS_WIRE_SIGNED;

    free(call.frame);
    return is;
}

/* Asks again and again, as clients would. Returns how often in vain. */
static unsigned signs_at_last(struct world *world)
{
    struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
    unsigned failed = 0;

    while (!is_signed(world, EC_URI, world->tag)) {
        if (++failed > PATIENCE_MS / PAUSE_MS)
            fail_msg("it never signs again: %s", test_agent_text(&world->agent, TOKENS_AGENT_LOG));
        nanosleep(&pause, NULL);
    }
    return failed;
}

static size_t count(const char *function)
{
    return test_calls(calls, function, NULL);
}

static void no_pin_was_blamed(struct world *world)
{
    assert_int_equal(test_agent_events(&world->agent, TOKENS_AGENT_PIN_INCORRECT), 0);
    assert_int_equal(test_agent_events(&world->agent, TOKENS_AGENT_PIN_LOCKED), 0);
}

/* A signature: what may pass is tried once more and then signed; what may not is told by its name. */
static void each_code_at_a_signature(void **state)
{
    struct world world;

    (void)state;
    world_start(&world, &plain);
    world.tag = test_find_tag(world.client, EC_URI);
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        size_t before = count("C_Sign");
        struct test_call call;

        if (codes[i].about == TOKENS_CKR_FINE)
            continue;
        faults("fail C_Sign 0x%lx 1\n", codes[i].rv);
        call = test_sign(world.client, EC_URI, world.tag);
        if (tokens_ckr_may_pass(codes[i].rv)) {
            test_expect_signed(call);
            assert_int_equal(count("C_Sign"), before + 2);
        } else {
            test_expect_failed(call, TOKENS_WIRE_REFUSED, codes[i].name);
            assert_int_equal(count("C_Sign"), before + 1);
        }
        faults("fail C_Sign 0x%lx 3\n", codes[i].rv);
        call = test_sign(world.client, EC_URI, world.tag);
        test_expect_failed(call, codes[i].about == TOKENS_CKR_SESSION ? TOKENS_WIRE_GONE : TOKENS_WIRE_REFUSED,
                           codes[i].name);
        test_faults(&store, "");
        (void)signs_at_last(&world); /* who has lost the login twice waits for a restart with the next */
    }
    no_pin_was_blamed(&world);
    world_stop(&world);
}

/* A search: likewise. */
static void each_code_at_a_search(void **state)
{
    struct world world;

    (void)state;
    world_start(&world, &plain);
    world.tag = test_find_tag(world.client, EC_URI);
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        if (codes[i].about == TOKENS_CKR_FINE)
            continue;
        faults("fail C_FindObjectsInit 0x%lx 1 @one\n", codes[i].rv);
        /* One that was found before is known even now to a worker, which may start with it. We are none. */
        if (tokens_ckr_may_pass(codes[i].rv))
            assert_int_equal(test_find_tag(world.client, EC_URI), world.tag);
        else
            test_expect_failed(test_find(world.client, EC_URI), TOKENS_WIRE_REFUSED, codes[i].name);
        test_faults(&store, "");
    }
    no_pin_was_blamed(&world);
    assert_int_equal(test_agent_events(&world.agent, TOKENS_AGENT_PIN_WANTED), 1);
    world_stop(&world);
}

/* The first login: nothing but what is about the PIN spends it. */
static void each_code_at_a_login(void **state)
{
    static const CK_RV others[] = {CKR_GENERAL_ERROR,  CKR_FUNCTION_FAILED,         CKR_DEVICE_ERROR,
                                   CKR_DEVICE_REMOVED, CKR_FUNCTION_CANCELED,       CKR_HOST_MEMORY,
                                   CKR_ARGUMENTS_BAD,  CKR_USER_TOO_MANY_TYPES,     CKR_SESSION_HANDLE_INVALID,
                                   0x80000113,         CKR_SESSION_READ_ONLY_EXISTS};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(codes) + ARRAY_LEN(others); i++) {
        CK_RV rv = i < ARRAY_LEN(codes) ? codes[i].rv : others[i - ARRAY_LEN(codes)];
        struct world world;

        if (i < ARRAY_LEN(codes) && codes[i].about != TOKENS_CKR_PIN)
            continue;
        unlink(calls);
        faults("fail C_Login 0x%lx 1\n", rv);
        world_start(&world, &plain);
        if (tokens_ckr_about(rv) == TOKENS_CKR_PIN) {
            test_expect_failed(test_find(world.client, EC_URI), TOKENS_WIRE_LOGIN, tokens_ckr_name(rv));
            test_expect_failed(test_find(world.client, EC_URI), TOKENS_WIRE_LOGIN, tokens_ckr_name(rv));
            assert_int_equal(count("C_Login"), 1);
            test_agent_expect(&world.agent, rv == CKR_PIN_LOCKED ? TOKENS_AGENT_PIN_LOCKED : TOKENS_AGENT_PIN_INCORRECT,
                              1);
        } else {
            (void)test_find_tag(world.client, EC_URI); /* which waits */
            test_agent_expect(&world.agent, TOKENS_AGENT_PIN_OK, 1);
            test_agent_expect(&world.agent, TOKENS_AGENT_PIN_UNUSED, 1);
            assert_int_equal(count("C_Login"), 2);
            no_pin_was_blamed(&world);
        }
        test_agent_expect(&world.agent, TOKENS_AGENT_PIN_WANTED, 1);
        world_stop(&world);
    }
}

/* A card stack that has lost its daemon: slots and tokens as ever, all else fails until C_Finalize. */
static void what_only_finalize_mends_is_mended(void **state)
{
    static const CK_RV sticking[] = {CKR_GENERAL_ERROR, CKR_DEVICE_ERROR, CKR_FUNCTION_FAILED, 0x80000042};
    struct world world;

    (void)state;
    world_start(&world, &plain);
    world.tag = test_find_tag(world.client, EC_URI);
    for (size_t i = 0; i < ARRAY_LEN(sticking); i++) {
        size_t logins = count("C_Login"), finalized = count("C_Finalize");

        test_expect_signed(test_sign(world.client, EC_URI, world.tag));
        faults("stick-quietly C_Sign 0x%lx\n", sticking[i]);
        assert_false(is_signed(&world, EC_URI, world.tag));
        test_faults(&store, "");
        assert_true(signs_at_last(&world) > 0);
        assert_int_equal(count("C_Finalize"), finalized + 1);
        assert_in_range(count("C_Login"), logins + 1, logins + 2);
    }
    no_pin_was_blamed(&world);
    assert_int_equal(test_agent_events(&world.agent, TOKENS_AGENT_PIN_WANTED), 1);
    world_stop(&world);
}

/* Nobody asks for anything meanwhile: what failed is mended all the same. */
static void what_fails_at_the_login_is_mended_without_being_asked(void **state)
{
    struct world world;
    size_t logins;

    (void)state;
    world_start(&world, &plain);
    world.tag = test_find_tag(world.client, EC_URI);
    logins = count("C_Login");
    test_faults(&store, "drop\nfail C_Login 0x30 1\n");
    (void)is_signed(&world, EC_URI, world.tag); /* in vain, unless it takes its time */
    test_agent_wait(&world.agent, TOKENS_AGENT_PIN_OK, 2);
    test_expect_signed(test_sign(world.client, EC_URI, world.tag));
    assert_int_equal(count("C_Login"), logins + 2);
    no_pin_was_blamed(&world);
    world_stop(&world);
}

/* What not even C_Finalize mends: another process, once. */
static void what_only_another_process_mends_ends_this_one(void **state)
{
    struct world world;
    size_t logins;

    (void)state;
    world_start(&world, &plain);
    world.tag = test_find_tag(world.client, EC_URI);
    test_expect_signed(test_sign(world.client, EC_URI, world.tag));
    logins = count("C_Login");
    test_faults(&store, "fail C_Sign 0x6\n");
    for (unsigned i = 0; test_agent_events(&world.agent, TOKENS_AGENT_FAILED) == 0; i++) {
        struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};

        assert_true(i < PATIENCE_MS / PAUSE_MS);
        assert_false(is_signed(&world, EC_URI, world.tag));
        nanosleep(&pause, NULL);
    }
    /* One that was under way at C_Finalize may have failed last, with another code. */
    assert_non_null(strstr(test_agent_text(&world.agent, TOKENS_AGENT_FAILED), " fails (CKR_"));
    test_agent_stop(&world.agent, 1);
    assert_int_equal(count("C_Login"), logins + 1);
    test_faults(&store, "");
    test_agent_restart(&world.agent, &plain);
    assert_int_equal(test_find_tag(world.client, EC_URI), world.tag);
    test_expect_signed(test_sign(world.client, EC_URI, world.tag));
    assert_int_equal(count("C_Login"), logins + 2);
    world_stop(&world);
}

/* The other token of the module loses at most one restart to it, and never the process. */
static void a_token_that_fails_leaves_the_other_alone(void **state)
{
    struct world world;
    uint64_t other;

    (void)state;
    world_start(&world, &plain);
    world.tag = test_find_tag(world.client, EC_URI);
    other = test_find_tag(world.client, OTHER_URI);
    test_expect_signed(test_sign(world.client, OTHER_URI, other));
    test_faults(&store, "fail C_Sign 0x5 @one\n");
    for (unsigned i = 0; i < 150; i++) {
        struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};

        assert_false(is_signed(&world, EC_URI, world.tag));
        test_expect_signed(test_sign(world.client, OTHER_URI, other));
        nanosleep(&pause, NULL);
    }
    assert_in_range(count("C_Finalize"), 0, 1);
    assert_int_equal(test_agent_events(&world.agent, TOKENS_AGENT_FAILED), 0);
    world_stop(&world);
}

/* What is asked about slots, and of whom it may never be answered. */
static const char *const questions[] = {"C_GetTokenInfo @two", "C_GetSlotList", "C_WaitForSlotEvent"};

/* It is told, tokens that were known sign and are found as before, and all is well again when the answer comes. */
static void a_question_about_slots_that_hangs_holds_up_nobody(void **state)
{
    struct world world;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
        size_t finalized = count("C_Finalize");

        world_start(&world, &plain);
        world.tag = test_find_tag(world.client, EC_URI);
        test_expect_signed(test_sign(world.client, EC_URI, world.tag));
        faults("hang %s\n", questions[i]);
        test_agent_wait(&world.agent, TOKENS_AGENT_LOG, 1);
        assert_non_null(strstr(test_agent_text(&world.agent, TOKENS_AGENT_LOG), "hangs inside the module"));
        for (unsigned k = 0; k < 20; k++)
            test_expect_signed(test_sign(world.client, EC_URI, world.tag));
        assert_int_equal(test_find_tag(world.client, "pkcs11:token=one;object=ec"), world.tag);
        test_faults(&store, "");
        test_agent_wait(&world.agent, TOKENS_AGENT_LOG, 2);
        assert_non_null(strstr(test_agent_text(&world.agent, TOKENS_AGENT_LOG), "answers again"));
        (void)test_find_tag(world.client, OTHER_URI);
        assert_int_equal(count("C_Finalize"), finalized);
        assert_int_equal(test_agent_events(&world.agent, TOKENS_AGENT_TOKEN_GONE), 0);
        world_stop(&world);
    }
}

/* The agent is ready all the same, and has the other token; the one that hangs is found when it answers. */
static void a_slot_that_hangs_at_the_start_leaves_the_other_one(void **state)
{
    struct world world;

    (void)state;
    test_faults(&store, "hang C_GetTokenInfo @two\n");
    world_start(&world, &plain);
    world.tag = test_find_tag(world.client, EC_URI);
    test_expect_signed(test_sign(world.client, EC_URI, world.tag));
    test_expect_failed(test_find(world.client, OTHER_URI), TOKENS_WIRE_GONE, "no token matches");
    test_faults(&store, "");
    test_agent_wait(&world.agent, TOKENS_AGENT_LOG, 2);
    (void)test_find_tag(world.client, OTHER_URI);
    test_expect_signed(test_sign(world.client, EC_URI, world.tag));
    assert_int_equal(test_agent_events(&world.agent, TOKENS_AGENT_FAILED), 0);
    world_stop(&world);
}

/* An agent that is told to stop does not wait for it. */
static void a_question_that_hangs_keeps_no_agent_from_ending(void **state)
{
    struct world world;

    (void)state;
    world_start(&world, &plain);
    test_faults(&store, "hang C_GetSlotList\n");
    test_agent_wait(&world.agent, TOKENS_AGENT_LOG, 1);
    agent_client_destroy(&world.client);
    test_agent_stop(&world.agent, 0);
    test_agent_clear(&world.agent);
    test_faults(&store, "");
}

/* Whatever C_OpenSession says while some are open, the pool is smaller, and not for ever. */
static void a_pool_of_sessions_shrinks_and_grows_again(void **state)
{
    static const CK_RV full[] = {CKR_SESSION_COUNT, CKR_DEVICE_MEMORY, CKR_HOST_MEMORY, CKR_GENERAL_ERROR};
    struct world world;

    (void)state;
    world_start(&world, &plain);
    world.tag = test_find_tag(world.client, EC_URI);
    for (size_t i = 0; i < ARRAY_LEN(full); i++) {
        faults("sessions 1 0x%lx\ndrop\n", full[i]);
        test_expect_signed(test_sign(world.client, EC_URI, world.tag));
        test_expect_signed(test_sign(world.client, EC_URI, world.tag));
    }
    no_pin_was_blamed(&world);
    world_stop(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_code_at_a_signature, setup),
        cmocka_unit_test_setup(each_code_at_a_search, setup),
        cmocka_unit_test_setup(each_code_at_a_login, setup),
        cmocka_unit_test_setup(what_only_finalize_mends_is_mended, setup),
        cmocka_unit_test_setup(what_fails_at_the_login_is_mended_without_being_asked, setup),
        cmocka_unit_test_setup(what_only_another_process_mends_ends_this_one, setup),
        cmocka_unit_test_setup(a_token_that_fails_leaves_the_other_alone, setup),
        cmocka_unit_test_setup(a_question_about_slots_that_hangs_holds_up_nobody, setup),
        cmocka_unit_test_setup(a_slot_that_hangs_at_the_start_leaves_the_other_one, setup),
        cmocka_unit_test_setup(a_question_that_hangs_keeps_no_agent_from_ending, setup),
        cmocka_unit_test_setup(a_pool_of_sessions_shrinks_and_grows_again, setup),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
