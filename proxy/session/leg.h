/* proxy/session/leg.h: one side of a session: a transport with what stands on it. Bytes and ends; when its engine takes
 * steps, and where, is in proxy/session/leg_tls.h.
 *
 *     to_send --> [ engine ] --> transport --> peer        (without TLS the engine is missing on both ways)
 *     received <-- [ engine ] <-- transport <-- peer
 *
 * A leg does what it can at once and never decides: it keeps news (bytes, ends, errors), says that there is some
 * (struct leg_means), and its owner asks. There are four questions: how its connection stands (leg_state()), how TLS
 * does (leg_tls_state()), whether all has gone that was to go (leg_is_drained()), and what it holds (leg_holds()). Its
 * members are its own. While its engine is on the handshake pool nothing here touches the engine. Buffers have ceilings
 * (proxy/process/limits.h): a leg takes plain text only while leg_can_take(). */
#ifndef YETT_PROXY_SESSION_LEG_H
#define YETT_PROXY_SESSION_LEG_H

#include "base/buffer.h"
#include "proxy/session/leg_tls.h"
#include "proxy/session/spoken.h"
#include "proxy/session/transport.h"

enum leg_side { LEG_CLIENT, LEG_TARGET }; /* a server's engine, a client's */

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

/* How its connection stands. */
struct leg_state {
    bool heard;       /* some byte of the peer's has come */
    bool input_ended; /* EOF */
    int input_error;  /* libuv's; 0: none */
    int output_error; /* likewise */
    enum leg_end end;
};

/* What it holds, in bytes of plain text. */
struct leg_holds {
    size_t received; /* taken from below and not yet used */
    size_t to_send;  /* the way down has no room for it yet */
};

struct leg {
    const struct leg_means *means;
    enum leg_side side;
    struct transport *transport; /* NULL before and after */
    struct leg_tls tls;
    struct leg_state state;
    bool finished_seen;                /* the handshake is over, and what that asked of the transport is done */
    bool discarding;                   /* see leg_discard_input() */
    size_t discarded_bytes;            /* so */
    size_t held_max;                   /* see leg_set_held_max() */
    struct buffer received;            /* plain text taken from below and not yet used */
    struct span fresh;                 /* as received, in the read block: valid within one step */
    struct buffer to_send;             /* plain text the way down has no room for yet */
    const uint8_t *lent;               /* where the read under way puts records */
    uint8_t first_bytes[SPOKEN_BYTES]; /* of what the peer sends in clear, and again of its records */
    size_t first_byte_count;
};

/* `means` is borrowed while the leg lives; to_send_max: bytes that may wait to be sent. */
void leg_init(struct leg *leg, const struct leg_means *means, enum leg_side side, size_t to_send_max);
void leg_set_to_send_max(struct leg *leg, size_t bytes);       /* while nothing waits */
void leg_attach(struct leg *leg, struct transport *transport); /* takes the transport */

/* Everything but an engine that is on the pool is released; the peer sees the end now. Idempotent. */
void leg_close(struct leg *leg, enum transport_close how);
/* After leg_close(), and after the engine has come back. */
void leg_clear(struct leg *leg);

/* ---- the questions ---- */

static inline bool leg_is_attached(const struct leg *leg)
{
    return leg->transport != NULL;
}

static inline struct leg_state leg_state(const struct leg *leg)
{
    return leg->state;
}

static inline enum leg_tls_state leg_tls_state(const struct leg *leg)
{
    return leg_tls_state_of(&leg->tls);
}

/* All that was to be sent has gone, or never will: the connection is broken, or our end is sent. */
bool leg_is_drained(const struct leg *leg);

static inline struct leg_holds leg_holds(const struct leg *leg)
{
    return (struct leg_holds){.received = leg->received.size, .to_send = leg->to_send.size};
}

/* For what TLS has come to (names, certificates, errors): the engine, where it may be asked. NULL: there is none, or it
 * is on the pool. */
static inline const struct tls_engine *leg_engine(const struct leg *leg)
{
    return leg_tls_is_ours(&leg->tls) ? leg->tls.engine : NULL;
}

static inline enum leg_refusal leg_refusal(const struct leg *leg)
{
    return leg->tls.refusal;
}

/* The first bytes the peer sent in clear, or since TLS began of its records: see proxy/session/spoken.h. */
static inline struct span leg_first_bytes(const struct leg *leg)
{
    return span_of(leg->first_bytes, leg->first_byte_count);
}

/* The first thing that went wrong, as a fixed name and a sentence; "" when nothing did. */
const char *leg_error_name(const struct leg *leg);
const char *leg_error(const struct leg *leg);

/* What came so far was somebody else's word about the peer, who begins with what is received and not yet used. */
void leg_peer_begins(struct leg *leg);

/* Whether the peer is gone, or what it said last was its end: nothing more can be expected of it. */
bool leg_has_left(const struct leg *leg);

/* While nothing is read from the peer, since what it said before cannot be passed on: whether it has ended all the
 * same. A connection that is broken is an input error from now on. */
bool leg_look_for_end(struct leg *leg);

size_t leg_memory(const struct leg *leg);

/* ---- TLS ---- */

/* The hinge: nothing plain may be waiting in either direction (asserted). */
void leg_start_tls(struct leg *leg, const struct tls_context *context, const char *name, const char *cache_key);

/* The same for a peer that has begun TLS by itself: what is waiting to be read is TLS's. */
void leg_start_direct_tls(struct leg *leg, const struct tls_context *context);

/* Everything that can happen without plain text coming or going: engine steps (here or on the pool) and writing. */
void leg_advance(struct leg *leg);

/* The engine is on the pool and time is up: a client that has heard nothing in TLS gets a fatal alert. Otherwise does
 * nothing, since what goes out then has to be protected, by the engine. Close next. */
void leg_alert(struct leg *leg);

/* A session ticket that waits for the first words to this peer goes without them (tls_engine_send_ticket()).
 * Idempotent. */
void leg_send_ticket(struct leg *leg);

/* ---- receiving ---- */

/* Reading from the peer, on or off; it is never on while the engine is on the pool or has no room. */
void leg_set_reading(struct leg *leg, bool on);

/* Plain text from the peer. leg_peek() gathers what there is and lends it; then leg_consume(). For the plain phases. */
enum leg_take leg_peek(struct leg *leg, struct span *bytes);
void leg_consume(struct leg *leg, size_t size);
/* For the relay: lends the next piece, without gathering (it may lie in the loop's relay block); follow with
 * leg_return() of what was not used, before anything else is asked of any leg. */
enum leg_take leg_take(struct leg *leg, struct span *bytes);
void leg_return(struct leg *leg, struct span unused);

/* How many plain bytes are kept that nobody has taken yet; LIMIT_HELD_MAX at first. */
void leg_set_held_max(struct leg *leg, size_t bytes);

/* At the end of a step: what is still fresh is kept. */
void leg_keep_fresh(struct leg *leg);

/* After our FIN: what still comes is read and thrown away, so that the kernel does not answer it with RST before the
 * peer has read our last words. true: it has ended as well, or enough was thrown away. */
MUST_CHECK bool leg_discard_input(struct leg *leg);

/* ---- sending ---- */

/* Plain text to the peer. leg_send() takes everything; call while leg_can_take() and with at most LIMIT_RELAY_BLOCK
 * bytes. */
bool leg_can_take(const struct leg *leg);
void leg_send(struct leg *leg, struct span bytes);
/* A few words besides: never refused, dropped beyond memory_ceiling_to_send(); returns how many bytes were not. Call
 * leg_advance() next. */
size_t leg_say(struct leg *leg, struct span bytes);
/* What waits to be sent, for who writes it in place and minds its ceiling. Call leg_advance() next. */
struct buffer *leg_outgoing(struct leg *leg);

/* No more will be sent: what is queued, then close_notify (TLS), then FIN. leg_state() tells how far it is. */
void leg_end(struct leg *leg);

/* Give idle buffers back. */
void leg_trim(struct leg *leg);

#endif
