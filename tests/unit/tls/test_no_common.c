/* A client with whom a server has nothing in common is told by what is missing, and so is the alert. */
#include "tls_fixture.h"
#include "tls_raw.h"

#include <setjmp.h>
#include <sslproto.h>
#include <cmocka.h>

enum { TLS12 = 0x0303, TLS13 = 0x0304 };

static void only_ffdhe(PRFileDesc *fd)
{
    static const SSLNamedGroup groups[] = {ssl_grp_ffdhe_2048};

    assert_int_equal(SSL_NamedGroupConfig(fd, groups, ARRAY_LEN(groups)), SECSuccess);
}

static void only_suite(PRFileDesc *fd, int32_t suite)
{
    for (size_t i = 0; i < SSL_NumImplementedCiphers; i++)
        assert_int_equal(SSL_CipherPrefSet(fd, SSL_ImplementedCiphers[i], SSL_ImplementedCiphers[i] == suite),
                         SECSuccess);
}

static void only_cbc(PRFileDesc *fd)
{
    only_suite(fd, TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA);
}

static void only_rsa_certificates(PRFileDesc *fd)
{
    only_suite(fd, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256);
}

static void only_rsa_signatures(PRFileDesc *fd)
{
    static const SSLSignatureScheme schemes[] = {ssl_sig_rsa_pss_rsae_sha256};

    assert_int_equal(SSL_SignatureSchemePrefSet(fd, schemes, ARRAY_LEN(schemes)), SECSuccess);
}

static void another_alpn(PRFileDesc *fd)
{
    static const unsigned char offered[] = "\x02h2\x08http/1.1";

    assert_int_equal(SSL_OptionSet(fd, SSL_ENABLE_ALPN, PR_TRUE), SECSuccess);
    assert_int_equal(SSL_SetNextProtoNego(fd, offered, sizeof(offered) - 1), SECSuccess);
}

static void nothing(PRFileDesc *fd)
{
    (void)fd;
}

static void what_is_missing_is_told(void **state)
{
    static const struct {
        int version;
        unsigned version_min;
        void (*prepare)(PRFileDesc *fd);
        const char *error, *words;
        int alert;
    } cases[] = {
        {TLS12, TLS13, nothing, "no_common_version", "tls_min", 70},
        {TLS12, TLS12, only_cbc, "no_common_cipher", "0xc009", 40},
        {TLS12, TLS12, only_ffdhe, "no_common_cipher", "cipher", 40}, /* NSS leaves out the suites with curves then */
        {TLS13, TLS12, only_ffdhe, "no_common_group", "0x0100", 40},
        {TLS12, TLS12, only_rsa_certificates, "no_common_certificate", "kind", 40},
        {TLS13, TLS12, only_rsa_signatures, "no_common_signature_algorithm", "signature", 40},
        {TLS12, TLS12, another_alpn, "no_common_alpn", "http/1.1", 120},
        {TLS13, TLS12, another_alpn, "no_common_alpn", "http/1.1", 120},
    };
    struct test_fixture *f = *state;
    static const char *const alpn[] = {"imap"};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tls_context *server = test_server(&(struct tls_server_options){.identities = &f->identity,
                                                                              .identity_count = 1,
                                                                              .version_min = cases[i].version_min,
                                                                              .alpn = alpn,
                                                                              .alpn_count = 1});
        struct tls_engine *e = tls_engine_create(server, NULL, NULL);
        struct test_raw raw;

        test_raw_init(&raw, TEST_RAW_CLIENT, NULL, cases[i].version);
        cases[i].prepare(raw.fd);
        assert_false(test_raw_handshake(&raw, e));
        if (strcmp(tls_engine_error_name(e), cases[i].error) != 0 ||
            strstr(tls_engine_error(e), cases[i].words) == NULL)
            fail_msg("case %zu: %s: %s", i, tls_engine_error_name(e), tls_engine_error(e));
        assert_int_equal(tls_engine_alert_sent(e), cases[i].alert);
        assert_false(tls_engine_key_failed(e));
        test_raw_clear(&raw);
        tls_engine_destroy(&e);
        tls_context_destroy(&server);
    }
}

/* The other side: a server that does not do what we allow. */
static void a_server_of_an_old_version_is_told(void **state)
{
    struct test_fixture *f = *state;
    struct tls_context *client = test_client(&(struct tls_client_options){.version_min = TLS13, .trust = f->store});
    struct tls_engine *e = tls_engine_create(client, "localhost", NULL);
    struct test_raw raw;

    test_raw_init(&raw, TEST_RAW_SERVER, f->identity, TLS12);
    assert_false(test_raw_handshake(&raw, e));
    assert_string_equal(tls_engine_error_name(e), "alert_received_protocol_version");
    test_raw_clear(&raw);
    tls_engine_destroy(&e);
    tls_context_destroy(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_missing_is_told),
        cmocka_unit_test(a_server_of_an_old_version_is_told),
    };

    return cmocka_run_group_tests(tests, test_fixture_setup, test_fixture_teardown);
}
