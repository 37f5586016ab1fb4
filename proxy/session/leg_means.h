/* proxy/session/leg_means.h: what a leg is made from: values, and two callbacks.
 *
 * A leg knows no session, no plane, no service and no loop but its transport's. So a test makes legs over nothing but
 * buffers. Both legs of a session share one of these; it is borrowed while they live. */
#ifndef YETT_PROXY_SESSION_LEG_MEANS_H
#define YETT_PROXY_SESSION_LEG_MEANS_H

#include "proxy/process/counters.h"
#include "proxy/session/handshake_pool.h"
#include "proxy/session/handshake_turns.h"

/* Memory that all legs of a process use in turn, since none keeps anything there beyond one step. */
struct leg_blocks {
    uint8_t *read; /* lent to plain legs for one read */
    size_t read_size;
    uint8_t *relay; /* plain text between two legs */
    size_t relay_size;
};

struct leg_means {
    const struct leg_blocks *blocks;
    struct handshake_pool *pool;
    struct handshake_turns *turns;
    size_t pool_group, verify_group; /* of the pool: for steps that may sign, and that may verify */
    unsigned service;                /* a number of the service's, to share a token by */
    struct peer_key peer;            /* whom the handshakes of both legs are put down to: the client */
    struct counters_block *counters; /* how many wait */
    struct {
        void (*news)(void *context);  /* something has changed: step. The callee may free the leg; nothing follows */
        void (*moved)(void *context); /* bytes have come or gone */
        void *context;
    } events;
};

#endif
