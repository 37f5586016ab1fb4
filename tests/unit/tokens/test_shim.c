/* Shim and agent as NSS sees them: sign with keys on SoftHSM, verify with the public key. */
#include "support.h"
#include "base/nss_scope.h"
#include "tokens/shim/shim.h"

#include <nss.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

enum { THREADS = 16, SIGNATURES_EACH = 20 };

static struct test_store store;
static char *count_file, *gone_file;

static const char *const uris[] = {
    "pkcs11:token=shim;object=ec;type=private",
    "pkcs11:token=shim;object=rsa",
    "pkcs11:token=shim;object=p384;type=cert",
};

static int group_setup(void **state)
{
    struct tokens_module *module;

    (void)state;
    test_store_create(&store);
    count_file = test_store_path(&store, "calls");
    gone_file = test_store_path(&store, "gone");
    module = test_module_load();
    test_token_create(module, "shim");
    test_key_create(module, "shim", "ec", TOKENS_KEY_P256, true);
    test_key_create(module, "shim", "rsa", TOKENS_KEY_RSA_2048, true);
    test_key_create(module, "shim", "p384", TOKENS_KEY_P384, true);
    test_key_create(module, "shim", "bare", TOKENS_KEY_P256, false);
    tokens_module_unload(&module);
    setenv("YETT_TEST_COUNT_FILE", count_file, 1);
    setenv("YETT_TEST_GONE_FILE", gone_file, 1);
    setenv("YETT_TEST_SIGN_DELAY_MS", "0", 1);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    test_store_destroy(&store);
    free(count_file);
    free(gone_file);
    return 0;
}

/* NSS, an agent and the shim, for one test. */
struct world {
    struct test_agent agent;
    NSSInitContext *nss;
};

static const struct test_agent_options agent_options = {
    .sessions = 8, .queue = 256, .timeout_ms = 10000, .pin = TEST_PIN};

static bool shim_start(struct world *world, const char *const *names, size_t count, char **error)
{
    struct tokens_shim_module module = {
        .name = "test", .socket_path = world->agent.socket_path, .sign_timeout_ms = 10000};
    struct tokens_shim_options options = {
        .library_path = TEST_SHIM, .modules = &module, .module_count = 1, .uris = names, .uri_count = count};

    return tokens_shim_start(&options, error);
}

static void nss_start(struct world *world)
{
    world->nss = NSS_InitContext("", "", "", "", NULL,
                                 NSS_INIT_READONLY | NSS_INIT_NOCERTDB | NSS_INIT_NOMODDB | NSS_INIT_FORCEOPEN |
                                     NSS_INIT_NOROOTINIT);
    assert_non_null(world->nss);
}

static void world_start(struct world *world)
{
    char *error = NULL;

    unlink(count_file);
    unlink(gone_file);
    test_agent_start(&world->agent, &store, &agent_options);
    nss_start(world);
    if (!shim_start(world, uris, ARRAY_LEN(uris), &error))
        fail_msg("%s", error);
}

/* NSS shuts down: no reference is held. */
static void world_stop(struct world *world)
{
    tokens_shim_stop();
    assert_int_equal(NSS_ShutdownContext(world->nss), SECSuccess);
    test_agent_stop(&world->agent, 0);
    test_agent_clear(&world->agent);
}

static void get_identity(const char *uri, CERTCertificate **cert, SECKEYPrivateKey **key)
{
    char *error = NULL;
    bool pss = false;

    if (!tokens_shim_identity(uri, cert, key, &pss, &error))
        fail_msg("%s", error);
    assert_true(pss);
}

static const uint8_t digest[48] = {1, 2, 3, 4, 5};

/* Sign and verify with plain PK11_Sign(): ECDSA, or RSA PKCS#1 with a DigestInfo. */
static bool sign_plain(SECKEYPrivateKey *key, SECKEYPublicKey *public_key)
{
    static const uint8_t digest_info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                          0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
    uint8_t data[sizeof(digest_info) + 32], bytes[512];
    SECItem hash = {siBuffer, (unsigned char *)(uintptr_t)digest, 32};
    SECItem signature = {siBuffer, bytes, (unsigned)PK11_SignatureLen(key)};

    if (SECKEY_GetPrivateKeyType(key) == rsaKey) {
        memcpy(data, digest_info, sizeof(digest_info));
        memcpy(data + sizeof(digest_info), digest, 32);
        hash = (SECItem){siBuffer, data, sizeof(data)};
    }
    return PK11_Sign(key, &signature, &hash) == SECSuccess &&
           PK11_VerifyWithMechanism(public_key, PK11_MapSignKeyType(SECKEY_GetPrivateKeyType(key)), NULL, &signature,
                                    &hash, NULL) == SECSuccess;
}

static bool sign_pss(SECKEYPrivateKey *key, SECKEYPublicKey *public_key, CK_MECHANISM_TYPE hash_type, unsigned size)
{
    CK_RSA_PKCS_PSS_PARAMS pss = {hash_type, hash_type == CKM_SHA256 ? CKG_MGF1_SHA256 : CKG_MGF1_SHA384, size};
    SECItem parameters = {siBuffer, (unsigned char *)&pss, sizeof(pss)};
    SECItem hash = {siBuffer, (unsigned char *)(uintptr_t)digest, size};
    uint8_t bytes[512];
    SECItem signature = {siBuffer, bytes, (unsigned)PK11_SignatureLen(key)};

    return PK11_SignWithMechanism(key, CKM_RSA_PKCS_PSS, &parameters, &signature, &hash) == SECSuccess &&
           PK11_VerifyWithMechanism(public_key, CKM_RSA_PKCS_PSS, &parameters, &signature, &hash, NULL) == SECSuccess;
}

static void identity_signs_with_every_key_and_verifies(void **state)
{
    struct world world;

    (void)state;
    world_start(&world);
    for (size_t i = 0; i < ARRAY_LEN(uris); i++) {
        SCOPED_CERT cert = NULL;
        SCOPED_PRIVATE_KEY key = NULL;
        SCOPED_PUBLIC_KEY public_key = NULL;

        get_identity(uris[i], &cert, &key);
        public_key = CERT_ExtractPublicKey(cert);
        assert_non_null(public_key);
        assert_true(sign_plain(key, public_key));
        assert_string_equal(tokens_shim_error(), "");
        if (SECKEY_GetPrivateKeyType(key) == rsaKey) {
            assert_true(sign_pss(key, public_key, CKM_SHA256, 32));
            assert_true(sign_pss(key, public_key, CKM_SHA384, 48));
        }
        /* NSS finds the key by the certificate too. */
        SCOPED_PRIVATE_KEY again = PK11_FindKeyByAnyCert(cert, NULL);
        assert_non_null(again);
        assert_int_equal(PK11_HasAttributeSet(key->pkcs11Slot, key->pkcs11ID, CKA_DERIVE, PR_FALSE), 0);
        assert_int_equal(PK11_HasAttributeSet(key->pkcs11Slot, key->pkcs11ID, CKA_DECRYPT, PR_FALSE), 0);
        assert_int_equal(PK11_HasAttributeSet(key->pkcs11Slot, key->pkcs11ID, CKA_EXTRACTABLE, PR_FALSE), 0);
    }
    assert_int_equal(test_count(count_file, "C_Sign"), 5);
    assert_int_equal(test_count(count_file, "C_Login"), 1);
    assert_int_equal(test_count(count_file, "C_DecryptInit"), 0);
    assert_int_equal(test_count(count_file, "C_DeriveKey"), 0);
    assert_int_equal(test_count(count_file, "C_CopyObject"), 0);
    test_agent_expect(&world.agent, TOKENS_AGENT_PIN_TRYING, 1);
    test_agent_expect(&world.agent, TOKENS_AGENT_PIN_OK, 1);
    world_stop(&world);
}

static void start_names_the_candidates_when_not_exactly_one_key_matches(void **state)
{
    static const struct {
        const char *uri, *want;
    } table[] = {
        {"pkcs11:token=shim;object=nobody", "object=rsa"},
        {"pkcs11:token=shim", "4 keys match"},
        {"pkcs11:token=other", "token=shim"},
        {"pkcs11:token=shim;object=ec?pin-value=1234", "pin-value"},
        {"pkcs11:toke=shim", "not known"},
        {"pkcs11:token=shim;object=ec;type=data", "type"},
    };
    struct world world;

    (void)state;
    test_agent_start(&world.agent, &store, &agent_options);
    nss_start(&world);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        char *error = NULL;

        assert_false(shim_start(&world, &table[i].uri, 1, &error));
        assert_non_null(error);
        if (strstr(error, table[i].want) == NULL || strstr(error, "1234") != NULL)
            fail_msg("%s: got \"%s\", want \"%s\" in it", table[i].uri, error, table[i].want);
        free(error);
    }
    world_stop(&world);
}

static void identity_without_certificate_gives_the_key_alone(void **state)
{
    static const char *const bare[] = {"pkcs11:token=shim;object=bare"};
    struct world world;
    SECKEYPrivateKey *key = NULL;
    CERTCertificate *cert = NULL;
    char *error = NULL;
    bool pss;

    (void)state;
    test_agent_start(&world.agent, &store, &agent_options);
    nss_start(&world);
    assert_true(shim_start(&world, bare, 1, &error));
    assert_false(tokens_shim_identity(bare[0], &cert, &key, &pss, &error));
    assert_non_null(strstr(error, "no certificate"));
    free(error);
    error = NULL;
    assert_true(tokens_shim_identity(bare[0], NULL, &key, &pss, &error));
    SECKEY_DestroyPrivateKey(key);
    assert_false(tokens_shim_identity("pkcs11:token=unheard-of", NULL, &key, &pss, &error));
    free(error);
    world_stop(&world);
}

/* One of the threads: signs with all keys in turn. The private keys are shared, as a server's sockets share them; the
 * public keys are not: NSS caches where it has imported one in the struct itself, without a lock. */
struct signer {
    pthread_t thread;
    SECKEYPrivateKey **keys;
    SECKEYPublicKey *public_keys[ARRAY_LEN(uris)];
    unsigned good, bad;
};

static void *signer_main(void *data)
{
    struct signer *signer = data;

    for (unsigned i = 0; i < SIGNATURES_EACH; i++) {
        size_t which = i % ARRAY_LEN(uris);
        bool good = i % 2 == 0 && which == 1 ? sign_pss(signer->keys[which], signer->public_keys[which], CKM_SHA256, 32)
                                             : sign_plain(signer->keys[which], signer->public_keys[which]);

        if (good)
            signer->good++;
        else
            signer->bad++;
    }
    return NULL;
}

/* All threads at once; `during` happens meanwhile. Gives the number of failures. */
static unsigned sign_in_threads(struct world *world, void (*during)(struct world *world))
{
    SECKEYPrivateKey *keys[ARRAY_LEN(uris)];
    struct signer signers[THREADS] = {{0}};
    unsigned good = 0, bad = 0;

    for (size_t i = 0; i < ARRAY_LEN(uris); i++) {
        CERTCertificate *cert = NULL;

        get_identity(uris[i], &cert, &keys[i]);
        for (size_t k = 0; k < THREADS; k++)
            signers[k].public_keys[i] = CERT_ExtractPublicKey(cert);
        CERT_DestroyCertificate(cert);
    }
    for (size_t i = 0; i < THREADS; i++) {
        signers[i].keys = keys;
        assert_int_equal(pthread_create(&signers[i].thread, NULL, signer_main, &signers[i]), 0);
    }
    if (during != NULL)
        during(world);
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(signers[i].thread, NULL);
        good += signers[i].good;
        bad += signers[i].bad;
    }
    assert_int_equal(good + bad, THREADS * SIGNATURES_EACH);
    for (size_t i = 0; i < ARRAY_LEN(uris); i++) {
        SECKEY_DestroyPrivateKey(keys[i]);
        for (size_t k = 0; k < THREADS; k++)
            SECKEY_DestroyPublicKey(signers[k].public_keys[i]);
    }
    return bad;
}

static void sign_from_16_threads_at_once(void **state)
{
    struct world world;

    (void)state;
    world_start(&world);
    assert_int_equal(sign_in_threads(&world, NULL), 0);
    assert_int_equal(test_count(count_file, "C_Sign"), THREADS * SIGNATURES_EACH);
    assert_int_equal(test_count(count_file, "C_Login"), 1);
    world_stop(&world);
}

static void kill_and_restart(struct world *world)
{
    while (test_count(count_file, "C_Sign") < THREADS)
        usleep(1000);
    test_agent_kill(&world->agent, SIGKILL);
    test_agent_restart(&world->agent, &agent_options);
}

/* The requests that were under way are sent again to the new agent, each once: nobody notices. */
static void agent_killed_under_load_is_replaced_without_a_failure(void **state)
{
    struct world world;

    (void)state;
    setenv("YETT_TEST_SIGN_DELAY_MS", "10", 1);
    world_start(&world);
    assert_int_equal(sign_in_threads(&world, kill_and_restart), 0);
    test_agent_expect(&world.agent, TOKENS_AGENT_PIN_TRYING, 1);
    world_stop(&world);
    setenv("YETT_TEST_SIGN_DELAY_MS", "0", 1);
}

static void sign_fails_cleanly_while_the_token_is_out_and_works_when_it_is_back(void **state)
{
    struct world world;
    SCOPED_CERT cert = NULL;
    SCOPED_PRIVATE_KEY key = NULL;
    SCOPED_PUBLIC_KEY public_key = NULL;

    (void)state;
    world_start(&world);
    get_identity(uris[0], &cert, &key);
    public_key = CERT_ExtractPublicKey(cert);
    assert_true(sign_plain(key, public_key));
    test_file_create(gone_file);
    assert_false(sign_plain(key, public_key));
    assert_non_null(strstr(tokens_shim_error(), "shim"));
    test_agent_wait(&world.agent, TOKENS_AGENT_TOKEN_GONE, 1);
    unlink(gone_file);
    test_agent_wait(&world.agent, TOKENS_AGENT_TOKEN_BACK, 1);
    assert_true(sign_plain(key, public_key));
    assert_string_equal(tokens_shim_error(), "");
    /* The PIN was kept, and asked for once. */
    test_agent_expect(&world.agent, TOKENS_AGENT_PIN_WANTED, 1);
    SECKEY_DestroyPublicKey(SCOPE_TAKE(public_key));
    SECKEY_DestroyPrivateKey(SCOPE_TAKE(key));
    CERT_DestroyCertificate(SCOPE_TAKE(cert));
    world_stop(&world);
}

/* Who is not a worker of the agent's supervisor is told how things are now; whoever may do without starts all the same.
 */
static void start_without_the_token_tells_what_is_away(void **state)
{
    struct world world;
    struct tokens_shim_module module = {.name = "test", .sign_timeout_ms = 10000};
    struct tokens_shim_options options = {.library_path = TEST_SHIM,
                                          .modules = &module,
                                          .module_count = 1,
                                          .uris = uris,
                                          .uri_count = ARRAY_LEN(uris),
                                          .may_be_away = true};
    char *error = NULL;

    (void)state;
    world_start(&world);
    tokens_shim_stop();
    test_file_create(gone_file);
    assert_false(shim_start(&world, uris, ARRAY_LEN(uris), &error));
    assert_non_null(strstr(error, "no token matches"));
    free(error);
    module.socket_path = world.agent.socket_path;
    assert_true(tokens_shim_start(&options, &error));
    for (size_t i = 0; i < ARRAY_LEN(uris); i++)
        assert_non_null(strstr(tokens_shim_away(uris[i]), "no token matches"));
    tokens_shim_stop();
    unlink(gone_file);
    test_agent_wait(&world.agent, TOKENS_AGENT_TOKEN_BACK, 1);
    assert_true(tokens_shim_start(&options, &error));
    assert_null(tokens_shim_away(uris[0]));
    world_stop(&world);
}

static void pss_is_padded_by_the_agent_where_the_token_has_only_raw_rsa(void **state)
{
    struct world world;

    (void)state;
    setenv("YETT_TEST_HIDE_MECHANISMS", "13", 1);
    world_start(&world);
    {
        SCOPED_CERT cert = NULL;
        SCOPED_PRIVATE_KEY key = NULL;
        SCOPED_PUBLIC_KEY public_key = NULL;

        get_identity(uris[1], &cert, &key);
        public_key = CERT_ExtractPublicKey(cert);
        assert_true(sign_pss(key, public_key, CKM_SHA256, 32));
        assert_true(sign_pss(key, public_key, CKM_SHA384, 48));
        assert_true(sign_plain(key, public_key));
    }
    world_stop(&world);
    unsetenv("YETT_TEST_HIDE_MECHANISMS");
}

static void pss_is_not_offered_where_the_token_has_neither(void **state)
{
    static const char *const rsa[] = {"pkcs11:token=shim;object=rsa"};
    struct world world;
    char *error = NULL;
    bool pss = true;

    (void)state;
    setenv("YETT_TEST_HIDE_MECHANISMS", "13,3", 1);
    test_agent_start(&world.agent, &store, &agent_options);
    nss_start(&world);
    assert_true(shim_start(&world, rsa, 1, &error));
    {
        SCOPED_CERT cert = NULL;
        SCOPED_PRIVATE_KEY key = NULL;
        SCOPED_PUBLIC_KEY public_key = NULL;

        assert_true(tokens_shim_identity(rsa[0], &cert, &key, &pss, &error));
        assert_false(pss);
        public_key = CERT_ExtractPublicKey(cert);
        assert_true(sign_plain(key, public_key));
        assert_false(sign_pss(key, public_key, CKM_SHA256, 32));
    }
    world_stop(&world);
    unsetenv("YETT_TEST_HIDE_MECHANISMS");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identity_signs_with_every_key_and_verifies),
        cmocka_unit_test(start_names_the_candidates_when_not_exactly_one_key_matches),
        cmocka_unit_test(identity_without_certificate_gives_the_key_alone),
        cmocka_unit_test(sign_from_16_threads_at_once),
        cmocka_unit_test(agent_killed_under_load_is_replaced_without_a_failure),
        cmocka_unit_test(sign_fails_cleanly_while_the_token_is_out_and_works_when_it_is_back),
        cmocka_unit_test(start_without_the_token_tells_what_is_away),
        cmocka_unit_test(pss_is_padded_by_the_agent_where_the_token_has_only_raw_rsa),
        cmocka_unit_test(pss_is_not_offered_where_the_token_has_neither),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
