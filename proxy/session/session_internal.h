/* proxy/session/session_internal.h: between the files of the session. Private to session*.c.
 *
 *   session.c               the states, the step, time, the beginning and the end
 *   session_proxied.c       who the client is, by its address or a PROXY header, and whether it may come in
 *   session_door.c          which of the services at an address the client goes to
 *   session_client.c        the client's side up to the access rules
 *   session_target_steps.c  the target's side up to the relay; the order is in proxy/session/target_steps.h
 *   session_target.c        names, addresses and the PROXY header of the target
 *   session_relay.c         the relay
 *   session_exchange.c      one HTTP request over TLS, and its response, in the place of the relay
 *   session_probe.c         a look at a target, without a client
 *   session_report.c        log, counters, JSON */
#ifndef YETT_PROXY_SESSION_SESSION_INTERNAL_H
#define YETT_PROXY_SESSION_SESSION_INTERNAL_H

#include "proxy/session/session.h"
#include "proxy/session/session_advice.h"

/* What a session is: with a client, to relay or to exchange one request and its response; or a look at a target, with
 * none. Each is one table, at the end of its file. Functions for SESSION_RELAY are NULL in what never gets there. */
struct session_kind {
    bool always_tls;     /* with the target, whatever connect_tls says */
    bool client_may_end; /* in RELAY: a client that has ended waits for its answer as others do */

    /* While the target is reached: whether the client is there, as far as it must be. */
    bool (*client_is_there)(struct session *s);
    bool (*make_proxy_header)(const struct session *s, struct buffer *header); /* false: it is too large */
    /* A conversation in clear with the target has ended well; its machine is about to go. */
    void (*note_conversation)(struct session *s);
    /* The target is ready: enters RELAY, or what takes its place. */
    void (*serve)(struct session *s);

    /* In SESSION_RELAY. A direction's source has ended in this way (not OK). */
    void (*on_source_end)(struct session *s, enum starttls_direction direction, enum leg_take how);
    /* That side broke the rules, says the filter. */
    void (*on_broken)(struct session *s, enum starttls_direction direction);
    /* Both directions have moved what they can. */
    void (*on_moved)(struct session *s);
    /* Nothing was sent for as long as it may; half_closed: one side has ended. */
    void (*on_idle)(struct session *s, bool half_closed);
    void (*shut_down)(struct session *s);

    /* The end: before it is told, and after it was. */
    void (*note_failure)(struct session *s);
    void (*on_end)(struct session *s);
};

extern const struct session_kind session_kind_relay, session_kind_exchange, session_kind_probe;

/* session.c */

/* The only setter of the state: forward only; sets the state's deadline. */
void session_enter(struct session *s, enum session_state state);

/* The client is turned away before the relay began, in its protocol's words where it can hear them; takes `reason`. */
void session_refuse(struct session *s, enum starttls_failure failure, enum session_ended ended, char *reason);

/* Whether the service cannot do TLS with its clients, since its token was not there: then the session has ended. */
bool session_is_without_token(struct session *s);

/* Note why it ends (the first reason is the one that is told; takes `reason`, which may be NULL). */
void session_note_end(struct session *s, enum session_ended ended, char *reason);
/* The same where the TLS or the connection of `leg` broke: the line has the error's name, and of a certificate that was
 * refused the path and what it cost. */
void session_note_broken(struct session *s, enum session_ended ended, const struct leg *leg, char *reason);
/* Who has to do something about it, and what, where its end alone does not tell (session_ends.h). Before the end is
 * noted; of a session whose end has been, it is too late. NOBODY, and NULL, leave it to the end; `advice` is static. */
void session_blame(struct session *s, enum session_fault fault, const char *advice);
/* Both transports end now. RESET: the peers must not take it for an orderly end. */
void session_end_now(struct session *s, enum transport_close client, enum transport_close target);

void session_init_target(struct session *s);
/* The target's leg, and its machine. Idempotent. */
void session_close_target(struct session *s, enum transport_close how);

/* The client is gone before it was connected. One that has not said a word is nobody's concern: monitors and load
 * balancers look in this way whether a port is open, and end with FIN or RST. */
void session_client_left(struct session *s);

/* session_relay.c */
void session_step_relay(struct session *s);
bool session_client_is_there(struct session *s); /* with TLS and without; false: it has left, and that is noted */
/* What was still to go to that side, and then its end, as far as there is room. */
void session_advance_ending(struct session *s, enum starttls_direction direction);
void session_blame_filter(struct session *s); /* whom the filter names */
/* The filter says that the target has said all. */
void session_complete_exchange(struct session *s);
void session_uncount_client(struct session *s); /* kind.on_end() of what was accepted */
void session_note_nothing(struct session *s);

/* session_target.c: names and addresses of the target under way */
void session_start_connecting(struct session *s);
/* In SESSION_TARGET_VIA: begins to connect to the upstream proxy again, for the next target. false: there is none.
 * `why` is for the log: what became of this one. */
bool session_try_next_target(struct session *s, const char *why);
/* One of several targets failed (an index of reach.targets), or the one that was reached did, or it serves. */
void session_note_target_failed(struct session *s, size_t at);
void session_note_reached_failed(struct session *s);
void session_note_reached_serves(struct session *s);
void session_release_target(struct session *s);
/* Time is up while targets are connected to: the one under way has failed, and those before it. */
void session_note_connecting_failed(struct session *s);
bool session_take_asked_target(struct session *s); /* http-proxy: false when no rule allows it; then it is counted */
bool session_make_proxy_header(const struct session *s, struct buffer *header);
void session_start_target_tls(struct session *s);

/* session_report.c */
void session_report_started(const struct session *s);
void session_report_tls(struct session *s, struct leg *leg);                                        /* handshake done */
void session_report_tls_failed(struct session *s, const struct leg *leg, enum session_ended ended); /* notes the end */
/* The one line of a session, and the counters of how sessions end. As soon as a session has failed, while all that can
 * be told is still there; the others when they are closed. Once: later calls do nothing. */
void session_report_ended(struct session *s);
size_t session_memory(const struct session *s);

/* session_proxied.c */

/* The client is who its connection says, or its balancer. Begins with it, or turns it away. */
void session_meet_client(struct session *s);
void session_step_proxy_header(struct session *s);
void session_on_header_due(struct session *s);
/* It has sent a PROXY header where none is expected: what is to be said of it; the end is noted. */
bool session_note_unexpected_header(struct session *s);

bool session_client_may_come_in(struct session *s); /* allow_client; false: it is turned away */

/* session_door.c */

/* TLS begins, with what is held: at a door its name is looked for first. */
void session_start_client_tls(struct session *s);
void session_step_client_hello(struct session *s);
/* After the handshake: it has asked NSS for the name that it was let in by. false: it is turned away. */
bool session_kept_its_name(struct session *s);

/* session_client.c */

/* HTTP: keep what the log may be told of the request, before its machine is gone. */
void session_note_request(struct session *s);

enum machine_end { MACHINE_ENDS_PLAIN, MACHINE_ENDS_WITH_TLS };

void session_start_client_machine(struct session *s, enum machine_end end);
void session_step_client_negotiate(struct session *s);
void session_step_client_go_ahead(struct session *s);
void session_step_client_tls(struct session *s);

/* Let the machine of a leg have what has come, and say what it says. *ended: the peer is gone and the machine still
 * waits.
 */
enum starttls_status session_run_machine(struct starttls_machine *machine, struct leg *leg, bool *ended);
void session_say_machine(struct starttls_machine *machine, struct leg *leg); /* what it lends */

/* Who speaks TLS where its protocol wants plain text first is told so: a sentence (static), or NULL. */
const char *session_spoke_tls(const struct session *s, const struct leg *leg);

/* session_target_steps.c */
void session_step_connect(struct session *s);
void session_step_target_via(struct session *s);
void session_step_target_negotiate(struct session *s);
void session_step_target_tls(struct session *s);
void session_step_target_greeting(struct session *s);

/* A plain-text conversation with the target. true: it is over and all is well. */
bool session_target_machine_is_done(struct session *s);

/* session_probe.c */
void session_step_target_probe(struct session *s);
void session_on_probe_due(struct session *s);

/* session.c: for people: "upstream proxy". */
const char *session_state_title(enum session_state state);

/* session.c: a session whose accepted side the caller attaches, if there is one. */
struct session *session_create(struct plane *p, const struct session_accepted *accepted,
                               const struct session_kind *kind);
void session_give_means(struct session *s); /* by its service and its peer */

#endif
