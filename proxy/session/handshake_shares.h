/* proxy/session/handshake_shares.h: how services share a slow token, and how much of it one worker asks for at a time.
 *
 * See proxy/session/handshake_pool.h for what they are for. Pure: no lock, no clock. */
#ifndef YETT_PROXY_SESSION_HANDSHAKE_SHARES_H
#define YETT_PROXY_SESSION_HANDSHAKE_SHARES_H

#include "base/base.h"

/* One service's part of a group. */
struct handshake_share {
    unsigned service;
    size_t waiting;
    uint64_t used_ms; /* of the group's time; who comes back after a pause has had as much as who was served last */
    uint64_t step_ms; /* what one step of it takes, as measured */
};

struct handshake_shares {
    struct handshake_share *items;
    size_t count;
    uint64_t served_ms; /* used_ms of who was served last, before that */
    uint64_t step_ms;   /* what the last step took: of whose nothing is known yet */
};

void handshake_shares_clear(struct handshake_shares *s);
void handshake_shares_came(struct handshake_shares *s, unsigned service);  /* a step waits */
void handshake_shares_went(struct handshake_shares *s, unsigned service);  /* it does not any more */
unsigned handshake_shares_next(const struct handshake_shares *s);          /* of those who wait, who had the least */
void handshake_shares_serve(struct handshake_shares *s, unsigned service); /* one step of it is begun */
void handshake_shares_took(struct handshake_shares *s, unsigned service, uint64_t ms); /* so long did one take */

/* How many first steps may be under way: 1 to `max`. */
struct handshake_pace {
    unsigned now, max;
    uint64_t shortest_ms; /* that a step has taken; 0: not known */
};

void handshake_pace_init(struct handshake_pace *p, unsigned max);
void handshake_pace_took(struct handshake_pace *p, uint64_t ms); /* a step has taken so long */
void handshake_pace_rest(struct handshake_pace *p); /* nothing is to be done: it may be another token by now */

#endif
