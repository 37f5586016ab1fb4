/* proxy/process/listen.h: one listening socket, at a path or an IP address. Threads: listen_unix() changes the umask
 * for a moment, so any one; the others all. */
#ifndef YETT_PROXY_PROCESS_LISTEN_H
#define YETT_PROXY_PROCESS_LISTEN_H

#include "config/config.h"
#include <sys/socket.h>

enum { LISTEN_BACKLOG = 4096 /* the kernel clips it at net.core.somaxconn */ };

/* A listening Unix socket at `path` (mode `mode`), for a stale one if need be: a socket file that nobody answers at is
 * replaced, one that somebody answers at or any other kind of file is an error. -1 with a sentence in *error. */
int listen_unix(const char *path, unsigned mode, char **error);
/* A listening socket of one's own at an IP address. -1 with a sentence in *error. */
int listen_inet(const struct config_address *address, char **error);
/* Remove the file of a socket made by listen_unix(), unless another one has taken its place. */
void listen_unix_remove(int fd, const char *path);

struct listen_inet_address {
    struct sockaddr_storage storage;
    socklen_t size; /* bytes */
};

/* False with a sentence in *error: not an IP address, or an IPv4 one in the form of an IPv6 one. */
MUST_CHECK bool listen_inet_address(const struct config_address *address, struct listen_inet_address *out,
                                    char **error);

/* A socket bound there, which does not listen yet. SHARED: beside others of our user (SO_REUSEPORT). -1 with errno. */
enum listen_share { LISTEN_ALONE, LISTEN_SHARED };
int listen_inet_bind(const struct listen_inet_address *address, enum listen_share share);

#endif
