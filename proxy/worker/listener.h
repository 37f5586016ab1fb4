/* proxy/worker/listener.h: accepting connections of one listening socket, within the limits.
 *
 * The socket comes from the supervisor and is shared with other generations of workers: it is never shut down, only
 * closed, so that no connection is refused by a reload.
 * Limits: a service's connections, and those of one address; beyond them a client is told so in its protocol's words
 * and closed. Out of descriptors, nothing is accepted and clients wait in the kernel's queue, until a session ends or a
 * moment has passed. Threads: loop only. */
#ifndef YETT_PROXY_WORKER_LISTENER_H
#define YETT_PROXY_WORKER_LISTENER_H

#include "proxy/session/plane.h"

struct listener;

/* Takes `fd`. `door`: as in struct config_address. NULL with a sentence in *error (then fd is closed). */
struct listener *listener_create(struct plane *p, size_t service_index, size_t door, int fd, char **error);

/* The address it listens on; family AF_UNIX where it is none. */
const struct sockaddr_storage *listener_address(const struct listener *l);

/* A session has ended: one that paused may go on. */
void listener_resume(struct listener *l);

/* Stops accepting; the memory goes with the loop's next turn. NULL-safe; sets *l to NULL. */
void listener_destroy(struct listener **l);

#endif
