/* proxy/session/peer_key.h: whose connection it is, as limits and queues tell peers apart.
 *
 * An IPv4 address is a peer by itself, an IPv6 address by its /64, since one customer owns at least that; an
 * IPv4-mapped address is the IPv4 address it is. */
#ifndef YETT_PROXY_SESSION_PEER_KEY_H
#define YETT_PROXY_SESSION_PEER_KEY_H

#include "base/base.h"
#include <netinet/in.h>
#include <sys/socket.h>

struct peer_key {
    uint64_t words[2]; /* both 0: not an IP address (a Unix socket) */
};

struct peer_key peer_key_of(const struct sockaddr *address);
bool peer_key_is_address(struct peer_key key);

/* The /48 around an IPv6 peer: what a site is given (RFC 6177), and so how many peers one may be. Of others no address.
 */
struct peer_key peer_key_site(struct peer_key key);

/* Peers choose their keys, so tables find them by a hash that depends on a secret: nobody can choose to share a place.
 */
struct peer_key_secret {
    uint64_t words[2];
};

struct peer_key_secret peer_key_secret_make(void); /* random */

/* All 64 bits are of use. `salt`: what else is in the table's key. */
uint64_t peer_key_hash(struct peer_key key, struct peer_key_secret secret, uint64_t salt);

#endif
