/* tls/engine_internal.h: the inside of contexts and engines. Private to tls/.
 *
 *   engine_flows.c   the flows: records and plaintext in and out
 *   layer.h          who protects the records: layer_nss.c (NSS's socket) or established.c (we ourselves)
 *   record.c         records, and their protection
 *   flight.c         the records of a handshake on their way to NSS
 *   peer_certs.c     which certificates of peers NSS holds, and for whom
 *   handshake.c      one step of the handshake, and what is read off NSS when it is done
 *   handshake_server.c, handshake_client.c  what only one of the two has in it
 *   context.c        contexts: the options, made into model sockets once
 *   server_hooks.c   NSS asks a server: SNI, ALPN, whose ticket is this
 *   client_hooks.c   NSS asks a client where to keep a session
 *   client_identity.c  ... and which certificate to show
 *   peer_verify.c    NSS asks either: is this peer's certificate good
 *   sessions.c       the sessions a client context remembers
 *   sites.c          which identities serve a name
 *   client_hello.c   what a ClientHello says that NSS does not tell
 *   error.c          names and sentences for all that can go wrong
 *   alert.c          those for alerts */
#ifndef YETT_TLS_ENGINE_INTERNAL_H
#define YETT_TLS_ENGINE_INTERNAL_H

#include "tls/engine.h"
#include "tls/flight.h"
#include "tls/identity_internal.h"
#include "tls/layer.h"
#include "tls/limits.h"
#include "tls/master_secret.h"
#include "tls/nspr_layer.h"
#include "tls/peer_certs.h"

#include <ssl.h>

enum tls_role { TLS_ROLE_CLIENT, TLS_ROLE_SERVER };

enum { TLS_TOKEN_SIZE = 32 };

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

/* The identities served together for one name, at most one of each slot, in a model socket of their own. */
struct tls_site {
    const struct tls_identity *slots[TLS_SLOT_COUNT];
    struct tls_model *model; /* see tls/models.h */
};

/* What models are made of beside identities and the rest of a context. */
enum tls_alpn_rule { TLS_ALPN_MATCH, TLS_ALPN_IGNORE };
struct tls_site_settings {
    enum tls_ciphers ciphers;
    unsigned version_min;
    enum tls_alpn_rule alpn_rule;
    uint8_t *staple; /* of the first identity */
    size_t staple_size;
};

struct tls_site_name {
    char *name; /* lower case; "*.example.org" stands for one label */
    size_t site;
};

struct tls_sessions;
struct tls_session;

/* What client and server do differently within the steps that they share. */
struct tls_role_calls {
    const char *peer;                                                    /* what the other one is, for sentences */
    PRFileDesc *(*make_socket)(struct tls_engine *e, PRFileDesc *layer); /* a copy of a model; NULL: NSS's error */
    void (*prepare)(struct tls_engine *e);
    /* NSS has gone as far as it can: `done`, or `code` says why not. True: another socket was made, which is to go on
     * from the same ClientHello. *status is TLS_FAILED where the engine has failed. */
    bool (*look_again)(struct tls_engine *e, bool done, PRErrorCode code, enum tls_status *status);
    void (*finished)(struct tls_engine *e);
    bool (*can_be_judged)(const struct tls_engine *e); /* the peer's certificate may be in the next step */
    enum tls_status (*give_up)(struct tls_engine *e);
};
extern const struct tls_role_calls tls_client_calls, tls_server_calls;

struct tls_context {
    enum tls_role role;
    const struct tls_role_calls *calls;
    PRFileDesc *model; /* clients */
    const struct pkix_store *trust;
    struct tls_revocation revocation;
    const struct pkix_issuer_source *issuers; /* NULL: none */
    enum pkix_client_usage peer_usage;        /* server */
    const struct pkix_pin *pins;
    size_t pin_count;
    struct pkix_policy_inputs policy;
    const struct tls_identity **identities;
    size_t identity_count;
    bool may_block; /* some identity's key is on a token */
    const struct tls_clock *clock;
    char **alpn;
    size_t alpn_count;
    enum key_group groups[KEY_GROUP_COUNT]; /* in order of preference */
    size_t group_count;

    /* servers */
    struct tls_site *sites; /* [0] is for clients that name nobody, or somebody unknown */
    size_t site_count;
    struct tls_site_settings settings;
    struct tls_site_name *names; /* sorted */
    size_t name_count;
    enum tls_sni sni;
    enum tls_peer peer;
    bool resumes;
    bool falls_back;                      /* an identity can do TLS 1.2 only, and others more: see sites.c */
    uint8_t ticket_token[TLS_TOKEN_SIZE]; /* what every ticket of this context has in it */
    PRIPv6Addr cache_address;             /* under what its sessions are in the shared cache */

    /* clients */
    bool insecure_no_verify;
    enum tls_no_suitable no_suitable_identity;
    struct tls_sessions *sessions;
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
void tls_server_hooks_install(struct tls_context *context, PRFileDesc *model, enum tls_alpn_rule alpn);
/* A name as clients send it: in lower case, and without the final dot that some of them keep. From the slab
 * (base/slab.h); NULL where it is no host name. */
char *tls_server_name_copy(struct span name);
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
void tls_client_hooks_install(PRFileDesc *model);
void tls_client_socket_prepare(struct tls_engine *e);
void tls_client_session_settle(struct tls_engine *e);

/* peer_verify.c */
void tls_peer_verify_install(PRFileDesc *model);
bool tls_is_address(const char *name);

/* Verify a certificate as the peer's, now. With TLS_VERDICT_TELL, a bad verdict becomes the engine's error and NSS's.
 * With TLS_VERDICT_AHEAD revocation is left for later. */
enum tls_verdict_use { TLS_VERDICT_TELL, TLS_VERDICT_ONLY, TLS_VERDICT_AHEAD };
MUST_CHECK bool tls_peer_verify(struct tls_engine *e, enum tls_verdict_use use, struct span leaf,
                                const struct span *extras, size_t extras_count, const struct span *stapled,
                                size_t stapled_count);

/* Whether a certificate is on the path that verified the peer. */
bool tls_peer_chain_has(const struct tls_engine *e, struct span cert);

/* sessions.c: thread-safe, bounded. */
struct tls_sessions *tls_sessions_create(void);
void tls_sessions_destroy(struct tls_sessions **sessions);

/* no_common.c: before a failure with this code is told, name it better where the two sides have nothing in common. */
void tls_no_common_note(struct tls_engine *e, int32_t code);

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

/* sites.c */
void tls_sites_build(struct tls_context *context);
void tls_sites_clear(struct tls_context *context);
/* The site for a name (lower case), or NULL. */
const struct tls_site *tls_sites_find(const struct tls_context *context, const char *name);
/* Whether the client, by its hello (tls/client_hello.h), can be shown a certificate of the site in TLS 1.2 only. */
bool tls_site_caps(const struct tls_site *site, struct span hello_records);

/* ca_names.c: the names of the anchors, for the server's CertificateRequest. */
MUST_CHECK bool tls_ca_names_set(PRFileDesc *model, const struct pkix_store *trust, char **error);

/* context.c: a model socket for a site of a server (tls/models.h keeps them). NULL with a sentence. */
PRFileDesc *tls_site_socket_create(struct tls_context *context, const struct tls_site *site, char **error);

#endif
