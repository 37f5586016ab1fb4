/* handshake_identities.h: a server's identities of every kind, for tests of handshakes. */
#ifndef YETT_TESTS_UNIT_TLS_HANDSHAKE_IDENTITIES_H
#define YETT_TESTS_UNIT_TLS_HANDSHAKE_IDENTITIES_H

#include "tls_pair.h"

struct handshake_identities {
    struct test_certs *certs;
    struct pkix_store *store;
    struct tls_identity *ec, *rsa, *pss, *p384, *wild, *other;
    struct tls_identity *rsa12, *ec12; /* as from a token that caps them at TLS 1.2 */
};

/* For cmocka: *state is a struct handshake_identities, and TLS is started. */
int handshake_identities_setup(void **state);
int handshake_identities_teardown(void **state);

#endif
