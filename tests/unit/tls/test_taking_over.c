/* tls/established.c, tls/master_secret.c, tls/layer_nss.c: when a connection leaves NSS's socket behind, and how it
 * goes on in TLS 1.2. */
#include "tls_trimmed.h"

#include "tls/engine_internal.h"
#include "tls/established.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sslproto.h>

enum { VERSION_12 = 0x0303, VERSION_13 = 0x0304 };

static const PRUint16 suites12[] = {
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
};

static void set_version(struct test_fixture *f, unsigned version)
{
    SSLVersionRange range = {.min = (PRUint16)version, .max = (PRUint16)version};

    assert_int_equal(SSL_VersionRangeSet(f->client->model, &range), SECSuccess);
}

static void set_any_version(struct test_fixture *f)
{
    SSLVersionRange range = {.min = VERSION_12, .max = VERSION_13};

    assert_int_equal(SSL_VersionRangeSet(f->client->model, &range), SECSuccess);
}

/* ---- TLS 1.2 ---- */

static void connect12(struct test_pair *p, struct test_fixture *f, enum test_trim which)
{
    set_version(f, VERSION_12);
    test_connect_pair(p, f, NULL);
    set_any_version(f);
    if (which != 0)
        test_trim(p, which);
}

/* NSS at the other end, or we ourselves; in large pieces and small; after it has rested. */
static void tls12_data(void **state)
{
    static const size_t before[] = {0, 1, 70000};
    struct test_fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(suites12); i++)
        for (size_t j = 0; j < ARRAY_LEN(before); j++) {
            struct test_pair p;

            for (size_t k = 0; k < ARRAY_LEN(suites12); k++)
                assert_int_equal(SSL_CipherPrefSet(f->client->model, suites12[k], i == k), SECSuccess);
            connect12(&p, f, 0);
            assert_int_equal(p.client->cipher_suite, suites12[i]);
            assert_non_null(p.client->own); /* it was shown a certificate */
            assert_null(p.server->own);
            if (before[j] != 0)
                test_send_both_ways(&p, before[j]);
            test_trim(&p, TEST_TRIM_SERVER);
            test_send_both_ways(&p, 1);
            test_send_both_ways(&p, 100000);
            tls_engine_trim(p.server);
            tls_engine_trim(p.client);
            p.piece_max = 7;
            test_send_both_ways(&p, 3000);
            test_pair_close(&p);
            test_pair_clear(&p);
        }
    for (size_t k = 0; k < ARRAY_LEN(suites12); k++)
        assert_int_equal(SSL_CipherPrefSet(f->client->model, suites12[k], PR_TRUE), SECSuccess);
}

static void tls12_altered_records(void **state)
{
    static const size_t places[] = {0, 2, 5, 12, 13, 20};
    struct test_fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        struct test_pair p;

        connect12(&p, f, TEST_TRIM_BOTH);
        test_inject(&p, TLS_CONTENT_DATA, "data", 4);
        p.client->transport.out.data[p.client->transport.out.start + places[i]] ^= 0x40;
        if (places[i] == 2) { /* the version: what is protected with the data is ours, whatever stands there */
            uint8_t data[8];
            size_t n;

            test_pair_run(&p);
            assert_int_equal(tls_engine_take_plaintext(p.server, data, sizeof(data), &n), TLS_OK);
            test_pair_clear(&p);
            continue;
        }
        test_expect_failure(&p, places[i] == 0 ? "SSL_ERROR_RX_UNEXPECTED_RECORD_TYPE" : "SSL_ERROR_BAD_MAC_READ",
                            places[i] == 0 ? 10 : 20);
    }
}

static void tls12_record_sizes(void **state)
{
    static const uint8_t zeros[TLS_RECORD_PLAINTEXT_MAX + 1];
    struct test_fixture *f = *state;
    uint8_t *got = base_alloc(TLS_RECORD_PLAINTEXT_MAX);
    struct test_pair p;
    size_t n;

    connect12(&p, f, TEST_TRIM_BOTH);
    test_inject(&p, TLS_CONTENT_DATA, zeros, 0);
    test_inject(&p, TLS_CONTENT_DATA, zeros, TLS_RECORD_PLAINTEXT_MAX);
    test_pair_run(&p);
    assert_int_equal(tls_engine_take_plaintext(p.server, got, TLS_RECORD_PLAINTEXT_MAX, &n), TLS_OK);
    assert_int_equal(n, TLS_RECORD_PLAINTEXT_MAX);
    test_inject(&p, TLS_CONTENT_DATA, zeros, sizeof(zeros));
    test_expect_failure(&p, "SSL_ERROR_RX_RECORD_TOO_LONG", TLS_ALERT_RECORD_OVERFLOW);
    free(got);
}

static void tls12_half_close_and_truncation(void **state)
{
    struct test_fixture *f = *state;
    struct test_pair p;
    uint8_t byte;
    size_t n;

    connect12(&p, f, TEST_TRIM_BOTH);
    tls_engine_close(p.client);
    test_pair_run(&p);
    assert_int_equal(tls_engine_take_plaintext(p.server, &byte, 1, &n), TLS_CLOSED);
    test_pair_send(&p, p.server, p.client, span_of_string("late data"));
    test_drain(p.client);
    assert_int_equal(tls_engine_records_end(p.client), TLS_FAILED);
    assert_string_equal(tls_engine_error_name(p.client), "truncated");
    test_pair_clear(&p);
}

/* RFC 5246 section 7.2.2: a warning says no, whatever pieces the hello comes in; the connection goes on, a few times.
 */
static void tls12_renegotiation_is_refused(void **state)
{
    uint8_t hello[200] = {1, 0, 0, 196};
    struct test_fixture *f = *state;
    struct test_pair p;

    connect12(&p, f, TEST_TRIM_BOTH);
    for (int i = 0; i < TLS_RENEGOTIATIONS_MAX; i++) {
        for (size_t at = 0; at < sizeof(hello); at += 50)
            test_inject(&p, TLS_CONTENT_HANDSHAKE, hello + at, 50);
        test_send_both_ways(&p, 100);
        assert_int_equal(tls_engine_alert_sent(p.server), -1); /* warnings are not told */
    }
    test_inject(&p, TLS_CONTENT_HANDSHAKE, hello, sizeof(hello));
    test_expect_failure(&p, "SSL_ERROR_RENEGOTIATION_NOT_ALLOWED", TLS_ALERT_NO_RENEGOTIATION);
}

/* Who is refused and leaves for it, with whatever alert, is not told to have been given the wrong ciphers. */
static void tls12_refused_renegotiation_is_named(void **state)
{
    static const uint8_t alert[] = {2, 40 /* handshake_failure */};
    uint8_t hello[200] = {1, 0, 0, 196};
    struct test_fixture *f = *state;
    struct test_pair p;

    connect12(&p, f, TEST_TRIM_BOTH);
    for (size_t at = 0; at < sizeof(hello); at += 50)
        test_inject(&p, TLS_CONTENT_HANDSHAKE, hello + at, 50);
    test_inject(&p, TLS_CONTENT_ALERT, alert, sizeof(alert));
    test_expect_failure(&p, "renegotiation_refused", -1);
}

/* A server of TLS 1.2 asks for it with a HelloRequest. */
static void tls12_hello_request_is_refused(void **state)
{
    struct test_fixture *f = *state;
    struct test_pair p;
    uint8_t byte;
    size_t n;

    connect12(&p, f, TEST_TRIM_BOTH);
    for (int i = 0; i <= TLS_RENEGOTIATIONS_MAX; i++) {
        assert_true(tls_record_seal(&p.server->own->write, TLS_CONTENT_HANDSHAKE,
                                    span_of((const uint8_t *)"\0\0\0\0", 4), &p.server->transport.out));
        test_pair_run(&p);
        if (i < TLS_RENEGOTIATIONS_MAX)
            test_send_both_ways(&p, 10);
    }
    assert_int_equal(tls_engine_take_plaintext(p.client, &byte, 1, &n), TLS_FAILED);
    assert_string_equal(tls_engine_error_name(p.client), "renegotiation_flood");
    test_pair_clear(&p);
}

static void tls12_warnings(void **state)
{
    static const uint8_t warning[] = {1, TLS_ALERT_USER_CANCELED};
    struct test_fixture *f = *state;
    struct test_pair p;

    connect12(&p, f, TEST_TRIM_BOTH);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < TLS_WARNINGS_MAX; i++)
            test_inject(&p, TLS_CONTENT_ALERT, warning, sizeof(warning));
        test_send_both_ways(&p, 10); /* data counts anew */
    }
    for (int i = 0; i <= TLS_WARNINGS_MAX; i++)
        test_inject(&p, TLS_CONTENT_ALERT, warning, sizeof(warning));
    test_expect_failure(&p, "warning_flood", TLS_ALERT_UNEXPECTED_MESSAGE);
    connect12(&p, f, TEST_TRIM_BOTH);
    test_inject(&p, TLS_CONTENT_ALERT, "\2\x32", 2);
    test_expect_failure(&p, "alert_received_decode_error", -1);
}

/* Half of the keys' connection is NSS's at the other end, which has its own limits; ours fails when a key is used up.
 */
static void tls12_key_is_used_up(void **state)
{
    struct test_fixture *f = *state;
    struct test_pair p;
    size_t n;

    connect12(&p, f, TEST_TRIM_BOTH);
    p.client->own->write.sequence = p.server->own->read.sequence = TLS_RECORDS_PER_KEY_MAX - 1;
    test_pair_send(&p, p.client, p.server, span_of_string("last"));
    assert_int_equal(tls_engine_put_plaintext(p.client, span_of_string("x"), &n), TLS_FAILED);
    assert_string_equal(tls_engine_error_name(p.client), "SSL_ERROR_TOO_MANY_RECORDS");
    test_pair_clear(&p);
}

/* Many others make keys at the same time, and NSS's token has many more: it is still found. */
static void tls12_master_secret_among_many(void **state)
{
    enum { PAIRS = 30 };
    struct test_fixture *f = *state;
    struct test_pair p[PAIRS];

    set_version(f, VERSION_12);
    for (int i = 0; i < PAIRS; i++)
        test_pair_init(&p[i], f->client, "server.example.org", NULL, f->server);
    for (int i = 0; i < PAIRS; i++)
        test_pair_handshake(&p[i]);
    set_any_version(f);
    for (int i = PAIRS - 1; i >= 0; i--) { /* long after its handshake */
        test_trim(&p[i], TEST_TRIM_BOTH);
        test_send_both_ways(&p[i], 1000);
    }
    for (int i = 0; i < PAIRS; i++)
        test_pair_clear(&p[i]);
}

/* ---- who is taken over at once ---- */

struct mutual {
    struct tls_identity *identity;
    struct tls_context *server, *client;
};

static void mutual_init(struct mutual *m, struct test_fixture *f, unsigned version)
{
    SSLVersionRange range = {.min = (PRUint16)version, .max = (PRUint16)version};

    m->identity = test_certs_identity(f->certs, &(struct test_leaf){.use = TEST_USE_CLIENT});
    m->server = test_server(&(struct tls_server_options){.identities = &f->identity,
                                                         .identity_count = 1,
                                                         .version_min = VERSION_12,
                                                         .peer = TLS_PEER_REQUIRE,
                                                         .trust = f->store});
    m->client = test_client(&(struct tls_client_options){
        .version_min = VERSION_12, .trust = f->store, .identities = &m->identity, .identity_count = 1});
    assert_int_equal(SSL_VersionRangeSet(m->client->model, &range), SECSuccess);
}

static void mutual_clear(struct mutual *m)
{
    tls_context_destroy(&m->server);
    tls_context_destroy(&m->client);
    tls_identity_destroy(&m->identity);
}

static void peers_with_certificates_are_taken_over_at_once(void **state)
{
    struct test_fixture *f = *state;

    for (unsigned version = VERSION_12; version <= VERSION_13; version++)
        for (size_t piece = 0; piece <= 10; piece++) {
            struct mutual m;
            struct test_pair p;

            mutual_init(&m, f, version);
            test_pair_init(&p, m.client, "server.example.org", NULL, m.server);
            p.piece_max = piece;
            test_pair_handshake(&p);
            assert_non_null(p.server->own);
            assert_null(p.server->fd);
            assert_null(p.server->certs);
            assert_non_null(p.client->own);
            assert_null(p.client->fd);
            assert_null(p.client->certs);
            assert_null(p.client->hs);
            test_send_both_ways(&p, 3000);
            test_pair_close(&p);
            test_pair_clear(&p);
            mutual_clear(&m);
        }
}

/* A session that may be resumed: NSS's socket lingers on for the ticket, and goes with the first other record. */
static void client_waits_for_a_ticket(void **state)
{
    struct test_fixture *f = *state;
    struct test_pair p;

    for (int ticket = 0; ticket < 2; ticket++) {
        test_connect_pair(&p, f, ticket ? "with" : "without");
        assert_non_null(p.client->own);
        assert_non_null(p.client->fd);
        if (!ticket)
            p.server->ticket_owed = false;
        test_pair_send(&p, p.server, p.client, span_of_string("data"));
        assert_null(p.client->fd);
        assert_null(p.client->certs);
        test_send_both_ways(&p, 100);
        test_pair_clear(&p);
        test_connect_pair(&p, f, ticket ? "with" : "without");
        assert_int_equal(tls_engine_session(p.client).resumed, ticket);
        tls_engine_trim(p.client); /* nor does it wait for ever */
        assert_null(p.client->fd);
        test_send_both_ways(&p, 100);
        test_pair_clear(&p);
    }
}

/* A failed engine holds nothing of NSS, and what it has to say is there. */
static void failed_engine_has_no_socket(void **state)
{
    struct test_fixture *f = *state;

    for (unsigned version = VERSION_12; version <= VERSION_13; version++) {
        struct test_pair p;

        set_version(f, version);
        test_pair_init(&p, f->client, "another.example.org", NULL, f->server);
        test_pair_run(&p);
        set_any_version(f);
        assert_int_equal(p.client->phase, TLS_PHASE_REFUSED);
        assert_null(p.client->fd);
        assert_null(p.client->certs);
        assert_null(p.server->fd); /* it has heard the alert */
        assert_int_equal(tls_engine_alert_received(p.server), tls_engine_alert_sent(p.client));
        assert_true(tls_engine_alert_sent(p.client) > 0);
        test_pair_clear(&p);
    }
}

/* What comes behind the Finished, in one piece with it or in many, is not of the handshake, and does not count as such:
 * not its warnings, nor its records without data. */
static void records_behind_the_finished_do_not_count(void **state)
{
    static const uint8_t warning[] = {1, TLS_ALERT_USER_CANCELED};
    struct test_fixture *f = *state;

    for (size_t piece = 0; piece <= 10; piece++) {
        struct mutual m;
        struct test_pair p;
        uint8_t data[64];
        size_t total = 0, n;

        mutual_init(&m, f, VERSION_12);
        test_pair_init(&p, m.client, "server.example.org", NULL, m.server);
        p.ring_size = 0; /* nothing passes but what this test moves */
        while (!tls_engine_handshake_done(p.server)) {
            struct tls_engine *from = tls_engine_records(p.client).size != 0 ? p.client : p.server;
            struct tls_engine *to = from == p.client ? p.server : p.client;
            struct span records;
            uint8_t *space;

            (void)!tls_engine_step(p.client);
            (void)!tls_engine_step(p.server);
            records = tls_engine_records(from);
            if (records.size == 0 || tls_engine_handshake_done(p.server))
                continue;
            space = tls_engine_records_reserve(to, &n);
            memcpy(space, records.data, records.size);
            tls_engine_records_commit(to, records.size);
            tls_engine_records_consume(from, records.size);
        }
        for (int i = 0; i < 10; i++) {
            for (int j = 0; j < TLS_WARNINGS_MAX; j++)
                assert_true(tls_record_seal(&p.server->own->write, TLS_CONTENT_ALERT, span_of(warning, sizeof(warning)),
                                            &p.server->transport.out));
            for (int j = 0; j < 5; j++)
                assert_true(tls_record_seal(&p.server->own->write, TLS_CONTENT_DATA, span_of(NULL, 0),
                                            &p.server->transport.out));
            assert_true(tls_record_seal(&p.server->own->write, TLS_CONTENT_DATA, span_of_string("data"),
                                        &p.server->transport.out));
        }
        p.ring_size = sizeof(p.to_client.data);
        p.piece_max = piece;
        for (int i = 0; i < 20; i++) {
            test_pair_run(&p);
            assert_int_equal(tls_engine_take_plaintext(p.client, data + total, sizeof(data) - total, &n), TLS_OK);
            total += n;
        }
        assert_int_equal(total, 40);
        test_pair_clear(&p);
        mutual_clear(&m);
    }
}

/* Requests that come together have one answer, which comes before the next data, however little room the reader has. */
static void key_updates_read_together_have_one_answer(void **state)
{
    static const uint8_t request[] = {24, 0, 0, 1, 1};
    struct test_fixture *f = *state;
    struct test_pair p;
    struct span records;
    uint8_t *space, byte;
    size_t n;

    test_connect_trimmed(&p, f, TEST_TRIM_BOTH);
    for (int i = 0; i < 3; i++) {
        test_inject(&p, TLS_CONTENT_HANDSHAKE, request, sizeof(request));
        assert_true(tls_record_direction_update(&p.client->own->write));
        test_inject(&p, TLS_CONTENT_DATA, "x", 1);
    }
    p.ring_size = 0;
    records = tls_engine_records(p.client);
    space = tls_engine_records_reserve(p.server, &n);
    memcpy(space, records.data, records.size);
    tls_engine_records_commit(p.server, records.size);
    tls_engine_records_consume(p.client, records.size);
    for (int i = 0; i < 3; i++) { /* a byte each time */
        assert_int_equal(tls_engine_take_plaintext(p.server, &byte, 1, &n), TLS_OK);
        assert_int_equal(n, 1);
        assert_int_equal(tls_engine_records(p.server).size, 0); /* there is more to read */
    }
    test_drain(p.server);
    assert_int_equal(tls_engine_records(p.server).size, 5 + 5 + 1 + 16);
    p.ring_size = sizeof(p.to_client.data);
    test_send_both_ways(&p, 100);
    test_pair_clear(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tls12_data),
        cmocka_unit_test(tls12_altered_records),
        cmocka_unit_test(tls12_record_sizes),
        cmocka_unit_test(tls12_half_close_and_truncation),
        cmocka_unit_test(tls12_renegotiation_is_refused),
        cmocka_unit_test(tls12_refused_renegotiation_is_named),
        cmocka_unit_test(tls12_hello_request_is_refused),
        cmocka_unit_test(tls12_warnings),
        cmocka_unit_test(tls12_key_is_used_up),
        cmocka_unit_test(tls12_master_secret_among_many),
        cmocka_unit_test(peers_with_certificates_are_taken_over_at_once),
        cmocka_unit_test(client_waits_for_a_ticket),
        cmocka_unit_test(failed_engine_has_no_socket),
        cmocka_unit_test(records_behind_the_finished_do_not_count),
        cmocka_unit_test(key_updates_read_together_have_one_answer),
    };

    return cmocka_run_group_tests(tests, test_fixture_setup, test_fixture_teardown);
}
