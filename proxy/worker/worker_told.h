/* proxy/worker/worker_told.h: what the supervisor tells a worker before it starts, read blocking, up to START
 * (proxy/process/worker_protocol.h). Nothing of it is looked at here but its size: whoever takes it, judges it. */
#ifndef YETT_PROXY_WORKER_WORKER_TOLD_H
#define YETT_PROXY_WORKER_WORKER_TOLD_H

#include "proxy/process/worker_protocol.h"
#include "proxy/service/file_identities.h"

/* A listening socket as it came, until the configuration is known. */
struct passed_listener {
    size_t service_index, address_index; /* the latter of its listen */
    int fd;                              /* -1: taken */
};

/* Descriptors are its own until somebody takes them, and says so with -1. */
struct worker_told {
    int config_fd, counters_fd, intermediates_fd; /* -1: not told */
    struct passed_listener *listeners;
    size_t listener_count;
    struct file_identities *identities; /* NULL: none */
    uint8_t *ticket_key;                /* a private key: to be wiped once NSS has it */
    size_t ticket_key_size;
    unsigned slot, generation;
};

#define WORKER_TOLD_NOTHING                                                                                            \
    {                                                                                                                  \
        .config_fd = -1, .counters_fd = -1, .intermediates_fd = -1                                                     \
    }

/* Read until START. False: there is nobody to work for (*error NULL), or who is there cannot be understood (*error a
 * sentence, the caller's). */
MUST_CHECK bool worker_told_receive(struct worker_told *t, char **error);
void worker_told_wipe_ticket_key(struct worker_told *t);
void worker_told_clear(struct worker_told *t);

/* What is wrong with a message of the supervisor's, as a sentence. Owned by the caller. */
char *worker_told_fault_text(enum worker_event event, const char *fault);

#endif
