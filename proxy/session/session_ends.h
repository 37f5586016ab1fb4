/* proxy/session/session_ends.h: how a session can end, what its line in the log is called, and what it says.
 *
 * X(name, event, level, fault, sentence, advice). `name` is the line's "end" and `event` its event; both are fixed, so
 * that a monitor may look for them. `level`: WARNING where somebody should look into it, DEBUG where there would be a
 * line for each look of a monitor. `fault`: who has to do something, if anybody:
 *
 *   NOBODY   nothing is wrong
 *   CLIENT   whoever connected to us
 *   TARGET   the server, or upstream proxy, that we connected to
 *   PEER     one of these two, as the reason says
 *   HERE     this yett: its configuration, its keys, its load
 *
 * `sentence` is the reason where nothing more exact is known, `advice` what to do, likewise
 * (proxy/session/session_advice.h). yett(8) has all of it, in ENDS OF A CONNECTION; a test walks the one against the
 * other, and another makes each of them happen. */
#ifndef YETT_PROXY_SESSION_SESSION_ENDS_H
#define YETT_PROXY_SESSION_SESSION_ENDS_H

#include "proxy/process/log.h"

#define SESSION_ENDS(X)                                                                                                  \
    X(closed, "session_ended", INFO, NOBODY, "both sides ended in good order", "")                                       \
    X(quit, "session_ended", INFO, NOBODY, "the client said goodbye before it reached a target", "")                     \
    X(client_silent, "session_ended", DEBUG, NOBODY, "the client went away without having sent a byte",                  \
      "this is what monitors and load balancers do to see whether the port is open")                                     \
    X(client_left, "session_ended", INFO, CLIENT, "the client went away before it was connected to a target",            \
      "many of these may mean that clients wait for less time than it takes")                                            \
    X(timeout_idle, "session_ended", INFO, NOBODY, "nothing was sent either way for idle_timeout",                       \
      "raise idle_timeout where programs are silent for longer")                                                         \
    X(timeout_half_close, "session_ended", INFO, PEER,                                                                   \
      "one side ended, and the other did not within half_close_timeout",                                                 \
      "raise half_close_timeout where answers take longer")                                                              \
    X(truncated, "session_ended", INFO, PEER, "one side closed its connection without close_notify",                     \
      "nobody can tell whether it had said all: that program should end TLS before it closes")                           \
    X(reset, "session_ended", INFO, PEER, "a connection broke",                                                          \
      "a program has crashed or does not read to the end, or the network between has cut it")                            \
    X(shutdown, "session_ended", INFO, HERE, "yett is stopping", "")                                                     \
    X(too_many, "connection_refused", WARNING, HERE, "connections_per_address_max is reached",                           \
      "raise it where one address is that of many clients; or look at who connects so often")                            \
    X(proxy_missing, "proxy_header_refused", WARNING, CLIENT, "no PROXY header came from who accept_proxy_from names",   \
      "have the balancer send one (HAProxy: send-proxy-v2), or take it out of accept_proxy_from")                        \
    X(proxy_malformed, "proxy_header_refused", WARNING, CLIENT, "the PROXY header is not as it must be",                 \
      "see that the balancer sends the version that accept_proxy has, over TCP")                                         \
    X(proxy_unexpected, "proxy_header_refused", WARNING, CLIENT,                                                         \
      "the client sends a PROXY header, which is not expected here",                                                     \
      "if it is a balancer of yours, set accept_proxy and accept_proxy_from, or have it send none")                      \
    X(protocol_error, "client_protocol_error", WARNING, CLIENT,                                                          \
      "before TLS the client broke the rules of its protocol",                                                           \
      "see that the client is meant for this port, and is set to use TLS there")                                         \
    X(timeout_client, "client_timeout", WARNING, CLIENT, "the client was not ready within handshake_timeout",            \
      "it may be waiting for a greeting that this protocol does not have, or be far away")                               \
    X(tls_failed, "client_tls_failed", WARNING, CLIENT, "TLS with the client failed",                                    \
      "look up the error's name in yett(8)")                                                                             \
    X(name_unknown, "client_tls_failed", WARNING, CLIENT,                                                                \
      "no service at this address has the server name that the client asks for",                                         \
      "add it to server_name of the service that is meant; one service without server_name takes all others")            \
    X(identity_unavailable, "client_tls_failed", WARNING, HERE, "the key of our certificate cannot sign now",            \
      "see that its token is there and logged in: yett status, yett token list")                                         \
    X(overload, "client_tls_failed", WARNING, HERE, "too many handshakes wait",                                          \
      "raise handshake_queue_max, or give the token more sessions, or look at who sends so many")                        \
    X(denied, "access_denied", WARNING, CLIENT, "no allow rule matches the client",                                      \
      "add a rule if it is to pass: the reason tells what its certificate has")                                          \
    X(target_denied, "target_denied", WARNING, CLIENT, "no allow_target rule matches what the client asked for",         \
      "add a rule if it is to go there")                                                                                 \
    X(target_failed, "target_failed", WARNING, TARGET, "no target could be reached",                                     \
      "see that the server runs, that its address in connect is right, and that no firewall is between")                 \
    X(timeout_connect, "target_failed", WARNING, TARGET, "no target answered within connect_timeout",                    \
      "see whether its address is right and a firewall lets us pass")                                                    \
    X(timeout_target, "target_failed", WARNING, TARGET, "the target was not ready within handshake_timeout",             \
      "see whether the server is overloaded, and that protocol and connect_tls are right for its port")                  \
    X(target_left, "target_failed", WARNING, TARGET, "the target closed the connection before it served",                \
      "see the server's own log; connect_tls may be wrong for its port")                                                 \
    X(target_unwilling, "target_failed", WARNING, TARGET, "the target greets us with a refusal to serve",                \
      "see the server's own log: it may be full, or not let our address in")                                             \
    X(target_goodbye, "target_failed", WARNING, TARGET, "the target said goodbye in place of an answer",                 \
      "see the server's own log: it may be stopping")                                                                    \
    X(target_no_starttls, "target_failed", WARNING, TARGET, "the target does not offer STARTTLS",                        \
      "turn TLS on at the server, or set connect_tls = implicit if its port is for that; somebody between may strip it") \
    X(target_refused_starttls, "target_failed", WARNING, TARGET, "the target refuses STARTTLS",                          \
      "see the server's own log: TLS may be off there, or its certificate or key be missing")                            \
    X(target_refused_command, "target_failed", WARNING, TARGET, "the target refuses what every server must take",        \
      "see that protocol is right for this server")                                                                      \
    X(target_protocol_error, "target_failed", WARNING, TARGET,                                                           \
      "before TLS the target broke the rules of its protocol",                                                           \
      "see that protocol and connect_tls are right for its port")                                                        \
    X(via_refused, "target_failed", WARNING, TARGET, "the upstream proxy does not take us to the target",                \
      "see that the proxy in via allows this target")                                                                    \
    X(header_too_large, "target_failed", WARNING, HERE, "the PROXY header is too large for the client's certificate",    \
      "set send_proxy = v2, which leaves the certificate out")                                                           \
    X(target_tls_failed, "target_tls_failed", WARNING, TARGET, "TLS with the target failed",                             \
      "look up the error's name in yett(8)")                                                                             \
    X(target_identity_unavailable, "target_tls_failed", WARNING, HERE,                                                   \
      "the key of our client certificate cannot sign now",                                                               \
      "see that its token is there and logged in: yett status, yett token list")                                         \
    X(target_overload, "target_tls_failed", WARNING, HERE, "too many handshakes with targets wait",                      \
      "raise handshake_queue_max, or give the token more sessions")                                                      \
    X(relay_protocol_error, "relay_protocol_error", WARNING, PEER,                                                       \
      "one side broke the rules of its protocol when both were connected",                                               \
      "see that protocol is right for this service")                                                                     \
    X(relay_tls_failed, "relay_tls_failed", WARNING, PEER, "TLS of an established connection failed",                    \
      "look up the error's name in yett(8); where records were altered, look at the network")

#define SESSION_END_ENUM(name, event, level, fault, sentence, advice) SESSION_ENDED_##name,
enum session_ended { SESSION_ENDED_none, SESSION_ENDS(SESSION_END_ENUM) SESSION_ENDED_COUNT };
#undef SESSION_END_ENUM

enum session_fault {
    SESSION_FAULT_NOBODY,
    SESSION_FAULT_CLIENT,
    SESSION_FAULT_TARGET,
    SESSION_FAULT_PEER,
    SESSION_FAULT_HERE,
    SESSION_FAULT_COUNT
};

struct session_end {
    const char *name, *event;
    enum log_level level;
    enum session_fault fault;
    const char *sentence, *advice; /* advice: "" where there is nothing to do */
};

/* Static; NONE is that of a session that has not ended. */
const struct session_end *session_end_of(enum session_ended ended);

/* "client": as the log and the manual have it. */
const char *session_fault_name(enum session_fault fault);

#endif
