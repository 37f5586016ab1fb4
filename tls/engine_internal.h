/* tls/engine_internal.h: the inside of engines. Private to tls/. What belongs to a context is in context_internal.h,
 * what only a handshake needs in handshake_internal.h, and what a client keeps for the next connection in sessions.h.
 *
 *   engine_flows.c   the flows: records and plaintext in and out
 *   layer.h          who protects the records: layer_nss.c (NSS's socket) or established.c (we ourselves)
 *   record.c         records, and their protection
 *   flight.c         the records of a handshake on their way to NSS
 *   peer_certs.c     which certificates of peers NSS holds, and for whom
 *   client_hello.c   what a ClientHello says that NSS does not tell
 *   error.c          names and sentences for all that can go wrong
 *   alert.c          those for alerts */
#ifndef YETT_TLS_ENGINE_INTERNAL_H
#define YETT_TLS_ENGINE_INTERNAL_H

#include "tls/context_internal.h"
#include "tls/flight.h"
#include "tls/layer.h"
#include "tls/master_secret.h"
#include "tls/nspr_layer.h"
#include "tls/peer_certs.h"

/* Alerts that the engine itself sends or looks for (RFC 8446 section 6). */
enum {
    TLS_ALERT_CLOSE_NOTIFY = 0,
    TLS_ALERT_UNEXPECTED_MESSAGE = 10,
    TLS_ALERT_BAD_RECORD_MAC = 20,
    TLS_ALERT_RECORD_OVERFLOW = 22,
    TLS_ALERT_BAD_CERTIFICATE = 42,
    TLS_ALERT_CERTIFICATE_UNKNOWN = 46,
    TLS_ALERT_ILLEGAL_PARAMETER = 47,
    TLS_ALERT_DECODE_ERROR = 50,
    TLS_ALERT_PROTOCOL_VERSION = 70,
    TLS_ALERT_INTERNAL_ERROR = 80,
    TLS_ALERT_USER_CANCELED = 90,
    TLS_ALERT_NO_RENEGOTIATION = 100,
    TLS_ALERT_UNRECOGNIZED_NAME = 112,
};

/* Where an engine is in its life.
 *
 *     START --> HELLO --> ANSWERED --> OPEN --> BROKEN
 *       |         |  \__________________^
 *       |         |          |
 *       +---------+----------+-------> REFUSED
 *
 * The ends of the two directions within OPEN are `closing` and `peer_closed`: TLS is closed by halves. */
enum tls_phase {
    TLS_PHASE_START,    /* no byte of the peer was looked at */
    TLS_PHASE_HELLO,    /* the peer speaks TLS; a server has not taken its ClientHello yet */
    TLS_PHASE_ANSWERED, /* a server has taken the ClientHello, and answers */
    TLS_PHASE_OPEN,     /* the handshake is done */
    TLS_PHASE_REFUSED,  /* failed in the handshake */
    TLS_PHASE_BROKEN,   /* failed afterwards */
    TLS_PHASE_COUNT,
};

/* What only a handshake needs: on the heap, and gone when it has ended. */
struct tls_handshake {
    const char *give_up_name, *give_up_sentence; /* not NULL: no certificate of the peer is accepted any more */
    bool peer_judged;                            /* the verdict on the peer's certificate was asked for */
    bool foreign_ticket;                         /* server: start over, and take no ticket */
    bool tickets_refused;                        /* server: has started over for it */
    bool sessions_refused; /* server: has started over, and resumes nothing: the session was another name's */
    bool version_capped;   /* server: has started over, and does TLS 1.2 at most */
    bool site_first;       /* server: has started over, with the site of the name that was asked for */
    unsigned groups;       /* server: of ours that the client has, as bits by enum key_group; 0: not read */

    struct tls_flight flight; /* what NSS is given to read */
    bool may_wait;            /* this step may */
    bool must_wait;           /* only a step that may can go on */

    /* What has been given to NSS, to bound a handshake (limits.h). */
    size_t bytes;
    unsigned records, alerts, empty_records;
    size_t given_again; /* bytes of the ClientHello that another socket gets: they were counted */
};

/* What a peer may do again and again, at our cost (limits.h). */
struct tls_flood {
    bool seen;            /* too much of it */
    unsigned handshakes;  /* finished ones: more than one is renegotiation */
    unsigned key_updates; /* TLS 1.3: of the peer since TLS_KEY_UPDATES_BYTES of data last went by */
    size_t data_bytes;    /* since then, either way */
};

/* What the log is told. */
struct tls_report {
    const char *error_name; /* static, or NSS's; "" when there is none */
    char *error;
    bool key_failed; /* our own key could not sign */
    int alert_sent, alert_received;
    char *stopped_path;       /* of the peer's certificate; NULL: none */
    char *warning;            /* of the last verdict; NULL: none */
    char *issuers, *policies; /* of the last good verdict on a client; NULL: none */
    unsigned signature_checks;
    uint64_t verification_us; /* processor time */
    char *ev_policy;          /* pkix_verdict_ev_policy() of the last good verdict; NULL: none */
};

/* What is needed to take a connection over from NSS: of TLS 1.3 the application traffic secrets, and how many records
 * passed before those that they protect; of TLS 1.2 where to look for the master secret (master_secret.h). */
struct tls_secrets {
    PK11SymKey *read, *write;
    bool changed;       /* by a KeyUpdate, while NSS has the connection */
    bool write_changed; /* and NSS may not have written it yet */
    uint64_t read_before, written_before;
    struct tls_master_marks marks;
};

struct tls_engine {
    const struct tls_context *context;
    enum tls_phase phase;
    const struct tls_layer *layer; /* who protects the records */
    PRFileDesc *fd; /* NULL until the first step, since an accepted connection that sends nothing shall cost little, and
                     * again when `own` is there, or the engine has failed */
    struct tls_established *own;  /* of the layer that is ours; NULL: NSS's (established.h) */
    struct tls_peer_certs *certs; /* what NSS holds of the peer's for this engine; NULL: nothing */
    struct tls_handshake *hs;     /* NULL: it has ended */
    struct tls_transport transport;
    struct buffer plaintext; /* decrypted ahead; only where reading may sign, or the reader has little room */
    char *name;
    char *cache_key;

    unsigned version, cipher_suite; /* 0x0303 or 0x0304, and the suite's number, once the handshake is done */
    bool stepped;                   /* nothing has come since the last step */
    bool dry;                       /* nothing to decrypt until more records come */
    bool closing;                   /* close_notify was sent */
    bool peer_closed;               /* close_notify was received */
    bool closed_told;               /* TLS_CLOSED was returned */
    bool failure_told;              /* TLS_FAILED was returned */
    const struct tls_site *site;    /* server: of that name; NULL: not known yet, or none has it */
    const struct tls_site *origin;  /* server: the site whose model fd was made from */
    bool name_chosen;               /* server: a site was found for server_name */
    uint32_t name_hash;             /* server: of the name as the client wrote it, if name_chosen */
    bool ticket_owed;               /* server: the client has no session ticket yet */
    bool takes_tickets;             /* server: the client has said that it can use one */
    bool cert_wanted;               /* client: the server asked for a certificate */
    char *identity_choice;          /* client: which of ours it got, or none, and why; NULL: it asked for none */
    struct buffer chain;         /* the leaf and what verified it, DER, one after the other; a server's is gone with the
                                  * handshake */
    struct tls_session *offered; /* client: the session offered to the server; NULL: none */

    struct tls_secrets secrets;
    struct tls_flood flood;
    struct tls_report report;

    char *server_name;
    char *alpn;
    uint8_t *peer_cert;
    size_t peer_cert_size;
    const struct tls_identity *identity;
    bool peer_stapled;
    struct tls_session_info info;
};

static inline bool tls_engine_has_failed(const struct tls_engine *e)
{
    return e->phase == TLS_PHASE_REFUSED || e->phase == TLS_PHASE_BROKEN;
}

/* The handshake was finished, whatever came later. */
static inline bool tls_engine_was_open(const struct tls_engine *e)
{
    return e->phase == TLS_PHASE_OPEN || e->phase == TLS_PHASE_BROKEN;
}

/* engine_flows.c: the one setter of `phase`. What ends with a phase is freed: the handshake's state when it has ended,
 * and NSS's socket when the engine has failed, since it would hold on to the peer's certificates (the alert is queued
 * by then). */
void tls_engine_enter(struct tls_engine *e, enum tls_phase phase);

static inline struct tls_engine *tls_engine_of(PRFileDesc *fd)
{
    return CONTAINER_OF(tls_nspr_layer_transport(fd), struct tls_engine, transport);
}

/* error.c. The first failure stays. `name` is static; `sentence` is taken. All return TLS_FAILED. */
enum tls_status tls_engine_fail(struct tls_engine *e, const char *name, char *sentence);
enum tls_status tls_engine_fail_nss(struct tls_engine *e, int32_t code);
void tls_engine_note_error(struct tls_engine *e, const char *name, char *sentence);

/* Data buys the peer more KeyUpdates (limits.h). What we send counts too: who reads a lot may ask us for a new key. */
static inline void tls_engine_see_data(struct tls_engine *e, size_t size)
{
    e->flood.data_bytes += size;
    if (e->flood.data_bytes < TLS_KEY_UPDATES_BYTES)
        return;
    e->flood.data_bytes = 0;
    e->flood.key_updates = 0;
}

/* The peer has changed its key. False: too often. */
static inline bool tls_engine_see_key_update(struct tls_engine *e)
{
    return ++e->flood.key_updates <= TLS_KEY_UPDATES_MAX;
}

/* established.c: the peer does again and again what costs us (struct tls_flood), after the handshake. */
enum tls_status tls_engine_fail_flooded(struct tls_engine *e);

#endif
