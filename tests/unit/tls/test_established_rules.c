/* tls/established.c, tls/record.c: what RFC 8446 sections 4.6.3 and 5.1 to 5.5, and RFC 8449, ask of records. */
#include "tls_raw.h"
#include "tls_trimmed.h"

#include "tls/engine_internal.h"
#include "tls/established.h"

#include <prerror.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sslproto.h>

/* Content, its type, and padding up to `size` bytes. Owned by the caller. */
static uint8_t *make_inner(size_t content_size, size_t size)
{
    uint8_t *inner = base_alloc(size);

    memset(inner, 'd', content_size);
    inner[content_size] = TLS_CONTENT_DATA;
    return inner;
}

/* Section 5.4: TLSInnerPlaintext has 2^14 + 1 bytes at most, whatever of it is padding. */
static void padding_up_to_the_limit(void **state)
{
    static const size_t contents[] = {0, 1, 1000, TLS_RECORD_PLAINTEXT_MAX - 1};
    struct test_fixture *f = *state;
    uint8_t *got = base_alloc(TLS_RECORD_PLAINTEXT_MAX);

    for (size_t i = 0; i < ARRAY_LEN(contents); i++) {
        uint8_t *inner = make_inner(contents[i], TLS_RECORD_INNER_MAX);
        struct test_pair p;
        size_t n;

        test_connect_trimmed(&p, f, TEST_TRIM_BOTH);
        test_inject(&p, (enum tls_content_type)0, inner, TLS_RECORD_INNER_MAX - 1);
        test_pair_run(&p);
        assert_int_equal(tls_engine_take_plaintext(p.server, got, TLS_RECORD_PLAINTEXT_MAX, &n), TLS_OK);
        assert_int_equal(n, contents[i]);
        assert_memory_equal(got, inner, n);
        test_send_both_ways(&p, 100);
        test_pair_clear(&p);
        free(inner);
    }
    free(got);
}

static void padding_above_the_limit(void **state)
{
    static const struct {
        size_t content_size, inner_size;
    } cases[] = {{1, TLS_RECORD_INNER_MAX + 1},
                 {0, TLS_RECORD_INNER_MAX + 1},
                 {TLS_RECORD_PLAINTEXT_MAX, TLS_RECORD_INNER_MAX + 1},
                 {TLS_RECORD_PLAINTEXT_MAX + 1, TLS_RECORD_INNER_MAX + 2},
                 {4, 16384 + 256 - TLS_RECORD_TAG_SIZE}, /* the most that the header may say (section 5.2) */
                 {4, 16384 + 257 - TLS_RECORD_TAG_SIZE}};
    struct test_fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t *inner = make_inner(cases[i].content_size, cases[i].inner_size);
        struct test_pair p;

        test_connect_trimmed(&p, f, TEST_TRIM_BOTH);
        test_inject(&p, (enum tls_content_type)0, inner, cases[i].inner_size - 1);
        test_expect_failure(&p, "SSL_ERROR_RX_RECORD_TOO_LONG", TLS_ALERT_RECORD_OVERFLOW);
        free(inner);
    }
}

/* Section 5.4: no alert and no handshake message is of no length. */
static void empty_fragments(void **state)
{
    static const struct {
        enum tls_content_type type;
        const char *name;
    } cases[] = {{TLS_CONTENT_ALERT, "SSL_ERROR_RX_MALFORMED_ALERT"},
                 {TLS_CONTENT_HANDSHAKE, "SSL_ERROR_RX_MALFORMED_HANDSHAKE"}};
    struct test_fixture *f = *state;
    struct test_pair p;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        test_connect_trimmed(&p, f, TEST_TRIM_BOTH);
        test_inject(&p, cases[i].type, "", 0);
        test_expect_failure(&p, cases[i].name, TLS_ALERT_UNEXPECTED_MESSAGE);
    }
    /* Nor between the halves of a message, nor is data, even of no length, between them. */
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        test_connect_trimmed(&p, f, TEST_TRIM_BOTH);
        test_inject(&p, TLS_CONTENT_HANDSHAKE, "\x18\0", 2);
        test_inject(&p, cases[i].type, "", 0);
        test_expect_failure(&p,
                            cases[i].type == TLS_CONTENT_ALERT ? "SSL_ERROR_RX_UNEXPECTED_RECORD_TYPE" : cases[i].name,
                            TLS_ALERT_UNEXPECTED_MESSAGE);
    }
    test_connect_trimmed(&p, f, TEST_TRIM_BOTH);
    test_inject(&p, TLS_CONTENT_HANDSHAKE, "\x18\0", 2);
    test_inject(&p, TLS_CONTENT_DATA, "", 0);
    test_expect_failure(&p, "SSL_ERROR_RX_UNEXPECTED_RECORD_TYPE", TLS_ALERT_UNEXPECTED_MESSAGE);
}

/* Nothing at all inside, not even a type: there is no non-zero byte in it (section 5.4). */
static void nothing_inside(void **state)
{
    struct test_fixture *f = *state;

    for (size_t i = 0; i < 3; i++) {
        static const PRUint16 suites[] = {TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256};
        uint8_t record[] = {TLS_CONTENT_DATA, 3, 3, 0, TLS_RECORD_TAG_SIZE, [TLS_RECORD_HEADER_SIZE + 15] = 0};
        struct tls_record_direction *d;
        uint8_t nonce[TLS_RECORD_IV_SIZE], nothing[1] = {0};
        struct test_pair p;
        int size;

        for (size_t j = 0; j < ARRAY_LEN(suites); j++)
            assert_int_equal(SSL_CipherPrefSet(f->client->model, suites[j], i == j), SECSuccess);
        test_connect_trimmed(&p, f, TEST_TRIM_BOTH);
        for (size_t j = 0; j < ARRAY_LEN(suites); j++)
            assert_int_equal(SSL_CipherPrefSet(f->client->model, suites[j], PR_TRUE), SECSuccess);
        d = &p.client->own->write;
        test_inject(&p, TLS_CONTENT_DATA, "", 0); /* it stands ready now */
        memcpy(nonce, d->iv, sizeof(nonce));
        nonce[TLS_RECORD_IV_SIZE - 1] ^= (uint8_t)d->sequence;
        assert_int_equal(PK11_AEADOp(d->aead, CKG_NO_GENERATE, 0, nonce, sizeof(nonce), record, TLS_RECORD_HEADER_SIZE,
                                     nothing, &size, sizeof(nothing), record + TLS_RECORD_HEADER_SIZE,
                                     TLS_RECORD_TAG_SIZE, nothing, 0),
                         SECSuccess);
        assert_true(buffer_append(&p.client->transport.out, span_of(record, sizeof(record))));
        test_expect_failure(&p, "SSL_ERROR_RX_UNEXPECTED_RECORD_TYPE", TLS_ALERT_UNEXPECTED_MESSAGE);
    }
}

/* Section 6.1: nothing comes behind our close_notify, not even an alert. */
static void no_alert_behind_close_notify(void **state)
{
    struct test_fixture *f = *state;
    struct test_pair p;
    uint8_t byte;
    size_t n;

    test_connect_trimmed(&p, f, TEST_TRIM_BOTH);
    tls_engine_close(p.server);
    test_pair_run(&p);
    test_inject(&p, TLS_CONTENT_HANDSHAKE, "\x01\0\0\0", 4);
    test_pair_run(&p);
    assert_int_equal(tls_engine_take_plaintext(p.server, &byte, 1, &n), TLS_FAILED);
    assert_string_equal(tls_engine_error_name(p.server), "SSL_ERROR_RX_UNKNOWN_HANDSHAKE");
    assert_int_equal(tls_engine_alert_sent(p.server), TLS_ALERT_CLOSE_NOTIFY);
    assert_int_equal(tls_engine_records(p.server).size, 0);
    assert_int_equal(tls_engine_take_plaintext(p.client, &byte, 1, &n), TLS_CLOSED);
    test_pair_clear(&p);
}

static void request_key_update(struct test_pair *p)
{
    static const uint8_t request[] = {24, 0, 0, 1, 1};

    test_inject(p, TLS_CONTENT_HANDSHAKE, request, sizeof(request));
    assert_true(tls_record_direction_update(&p->client->own->write));
}

/* Section 4.6.3: what was asked for goes out before the next data; section 6.1: and not behind close_notify. */
static void key_update_when_it_can_be_sent(void **state)
{
    struct test_fixture *f = *state;
    struct test_pair p;
    struct buffer *out;

    test_connect_trimmed(&p, f, TEST_TRIM_BOTH);
    out = &p.server->transport.out;
    request_key_update(&p);
    test_pair_run(&p);
    out->size_max = out->size + 5;
    test_drain(p.server);
    assert_true(p.server->own->update_owed);
    assert_int_equal(out->size, 0);
    out->size_max = TLS_RECORDS_OUT_MAX;
    test_pair_send(&p, p.server, p.client, span_of_string("data"));
    assert_false(p.server->own->update_owed);
    assert_int_equal(p.server->own->write.sequence, 1); /* the data, with the new key */
    request_key_update(&p);
    tls_engine_close(p.server);
    test_pair_run(&p);
    test_drain(p.server);
    assert_int_equal(tls_engine_records(p.server).size, 0);
    test_pair_send(&p, p.client, p.server, span_of_string("more data"));
    test_pair_clear(&p);
}

/* Section 5.3: sequence numbers do not wrap. */
static void sequence_does_not_wrap(void **state)
{
    struct test_fixture *f = *state;
    struct test_pair p;
    uint8_t out[32];
    size_t size;
    unsigned type;

    test_connect_trimmed(&p, f, TEST_TRIM_BOTH);
    p.client->own->write.sequence = p.server->own->read.sequence = UINT64_MAX;
    assert_false(
        tls_record_seal(&p.client->own->write, TLS_CONTENT_DATA, span_of_string("x"), &p.client->transport.out));
    p.client->own->write.sequence = UINT64_MAX - 1;
    test_inject(&p, TLS_CONTENT_DATA, "x", 1);
    assert_false(tls_record_open(&p.server->own->read, tls_engine_records(p.client), out, &size, &type));
    p.server->own->read.sequence = UINT64_MAX - 1;
    assert_true(tls_record_open(&p.server->own->read, tls_engine_records(p.client), out, &size, &type));
    assert_int_equal(size, 1);
    test_pair_clear(&p);
}

/* ---- RFC 8449: the peer takes no larger records ---- */

static struct tls_engine *meet_limited_peer(struct test_fixture *f, struct test_raw *raw, enum test_raw_role role,
                                            int limit)
{
    struct tls_engine *e = role == TEST_RAW_CLIENT ? tls_engine_create(f->server, NULL, NULL)
                                                   : tls_engine_create(f->client, "server.example.org", NULL);

    test_raw_init(raw, role, f->identity, 0x0304);
    assert_int_equal(SSL_OptionSet(raw->fd, SSL_RECORD_SIZE_LIMIT, limit), SECSuccess);
    assert_int_equal(SSL_OptionSet(raw->fd, SSL_NO_CACHE, PR_TRUE), SECSuccess); /* engines would be offered them too */
    if (role == TEST_RAW_CLIENT)
        assert_int_equal(SSL_SetURL(raw->fd, "server.example.org"), SECSuccess);
    if (!test_raw_handshake(raw, e))
        fail_msg("role %d, limit %d: %s, %s", (int)role, limit, PR_ErrorToName(raw->error), tls_engine_error(e));
    return e;
}

static void exchange(struct test_raw *raw, struct tls_engine *e, size_t size)
{
    uint8_t *data = base_alloc(size), *got = base_alloc(size);
    size_t sent = 0, received = 0, n;

    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)(i * 11 + i / 253);
    for (int rounds = 0; received < size; rounds++) {
        int part;

        assert_true(rounds < 1000);
        assert_int_equal(tls_engine_put_plaintext(e, span_of(data + sent, size - sent), &n), TLS_OK);
        sent += n;
        test_raw_move(raw, e);
        while ((part = test_raw_read(raw, got + received, (int)(size - received))) > 0)
            received += (size_t)part;
    }
    assert_memory_equal(got, data, size);
    assert_int_equal(PR_Write(raw->fd, data, 50), 50);
    test_raw_move(raw, e);
    assert_int_equal(tls_engine_take_plaintext(e, got, size, &n), TLS_OK);
    assert_int_equal(n, 50);
    free(data);
    free(got);
}

static void record_size_limit_of_the_peer(void **state)
{
    static const int limits[] = {64, 65, 512, 16384, 16385};
    struct test_fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(limits); i++)
        for (int role = TEST_RAW_CLIENT; role <= TEST_RAW_SERVER; role++) {
            struct test_raw raw;
            struct tls_engine *e = meet_limited_peer(f, &raw, (enum test_raw_role)role, limits[i]);

            exchange(&raw, e, 1000);
            test_drain(e);
            tls_engine_trim(e);
            assert_non_null(e->own);
            assert_int_equal(tls_engine_records(e).size, 0);
            exchange(&raw, e, 100000);
            test_raw_clear(&raw);
            tls_engine_destroy(&e);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(padding_up_to_the_limit),
        cmocka_unit_test(padding_above_the_limit),
        cmocka_unit_test(empty_fragments),
        cmocka_unit_test(nothing_inside),
        cmocka_unit_test(no_alert_behind_close_notify),
        cmocka_unit_test(key_update_when_it_can_be_sent),
        cmocka_unit_test(sequence_does_not_wrap),
        cmocka_unit_test(record_size_limit_of_the_peer),
    };

    return cmocka_run_group_tests(tests, test_fixture_setup, test_fixture_teardown);
}
