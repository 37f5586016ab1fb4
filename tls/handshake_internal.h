/* tls/handshake_internal.h: an engine's handshake, from its first byte to the last. Private to tls/.
 *
 *   handshake.c      one step of the handshake, and what is read off NSS when it is done
 *   handshake_server.c, handshake_client.c  what only one of the two has in it
 *   server_hooks.c   NSS asks a server: SNI, ALPN, whose ticket is this
 *   client_hooks.c   NSS asks a client where to keep a session
 *   client_identity.c  ... and which certificate to show
 *   peer_verify.c    NSS asks either: is this peer's certificate good
 *   no_common.c      what the two sides do not have in common */
#ifndef YETT_TLS_HANDSHAKE_INTERNAL_H
#define YETT_TLS_HANDSHAKE_INTERNAL_H

#include "tls/engine_internal.h"
#include "tls/hello_name.h"

/* handshake.c */
enum tls_status tls_handshake_step(struct tls_engine *e);
void tls_handshake_make_socket(struct tls_engine *e);
void tls_handshake_drop_socket(struct tls_engine *e);
void tls_handshake_drop_notes(struct tls_engine *e);
/* NSS is about to hold certificates of the peer: e->certs is there, and entered. */
void tls_engine_hold_certs(struct tls_engine *e);
/* In place of what NSS has queued, an alert in the clear: the peer has seen nothing of us yet. */
void tls_handshake_alert_in_clear(struct tls_engine *e, int alert);
/* Of ours, that the peer was shown; NULL: none yet. */
const struct tls_identity *tls_handshake_identity(struct tls_engine *e);
/* The transport ended too early. */
enum tls_status tls_handshake_closed(struct tls_engine *e);

/* handshake_server.c: hold the socket to TLS 1.2 where the engine has started over for that. */
void tls_handshake_cap(struct tls_engine *e);

/* server_hooks.c */
enum { TLS_TICKET_TOKEN_SIZE = TLS_TOKEN_SIZE + 4 };
void tls_server_socket_prepare(struct tls_engine *e);
/* Before the kept ClientHello goes: what will be needed of it. */
void tls_server_hello_look(struct tls_engine *e);
/* The ClientHello asks for a name, and NSS has not asked whose it is: it resumes a session of TLS 1.2. `kept` is there.
 */
enum tls_resumed_name { TLS_RESUMED_NAME_GOOD, TLS_RESUMED_NAME_OTHER, TLS_RESUMED_NAME_REFUSED };
enum tls_resumed_name tls_server_resumed_name(struct tls_engine *e);
void tls_server_ticket_owe(struct tls_engine *e); /* the handshake is done */
void tls_server_ticket_send(struct tls_engine *e);

/* client_hooks.c */
void tls_client_socket_prepare(struct tls_engine *e);
void tls_client_session_settle(struct tls_engine *e);

/* peer_verify.c */
bool tls_is_address(const char *name);

/* Verify a certificate as the peer's, now. With TLS_VERDICT_TELL, a bad verdict becomes the engine's error and NSS's.
 * With TLS_VERDICT_AHEAD revocation is left for later. */
enum tls_verdict_use { TLS_VERDICT_TELL, TLS_VERDICT_ONLY, TLS_VERDICT_AHEAD };
MUST_CHECK bool tls_peer_verify(struct tls_engine *e, enum tls_verdict_use use, struct span leaf,
                                const struct span *extras, size_t extras_count, const struct span *stapled,
                                size_t stapled_count);

/* Whether a certificate is on the path that verified the peer. */
bool tls_peer_chain_has(const struct tls_engine *e, struct span cert);

/* no_common.c: before a failure with this code is told, name it better where the two sides have nothing in common. */
void tls_no_common_note(struct tls_engine *e, int32_t code);

#endif
