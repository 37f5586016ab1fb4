/* tests/unit/tls/tls_raw.h: a plain NSS socket over memory, with NSS's own settings: the foreign peer of an engine. */
#ifndef YETT_TESTS_TLS_RAW_H
#define YETT_TESTS_TLS_RAW_H

#include "tls/engine.h"
#include "tls/nspr_layer.h"

#include <ssl.h>

enum test_raw_role { TEST_RAW_CLIENT, TEST_RAW_SERVER };

struct test_raw {
    PRFileDesc *fd;
    struct tls_transport transport;
    int error; /* NSS's, of the last thing that failed */
};

/* A socket of one TLS version. A server needs the identity; a client takes any certificate. Sessions are cached by
 * NSS (clients: for the peer id set with SSL_SetSockPeerID()). */
void test_raw_init(struct test_raw *raw, enum test_raw_role role, const struct tls_identity *identity, int version);
void test_raw_clear(struct test_raw *raw);

/* Go on until both have finished the handshake (true), or one has failed. */
bool test_raw_handshake(struct test_raw *raw, struct tls_engine *e);

/* Move what there is between the two, both ways, stepping the engine. */
void test_raw_move(struct test_raw *raw, struct tls_engine *e);

/* Read from the socket what has come: bytes, 0 at the end, -1 when there is nothing or an error (raw->error). */
int test_raw_read(struct test_raw *raw, void *data, int size);

#endif
