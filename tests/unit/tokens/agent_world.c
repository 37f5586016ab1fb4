/* see tests/unit/tokens/agent_world.h */
#include "agent_world.h"

struct test_store store;
char *count_file, *gone_file, *hang_file, *pin_state;

/* Every test starts from these, and sets what it needs. */
static const char *const knobs[] = {
    "YETT_TEST_NEEDS_FINALIZE", "YETT_TEST_SESSIONS_MAX", "YETT_TEST_HIDE_MECHANISMS", "YETT_TEST_ABORT_AT",
    "YETT_TEST_HANG_AT",        "YETT_TEST_LOSE_AT",      "YETT_TEST_PIN_TRIES",       "YETT_TEST_KEY_PAD_PIN",
    "YETT_TEST_CONTEXT_PIN",    "YETT_TEST_CANT_LOCK",    "YETT_TEST_HANG_FILE",
};

int group_setup(void **state)
{
    struct tokens_module *module;

    (void)state;
    test_store_create(&store);
    count_file = test_store_path(&store, "calls");
    gone_file = test_store_path(&store, "gone");
    hang_file = test_store_path(&store, "hang");
    pin_state = test_store_path(&store, "pin");
    module = test_module_load();
    test_token_create(module, "one");
    test_key_create(module, "one", "ec", TOKENS_KEY_P256, true);
    test_key_create(module, "one", "TestCA", TOKENS_KEY_P256, true);
    test_token_create(module, "two");
    test_key_create(module, "two", "other", TOKENS_KEY_P256, true);
    tokens_module_unload(&module);
    setenv("YETT_TEST_COUNT_FILE", count_file, 1);
    setenv("YETT_TEST_GONE_FILE", gone_file, 1);
    setenv("YETT_TEST_PIN_STATE", pin_state, 1);
    return 0;
}

int group_teardown(void **state)
{
    (void)state;
    test_store_destroy(&store);
    free(count_file);
    free(gone_file);
    free(hang_file);
    free(pin_state);
    return 0;
}

int setup(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(knobs); i++)
        unsetenv(knobs[i]);
    setenv("YETT_TEST_SIGN_DELAY_MS", "0", 1);
    unlink(count_file);
    unlink(gone_file);
    unlink(hang_file);
    unlink(pin_state);
    return 0;
}

const struct test_agent_options plain = {.sessions = 4, .queue = 64, .timeout_ms = 10000, .pin = TEST_PIN};

void world_start(struct world *world, const struct test_agent_options *options)
{
    test_agent_start(&world->agent, &store, options);
    world->client = agent_client_create(world->agent.socket_path);
}

void world_stop(struct world *world, int status)
{
    agent_client_destroy(&world->client);
    test_agent_stop(&world->agent, status);
    test_agent_clear(&world->agent);
}

void *signer_main(void *data)
{
    struct signer *signer = data;

    signer->call = test_sign(signer->world->client, EC_URI, signer->world->tag);
    return NULL;
}

void sign_at_once(struct world *world, struct signer *signers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        signers[i].world = world;
        assert_int_equal(pthread_create(&signers[i].thread, NULL, signer_main, &signers[i]), 0);
    }
    for (size_t i = 0; i < count; i++)
        pthread_join(signers[i].thread, NULL);
}
