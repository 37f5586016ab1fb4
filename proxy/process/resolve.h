/* proxy/process/resolve.h: names to addresses, without stopping the loop.
 *
 * getaddrinfo() runs on libuv's threads. At most LIMIT_RESOLVER_THREADS calls run at a time, at most
 * LIMIT_RESOLVER_PER_SERVICE of one service, so that a name server that does not answer one service leaves threads to
 * the others, and LIMIT_RESOLVER_PER_PEER of those for one peer: who chooses the names, as a client of a proxy does,
 * could choose those of a server of its own that never answers, and have everybody else's wait. What waits beyond that
 * is bounded too, of one peer and of all. One lookup asks for one family: RFC 8305 section 3 wants to know of each
 * family as soon as it is there. Caveat: a call cannot be stopped once it runs; resolve_cancel() forgets it, and its
 * thread comes free when the system's resolver gives up. Threads: loop only. */
#ifndef YETT_PROXY_PROCESS_RESOLVE_H
#define YETT_PROXY_PROCESS_RESOLVE_H

#include "base/base.h"
#include "proxy/process/limits.h"
#include <sys/socket.h>
#include <uv.h>

struct resolver;
struct resolve_lookup;

struct resolve_result {
    int error; /* 0, or a libuv error (UV_EAI_NONAME...) */
    size_t count;
    struct sockaddr_storage addresses[LIMIT_ADDRESSES]; /* with the port asked for */
};

/* Before the first use of the loop's threads. `service_count`: services told apart by the fairness limit. */
struct resolver *resolver_create(uv_loop_t *loop, size_t service_count);

/* Lookups still running are forgotten; the memory goes when the last has come back. */
void resolver_destroy(struct resolver **r);

/* For whom a lookup is. */
struct resolve_asker {
    size_t service;
    uint64_t peer; /* a number that stands for who wants it; 0: nobody in particular */
};

/* family: AF_INET or AF_INET6. NULL when too many wait. on_done is called once, from the loop, unless cancelled; the
 * lookup is gone after it. */
struct resolve_lookup *resolve_start(struct resolver *r, struct resolve_asker asker, const char *host, uint16_t port,
                                     int family, void (*on_done)(void *context, const struct resolve_result *result),
                                     void *context);
void resolve_cancel(struct resolve_lookup **lookup); /* NULL-safe; sets *lookup to NULL */

/* Whether `host` is an address literal; fills *address. Never asks anybody. */
MUST_CHECK bool resolve_literal(const char *host, uint16_t port, struct sockaddr_storage *address);

/* "192.0.2.1:443", "[2001:db8::1]:443", for messages. */
enum { RESOLVE_TEXT_SIZE = 64 };
const char *resolve_address_text(const struct sockaddr *address, char *out, size_t out_size);

#endif
