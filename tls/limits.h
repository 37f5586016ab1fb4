/* tls/limits.h: the ceilings of an engine, in one place. Whatever the peer does, an engine holds no more than this. */
#ifndef YETT_TLS_LIMITS_H
#define YETT_TLS_LIMITS_H

enum {
    /* Buffers. A record is at most 16 KiB of plaintext and 256 bytes around it (RFC 8446 section 5.2). */
    TLS_RECORD_PLAINTEXT_MAX = 16384,
    TLS_RECORD_OVERHEAD_MAX = 5 + 256,
    TLS_RECORDS_IN_MAX = 32 * 1024,  /* records from the peer that NSS has not read yet */
    TLS_RECORDS_OUT_MAX = 64 * 1024, /* records for the peer that the transport has not taken yet */
    TLS_RECORDS_OUT_SPARE =
        4096, /* kept free of plaintext, for alerts and key updates; reading stops when it is used */
    TLS_PLAINTEXT_MAX =
        17 * 1024, /* decrypted ahead, by engines whose reads may sign or whose reader has little room */

    /* What a peer may make us work through before the handshake is done. NSS itself bounds a message (128 KiB - 1), but
     * not how many records or warning alerts come. One byte a record is legal, so the record limit is generous. */
    TLS_HANDSHAKE_BYTES_MAX = 512 * 1024,
    TLS_HANDSHAKE_RECORDS_MAX = 16 * 1024,
    TLS_HANDSHAKE_ALERTS_MAX = 4,
    TLS_HANDSHAKE_EMPTY_RECORDS_MAX = 32,

    /* What NSS is not given before it is complete, since there are certificates in it (flight.h): records, and the
     * message with the certificates. NSS itself would hold as much of a message that has not come to its end. */
    TLS_FLIGHT_MAX = 96 * 1024,
    TLS_CERTIFICATE_MESSAGE_MAX = 64 * 1024,

    /* How long a handshake waits for another one whose peer has shown a certificate that is at odds with its own
     * (peer_certs.h), in turns between which others have their place on the pool. */
    TLS_PEER_CERTS_WAIT_MS = 2000,
    TLS_PEER_CERTS_WAIT_BAD_MS = 200, /* one whose peer will not be accepted */
    TLS_PEER_CERTS_TURN_MS = 50,

    /* A ClientHello kept until it is known whether its ticket is ours (see server_hooks.c). */
    TLS_HELLO_KEPT_MAX = 16 * 1024,

    /* Renegotiations that a server may ask of a client engine, or that a client may try with a server (TLS 1.2). */
    TLS_RENEGOTIATIONS_MAX = 3,

    /* A peer changes its keys for its own reasons (TLS 1.3), but not again and again: making new ones takes as long as
     * reading hundreds of short records. So many may come until so much data was exchanged. */
    TLS_KEY_UPDATES_MAX = 32,
    TLS_KEY_UPDATES_BYTES = 16 * 1024,

    /* Of an established connection whose records we protect ourselves (established.h). RFC 8446 section 5.5 allows
     * 2^24.5 full records of AES-GCM for a key. */
    TLS_RECORDS_PER_KEY_MAX = 1 << 24,
    TLS_TICKET_MESSAGE_MAX = 128 * 1024, /* a session ticket that is passed over */
    TLS_TICKETS_MAX = 4,                 /* records with session tickets that a client shows NSS */
    TLS_WARNINGS_MAX = 4,                /* of a peer of TLS 1.2, one after the other, without data in between */

    TLS_CHAIN_LENGTH_MAX = 16, /* certificates of an identity after the leaf */
    TLS_PEER_CERTS_MAX =
        49,                /* of a peer that are looked at: the leaf and as many extras as pkix_limits_default takes */
    TLS_MODELS_KEPT = 512, /* model sockets of servers in the process: tls/models.h */
    TLS_IDENTITY_NAMES_MAX = 1024, /* DNS names of one identity */
    TLS_HOST_NAME_MAX = 253,
    TLS_ALPN_LIST_MAX = 1024, /* bytes of a context's list in wire form */

    /* Sessions a client context remembers, and how large one may be. */
    TLS_CLIENT_SESSIONS_MAX = 256,
    TLS_CLIENT_SESSIONS_PER_KEY_MAX = 16,
    TLS_CLIENT_SESSION_BYTES_MAX = 32 * 1024,

    /* All that an engine holds itself (tls_engine_memory()), what NSS keeps for its socket apart: records from the
     * peer, as many as a flight that is held back has, with a ClientHello that is put before them again; records for
     * it; the ClientHello that is kept; plaintext; the chain of a session; the peer's certificate; and its own structs.
     */
    TLS_ENGINE_STRUCTS_BYTES = 8 * 1024,
    TLS_ENGINE_IN_MAX = TLS_FLIGHT_MAX + TLS_HELLO_KEPT_MAX,
    TLS_ENGINE_BYTES_MAX = TLS_ENGINE_IN_MAX + TLS_RECORDS_OUT_MAX + TLS_HELLO_KEPT_MAX + TLS_PLAINTEXT_MAX +
                           TLS_CLIENT_SESSION_BYTES_MAX + TLS_CERTIFICATE_MESSAGE_MAX + TLS_ENGINE_STRUCTS_BYTES,
};

#endif
