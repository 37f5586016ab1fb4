/* see handshake_identities.h */
#include "handshake_identities.h"

#include "tls/identity_internal.h"

#include <stdlib.h>

int handshake_identities_setup(void **state)
{
    struct handshake_identities *f = base_alloc(sizeof(*f));

    test_tls_start(TEST_CACHE_NONE);
    f->certs = test_certs_create();
    f->store = test_certs_store(f->certs);
    f->ec = test_certs_identity(f->certs, &(struct test_leaf){.names = {"a.example.org", "ip:192.0.2.1"}});
    f->rsa = test_certs_identity(f->certs, &(struct test_leaf){.names = {"a.example.org"}, .key = TEST_KEY_RSA});
    f->pss = test_certs_identity(f->certs, &(struct test_leaf){.names = {"a.example.org"}, .key = TEST_KEY_RSA_PSS});
    f->p384 = test_certs_identity(f->certs, &(struct test_leaf){.names = {"a.example.org"}, .key = TEST_KEY_P384});
    f->wild = test_certs_identity(f->certs, &(struct test_leaf){.names = {"*.example.org", "example.org"}});
    f->other = test_certs_identity(f->certs, &(struct test_leaf){.names = {"b.example.net"}});
    f->rsa12 = test_certs_identity(f->certs, &(struct test_leaf){.names = {"a.example.org"}, .key = TEST_KEY_RSA});
    f->rsa12->version_max = 0x0303;
    f->ec12 = test_certs_identity(f->certs, &(struct test_leaf){.names = {"a.example.org"}});
    f->ec12->version_max = 0x0303;
    *state = f;
    return 0;
}

int handshake_identities_teardown(void **state)
{
    struct handshake_identities *f = *state;

    tls_identity_destroy(&f->ec);
    tls_identity_destroy(&f->rsa);
    tls_identity_destroy(&f->pss);
    tls_identity_destroy(&f->p384);
    tls_identity_destroy(&f->wild);
    tls_identity_destroy(&f->other);
    tls_identity_destroy(&f->rsa12);
    tls_identity_destroy(&f->ec12);
    pkix_store_destroy(&f->store);
    test_certs_destroy(&f->certs);
    free(f);
    test_tls_stop();
    return 0;
}
