/* tls/flight.h: the peer's records on their way to NSS, while there is a handshake. Private to tls/.
 *
 * NSS is given one record at a time, and none behind the end of the handshake: what counts against the limits of a
 * handshake (limits.h) is so the same however the bytes were cut. And it is given the peer's certificates only together
 * with what it needs to come to a verdict at once, so that a peer cannot make NSS hold certificates for as long as it
 * likes (peer_certs.h): a server's whole flight (to its ServerHelloDone or Finished), of a client all up to the
 * CertificateVerify that proves it has the key. The records until then wait in `transport.in`.
 *
 *     record --> is a Certificate in it, or held back before it? --no----------------------------> NSS
 *                   |yes                                                                            ^
 *                   +--> wait for more, until what belongs to it is there --> claim its certificates
 *
 * To see that in TLS 1.3, a copy of the records is opened, with the handshake secret that NSS shows. It is not for us
 * to judge what is in them: whatever looks odd (a record that does not open, an alert) goes to NSS, which fails then,
 * or passes it over. Only a Certificate that is malformed, too long, or has something else than DER in it, is refused
 * here: NSS would decode the first of its certificates before it saw that, without a claim. */
#ifndef YETT_TLS_FLIGHT_H
#define YETT_TLS_FLIGHT_H

#include "tls/certificate_message.h"
#include "tls/limits.h"
#include "tls/record.h"

struct tls_engine;

struct tls_flight {
    size_t looked_at; /* bytes of transport.in: they are held back */
    bool holding;     /* a Certificate has begun, and NSS has nothing of it */
    bool has_chain;   /* the Certificate is there, and certificates are in it */
    bool complete;    /* and what belongs to it is there: it can go when it could be claimed */
    bool sealed;      /* TLS 1.2: the peer has changed its cipher */

    PK11SymKey *secret;     /* TLS 1.3: the peer's handshake traffic secret */
    PK11SymKey *own_secret; /* TLS 1.3: ours, for an alert */
    bool opens;             /* `opener` is made of it */
    struct tls_record_direction opener;

    /* The handshake message that is coming in. */
    uint8_t header[4];
    size_t header_size;
    size_t body_left;
    struct buffer certificate; /* its body, where it is a Certificate */

    /* Where certificates of other peers are at odds with these. */
    bool looked_ahead;                 /* these are filled in */
    bool is_good;                      /* the peer's verdict will be good, or is not asked for */
    bool verified[TLS_PEER_CERTS_MAX]; /* which are on a good path */
    uint64_t waits_since_ms;
};

void tls_flight_init(struct tls_flight *f);
void tls_flight_clear(struct tls_flight *f);

/* TLS 1.3: NSS has the secret that the peer protects its handshake with. It is referenced. */
void tls_flight_keep_secret(struct tls_flight *f, PK11SymKey *secret);

/* TLS 1.3: NSS writes with this secret from now on, and has not done so yet. */
void tls_flight_keep_own_secret(struct tls_flight *f, PK11SymKey *secret);

/* Let NSS read on. False: there is nothing for it, or the engine has failed. */
bool tls_flight_next(struct tls_engine *e);

#endif
