/* proxy/peer_count.h: how many connections each address has.
 *
 * An IPv4 address counts by itself, an IPv6 address by its /64, since one customer owns at least that; an IPv4-mapped
 * address counts as the IPv4 address it is. Addresses without connections take no memory. The hash is keyed, so that nobody can
 * choose addresses that collide. Threads: one owner. */
#ifndef YETT_PROXY_PEER_COUNT_H
#define YETT_PROXY_PEER_COUNT_H

#include "base/base.h"
#include <netinet/in.h>
#include <sys/socket.h>

struct peer_key {
    uint64_t words[2]; /* both 0: not an IP address (a Unix socket); never counted */
};

struct peer_count;

struct peer_count *peer_count_create(void);
void peer_count_destroy(struct peer_count **p);

struct peer_key peer_key_of(const struct sockaddr *address);

/* One more connection of `key` within `service`, unless it has `limit` already (0: no limit). */
MUST_CHECK bool peer_count_add(struct peer_count *p, size_t service, struct peer_key key, unsigned limit);
void peer_count_subtract(struct peer_count *p, size_t service, struct peer_key key);
unsigned peer_count_of(const struct peer_count *p, size_t service, struct peer_key key);
size_t peer_count_addresses(const struct peer_count *p);

#endif
