/* tls/peer_verify.c, tls/client_hooks.c, tls/ca_names.c: who is let in, and what the other side is told. */
#include "tls_pair.h"
#include "tls_raw.h"

#include "tls/identity_internal.h"

#include <pk11pub.h>
#include <prerror.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

struct fixture {
    struct test_certs *certs;
    struct pkix_store *store;
    struct tls_identity *server, *server12;
};

static int setup(void **state)
{
    struct fixture *f = base_alloc(sizeof(*f));

    test_tls_start(TEST_CACHE_NONE);
    f->certs = test_certs_create();
    f->store = test_certs_store(f->certs);
    f->server = test_certs_identity(f->certs, &(struct test_leaf){.names = {"a.example.org", "ip:192.0.2.1"}});
    f->server12 = test_certs_identity(f->certs, &(struct test_leaf){.names = {"a.example.org"}});
    f->server12->version_max = 0x0303;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    tls_identity_destroy(&f->server);
    tls_identity_destroy(&f->server12);
    pkix_store_destroy(&f->store);
    test_certs_destroy(&f->certs);
    free(f);
    test_tls_stop();
    return 0;
}

/* A client looks at a server. */
static void server_certificates(void **state)
{
    static const struct {
        struct test_leaf leaf;
        const char *name;
        const char *error; /* "": good */
        int alert;
    } cases[] = {
        {{.names = {"a.example.org"}}, "a.example.org", "", -1},
        {{.names = {"a.example.org"}, .issuer = TEST_ISSUER_INTERMEDIATE}, "a.example.org", "", -1},
        {{.names = {"*.example.org"}, .key = TEST_KEY_RSA}, "a.example.org", "", -1},
        {{.names = {"ip:192.0.2.1"}}, "192.0.2.1", "", -1},
        {{.names = {"ip:192.0.2.1"}}, "192.0.2.2", "name_mismatch", 42},
        {{.names = {"192.0.2.1"}}, "192.0.2.1", "name_mismatch", 42},
        {{.names = {"b.example.org"}}, "a.example.org", "name_mismatch", 42},
        {{.subject = "CN=a.example.org"}, "a.example.org", "name_mismatch", 42},
        {{.names = {"a.example.org"}, .issuer = TEST_ISSUER_OTHER}, "a.example.org", "unknown_issuer", 48},
        {{.names = {"a.example.org"}, .days_from = -20, .days_to = -10}, "a.example.org", "expired", 45},
        {{.names = {"a.example.org"}, .days_from = 10, .days_to = 20}, "a.example.org", "not_yet_valid", 45},
        {{.names = {"a.example.org"}, .use = TEST_USE_CLIENT}, "a.example.org", "bad_extended_key_usage", 46},
    };
    struct fixture *f = *state;
    struct tls_context *client = test_client(&(struct tls_client_options){.version_min = 0x0303, .trust = f->store});

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (unsigned version = 0x0303; version <= 0x0304; version++) {
            struct tls_identity *identity = test_certs_identity(f->certs, &cases[i].leaf);
            struct tls_context *server;
            struct test_pair p;

            identity->version_max = version;
            server = test_server(
                &(struct tls_server_options){.identities = &identity, .identity_count = 1, .version_min = 0x0303});
            test_pair_init(&p, client, cases[i].name, NULL, server);
            test_pair_run(&p);
            if (strcmp(tls_engine_error_name(p.client), cases[i].error) != 0 ||
                tls_engine_alert_sent(p.client) != cases[i].alert ||
                tls_engine_alert_received(p.server) != cases[i].alert)
                fail_msg("case %zu, version %x: client %s (%s), alert %d, received %d", i, version,
                         tls_engine_error_name(p.client), tls_engine_error(p.client), tls_engine_alert_sent(p.client),
                         tls_engine_alert_received(p.server));
            assert_int_equal(tls_engine_handshake_done(p.client), cases[i].error[0] == '\0');
            if (cases[i].error[0] != '\0')
                assert_int_equal(p.client_status, TLS_FAILED);
            test_pair_clear(&p);
            tls_context_destroy(&server);
            tls_identity_destroy(&identity);
        }
    }
    tls_context_destroy(&client);
}

/* Time is the context's: the same server, at three times. */
static int64_t days;

static int64_t wall_s(void)
{
    return time(NULL) + days * 86400;
}

static void the_time_is_the_contexts(void **state)
{
    static const struct tls_clock clock = {.wall_s = wall_s, .now_ms = base_now_ms};
    static const struct {
        int64_t days;
        const char *error;
    } cases[] = {{0, ""}, {36500, "expired"}, {-36500, "not_yet_valid"}};
    struct fixture *f = *state;
    struct tls_context *client =
        test_client(&(struct tls_client_options){.version_min = 0x0303, .trust = f->store, .clock = &clock});
    struct tls_context *server =
        test_server(&(struct tls_server_options){.identities = &f->server, .identity_count = 1, .version_min = 0x0303});

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct test_pair p;

        days = cases[i].days;
        test_pair_init(&p, client, "a.example.org", NULL, server);
        test_pair_run(&p);
        assert_string_equal(tls_engine_error_name(p.client), cases[i].error);
        test_pair_clear(&p);
    }
    tls_context_destroy(&client);
    tls_context_destroy(&server);
}

static void insecure_no_verify(void **state)
{
    struct fixture *f = *state;
    struct tls_identity *identity = test_certs_identity(
        f->certs, &(struct test_leaf){.issuer = TEST_ISSUER_OTHER, .days_from = -20, .days_to = -10});
    struct tls_context *server =
        test_server(&(struct tls_server_options){.identities = &identity, .identity_count = 1, .version_min = 0x0303});
    struct tls_context *client =
        test_client(&(struct tls_client_options){.version_min = 0x0303, .insecure_no_verify = true});
    struct test_pair p;

    test_pair_init(&p, client, "a.example.org", NULL, server);
    test_pair_handshake(&p);
    assert_true(span_equal(tls_engine_session(p.client).peer_cert, tls_identity_leaf(identity)));
    test_pair_clear(&p);
    tls_context_destroy(&client);
    tls_context_destroy(&server);
    tls_identity_destroy(&identity);
}

/* A server looks at a client. In TLS 1.3 the client has finished by then, and hears of it when it reads. */
static void client_certificates(void **state)
{
    static const struct test_leaf good = {.use = TEST_USE_CLIENT, .names = {"client.example.org"}};
    static const struct test_leaf through = {.use = TEST_USE_CLIENT, .issuer = TEST_ISSUER_INTERMEDIATE};
    static const struct test_leaf rsa = {.use = TEST_USE_CLIENT, .key = TEST_KEY_RSA};
    static const struct test_leaf server_leaf = {.use = TEST_USE_SERVER, .names = {"client.example.org"}};
    static const struct {
        enum tls_peer peer;
        const struct test_leaf *leaf; /* NULL: the client has none */
        const char *error;            /* of the server; "": good */
        int alert[2];                 /* TLS 1.2, 1.3 */
    } cases[] = {
        {TLS_PEER_NONE, &good, "", {-1, -1}},
        {TLS_PEER_REQUEST, NULL, "", {-1, -1}},
        {TLS_PEER_REQUEST, &good, "", {-1, -1}},
        {TLS_PEER_REQUEST, &server_leaf, "bad_extended_key_usage", {46, 46}},
        {TLS_PEER_REQUIRE, &good, "", {-1, -1}},
        {TLS_PEER_REQUIRE, &through, "", {-1, -1}},
        {TLS_PEER_REQUIRE, &rsa, "", {-1, -1}},
        {TLS_PEER_REQUIRE, NULL, "SSL_ERROR_NO_CERTIFICATE", {42, 116}},
        {TLS_PEER_REQUIRE, &server_leaf, "bad_extended_key_usage", {46, 46}},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (unsigned version = 0x0303; version <= 0x0304; version++) {
            struct tls_identity *identity = cases[i].leaf == NULL ? NULL : test_certs_identity(f->certs, cases[i].leaf);
            struct tls_context *server =
                test_server(&(struct tls_server_options){.identities = version == 0x0303 ? &f->server12 : &f->server,
                                                         .identity_count = 1,
                                                         .version_min = 0x0303,
                                                         .peer = cases[i].peer,
                                                         .trust = f->store});
            struct tls_context *client =
                test_client(&(struct tls_client_options){.version_min = 0x0303,
                                                         .trust = f->store,
                                                         .identities = &identity,
                                                         .identity_count = identity == NULL ? 0 : 1});
            bool asked = cases[i].peer != TLS_PEER_NONE && identity != NULL;
            bool good_case = cases[i].error[0] == '\0';
            struct test_pair p;
            uint8_t byte;
            size_t n;

            test_pair_init(&p, client, "a.example.org", NULL, server);
            test_pair_run(&p);
            if (strcmp(tls_engine_error_name(p.server), cases[i].error) != 0 ||
                tls_engine_alert_sent(p.server) != cases[i].alert[version - 0x0303])
                fail_msg("case %zu, version %x: %s (%s), alert %d", i, version, tls_engine_error_name(p.server),
                         tls_engine_error(p.server), tls_engine_alert_sent(p.server));
            assert_int_equal(tls_engine_handshake_done(p.server), good_case);
            if (good_case) {
                struct span want = asked ? tls_identity_leaf(identity) : (struct span){0};

                assert_true(span_equal(tls_engine_session(p.server).peer_cert, want));
                assert_ptr_equal(tls_engine_session(p.client).identity, asked ? identity : NULL);
                test_pair_close(&p);
            } else {
                if (tls_engine_handshake_done(p.client))
                    assert_int_equal(tls_engine_take_plaintext(p.client, &byte, 1, &n), TLS_FAILED);
                assert_int_equal(tls_engine_alert_received(p.client), cases[i].alert[version - 0x0303]);
                assert_non_null(strstr(tls_engine_error_name(p.client), "alert_received_"));
                if (identity == NULL)
                    assert_non_null(strstr(tls_engine_error(p.client), "and got none: there is none for this service"));
            }
            test_pair_clear(&p);
            tls_context_destroy(&client);
            tls_context_destroy(&server);
            tls_identity_destroy(&identity);
        }
    }
}

/* The identity is chosen by the authorities the server names, then by order; one that is not valid now is passed over.
 */
static void client_identity_is_chosen(void **state)
{
    struct fixture *f = *state;
    struct tls_identity *other =
        test_certs_identity(f->certs, &(struct test_leaf){.use = TEST_USE_CLIENT, .issuer = TEST_ISSUER_OTHER});
    struct tls_identity *expired =
        test_certs_identity(f->certs, &(struct test_leaf){.use = TEST_USE_CLIENT, .days_from = -20, .days_to = -10});
    struct tls_identity *good = test_certs_identity(f->certs, &(struct test_leaf){.use = TEST_USE_CLIENT});
    struct tls_identity *second = test_certs_identity(f->certs, &(struct test_leaf){.use = TEST_USE_CLIENT});
    struct tls_identity *all[] = {other, expired, good, second};
    struct tls_context *client = test_client(&(struct tls_client_options){
        .version_min = 0x0303, .trust = f->store, .identities = all, .identity_count = ARRAY_LEN(all)});

    for (unsigned version = 0x0303; version <= 0x0304; version++) {
        struct tls_context *server =
            test_server(&(struct tls_server_options){.identities = version == 0x0303 ? &f->server12 : &f->server,
                                                     .identity_count = 1,
                                                     .version_min = 0x0303,
                                                     .peer = TLS_PEER_REQUIRE,
                                                     .trust = f->store});
        struct test_pair p;

        test_pair_init(&p, client, "a.example.org", NULL, server);
        test_pair_handshake(&p);
        assert_ptr_equal(tls_engine_session(p.client).identity, good);
        test_pair_clear(&p);
        tls_context_destroy(&server);
    }
    tls_context_destroy(&client);
    tls_identity_destroy(&other);
    tls_identity_destroy(&expired);
    tls_identity_destroy(&good);
    tls_identity_destroy(&second);
}

/* By what the server can verify: an RSA identity first, and a server that takes ECDSA only. */
static void client_identity_by_signature_algorithm(void **state)
{
    static const SSLSignatureScheme ec_only[] = {ssl_sig_ecdsa_secp256r1_sha256};
    struct fixture *f = *state;
    struct tls_identity *rsa =
        test_certs_identity(f->certs, &(struct test_leaf){.use = TEST_USE_CLIENT, .key = TEST_KEY_RSA});
    struct tls_identity *ec = test_certs_identity(f->certs, &(struct test_leaf){.use = TEST_USE_CLIENT});
    struct tls_identity *both[] = {rsa, ec};
    struct tls_context *client = test_client(&(struct tls_client_options){
        .version_min = 0x0303, .trust = f->store, .identities = both, .identity_count = 2});

    for (int version = 0x0303; version <= 0x0304; version++) {
        struct tls_engine *e = tls_engine_create(client, "a.example.org", NULL);
        struct test_raw raw;

        test_raw_init(&raw, TEST_RAW_SERVER, f->server, version);
        assert_int_equal(SSL_SignatureSchemePrefSet(raw.fd, ec_only, 1), SECSuccess);
        assert_int_equal(SSL_OptionSet(raw.fd, SSL_REQUEST_CERTIFICATE, PR_TRUE), SECSuccess);
        assert_int_equal(SSL_OptionSet(raw.fd, SSL_REQUIRE_CERTIFICATE, SSL_REQUIRE_ALWAYS), SECSuccess);
        if (!test_raw_handshake(&raw, e))
            fail_msg("version %x: %s, %s", (unsigned)version, PR_ErrorToName(raw.error), tls_engine_error(e));
        assert_ptr_equal(tls_engine_session(e).identity, ec);
        test_raw_clear(&raw);
        tls_engine_destroy(&e);
    }
    tls_context_destroy(&client);
    tls_identity_destroy(&rsa);
    tls_identity_destroy(&ec);
}

/* --- renegotiation (TLS 1.2) --- */

static void PR_CALLBACK note_alert(const PRFileDesc *fd, void *arg, const SSLAlert *alert)
{
    (void)fd;
    *(SSLAlert *)arg = *alert;
}

static void server_refuses_renegotiation(void **state)
{
    SSLAlert alert = {0};
    struct fixture *f = *state;
    struct tls_context *server = test_server(
        &(struct tls_server_options){.identities = &f->server12, .identity_count = 1, .version_min = 0x0303});
    struct tls_engine *e = tls_engine_create(server, NULL, NULL);
    struct test_raw raw;
    uint8_t data[8];
    size_t n;

    test_raw_init(&raw, TEST_RAW_CLIENT, NULL, 0x0303);
    assert_true(test_raw_handshake(&raw, e));
    assert_int_equal(SSL_ReHandshake(raw.fd, PR_TRUE), SECSuccess);
    (void)SSL_ForceHandshake(raw.fd);
    test_raw_move(&raw, e);
    assert_int_equal(tls_engine_take_plaintext(e, data, sizeof(data), &n), TLS_OK);
    assert_int_equal(n, 0);
    test_raw_move(&raw, e);
    assert_int_equal(SSL_AlertReceivedCallback(raw.fd, note_alert, &alert), SECSuccess);
    assert_int_equal(test_raw_read(&raw, data, sizeof(data)), -1);
    assert_int_equal(alert.level, 1); /* no_renegotiation, a warning: the server goes on */
    assert_int_equal(alert.description, 100);
    assert_string_equal(tls_engine_error_name(e), "");
    assert_int_equal(tls_engine_put_plaintext(e, span_of_string("x"), &n), TLS_OK);
    assert_int_equal(n, 1);
    test_raw_clear(&raw);
    tls_engine_destroy(&e);
    tls_context_destroy(&server);
}

static void pump(struct test_raw *raw, struct tls_engine *e)
{
    uint8_t data[64];
    size_t n;

    for (int i = 0; i < 10; i++) {
        (void)test_raw_read(raw, data, sizeof(data));
        test_raw_move(raw, e);
        if ((tls_engine_wants(e) & TLS_HAS_PLAINTEXT) != 0)
            (void)!tls_engine_take_plaintext(e, data, sizeof(data), &n);
        test_raw_move(raw, e);
    }
}

/* A TLS 1.2 server asks for a certificate in a second handshake, as IIS does. */
static void client_survives_renegotiation(void **state)
{
    struct fixture *f = *state;
    struct tls_identity *identity = test_certs_identity(f->certs, &(struct test_leaf){.use = TEST_USE_CLIENT});

    /* As with a key on a token, reading is done in steps then. */
    for (int may_block = 0; may_block <= 1; may_block++) {
        struct tls_context *client;
        struct tls_engine *e;
        struct test_raw raw;
        CERTCertificate *peer;
        uint8_t data[8];
        size_t n;

        identity->may_block = may_block;
        client = test_client(&(struct tls_client_options){
            .version_min = 0x0303, .trust = f->store, .identities = &identity, .identity_count = 1});
        e = tls_engine_create(client, "a.example.org", NULL);
        test_raw_init(&raw, TEST_RAW_SERVER, f->server, 0x0303);
        assert_int_equal(tls_engine_may_block(e), may_block);
        assert_true(test_raw_handshake(&raw, e));
        assert_int_equal(tls_engine_may_block(e), may_block);
        assert_null(tls_engine_session(e).identity);
        assert_int_equal(SSL_OptionSet(raw.fd, SSL_REQUEST_CERTIFICATE, PR_TRUE), SECSuccess);
        assert_int_equal(SSL_OptionSet(raw.fd, SSL_REQUIRE_CERTIFICATE, SSL_REQUIRE_ALWAYS), SECSuccess);
        assert_int_equal(SSL_ReHandshake(raw.fd, PR_TRUE), SECSuccess);
        (void)SSL_ForceHandshake(raw.fd);
        pump(&raw, e);
        assert_string_equal(tls_engine_error_name(e), "");
        assert_ptr_equal(tls_engine_session(e).identity, identity);
        peer = SSL_PeerCertificate(raw.fd);
        assert_non_null(peer);
        CERT_DestroyCertificate(peer);
        /* Data goes on. */
        assert_int_equal(PR_Write(raw.fd, "data", 4), 4);
        test_raw_move(&raw, e);
        assert_true((tls_engine_wants(e) & TLS_HAS_PLAINTEXT) != 0);
        assert_int_equal(tls_engine_take_plaintext(e, data, sizeof(data), &n), TLS_OK);
        assert_int_equal(n, 4);
        test_raw_clear(&raw);
        tls_engine_destroy(&e);
        tls_context_destroy(&client);
    }
    tls_identity_destroy(&identity);
}

static void renegotiation_flood(void **state)
{
    struct fixture *f = *state;
    struct tls_identity *identity = test_certs_identity(f->certs, &(struct test_leaf){.use = TEST_USE_CLIENT});
    struct tls_context *client = test_client(&(struct tls_client_options){
        .version_min = 0x0303, .trust = f->store, .identities = &identity, .identity_count = 1});
    struct tls_engine *e = tls_engine_create(client, "a.example.org", NULL);
    struct test_raw raw;

    test_raw_init(&raw, TEST_RAW_SERVER, f->server, 0x0303);
    assert_true(test_raw_handshake(&raw, e));
    for (int i = 0; i < 10 && tls_engine_error_name(e)[0] == '\0'; i++) {
        (void)SSL_ReHandshake(raw.fd, PR_TRUE);
        (void)SSL_ForceHandshake(raw.fd);
        pump(&raw, e);
    }
    assert_string_equal(tls_engine_error_name(e), "renegotiation_flood");
    assert_int_equal(tls_engine_step(e), TLS_FAILED);
    test_raw_clear(&raw);
    tls_engine_destroy(&e);
    tls_context_destroy(&client);
    tls_identity_destroy(&identity);
}

/* --- OCSP stapling --- */

static void staple_is_served(void **state)
{
    static const uint8_t response[] = {0x30, 3, 0x0a, 1, 6}; /* OCSPResponse: unauthorized */
    struct fixture *f = *state;
    struct tls_context *server = test_server(&(struct tls_server_options){
        .identities = &f->server, .identity_count = 1, .version_min = 0x0303, .ocsp_staple = span_of(response, 5)});
    struct tls_context *client =
        test_client(&(struct tls_client_options){.version_min = 0x0303, .insecure_no_verify = true});
    struct test_pair p;

    test_pair_init(&p, client, "a.example.org", NULL, server);
    test_pair_handshake(&p);
    assert_true(tls_engine_session(p.client).peer_stapled);
    assert_false(tls_engine_session(p.server).peer_stapled);
    test_pair_clear(&p);
    tls_context_destroy(&client);
    tls_context_destroy(&server);
}

/* Of clients and of servers; and who has extended validation is told. */
static void policies_are_asked_of_peers(void **state)
{
    static const uint8_t oid[] = {0x67, 0x81, 0x0c, 1, 1};
    static const struct span policies[] = {{oid, sizeof(oid)}};
    struct fixture *f = *state;
    struct pkix_ev_root pair = {.policy_size = sizeof(oid)};
    struct span root = test_certs_root(f->certs);

    memcpy(pair.policy, oid, sizeof(oid));
    assert_int_equal(PK11_HashBuf(SEC_OID_SHA256, pair.root_sha256, root.data, (int)root.size), SECSuccess);
    for (unsigned bits = 0; bits < 16; bits++) {
        bool client_has = bits & 1, server_has = bits & 2, ev = bits & 4, other_root = bits & 8;
        struct tls_identity *client_identity =
            test_certs_identity(f->certs, &(struct test_leaf){.use = TEST_USE_CLIENT, .has_policy = client_has});
        struct tls_identity *server_identity =
            test_certs_identity(f->certs, &(struct test_leaf){.names = {"a.example.org"}, .has_policy = server_has});
        struct pkix_ev_root one = pair;
        const struct pkix_policy_inputs asked = {.policies = policies,
                                                 .policy_count = ev ? 0 : 1,
                                                 .explicit_policy = !ev,
                                                 .require_ev = ev,
                                                 .ev_roots = &one,
                                                 .ev_root_count = 1};
        struct tls_context *server = test_server(&(struct tls_server_options){.identities = &server_identity,
                                                                              .identity_count = 1,
                                                                              .version_min = 0x0304,
                                                                              .peer = TLS_PEER_REQUIRE,
                                                                              .trust = f->store,
                                                                              .policy = asked});
        struct tls_context *client = test_client(&(struct tls_client_options){.version_min = 0x0304,
                                                                              .trust = f->store,
                                                                              .identities = &client_identity,
                                                                              .identity_count = 1,
                                                                              .policy = asked});
        const char *want_ev = other_root ? "" : "2.23.140.1.1";
        struct test_pair p;

        one.root_sha256[0] ^= other_root;
        test_pair_init(&p, client, "a.example.org", NULL, server);
        test_pair_run(&p);
        if (!server_has || (ev && other_root)) {
            assert_string_equal(tls_engine_error_name(p.client), "policy_missing");
            assert_string_equal(tls_engine_session(p.client).peer_ev_policy, "");
        } else {
            assert_true(tls_engine_handshake_done(p.client));
            assert_string_equal(tls_engine_session(p.client).peer_ev_policy, want_ev);
            assert_int_equal(tls_engine_handshake_done(p.server), client_has);
            assert_string_equal(tls_engine_error_name(p.server), client_has ? "" : "policy_missing");
            assert_string_equal(tls_engine_session(p.server).peer_ev_policy, client_has ? want_ev : "");
        }
        test_pair_clear(&p);
        tls_context_destroy(&client);
        tls_context_destroy(&server);
        tls_identity_destroy(&client_identity);
        tls_identity_destroy(&server_identity);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(server_certificates),          cmocka_unit_test(the_time_is_the_contexts),
        cmocka_unit_test(insecure_no_verify),           cmocka_unit_test(client_certificates),
        cmocka_unit_test(client_identity_is_chosen),    cmocka_unit_test(client_identity_by_signature_algorithm),
        cmocka_unit_test(server_refuses_renegotiation), cmocka_unit_test(client_survives_renegotiation),
        cmocka_unit_test(renegotiation_flood),          cmocka_unit_test(staple_is_served),
        cmocka_unit_test(policies_are_asked_of_peers),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
