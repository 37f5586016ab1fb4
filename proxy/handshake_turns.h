/* proxy/handshake_turns.h: whose handshake is next on the loop, where nothing waits for a token or a verification.
 *
 * To offer a handshake costs a client nothing: it sends a ClientHello that it has made once, and leaves. To answer it
 * costs us a key exchange and a signature. First come, first served, one client could so make all others wait, since
 * the loop is one thread, and while it computes nobody is accepted either. So the processor time of each step is put
 * down to its peer (proxy/peer_cost.h), and the steps of a *dear* peer are put *behind*: they are taken when everything
 * else that the loop has to do is done, for LIMIT_TURNS_SLICE_US at a time, and then the loop looks again at who else
 * has come. So nobody waits for a dear peer longer than that, a dear peer has all that is left, and while nobody else
 * comes, to be behind costs nothing. A client that has left before its turn costs no computing at all.
 *
 * Those behind whose handshake has begun come before those whose has not: what was computed for them is not to be in
 * vain. For the rest it is first in, first out. Beyond waiting_max the one that has waited longest is refused: they
 * hold descriptors, and are not to hold those of others.
 *
 * (Steps that may block wait in proxy/handshake_pool.h, by the same rule and with a memory of their own.)
 * No loop and no clock: time is asked for by calls, so that a test can give it. Threads: one owner. */
#ifndef YETT_PROXY_HANDSHAKE_TURNS_H
#define YETT_PROXY_HANDSHAKE_TURNS_H

#include "proxy/peer_key.h"

enum handshake_turn_kind { HANDSHAKE_TURN_FRESH, HANDSHAKE_TURN_BEGUN, HANDSHAKE_TURN_KINDS };

/* A place in the queue; its owner's memory. All zero: it waits for nothing. */
struct handshake_turn {
    struct handshake_turn *next, *previous;
    enum handshake_turn_kind kind;
    bool waits;
};

struct handshake_turns_options {
    size_t waiting_max;                              /* at least one */
    uint64_t (*now_ms)(void);                        /* never goes back */
    uint64_t (*thread_us)(void);                     /* processor time of the calling thread */
    void (*on_turn)(struct handshake_turn *turn);    /* take the step now; `turn` waits no more, and may be freed */
    void (*on_refused)(struct handshake_turn *turn); /* there were too many; likewise */
};

struct handshake_turns;

struct handshake_turns *handshake_turns_create(const struct handshake_turns_options *options);
void handshake_turns_destroy(struct handshake_turns **t); /* nobody may wait */

/* Whether a step for `peer` may be taken now. false: it was put behind, and on_turn comes. `turn` MUST NOT wait. */
MUST_CHECK bool handshake_turns_ask(struct handshake_turns *t, struct handshake_turn *turn, struct peer_key peer,
                                    enum handshake_turn_kind kind);

/* A step was taken for `peer`, of so much processor time. */
void handshake_turns_charge(struct handshake_turns *t, struct peer_key peer, uint64_t us);

/* Nobody waits for this turn any more. Idempotent. */
void handshake_turns_leave(struct handshake_turns *t, struct handshake_turn *turn);

/* Everything else is done: turns for those behind, one at least, until LIMIT_TURNS_SLICE_US are over. Whether some
 * still wait: then call again, when everything else that has come is done. */
MUST_CHECK bool handshake_turns_give(struct handshake_turns *t);

size_t handshake_turns_waiting(const struct handshake_turns *t);

#endif
