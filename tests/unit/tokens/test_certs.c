/* Certificates on a token, through an agent: tokens/certs.h. slow-token.so in front of SoftHSM counts and hides. */
#include "support.h"
#include "tokens/certs.h"
#include "tokens/der.h"
#include "tokens/module.h"

#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

enum { MANY = 70, SPKI_SIZE = 3000 /* so that a reply has no room for all */ };

static struct test_store store;
static char *count_file, *gone_file;
static const struct test_agent_options plain = {.sessions = 4, .queue = 64, .timeout_ms = 10000, .pin = TEST_PIN};

static CK_SESSION_HANDLE open_session(const struct tokens_module *module, const char *token)
{
    CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
    CK_SLOT_ID *slots;
    size_t count;

    assert_int_equal(tokens_slots(module, &slots, &count), CKR_OK);
    for (size_t i = 0; i < count; i++) {
        CK_TOKEN_INFO info;
        char *label;

        assert_int_equal(module->p11->C_GetTokenInfo(slots[i], &info), CKR_OK);
        label = tokens_token_label(&info);
        if (strcmp(label, token) == 0)
            assert_int_equal(
                module->p11->C_OpenSession(slots[i], CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session),
                CKR_OK);
        free(label);
    }
    free(slots);
    assert_int_equal(module->p11->C_Login(session, CKU_USER, (unsigned char *)(uintptr_t)TEST_PIN, strlen(TEST_PIN)),
                     CKR_OK);
    return session;
}

static void put(const struct tokens_module *module, CK_SESSION_HANDLE session, const char *label, uint8_t id,
                struct span der)
{
    CK_OBJECT_CLASS class = CKO_CERTIFICATE;
    CK_CERTIFICATE_TYPE type = CKC_X_509;
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_OBJECT_HANDLE object;
    CK_ATTRIBUTE template[] = {
        {CKA_CLASS, &class, sizeof(class)},
        {CKA_CERTIFICATE_TYPE, &type, sizeof(type)},
        {CKA_TOKEN, &yes, sizeof(yes)},
        {CKA_PRIVATE, &no, sizeof(no)},
        {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)},
        {CKA_ID, &id, 1},
        {CKA_SUBJECT, (void *)(uintptr_t) "0\0", 2},
        {CKA_VALUE, (void *)(uintptr_t)der.data, der.size},
    };

    assert_int_equal(module->p11->C_CreateObject(session, template, ARRAY_LEN(template), &object), CKR_OK);
}

/* A large certificate that no two calls make alike. */
static void put_cert(const struct tokens_module *module, CK_SESSION_HANDLE session, const char *label, uint8_t id)
{
    uint8_t bits[SPKI_SIZE] = {0};
    struct buffer spki, der;

    buffer_init(&spki, 2 * SPKI_SIZE);
    buffer_init(&der, 4 * SPKI_SIZE);
    der_write(&spki, ASN1_SEQUENCE, span_of(bits, sizeof(bits)));
    test_cert_write(&der, buffer_span(&spki), label, "TestCA", id, "450101000000Z");
    put(module, session, label, id, buffer_span(&der));
    buffer_release(&der);
    buffer_release(&spki);
}

static int group_setup(void **state)
{
    struct tokens_module *module;
    CK_SESSION_HANDLE session;

    (void)state;
    test_store_create(&store);
    count_file = test_store_path(&store, "calls");
    gone_file = test_store_path(&store, "gone");
    module = test_module_load();
    test_token_create(module, "few");
    test_key_create(module, "few", "alice", TOKENS_KEY_P256, true);
    session = open_session(module, "few");
    put_cert(module, session, "root", 1);
    put_cert(module, session, "root", 2); /* the one that replaces it */
    put(module, session, "odd", 3, span_of_string("no certificate at all"));
    module->p11->C_CloseSession(session);
    test_token_create(module, "many");
    session = open_session(module, "many");
    for (int i = 0; i < MANY; i++)
        put_cert(module, session, "ca", (uint8_t)i);
    module->p11->C_CloseSession(session);
    test_token_create(module, "twin");
    test_token_create(module, "twin");
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

static int setup(void **state)
{
    (void)state;
    unlink(count_file);
    unlink(gone_file);
    return 0;
}

/* What came: the serial numbers, and how often each. */
struct taken {
    size_t count, refuse_at;
    unsigned serials[256];
};

static bool take(void *ctx, struct span der, char **error)
{
    struct taken *taken = ctx;
    struct tokens_der_cert cert;
    struct span rest = der, content, whole;
    uint8_t tag;

    assert_true(tokens_der_cert_read(der, &cert));
    assert_true(tokens_der_read(&rest, &tag, &content, &whole)); /* Certificate */
    rest = content;
    assert_true(tokens_der_read(&rest, &tag, &content, &whole)); /* TBSCertificate */
    rest = content;
    assert_true(tokens_der_read(&rest, &tag, &content, &whole)); /* version */
    assert_true(tokens_der_read(&rest, &tag, &content, &whole)); /* serialNumber */
    taken->serials[content.data[0]]++;
    taken->count++;
    if (taken->count != taken->refuse_at)
        return true;
    *error = base_strdup("not this one");
    return false;
}

static bool read_from(const struct test_agent *agent, const char *uri, struct taken *taken, char **error)
{
    struct tokens_certs_agent agents[] = {{.name = "test", .socket_path = agent->socket_path}};

    *error = NULL;
    return tokens_certs_read(agents, ARRAY_LEN(agents), uri, take, taken, error);
}

static void reads(const struct test_agent *agent, const char *uri, size_t want)
{
    struct taken taken = {0};
    char *error;

    if (!read_from(agent, uri, &taken, &error))
        fail_msg("%s", error);
    if (taken.count != want)
        fail_msg("%s: %zu certificates, not %zu", uri, taken.count, want);
}

static void fails(const struct test_agent *agent, const char *uri, const char *want)
{
    struct taken taken = {0};
    char *error;

    if (read_from(agent, uri, &taken, &error))
        fail_msg("%s was accepted", uri);
    if (strstr(error, want) == NULL)
        fail_msg("%s: %s", uri, error);
    assert_int_equal(taken.count, 0);
    free(error);
}

static void uri_names_all_that_match(void **state)
{
    struct test_agent agent;

    (void)state;
    test_agent_start(&agent, &store, &plain);
    reads(&agent, "pkcs11:token=few", 3); /* the odd one is left out */
    reads(&agent, "pkcs11:token=few;object=root", 2);
    reads(&agent, "pkcs11:token=few;object=root;id=%02;type=cert", 1);
    reads(&agent, "pkcs11:token=few;object=alice", 1);
    assert_int_equal(test_count(count_file, "C_Login"), 0);
    test_agent_wait(&agent, TOKENS_AGENT_LOG, 1); /* it comes by another socket than the certificates */
    assert_non_null(strstr(test_agent_text(&agent, TOKENS_AGENT_LOG), "1 certificates cannot be read"));
    test_agent_stop(&agent, 0);
    test_agent_clear(&agent);
}

static void long_list_comes_in_pages(void **state)
{
    struct test_agent agent;
    struct taken taken = {0};
    char *error;

    (void)state;
    test_agent_start(&agent, &store, &plain);
    if (!read_from(&agent, "pkcs11:token=many;object=ca", &taken, &error))
        fail_msg("%s", error);
    assert_int_equal(taken.count, MANY);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(taken.serials[i], 1);
    taken = (struct taken){.refuse_at = 3};
    assert_false(read_from(&agent, "pkcs11:token=many", &taken, &error));
    assert_string_equal(error, "not this one");
    assert_int_equal(taken.count, 3);
    free(error);
    test_agent_stop(&agent, 0);
    test_agent_clear(&agent);
}

static void what_is_not_meant_is_refused(void **state)
{
    static const struct {
        const char *uri, *want;
    } table[] = {
        {"pkcs11:object=root", "does not say on which token"},
        {"pkcs11:manufacturer=SoftHSM%20project", "does not say on which token"},
        {"pkcs11:token=few;type=private", "names no certificate"},
        {"pkcs11:token=few;object=nobody", "no certificate on token \"few\""},
        {"pkcs11:token=lost", "no token matches pkcs11:token=lost; there is pkcs11:"},
        {"pkcs11:token=twin", "2 tokens match pkcs11:token=twin: pkcs11:"},
        {"pkcs11:token=few;colour=red", "attributes that are not known"},
        {"pkcs11:token=%", "bad PKCS#11 URI"},
    };
    struct test_agent agent;

    (void)state;
    test_agent_start(&agent, &store, &plain);
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        fails(&agent, table[i].uri, table[i].want);
    test_agent_stop(&agent, 0);
    test_agent_clear(&agent);
}

/* A token that knows better than to have its certificates trusted, such as p11-kit's for what the system distrusts. */
static void what_the_token_distrusts_is_left_out(void **state)
{
    struct test_agent agent;

    (void)state;
    setenv("YETT_TEST_DISTRUST", "1", 1);
    test_agent_start(&agent, &store, &plain);
    unsetenv("YETT_TEST_DISTRUST");
    fails(&agent, "pkcs11:token=few", "no certificate on token \"few\"");
    test_agent_stop(&agent, 0);
    test_agent_clear(&agent);
}

static void list_outlives_the_token(void **state)
{
    struct test_agent agent;

    (void)state;
    test_agent_start(&agent, &store, &plain);
    reads(&agent, "pkcs11:token=few;object=root", 2);
    test_file_create(gone_file);
    reads(&agent, "pkcs11:token=few;object=root", 2);
    fails(&agent, "pkcs11:token=many", "no token matches"); /* never seen by this agent */
    unlink(gone_file);
    test_agent_wait(&agent, TOKENS_AGENT_TOKEN_BACK, 1);
    reads(&agent, "pkcs11:token=many", MANY);
    test_agent_stop(&agent, 0);
    test_agent_clear(&agent);
}

static void list_is_read_again_each_time(void **state)
{
    struct tokens_module *module;
    struct test_agent agent;
    CK_SESSION_HANDLE session;

    (void)state;
    test_agent_start(&agent, &store, &plain);
    fails(&agent, "pkcs11:token=few;object=new", "no certificate");
    reads(&agent, "pkcs11:token=few", 3);
    module = test_module_load();
    session = open_session(module, "few");
    put_cert(module, session, "new", 9);
    module->p11->C_CloseSession(session);
    tokens_module_unload(&module);
    reads(&agent, "pkcs11:token=few;object=new", 1);
    reads(&agent, "pkcs11:token=few", 4);
    test_agent_stop(&agent, 0);
    test_agent_clear(&agent);
}

static void two_modules_with_the_token_are_one_too_many(void **state)
{
    struct test_agent agent;
    struct taken taken = {0};
    char *error = NULL;

    (void)state;
    test_agent_start(&agent, &store, &plain);
    {
        struct tokens_certs_agent agents[] = {{.name = "b", .socket_path = agent.socket_path},
                                              {.name = "c", .socket_path = agent.socket_path}};

        assert_false(tokens_certs_read(agents, 2, "pkcs11:token=few", take, &taken, &error));
        assert_non_null(strstr(error, "module c: a token matches, and so does one of another module"));
        free(error);
        error = NULL;
        assert_false(tokens_certs_read(agents, 0, "pkcs11:token=few", take, &taken, &error));
        assert_non_null(strstr(error, "no module is configured"));
        free(error);
        assert_int_equal(taken.count, 0);
    }
    test_agent_stop(&agent, 0);
    test_agent_clear(&agent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(uri_names_all_that_match, setup),
        cmocka_unit_test_setup(long_list_comes_in_pages, setup),
        cmocka_unit_test_setup(what_is_not_meant_is_refused, setup),
        cmocka_unit_test_setup(what_the_token_distrusts_is_left_out, setup),
        cmocka_unit_test_setup(list_outlives_the_token, setup),
        cmocka_unit_test_setup(list_is_read_again_each_time, setup),
        cmocka_unit_test_setup(two_modules_with_the_token_are_one_too_many, setup),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
