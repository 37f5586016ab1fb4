/* proxy/supervisor/worker_process.h: one worker as the supervisor sees it: its process, its words, its counters.
 *
 * It is started with everything it needs already on the way (messages that do not fit into the socket wait here), tells
 * what it becomes, and is gone after on_gone: the struct frees itself then. Starting it again is the generation's
 * business. Threads: the loop's. */
#ifndef YETT_PROXY_SUPERVISOR_WORKER_PROCESS_H
#define YETT_PROXY_SUPERVISOR_WORKER_PROCESS_H

#include "proxy/process/counters.h"
#include "proxy/process/spawn.h"
#include "proxy/process/worker_protocol.h"

enum worker_farewell {
    WORKER_ENDED, /* as it was told to, or after it had said why it failed */
    WORKER_DIED,
};

struct worker_process;

struct worker_events {
    void (*on_ready)(void *owner, struct worker_process *w);
    void (*on_warning)(void *owner, struct worker_process *w, const char *line);
    void (*on_failed)(void *owner, struct worker_process *w, const char *why);
    void (*on_caught_up)(void *owner, struct worker_process *w); /* it is no longer behind */
    void (*on_connection)(void *owner, struct worker_process *w, const char *json);
    void (*on_connections_end)(void *owner, struct worker_process *w);
    void (*on_intermediate)(void *owner, struct worker_process *w, const char *pem);
    /* `how`: a sentence such as "was killed by signal 9 (Killed)". The counters can be read here for the last time. */
    void (*on_gone)(void *owner, struct worker_process *w, const char *how, enum worker_farewell farewell);
};

struct worker_options {
    uint32_t slot;
    uint32_t generation;
    size_t service_count;
    const char *session_cache;        /* SSL_INHERITANCE text; NULL: none */
    const struct spawn_fd *cache_fds; /* what the session cache needs, under the same numbers */
    size_t cache_fd_count;
};

/* NULL with a sentence in *error. Follow with worker_process_give() for each thing it needs and worker_process_begin().
 */
struct worker_process *worker_process_spawn(uv_loop_t *loop, const struct worker_options *options,
                                            const struct worker_events *events, void *owner, char **error);

/* Send a message; what the socket does not take now is kept (with a duplicate of `fd`) and sent later. */
void worker_process_give(struct worker_process *w, enum worker_event event, uint32_t service, uint32_t address, int fd);
/* Something waits for the socket to take it. */
bool worker_process_is_behind(const struct worker_process *w);
void worker_process_begin(struct worker_process *w);  /* WORKER_START */
void worker_process_retire(struct worker_process *w); /* of one that accepts; a drain without an end to its time */
void worker_process_drain(struct worker_process *w);
void worker_process_stop(struct worker_process *w); /* everything closed now */
void worker_process_kill(struct worker_process *w); /* for one that does not listen */
void worker_process_list_connections(struct worker_process *w);

/* Tell it of an intermediate (one certificate in PEM); left out when WORKER_TOLD_WAITING_MAX messages wait already: it
 * can do without. */
enum { WORKER_TOLD_WAITING_MAX = 64 };
void worker_process_tell_intermediate(struct worker_process *w, const char *pem);

/* What the supervisor hears of it: WORKER_STARTING to WORKER_STOPPING. */
enum worker_phase worker_process_state(const struct worker_process *w);
const char *worker_state_name(enum worker_phase state);
uint32_t worker_process_slot(const struct worker_process *w);
const char *worker_process_sandbox(const struct worker_process *w);     /* sandbox_describe(); NULL: not ready yet */
bool worker_process_waits_for_tokens(const struct worker_process *w);   /* as it said when it was ready */
const char *worker_process_accelerator(const struct worker_process *w); /* a path, or "none"; NULL: has not said */
int worker_process_pid(const struct worker_process *w);
uint64_t worker_process_started_ms(const struct worker_process *w); /* CLOCK_MONOTONIC */
const struct counters *worker_process_counters(const struct worker_process *w);

#endif
