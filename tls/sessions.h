/* tls/sessions.h: the sessions that a client context remembers. Private to tls/. Thread-safe, bounded. */
#ifndef YETT_TLS_SESSIONS_H
#define YETT_TLS_SESSIONS_H

#include "base/base.h"
#include "tls/limits.h"

struct tls_sessions;

struct tls_sessions *tls_sessions_create(void);
void tls_sessions_destroy(struct tls_sessions **sessions);

/* A session as it is kept: NSS's token, and what verified its peer. */
struct tls_session {
    uint8_t *token;
    size_t token_size;
    uint8_t *chain; /* the leaf and the certificates above it, DER, one after the other */
    size_t chain_size;
    uint64_t number; /* counts up with each session kept */
};
void tls_session_clear(struct tls_session *session);
/* Takes the session. When there are too many, the oldest is dropped. */
void tls_sessions_put(struct tls_sessions *sessions, const char *key, struct tls_session *session);
/* Gives the newest session and forgets it: a ticket is used once (RFC 8446 appendix C.4). */
MUST_CHECK bool tls_sessions_take(struct tls_sessions *sessions, const char *key, struct tls_session *session);
/* Forgets those of the key that are older than the session of this number: a server that has not taken it has changed
 * its ticket keys, and each of the others would cost a full handshake too. */
void tls_sessions_drop_older(struct tls_sessions *sessions, const char *key, uint64_t number);

#endif
