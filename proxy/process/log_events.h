/* proxy/process/log_events.h: every event that a line of the log can have.
 *
 * X(name, level, "text"). `name` is fixed, so that a monitor may look for it; `level` is the loudest one that it comes
 * with; `text` says what has happened. yett(8) has all of them, in EVENTS OF THE LOG, in these words and this order,
 * and a test (tests/structure/events.py) holds the three against each other: this list, the manual, and what the
 * sources write.
 *
 * The ends of connections are events, too; what each means is in proxy/session/session_ends.h. */
#ifndef YETT_PROXY_PROCESS_LOG_EVENTS_H
#define YETT_PROXY_PROCESS_LOG_EVENTS_H

#define LOG_EVENTS(X)                                                                                                  \
    /* The whole. */                                                                                                   \
    X(ready, INFO, "yett serves for the first time")                                                                   \
    X(reloaded, INFO, "a new configuration serves; connections of the old one go on")                                  \
    X(reload_failed, ERROR, "a new configuration has a mistake, or could not be opened; the old one serves on")        \
    X(reload_waits, INFO, "a reload waits until an older generation of workers has ended")                             \
    X(generation_ended, DEBUG, "the last connection of an older configuration has ended, and its workers with it")     \
    X(draining, INFO, "no new connections are taken; those there are may end")                                         \
    X(drain_timeout, INFO, "drain_timeout is over, and the connections that are left are closed")                      \
    X(stopping, INFO, "yett was told to stop, now or once connections have ended")                                     \
    X(stopped, INFO, "yett has stopped")                                                                               \
    X(loop_not_empty, ERROR, "something was still open at the end: a fault of yett's own")                             \
    X(nss_shutdown_failed, ERROR, "something of NSS was still in use at the end: a fault of yett's own")               \
    X(log_suppressed, WARNING, "peers caused more lines of one event in a second than are written")                    \
    /* Workers. */                                                                                                     \
    X(worker_ready, INFO, "a worker serves")                                                                           \
    X(worker_start_failed, ERROR, "a worker could not be started; it is tried again")                                  \
    X(worker_failed, ERROR, "a worker could not begin to serve, or said what no worker says")                          \
    X(worker_died, ERROR, "a worker ended by itself, with its connections; another takes its place")                   \
    X(supervisor_lost, ERROR, "a worker has lost the supervisor, and stops")                                           \
    X(sandbox, WARNING, "what a worker may still do; a warning where the kernel has no seccomp")                       \
    X(session_cache_lock_repaired, WARNING, "a worker died while it held a part of the session cache")                 \
    /* What a configuration names. */                                                                                  \
    X(identity_warning, WARNING, "a certificate of ours serves, but not as well as it might")                          \
    X(identity_away, WARNING, "the token with a key of ours is not there; its service refuses clients")                \
    X(identity_expires, WARNING, "a certificate of ours ends soon")                                                    \
    X(identity_expired, WARNING, "a certificate of ours has expired")                                                  \
    X(identity_not_yet_valid, WARNING, "a certificate of ours is not valid yet")                                       \
    X(groups_exclude, WARNING, "with the groups of a service some peers have none in common")                          \
    X(authority_left_out, WARNING, "an authority that is configured cannot be used")                                   \
    X(authority_expired, WARNING, "an authority that is configured has expired")                                       \
    X(chain_incomplete, WARNING, "nothing is sent with a certificate of ours")                                         \
    X(staple_expired, WARNING, "an OCSP response of ours should have been replaced by now")                            \
    X(roots_old, WARNING, "the list of roots is old")                                                                  \
    X(crls_read, INFO, "certificate revocation lists were read")                                                       \
    X(crl_expired, WARNING, "a certificate revocation list should have been replaced by now")                          \
    X(crl_not_yet_valid, WARNING, "a certificate revocation list is from the future")                                  \
    X(listen_not_tried, INFO, "whether a port below 1024 is free was not tried, for lack of a right")                  \
    /* Tokens. */                                                                                                      \
    X(agent, INFO, "what a token agent has to say")                                                                    \
    X(agent_ready, INFO, "a token agent has loaded its module")                                                        \
    X(agent_failed, ERROR, "a token agent cannot use its module")                                                      \
    X(agent_start_failed, ERROR, "a token agent could not be started; it is tried again")                              \
    X(agent_died, ERROR, "a token agent ended by itself, perhaps through its module; another takes its place")         \
    X(agent_socket_owner_failed, ERROR, "a token agent's socket could not be given to the workers' user")              \
    X(grants_failed, ERROR, "which worker may use which key could not be told to the token agents")                    \
    X(file_keys_failed, ERROR, "the keys of files could not be given to their agent")                                  \
    X(token_gone, WARNING, "a token was taken out")                                                                    \
    X(token_awaited, INFO, "a token is there that services wait for: workers start anew")                              \
    X(token_back, INFO, "a token is there again")                                                                      \
    X(token_logged_out, WARNING, "a token has forgotten that it was logged in")                                        \
    X(pin_not_given, WARNING,                                                                                          \
      "a token asks for its PIN and gets none: there is none, or its last tries are a person's")                       \
    X(pin_refused, ERROR, "a token does not take its PIN")                                                             \
    X(login_failed, WARNING, "a token failed its login with an error that is not about the PIN; it is made again")     \
    X(pin_renewed, INFO, "a token's PIN was given anew")                                                               \
    X(pin_lost, WARNING, "a token's PIN cannot be read any more")                                                      \
    X(pin_withdrawn, WARNING, "a token's PIN was taken back, and its token logged out")                                \
    /* Asking the world. */                                                                                            \
    X(ocsp_fetch_failed, WARNING, "an OCSP responder gave no answer")                                                  \
    X(ocsp_answer, WARNING, "what an OCSP responder answered, where it is no use, or bad news")                        \
    X(crl_fetched, INFO, "a certificate revocation list was fetched")                                                  \
    X(crl_fetch_failed, ERROR, "a certificate revocation list could not be fetched")                                   \
    X(issuer_fetched, INFO, "an issuer's certificate that a peer did not send was fetched")                            \
    X(issuer_fetch_failed, WARNING, "an issuer's certificate that a peer did not send could not be fetched")           \
    X(intermediates_read, DEBUG, "the intermediates of earlier connections were read")                                 \
    X(intermediates_ignored, WARNING, "the file of intermediates cannot be used")                                      \
    X(intermediates_not_kept, WARNING, "the file of intermediates could not be written; it is tried again")            \
    X(intermediate_not_readable, WARNING, "what a worker gave as an intermediate is none")                             \
    /* Those who ask. */                                                                                               \
    X(control_refused, WARNING, "somebody asked for more on the control socket than is allowed")                       \
    X(control_mode_failed, ERROR, "the control socket could not be given to those who may use it")                     \
    /* Connections. */                                                                                                 \
    X(accept_paused, WARNING, "no connection can be accepted for a while")                                             \
    X(connection_refused, WARNING, "a connection was closed at once: a limit is reached")                              \
    X(session_started, DEBUG, "a client has connected")                                                                \
    X(session_state, DEBUG, "a connection goes on to its next step")                                                   \
    X(target_left_alone, WARNING, "one of several targets failed, and is tried behind the others for a while")         \
    X(target_back, INFO, "one of several targets serves again")                                                        \
    X(target_passed_over, DEBUG, "a target could not be reached, and the next one is tried")                           \
    X(verification_warning, WARNING, "a peer was accepted although something is not as it should be")                  \
    X(session_ended, INFO, "a connection has ended in good order, or as peers end them")                               \
    X(access_denied, WARNING, "a client that was verified is not allowed in")                                          \
    X(proxy_header_refused, WARNING, "a PROXY header is missing, malformed, or from who is not to send one")           \
    X(client_protocol_error, WARNING, "a client broke the rules of its protocol")                                      \
    X(client_timeout, WARNING, "a client took too long before it was served")                                          \
    X(client_tls_failed, WARNING, "TLS with a client failed")                                                          \
    X(target_denied, WARNING, "a client asked for a target that is not allowed")                                       \
    X(target_failed, WARNING, "no target could be reached, or none that serves")                                       \
    X(target_tls_failed, WARNING, "TLS with a target failed")                                                          \
    X(relay_protocol_error, WARNING, "one side broke the rules of its protocol when both were connected")              \
    X(relay_tls_failed, WARNING, "TLS of an established connection failed")

#define LOG_EVENT_ENUM(name, level, text) LOG_EVENT_##name,
enum log_event { LOG_EVENTS(LOG_EVENT_ENUM) LOG_EVENT_COUNT };
#undef LOG_EVENT_ENUM

#endif
