/* proxy/session/peer_cost.h: what peers have cost lately, so that those who have cost much can wait behind those who
 * have not.
 *
 * A sketch of fixed size: each peer has a row in each of two arrays, shared with whomever the hash puts there too, and
 * what it has cost is the lesser of the two. So nobody is forgotten because others came, and somebody is mistaken for
 * dear only if both rows are somebody's who is. All rows are halved every LIMIT_PEER_COST_HALVED_MS, and so hold what
 * is computed in twice that at most: with one core that makes 200 peers dear at a time, and the mistake has a chance of
 * one in a hundred.
 *
 * An IPv6 peer may be one of many of the same owner, so its /48 is counted as well, with a larger allowance. There only
 * counts what a peer costs before it is dear itself: one dear customer does not make dear all those of a provider that
 * gives each a /64.
 *
 * No clock, no lock: a function of its arguments; the caller locks. `now_ms` never goes back. What is no address costs
 * nothing and is never dear. */
#ifndef YETT_PROXY_SESSION_PEER_COST_H
#define YETT_PROXY_SESSION_PEER_COST_H

#include "proxy/process/limits.h"
#include "proxy/session/peer_key.h"

struct peer_cost {
    struct peer_key_secret secret;
    struct peer_cost_row {
        uint32_t period; /* when `us` was true; it has been halved with each period since */
        uint32_t us;
    } rows[2][LIMIT_PEER_COST_ROWS];
};

void peer_cost_init(struct peer_cost *c, struct peer_key_secret secret);

/* `us`: microseconds of processor time. */
void peer_cost_add(struct peer_cost *c, struct peer_key key, uint64_t us, uint64_t now_ms);

/* Whether the peer, or its site, has used up its allowance. */
bool peer_cost_is_dear(const struct peer_cost *c, struct peer_key key, uint64_t now_ms);

#endif
