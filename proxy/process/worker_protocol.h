/* proxy/process/worker_protocol.h: what supervisor and worker say to each other, over a SOCK_SEQPACKET pair.
 *
 * A worker is started as "yett worker" with the pair's end as descriptor 3 and nothing else but stdio and the session
 * cache's descriptor (whose number NSS's inheritance text fixes). It reads blocking until WORKER_START, then its loop
 * takes over. One message is one datagram: a struct worker_message and, with SCM_RIGHTS, at most one descriptor.
 *
 * Who may say what, and when, is one list, WORKER_MESSAGES. A message that is not on it for the phase that its receiver
 * is in, or comes without its descriptor, or with one that it has no use for, ends the peer: the supervisor kills such
 * a worker, and a worker takes its supervisor for lost. A worker is where the network is; what has taken it over must
 * find nothing behind this socket but what an honest one could say at that moment. */
#ifndef YETT_PROXY_PROCESS_WORKER_PROTOCOL_H
#define YETT_PROXY_PROCESS_WORKER_PROTOCOL_H

#include "base/base.h"

/* Phases of who hears a message. */
enum worker_phase {
    /* The supervisor hears a worker, which is, as far as the supervisor knows: */
    WORKER_STARTING,
    WORKER_ACCEPTING, /* after READY */
    WORKER_DRAINING,  /* it has been told to; no new connections */
    WORKER_STOPPING,  /* likewise. What it said before it heard of that may come still */
    /* A worker hears the supervisor: */
    WORKER_UNTOLD,  /* before START */
    WORKER_AT_WORK, /* after it, until its end */
    WORKER_PHASE_COUNT
};

/* X(event, phases of its receiver, descriptors that it carries) */
#define WORKER_MESSAGES(X)                                                                                             \
    /* The supervisor's. CONFIG: a snapshot, in a memory file. COUNTERS: shared memory. TICKET_KEY: PKCS#8 DER in a    \
     * memory file. LISTENER: a listening socket; service, address: indexes. INTERMEDIATES: those that are known, in a \
     * memory file (proxy/process/intermediates_file.h). IDENTITIES: what there is for it of files whose keys an agent \
     * has, in a memory file (proxy/service/file_identities.h). START: text: "slot generation". DRAIN: accept nothing, \
     * end with the last session or when drain_timeout is over. RETIRE: likewise, but with no end to the time; a DRAIN \
     * may follow. CONNECTIONS: list sessions. STOP: close everything now. */                                          \
    X(CONFIG, ON(UNTOLD), 1)                                                                                           \
    X(COUNTERS, ON(UNTOLD), 1)                                                                                         \
    X(TICKET_KEY, ON(UNTOLD), 1)                                                                                       \
    X(LISTENER, ON(UNTOLD), 1)                                                                                         \
    X(INTERMEDIATES, ON(UNTOLD), 1)                                                                                    \
    X(IDENTITIES, ON(UNTOLD), 1)                                                                                       \
    X(START, ON(UNTOLD), 0)                                                                                            \
    X(DRAIN, ON(UNTOLD) | ON(AT_WORK), 0)                                                                              \
    X(CONNECTIONS, ON(AT_WORK), 0)                                                                                     \
    X(STOP, ON(UNTOLD) | ON(AT_WORK), 0)                                                                               \
    /* Either's. INTERMEDIATE: text: one in PEM, learnt (or used again) by who says so, or told by another worker. */  \
    X(INTERMEDIATE, ON(AT_WORK) | ON(STARTING) | ON(ACCEPTING) | ON(DRAINING) | ON(STOPPING), 0)                       \
    /* The worker's. WARNING: text: what an administrator should know of the configuration it has opened, as a line    \
     * ("FILE:LINE: warning: ..."). READY: accepting connections; text: its sandbox, in a second line the path of the  \
     * accelerator that it has loaded, or "none", and a third one where services wait for tokens. FAILED: text: why it \
     * cannot start; it exits next. DRAINED: the last session is gone; it exits next. CONNECTIONS_ITEM: text: one      \
     * session, one line of JSON; they and CONNECTIONS_END only after CONNECTIONS, whose several may have one answer.  \
     */                                                                                                                \
    X(READY, ON(STARTING) | ON(STOPPING), 0)                                                                           \
    X(FAILED, ON(STARTING) | ON(STOPPING), 0)                                                                          \
    X(DRAINED, ON(DRAINING) | ON(STOPPING), 0)                                                                         \
    X(CONNECTIONS_ITEM, ON(ACCEPTING) | ON(DRAINING) | ON(STOPPING), 0)                                                \
    X(CONNECTIONS_END, ON(ACCEPTING) | ON(DRAINING) | ON(STOPPING), 0)                                                 \
    X(WARNING, ON(STARTING) | ON(STOPPING), 0)                                                                         \
    X(RETIRE, ON(AT_WORK), 0)

enum worker_event {
#define WORKER_MESSAGE_EVENT(event, phases, files) WORKER_##event,
    WORKER_MESSAGES(WORKER_MESSAGE_EVENT)
#undef WORKER_MESSAGE_EVENT
        WORKER_EVENT_COUNT
};

enum { WORKER_CONTROL_FD = 3, WORKER_TEXT_MAX = 4352 /* a certificate in PEM */ };

struct worker_message {
    enum worker_event event;
    uint32_t service; /* index into config.services */
    uint32_t address; /* index into its listen[] */
    uint32_t slot;    /* START: worker slot */
    uint32_t generation;
    char text[WORKER_TEXT_MAX]; /* NUL-terminated; only what is used is sent */
};

/* `fd`: descriptor to pass, or -1; stays the caller's. false: errno. */
MUST_CHECK bool worker_send(int socket, const struct worker_message *message, int fd);
/* 1: got one, *fd is a passed descriptor (close-on-exec; the caller's) or -1. 0: the other end closed. -1: errno. */
MUST_CHECK int worker_receive(int socket, struct worker_message *message, int *fd);

/* Why who is in `phase` may not be told this, with a descriptor or without: static text, a sentence's end after the
 * message's name; NULL: it may. */
MUST_CHECK const char *worker_message_fault(enum worker_event event, bool has_file, enum worker_phase phase);

const char *worker_event_name(enum worker_event event); /* as in the list */

#endif
