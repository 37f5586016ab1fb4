/* proxy/supervisor/listen_sockets.h: the listening sockets, opened once and kept across generations.
 *
 * An IP address has one SO_REUSEPORT socket per worker slot: the kernel spreads connections over them. A Unix address
 * or a socket handed over by systemd has what there is, shared by all workers. Once a socket is open it stays open
 * while its address stays configured: connections wait in its queue while workers come and go. So a configuration with
 * fewer workers has the sockets dealt out over the workers it has, and one with more workers has workers that share: a
 * socket added to a group gets connections at once, and could not be closed again without cutting them if the reload
 * failed.
 *
 * A new configuration is *prepared* (what is missing is opened), then either *committed* (what is no longer named is
 * closed) or *abandoned* (what the preparation opened is closed again).
 * Threads: one. */
#ifndef YETT_PROXY_SUPERVISOR_LISTEN_SOCKETS_H
#define YETT_PROXY_SUPERVISOR_LISTEN_SOCKETS_H

#include "proxy/process/listen.h"

struct listen_sockets;

/* Takes over the sockets that systemd passed, if any. */
struct listen_sockets *listen_sockets_create(void);
/* Closes all, and removes the files of Unix sockets that are still ours. */
void listen_sockets_destroy(struct listen_sockets **ls);

/* False with findings (address in use, no permission, no such systemd socket ...); nothing has changed then. */
MUST_CHECK bool listen_sockets_prepare(struct listen_sockets *ls, const struct config *config, unsigned worker_count,
                                       struct config_findings *findings);
/* The same judgement of IP addresses, with nothing left open and nobody's connections taken: for "yett check". Not
 * asked about are addresses in `ours` (as configured; NULL at its end), where a yett of this configuration listens. */
MUST_CHECK bool listen_sockets_check(const struct config *config, const char *const *ours,
                                     struct config_findings *findings);
void listen_sockets_commit(struct listen_sockets *ls, const struct config *config);
void listen_sockets_abandon(struct listen_sockets *ls);

/* Stop listening altogether, as for "yett drain"; sockets of systemd are kept, without being listened to by anyone. */
void listen_sockets_close(struct listen_sockets *ls);

/* The sockets of `address` that worker `slot` of `worker_count` is to accept from: call with *cursor 0 first; gives -1
 * after the last one. */
int listen_sockets_next(const struct listen_sockets *ls, const struct config_address *address, unsigned slot,
                        unsigned worker_count, size_t *cursor);

/* Whether worker `slot` of `worker_count` accepts from socket `index` of a group of `socket_count`. Each socket has a
 * worker, and each worker a socket. Pure. */
bool listen_socket_is_for(size_t index, size_t socket_count, unsigned slot, unsigned worker_count);

#endif
