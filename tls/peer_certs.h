/* tls/peer_certs.h: which certificates of peers NSS holds now, and for whom. Private to tls/.
 *
 * NSS keeps each certificate of a peer that it has decoded in memory of the whole process, by issuer and serial number,
 * for as long as a socket holds it, and decodes no other one with the same two (SEC_ERROR_REUSED_ISSUER_AND_SERIAL). So
 * one peer could block another: it shows, somewhere in its chain, a certificate of its own making with the issuer and
 * serial number of the other's, and keeps its connection. Public functions of NSS give no second memory. Therefore:
 *
 *   - No socket outlives its handshake where the peer has sent certificates, as far as that is possible
 * (established.h).
 *   - NSS is given a peer's certificates when the rest of what it waits for is there, too (flight.h): it holds them for
 * one step, and not for as long as the peer likes.
 *   - Before that they are *claimed* here. Certificates that are the same may be held by many. Where another one with
 * the same issuer and serial number is held, the claim waits; and who holds it is known, and may be ended: who has only
 * lingered on for session tickets: at once, which costs it nothing else; whose step is running: never, it is waited
 * for; who waits for its peer, with a certificate that verified nothing, where the other one is part of a good chain:
 * at once, the unverified before the verified; who waits for its peer otherwise: when it has been waited for
 * TLS_PEER_CERTS_WAIT_MS. A handshake is not that slow.
 *
 * A *holder* belongs to one engine. It is *entered* while a thread of the engine uses the socket, and only then safe
 * from being ended by another thread. Threads: enter, leave, claim and drop are the engine's; everything else is locked
 * within. Memory: a holder has the names and hashes of its peer's certificates, at most TLS_PEER_CERTS_MAX. */
#ifndef YETT_TLS_PEER_CERTS_H
#define YETT_TLS_PEER_CERTS_H

#include "base/span.h"

struct tls_peer_certs;

/* A holder without certificates, entered. `end` closes its socket; it is called by another thread while the holder is
 * not entered, at most once, and must do nothing else that the engine could notice. */
struct tls_peer_certs *tls_peer_certs_create(void (*end)(void *arg), void *arg);

/* False: it was ended. The caller has no socket any more, and drops the holder. */
MUST_CHECK bool tls_peer_certs_enter(struct tls_peer_certs *holder);
bool tls_peer_certs_is_entered(const struct tls_peer_certs *holder);
void tls_peer_certs_leave(struct tls_peer_certs *holder);

/* The socket was closed, and with it NSS's references. NULL-safe, sets NULL. */
void tls_peer_certs_drop(struct tls_peer_certs **holder);

enum tls_claim {
    TLS_CLAIM_HELD,    /* NSS may decode them */
    TLS_CLAIM_BUSY,    /* another holder has one that is at odds with these: nothing was claimed */
    TLS_CLAIM_BAD_DER, /* one is no certificate: NSS will not, or must not, take it */
};

/* Claim certificates (DER), of an entered holder, without waiting. */
MUST_CHECK enum tls_claim tls_peer_certs_claim(struct tls_peer_certs *holder, const struct span *certs, size_t count);

/* As that, but wait for other holders, or end them, as said above; it blocks for TLS_PEER_CERTS_TURN_MS at most. BUSY:
 * they go on waiting, until they are claimed again or the holder is dropped; no claim of what is not verified and at
 * odds with them comes before.
 * `verified` (as many bools) says which of `certs` are on a good path, `waited` whether TLS_PEER_CERTS_WAIT_MS are
 * over. */
MUST_CHECK enum tls_claim tls_peer_certs_claim_in_turn(struct tls_peer_certs *holder, const struct span *certs,
                                                       size_t count, const bool *verified, bool waited);

/* A certificate that is held is part of the good path of its peer. */
void tls_peer_certs_note_verified(struct tls_peer_certs *holder, struct span cert);

/* From now on the holder may be ended by anybody, at once. */
void tls_peer_certs_linger(struct tls_peer_certs *holder);

/* What NSS tells certificates by: the encoded issuer, and the contents of the serial number. False: not strict DER. */
MUST_CHECK bool tls_peer_cert_key(struct span cert, struct span *issuer, struct span *serial);

#endif
