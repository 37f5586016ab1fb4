/* see proxy/session/handshake_turns.h */
#include "proxy/session/handshake_turns.h"

#include "proxy/process/limits.h"
#include "proxy/session/peer_cost.h"
#include <stdlib.h>

struct queue {
    struct handshake_turn *first, *last; /* oldest first */
};

struct handshake_turns {
    struct handshake_turns_options options;
    struct peer_cost costs;
    struct queue queues[HANDSHAKE_TURN_KINDS];
    size_t waiting;
    uint64_t round_us; /* what steps have taken in this round of the loop */
};

struct handshake_turns *handshake_turns_create(const struct handshake_turns_options *options)
{
    struct handshake_turns *t = base_alloc(sizeof(*t));

    t->options = *options;
    peer_cost_init(&t->costs, peer_key_secret_make());
    return t;
}

void handshake_turns_destroy(struct handshake_turns **turns)
{
    if (*turns == NULL)
        return;
    assert((*turns)->waiting == 0);
    free(*turns);
    *turns = NULL;
}

static void put(struct handshake_turns *t, struct handshake_turn *turn, enum handshake_turn_kind kind)
{
    struct queue *q = &t->queues[kind];

    *turn = (struct handshake_turn){.previous = q->last, .kind = kind, .waits = true};
    if (q->last != NULL)
        q->last->next = turn;
    else
        q->first = turn;
    q->last = turn;
    t->waiting++;
}

void handshake_turns_leave(struct handshake_turns *t, struct handshake_turn *turn)
{
    struct queue *q = &t->queues[turn->kind];

    if (!turn->waits)
        return;
    if (turn->previous != NULL)
        turn->previous->next = turn->next;
    else
        q->first = turn->next;
    if (turn->next != NULL)
        turn->next->previous = turn->previous;
    else
        q->last = turn->previous;
    *turn = (struct handshake_turn){.waits = false};
    t->waiting--;
}

/* The one that has waited longest of those for whom nothing was done yet, if there is one: it is the nearest to its
 * timeout. */
static void refuse_one(struct handshake_turns *t)
{
    struct handshake_turn *fresh = t->queues[HANDSHAKE_TURN_FRESH].first;
    struct handshake_turn *turn = fresh != NULL ? fresh : t->queues[HANDSHAKE_TURN_BEGUN].first;

    handshake_turns_leave(t, turn);
    t->options.on_refused(turn);
}

bool handshake_turns_ask(struct handshake_turns *t, struct handshake_turn *turn, struct peer_key peer,
                         enum handshake_turn_kind kind)
{
    assert(!turn->waits);
    if (t->waiting == 0 && t->round_us < LIMIT_TURNS_SLICE_US)
        return true;
    if (!peer_cost_is_dear(&t->costs, peer, t->options.now_ms()))
        return true;
    if (t->waiting >= t->options.waiting_max)
        refuse_one(t);
    put(t, turn, kind);
    if (t->options.on_waiting != NULL)
        t->options.on_waiting(t->options.context);
    return false;
}

uint64_t handshake_turns_now_us(const struct handshake_turns *t)
{
    return t->options.now_us();
}

void handshake_turns_charge(struct handshake_turns *t, struct peer_key peer, uint64_t us)
{
    t->round_us += us;
    peer_cost_add(&t->costs, peer, us < LIMIT_TURN_COST_US ? us : LIMIT_TURN_COST_US, t->options.now_ms());
}

void handshake_turns_begin_round(struct handshake_turns *t)
{
    t->round_us = 0;
}

static struct handshake_turn *take_next(struct handshake_turns *t)
{
    struct handshake_turn *begun = t->queues[HANDSHAKE_TURN_BEGUN].first;
    struct handshake_turn *turn = begun != NULL ? begun : t->queues[HANDSHAKE_TURN_FRESH].first;

    if (turn != NULL)
        handshake_turns_leave(t, turn);
    return turn;
}

bool handshake_turns_give(struct handshake_turns *t)
{
    uint64_t start_us = t->options.now_us();
    struct handshake_turn *turn;

    while ((turn = take_next(t)) != NULL) {
        t->options.on_turn(turn);
        if (t->options.now_us() - start_us >= LIMIT_TURNS_SLICE_US)
            break;
    }
    return t->waiting != 0;
}

size_t handshake_turns_waiting(const struct handshake_turns *t)
{
    return t->waiting;
}
