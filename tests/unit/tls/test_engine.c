/* tls/engine_flows.c: the flows, over two small rings and in small pieces. */
#include "tls_fixture.h"

#include "tls/key_groups.h"
#include "tls/engine_internal.h"
#include "tls/established.h"
#include "tls/runtime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void init(struct test_pair *p, const struct test_fixture *f)
{
    test_pair_init(p, f->client, "server.example.org", NULL, f->server);
}

static void engine_handshake(void **state)
{
    static const size_t pieces[] = {0, 1, 10, 512};
    struct test_fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        struct test_pair p;

        init(&p, f);
        p.piece_max = pieces[i];
        test_pair_handshake(&p);
        test_pair_send(&p, p.client, p.server, span_of_string("ping"));
        test_pair_send(&p, p.server, p.client, span_of_string("pong"));
        test_pair_close(&p);
        test_pair_clear(&p);
    }
}

/* The ceiling that is shown for a connection has each of an engine's buffers as large as it may become. */
static void ceiling_has_every_buffer(void **state)
{
    struct test_fixture *f = *state;
    struct test_pair p;
    size_t most, room;

    init(&p, f);
    p.server->hs->flight.holding = true; /* certificates that are not complete: the most that `in` may be */
    assert_non_null(tls_engine_records_reserve(p.server, &room));
    most = p.server->transport.in.size_max + p.server->transport.out.size_max + p.server->transport.kept.size_max +
           p.server->plaintext.size_max + p.server->chain.size_max + TLS_CERTIFICATE_MESSAGE_MAX + sizeof(*p.server) +
           sizeof(*p.server->hs);
    assert_in_range(TLS_ENGINE_BYTES_MAX, most, most + TLS_ENGINE_STRUCTS_BYTES);
    p.server->hs->flight.holding = false;
    test_pair_clear(&p);
}

/* More than every buffer holds, both ways at once, through rings of 512 bytes. */
static void engine_bulk_data(void **state)
{
    enum { BULK = 300000 };
    struct test_fixture *f = *state;
    uint8_t *data = base_alloc(BULK);
    struct test_pair p;

    for (size_t i = 0; i < BULK; i++)
        data[i] = (uint8_t)(i * 7 + i / 251);
    init(&p, f);
    test_pair_handshake(&p);
    test_pair_send(&p, p.client, p.server, span_of(data, BULK));
    test_pair_send(&p, p.server, p.client, span_of(data, BULK));
    p.piece_max = 10;
    test_pair_send(&p, p.server, p.client, span_of(data, BULK / 10));
    test_pair_close(&p);
    assert_true(p.memory_max < TLS_RECORDS_IN_MAX + TLS_RECORDS_OUT_MAX + 16 * 1024);
    test_pair_clear(&p);
    free(data);
}

/* Plaintext is taken until the output is full, never past its ceiling, and again when it has drained. */
static void engine_output_ceiling(void **state)
{
    static uint8_t data[4 * TLS_RECORDS_OUT_MAX];
    struct test_fixture *f = *state;
    struct test_pair p;
    size_t total = 0, n = 1;

    init(&p, f);
    test_pair_handshake(&p);
    for (int i = 0; i < 100 && n != 0; i++) {
        assert_int_equal(tls_engine_put_plaintext(p.client, span_of(data, sizeof(data)), &n), TLS_OK);
        total += n;
    }
    assert_int_equal(n, 0);
    assert_true(total >= TLS_RECORD_PLAINTEXT_MAX && total < TLS_RECORDS_OUT_MAX);
    assert_true(tls_engine_records(p.client).size <= TLS_RECORDS_OUT_MAX);
    assert_int_equal(tls_engine_wants(p.client) & TLS_WANTS_PLAINTEXT, 0);
    tls_engine_records_consume(p.client, tls_engine_records(p.client).size);
    assert_true((tls_engine_wants(p.client) & TLS_WANTS_PLAINTEXT) != 0);
    test_pair_clear(&p);
}

/* The input is bounded while nobody takes the plaintext. */
static void engine_input_ceiling(void **state)
{
    static uint8_t data[TLS_RECORDS_OUT_MAX];
    struct test_fixture *f = *state;
    struct test_pair p;
    size_t n;

    init(&p, f);
    test_pair_handshake(&p);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(tls_engine_put_plaintext(p.client, span_of(data, sizeof(data)), &n), TLS_OK);
        test_pair_run(&p);
    }
    assert_int_equal(tls_engine_wants(p.server) & TLS_WANTS_RECORDS, 0);
    assert_null(tls_engine_records_reserve(p.server, &n));
    assert_int_equal(n, 0);
    assert_true(tls_engine_memory(p.server) < TLS_RECORDS_IN_MAX * 2 + 16 * 1024);
    test_pair_clear(&p);
}

static void engine_half_close(void **state)
{
    struct test_fixture *f = *state;
    struct test_pair p;
    uint8_t byte;
    size_t n;

    init(&p, f);
    test_pair_handshake(&p);
    tls_engine_close(p.client);
    tls_engine_close(p.client);
    test_pair_run(&p);
    assert_int_equal(tls_engine_alert_sent(p.client), 0);
    assert_int_equal(tls_engine_take_plaintext(p.server, &byte, 1, &n), TLS_CLOSED);
    assert_int_equal(tls_engine_alert_received(p.server), 0);
    /* The server may go on, and the client goes on reading. */
    assert_true((tls_engine_wants(p.server) & TLS_WANTS_PLAINTEXT) != 0);
    assert_int_equal(tls_engine_wants(p.client) & TLS_WANTS_PLAINTEXT, 0);
    test_pair_send(&p, p.server, p.client, span_of_string("late data"));
    /* The end of the transport after close_notify is nothing new. */
    assert_int_equal(tls_engine_records_end(p.server), TLS_CLOSED);
    tls_engine_close(p.server);
    test_pair_run(&p);
    assert_int_equal(tls_engine_take_plaintext(p.client, &byte, 1, &n), TLS_CLOSED);
    assert_string_equal(tls_engine_error_name(p.client), "");
    test_pair_clear(&p);
}

static void engine_put_after_close(void **state)
{
    struct test_fixture *f = *state;
    struct test_pair p;
    size_t n = 1, before;

    init(&p, f);
    test_pair_handshake(&p);
    tls_engine_close(p.client);
    before = tls_engine_records(p.client).size;
    assert_int_equal(tls_engine_put_plaintext(p.client, span_of_string("x"), &n), TLS_OK);
    assert_int_equal(n, 0);
    assert_int_equal(tls_engine_records(p.client).size, before);
    test_pair_clear(&p);
}

static void engine_put_before_handshake(void **state)
{
    struct test_fixture *f = *state;
    struct test_pair p;
    uint8_t byte;
    size_t n = 1;

    init(&p, f);
    assert_int_equal(tls_engine_wants(p.client) & (TLS_WANTS_PLAINTEXT | TLS_HAS_PLAINTEXT), 0);
    assert_int_equal(tls_engine_put_plaintext(p.client, span_of_string("x"), &n), TLS_OK);
    assert_int_equal(n, 0);
    assert_int_equal(tls_engine_take_plaintext(p.client, &byte, 1, &n), TLS_OK);
    assert_int_equal(n, 0);
    assert_false(tls_engine_handshake_done(p.client));
    tls_engine_close(p.client);
    assert_int_equal(tls_engine_records(p.client).size, 0);
    test_pair_clear(&p);
}

/* Data that came is given out before the missing close_notify is told. */
static void engine_truncation(void **state)
{
    struct test_fixture *f = *state;
    struct test_pair p;
    uint8_t data[16];
    size_t n;

    init(&p, f);
    test_pair_handshake(&p);
    assert_int_equal(tls_engine_put_plaintext(p.client, span_of_string("half"), &n), TLS_OK);
    test_pair_run(&p);
    assert_int_equal(tls_engine_records_end(p.server), TLS_OK);
    assert_int_equal(tls_engine_take_plaintext(p.server, data, sizeof(data), &n), TLS_OK);
    assert_int_equal(n, 4);
    assert_true((tls_engine_wants(p.server) & (TLS_HAS_PLAINTEXT | TLS_NEEDS_STEP)) != 0);
    assert_int_equal(tls_engine_take_plaintext(p.server, data, sizeof(data), &n), TLS_FAILED);
    assert_string_equal(tls_engine_error_name(p.server), "truncated");
    assert_int_equal(tls_engine_wants(p.server), 0);
    assert_int_equal(tls_engine_step(p.server), TLS_FAILED);
    /* With nothing left to decrypt it is told at once. */
    assert_int_equal(tls_engine_take_plaintext(p.client, data, sizeof(data), &n), TLS_OK);
    assert_int_equal(tls_engine_records_end(p.client), TLS_FAILED);
    assert_string_equal(tls_engine_error_name(p.client), "truncated");
    test_pair_clear(&p);
}

/* A record cut in two by the end of the transport is no data. */
static void engine_truncated_record(void **state)
{
    struct test_fixture *f = *state;
    struct test_pair p;
    uint8_t data[16], *space;
    struct span records;
    size_t n, room;

    init(&p, f);
    test_pair_handshake(&p);
    assert_int_equal(tls_engine_put_plaintext(p.client, span_of_string("half"), &n), TLS_OK);
    records = tls_engine_records(p.client);
    space = tls_engine_records_reserve(p.server, &room);
    memcpy(space, records.data, records.size - 1);
    tls_engine_records_commit(p.server, records.size - 1);
    assert_int_equal(tls_engine_records_end(p.server), TLS_OK);
    assert_int_equal(tls_engine_take_plaintext(p.server, data, sizeof(data), &n), TLS_FAILED);
    assert_int_equal(n, 0);
    assert_string_equal(tls_engine_error_name(p.server), "truncated");
    test_pair_clear(&p);
}

static void engine_altered_record(void **state)
{
    struct test_fixture *f = *state;
    struct test_pair p;
    uint8_t data[16], *space;
    struct span records;
    size_t n, room;

    init(&p, f);
    test_pair_handshake(&p);
    assert_int_equal(tls_engine_put_plaintext(p.client, span_of_string("data"), &n), TLS_OK);
    records = tls_engine_records(p.client);
    space = tls_engine_records_reserve(p.server, &room);
    memcpy(space, records.data, records.size);
    space[records.size - 1] ^= 1;
    tls_engine_records_commit(p.server, records.size);
    assert_int_equal(tls_engine_take_plaintext(p.server, data, sizeof(data), &n), TLS_FAILED);
    assert_string_equal(tls_engine_error_name(p.server), "SSL_ERROR_BAD_MAC_READ");
    assert_int_equal(tls_engine_alert_sent(p.server), 20);
    assert_true((tls_engine_wants(p.server) & TLS_HAS_RECORDS) != 0); /* the alert */
    test_pair_run(&p);
    assert_int_equal(tls_engine_take_plaintext(p.client, data, sizeof(data), &n), TLS_FAILED);
    assert_string_equal(tls_engine_error_name(p.client), "alert_received_bad_record_mac");
    assert_int_equal(tls_engine_alert_received(p.client), 20);
    test_pair_clear(&p);
}

/* The server's flight does not fit its buffer: NSS goes on when there is room again. */
static void engine_handshake_through_small_output(void **state)
{
    struct test_fixture *f = *state;
    struct test_pair p;

    init(&p, f);
    p.server->transport.out.size_max = 300;
    test_pair_handshake(&p);
    p.server->transport.out.size_max = TLS_RECORDS_OUT_MAX;
    test_pair_send(&p, p.server, p.client, span_of_string("x"));
    test_pair_clear(&p);
}

/* The end of the transport is told with the last records: what they say counts. */
static void engine_end_with_last_records(void **state)
{
    static const uint8_t alert[] = {21, 3, 3, 0, 2, 2, 40};
    struct test_fixture *f = *state;
    struct test_pair p;
    size_t room;

    init(&p, f);
    assert_int_equal(tls_engine_step(p.client), TLS_OK);
    memcpy(tls_engine_records_reserve(p.client, &room), alert, sizeof(alert));
    tls_engine_records_commit(p.client, sizeof(alert));
    assert_int_equal(tls_engine_records_end(p.client), TLS_OK);
    assert_true((tls_engine_wants(p.client) & TLS_NEEDS_STEP) != 0);
    assert_int_equal(tls_engine_step(p.client), TLS_FAILED);
    assert_string_equal(tls_engine_error_name(p.client), "alert_received_handshake_failure");
    test_pair_clear(&p);
}

static void engine_end_in_handshake(void **state)
{
    struct test_fixture *f = *state;
    struct test_pair p;

    init(&p, f);
    assert_int_equal(tls_engine_records_end(p.server), TLS_FAILED);
    assert_string_equal(tls_engine_error_name(p.server), "closed_in_handshake");
    assert_int_equal(tls_engine_step(p.client), TLS_OK);
    assert_int_equal(tls_engine_records_end(p.client), TLS_FAILED);
    assert_string_equal(tls_engine_error_name(p.client), "closed_in_handshake");
    assert_int_equal(tls_engine_records_end(p.client), TLS_FAILED);
    test_pair_clear(&p);
}

static void engine_trim_gives_buffers_back(void **state)
{
    static uint8_t data[20000];
    struct test_fixture *f = *state;
    struct test_pair p;
    size_t fresh, idle;

    init(&p, f);
    fresh = tls_engine_memory(p.server);
    test_pair_handshake(&p);
    test_pair_send(&p, p.client, p.server, span_of(data, sizeof(data)));
    test_pair_send(&p, p.server, p.client, span_of(data, sizeof(data)));
    assert_true(tls_engine_memory(p.server) > fresh + 512);
    tls_engine_trim(p.server);
    idle = tls_engine_memory(p.server);
    assert_non_null(p.server->own);
    assert_true(idle <= fresh + tls_established_memory(p.server)); /* no peer certificate at a server */
    test_pair_send(&p, p.client, p.server, span_of(data, sizeof(data)));
    test_pair_clear(&p);
}

static void engine_session_is_described(void **state)
{
    struct test_fixture *f = *state;
    struct tls_session_info info;
    struct test_pair p;
    enum key_group best = tls_has_key_group(KEY_GROUP_X25519MLKEM768) ? KEY_GROUP_X25519MLKEM768 : KEY_GROUP_X25519;

    init(&p, f);
    test_pair_handshake(&p);
    info = tls_engine_session(p.client);
    assert_string_equal(info.version, "TLSv1.3");
    assert_string_equal(info.cipher, "TLS_AES_128_GCM_SHA256");
    assert_string_equal(info.group, tls_key_group_name(best));
    assert_string_equal(info.alpn, "");
    assert_string_equal(info.server_name, "server.example.org");
    assert_false(info.resumed);
    assert_true(span_equal(info.peer_cert, tls_identity_leaf(f->identity)));
    assert_null(info.identity);
    info = tls_engine_session(p.server);
    assert_string_equal(info.server_name, "server.example.org");
    assert_int_equal(info.peer_cert.size, 0);
    assert_ptr_equal(info.identity, f->identity);
    assert_false(tls_engine_may_block(p.server));
    assert_false(tls_engine_may_block(p.client));
    test_pair_clear(&p);
}

/* Engines that never came far are destroyed without harm. */
static void engine_destroy_early(void **state)
{
    struct test_fixture *f = *state;
    struct test_pair p;

    init(&p, f);
    test_pair_clear(&p);
    init(&p, f);
    assert_int_equal(tls_engine_step(p.client), TLS_OK);
    test_pair_clear(&p);
    tls_engine_destroy(&p.client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(engine_handshake),
        cmocka_unit_test(ceiling_has_every_buffer),
        cmocka_unit_test(engine_bulk_data),
        cmocka_unit_test(engine_output_ceiling),
        cmocka_unit_test(engine_input_ceiling),
        cmocka_unit_test(engine_half_close),
        cmocka_unit_test(engine_put_after_close),
        cmocka_unit_test(engine_put_before_handshake),
        cmocka_unit_test(engine_truncation),
        cmocka_unit_test(engine_truncated_record),
        cmocka_unit_test(engine_altered_record),
        cmocka_unit_test(engine_handshake_through_small_output),
        cmocka_unit_test(engine_end_with_last_records),
        cmocka_unit_test(engine_end_in_handshake),
        cmocka_unit_test(engine_trim_gives_buffers_back),
        cmocka_unit_test(engine_session_is_described),
        cmocka_unit_test(engine_destroy_early),
    };

    return cmocka_run_group_tests(tests, test_fixture_setup, test_fixture_teardown);
}
