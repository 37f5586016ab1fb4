/* see tls_trimmed.h */
#include "tls_trimmed.h"

#include "tls/engine_internal.h"
#include "tls/established.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

void test_drain(struct tls_engine *e)
{
    uint8_t byte;
    size_t n;

    assert_int_equal(tls_engine_take_plaintext(e, &byte, 1, &n), TLS_OK);
    assert_int_equal(n, 0);
}

/* Nothing of NSS is left, whatever the version. */
static void check_rests(const struct tls_engine *e)
{
    assert_non_null(e->own);
    assert_null(e->fd);
    assert_null(e->own->read.aead);
    assert_null(e->own->write.aead);
}

void test_trim(struct test_pair *p, enum test_trim which)
{
    test_pair_run(p);
    if ((which & TEST_TRIM_SERVER) != 0) {
        test_drain(p->server);
        tls_engine_trim(p->server);
        check_rests(p->server);
    }
    if ((which & TEST_TRIM_CLIENT) != 0) {
        test_drain(p->client);
        tls_engine_trim(p->client);
        check_rests(p->client);
    }
}

void test_connect_pair(struct test_pair *p, const struct test_fixture *f, const char *cache_key)
{
    test_pair_init(p, f->client, "server.example.org", cache_key, f->server);
    test_pair_handshake(p);
}

void test_connect_trimmed(struct test_pair *p, const struct test_fixture *f, enum test_trim which)
{
    test_connect_pair(p, f, NULL);
    test_trim(p, which);
}

void test_send_both_ways(struct test_pair *p, size_t size)
{
    uint8_t *data = base_alloc(size);

    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)(i * 7 + i / 251);
    test_pair_send(p, p->client, p->server, span_of(data, size));
    test_pair_send(p, p->server, p->client, span_of(data, size));
    free(data);
}

void test_inject(struct test_pair *p, enum tls_content_type type, const void *data, size_t size)
{
    assert_true(tls_record_seal(&p->client->own->write, type, span_of(data, size), &p->client->transport.out));
}

void test_inject_key_updates(struct test_pair *p, int count)
{
    static const uint8_t update[] = {24, 0, 0, 1, 0};

    for (int i = 0; i < count; i++) {
        test_inject(p, TLS_CONTENT_HANDSHAKE, update, sizeof(update));
        assert_true(tls_record_direction_update(&p->client->own->write));
    }
}

void test_expect_failure(struct test_pair *p, const char *name, int alert)
{
    uint8_t byte;
    size_t n;

    test_pair_run(p);
    assert_int_equal(tls_engine_take_plaintext(p->server, &byte, 1, &n), TLS_FAILED);
    assert_string_equal(tls_engine_error_name(p->server), name);
    assert_int_equal(tls_engine_alert_sent(p->server), alert);
    if (alert >= 0) {
        test_pair_run(p);
        assert_int_equal(tls_engine_take_plaintext(p->client, &byte, 1, &n), TLS_FAILED);
        assert_int_equal(tls_engine_alert_received(p->client), alert);
    }
    test_pair_clear(p);
}
