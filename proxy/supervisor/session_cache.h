/* proxy/supervisor/session_cache.h: what TLS sessions need to be resumed on any worker and across reloads: NSS's shared
 * session cache and the ticket key, made once by the supervisor.
 *
 * The cache is a mapped file and a set of locks; each lock is a pipe with one byte in it while it is free. NSS finds
 * all of them in a worker by their descriptor numbers, so each worker inherits all of them under the same numbers, and
 * nobody else does. A worker that is killed between taking and giving back a lock takes the byte along, and everybody
 * else would wait (NSS's own remedy comes after half a minute, and a waiting worker is a loop that stands still):
 * session_cache_repair() finds such locks and puts their bytes back.
 * Threads: the loop's. */
#ifndef YETT_PROXY_SUPERVISOR_SESSION_CACHE_H
#define YETT_PROXY_SUPERVISOR_SESSION_CACHE_H

#include "proxy/process/spawn.h"

struct session_cache;

/* Starts NSS in this process. NULL with a sentence in *error. */
struct session_cache *session_cache_create(uv_loop_t *loop, char **error);
/* Shuts NSS down. The memory is freed when the loop has run once more. */
void session_cache_destroy(struct session_cache **c);

/* Lent while the cache lives. */
const char *session_cache_inheritance(const struct session_cache *c); /* the text of SSL_INHERITANCE */
const struct spawn_fd *session_cache_fds(const struct session_cache *c, size_t *count);
int session_cache_ticket_key_fd(const struct session_cache *c); /* sealed memfd with PKCS#8 DER */

/* A worker died: look after its locks. A lock held by a living worker is free again within microseconds; one that is
 * taken whenever we look, for a third of a second, has lost its owner. */
void session_cache_repair(struct session_cache *c);

#endif
