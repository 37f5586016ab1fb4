/* Engines of shared contexts on four threads, for ThreadSanitizer: full handshakes, resumed ones, data, close. */
#include "tls_pair.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { THREADS = 4, CONNECTIONS = 25 };

struct fixture {
    struct test_certs *certs;
    struct pkix_store *store;
    struct tls_identity *server_identity, *client_identity;
    struct tls_context *open, *closed, *client;
};

static int setup(void **state)
{
    struct fixture *f = base_alloc(sizeof(*f));

    test_tls_start(TEST_CACHE_SHARED);
    f->certs = test_certs_create();
    f->store = test_certs_store(f->certs);
    f->server_identity = test_certs_identity(
        f->certs, &(struct test_leaf){.names = {"a.example.org"}, .issuer = TEST_ISSUER_INTERMEDIATE});
    f->client_identity =
        test_certs_identity(f->certs, &(struct test_leaf){.use = TEST_USE_CLIENT, .issuer = TEST_ISSUER_INTERMEDIATE});
    f->open = test_server(
        &(struct tls_server_options){.identities = &f->server_identity, .identity_count = 1, .version_min = 0x0303});
    f->closed = test_server(&(struct tls_server_options){.identities = &f->server_identity,
                                                         .identity_count = 1,
                                                         .version_min = 0x0303,
                                                         .peer = TLS_PEER_REQUIRE,
                                                         .trust = f->store});
    f->client = test_client(&(struct tls_client_options){
        .version_min = 0x0303, .trust = f->store, .identities = &f->client_identity, .identity_count = 1});
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    tls_context_destroy(&f->client);
    tls_context_destroy(&f->closed);
    tls_context_destroy(&f->open);
    tls_identity_destroy(&f->client_identity);
    tls_identity_destroy(&f->server_identity);
    pkix_store_destroy(&f->store);
    test_certs_destroy(&f->certs);
    free(f);
    test_tls_stop();
    return 0;
}

/* cmocka's checks are for the main thread: a worker counts what went well. */
struct worker {
    pthread_t thread;
    const struct fixture *fixture;
    int good;
};

static bool exchange(struct test_pair *p)
{
    uint8_t data[4];
    size_t n;

    if (tls_engine_put_plaintext(p->client, span_of_string("ping"), &n) != TLS_OK || n != 4)
        return false;
    test_pair_run(p);
    return tls_engine_take_plaintext(p->server, data, sizeof(data), &n) == TLS_OK && n == 4 &&
           memcmp(data, "ping", 4) == 0;
}

static void *work(void *arg)
{
    struct worker *w = arg;

    for (int i = 0; i < CONNECTIONS; i++) {
        struct test_pair p;
        uint8_t byte;
        size_t n;

        test_pair_init(&p, w->fixture->client, "a.example.org", "key",
                       i % 3 == 0 ? w->fixture->closed : w->fixture->open);
        test_pair_run(&p);
        if (tls_engine_handshake_done(p.client) && tls_engine_handshake_done(p.server) && exchange(&p)) {
            (void)!tls_engine_take_plaintext(p.client, &byte, 1, &n); /* the ticket */
            tls_engine_close(p.client);
            test_pair_run(&p);
            w->good += tls_engine_take_plaintext(p.server, &byte, 1, &n) == TLS_CLOSED;
        }
        test_pair_clear(&p);
    }
    return NULL;
}

static void contexts_are_shared(void **state)
{
    struct worker workers[THREADS];

    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.fixture = *state};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        assert_int_equal(workers[i].good, CONNECTIONS);
    }
}

/* One engine, each step on another thread: as the proxy's pool does it. */
struct hop {
    struct tls_engine *engine;
    enum tls_status status;
};

static void *step_elsewhere(void *arg)
{
    struct hop *hop = arg;

    hop->status = tls_engine_step(hop->engine);
    return NULL;
}

static void move(struct tls_engine *from, struct tls_engine *to)
{
    struct span records = tls_engine_records(from);
    size_t size;
    uint8_t *space = tls_engine_records_reserve(to, &size);

    size = size < records.size ? size : records.size;
    if (size == 0)
        return;
    memcpy(space, records.data, size);
    tls_engine_records_commit(to, size);
    tls_engine_records_consume(from, size);
}

static void steps_hop_between_threads(void **state)
{
    struct fixture *f = *state;
    struct tls_engine *client = tls_engine_create(f->client, "a.example.org", NULL);
    struct tls_engine *server = tls_engine_create(f->closed, NULL, NULL);

    for (int i = 0; i < 10 && !(tls_engine_handshake_done(client) && tls_engine_handshake_done(server)); i++) {
        struct tls_engine *engines[] = {client, server};

        for (size_t n = 0; n < ARRAY_LEN(engines); n++) {
            struct hop hop = {.engine = engines[n]};
            pthread_t thread;

            if ((tls_engine_wants(engines[n]) & TLS_NEEDS_STEP) == 0)
                continue;
            assert_int_equal(pthread_create(&thread, NULL, step_elsewhere, &hop), 0);
            assert_int_equal(pthread_join(thread, NULL), 0);
            assert_int_equal(hop.status, TLS_OK);
        }
        move(client, server);
        move(server, client);
    }
    assert_true(tls_engine_handshake_done(client));
    assert_true(tls_engine_handshake_done(server));
    tls_engine_destroy(&client);
    tls_engine_destroy(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contexts_are_shared),
        cmocka_unit_test(steps_hop_between_threads),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
