/* see tls_raw.h */
#include "tls_raw.h"

#include "tls/identity_internal.h"

#include <prerror.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { BUFFER_MAX = 256 * 1024, ROUNDS_MAX = 100 };

static SECStatus PR_CALLBACK accept_any(void *arg, PRFileDesc *fd, PRBool check, PRBool is_server)
{
    (void)arg;
    (void)fd;
    (void)check;
    (void)is_server;
    return SECSuccess;
}

void test_raw_init(struct test_raw *raw, enum test_raw_role role, const struct tls_identity *identity, int version)
{
    SSLVersionRange range = {.min = (PRUint16)version, .max = (PRUint16)version};

    *raw = (struct test_raw){0};
    buffer_init(&raw->transport.in, BUFFER_MAX);
    buffer_init(&raw->transport.out, BUFFER_MAX);
    raw->fd = SSL_ImportFD(NULL, tls_nspr_layer_create(&raw->transport));
    assert_non_null(raw->fd);
    assert_int_equal(SSL_VersionRangeSet(raw->fd, &range), SECSuccess);
    assert_int_equal(SSL_OptionSet(raw->fd, SSL_ENABLE_SESSION_TICKETS, PR_TRUE), SECSuccess);
    assert_int_equal(SSL_OptionSet(raw->fd, SSL_ENABLE_RENEGOTIATION, SSL_RENEGOTIATE_REQUIRES_XTN), SECSuccess);
    assert_int_equal(SSL_AuthCertificateHook(raw->fd, accept_any, NULL), SECSuccess);
    if (role == TEST_RAW_SERVER) {
        assert_int_equal(SSL_ConfigServerCert(raw->fd, identity->cert, identity->key, NULL, 0), SECSuccess);
        assert_int_equal(SSL_OptionSet(raw->fd, SSL_NO_CACHE, PR_TRUE), SECSuccess);
    }
    assert_int_equal(SSL_ResetHandshake(raw->fd, role == TEST_RAW_SERVER), SECSuccess);
}

void test_raw_clear(struct test_raw *raw)
{
    if (raw->fd != NULL)
        (void)PR_Close(raw->fd);
    buffer_release(&raw->transport.in);
    buffer_release(&raw->transport.out);
    raw->fd = NULL;
}

static bool move_to_engine(struct buffer *from, struct tls_engine *e)
{
    size_t size;
    uint8_t *space = tls_engine_records_reserve(e, &size);

    size = size < from->size ? size : from->size;
    if (size == 0)
        return false;
    memcpy(space, from->data + from->start, size);
    tls_engine_records_commit(e, size);
    buffer_consume(from, size);
    return true;
}

void test_raw_move(struct test_raw *raw, struct tls_engine *e)
{
    for (int i = 0; i < ROUNDS_MAX; i++) {
        bool moved = move_to_engine(&raw->transport.out, e);
        struct span records;

        if ((tls_engine_wants(e) & TLS_NEEDS_STEP) != 0)
            (void)!tls_engine_step(e);
        records = tls_engine_records(e);
        if (records.size != 0) {
            assert_true(buffer_append(&raw->transport.in, records));
            tls_engine_records_consume(e, records.size);
            moved = true;
        }
        if (!moved)
            return;
    }
}

bool test_raw_handshake(struct test_raw *raw, struct tls_engine *e)
{
    for (int i = 0; i < ROUNDS_MAX; i++) {
        bool done = SSL_ForceHandshake(raw->fd) == SECSuccess;

        raw->error = done ? 0 : PR_GetError();
        test_raw_move(raw, e);
        if (done && tls_engine_handshake_done(e))
            return true;
        if (!done && raw->error != PR_WOULD_BLOCK_ERROR)
            return false;
        if (tls_engine_wants(e) == 0)
            return false;
    }
    return false;
}

int test_raw_read(struct test_raw *raw, void *data, int size)
{
    int n = PR_Read(raw->fd, data, size);

    raw->error = n < 0 ? PR_GetError() : 0;
    return n;
}
