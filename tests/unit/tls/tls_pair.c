/* see tls_pair.h */
#include "tls_pair.h"

#include "tls/runtime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ROUNDS_MAX = 2000000, CACHE_ENTRIES = 100 };

void test_tls_start(enum test_cache cache)
{
    struct tls_runtime_options options = {.accelerator = getenv("YETT_TEST_ACCELERATOR")};
    char *error = NULL, *inherit = NULL;
    uint8_t *key = NULL;
    size_t key_size = 0;
    int first, last;

    /* No thread of NSS's to look for abandoned locks: NSPR wakes it in a way that ThreadSanitizer takes for a race. */
    assert_int_equal(setenv("NSS_SSL_SERVER_CACHE_MUTEX_TIMEOUT", "0", 1), 0);
    /* The key is made in an NSS of its own, as the supervisor does it for its workers. */
    if (!tls_runtime_start(&options, &error) || !tls_ticket_key_generate(&key, &key_size, &error) ||
        !tls_runtime_stop(&error))
        fail_msg("%s", error);
    options.ticket_key = span_of(key, key_size);
    if (!tls_runtime_start(&options, &error) ||
        (cache == TEST_CACHE_SHARED && !tls_session_cache_create(CACHE_ENTRIES, &inherit, &first, &last, &error)))
        fail_msg("%s", error);
    base_wipe(key, key_size);
    free(key);
    free(inherit);
}

void test_tls_stop(void)
{
    char *error = NULL;

    if (!tls_runtime_stop(&error))
        fail_msg("%s", error);
}

void test_pair_init(struct test_pair *p, const struct tls_context *client, const char *name, const char *cache_key,
                    const struct tls_context *server)
{
    *p = (struct test_pair){.ring_size = sizeof(p->to_client.data)};
    p->client = client == NULL ? NULL : tls_engine_create(client, name, cache_key);
    p->server = server == NULL ? NULL : tls_engine_create(server, NULL, NULL);
}

void test_pair_clear(struct test_pair *p)
{
    tls_engine_destroy(&p->client);
    tls_engine_destroy(&p->server);
}

static size_t piece(struct test_pair *p, size_t size)
{
    size_t most = p->piece_max == 0 ? size : 1 + p->turn++ % p->piece_max;

    return most < size ? most : size;
}

static bool fill_ring(struct test_pair *p, struct tls_engine *from, struct test_ring *ring)
{
    struct span records = tls_engine_records(from);
    size_t size = p->ring_size - ring->size < records.size ? p->ring_size - ring->size : records.size;

    size = piece(p, size);
    if (size == 0)
        return false;
    memcpy(ring->data + ring->size, records.data, size);
    ring->size += size;
    tls_engine_records_consume(from, size);
    return true;
}

static bool empty_ring(struct test_pair *p, struct tls_engine *to, struct test_ring *ring, uint64_t *moved)
{
    size_t room;
    uint8_t *space = tls_engine_records_reserve(to, &room);
    size_t size = room < ring->size ? room : ring->size;

    size = piece(p, size);
    if (size == 0)
        return false;
    memcpy(space, ring->data, size);
    tls_engine_records_commit(to, size);
    ring->size -= size;
    memmove(ring->data, ring->data + size, ring->size);
    *moved += size;
    return true;
}

static bool step(struct test_pair *p, struct tls_engine *e, enum tls_status *status)
{
    size_t memory = tls_engine_memory(e);

    if (memory > p->memory_max)
        p->memory_max = memory;
    if ((tls_engine_wants(e) & TLS_NEEDS_STEP) == 0)
        return false;
    *status = p->gives_up && tls_engine_may_block(e) ? tls_engine_give_up(e, "given_up", "the test has no time for it")
                                                     : tls_engine_step(e);
    return true;
}

/* One round; whether anything happened. */
static bool run_round(struct test_pair *p)
{
    bool busy = step(p, p->client, &p->client_status);

    busy = step(p, p->server, &p->server_status) || busy;
    busy = fill_ring(p, p->client, &p->to_server) || busy;
    busy = fill_ring(p, p->server, &p->to_client) || busy;
    busy = empty_ring(p, p->server, &p->to_server, &p->to_server_bytes) || busy;
    busy = empty_ring(p, p->client, &p->to_client, &p->to_client_bytes) || busy;
    return busy;
}

void test_pair_run(struct test_pair *p)
{
    for (int i = 0; i < ROUNDS_MAX; i++)
        if (!run_round(p))
            return;
    fail_msg("the engines never come to rest");
}

void test_pair_handshake(struct test_pair *p)
{
    test_pair_run(p);
    if (!tls_engine_handshake_done(p->client) || !tls_engine_handshake_done(p->server))
        fail_msg("no handshake: client: %s (%s), server: %s (%s)", tls_engine_error_name(p->client),
                 tls_engine_error(p->client), tls_engine_error_name(p->server), tls_engine_error(p->server));
}

void test_pair_send(struct test_pair *p, struct tls_engine *from, struct tls_engine *to, struct span data)
{
    uint8_t *got = base_alloc(data.size + 1);
    size_t sent = 0, received = 0;

    for (int i = 0; received < data.size; i++) {
        size_t n = 0;

        assert_true(i < ROUNDS_MAX);
        if ((tls_engine_wants(from) & TLS_WANTS_PLAINTEXT) != 0 && sent < data.size) {
            size_t part = p->piece_max == 0 ? data.size - sent : piece(p, data.size - sent);

            assert_int_equal(tls_engine_put_plaintext(from, span_of(data.data + sent, part), &n), TLS_OK);
            sent += n;
        }
        (void)run_round(p);
        if ((tls_engine_wants(to) & TLS_HAS_PLAINTEXT) == 0)
            continue;
        if (tls_engine_take_plaintext(to, got + received, data.size + 1 - received, &n) != TLS_OK)
            fail_msg("%s", tls_engine_error(to));
        received += n;
    }
    assert_int_equal(received, data.size);
    assert_memory_equal(got, data.data, data.size);
    free(got);
}

static void take_close(struct tls_engine *e)
{
    uint8_t byte;
    size_t taken;

    assert_true((tls_engine_wants(e) & TLS_HAS_PLAINTEXT) != 0);
    assert_int_equal(tls_engine_take_plaintext(e, &byte, 1, &taken), TLS_CLOSED);
    assert_int_equal(taken, 0);
    assert_int_equal(tls_engine_wants(e) & TLS_HAS_PLAINTEXT, 0);
}

void test_pair_close(struct test_pair *p)
{
    tls_engine_close(p->client);
    tls_engine_close(p->server);
    test_pair_run(p);
    take_close(p->client);
    take_close(p->server);
}

struct tls_context *test_server(const struct tls_server_options *options)
{
    struct tls_context *context = NULL;
    char *error = NULL;

    if (!tls_server_context_create(options, &context, &error))
        fail_msg("%s", error);
    return context;
}

struct tls_context *test_client(const struct tls_client_options *options)
{
    struct tls_context *context = NULL;
    char *error = NULL;

    if (!tls_client_context_create(options, &context, &error))
        fail_msg("%s", error);
    return context;
}
