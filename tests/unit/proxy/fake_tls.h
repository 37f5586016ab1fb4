/* tests/unit/proxy/fake_tls.h: tls/engine.h and proxy/session/handshake_pool.h without TLS and without threads.
 *
 * Linked in the place of the real ones. What stands for TLS: records of a type, a length of two bytes and a payload
 * that is as clear as day. A client says hello, a server answers with one, and both are done. So a test can be the
 * peer, with a few lines: see fake_record(). The rules of tls/engine.h are kept, and that its user keeps them is
 * asserted: above all that nobody touches an engine that is on the pool. */
#ifndef YETT_TESTS_UNIT_PROXY_FAKE_TLS_H
#define YETT_TESTS_UNIT_PROXY_FAKE_TLS_H

#include "base/buffer.h"
#include "proxy/session/handshake_pool.h"

enum fake_record {
    FAKE_HELLO = 'H', /* payload: none */
    FAKE_BAD = 'B',   /* a hello that is not accepted */
    FAKE_DATA = 'D',
    FAKE_NOTIFY = 'C', /* close_notify */
    FAKE_ALERT = 'A',  /* fatal */
    FAKE_TICKET = 'T', /* a session ticket; means nothing */
};
enum { FAKE_RECORD_HEAD = 3, FAKE_RECORD_PAYLOAD_MAX = 4096 };

/* Append a record. */
void fake_record(struct buffer *out, enum fake_record type, struct span payload);

/* Take a whole record out of `in`: false when there is none yet. */
bool fake_record_take(struct buffer *in, enum fake_record *type, struct buffer *payload);

/* What stands for a context: how its engines behave. */
struct fake_context {
    bool server;
    bool blocks;   /* steps of the handshake go to the pool ... */
    bool verifies; /* ... to verify */
    bool quiet;    /* a server that has no answer to a client's last word, as in TLS 1.3 */
};
const struct tls_context *fake_context(const struct fake_context *c);

extern size_t fake_engines; /* that live */

/* The pool: jobs wait until the test has one done. */
enum { FAKE_POOL_WAITING_MAX = 1024 };
extern size_t fake_pool_waiting_max; /* beyond it: refused */
size_t fake_pool_size(void);
struct handshake_job *fake_pool_job(size_t index);
/* Whether it takes this job, which has not begun; asked before all else. NULL: it does. */
extern bool (*fake_pool_takes)(struct handshake_job *job);
/* The step of the `index`-th of them, or its refusal, as if another had got its place; then on_done. */
void fake_pool_run(size_t index);
void fake_pool_refuse(size_t index);

#endif
