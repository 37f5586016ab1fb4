/* proxy/supervisor/generation.h: one set of workers on one configuration.
 *
 *   STARTING --all ready--> CURRENT --generation_drain()--> DRAINING --last worker gone--> ended
 *      |  one failed           |                               |
 *      +-----------------------+-----generation_stop()---------+--> STOPPING --------> ended
 *
 * generation_retire() is a drain whose sessions may go on for as long as they like; generation_drain() may follow.
 *
 * While CURRENT, a worker that dies is replaced at once on the same sockets and the same configuration; one that dies
 * again before it was ready, with growing pauses. A STARTING generation has no second try: it fails as a whole, and
 * what runs goes on. Threads: the loop's. */
#ifndef YETT_PROXY_SUPERVISOR_GENERATION_H
#define YETT_PROXY_SUPERVISOR_GENERATION_H

#include "config/config.h"
#include "proxy/supervisor/file_keys.h"
#include "proxy/supervisor/intermediates.h"
#include "proxy/supervisor/listen_sockets.h"
#include "proxy/supervisor/worker_process.h"

enum { GENERATION_WARNINGS_BYTES_MAX = 64 * 1024 };
enum { GENERATION_START_MS_MAX = 120000, GENERATION_STOP_GRACE_MS = 5000, GENERATION_WORKERS_MAX = 256 };

enum generation_state { GENERATION_STARTING, GENERATION_CURRENT, GENERATION_DRAINING, GENERATION_STOPPING };

struct generation;

struct generation_events {
    void (*on_ready)(void *owner, struct generation *g);
    /* A worker has been started, and does nothing before this returns. Also from within generation_start(). */
    void (*on_worker_started)(void *owner, const struct generation *g, const struct worker_process *w);
    /* It is STOPPING already. `why` may have several lines, one finding each. */
    void (*on_failed)(void *owner, struct generation *g, const char *why);
    void (*on_connection)(void *owner, struct generation *g, struct worker_process *w, const char *json);
    void (*on_intermediate)(void *owner, struct worker_process *w, const char *pem);
    void (*on_connections_end)(void *owner, struct worker_process *w); /* also when a worker is gone that was asked */
    /* A worker died or ended: its counters can be read for the last time. */
    void (*on_worker_gone)(void *owner, struct generation *g, const struct worker_process *w);
    /* A worker died without having been told to. Its locks, if it held any, have no owner now. */
    void (*on_worker_died)(void *owner, struct generation *g);
    void (*on_ended)(void *owner, struct generation *g); /* no process is left; g frees itself afterwards */
};

/* What all workers of all generations are given. */
struct generation_shared {
    struct listen_sockets *sockets;      /* borrowed */
    struct intermediates *intermediates; /* likewise */
    int ticket_key_fd;                   /* memfd; borrowed */
    const char *session_cache;           /* see worker_process.h */
    const struct spawn_fd *cache_fds;
    size_t cache_fd_count;
};

/* What one generation runs on, and no other. */
struct generation_settings {
    struct config *config;
    int snapshot_fd;             /* of the configuration; memfd */
    struct file_keys *file_keys; /* NULL: none */
};

/* Takes what is in `settings`. With a sentence in *error (owned by the caller) when a process cannot even be
 * started: then it is STOPPING already, and on_ended comes. `shared`, `events` and `owner` are borrowed while it lives.
 */
struct generation *generation_start(uv_loop_t *loop, uint32_t number, const struct generation_settings *settings,
                                    const struct generation_shared *shared, const struct generation_events *events,
                                    void *owner, char **error);

/* What its workers have said of its configuration while they started, "FILE:LINE: warning: ..." a line; the caller's.
 */
char *generation_warnings(const struct generation *g);

/* Stop accepting; workers end with their last session, or when drain_timeout is over. */
void generation_drain(struct generation *g);
/* Stop accepting; workers end with their last session. Of one that is CURRENT; else it does nothing. */
void generation_retire(struct generation *g);
bool generation_is_retired(const struct generation *g); /* and not drained since */
/* End now. */
void generation_stop(struct generation *g);

enum generation_state generation_state(const struct generation *g);
const char *generation_state_name(enum generation_state state);
uint32_t generation_number(const struct generation *g);
const struct config *generation_config(const struct generation *g);
int generation_snapshot_fd(const struct generation *g);             /* of its configuration; lent */
struct file_keys *generation_file_keys(const struct generation *g); /* lent; NULL: none */

/* The worker of slot `index`, or NULL while there is none. */
unsigned generation_worker_count(const struct generation *g);
struct worker_process *generation_worker(const struct generation *g, unsigned index);

/* Whether services of it wait for tokens that were away when a worker started. */
bool generation_waits_for_tokens(const struct generation *g);

/* How many workers a configuration asks for. */
unsigned generation_workers_wanted(const struct config *config);

#endif
