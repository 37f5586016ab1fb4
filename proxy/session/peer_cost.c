/* see proxy/session/peer_cost.h */
#include "proxy/session/peer_cost.h"

static_assert((LIMIT_PEER_COST_ROWS & (LIMIT_PEER_COST_ROWS - 1)) == 0, "a hash is cut to an index by a mask");

void peer_cost_init(struct peer_cost *c, struct peer_key_secret secret)
{
    *c = (struct peer_cost){.secret = secret};
}

static uint32_t period_of(uint64_t now_ms)
{
    return (uint32_t)(now_ms / LIMIT_PEER_COST_HALVED_MS);
}

/* The peer's row in each array: from different halves of the hash. */
static size_t row_of(const struct peer_cost *c, struct peer_key key, unsigned array)
{
    return (peer_key_hash(key, c->secret, 0) >> 32 * array) & (LIMIT_PEER_COST_ROWS - 1);
}

static uint32_t row_us(const struct peer_cost_row *row, uint32_t period)
{
    uint32_t age = period - row->period;

    return age < 32 ? row->us >> age : 0;
}

static uint32_t cost_us(const struct peer_cost *c, struct peer_key key, uint32_t period)
{
    uint32_t first, second;

    if (!peer_key_is_address(key))
        return 0;
    first = row_us(&c->rows[0][row_of(c, key, 0)], period);
    second = row_us(&c->rows[1][row_of(c, key, 1)], period);
    return first < second ? first : second;
}

static void add(struct peer_cost *c, struct peer_key key, uint64_t us, uint32_t period)
{
    if (!peer_key_is_address(key))
        return;
    for (unsigned array = 0; array < ARRAY_LEN(c->rows); array++) {
        struct peer_cost_row *row = &c->rows[array][row_of(c, key, array)];
        uint32_t before_us = row_us(row, period);

        row->period = period;
        row->us = us < UINT32_MAX - before_us ? before_us + (uint32_t)us : UINT32_MAX;
    }
}

void peer_cost_add(struct peer_cost *c, struct peer_key key, uint64_t us, uint64_t now_ms)
{
    uint32_t period = period_of(now_ms);

    if (cost_us(c, key, period) < LIMIT_PEER_COST_DEAR_US)
        add(c, peer_key_site(key), us, period);
    add(c, key, us, period);
}

bool peer_cost_is_dear(const struct peer_cost *c, struct peer_key key, uint64_t now_ms)
{
    uint32_t period = period_of(now_ms);

    return cost_us(c, key, period) >= LIMIT_PEER_COST_DEAR_US ||
           cost_us(c, peer_key_site(key), period) >= LIMIT_PEER_COST_SITE_DEAR_US;
}
