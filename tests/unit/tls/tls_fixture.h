/* tests/unit/tls/tls_fixture.h: a server with a certificate of an authority, and a client that trusts it. Group setup
 * and teardown; NSS has no session cache. */
#ifndef YETT_TESTS_TLS_FIXTURE_H
#define YETT_TESTS_TLS_FIXTURE_H

#include "tls_pair.h"

struct test_fixture {
    struct test_certs *certs;
    struct pkix_store *store;
    struct tls_identity *identity;
    struct tls_context *server, *client;
};

int test_fixture_setup(void **state);
int test_fixture_teardown(void **state);

#endif
