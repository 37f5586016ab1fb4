/* tls/server_hooks.c, tls/sites.c, tls/context.c: which of its identities a server shows, by name, key and version. */
#include "handshake_identities.h"
#include "tls_raw.h"

#include "tls/identity_internal.h"

#include <prerror.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void sni(void **state)
{
    struct handshake_identities *f = *state;
    struct tls_identity *identities[] = {f->ec, f->wild, f->other};
    const struct {
        enum tls_sni policy;
        const char *name;                /* NULL: none is sent */
        const struct tls_identity *want; /* NULL: refused */
        const char *error;
        const char *want_name; /* NULL: as sent */
    } cases[] = {
        {TLS_SNI_ANY, "a.example.org", f->ec, "", NULL},
        {TLS_SNI_ANY, "b.example.net.", f->other, "", "b.example.net"},
        {TLS_SNI_KNOWN, "x.example.org.", f->wild, "", "x.example.org"},
        {TLS_SNI_REQUIRED, "B.Example.NET.", f->other, "", "b.example.net"},
        {TLS_SNI_KNOWN, "unknown.test.", NULL, "unknown_server_name", NULL},
        {TLS_SNI_ANY, "A.EXAMPLE.ORG", f->ec, "", NULL},
        {TLS_SNI_ANY, "x.example.org", f->wild, "", NULL},
        {TLS_SNI_ANY, "example.org", f->wild, "", NULL},
        {TLS_SNI_ANY, "x.y.example.org", f->ec, "", NULL},
        {TLS_SNI_ANY, "b.example.net", f->other, "", NULL},
        {TLS_SNI_ANY, "unknown.test", f->ec, "", NULL},
        {TLS_SNI_ANY, NULL, f->ec, "", NULL},
        {TLS_SNI_ANY, "a.example.org:443", f->ec, "", ""},
        {TLS_SNI_ANY, "[::1]", f->ec, "", ""},
        {TLS_SNI_ANY, "bad name", f->ec, "", ""},
        {TLS_SNI_ANY, "a..example.org", f->ec, "", ""},
        {TLS_SNI_ANY, "a.example.org..", f->ec, "", ""},
        {TLS_SNI_ANY, ".", f->ec, "", ""},
        {TLS_SNI_KNOWN, "a.example.org:443", NULL, "bad_server_name", NULL},
        {TLS_SNI_KNOWN, "bad name", NULL, "bad_server_name", NULL},
        {TLS_SNI_REQUIRED, "[::1]", NULL, "bad_server_name", NULL},
        {TLS_SNI_REQUIRED, "a.example.org..", NULL, "bad_server_name", NULL},
        {TLS_SNI_KNOWN, "x.example.org", f->wild, "", NULL},
        {TLS_SNI_KNOWN, "unknown.test", NULL, "unknown_server_name", NULL},
        {TLS_SNI_KNOWN, NULL, f->ec, "", NULL},
        {TLS_SNI_REQUIRED, "b.example.net", f->other, "", NULL},
        {TLS_SNI_REQUIRED, "unknown.test", NULL, "unknown_server_name", NULL},
        {TLS_SNI_REQUIRED, NULL, NULL, "no_server_name", NULL},
    };
    struct tls_context *client =
        test_client(&(struct tls_client_options){.version_min = 0x0303, .insecure_no_verify = true});

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tls_context *server = test_server(&(struct tls_server_options){.identities = identities,
                                                                              .identity_count = ARRAY_LEN(identities),
                                                                              .version_min = 0x0303,
                                                                              .sni = cases[i].policy});
        struct test_pair p;

        test_pair_init(&p, client, cases[i].name, NULL, server);
        if (cases[i].want != NULL) {
            test_pair_handshake(&p);
            assert_true(span_equal(tls_engine_session(p.client).peer_cert, tls_identity_leaf(cases[i].want)));
            assert_ptr_equal(tls_engine_session(p.server).identity, cases[i].want);
            assert_true(span_equal_nocase(span_of_string(tls_engine_session(p.server).server_name),
                                          span_of_string(cases[i].want_name != NULL ? cases[i].want_name
                                                         : cases[i].name == NULL    ? ""
                                                                                    : cases[i].name)));
        } else {
            test_pair_run(&p);
            assert_int_equal(p.server_status, TLS_FAILED);
            assert_string_equal(tls_engine_error_name(p.server), cases[i].error);
            assert_int_equal(tls_engine_alert_sent(p.server), 112);
            assert_string_equal(tls_engine_error_name(p.client), "alert_received_unrecognized_name");
        }
        test_pair_clear(&p);
        tls_context_destroy(&server);
    }
    tls_context_destroy(&client);
}

static void address_is_not_sent_as_name(void **state)
{
    struct handshake_identities *f = *state;
    struct tls_context *server =
        test_server(&(struct tls_server_options){.identities = &f->ec, .identity_count = 1, .version_min = 0x0303});
    struct tls_context *client = test_client(&(struct tls_client_options){.version_min = 0x0303, .trust = f->store});
    struct test_pair p;

    test_pair_init(&p, client, "192.0.2.1", NULL, server);
    test_pair_handshake(&p);
    assert_string_equal(tls_engine_session(p.server).server_name, "");
    assert_string_equal(tls_engine_session(p.client).server_name, "");
    test_pair_clear(&p);
    tls_context_destroy(&client);
    tls_context_destroy(&server);
}

/* Every kind of key serves alone. (pkix/ does not take keys that are for RSA-PSS only; clients that do may come.) */
static void key_types(void **state)
{
    struct handshake_identities *f = *state;
    struct tls_identity *alone[] = {f->ec, f->rsa, f->pss, f->p384};

    for (size_t i = 0; i < ARRAY_LEN(alone); i++) {
        struct tls_context *server = test_server(
            &(struct tls_server_options){.identities = &alone[i], .identity_count = 1, .version_min = 0x0303});
        struct tls_context *client = test_client(&(struct tls_client_options){
            .version_min = 0x0303, .trust = f->store, .insecure_no_verify = alone[i] == f->pss});
        struct test_pair p;

        test_pair_init(&p, client, "a.example.org", NULL, server);
        test_pair_handshake(&p);
        assert_ptr_equal(tls_engine_session(p.server).identity, alone[i]);
        test_pair_clear(&p);
        tls_context_destroy(&client);
        tls_context_destroy(&server);
    }
}

/* A TLS 1.2 client that cannot verify ECDSA does not offer suites with it either: NSS picks by suite first. */
static void offer_no_ecdsa_suites(PRFileDesc *fd)
{
    for (unsigned i = 0; i < SSL_GetNumImplementedCiphers(); i++) {
        SSLCipherSuiteInfo info;

        assert_int_equal(SSL_GetCipherSuiteInfo(SSL_GetImplementedCiphers()[i], &info, sizeof(info)), SECSuccess);
        if (info.authType == ssl_auth_ecdsa)
            assert_int_equal(SSL_CipherPrefSet(fd, info.cipherSuite, PR_FALSE), SECSuccess);
    }
}

/* Side by side for one name, NSS picks by what the client can verify. */
static void rsa_beside_ec(void **state)
{
    static const SSLSignatureScheme ec_only[] = {ssl_sig_ecdsa_secp256r1_sha256};
    static const SSLSignatureScheme rsa_only[] = {ssl_sig_rsa_pss_rsae_sha256, ssl_sig_rsa_pkcs1_sha256};
    struct handshake_identities *f = *state;
    const struct {
        const SSLSignatureScheme *schemes;
        unsigned count;
        const struct tls_identity *want;
    } cases[] = {{ec_only, ARRAY_LEN(ec_only), f->ec}, {rsa_only, ARRAY_LEN(rsa_only), f->rsa}};
    struct tls_identity *both[] = {f->rsa, f->ec};
    struct tls_context *server =
        test_server(&(struct tls_server_options){.identities = both, .identity_count = 2, .version_min = 0x0303});

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (int version = 0x0303; version <= 0x0304; version++) {
            struct tls_engine *e = tls_engine_create(server, NULL, NULL);
            struct test_raw raw;

            test_raw_init(&raw, TEST_RAW_CLIENT, NULL, version);
            assert_int_equal(SSL_SignatureSchemePrefSet(raw.fd, cases[i].schemes, cases[i].count), SECSuccess);
            assert_int_equal(SSL_SetURL(raw.fd, "a.example.org"), SECSuccess);
            if (cases[i].want == f->rsa)
                offer_no_ecdsa_suites(raw.fd);
            if (!test_raw_handshake(&raw, e))
                fail_msg("case %zu, version %x: %s, %s", i, (unsigned)version, PR_ErrorToName(raw.error),
                         tls_engine_error(e));
            assert_ptr_equal(tls_engine_session(e).identity, cases[i].want);
            test_raw_clear(&raw);
            tls_engine_destroy(&e);
        }
    }
    tls_context_destroy(&server);
}

/* A first key share that no engine takes: its answer is a HelloRetryRequest (RFC 8446 section 4.1.4). */
static void send_a_share_of_no_use(struct test_raw *raw)
{
    static const SSLNamedGroup groups[] = {ssl_grp_ffdhe_2048, ssl_grp_ec_curve25519, ssl_grp_ec_secp256r1};

    assert_int_equal(SSL_NamedGroupConfig(raw->fd, groups, ARRAY_LEN(groups)), SECSuccess);
    assert_int_equal(SSL_SendAdditionalKeyShares(raw->fd, 0), SECSuccess);
}

/* An RSA key that cannot do RSA-PSS (rsa12) has TLS 1.2, and nobody else for its sake. NSS as a client looks for signs
 * of a downgrade. */
static void capped_identity_caps_itself_alone(void **state)
{
    static const SSLSignatureScheme ec_only[] = {ssl_sig_ecdsa_secp256r1_sha256};
    static const SSLSignatureScheme rsa_only[] = {ssl_sig_rsa_pss_rsae_sha256, ssl_sig_rsa_pkcs1_sha256};
    static const SSLSignatureScheme both[] = {ssl_sig_rsa_pss_rsae_sha256, ssl_sig_ecdsa_secp256r1_sha256,
                                              ssl_sig_rsa_pkcs1_sha256};
    struct handshake_identities *f = *state;
    struct tls_identity *rsa12_net =
        test_certs_identity(f->certs, &(struct test_leaf){.names = {"c.example.net"}, .key = TEST_KEY_RSA});
    struct tls_identity *beside[] = {f->rsa12, f->ec};                  /* the same name */
    struct tls_identity *first[] = {rsa12_net, f->ec, f->rsa};          /* the default, and other names */
    struct tls_identity *last[] = {f->ec, f->rsa, f->other, rsa12_net}; /* a name of its own */
    const struct {
        struct tls_identity **identities;
        size_t count;
        const char *name;
        const SSLSignatureScheme *schemes;
        unsigned scheme_count;
        const struct tls_identity *want;
        const char *version;
    } cases[] = {
        {beside, 2, "a.example.org", both, ARRAY_LEN(both), f->ec, "TLSv1.3"},
        {beside, 2, "a.example.org", ec_only, ARRAY_LEN(ec_only), f->ec, "TLSv1.3"},
        {beside, 2, "a.example.org", rsa_only, ARRAY_LEN(rsa_only), f->rsa12, "TLSv1.2"},
        {beside, 2, NULL, both, ARRAY_LEN(both), f->ec, "TLSv1.3"},
        {beside, 2, NULL, rsa_only, ARRAY_LEN(rsa_only), f->rsa12, "TLSv1.2"},
        {first, 3, "a.example.org", both, ARRAY_LEN(both), NULL, "TLSv1.3"},
        {first, 3, "a.example.org", rsa_only, ARRAY_LEN(rsa_only), f->rsa, "TLSv1.3"},
        {first, 3, "c.example.net", both, ARRAY_LEN(both), rsa12_net, "TLSv1.2"},
        {first, 3, NULL, both, ARRAY_LEN(both), rsa12_net, "TLSv1.2"},
        {last, 4, "c.example.net", both, ARRAY_LEN(both), rsa12_net, "TLSv1.2"},
        {last, 4, "b.example.net", both, ARRAY_LEN(both), f->other, "TLSv1.3"},
        {last, 4, "a.example.org", rsa_only, ARRAY_LEN(rsa_only), f->rsa, "TLSv1.3"},
    };

    rsa12_net->version_max = 0x0303;
    for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
        size_t c = i % ARRAY_LEN(cases);
        bool retry = i >= ARRAY_LEN(cases); /* the server asks for another key share */
        struct tls_context *server = test_server(&(struct tls_server_options){
            .identities = cases[c].identities, .identity_count = cases[c].count, .version_min = 0x0303});
        struct tls_engine *e = tls_engine_create(server, NULL, NULL);
        struct test_raw raw;

        test_raw_init(&raw, TEST_RAW_CLIENT, NULL, 0x0304);
        if (retry)
            send_a_share_of_no_use(&raw);
        assert_int_equal(SSL_VersionRangeSet(raw.fd, &(SSLVersionRange){.min = 0x0303, .max = 0x0304}), SECSuccess);
        assert_int_equal(SSL_OptionSet(raw.fd, SSL_ENABLE_HELLO_DOWNGRADE_CHECK, PR_TRUE), SECSuccess);
        assert_int_equal(SSL_SignatureSchemePrefSet(raw.fd, cases[c].schemes, cases[c].scheme_count), SECSuccess);
        if (cases[c].name != NULL)
            assert_int_equal(SSL_SetURL(raw.fd, cases[c].name), SECSuccess);
        if (cases[c].schemes == rsa_only)
            offer_no_ecdsa_suites(raw.fd);
        if (!test_raw_handshake(&raw, e))
            fail_msg("case %zu: %s, %s", i, PR_ErrorToName(raw.error), tls_engine_error(e));
        if (cases[c].want != NULL && tls_engine_session(e).identity != cases[c].want)
            fail_msg("case %zu: %s", i, tls_identity_describe(tls_engine_session(e).identity));
        if (strcmp(tls_engine_session(e).version, cases[c].version) != 0)
            fail_msg("case %zu: %s", i, tls_engine_session(e).version);
        assert_string_equal(tls_engine_session(e).server_name, cases[c].name == NULL ? "" : cases[c].name);
        test_raw_clear(&raw);
        tls_engine_destroy(&e);
        tls_context_destroy(&server);
    }
    tls_identity_destroy(&rsa12_net);
}

/* NSS settles the suite by the keys of the first site, before it asks whose name it is. */
static void tls12_name_with_another_kind_of_key(void **state)
{
    struct handshake_identities *f = *state;
    struct tls_identity *rsa_net =
        test_certs_identity(f->certs, &(struct test_leaf){.names = {"c.example.net"}, .key = TEST_KEY_RSA});
    struct tls_identity *orders[][2] = {{f->ec, rsa_net}, {rsa_net, f->ec}};

    for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
        struct tls_context *server = test_server(
            &(struct tls_server_options){.identities = orders[i], .identity_count = 2, .version_min = 0x0303});

        for (size_t k = 0; k < 4; k++) {
            const struct tls_identity *want = k % 2 == 0 ? f->ec : rsa_net;
            struct tls_engine *e = tls_engine_create(server, NULL, NULL);
            struct test_raw raw;

            test_raw_init(&raw, TEST_RAW_CLIENT, NULL, k < 2 ? 0x0303 : 0x0304);
            assert_int_equal(SSL_SetURL(raw.fd, want == f->ec ? "a.example.org" : "c.example.net"), SECSuccess);
            if (!test_raw_handshake(&raw, e))
                fail_msg("order %zu, case %zu: %s, %s", i, k, PR_ErrorToName(raw.error), tls_engine_error(e));
            assert_ptr_equal(tls_engine_session(e).identity, want);
            test_raw_clear(&raw);
            tls_engine_destroy(&e);
        }
        tls_context_destroy(&server);
    }
    tls_identity_destroy(&rsa_net);
}

/* NSS has one list of schemes for both sides. Where clients show certificates and NSS would sign with such a key (this
 * one is in memory; test_token_capped.c has one on a token), all of the service has TLS 1.2. */
static void capped_identity_caps_who_asks_for_certificates(void **state)
{
    struct handshake_identities *f = *state;
    struct tls_identity *both[] = {f->rsa12, f->ec};
    struct tls_context *server = test_server(&(struct tls_server_options){
        .identities = both, .identity_count = 2, .version_min = 0x0303, .peer = TLS_PEER_REQUEST, .trust = f->store});
    struct tls_context *client = test_client(&(struct tls_client_options){.version_min = 0x0303, .trust = f->store});
    struct test_pair p;

    test_pair_init(&p, client, "a.example.org", NULL, server);
    test_pair_handshake(&p);
    assert_string_equal(tls_engine_session(p.server).version, "TLSv1.2");
    test_pair_clear(&p);
    tls_context_destroy(&client);
    tls_context_destroy(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sni),
        cmocka_unit_test(address_is_not_sent_as_name),
        cmocka_unit_test(key_types),
        cmocka_unit_test(rsa_beside_ec),
        cmocka_unit_test(capped_identity_caps_itself_alone),
        cmocka_unit_test(tls12_name_with_another_kind_of_key),
        cmocka_unit_test(capped_identity_caps_who_asks_for_certificates),
    };

    return cmocka_run_group_tests(tests, handshake_identities_setup, handshake_identities_teardown);
}
