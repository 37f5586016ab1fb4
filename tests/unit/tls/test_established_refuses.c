/* tls/established.c: what may not come to a connection that has left NSS's socket behind, and what says nothing.
 *
 * What NSS would not send is sealed with the peer's own direction (tls_trimmed.h). */
#include "tls_trimmed.h"

#include "tls/engine_internal.h"
#include "tls/established.h"
#include "tls/runtime_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sslproto.h>

static void established_refuses(void **state)
{
    static const uint8_t zeros[32];
    static const struct {
        enum tls_content_type type;
        uint8_t data[8];
        size_t size;
        const char *name;
        int alert;
    } cases[] = {
        {TLS_CONTENT_ALERT, {2}, 1, "SSL_ERROR_RX_MALFORMED_ALERT", 50},
        {TLS_CONTENT_ALERT, {1, 0, 0}, 3, "SSL_ERROR_RX_MALFORMED_ALERT", 50},
        {TLS_CONTENT_ALERT, {2, 80}, 2, "alert_received_internal_error", -1},
        {TLS_CONTENT_ALERT, {1, 80}, 2, "alert_received_internal_error", -1},
        {TLS_CONTENT_CHANGE_CIPHER_SPEC, {1}, 1, "SSL_ERROR_RX_UNEXPECTED_RECORD_TYPE", 10},
        {TLS_CONTENT_HANDSHAKE, {0}, 0, "SSL_ERROR_RX_MALFORMED_HANDSHAKE", 10},
        {TLS_CONTENT_HANDSHAKE, {24, 0, 0, 1, 2}, 5, "SSL_ERROR_RX_MALFORMED_KEY_UPDATE", 47},
        {TLS_CONTENT_HANDSHAKE, {24, 0, 0, 2, 0, 0}, 6, "SSL_ERROR_RX_MALFORMED_KEY_UPDATE", 50},
        {TLS_CONTENT_HANDSHAKE, {24, 0, 0, 1, 0, 24}, 6, "SSL_ERROR_RX_UNEXPECTED_KEY_UPDATE", 10},
        {TLS_CONTENT_HANDSHAKE, {1, 0, 0, 0}, 4, "SSL_ERROR_RX_UNKNOWN_HANDSHAKE", 10},
        {TLS_CONTENT_HANDSHAKE, {4, 0, 0, 0}, 4, "SSL_ERROR_RX_UNKNOWN_HANDSHAKE", 10}, /* a client sends no tickets */
        {TLS_CONTENT_HANDSHAKE, {13, 0, 0, 0}, 4, "SSL_ERROR_RX_UNKNOWN_HANDSHAKE", 10},
        {(enum tls_content_type)0, {0}, 1, "SSL_ERROR_RX_UNEXPECTED_RECORD_TYPE", 10}, /* nothing but padding */
        {(enum tls_content_type)99, {1}, 1, "SSL_ERROR_RX_UNEXPECTED_RECORD_TYPE", 10},
    };
    struct test_fixture *f = *state;
    struct test_pair p;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        test_connect_trimmed(&p, f, TEST_TRIM_BOTH);
        test_inject(&p, cases[i].type, cases[i].size == 0 ? zeros : cases[i].data, cases[i].size);
        test_expect_failure(&p, cases[i].name, cases[i].alert);
    }
}

/* Half a message, and then something else. */
static void established_refuses_mixed_messages(void **state)
{
    struct test_fixture *f = *state;
    struct test_pair p;

    test_connect_trimmed(&p, f, TEST_TRIM_BOTH);
    test_inject(&p, TLS_CONTENT_HANDSHAKE, "\x18\0\0", 3);
    test_inject(&p, TLS_CONTENT_DATA, "x", 1);
    test_expect_failure(&p, "SSL_ERROR_RX_UNEXPECTED_RECORD_TYPE", 10);
    test_connect_trimmed(&p, f, TEST_TRIM_BOTH);
    test_inject(&p, TLS_CONTENT_HANDSHAKE, "\x18\0\0", 3);
    test_inject(&p, TLS_CONTENT_ALERT, "\x01\0", 2);
    test_expect_failure(&p, "SSL_ERROR_RX_UNEXPECTED_RECORD_TYPE", 10);
}

static void established_key_update_in_pieces(void **state)
{
    static const uint8_t update[] = {24, 0, 0, 1, 0};
    struct test_fixture *f = *state;
    struct test_pair p;

    test_connect_trimmed(&p, f, TEST_TRIM_BOTH);
    for (size_t i = 0; i < sizeof(update); i++)
        test_inject(&p, TLS_CONTENT_HANDSHAKE, update + i, 1);
    assert_true(tls_record_direction_update(&p.client->own->write));
    test_send_both_ways(&p, 100);
    assert_false(p.server->own->update_owed);
    test_pair_clear(&p);
}

/* As many as may be, and enough data, whoever sends it: it counts anew. */
static void established_key_update_flood(void **state)
{
    struct test_fixture *f = *state;
    uint8_t *data = base_alloc(TLS_KEY_UPDATES_BYTES);
    struct test_pair p;

    test_connect_trimmed(&p, f, TEST_TRIM_BOTH);
    test_inject_key_updates(&p, TLS_KEY_UPDATES_MAX);
    test_pair_send(&p, p.client, p.server, span_of(data, TLS_KEY_UPDATES_BYTES));
    test_inject_key_updates(&p, TLS_KEY_UPDATES_MAX);
    test_pair_send(&p, p.client, p.server, span_of_string("x"));
    test_pair_send(&p, p.server, p.client, span_of(data, TLS_KEY_UPDATES_BYTES - 1));
    test_inject_key_updates(&p, TLS_KEY_UPDATES_MAX + 1);
    test_expect_failure(&p, "key_update_flood", 10);
    free(data);
}

/* A key costs hundreds of times as much as a byte: one byte now and then buys no more of them. */
static void established_key_update_flood_among_data(void **state)
{
    struct test_fixture *f = *state;
    struct test_pair p;

    test_connect_trimmed(&p, f, TEST_TRIM_BOTH);
    for (int i = 0; i < TLS_KEY_UPDATES_MAX; i++) {
        test_inject_key_updates(&p, 1);
        test_pair_send(&p, p.client, p.server, span_of_string("x"));
    }
    test_inject_key_updates(&p, 1);
    test_expect_failure(&p, "key_update_flood", 10);
}

/* user_canceled says nothing by itself, records without data say nothing at all, and padding is not data. */
static void established_passes_over(void **state)
{
    static const uint8_t padded[] = {'d', 'a', 't', 'a', TLS_CONTENT_DATA, 0, 0, 0};
    struct test_fixture *f = *state;
    struct test_pair p;
    uint8_t data[16];
    size_t n;

    test_connect_trimmed(&p, f, TEST_TRIM_BOTH);
    test_inject(&p, TLS_CONTENT_ALERT, "\x01\x5a", 2);
    for (int i = 0; i < 100; i++)
        test_inject(&p, TLS_CONTENT_DATA, "", 0);
    test_inject(&p, (enum tls_content_type)0, padded, sizeof(padded));
    test_pair_run(&p);
    assert_int_equal(tls_engine_take_plaintext(p.server, data, sizeof(data), &n), TLS_OK);
    assert_int_equal(n, 4);
    assert_memory_equal(data, "data", 4);
    test_send_both_ways(&p, 100);
    test_pair_close(&p);
    test_pair_clear(&p);
}

/* A server of NSS's sends another ticket after the client has left NSS behind. */
static void established_passes_over_tickets(void **state)
{
    struct test_fixture *f = *state;
    struct test_pair p;

    test_connect_trimmed(&p, f, TEST_TRIM_CLIENT);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(tls_nss_calls()->send_session_ticket(p.server->fd, (const PRUint8 *)"x", 1), SECSuccess);
        test_send_both_ways(&p, 100);
    }
    assert_true(p.client->own->read.sequence >= 6);
    test_pair_close(&p);
    test_pair_clear(&p);
}

/* Records that are not records of an established connection, or were altered. */
static void established_refuses_records(void **state)
{
    static const struct {
        uint8_t record[32];
        size_t size;
        const char *name;
        int alert;
    } cases[] = {
        {{21, 3, 3, 0, 2, 1, 0}, 7, "SSL_ERROR_RX_UNEXPECTED_RECORD_TYPE", 10}, /* close_notify in the clear */
        {{20, 3, 3, 0, 1, 1}, 6, "SSL_ERROR_RX_UNEXPECTED_RECORD_TYPE", 10},
        {{22, 3, 3, 0, 4, 1, 0, 0, 0}, 9, "SSL_ERROR_RX_UNEXPECTED_RECORD_TYPE", 10},
        {{23, 3, 3, 0x41, 1}, 5, "SSL_ERROR_RX_RECORD_TOO_LONG", 22},
        {{23, 3, 3, 0, 0}, 5, "SSL_ERROR_BAD_MAC_READ", 20},
        {{23, 3, 3, 0, 15}, 20, "SSL_ERROR_BAD_MAC_READ", 20},
        {{23, 3, 3, 0, 16}, 21, "SSL_ERROR_BAD_MAC_READ", 20},
        {{23, 3, 3, 0, 20}, 25, "SSL_ERROR_BAD_MAC_READ", 20},
    };
    struct test_fixture *f = *state;
    struct test_pair p;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        test_connect_trimmed(&p, f, TEST_TRIM_BOTH);
        assert_true(buffer_append(&p.client->transport.out, span_of(cases[i].record, cases[i].size)));
        test_expect_failure(&p, cases[i].name, cases[i].alert);
    }
    for (size_t at = 0; at < 5 + 4 + 1 + 16; at++) {
        if (at == 3 || at == 4) /* another length is another record */
            continue;
        test_connect_trimmed(&p, f, TEST_TRIM_BOTH);
        test_inject(&p, TLS_CONTENT_DATA, "data", 4);
        p.client->transport.out.data[p.client->transport.out.start + at] ^= 0x40;
        test_expect_failure(&p, at == 0 ? "SSL_ERROR_RX_UNEXPECTED_RECORD_TYPE" : "SSL_ERROR_BAD_MAC_READ",
                            at == 0 ? 10 : 20);
    }
}

/* A record seen twice, or one left out. */
static void established_sequence(void **state)
{
    struct test_fixture *f = *state;
    struct test_pair p;
    uint8_t copy[64], byte;
    struct span records;
    size_t n;

    test_connect_trimmed(&p, f, TEST_TRIM_BOTH);
    test_inject(&p, TLS_CONTENT_DATA, "x", 1);
    records = tls_engine_records(p.client);
    assert_true(records.size <= sizeof(copy));
    memcpy(copy, records.data, records.size);
    n = records.size;
    assert_true(buffer_append(&p.client->transport.out, span_of(copy, n)));
    test_pair_run(&p);
    assert_int_equal(tls_engine_take_plaintext(p.server, &byte, 1, &n), TLS_OK);
    test_expect_failure(&p, "SSL_ERROR_BAD_MAC_READ", 20);
    test_connect_trimmed(&p, f, TEST_TRIM_BOTH);
    test_inject(&p, TLS_CONTENT_DATA, "x", 1);
    tls_engine_records_consume(p.client, tls_engine_records(p.client).size);
    test_inject(&p, TLS_CONTENT_DATA, "y", 1);
    test_expect_failure(&p, "SSL_ERROR_BAD_MAC_READ", 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(established_refuses),
        cmocka_unit_test(established_refuses_mixed_messages),
        cmocka_unit_test(established_key_update_in_pieces),
        cmocka_unit_test(established_key_update_flood),
        cmocka_unit_test(established_key_update_flood_among_data),
        cmocka_unit_test(established_passes_over),
        cmocka_unit_test(established_passes_over_tickets),
        cmocka_unit_test(established_refuses_records),
        cmocka_unit_test(established_sequence),
    };

    return cmocka_run_group_tests(tests, test_fixture_setup, test_fixture_teardown);
}
