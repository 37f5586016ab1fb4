/* tls/context.c, tls/handshake.c: an RSA key on a token without RSA-PSS (SoftHSM, told so), where clients are asked for
 * certificates too. NSS itself finds that the key is of no use in TLS 1.3. */
#include "tls_pair.h"
#include "tls_raw.h"
#include "tls_token.h"

#include "base/nss_scope.h"
#include "tls/identity_internal.h"

#include <prerror.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
    struct test_token token;
    struct test_certs *certs;
    struct pkix_store *store;
    struct tls_identity *rsa12, *ec, *other, *client_rsa, *client_ec;
};

/* As identity_open.c has it from the token's agent. */
static struct tls_identity *make_capped(struct fixture *f)
{
    const struct test_leaf leaf = {.names = {"a.example.org"}, .key = TEST_KEY_RSA};
    SCOPED_PUBLIC_KEY public_key = NULL;
    SECKEYPrivateKey *key = test_token_key(&f->token, leaf.key, &public_key);
    struct tls_identity *identity = NULL;
    char *error = NULL;

    if (!tls_identity_create(test_certs_for_key(f->certs, &leaf, public_key), key, &identity, &error))
        fail_msg("%s", error);
    identity->may_block = true;
    identity->version_max = TLS_VERSION_12;
    return identity;
}

static int setup(void **state)
{
    struct fixture *f = base_alloc(sizeof(*f));

    test_token_create(&f->token, "slots.mechanisms = CKM_RSA_PKCS,CKM_RSA_PKCS_KEY_PAIR_GEN\n");
    test_tls_start(TEST_CACHE_NONE);
    test_token_open(&f->token);
    assert_false(PK11_DoesMechanism(f->token.slot, CKM_RSA_PKCS_PSS));
    f->certs = test_certs_create();
    f->store = test_certs_store(f->certs);
    f->rsa12 = make_capped(f);
    f->ec = test_certs_identity(f->certs, &(struct test_leaf){.names = {"a.example.org"}});
    f->other = test_certs_identity(f->certs, &(struct test_leaf){.names = {"b.example.net"}, .key = TEST_KEY_RSA});
    f->client_rsa = test_certs_identity(
        f->certs, &(struct test_leaf){.subject = "CN=rsa", .key = TEST_KEY_RSA, .use = TEST_USE_CLIENT});
    f->client_ec = test_certs_identity(f->certs, &(struct test_leaf){.subject = "CN=ec", .use = TEST_USE_CLIENT});
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    tls_identity_destroy(&f->rsa12);
    tls_identity_destroy(&f->ec);
    tls_identity_destroy(&f->other);
    tls_identity_destroy(&f->client_rsa);
    tls_identity_destroy(&f->client_ec);
    pkix_store_destroy(&f->store);
    test_certs_destroy(&f->certs);
    test_token_close(&f->token);
    free(f);
    test_tls_stop();
    return 0;
}

/* A client that knows only RSA, for TLS 1.3 and 1.2. */
static void know_rsa_only(PRFileDesc *fd)
{
    static const SSLSignatureScheme schemes[] = {ssl_sig_rsa_pss_rsae_sha256, ssl_sig_rsa_pkcs1_sha256};

    assert_int_equal(SSL_SignatureSchemePrefSet(fd, schemes, ARRAY_LEN(schemes)), SECSuccess);
    for (unsigned i = 0; i < SSL_GetNumImplementedCiphers(); i++) {
        SSLCipherSuiteInfo info;

        assert_int_equal(SSL_GetCipherSuiteInfo(SSL_GetImplementedCiphers()[i], &info, sizeof(info)), SECSuccess);
        if (info.authType == ssl_auth_ecdsa)
            assert_int_equal(SSL_CipherPrefSet(fd, info.cipherSuite, PR_FALSE), SECSuccess);
    }
}

static SECStatus PR_CALLBACK show_certificate(void *arg, PRFileDesc *fd, CERTDistNames *authorities,
                                              CERTCertificate **cert, SECKEYPrivateKey **key)
{
    const struct tls_identity *identity = arg;

    (void)fd;
    (void)authorities;
    *cert = CERT_DupCertificate(identity->cert);
    *key = SECKEY_CopyPrivateKey(identity->key);
    return SECSuccess;
}

/* A first key share that no engine takes. */
static void send_a_share_of_no_use(PRFileDesc *fd)
{
    static const SSLNamedGroup groups[] = {ssl_grp_ffdhe_2048, ssl_grp_ec_curve25519, ssl_grp_ec_secp256r1};

    assert_int_equal(SSL_NamedGroupConfig(fd, groups, ARRAY_LEN(groups)), SECSuccess);
}

/* The capped key has TLS 1.2, and nobody else for its sake; and clients of every kind show their certificates in both
 * versions. */
static void capped_where_clients_are_asked(void **state)
{
    struct fixture *f = *state;
    struct tls_identity *beside[] = {f->rsa12, f->ec, f->other};
    const struct {
        const char *name;
        bool rsa_only;
        const struct tls_identity *want;
        const char *version;
    } cases[] = {
        {"a.example.org", false, f->ec, "TLSv1.3"},
        {"a.example.org", true, f->rsa12, "TLSv1.2"},
        {"b.example.net", false, f->other, "TLSv1.3"},
        {"b.example.net", true, f->other, "TLSv1.3"},
    };
    static const enum tls_peer peers[] = {TLS_PEER_NONE, TLS_PEER_REQUEST, TLS_PEER_REQUIRE};

    for (size_t i = 0; i < ARRAY_LEN(peers); i++) {
        struct tls_context *server = test_server(&(struct tls_server_options){.identities = beside,
                                                                              .identity_count = ARRAY_LEN(beside),
                                                                              .version_min = 0x0303,
                                                                              .peer = peers[i],
                                                                              .trust = f->store});

        for (size_t n = 0; n < 4 * ARRAY_LEN(cases); n++) {
            size_t c = n / 4;
            struct tls_identity *shown = n % 2 == 0 || cases[c].rsa_only ? f->client_rsa : f->client_ec;
            struct tls_engine *e = tls_engine_create(server, NULL, NULL);
            struct test_raw raw;

            test_raw_init(&raw, TEST_RAW_CLIENT, NULL, 0x0304);
            assert_int_equal(SSL_VersionRangeSet(raw.fd, &(SSLVersionRange){.min = 0x0303, .max = 0x0304}), SECSuccess);
            assert_int_equal(SSL_OptionSet(raw.fd, SSL_ENABLE_HELLO_DOWNGRADE_CHECK, PR_TRUE), SECSuccess);
            assert_int_equal(SSL_OptionSet(raw.fd, SSL_NO_CACHE, PR_TRUE), SECSuccess);
            assert_int_equal(SSL_GetClientAuthDataHook(raw.fd, show_certificate, shown), SECSuccess);
            assert_int_equal(SSL_SetURL(raw.fd, cases[c].name), SECSuccess);
            if (cases[c].rsa_only)
                know_rsa_only(raw.fd);
            if (n % 4 >= 2)
                send_a_share_of_no_use(raw.fd);
            if (!test_raw_handshake(&raw, e))
                fail_msg("peer %zu, case %zu: %s, %s", i, n, PR_ErrorToName(raw.error), tls_engine_error(e));
            if (strcmp(tls_engine_session(e).version, cases[c].version) != 0)
                fail_msg("peer %zu, case %zu: %s", i, n, tls_engine_session(e).version);
            assert_ptr_equal(tls_engine_session(e).identity, cases[c].want);
            assert_true(span_equal(tls_engine_session(e).peer_cert,
                                   peers[i] == TLS_PEER_NONE ? span_of(NULL, 0) : tls_identity_leaf(shown)));
            test_raw_clear(&raw);
            tls_engine_destroy(&e);
        }
        tls_context_destroy(&server);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(capped_where_clients_are_asked),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
