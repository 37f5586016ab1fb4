/* see tls_fixture.h */
#include "tls_fixture.h"

#include <stdlib.h>

static const struct test_leaf leaf = {.names = {"server.example.org"}, .issuer = TEST_ISSUER_INTERMEDIATE};

int test_fixture_setup(void **state)
{
    struct test_fixture *f = base_alloc(sizeof(*f));

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

int test_fixture_teardown(void **state)
{
    struct test_fixture *f = *state;

    tls_context_destroy(&f->client);
    tls_context_destroy(&f->server);
    tls_identity_destroy(&f->identity);
    pkix_store_destroy(&f->store);
    test_certs_destroy(&f->certs);
    free(f);
    test_tls_stop();
    return 0;
}
