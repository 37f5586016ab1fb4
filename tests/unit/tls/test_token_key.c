/* tls/wrapping.c, tls/ticket_key.c: a server key on a token (SoftHSM) that signs, and neither decrypts nor derives.
 * NSS would use it to protect sessions; without the keys made beforehand, none resumes. This program has no other
 * server key: one in memory would do in its place.
 *
 * tls/client_hooks.c: a client key on that token. NSS does not shut down while anything refers to the token, so that
 * teardown sees what a connection left behind. */
#include "tls_pair.h"
#include "tls_raw.h"
#include "tls_token.h"

#include "base/nss_scope.h"
#include "tls/engine_internal.h"
#include "tls/sessions.h"
#include "tls/identity_internal.h"
#include "tls/runtime_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
    struct test_token token;
    struct test_certs *certs;
    struct pkix_store *store;
};

static int setup(void **state)
{
    struct fixture *f = base_alloc(sizeof(*f));

    test_token_create(&f->token, "");
    test_tls_start(TEST_CACHE_NONE);
    test_token_open(&f->token);
    f->certs = test_certs_create();
    f->store = test_certs_store(f->certs);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    pkix_store_destroy(&f->store);
    test_certs_destroy(&f->certs);
    test_token_close(&f->token);
    free(f);
    test_tls_stop();
    return 0;
}

static void give_a_byte(struct tls_engine *e)
{
    size_t size;
    uint8_t *space = tls_engine_records_reserve(e, &size);

    assert_true(size != 0);
    space[0] = 22;
    tls_engine_records_commit(e, 1);
}

static bool connect_once(const struct tls_context *client, const struct tls_context *server)
{
    struct test_pair p;
    bool resumed;

    test_pair_init(&p, client, "a.example.org", "key", server);
    assert_false(tls_engine_may_block(p.server)); /* nothing to read, nothing to sign */
    give_a_byte(p.server);
    assert_true(tls_engine_may_block(p.server));
    test_pair_clear(&p);
    test_pair_init(&p, client, "a.example.org", "key", server);
    test_pair_handshake(&p);
    assert_false(tls_engine_may_block(p.server));
    test_pair_send(&p, p.server, p.client, span_of_string("x"));
    resumed = tls_engine_session(p.server).resumed;
    test_pair_clear(&p);
    return resumed;
}

static void sign_only_key_resumes(void **state)
{
    static const enum test_key types[] = {TEST_KEY_P256, TEST_KEY_RSA};
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        const struct test_leaf leaf = {.names = {"a.example.org"}, .key = types[i]};
        SECKEYPublicKey *public_key = NULL;
        SECKEYPrivateKey *key = test_token_key(&f->token, types[i], &public_key);
        struct tls_identity *identity = NULL;
        struct tls_context *server, *client;
        char *error = NULL;

        if (!tls_identity_create(test_certs_for_key(f->certs, &leaf, public_key), key, &identity, &error))
            fail_msg("%s", error);
        identity->may_block = true;
        server = test_server(
            &(struct tls_server_options){.identities = &identity, .identity_count = 1, .version_min = 0x0303});
        client = test_client(&(struct tls_client_options){.version_min = 0x0303, .trust = f->store});
        assert_false(connect_once(client, server));
        assert_true(connect_once(client, server));
        assert_true(connect_once(client, server));
        tls_context_destroy(&client);
        tls_context_destroy(&server);
        tls_identity_destroy(&identity);
        SECKEY_DestroyPublicKey(public_key);
    }
}

/* A client identity whose certificate is on the token too, beside the key. */
static struct tls_identity *make_client_identity(struct fixture *f, enum test_key type)
{
    const struct test_leaf leaf = {.subject = type == TEST_KEY_RSA ? "CN=rsa" : "CN=ec", .use = TEST_USE_CLIENT};
    SCOPED_PUBLIC_KEY public_key = NULL;
    SECKEYPrivateKey *key = test_token_key(&f->token, type, &public_key);
    SCOPED_CERT made = test_certs_for_key(f->certs, &leaf, public_key);
    struct tls_identity *identity = NULL;
    CERTCertificate *cert;
    char *error = NULL;

    assert_int_equal(PK11_ImportCert(f->token.slot, made, CK_INVALID_HANDLE, leaf.subject, PR_FALSE), SECSuccess);
    cert = PK11_FindCertFromDERCertItem(f->token.slot, &made->derCert, NULL);
    assert_non_null(cert);
    if (!tls_identity_create(cert, key, &identity, &error))
        fail_msg("%s", error);
    identity->may_block = true;
    return identity;
}

/* Any number of tickets for a connection with a client certificate leaves nothing behind: see teardown. */
static void tickets_leave_nothing_behind(void **state)
{
    static const uint8_t token[] = "ticket";
    struct fixture *f = *state;
    struct tls_identity *server = test_certs_identity(f->certs, &(struct test_leaf){.names = {"a.example.org"}});
    struct tls_identity *identities[] = {make_client_identity(f, TEST_KEY_P256), make_client_identity(f, TEST_KEY_RSA)};

    for (size_t i = 0; i < ARRAY_LEN(identities); i++) {
        struct tls_context *client = test_client(&(struct tls_client_options){
            .version_min = 0x0303, .trust = f->store, .identities = &identities[i], .identity_count = 1});

        for (int tickets = 0; tickets < 4; tickets++) {
            struct tls_engine *e = tls_engine_create(client, "a.example.org", "key");
            struct tls_session session;
            struct test_raw raw;

            test_raw_init(&raw, TEST_RAW_SERVER, server, 0x0304);
            assert_int_equal(SSL_OptionSet(raw.fd, SSL_REQUEST_CERTIFICATE, PR_TRUE), SECSuccess);
            assert_int_equal(SSL_OptionSet(raw.fd, SSL_REQUIRE_CERTIFICATE, SSL_REQUIRE_ALWAYS), SECSuccess);
            assert_true(test_raw_handshake(&raw, e));
            assert_ptr_equal(tls_engine_session(e).identity, identities[i]);
            for (int n = 0; n < tickets; n++)
                assert_int_equal(tls_nss_calls()->send_session_ticket(raw.fd, token, sizeof(token)), SECSuccess);
            assert_int_equal(PR_Write(raw.fd, "x", 1), 1);
            test_raw_move(&raw, e);
            assert_int_equal(tls_engine_take_plaintext(e, (uint8_t[1]){0}, 1, &(size_t){0}), TLS_OK);
            assert_false(tls_sessions_take(client->sessions, "key a.example.org", &session));
            test_raw_clear(&raw);
            tls_engine_destroy(&e);
        }
        tls_context_destroy(&client);
        tls_identity_destroy(&identities[i]);
    }
    tls_identity_destroy(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tickets_leave_nothing_behind),
        cmocka_unit_test(sign_only_key_resumes),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
