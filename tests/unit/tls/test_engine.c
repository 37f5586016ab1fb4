/* tls/engine.c: the flows, over two small rings and in small pieces. */
#include "tls_pair.h"

#include "tls/limits.h"
#include "tls/runtime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
    struct test_certs *certs;
    struct pkix_store *store;
    struct tls_identity *identity;
    struct tls_context *server, *client;
};

static const struct test_leaf leaf = {.names = {"server.example.org"}, .issuer = TEST_ISSUER_INTERMEDIATE};

static int setup(void **state)
{
    struct fixture *f = base_alloc(sizeof(*f));

    test_tls_start(TEST_CACHE_NONE);
    f->certs = test_certs_create();
    f->store = test_certs_store(f->certs);
    f->identity = test_certs_identity(f->certs, &leaf);
    f->server = test_server(
        &(struct tls_server_options){.identities = &f->identity, .identity_count = 1, .version_min = 0x0303});
    f->client = test_client(&(struct tls_client_options){.version_min = 0x0303, .trust = f->store});
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    tls_context_destroy(&f->client);
    tls_context_destroy(&f->server);
    tls_identity_destroy(&f->identity);
    pkix_store_destroy(&f->store);
    test_certs_destroy(&f->certs);
    free(f);
    test_tls_stop();
    return 0;
}

static void init(struct test_pair *p, const struct fixture *f)
{
    test_pair_init(p, f->client, "server.example.org", NULL, f->server);
}

static void engine_handshake(void **state)
{
    static const size_t pieces[] = {0, 1, 10, 512};
    struct fixture *f = *state;

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(engine_handshake),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
