/* tls/handshake.c, tls/server_hooks.c, tls/context.c, tls/sites.c: what two sides agree on, and what is
 * refused. Whose certificate it is: test_handshake_identities.c. */
#include "handshake_identities.h"
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

/* --- versions and suites --- */

static void versions_and_suites(void **state)
{
    struct handshake_identities *f = *state;
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
    struct handshake_identities *f = *state;
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
    struct handshake_identities *f = *state;
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
    struct handshake_identities *f = *state;

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
    struct handshake_identities *f = *state;
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
    struct handshake_identities *f = *state;
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
    struct handshake_identities *f = *state;
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
    struct handshake_identities *f = *state;
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
    struct handshake_identities *f = *state;
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
        cmocka_unit_test(not_tls),
        cmocka_unit_test(server_is_not_tls),
        cmocka_unit_test(handshake_flood),
        cmocka_unit_test(large_client_hello),
        cmocka_unit_test(endless_client_hello),
    };

    return cmocka_run_group_tests(tests, handshake_identities_setup, handshake_identities_teardown);
}
