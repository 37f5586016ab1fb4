/* tls/handshake.c, tls/server_hooks.c, tls/context.c, tls/sites.c: what two sides agree on, and what is refused. */
#include "tls_pair.h"
#include "tls_raw.h"

#include "tls/identity_internal.h"
#include "tls/limits.h"
#include "tls/runtime.h"

#include <prerror.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
    struct test_certs *certs;
    struct pkix_store *store;
    struct tls_identity *ec, *rsa, *pss, *p384, *wild, *other;
    struct tls_identity *rsa12, *ec12; /* as from a token that caps them at TLS 1.2 */
};

static int setup(void **state)
{
    struct fixture *f = base_alloc(sizeof(*f));

    test_tls_start(TEST_CACHE_NONE);
    f->certs = test_certs_create();
    f->store = test_certs_store(f->certs);
    f->ec = test_certs_identity(f->certs, &(struct test_leaf){.names = {"a.example.org", "ip:192.0.2.1"}});
    f->rsa = test_certs_identity(f->certs, &(struct test_leaf){.names = {"a.example.org"}, .key = TEST_KEY_RSA});
    f->pss = test_certs_identity(f->certs, &(struct test_leaf){.names = {"a.example.org"}, .key = TEST_KEY_RSA_PSS});
    f->p384 = test_certs_identity(f->certs, &(struct test_leaf){.names = {"a.example.org"}, .key = TEST_KEY_P384});
    f->wild = test_certs_identity(f->certs, &(struct test_leaf){.names = {"*.example.org", "example.org"}});
    f->other = test_certs_identity(f->certs, &(struct test_leaf){.names = {"b.example.net"}});
    f->rsa12 = test_certs_identity(f->certs, &(struct test_leaf){.names = {"a.example.org"}, .key = TEST_KEY_RSA});
    f->rsa12->version_max = 0x0303;
    f->ec12 = test_certs_identity(f->certs, &(struct test_leaf){.names = {"a.example.org"}});
    f->ec12->version_max = 0x0303;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    tls_identity_destroy(&f->ec);
    tls_identity_destroy(&f->rsa);
    tls_identity_destroy(&f->pss);
    tls_identity_destroy(&f->p384);
    tls_identity_destroy(&f->wild);
    tls_identity_destroy(&f->other);
    tls_identity_destroy(&f->rsa12);
    tls_identity_destroy(&f->ec12);
    pkix_store_destroy(&f->store);
    test_certs_destroy(&f->certs);
    free(f);
    test_tls_stop();
    return 0;
}

/* --- versions and suites --- */

static void versions_and_suites(void **state)
{
    struct fixture *f = *state;
    const struct {
        unsigned client_min, server_min;
        enum tls_ciphers client_ciphers, server_ciphers;
        struct tls_identity *identity;
        const char *version; /* NULL: refused */
        const char *cipher;
    } cases[] = {
        {0x0303, 0x0303, TLS_CIPHERS_INTERMEDIATE, TLS_CIPHERS_INTERMEDIATE, f->ec, "TLSv1.3",
         "TLS_AES_128_GCM_SHA256"},
        {0x0304, 0x0303, TLS_CIPHERS_INTERMEDIATE, TLS_CIPHERS_INTERMEDIATE, f->ec, "TLSv1.3",
         "TLS_AES_128_GCM_SHA256"},
        {0x0303, 0x0304, TLS_CIPHERS_INTERMEDIATE, TLS_CIPHERS_INTERMEDIATE, f->ec, "TLSv1.3",
         "TLS_AES_128_GCM_SHA256"},
        {0x0303, 0x0303, TLS_CIPHERS_MODERN, TLS_CIPHERS_INTERMEDIATE, f->ec, "TLSv1.3", "TLS_AES_128_GCM_SHA256"},
        {0x0303, 0x0303, TLS_CIPHERS_INTERMEDIATE, TLS_CIPHERS_MODERN, f->ec, "TLSv1.3", "TLS_AES_128_GCM_SHA256"},
        {0x0303, 0x0303, TLS_CIPHERS_INTERMEDIATE, TLS_CIPHERS_INTERMEDIATE, f->rsa12, "TLSv1.2",
         "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
        {0x0303, 0x0303, TLS_CIPHERS_INTERMEDIATE, TLS_CIPHERS_INTERMEDIATE, f->ec12, "TLSv1.2",
         "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"},
        {0x0304, 0x0303, TLS_CIPHERS_INTERMEDIATE, TLS_CIPHERS_INTERMEDIATE, f->rsa12, NULL, NULL},
        {0x0303, 0x0303, TLS_CIPHERS_MODERN, TLS_CIPHERS_INTERMEDIATE, f->ec12, NULL, NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tls_identity *identity = cases[i].identity;
        struct tls_context *server = test_server(&(struct tls_server_options){.identities = &identity,
                                                                              .identity_count = 1,
                                                                              .version_min = cases[i].server_min,
                                                                              .ciphers = cases[i].server_ciphers});
        struct tls_context *client = test_client(&(struct tls_client_options){
            .version_min = cases[i].client_min, .ciphers = cases[i].client_ciphers, .trust = f->store});
        struct test_pair p;

        test_pair_init(&p, client, "a.example.org", NULL, server);
        if (cases[i].version != NULL) {
            test_pair_handshake(&p);
            assert_string_equal(tls_engine_session(p.client).version, cases[i].version);
            assert_string_equal(tls_engine_session(p.server).cipher, cases[i].cipher);
            test_pair_send(&p, p.client, p.server, span_of_string("x"));
            test_pair_close(&p);
        } else {
            test_pair_run(&p);
            assert_int_equal(tls_engine_alert_sent(p.server), 70);
            assert_string_equal(tls_engine_error_name(p.server), "no_common_version");
            assert_string_equal(tls_engine_error_name(p.client), "alert_received_protocol_version");
        }
        test_pair_clear(&p);
        tls_context_destroy(&client);
        tls_context_destroy(&server);
    }
}

static void capped_identity_cannot_be_modern(void **state)
{
    struct fixture *f = *state;
    struct tls_context *context = NULL;
    char *error = NULL;

    assert_false(tls_server_context_create(
        &(struct tls_server_options){
            .identities = &f->rsa12, .identity_count = 1, .version_min = 0x0303, .ciphers = TLS_CIPHERS_MODERN},
        &context, &error));
    assert_non_null(strstr(error, "RSA-PSS"));
    free(error);
}

static void context_bad_version(void **state)
{
    struct fixture *f = *state;
    struct tls_context *context = NULL;
    char *error = NULL;

    assert_false(tls_server_context_create(
        &(struct tls_server_options){.identities = &f->ec, .identity_count = 1, .version_min = 0x0302}, &context,
        &error));
    assert_non_null(strstr(error, "0x0302"));
    assert_null(context);
    free(error);
}

/* --- ALPN --- */

static void alpn(void **state)
{
    static const struct {
        const char *server[3], *client[3];
        bool ignore;
        const char *want; /* NULL: refused */
    } cases[] = {
        {{"imap"}, {"imap"}, false, "imap"},
        {{"imap"}, {NULL}, false, ""},
        {{"imap"}, {"http/1.1"}, false, NULL},
        {{"imap"}, {"h2", "http/1.1"}, false, NULL},
        {{"b", "a"}, {"a", "b"}, false, "b"},
        {{"b", "a"}, {"a", "c"}, false, "a"},
        {{"ab"}, {"a"}, false, NULL},
        {{"a"}, {"ab"}, false, NULL},
        {{NULL}, {"h2"}, false, NULL},
        {{NULL}, {NULL}, false, ""},
        {{NULL}, {"h2"}, true, ""},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t server_count = 0, client_count = 0;
        struct tls_context *server, *client;
        struct test_pair p;

        while (cases[i].server[server_count] != NULL)
            server_count++;
        while (cases[i].client[client_count] != NULL)
            client_count++;
        server = test_server(&(struct tls_server_options){.identities = &f->ec,
                                                          .identity_count = 1,
                                                          .version_min = 0x0303,
                                                          .alpn = cases[i].server,
                                                          .alpn_count = server_count,
                                                          .alpn_ignore = cases[i].ignore});
        client = test_client(&(struct tls_client_options){
            .version_min = 0x0303, .trust = f->store, .alpn = cases[i].client, .alpn_count = client_count});
        test_pair_init(&p, client, "a.example.org", NULL, server);
        if (cases[i].want != NULL) {
            test_pair_handshake(&p);
            assert_string_equal(tls_engine_session(p.server).alpn, cases[i].want);
            assert_string_equal(tls_engine_session(p.client).alpn, cases[i].want);
        } else {
            test_pair_run(&p);
            assert_int_equal(p.server_status, TLS_FAILED);
            assert_int_equal(tls_engine_alert_sent(p.server), 120);
            assert_string_equal(tls_engine_error_name(p.client), "alert_received_no_application_protocol");
        }
        test_pair_clear(&p);
        tls_context_destroy(&client);
        tls_context_destroy(&server);
    }
}

/* --- SNI --- */

static void sni(void **state)
{
    struct fixture *f = *state;
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
    struct fixture *f = *state;
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
    struct fixture *f = *state;
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
    struct fixture *f = *state;
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
    struct fixture *f = *state;
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
    struct fixture *f = *state;
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
    struct fixture *f = *state;
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

/* --- what is not TLS, or too much of it --- */

static void feed(struct tls_engine *e, const void *data, size_t size)
{
    struct span rest = span_of(data, size);

    while (rest.size != 0 && (tls_engine_wants(e) & TLS_WANTS_RECORDS) != 0) {
        size_t room;
        uint8_t *space = tls_engine_records_reserve(e, &room);

        room = room < rest.size ? room : rest.size;
        memcpy(space, rest.data, room);
        tls_engine_records_commit(e, room);
        rest = span_skip(rest, room);
        if (tls_engine_step(e) != TLS_OK)
            return;
    }
}

static void not_tls(void **state)
{
    static const uint8_t ssl2_hello[] = {0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10, 1, 0, 0x80, 3, 0};
    static const uint8_t ssl3_hello[] = {0x16, 3,  0,  0,  45, 1,  0,  0,  41, 3,  0,  1,  2,  3,  4,  5,  6,
                                         7,    8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23,
                                         24,   25, 26, 27, 28, 29, 30, 31, 32, 0,  0,  2,  0,  10, 1,  0};
    static const uint8_t garbage[] = "\x01\x02\x03\x04garbage garbage garbage";
    static const uint8_t version4[] = {0x16, 4, 1, 0, 4, 1, 0, 0, 0};
    static const uint8_t broken_hello[] = {0x16, 3, 1, 0, 6, 1, 0, 0, 2, 3, 3};
    const struct {
        const void *data;
        size_t size;
        const char *error;
        int alert;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27, "not_tls", 10},
        {"EHLO client.example\r\n", 21, "not_tls", 10},
        {garbage, sizeof(garbage), "not_tls", 10},
        {ssl2_hello, sizeof(ssl2_hello), "ssl2_hello", 70},
        {ssl3_hello, sizeof(ssl3_hello), "no_common_version", 70},
        {version4, sizeof(version4), "bad_record_version", 70},
        {broken_hello, sizeof(broken_hello), "SSL_ERROR_RX_MALFORMED_CLIENT_HELLO", 47 /* NSS; it should be 50 */},
    };
    struct fixture *f = *state;
    struct tls_context *server =
        test_server(&(struct tls_server_options){.identities = &f->ec, .identity_count = 1, .version_min = 0x0303});

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tls_engine *e = tls_engine_create(server, NULL, NULL);

        feed(e, cases[i].data, cases[i].size);
        if (strcmp(tls_engine_error_name(e), cases[i].error) != 0 || tls_engine_alert_sent(e) != cases[i].alert)
            fail_msg("case %zu: %s (%s), alert %d", i, tls_engine_error_name(e), tls_engine_error(e),
                     tls_engine_alert_sent(e));
        assert_int_equal(tls_engine_step(e), TLS_FAILED);
        assert_true(tls_engine_error(e)[0] != '\0');
        assert_int_equal(tls_engine_records(e).data[0], 21);
        tls_engine_destroy(&e);
    }
    tls_context_destroy(&server);
}

/* What a server says that speaks no TLS is in the sentence. */
static void server_is_not_tls(void **state)
{
    struct fixture *f = *state;
    struct tls_context *client = test_client(&(struct tls_client_options){.version_min = 0x0303, .trust = f->store});
    struct tls_engine *e = tls_engine_create(client, "a.example.org", NULL);

    assert_int_equal(tls_engine_step(e), TLS_OK);
    feed(e, "220 mail.example.org ESMTP\r\n", 28);
    assert_string_equal(tls_engine_error_name(e), "not_tls");
    assert_non_null(strstr(tls_engine_error(e), "220 mail.example.org ESMTP\\x0d\\x0a"));
    tls_engine_destroy(&e);
    tls_context_destroy(&client);
}

/* One record of each: warning alerts, empty handshake records. */
static void handshake_flood(void **state)
{
    static const uint8_t warning[] = {21, 3, 3, 0, 2, 1, 90};
    static const uint8_t empty[] = {22, 3, 3, 0, 0};
    const struct span floods[] = {span_of(warning, sizeof(warning)), span_of(empty, sizeof(empty))};
    struct fixture *f = *state;
    struct tls_context *server =
        test_server(&(struct tls_server_options){.identities = &f->ec, .identity_count = 1, .version_min = 0x0303});

    for (size_t i = 0; i < ARRAY_LEN(floods); i++) {
        struct tls_engine *e = tls_engine_create(server, NULL, NULL);
        int sent = 0;

        while (sent < 1000 && (tls_engine_wants(e) & TLS_WANTS_RECORDS) != 0) {
            feed(e, floods[i].data, floods[i].size);
            sent++;
        }
        assert_true(sent <= TLS_HANDSHAKE_EMPTY_RECORDS_MAX + 1);
        assert_int_equal(tls_engine_step(e), TLS_FAILED);
        assert_true(tls_engine_error_name(e)[0] != '\0');
        tls_engine_destroy(&e);
    }
    tls_context_destroy(&server);
}

/* A ClientHello of `size` bytes: a real one of TLS 1.2, with a padding extension (RFC 7685). */
static uint8_t *make_hello(size_t size, size_t record_size, size_t *total)
{
    static const uint8_t extensions[] = {
        0, 10, 0, 4, 0, 2, 0, 23, /* supported_groups: secp256r1 */
        0, 11, 0, 2, 1, 0,        /* ec_point_formats */
        0, 13, 0, 4, 0, 2, 4, 3,  /* signature_algorithms: ecdsa_secp256r1_sha256 */
        0, 21,                    /* padding */
    };
    size_t padding = size - (4 + 2 + 32 + 1 + 4 + 2 + 2 + sizeof(extensions) + 2);
    size_t extensions_size = sizeof(extensions) + 2 + padding;
    uint8_t *message = base_alloc(size), *m = message, *out, *o;

    *m++ = 1;
    *m++ = (uint8_t)((size - 4) >> 16);
    *m++ = (uint8_t)((size - 4) >> 8);
    *m++ = (uint8_t)(size - 4);
    *m++ = 3;
    *m++ = 3;
    m += 32;
    *m++ = 0;
    memcpy(m, "\x00\x02\xc0\x2b\x01\x00", 6);
    m += 6;
    *m++ = (uint8_t)(extensions_size >> 8);
    *m++ = (uint8_t)extensions_size;
    memcpy(m, extensions, sizeof(extensions));
    m += sizeof(extensions);
    *m++ = (uint8_t)(padding >> 8);
    *m++ = (uint8_t)padding;
    assert_ptr_equal(m + padding, message + size);
    out = o = base_alloc(size + (size / record_size + 1) * 5);
    for (size_t at = 0; at < size; at += record_size) {
        size_t part = size - at < record_size ? size - at : record_size;

        memcpy(o, (uint8_t[]){22, 3, 1, (uint8_t)(part >> 8), (uint8_t)part}, 5);
        memcpy(o + 5, message + at, part);
        o += 5 + part;
    }
    *total = (size_t)(o - out);
    free(message);
    return out;
}

static void large_client_hello(void **state)
{
    static const struct {
        size_t size, record_size;
    } cases[] = {{300, 300}, {300, 1}, {4000, 1}, {16000, 16384}, {40000, 16384}, {65536, 16384}};
    struct fixture *f = *state;
    struct tls_context *server =
        test_server(&(struct tls_server_options){.identities = &f->ec, .identity_count = 1, .version_min = 0x0303});

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tls_engine *e = tls_engine_create(server, NULL, NULL);
        size_t size;
        uint8_t *hello = make_hello(cases[i].size, cases[i].record_size, &size);

        feed(e, hello, size);
        if (tls_engine_records(e).size == 0 || tls_engine_records(e).data[0] != 22)
            fail_msg("case %zu: %s (%s)", i, tls_engine_error_name(e), tls_engine_error(e));
        assert_true(tls_engine_memory(e) < TLS_RECORDS_IN_MAX * 2 + TLS_HELLO_KEPT_MAX + 16 * 1024);
        free(hello);
        tls_engine_destroy(&e);
    }
    tls_context_destroy(&server);
}

/* A message that says it has 128 KiB or more: NSS ends it before it comes. */
static void endless_client_hello(void **state)
{
    struct fixture *f = *state;
    struct tls_context *server =
        test_server(&(struct tls_server_options){.identities = &f->ec, .identity_count = 1, .version_min = 0x0303});
    struct tls_engine *e = tls_engine_create(server, NULL, NULL);
    static uint8_t record[5 + 16000] = {22, 3, 1, 16000 >> 8, 16000 & 0xff, 1, 0x02, 0, 0};

    for (int i = 0; i < 100; i++)
        feed(e, record, sizeof(record));
    assert_int_equal(tls_engine_step(e), TLS_FAILED);
    assert_true(tls_engine_alert_sent(e) > 0);
    assert_true(tls_engine_memory(e) < 128 * 1024);
    tls_engine_destroy(&e);
    tls_context_destroy(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_and_suites),
        cmocka_unit_test(context_bad_version),
        cmocka_unit_test(capped_identity_cannot_be_modern),
        cmocka_unit_test(alpn),
        cmocka_unit_test(sni),
        cmocka_unit_test(address_is_not_sent_as_name),
        cmocka_unit_test(key_types),
        cmocka_unit_test(rsa_beside_ec),
        cmocka_unit_test(capped_identity_caps_itself_alone),
        cmocka_unit_test(tls12_name_with_another_kind_of_key),
        cmocka_unit_test(capped_identity_caps_who_asks_for_certificates),
        cmocka_unit_test(not_tls),
        cmocka_unit_test(server_is_not_tls),
        cmocka_unit_test(handshake_flood),
        cmocka_unit_test(large_client_hello),
        cmocka_unit_test(endless_client_hello),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
