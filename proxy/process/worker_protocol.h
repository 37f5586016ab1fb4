/* proxy/process/worker_protocol.h: what supervisor and worker say to each other, over a SOCK_SEQPACKET pair.
 *
 * A worker is started as "yett worker" with the pair's end as descriptor 3 and nothing else but stdio and the session
 * cache's descriptor (whose number NSS's inheritance text fixes). It reads blocking until WORKER_START, then its loop
 * takes over. One message is one datagram: a struct worker_message and, with SCM_RIGHTS, at most one descriptor.
 *
 *   supervisor -> worker                          worker -> supervisor
 *   CONFIG   fd: snapshot memfd                   READY    accepting connections; text: its sandbox
 *   COUNTERS fd: shared counters                  FAILED   text: why it cannot start; it exits next
 *   TICKET_KEY fd: memfd with PKCS#8 DER          DRAINED  last session gone; it exits next
 *   LISTENER fd: a listening socket;              CONNECTIONS_ITEM one session, one line of JSON (after CONNECTIONS)
 *            service, address: indexes            CONNECTIONS_END
 *   INTERMEDIATES fd: memfd with intermediates (proxy/process/intermediates_file.h); then, either way,
 *   INTERMEDIATE  text: one in PEM, learnt (or used again) here, or told by another worker
 *   START    text: "slot generation"
 *   DRAIN    stop accepting, end when the last session is gone or drain_timeout is over
 *   CONNECTIONS  list sessions
 *   STOP     close everything now */
#ifndef YETT_PROXY_PROCESS_WORKER_PROTOCOL_H
#define YETT_PROXY_PROCESS_WORKER_PROTOCOL_H

#include "base/base.h"

enum worker_event {
    WORKER_CONFIG,
    WORKER_COUNTERS,
    WORKER_TICKET_KEY,
    WORKER_LISTENER,
    WORKER_START,
    WORKER_DRAIN,
    WORKER_CONNECTIONS,
    WORKER_STOP,
    WORKER_INTERMEDIATES,
    WORKER_INTERMEDIATE,
    WORKER_READY,
    WORKER_FAILED,
    WORKER_DRAINED,
    WORKER_CONNECTIONS_ITEM,
    WORKER_CONNECTIONS_END,
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

#endif
