/* proxy/session/peer_count.h: how many connections each address has.
 *
 * Addresses count as proxy/session/peer_key.h tells them apart; what is none is never counted. Addresses without
 * connections take no memory. Threads: one owner. */
#ifndef YETT_PROXY_SESSION_PEER_COUNT_H
#define YETT_PROXY_SESSION_PEER_COUNT_H

#include "proxy/session/peer_key.h"

struct peer_count;

struct peer_count *peer_count_create(void);
void peer_count_destroy(struct peer_count **p);

/* One more connection of `key` within `service`, unless it has `limit` already (0: no limit). */
MUST_CHECK bool peer_count_add(struct peer_count *p, size_t service, struct peer_key key, unsigned limit);
void peer_count_subtract(struct peer_count *p, size_t service, struct peer_key key);
unsigned peer_count_of(const struct peer_count *p, size_t service, struct peer_key key);
size_t peer_count_addresses(const struct peer_count *p);

#endif
