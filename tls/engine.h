/* tls/engine.h: TLS over bytes. An engine does no I/O.
 *
 * The words: *records* are TLS records to and from the peer; *plaintext* is the application's data; a *context* is what
 * many engines share (identities, trust, policy). Flows are named from the engine's user: put = give to the engine,
 * take = get from it. tls_engine_wants() is the one question: what may happen next.
 *
 *     transport --put_records--> [ engine ] --take_plaintext--> application
 *     transport <--take_records- [ engine ] <--put_plaintext--- application
 *
 * Caveats: no 0-RTT, no compression, no renegotiation but by a server that may want a client certificate. NSS types do
 * not show: another record layer can go in behind this header.
 * Resumption: a client verifies the certificates of a session again before it offers it, and offers none in which it
 * used a certificate of its own; it resumes by ticket only. (The verification before an offer takes no waiting: a
 * session of which nothing is known without asking is not offered.) A server that asks for client certificates resumes
 * nothing, nor does one with an RSA-PSS certificate. TLS 1.3 resumes by ticket, TLS 1.2 from the cache of
 * tls/runtime.h. Sessions are good only for the service, the identities and the name they were made for. Threads: one
 * thread at a time per engine; different engines are independent. tls_engine_step() is the only call that may block,
 * and only while tls_engine_may_block(): then call it on a handshake thread. All others never block. Errors are sticky:
 * after TLS_FAILED every call says so again; records already queued (the alert) can still be taken. */
#ifndef YETT_TLS_ENGINE_H
#define YETT_TLS_ENGINE_H

#include "base/span.h"
#include "base/key_groups.h"
#include "tls/identity.h"
#include "pkix/store.h"
#include "pkix/verify.h"

enum tls_status {
    TLS_OK = 0,
    TLS_CLOSED, /* the peer sent close_notify: no more plaintext will come; writing may go on */
    TLS_FAILED, /* see tls_engine_error() */
};

enum tls_wants {
    TLS_WANTS_RECORDS = 1,   /* put_records() takes bytes */
    TLS_HAS_RECORDS = 2,     /* take_records() has bytes */
    TLS_WANTS_PLAINTEXT = 4, /* put_plaintext() takes bytes (handshake done, output below its ceiling) */
    TLS_HAS_PLAINTEXT = 8,   /* take_plaintext() has bytes */
    TLS_NEEDS_STEP = 16,     /* call tls_engine_step(): on the loop, or where may_block() says so, on the pool */
};

enum tls_ciphers { TLS_CIPHERS_INTERMEDIATE, TLS_CIPHERS_MODERN }; /* Mozilla's server-side TLS recommendations */
enum tls_sni { TLS_SNI_ANY, TLS_SNI_KNOWN, TLS_SNI_REQUIRED };
/* What a client shows when a server names authorities and none of them has issued any identity: the only one there is,
 * or nothing. The list is advice (RFC 8446 section 4.2.4): many servers' lists are not what they verify by. */
enum tls_no_suitable { TLS_NO_SUITABLE_ONLY, TLS_NO_SUITABLE_NONE };
enum tls_peer { TLS_PEER_NONE, TLS_PEER_REQUEST, TLS_PEER_REQUIRE };

/* How a peer's certificates are checked for revocation. Staples are looked at unless it is off (the leaf's only:
 * NSS 3.87 does not hand out the others that TLS 1.3 has). All is borrowed while the context lives. */
struct tls_revocation {
    enum pkix_revocation mode;
    const struct pkix_crl_set *crls;             /* pkix/crl.h; NULL: none */
    const struct pkix_evidence_source *evidence; /* NULL: no responder is asked */
    const struct pkix_crl_source *crl_source;    /* NULL: no CRL is fetched */
};

/* What a context tells the time by: the wall clock is what certificates are about (seconds since 1970), the other is
 * for how long something takes (milliseconds, never going back). Both are called on any thread. */
struct tls_clock {
    int64_t (*wall_s)(void);
    uint64_t (*now_ms)(void);
};

struct tls_server_options {
    struct tls_identity *const *identities; /* borrowed while the context lives; at least one */
    size_t identity_count;
    enum tls_ciphers ciphers;
    unsigned version_min;         /* 0x0303 or 0x0304 */
    const enum key_group *groups; /* in order of preference, each once; those that NSS has not are left out */
    size_t group_count;           /* 0: all that NSS has, in the order of base/key_groups.h */
    const char *const *alpn;      /* ids we speak, in order; a client that offers only others is refused (ALPACA) */
    size_t alpn_count;            /* 0: a client that offers ALPN is refused with no_application_protocol ... */
    bool alpn_ignore;             /* ... unless this is set (protocol = tcp without alpn) */
    enum tls_sni sni;
    enum tls_peer peer;
    const struct pkix_store *trust;           /* for client certificates; borrowed; needed unless peer is NONE */
    enum pkix_client_usage peer_usage;        /* which extended key usage they must allow */
    struct tls_revocation revocation;         /* of client certificates */
    const struct pkix_issuer_source *issuers; /* that clients did not send; borrowed; NULL: none is fetched */
    const struct pkix_pin *pins;              /* of clients' paths (pkix/verify.h); borrowed while the context lives */
    size_t pin_count;
    struct pkix_policy_inputs policy; /* likewise; what it points to is borrowed */
    struct span ocsp_staple;          /* DER response for the first identity; copied; size 0: none */
    const char *session_id_context;   /* service name: tickets of one service are not good for another */
    const struct tls_clock *clock;    /* borrowed; NULL: the machine's */
};

struct tls_client_options {
    enum tls_ciphers ciphers;
    unsigned version_min;
    const enum key_group *groups; /* likewise */
    size_t group_count;
    const char *const *alpn;
    size_t alpn_count;
    const struct pkix_store *trust; /* borrowed; needed unless insecure_no_verify */
    struct tls_revocation revocation;
    const struct pkix_issuer_source *issuers; /* that servers did not send; borrowed; NULL: none is fetched */
    bool insecure_no_verify;
    const struct pkix_pin *pins; /* of servers' paths; borrowed while the context lives */
    size_t pin_count;
    struct pkix_policy_inputs policy;       /* likewise; what it points to is borrowed */
    struct tls_identity *const *identities; /* client certificates, in order of preference; borrowed */
    size_t identity_count;
    enum tls_no_suitable no_suitable_identity;
    const struct tls_clock *clock; /* borrowed; NULL: the machine's */
};

struct tls_context;
MUST_CHECK bool tls_server_context_create(const struct tls_server_options *options, struct tls_context **context,
                                          char **error);
MUST_CHECK bool tls_client_context_create(const struct tls_client_options *options, struct tls_context **context,
                                          char **error);
void tls_context_destroy(struct tls_context **context); /* after the last engine of it */

struct tls_engine;

/* An engine of a context, which must outlive it. For clients: `name` is verified against the certificate (DNS name, or
 * IP literal) and, when a DNS name, sent as SNI; `cache_key` names the target for session resumption (host, port). For
 * servers both are NULL. Never fails except by exhausted memory. */
struct tls_engine *tls_engine_create(const struct tls_context *context, const char *name, const char *cache_key);
void tls_engine_destroy(struct tls_engine **e);

/* Bits of enum tls_wants. */
unsigned tls_engine_wants(const struct tls_engine *e);

/* Whether the next tls_engine_step() may take long: wait for a token, or verify the peer's certificate. Not before a
 * server has something to read: a client that says nothing takes nobody's place. May change as the handshake goes on (a
 * server with software and token identities knows after the ClientHello at the latest; then `true` is the safe side).
 */
bool tls_engine_may_block(const struct tls_engine *e);

/* Whether it may verify the peer's certificate: by what the peer sends it may compute for as long as pkix_limits allow,
 * and wait for one of the context's sources of evidence, CRLs and issuers, so for somebody's server. It should not hold
 * up those that wait for a token. Implies tls_engine_may_block(). */
bool tls_engine_may_verify(const struct tls_engine *e);

/* Advance: handshake with the records put so far, or decrypt what has come. Produces records and plaintext. */
MUST_CHECK enum tls_status tls_engine_step(struct tls_engine *e);

/* Give up a handshake for a reason of our own: instead of a step that may block, and only before the handshake is done.
 * The engine fails with this error (both texts static), now (TLS_FAILED) or in a later step: no certificate of the peer
 * is accepted any more, and no step blocks. A handshake for which none was needed goes on (TLS_OK). The peer is told
 * with a fatal alert: internal_error (RFC 8446 section 6.2) where a server has said nothing yet; where the step was to
 * judge the peer's certificate, certificate_unknown, which NSS can send under the keys of that moment. A server whose
 * keys are on tokens says nothing in the second case: the step could sign. */
MUST_CHECK enum tls_status tls_engine_give_up(struct tls_engine *e, const char *name, const char *sentence);

/* The record of an internal_error alert without protection: for a client that has heard nothing from us yet, while its
 * engine is on the pool and cannot be asked. Static. */
struct span tls_clear_alert(void);

/* Lend space for records from the peer; *size is 0 when it takes none now. Then commit what was written; a commit only
 * queues: call tls_engine_step() next. Never call between handing a step to the pool and its return. */
uint8_t *tls_engine_records_reserve(struct tls_engine *e, size_t *size);
void tls_engine_records_commit(struct tls_engine *e, size_t size);

/* The transport's end was read. Without a preceding close_notify this is truncation: TLS_FAILED after a finished
 * handshake (RFC 8446 section 6.1), connection closed during one. TLS_OK while records are held that may end in
 * close_notify: go on as tls_engine_wants() says, until take_plaintext() or step() tells. */
MUST_CHECK enum tls_status tls_engine_records_end(struct tls_engine *e);

/* Records for the peer, valid until the next call on the engine; then how many were sent. */
struct span tls_engine_records(const struct tls_engine *e);
void tls_engine_records_consume(struct tls_engine *e, size_t size);

/* Plaintext for the peer: takes at most plaintext.size bytes, says how many in *consumed; produces records. Takes none
 * before the handshake is done, after tls_engine_close(), or while records are not taken. */
MUST_CHECK enum tls_status tls_engine_put_plaintext(struct tls_engine *e, struct span plaintext, size_t *consumed);

/* Plaintext from the peer: copies at most `size` bytes to `out`, *taken says how many (0: none now). Decrypts on demand
 * straight to `out` where it can. TLS_CLOSED when the peer has ended and everything was taken. */
MUST_CHECK enum tls_status tls_engine_take_plaintext(struct tls_engine *e, uint8_t *out, size_t size, size_t *taken);

/* A server's session ticket (TLS 1.3) waits for company: it is queued before the first plaintext, or before
 * close_notify, so that one write, one segment and one wake-up of the client do for both, and a client that leaves
 * before costs none. This queues it now, if it still waits: call it when nothing has been put for a while, and before
 * tls_engine_trim(). */
void tls_engine_send_ticket(struct tls_engine *e);

/* Queue close_notify: no more plaintext can be put. Reading goes on (half-close). Idempotent. */
void tls_engine_close(struct tls_engine *e);

/* Give idle buffers back; call when a leg has nothing in flight. Where NSS's socket is left
 * behind, a ticket that still waits is not sent any more. */
void tls_engine_trim(struct tls_engine *e);

bool tls_engine_handshake_done(const struct tls_engine *e);

/* The first error: its fixed name ("SSL_ERROR_NO_CYPHER_OVERLAP", "alert_received_unknown_ca", "truncated",
 * "unknown_issuer", ...) and a sentence for the log. "" when none. */
const char *tls_engine_error_name(const struct tls_engine *e);
const char *tls_engine_error(const struct tls_engine *e);
int tls_engine_alert_sent(const struct tls_engine *e);     /* TLS alert number, or -1 */
int tls_engine_alert_received(const struct tls_engine *e); /* TLS alert number, or -1 */

/* Whether it failed since our own key could not sign: its token is gone, not logged in, or broken. */
bool tls_engine_key_failed(const struct tls_engine *e);

/* How the peer's certificate was verified, as far as it was. Strings live with the engine. */
struct tls_verification {
    const char *stopped_path;  /* where the best path stopped (pkix_verdict_stopped_path()); "" when none did */
    const char *warning;       /* the first pkix_verdict_warning(), whatever the verdict was; "" when there is none */
    unsigned signature_checks; /* made on behalf of this peer */
    uint64_t time_us;          /* processor time of it; waiting for a responder is not in it */
};
struct tls_verification tls_engine_verification(const struct tls_engine *e);

/* After the handshake. Strings live with the engine. */
struct tls_session_info {
    const char *version;     /* "TLSv1.3" */
    const char *cipher;      /* "TLS_AES_128_GCM_SHA256" */
    const char *group;       /* "x25519" */
    const char *alpn;        /* "" when none */
    const char *server_name; /* SNI as received (server) or sent (client), "" when none */
    bool resumed;
    bool peer_stapled;          /* the peer stapled an OCSP response */
    bool socket_released;       /* it costs no memory of NSS's any more: it was idle, or shown certificates */
    struct span peer_cert;      /* DER of the peer's verified leaf; size 0 when none. Lives with the engine */
    const char *peer_issuers;   /* server: the SHA-256 of each certificate above the client's on its path, lower-case
                                   hexadecimal, separated by blanks; "" when it has shown none */
    const char *peer_policies;  /* server: the policies that hold for that path, dotted, likewise */
    const char *peer_ev_policy; /* by which the peer's certificate is one of extended validation, dotted; "" when not */
    const struct tls_identity *identity; /* the one we signed with; NULL when none */
    const char *identity_choice; /* client: which certificate of ours the server got, or "none", and why; "": it asked
                                    for none */
};
struct tls_session_info tls_engine_session(const struct tls_engine *e);

/* Bytes the engine holds now (buffers; not NSS's own): for the memory ceiling. */
size_t tls_engine_memory(const struct tls_engine *e);

#endif
