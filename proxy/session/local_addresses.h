/* proxy/session/local_addresses.h: which addresses are this machine's, asked of the kernel's routes.
 *
 * A worker may neither bind a socket nor make a netlink one once it serves, so the one it asks by is opened before; it
 * can look at routes and change none. Addresses come and go, so each question is asked anew; the kernel answers at
 * once. Threads: one at a time. */
#ifndef YETT_PROXY_SESSION_LOCAL_ADDRESSES_H
#define YETT_PROXY_SESSION_LOCAL_ADDRESSES_H

#include "base/base.h"
#include <sys/socket.h>

struct local_addresses;

/* Never NULL: one that cannot be opened takes every address for local, which is the safe side. */
struct local_addresses *local_addresses_open(void);
void local_addresses_close(struct local_addresses **l); /* NULL-safe */

/* Whether what is sent to this IPv4 or IPv6 address (the port does not matter) arrives at this machine. Also true when
 * the kernel does not say. */
bool local_addresses_has(struct local_addresses *l, const struct sockaddr *address);

#endif
