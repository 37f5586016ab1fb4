/* tls/established.c: connections of TLS 1.3 that have left NSS's socket behind.
 *
 * A side that was trimmed protects its records itself; the other one is still NSS, or is not. That NSS understands
 * ours, and we NSS's, is the test of the cryptography. What NSS would not send is sealed with the peer's own direction.
 */
#include "tls_trimmed.h"

#include "tls/key_groups.h"
#include "tls/engine_internal.h"
#include "tls/established.h"
#include "tls/runtime_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sslproto.h>

static const PRUint16 suites[] = {TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256};

/* ---- with NSS at the other end, and without ---- */

static void established_data(void **state)
{
    static const enum test_trim sides[] = {TEST_TRIM_SERVER, TEST_TRIM_CLIENT, TEST_TRIM_BOTH};
    static const size_t before[] = {0, 1, 5, 70000};
    struct test_fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(sides); i++)
        for (size_t j = 0; j < ARRAY_LEN(before); j++) {
            struct test_pair p;

            test_connect_pair(&p, f, NULL);
            if (before[j] != 0)
                test_send_both_ways(&p, before[j]); /* records that count */
            test_trim(&p, sides[i]);
            test_send_both_ways(&p, 1);
            test_send_both_ways(&p, 100000);
            tls_engine_trim(p.server); /* it rests, and goes on */
            tls_engine_trim(p.client);
            p.piece_max = 7;
            test_send_both_ways(&p, 3000);
            test_pair_close(&p);
            test_pair_clear(&p);
        }
}

/* All suites: the client offers one at a time. */
static void established_suites(void **state)
{
    struct test_fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(suites); i++) {
        struct test_pair p;

        for (size_t j = 0; j < ARRAY_LEN(suites); j++)
            assert_int_equal(SSL_CipherPrefSet(f->client->model, suites[j], i == j), SECSuccess);
        test_connect_trimmed(&p, f, TEST_TRIM_SERVER);
        assert_int_equal(p.server->cipher_suite, suites[i]);
        test_send_both_ways(&p, 40000);
        test_trim(&p, TEST_TRIM_CLIENT);
        test_send_both_ways(&p, 40000);
        test_pair_close(&p);
        test_pair_clear(&p);
    }
    for (size_t j = 0; j < ARRAY_LEN(suites); j++)
        assert_int_equal(SSL_CipherPrefSet(f->client->model, suites[j], PR_TRUE), SECSuccess);
}

static void move_all(struct tls_engine *from, struct tls_engine *to)
{
    struct span records = tls_engine_records(from);
    size_t room;
    uint8_t *space = tls_engine_records_reserve(to, &room);

    assert_true(room >= records.size);
    memcpy(space, records.data, records.size);
    tls_engine_records_commit(to, records.size);
    tls_engine_records_consume(from, records.size);
}

/* Data that comes in one piece with the Finished of the client is not read with it. */
static void established_data_behind_finished(void **state)
{
    struct test_fixture *f = *state;
    struct test_pair p;
    uint8_t data[8];
    size_t n;

    test_pair_init(&p, f->client, "server.example.org", NULL, f->server);
    assert_int_equal(tls_engine_step(p.client), TLS_OK);
    move_all(p.client, p.server);
    assert_int_equal(tls_engine_step(p.server), TLS_OK);
    move_all(p.server, p.client);
    assert_int_equal(tls_engine_step(p.client), TLS_OK);
    assert_true(tls_engine_handshake_done(p.client));
    for (int i = 0; i < 3; i++)
        assert_int_equal(tls_engine_put_plaintext(p.client, span_of_string("ab"), &n), TLS_OK);
    move_all(p.client, p.server);
    assert_int_equal(tls_engine_step(p.server), TLS_OK);
    assert_true(tls_engine_handshake_done(p.server));
    assert_int_equal(tls_engine_take_plaintext(p.server, data, sizeof(data), &n), TLS_OK);
    assert_int_equal(n, 6);
    test_trim(&p, TEST_TRIM_BOTH);
    assert_int_equal(p.server->own->read.sequence, 3);
    test_send_both_ways(&p, 100);
    test_pair_clear(&p);
}

/* A resumed connection has another order of messages in its handshake. */
static void established_resumed(void **state)
{
    struct test_fixture *f = *state;

    for (int i = 0; i < 3; i++) {
        struct test_pair p;

        test_connect_pair(&p, f, "resumed");
        test_send_both_ways(&p, 10);
        assert_int_equal(tls_engine_session(p.client).resumed, i > 0);
        test_trim(&p, TEST_TRIM_BOTH);
        test_send_both_ways(&p, 1000);
        test_pair_close(&p);
        test_pair_clear(&p);
    }
}

static void established_is_described_as_before(void **state)
{
    struct test_fixture *f = *state;
    struct tls_session_info info;
    struct test_pair p;
    enum key_group best = tls_has_key_group(KEY_GROUP_X25519MLKEM768) ? KEY_GROUP_X25519MLKEM768 : KEY_GROUP_X25519;

    test_connect_trimmed(&p, f, TEST_TRIM_BOTH);
    info = tls_engine_session(p.client);
    assert_true(info.socket_released);
    assert_string_equal(info.version, "TLSv1.3");
    assert_string_equal(info.group, tls_key_group_name(best));
    assert_true(span_equal(info.peer_cert, tls_identity_leaf(f->identity)));
    assert_ptr_equal(tls_engine_session(p.server).identity, f->identity);
    assert_int_equal(tls_engine_alert_sent(p.server), -1); /* NSS's close_notify went nowhere */
    assert_int_equal(tls_engine_records(p.server).size, 0);
    assert_int_equal(tls_engine_alert_sent(p.client), -1);
    test_pair_clear(&p);
}

/* A reader with less room than a record needs. */
static void established_small_reads(void **state)
{
    static uint8_t data[TLS_RECORD_PLAINTEXT_MAX];
    struct test_fixture *f = *state;
    struct test_pair p;
    uint8_t *got = base_alloc(sizeof(data));
    size_t sent, n, total = 0;

    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i / 3);
    test_connect_trimmed(&p, f, TEST_TRIM_BOTH);
    assert_int_equal(tls_engine_put_plaintext(p.client, span_of(data, sizeof(data)), &sent), TLS_OK);
    assert_int_equal(sent, sizeof(data));
    test_pair_run(&p);
    for (size_t size = 1; total < sizeof(data); size = 1 + size * 2 % 4099) {
        size_t wanted = size < sizeof(data) - total ? size : sizeof(data) - total;

        assert_true((tls_engine_wants(p.server) & TLS_HAS_PLAINTEXT) != 0);
        assert_int_equal(tls_engine_take_plaintext(p.server, got + total, wanted, &n), TLS_OK);
        assert_int_equal(n, wanted);
        total += n;
    }
    assert_memory_equal(got, data, sizeof(data));
    test_drain(p.server);
    assert_int_equal(tls_engine_wants(p.server) & TLS_HAS_PLAINTEXT, 0);
    assert_true(tls_engine_memory(p.server) < sizeof(struct tls_engine) + 128 * 1024);
    tls_engine_trim(p.server);
    test_send_both_ways(&p, 10);
    test_pair_clear(&p);
    free(got);
}

static void established_half_close(void **state)
{
    struct test_fixture *f = *state;
    struct test_pair p;
    uint8_t byte;
    size_t n;

    test_connect_trimmed(&p, f, TEST_TRIM_BOTH);
    tls_engine_close(p.client);
    tls_engine_close(p.client);
    test_pair_run(&p);
    assert_int_equal(tls_engine_alert_sent(p.client), 0);
    assert_int_equal(tls_engine_take_plaintext(p.server, &byte, 1, &n), TLS_CLOSED);
    assert_int_equal(tls_engine_alert_received(p.server), 0);
    assert_int_equal(tls_engine_wants(p.client) & TLS_WANTS_PLAINTEXT, 0);
    test_pair_send(&p, p.server, p.client, span_of_string("late data"));
    assert_int_equal(tls_engine_records_end(p.server), TLS_CLOSED);
    tls_engine_close(p.server);
    test_pair_run(&p);
    assert_int_equal(tls_engine_take_plaintext(p.client, &byte, 1, &n), TLS_CLOSED);
    assert_string_equal(tls_engine_error_name(p.client), "");
    test_pair_clear(&p);
}

static void established_truncation(void **state)
{
    struct test_fixture *f = *state;
    struct test_pair p;
    uint8_t data[16];
    size_t n;

    test_connect_trimmed(&p, f, TEST_TRIM_BOTH);
    assert_int_equal(tls_engine_put_plaintext(p.client, span_of_string("half"), &n), TLS_OK);
    test_pair_run(&p);
    assert_int_equal(tls_engine_records_end(p.server), TLS_OK);
    assert_int_equal(tls_engine_take_plaintext(p.server, data, sizeof(data), &n), TLS_OK);
    assert_int_equal(n, 4);
    assert_int_equal(tls_engine_take_plaintext(p.server, data, sizeof(data), &n), TLS_FAILED);
    assert_string_equal(tls_engine_error_name(p.server), "truncated");
    test_drain(p.client);
    assert_int_equal(tls_engine_records_end(p.client), TLS_FAILED);
    assert_string_equal(tls_engine_error_name(p.client), "truncated");
    test_pair_clear(&p);
}

/* ---- who stays with NSS ---- */

/* With something under way, or half of a record read, nothing changes. */
static void established_not_while_busy(void **state)
{
    struct test_fixture *f = *state;
    struct test_pair p;
    struct span records;
    uint8_t *space, data[8];
    size_t n, room;

    test_connect_pair(&p, f, NULL);
    tls_engine_trim(p.server); /* before anybody has read: NSS may hold something */
    assert_null(p.server->own);
    test_drain(p.server);
    assert_int_equal(tls_engine_put_plaintext(p.client, span_of_string("data"), &n), TLS_OK);
    records = tls_engine_records(p.client);
    space = tls_engine_records_reserve(p.server, &room);
    memcpy(space, records.data, records.size);
    tls_engine_records_commit(p.server, records.size - 1);
    test_drain(p.server); /* NSS has all but the last byte */
    assert_int_equal(p.server->transport.in.size, 0);
    tls_engine_trim(p.server);
    assert_null(p.server->own);
    space = tls_engine_records_reserve(p.server, &room);
    space[0] = records.data[records.size - 1];
    tls_engine_records_commit(p.server, 1);
    assert_int_equal(tls_engine_take_plaintext(p.server, data, 2, &n), TLS_OK);
    tls_engine_trim(p.server); /* NSS has two bytes of data left */
    assert_null(p.server->own);
    assert_int_equal(tls_engine_take_plaintext(p.server, data, sizeof(data), &n), TLS_OK);
    assert_int_equal(n, 2);
    assert_int_equal(tls_engine_put_plaintext(p.server, span_of_string("x"), &n), TLS_OK);
    tls_engine_trim(p.server);
    assert_null(p.server->own);
    tls_engine_records_consume(p.client, records.size);
    test_pair_run(&p);
    test_trim(&p, TEST_TRIM_SERVER);
    test_pair_clear(&p);
}

/* The server's flight went out in pieces: it is not certain when which record was counted. */
static void established_not_after_a_full_output(void **state)
{
    struct test_fixture *f = *state;
    struct test_pair p;

    test_pair_init(&p, f->client, "server.example.org", NULL, f->server);
    p.server->transport.out.size_max = 300;
    test_pair_handshake(&p);
    p.server->transport.out.size_max = TLS_RECORDS_OUT_MAX;
    test_drain(p.server);
    tls_engine_trim(p.server);
    assert_null(p.server->own);
    test_send_both_ways(&p, 10);
    test_pair_clear(&p);
}

/* ---- KeyUpdate ---- */

typedef SECStatus (*key_update_call)(PRFileDesc *fd, PRBool request_update);

static void nss_key_update(PRFileDesc *fd, PRBool request)
{
    void *found = SSL_GetExperimentalAPI("SSL_KeyUpdate");
    key_update_call call;

    memcpy(&call, &found, sizeof(call));
    assert_int_equal(call(fd, request), SECSuccess);
}

/* NSS at the other end updates its keys, and asks for ours to be. */
static void established_key_update_of_nss(void **state)
{
    struct test_fixture *f = *state;

    for (int request = 0; request < 2; request++)
        for (size_t i = 0; i < ARRAY_LEN(suites); i++) {
            struct test_pair p;

            for (size_t j = 0; j < ARRAY_LEN(suites); j++)
                assert_int_equal(SSL_CipherPrefSet(f->client->model, suites[j], i == j), SECSuccess);
            test_connect_trimmed(&p, f, TEST_TRIM_CLIENT);
            nss_key_update(p.server->fd, request);
            nss_key_update(p.server->fd, request);
            tls_established_settle_write_key(p.server); /* these were not made in a read */
            test_pair_send(&p, p.server, p.client, span_of_string("x"));
            assert_int_equal(p.client->own->write.sequence, 0); /* what was asked for was done */
            test_send_both_ways(&p, 20000);
            assert_int_equal(p.client->own->write.sequence, 2);
            assert_non_null(p.server->own); /* it has followed */
            test_send_both_ways(&p, 20000);
            test_pair_close(&p);
            test_pair_clear(&p);
        }
    for (size_t j = 0; j < ARRAY_LEN(suites); j++)
        assert_int_equal(SSL_CipherPrefSet(f->client->model, suites[j], PR_TRUE), SECSuccess);
}

/* The same holds while NSS has the connection, which takes any number of them: one name and one alert. */
static void key_update_flood_to_nss(void **state)
{
    struct test_fixture *f = *state;
    uint8_t *data = base_alloc(TLS_KEY_UPDATES_BYTES);

    for (int together = 0; together < 2; together++) {
        struct test_pair p;

        test_connect_pair(&p, f, NULL);
        assert_non_null(p.server->fd);
        if (!together) {
            test_inject_key_updates(&p, TLS_KEY_UPDATES_MAX);
            test_pair_send(&p, p.client, p.server, span_of(data, TLS_KEY_UPDATES_BYTES - 1));
            test_pair_send(&p, p.server, p.client, span_of_string("x"));
            for (int i = 0; i < TLS_KEY_UPDATES_MAX; i++) {
                test_inject_key_updates(&p, 1);
                test_pair_send(&p, p.client, p.server, span_of_string("x"));
            }
        }
        test_inject_key_updates(&p, 100);
        test_expect_failure(&p, "key_update_flood", TLS_ALERT_UNEXPECTED_MESSAGE);
    }
    free(data);
}

/* Keys that change while NSS has the connection: it is taken over, and goes on. NSS holds its answer back until it is
 * made to send it. */
static void established_after_a_key_update(void **state)
{
    struct test_fixture *f = *state;

    for (int written = 0; written < 2; written++)
        for (size_t piece = 0; piece < 4; piece++) {
            struct test_pair p;

            test_connect_pair(&p, f, NULL);
            if (written) /* NSS answers only with a key that it has used */
                test_pair_send(&p, p.server, p.client, span_of_string("before"));
            p.piece_max = piece;
            test_inject_key_updates(&p, 2);
            test_pair_send(&p, p.client, p.server, span_of_string("x"));
            test_drain(p.server);
            assert_non_null(p.server->own);
            assert_null(p.server->fd);
            test_send_both_ways(&p, 40000);
            test_pair_close(&p);
            test_pair_clear(&p);
        }
}

/* A key is used for so many records and then changed, which NSS follows. */
static void established_key_is_not_used_up(void **state)
{
    struct test_fixture *f = *state;
    struct test_pair p;

    test_connect_trimmed(&p, f, TEST_TRIM_BOTH);
    p.client->own->write.sequence = p.server->own->read.sequence = TLS_RECORDS_PER_KEY_MAX - 2;
    for (int i = 0; i < 6; i++)
        test_pair_send(&p, p.client, p.server, span_of_string("data"));
    assert_int_equal(p.client->own->write.sequence, p.server->own->read.sequence);
    assert_int_equal(p.client->own->write.sequence, 4);
    test_pair_clear(&p);
}

/* Requests that come in a heap are answered once. */
static void established_key_updates_are_answered_once(void **state)
{
    static const uint8_t request[] = {24, 0, 0, 1, 1};
    struct test_fixture *f = *state;
    struct test_pair p;
    size_t size;

    test_connect_trimmed(&p, f, TEST_TRIM_BOTH);
    for (int i = 0; i < 3; i++) {
        assert_true(tls_record_seal(&p.client->own->write, TLS_CONTENT_HANDSHAKE, span_of(request, sizeof(request)),
                                    &p.client->transport.out));
        assert_true(tls_record_direction_update(&p.client->own->write));
    }
    test_pair_run(&p);
    assert_int_equal(tls_engine_records(p.server).size, 0);
    size = tls_engine_records(p.server).size;
    test_drain(p.server);
    assert_int_equal(tls_engine_records(p.server).size, size + 5 + 5 + 1 + 16);
    assert_int_equal(p.server->own->write.sequence, 0);
    test_pair_run(&p);
    test_send_both_ways(&p, 100);
    test_pair_close(&p);
    test_pair_clear(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(established_data),
        cmocka_unit_test(established_data_behind_finished),
        cmocka_unit_test(established_suites),
        cmocka_unit_test(established_resumed),
        cmocka_unit_test(established_is_described_as_before),
        cmocka_unit_test(established_small_reads),
        cmocka_unit_test(established_half_close),
        cmocka_unit_test(established_truncation),
        cmocka_unit_test(established_not_while_busy),
        cmocka_unit_test(established_not_after_a_full_output),
        cmocka_unit_test(established_key_update_of_nss),
        cmocka_unit_test(key_update_flood_to_nss),
        cmocka_unit_test(established_after_a_key_update),
        cmocka_unit_test(established_key_is_not_used_up),
        cmocka_unit_test(established_key_updates_are_answered_once),
    };

    return cmocka_run_group_tests(tests, test_fixture_setup, test_fixture_teardown);
}
