/* proxy/session/session.h: one connection through us: an accepted leg, a connected leg, and who decides.
 *
 * The essay on the states is in session.c. Every callback (transport, pool, connector, timer) keeps its news where it
 * belongs and calls session_step(); only that decides who reads, writes, upgrades and closes.
 * A session is freed by session_step() itself, at its very end: who called it must not touch the session or its legs
 * again. Threads: loop only. */
#ifndef YETT_PROXY_SESSION_SESSION_H
#define YETT_PROXY_SESSION_SESSION_H

#include "pkix/identity.h"
#include "proxy/session/connect.h"
#include "proxy/session/leg.h"
#include "proxy/session/plane.h"
#include "proxy/session/session_ends.h"
#include "proxy/session/session_states.h"
#include "proxy/session/target_steps.h"
#include "starttls/proxy_reader.h"
#include "starttls/starttls.h"
#include <netinet/in.h>

enum { SESSION_ID_SIZE = 40, SESSION_PEER_SIZE = 64 };

enum flow_state {
    FLOW_OPEN,
    FLOW_ENDING, /* the source has ended; the rest, and the end, are on their way to the other leg */
    FLOW_ENDED,
};

/* One direction of the relay. */
struct flow {
    enum flow_state state;
    bool lost;              /* the sink broke before it had everything */
    uint64_t bytes;         /* plain text received from the source and passed on */
    uint64_t bytes_at_turn; /* of them, before the session's last turn: see LIMIT_RELAY_BUDGET */
};

/* What a look at a target has found. */
struct session_probe {
    size_t service_index, target_index;           /* of config.services, and of its connect */
    void (*on_done)(struct session_probe *probe); /* once, when `good` and `text` are set */
    bool good;
    char *text;              /* what was negotiated, or the step that failed and why; the probe's owner frees it */
    struct session *session; /* while it runs; lent */
};

/* What a balancer in front of us has said of its client. */
struct session_proxied {
    bool awaited; /* it has not said it yet */
    enum starttls_proxy_subject subject;
    char by[SESSION_PEER_SIZE]; /* the balancer, as the kernel knows it */
    struct span tlvs;           /* ours */
};

/* How the target is reached. */
struct session_reach {
    const struct config_address *targets; /* tried in turn; of the configuration, or what was asked for */
    size_t target_count;
    size_t via_target;              /* of them: the one the upstream proxy is asked for */
    size_t *order;                  /* of several: which of the configuration's each is; NULL: there is no choice */
    struct config_address *ordered; /* what `targets` is then; the texts are the configuration's */
    bool reached;                   /* one of them is connected: */
    size_t reached_target;
    bool held; /* it serves: proxy/session/targets.h */
    struct connector *connector;
    bool done; /* the connector has told: the target is attached, or ... */
    enum connect_status status;
    char *error;               /* ... why not */
    struct target_steps steps; /* from there on */
    size_t step;               /* of them: the next one */
};

/* HTTP: what is known of the request. */
struct session_http {
    enum starttls_request request; /* what for */
    const char *method;            /* static. NULL: not known, or another protocol */
    char *host;                    /* what the Host field says where it is not the target; NULL: nothing else */
    unsigned status;               /* of what the client was given; 0: nothing yet */
    char *page_words;              /* what our page says in the place of a failure's own words; NULL: those */
};

/* Of a socket; without one of the two families there is no address. */
union session_address {
    struct sockaddr header;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct session {
    struct plane *plane;
    struct session *previous, *next; /* plane->sessions */
    struct plane_turn turn;
    struct wheel_entry wheel;
    const struct service *service;
    size_t service_index;
    const struct config_door *door; /* several services listen where it came in; NULL: this one alone */
    size_t counted_as;              /* whose limits it counts for: plane_service_count() */
    struct counters_block *counters;
    char id[SESSION_ID_SIZE]; /* slot.generation.number */

    const struct session_kind *kind; /* what it is: proxy/session/session_internal.h */
    enum session_state state;
    struct leg_means means; /* of both legs */
    struct leg client, target;
    struct starttls_machine *client_machine, *target_machine; /* NULL: no plain-text phase with it now */
    struct session_reach reach;
    struct session_probe *probe; /* borrowed; NULL: another kind */
    struct starttls_filter *filter;
    bool filter_ready; /* it filters no more, but still holds something back */
    struct flow from_client, from_target;
    bool greeted;          /* the client has a greeting, ours */
    bool direct_tls;       /* the client has begun TLS by itself, where it could have asked for it */
    bool starttls_refused; /* our key cannot sign now: STARTTLS is not offered */
    bool trimmed;          /* idle, and its buffers given back */

    uint64_t started_ms;  /* of the loop's clock */
    uint64_t deadline_ms; /* absolute, of every state but SESSION_RELAY */
    uint64_t last_activity_ms;
    union session_address peer, local; /* of the accepted socket, or as a PROXY header has them */
    char peer_text[SESSION_PEER_SIZE];
    struct session_proxied *proxied; /* NULL: no PROXY header is expected from this peer */
    bool words_undecided;            /* what the client has said may still become a PROXY header, and is held */
    bool counted;                    /* among the connections of its address */
    struct config_address asked;     /* http-proxy: the target asked for */
    struct session_http http;
    char *target_host; /* name of the target under way, for its certificate and CONNECT */
    uint16_t target_port;
    char *target_greeting;    /* for the client, where it has none yet; NULL: starttls_greeting_text() */
    char *target_text;        /* for logs: "imap.example.org:993 (192.0.2.1:993)" */
    char *client_subject;     /* of the verified client certificate; NULL: none */
    char *client_common_name; /* its only CN; NULL: none */

    enum session_ended ended;
    char *ended_reason;         /* a sentence; NULL: none */
    enum session_fault fault;   /* who has to do something; NOBODY: as the end says */
    const char *advice;         /* what; static. NULL: as the end says */
    const struct leg *ended_by; /* whose TLS or connection broke, for the error's name; NULL: neither's */
    bool relayed;               /* the relay was reached: somebody was served */
    bool reported;              /* the one line is written */
};

/* What a listener knows of a connection it has accepted. */
struct session_accepted {
    size_t service_index; /* of a door, the one that has the socket */
    size_t door;          /* as in struct config_address; 0: none */
    int fd;               /* the session's from now on */
    enum transport_type type;
    struct sockaddr_storage peer;
};

/* Whether `peer` is a balancer that says first who its client is. The limits of one address are then the client's. */
bool session_awaits_header(const struct config_service *config, const struct sockaddr *peer);

/* Begins. The limits have been checked and counted (listener.c), but for that of one address where a PROXY header is
 * awaited; session_step() counts down when it ends. */
void session_start(struct plane *p, const struct session_accepted *accepted);

/* Reaches one target of a service as a session would, with no client: the same addresses, upstream proxy, STARTTLS, TLS
 * and verification. The PROXY header says LOCAL. Then the target is asked what it can do, where its protocol can be
 * asked, and left in good order. `probe` must live until its on_done. The times are the service's own. */
void session_start_probe(struct plane *p, struct session_probe *probe);

void session_step(struct session *s);

/* For the plane: another step, and whichever of its deadlines is over. */
extern const struct plane_calls session_calls;

/* End now, in the protocol's own words. */
void session_shut_down(struct session *s);

/* One line of JSON for "yett connections"; the caller frees it. */
char *session_to_json(const struct session *s);

#endif
