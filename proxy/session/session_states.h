/* proxy/session/session_states.h: the states of a session, each with all that is to be known of it.
 *
 * X(STATE, name, title, time, reads, client). `name` is for logs, and of the function that steps in it
 * (session_step_NAME(), proxy/session/session_internal.h); `title` for messages to people. The drawing is in session.c.
 *
 *   time    which deadline it has, and so who was too slow when it passes
 *             HEADER   LIMIT_PROXY_HEADER_IN_MS, set at the start
 *             CLIENT   one for all of the client's part, set at the start
 *             CONNECT  connect_timeout
 *             VIA      handshake_timeout
 *             TARGET   handshake_timeout, one for all of the target's part, from CONNECT on
 *             PROBE    likewise; a target that has nothing to say any more is no failure
 *             RELAY    no deadline: idle and half-close timeout, from the last byte that moved
 *             LINGER   LIMIT_LINGER_MS
 *             NEVER    none
 *   reads   from whom is read
 *             NOBODY   what comes stays in the kernel
 *             CLIENT   from the client, up to LIMIT_HELD_MAX
 *             BOTH     from both, up to LIMIT_HELD_MAX each
 *             MACHINE  likewise, and from the target only while a machine listens: what comes while our last words in
 *                      clear go out is for TLS
 *             FLOWS    from each while the other can take it: back pressure
 *             AS_IS    leg_discard_input() reads
 *   client  WAITS: a client that goes away ends the session */
#ifndef YETT_PROXY_SESSION_SESSION_STATES_H
#define YETT_PROXY_SESSION_SESSION_STATES_H

#define SESSION_STATES(X)                                                                                              \
    X(PROXY_HEADER, proxy_header, "proxy_header", HEADER, CLIENT, ACTS)             /* of a balancer before us */      \
    X(CLIENT_NEGOTIATE, client_negotiate, "client_negotiate", CLIENT, CLIENT, ACTS) /* plain: STARTTLS, or CONNECT */  \
    X(CLIENT_GO_AHEAD, client_go_ahead, "client_go_ahead", CLIENT, NOBODY, ACTS)    /* nothing plain may follow it */  \
    X(CLIENT_HELLO, client_hello, "client_hello", CLIENT, CLIENT, ACTS)             /* which service, by its name */   \
    X(CLIENT_TLS, client_tls, "client_tls", CLIENT, CLIENT, ACTS)                                                      \
    X(CONNECT, connect, "connect", CONNECT, BOTH, WAITS)          /* resolving and connecting */                       \
    X(TARGET_VIA, target_via, "upstream proxy", VIA, BOTH, WAITS) /* for each target in turn */                        \
    X(TARGET_NEGOTIATE, target_negotiate, "STARTTLS", TARGET, MACHINE, WAITS)                                          \
    X(TARGET_TLS, target_tls, "TLS", TARGET, BOTH, WAITS)                                                              \
    X(TARGET_GREETING, target_greeting, "target_greeting", TARGET, BOTH, WAITS) /* its own greeting is eaten */        \
    X(TARGET_PROBE, target_probe, "inside TLS", PROBE, BOTH, ACTS)              /* it is asked, and left */            \
    X(RELAY, relay, "relay", RELAY, FLOWS, ACTS)                                                                       \
    X(LAST_WORDS, last_words, "last_words", LINGER, AS_IS, ACTS) /* are on their way; then FIN, and a moment */        \
    X(CLOSED, closed, "closed", NEVER, AS_IS, ACTS)

enum session_state {
#define SESSION_STATE_ENUM(state, name, title, time, reads, client) SESSION_##state,
    SESSION_STATES(SESSION_STATE_ENUM)
#undef SESSION_STATE_ENUM
        SESSION_STATE_COUNT
};

/* For logs and messages: "target_tls". */
const char *session_state_name(enum session_state state);

#endif
