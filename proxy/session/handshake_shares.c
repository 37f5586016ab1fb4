/* see proxy/session/handshake_shares.h */
#include "proxy/session/handshake_shares.h"

#include "proxy/process/limits.h"
#include <stdlib.h>

void handshake_shares_clear(struct handshake_shares *s)
{
    free(s->items);
    *s = (struct handshake_shares){.count = 0};
}

static struct handshake_share *find(struct handshake_shares *s, unsigned service)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->items[i].service == service)
            return &s->items[i];
    return NULL;
}

void handshake_shares_came(struct handshake_shares *s, unsigned service)
{
    struct handshake_share *share = find(s, service);

    if (share == NULL) {
        s->items = base_realloc_array(s->items, s->count + 1, sizeof(*s->items));
        share = &s->items[s->count++];
        *share = (struct handshake_share){.service = service};
    }
    if (share->waiting++ == 0 && share->used_ms < s->served_ms)
        share->used_ms = s->served_ms;
}

void handshake_shares_went(struct handshake_shares *s, unsigned service)
{
    struct handshake_share *share = find(s, service);

    assert(share != NULL && share->waiting > 0);
    share->waiting--;
}

unsigned handshake_shares_next(const struct handshake_shares *s)
{
    const struct handshake_share *least = NULL;

    for (size_t i = 0; i < s->count; i++)
        if (s->items[i].waiting > 0 && (least == NULL || s->items[i].used_ms < least->used_ms))
            least = &s->items[i];
    assert(least != NULL);
    return least->service;
}

void handshake_shares_serve(struct handshake_shares *s, unsigned service)
{
    struct handshake_share *share = find(s, service);

    assert(share != NULL);
    s->served_ms = share->used_ms;
    share->used_ms += 1 + (share->step_ms == 0 ? s->step_ms : share->step_ms);
}

void handshake_shares_took(struct handshake_shares *s, unsigned service, uint64_t ms)
{
    struct handshake_share *share = find(s, service);

    s->step_ms = ms;
    if (share != NULL)
        share->step_ms = share->step_ms == 0 ? ms : (3 * share->step_ms + ms) / 4;
}

void handshake_pace_init(struct handshake_pace *p, unsigned max)
{
    *p = (struct handshake_pace){.now = max, .max = max};
}

void handshake_pace_took(struct handshake_pace *p, uint64_t ms)
{
    if (p->shortest_ms == 0 || ms < p->shortest_ms)
        p->shortest_ms = ms == 0 ? 1 : ms;
    if (ms <= LIMIT_STEP_QUICK_MS || ms <= 2 * p->shortest_ms) {
        if (p->now < p->max)
            p->now++;
    } else if (ms >= 3 * p->shortest_ms) {
        if (p->now > 1)
            p->now--;
        else
            p->shortest_ms = ms; /* it does not wait for another of ours: the token has become slower */
    }
}

void handshake_pace_rest(struct handshake_pace *p)
{
    p->shortest_ms = 0;
    p->now = p->max;
}
