/* starttls/starttls.h: the plain-text conversations around TLS: bytes in, bytes out, "upgrade now".
 *
 * The words: the *accepted* side faces the client that connected to us, the *connected* side the server we connected
 * to. A *machine* holds one plain-text conversation with one peer; a *filter* watches the relayed conversation after
 * it (removing STARTTLS from capability lists). The *hinge* is the moment at which a machine says STARTTLS_UPGRADE:
 * what it lent is flushed, the machine is destroyed, and only then does TLS begin; a byte received before the hinge
 * and not consumed is a violation the machine itself reports (plaintext injection, CVE-2011-0411).
 *
 * What it does not do: no sockets, no clock (deadlines are the caller's), no TLS, no logging, no third-party header
 * except http-parser's in one file. Machines are not thread-safe; different machines are independent.
 * Every line, reply and conversation is bounded by starttls/limits.h. */
#ifndef YETT_STARTTLS_STARTTLS_H
#define YETT_STARTTLS_STARTTLS_H

#include "base/buffer.h"
#include "base/protocols.h"

#define STARTTLS_PROTOCOL_ID(id, object, word, starttls, idle_ms) STARTTLS_##id,
enum starttls_protocol { PROTOCOLS(STARTTLS_PROTOCOL_ID) STARTTLS_PROTOCOL_COUNT };
#undef STARTTLS_PROTOCOL_ID

enum starttls_status {
    STARTTLS_NEED_MORE, /* waits for bytes from its peer */
    STARTTLS_UPGRADE,   /* flush the output, destroy the machine, start TLS */
    STARTTLS_DIRECT,    /* accepted side: the client began TLS by itself; no byte was taken, all are TLS's, in which the
                         * client MUST name the protocol by ALPN */
    STARTTLS_TARGET,    /* HTTP CONNECT, accepted side: a target is asked for; see starttls_target() */
    STARTTLS_READY,     /* the conversation is over and the relay may begin (flush the output first). Accepted side:
                         * with starttls_early_data(), which is the server's */
    STARTTLS_CLOSE,     /* the peer said goodbye: flush the output and close */
    STARTTLS_REFUSED,   /* connected side: the server will not; starttls_error() says why */
    STARTTLS_BROKEN,    /* the peer violated the protocol: flush the output (a last reply) and close */
};

/* What a server will not do, with STARTTLS_REFUSED. */
enum starttls_refusal {
    STARTTLS_REFUSAL_NONE,
    STARTTLS_REFUSAL_SERVICE, /* its greeting says that it serves nobody, or not us: 554, 421, BYE */
    STARTTLS_REFUSAL_GOODBYE, /* it said goodbye in the middle of the conversation */
    STARTTLS_REFUSAL_NO_TLS,  /* it does not offer STARTTLS */
    STARTTLS_REFUSAL_TLS,     /* it offers STARTTLS, or may, and answered it with a refusal */
    STARTTLS_REFUSAL_COMMAND, /* a greeting or command of ours that it must take: EHLO, CAPABILITY */
    STARTTLS_REFUSAL_TARGET,  /* an upstream HTTP proxy: it does not take us to the target */
};

/* Why the accepted peer is turned away; each protocol has its own words for each (RFC in the source). */
enum starttls_failure {
    STARTTLS_FAILURE_OVERLOAD,        /* a limit of ours */
    STARTTLS_FAILURE_TLS_UNAVAILABLE, /* no identity can sign now */
    STARTTLS_FAILURE_TARGET_REFUSED,  /* not allowed to go there, or not allowed in */
    STARTTLS_FAILURE_TARGET_DOWN,     /* no target answered */
    STARTTLS_FAILURE_TARGET_TIMEOUT,
    STARTTLS_FAILURE_TARGET_UNWILLING, /* it answers, and does not want to serve */
    STARTTLS_FAILURE_TARGET_SPEECH,    /* it answers, and not in its protocol */
    STARTTLS_FAILURE_TARGET_NO_TLS,    /* it offers no TLS, or refuses to begin it: old, or somebody strips it */
    STARTTLS_FAILURE_TARGET_TLS,       /* its TLS fails, or its certificate is not accepted */
    STARTTLS_FAILURE_IDENTITY,         /* our own certificate for the target cannot be used: its key is not there */
    STARTTLS_FAILURE_SHUTDOWN,         /* we are stopping */
    STARTTLS_FAILURE_TIMEOUT,          /* the client took too long */
    STARTTLS_FAILURE_BAD_REQUEST,      /* what the client says is not in its protocol */
    STARTTLS_FAILURE_COUNT
};

struct starttls_machine;

/* How much of an HTTP head is taken; starttls/limits.h has the defaults. */
enum starttls_http_kind { STARTTLS_HTTP_REQUEST, STARTTLS_HTTP_RESPONSE, STARTTLS_HTTP_KIND_COUNT };
struct starttls_http_limits {
    size_t head_bytes_max; /* all of it */
    size_t line_bytes_max; /* the first line, or a field; with CRLF */
    size_t fields_max;
};

struct starttls_options {
    const char *name; /* our name in greetings and EHLO; borrowed while the machine lives */
    bool upgrade;     /* accepted: STARTTLS is offered and required; connected: STARTTLS is asked for and required.
                       * false on the accepted side: no identity can sign now; STARTTLS is not offered and refused as
                       * unavailable, and nothing else is allowed either.
                       * false on the connected side: only the greeting is read and judged.
                       * HTTP CONNECT, connected side: true when TLS to the target comes next, so that the tunnel ends
                       * with STARTTLS_UPGRADE and its hinge rule; false: with STARTTLS_READY, and bytes that are left
                       * are the target's first ones. Without meaning on HTTP CONNECT's accepted side */
    bool opens_here;  /* accepted, where the client opens (starttls_client_opens()): TLS is up, or there is to be none;
                       * so `upgrade` is false, and what it opens with passes */
    bool cancels_in_clear;   /* accepted, PostgreSQL: a CancelRequest passes also where TLS has to come first */
    const char *target_host; /* HTTP CONNECT, connected side: what to ask for; borrowed. MUST be a host by
                              * starttls_host_kind(), or one with a trailing dot; the port MUST NOT be 0 */
    uint16_t target_port;
    const struct starttls_http_limits *http_limits; /* HTTP: one for each kind; copied. NULL: the defaults */
    const char *connection; /* HTTP, accepted side: what our own pages call this connection, as the log does; borrowed
                             * while the machine lives. NULL: they do not say */
};

/* The machine that faces a client. Its greeting, where the protocol has one, is output at once.
 * `protocol` MUST NOT be STARTTLS_TCP. */
struct starttls_machine *starttls_accept_create(enum starttls_protocol protocol,
                                                const struct starttls_options *options);

/* The machine that faces a server. */
struct starttls_machine *starttls_connect_create(enum starttls_protocol protocol,
                                                 const struct starttls_options *options);

/* The machine that asks a server what it can do (EHLO, CAPABILITY), says goodbye and is READY: for a look whether the
 * server serves. `options->upgrade`: TLS came by STARTTLS, so that the server has greeted already. NULL for a protocol
 * in which nothing can be asked (tcp, http-proxy). */
struct starttls_machine *starttls_probe_create(enum starttls_protocol protocol, const struct starttls_options *options);
/* What it has been told so far, words with a space between: the server's, so quote them. Lives with the machine. */
struct span starttls_capabilities(const struct starttls_machine *m);

/* After READY or UPGRADE of a machine that faces a server: the greeting it gave, as the client shall have it when it
 * has none yet. Empty: starttls_greeting_text(). Lives with the machine. */
struct span starttls_greeting(const struct starttls_machine *m);

void starttls_machine_destroy(struct starttls_machine **m); /* wipes its buffers */

/* Feed bytes received from the peer. *consumed says how many were taken. With NEED_MORE that is all of them, unless the
 * output has less room than STARTTLS_REPLY_BYTES_MAX: offer the others again when some of it was consumed. Once the
 * status is not NEED_MORE, nothing more is taken, except that with STARTTLS_TARGET early data goes on to be taken up to
 * STARTTLS_EARLY_DATA_BYTES_MAX (what is not taken then waits with the caller). After STARTTLS_READY, what was not
 * consumed belongs to the relay. After STARTTLS_UPGRADE nothing is ever left: a left-over byte gives STARTTLS_BROKEN
 * instead. */
MUST_CHECK enum starttls_status starttls_put(struct starttls_machine *m, struct span bytes, size_t *consumed);

/* What to send to the peer, and how much of it was sent. */
struct span starttls_output(const struct starttls_machine *m);
void starttls_output_consume(struct starttls_machine *m, size_t size);

/* One sentence about what the peer did, or "" when nothing is wrong. Peer text in it is quoted and clipped. */
const char *starttls_error(const struct starttls_machine *m);

/* What was refused, with STARTTLS_REFUSED; otherwise NONE. */
enum starttls_refusal starttls_refusal(const struct starttls_machine *m);

/* Whether the machine broke off because bytes came together with the switch to TLS (an injection, CVE-2011-0411). */
bool starttls_was_injected(const struct starttls_machine *m);

/* How many commands of a client were answered with a refusal: what it wanted before TLS, or what is no command. */
unsigned starttls_refused_commands(const struct starttls_machine *m);

/* For logs: the name of the state, such as "SMTP_EHLO". */
const char *starttls_state_name(const struct starttls_machine *m);

/* After STARTTLS_TARGET: the host (an IPv4 or IPv6 literal without brackets, or a validated name without trailing dot)
 * and port asked for. Lives with the machine. */
const char *starttls_target_host(const struct starttls_machine *m);
uint16_t starttls_target_port(const struct starttls_machine *m);

/* After STARTTLS_TARGET, or READY, of which it changes nothing: the target is connected; outputs the go-ahead, then the
 * status is STARTTLS_READY. Early bytes of the client, kept up to a limit, are lent by starttls_early_data() for the
 * target. */
void starttls_target_connected(struct starttls_machine *m);
struct span starttls_early_data(const struct starttls_machine *m);

/* What is wanted of the target: a tunnel (CONNECT), or the answer to one request with an https URI, for which TLS with
 * the target and its verification are ours to do. The answer to HEAD has no body, whoever gives it. */
enum starttls_request { STARTTLS_REQUEST_TUNNEL, STARTTLS_REQUEST_EXCHANGE, STARTTLS_REQUEST_EXCHANGE_HEAD };
enum starttls_request starttls_target_request(struct starttls_machine *m);

/* After STARTTLS_TARGET with a request that is no tunnel, instead of starttls_target_connected(): append the request's
 * head for the target to `out`, which MUST have room for starttls_http_forwarded_max() of the limits of requests, and
 * give the filter through which the rest of the exchange goes. No byte behind the head has been taken. The machine's
 * status is READY.
 *
 * The filter passes on one request and one response and nothing else (RFC 9112): bodies are cut out by their framing
 * and framed anew; bytes of the client behind its request are never taken; starttls_filter_put() from the server says
 * STARTTLS_CLOSE when the response is whole. A buffer for what the server says MUST have a ceiling of
 * starttls_http_forwarded_max() of the limits of responses. The output depends on how the input was cut in the sizes of
 * chunks only. */
struct starttls_filter *starttls_exchange_create(struct starttls_machine *m, struct buffer *out);
/* The status of the final response, once a part of it has been put out: then nothing of ours may be said any more. 0
 * before that. */
unsigned starttls_exchange_status(const struct starttls_filter *f);

/* Append to `out` what `protocol` says to a client that is turned away, or nothing where the protocol has no words.
 * `greeted`: whether the client already has its greeting. */
void starttls_failure_text(enum starttls_protocol protocol, enum starttls_failure failure, bool greeted,
                           const char *name, struct buffer *out);

/* Append the greeting a client is given once the connected side's TLS is up and verified (connected side was asked to
 * upgrade, client not yet greeted). Empty for protocols whose server does not speak first. */
void starttls_greeting_text(enum starttls_protocol protocol, const char *name, struct buffer *out);

/* Whether a server greets again once TLS is up after STARTTLS (RFC 5804 section 2.2), and so every client hears it
 * inside TLS, whoever has greeted it before: then that greeting is the server's own, by starttls_greeting() where a
 * machine has taken it. */
bool starttls_greets_in_tls(enum starttls_protocol protocol);

/* Who broke a relayed conversation. LIMIT: what came is proper, and more than a setting of ours lets pass. YETT: a
 * fault of our own. */
enum starttls_fault {
    STARTTLS_FAULT_NONE,
    STARTTLS_FAULT_CLIENT,
    STARTTLS_FAULT_SERVER,
    STARTTLS_FAULT_LIMIT,
    STARTTLS_FAULT_YETT
};

/* Whether a client speaks first in what is ours to answer, with TLS and without: so that there is a machine which faces
 * it, with `opens_here`, before the server is reached, where there is no STARTTLS and again inside TLS. */
bool starttls_client_opens(enum starttls_protocol protocol);

/* After READY on the accepted side: the client has said all that it will, and need not wait until that is passed on. */
bool starttls_client_may_leave(const struct starttls_machine *m);

/* The filter of a relayed conversation. NULL where the protocol needs none: relay the bytes as they are. */
struct starttls_filter;
enum starttls_direction { STARTTLS_FROM_CLIENT, STARTTLS_FROM_SERVER };

/* Whether the server's greeting has been taken (by the machine before TLS, or before the relay), or comes through the
 * filter: it answers no command, also when the client has said some before it. */
enum starttls_greeting { STARTTLS_GREETED, STARTTLS_GREETING_FOLLOWS };

struct starttls_filter *starttls_filter_create(enum starttls_protocol protocol, enum starttls_greeting greeting);
void starttls_filter_destroy(struct starttls_filter **f);

/* Take bytes from one side, append what the other shall get to `out`, as far as `out` has room. *consumed says how many
 * bytes were taken. A partial line may be held back inside (bounded). NEED_MORE: go on; READY: filtering has ended and
 * all further bytes of both directions are relayed as they are, after starttls_filter_rest() of both; BROKEN: see
 * starttls_filter_error(), and close.
 *
 * `out` MUST have a ceiling of at least STARTTLS_FILTER_LINE_BYTES_MAX (starttls/limits.h). When bytes are left, offer
 * them again once it has been emptied; and the client's also when the server has said more, or has ended
 * (starttls_filter_end()): commands that the server has not answered are followed up to a number, and more are not
 * taken. Read no more from the client then: it may pipeline as much as it likes (RFC 2920 section 3.1), and waits. The
 * order of calls MUST be the order in which the bytes came: what is said to the client before a client's byte is read
 * must have been put through the filter before it.
 *
 * Both directions: a command for TLS inside TLS, XCLIENT or XFORWARD from the client is turned into one that the
 * server does not know (REFUSED-STARTTLS ...), so that the server refuses it, in its turn. */
MUST_CHECK enum starttls_status starttls_filter_put(struct starttls_filter *f, enum starttls_direction direction,
                                                    struct span bytes, size_t *consumed, struct buffer *out);
/* At the end of a direction, or after READY: append what is held back of it, as far as `out` has room. True when
 * nothing is left; otherwise call again once `out` has been emptied. */
bool starttls_filter_rest(struct starttls_filter *f, enum starttls_direction direction, struct buffer *out);
/* A side has ended in good order. NEED_MORE: pass the end on. READY: it was over already, there is nothing to pass on.
 * CLOSE: what it said is whole by its end, as far as it was put out (starttls_filter_rest()), and so is the
 * conversation. BROKEN: a message has been cut off. */
MUST_CHECK enum starttls_status starttls_filter_end(struct starttls_filter *f, enum starttls_direction direction);
/* A sentence that names who broke the rules, and that one as a word: not always the side whose bytes were put last,
 * since what one side says may show that the other has not waited for it. */
const char *starttls_filter_error(const struct starttls_filter *f);
enum starttls_fault starttls_filter_fault(const struct starttls_filter *f);

/* A response of ours to HEAD: up to its empty line. */
struct span starttls_without_body(struct span response);

/* The protocol's registered ALPN id ("imap", "http/1.1"), or NULL where none is. */
const char *starttls_protocol_alpn(enum starttls_protocol protocol);

#endif
