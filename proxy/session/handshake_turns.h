/* proxy/session/handshake_turns.h: whose handshake is next on the loop, where nothing waits for a token or a
 * verification.
 *
 * To offer a handshake costs a client nothing: it sends a ClientHello that it has made once, and leaves. To answer it
 * costs us a key exchange and a signature. First come, first served, one client could so make all others wait, since
 * the loop is one thread, and while it computes nobody is accepted either. So the time that each step takes is put down
 * to its peer (proxy/session/peer_cost.h), and as soon as the steps of one round of the loop have taken
 * LIMIT_TURNS_SLICE_US, those of *dear* peers are put *behind*: they are taken when everything else that the loop has
 * to do is done, for as long again, and then the loop looks at who else has come. So nobody waits for dear peers longer
 * than two slices, a dear peer has all that is left, and while nobody else comes, to be dear costs nothing. A client
 * that has left before its turn costs no computing at all.
 *
 * Those behind whose handshake has begun come before those whose has not: what was computed for them is not to be in
 * vain. For the rest it is first in, first out. Beyond waiting_max the one that has waited longest is refused: they
 * hold descriptors, and are not to hold those of others.
 *
 * Steps that may block wait in proxy/session/handshake_pool.h, by the same rule and with a memory of their own. There
 * processor time counts; here elapsed time, since on the loop every step would pay for asking. Where the machine is
 * short of time all become dear sooner, and alike. No loop and no clock: time is asked for by calls, so that a test can
 * give it. Threads: one owner. */
#ifndef YETT_PROXY_SESSION_HANDSHAKE_TURNS_H
#define YETT_PROXY_SESSION_HANDSHAKE_TURNS_H

#include "proxy/session/peer_key.h"

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
    uint64_t (*now_us)(void);                        /* likewise */
    void (*on_turn)(struct handshake_turn *turn);    /* take the step now; `turn` waits no more, and may be freed */
    void (*on_refused)(struct handshake_turn *turn); /* there were too many; likewise */
    void (*on_waiting)(void *context);               /* somebody waits: handshake_turns_give() is due; may be NULL */
    void *context;
};

struct handshake_turns;

struct handshake_turns *handshake_turns_create(const struct handshake_turns_options *options);
void handshake_turns_destroy(struct handshake_turns **t); /* nobody may wait */

/* Whether a step for `peer` may be taken now. false: it was put behind, and on_turn comes. `turn` MUST NOT wait. */
MUST_CHECK bool handshake_turns_ask(struct handshake_turns *t, struct handshake_turn *turn, struct peer_key peer,
                                    enum handshake_turn_kind kind);

/* The clock by which steps are measured. */
uint64_t handshake_turns_now_us(const struct handshake_turns *t);

/* A step was taken for `peer`, of so much time; LIMIT_TURN_COST_US at most count. */
void handshake_turns_charge(struct handshake_turns *t, struct peer_key peer, uint64_t us);

/* The loop begins another round. */
void handshake_turns_begin_round(struct handshake_turns *t);

/* Nobody waits for this turn any more. Idempotent. */
void handshake_turns_leave(struct handshake_turns *t, struct handshake_turn *turn);

/* Everything else is done: turns for those behind, one at least, until LIMIT_TURNS_SLICE_US are over. Whether some
 * still wait: then call again, when everything else that has come is done. */
MUST_CHECK bool handshake_turns_give(struct handshake_turns *t);

size_t handshake_turns_waiting(const struct handshake_turns *t);

#endif
