/* proxy/session/leg.h: one side of a session: a transport with what stands on it.
 *
 *     to_send --> [ engine ] --> transport --> peer        (without TLS the engine is missing on both ways)
 *     received <-- [ engine ] <-- transport <-- peer
 *
 * A leg does what it can at once and never decides: it keeps news (bytes, ends, errors), and session_step() asks. While
 * its engine is on the handshake pool (leg_is_on_pool()) nothing here touches the engine. Buffers have ceilings
 * (proxy/process/limits.h): a leg takes plain text only while leg_can_take(). */
#ifndef YETT_PROXY_SESSION_LEG_H
#define YETT_PROXY_SESSION_LEG_H

#include "proxy/session/handshake_pool.h"
#include "proxy/session/handshake_turns.h"
#include "proxy/session/spoken.h"
#include "proxy/session/transport.h"
#include "starttls/starttls.h"

struct session;

enum leg_side { LEG_CLIENT, LEG_TARGET };

/* How far our sending has come to its end. */
enum leg_end {
    LEG_END_OPEN,
    LEG_END_WANTED, /* what is queued goes first */
    LEG_END_SAID,   /* close_notify is queued (TLS) */
    LEG_END_DONE,   /* FIN is sent */
};

/* What taking plain text came to. */
enum leg_take {
    LEG_TAKE_OK,        /* some bytes, or none now */
    LEG_TAKE_ENDED,     /* the peer ended in order: FIN, or close_notify with TLS */
    LEG_TAKE_TRUNCATED, /* TLS: FIN without close_notify */
    LEG_TAKE_FAILED,    /* connection or TLS broken; see leg_error() */
};

struct leg {
    struct session *session;
    enum leg_side side;
    struct transport *transport;      /* NULL before and after */
    struct starttls_machine *machine; /* NULL: no plain-text phase now */
    struct tls_engine *engine;        /* NULL: no TLS (yet) */
    enum tls_status engine_status;
    struct handshake_job job;
    bool on_pool;
    struct handshake_turn turn;  /* behind others, where the peer has cost much */
    bool has_turn;               /* its turn has come ... */
    bool turn_lost;              /* ... and never will */
    bool pool_refused;           /* the pool's queue was full, or that for turns: the engine gives up */
    bool pool_begun;             /* a step was taken by the service's own group */
    bool records_sent;           /* some record has gone to the peer */
    bool finished_seen;          /* the handshake is over, and what that asked of the transport is done */
    bool discarding;             /* see leg_discard_input() */
    bool end_told;               /* the engine knows of the transport's end */
    bool read_ended;             /* EOF */
    int read_error, write_error; /* libuv errors, 0: none */
    enum leg_end end;
    struct buffer received;            /* plain text taken from below and not yet used */
    struct span fresh;                 /* as received, in the loop's read block: valid within one step */
    struct buffer to_send;             /* plain text the way down has no room for yet */
    const uint8_t *lent;               /* where the read under way puts records */
    bool heard;                        /* some byte of the peer's has come */
    uint8_t first_bytes[SPOKEN_BYTES]; /* of what the peer sends in clear, and again of its records: see
                                          proxy/session/spoken.h */
    size_t first_byte_count;
};

void leg_init(struct leg *leg, struct session *session, enum leg_side side);
void leg_attach(struct leg *leg, struct transport *transport); /* takes the transport */

/* Everything but an engine that is on the pool is released; the peer sees the end now. Idempotent. */
void leg_close(struct leg *leg, enum transport_close how);
/* After leg_close(), and after the engine has come back. */
void leg_clear(struct leg *leg);

/* The hinge: nothing plain may be waiting in either direction (asserted). The machine is destroyed. */
void leg_start_tls(struct leg *leg, const struct tls_context *context, const char *name, const char *cache_key);

/* Everything that can happen without plain text coming or going: engine steps (here or on the pool) and writing. */
void leg_advance(struct leg *leg);
bool leg_is_on_pool(const struct leg *leg);

/* Its handshake waits behind those of others, since the client has cost much; the engine may be touched. */
bool leg_waits_for_turn(const struct leg *leg);

/* What the plane's turns call. Both step the session, which may free it. */
void leg_take_turn(struct handshake_turn *turn);
void leg_lose_turn(struct handshake_turn *turn);

/* Reading from the peer, on or off; it is never on while the engine is on the pool or has no room. */
void leg_set_reading(struct leg *leg, bool on);

/* Plain text from the peer. leg_peek() gathers what there is and lends it; then leg_consume(). For the plain phases. */
enum leg_take leg_peek(struct leg *leg, struct span *bytes);
void leg_consume(struct leg *leg, size_t size);
/* For the relay: lends the next piece, without gathering (it may lie in the loop's relay block); follow with
 * leg_return() of what was not used, before anything else is asked of any leg. */
enum leg_take leg_take(struct leg *leg, struct span *bytes);
void leg_return(struct leg *leg, struct span unused);

/* Plain text to the peer. leg_send() takes everything; call while leg_can_take() and with at most LIMIT_RELAY_BLOCK
 * bytes. */
bool leg_can_take(const struct leg *leg);
void leg_send(struct leg *leg, struct span bytes);
/* A few words besides: never refused, dropped beyond memory_ceiling_to_send(); returns how many bytes were not. Call
 * leg_advance() next. */
size_t leg_say(struct leg *leg, struct span bytes);
void leg_say_machine(struct leg *leg); /* what the machine lends */

/* No more will be sent: what is queued, then close_notify (TLS), then FIN. leg->end tells how far it is. */
void leg_end(struct leg *leg);
bool leg_is_flushed(const struct leg *leg);

/* The engine is on the pool and time is up: a client that has heard nothing in TLS gets a fatal alert. Otherwise does
 * nothing, since what goes out then has to be protected, by the engine. Close next. */
void leg_alert(struct leg *leg);

/* Whether the peer is gone, or what it said last was its end: nothing more can be expected of it. */
bool leg_has_left(const struct leg *leg);

/* After our FIN: what still comes is read and thrown away (counted in session->linger_bytes), so that the kernel does
 * not answer it with RST before the peer has read our last words. */
void leg_discard_input(struct leg *leg);

/* At the end of a step: what is still fresh is kept. */
void leg_keep_fresh(struct leg *leg);
/* A session ticket that waits for the first words to this peer goes without them (tls_engine_send_ticket()).
 * Idempotent. */
void leg_send_ticket(struct leg *leg);
/* Give idle buffers back. */
void leg_trim(struct leg *leg);
size_t leg_memory(const struct leg *leg);

/* The first thing that went wrong, as a fixed name and a sentence; "" when nothing did. */
const char *leg_error_name(const struct leg *leg);
const char *leg_error(const struct leg *leg);

#endif
