/* proxy/agent_process.h: the agent of one [module]: its socket, its PIN, and its process, replaced when it dies.
 * See proxy/agents.h for all of them. Threads: the loop's. */
#ifndef YETT_PROXY_AGENT_PROCESS_H
#define YETT_PROXY_AGENT_PROCESS_H

#include "config/config.h"
#include "proxy/pin_policy.h"
#include "tokens/pin.h"
#include <jansson.h>
#include <uv.h>

enum { AGENT_PROCESS_STOP_MS = 4000 /* then it is killed */ };

struct agent_process;

struct agent_events {
    /* It says that it cannot go on. `report`: "FILE:LINE: module NAME: why". It may be stopped here. */
    void (*on_failed)(void *owner, struct agent_process *a, const char *report);
    /* After agent_process_stop(), when all is gone; the struct frees itself then. */
    void (*on_ended)(void *owner, struct agent_process *a);
};

/* Copies what it needs of `module`. Takes `listen_fd`, listening at `socket_path` (copied), and `pin` (NULL: none).
 * `before`: the agent whose place it takes, when that has the same PIN: what is known of the PIN, and one that an
 * administrator gave, are taken over. NULL: a PIN nobody knows about yet.
 * Starts the process. */
struct agent_process *agent_process_create(uv_loop_t *loop, const struct config_module *module, int listen_fd,
                                           const char *socket_path, struct tokens_pin *pin,
                                           const struct agent_process *before, const struct agent_events *events,
                                           void *owner);

/* End it and remove its socket. May be called twice. */
void agent_process_stop(struct agent_process *a);

const char *agent_process_name(const struct agent_process *a);
const char *agent_process_socket_path(const struct agent_process *a);
/* Let `client` (besides root and ourselves) connect: the agent is told, and the socket's file becomes that user's.
 * False, with a sentence in *reason (static, or strerror()'s), when what is at its path is not that file. */
MUST_CHECK bool agent_process_give_socket(struct agent_process *a, uid_t client, const char **reason);
/* The PIN as it was read from where the configuration says; NULL: none. Lent. */
const struct tokens_pin *agent_process_pin(const struct agent_process *a);
/* Whether `module` says the same as what it was made from. */
bool agent_process_is_for(const struct agent_process *a, const struct config_module *module);
/* Whether its PIN comes from the same place. */
bool agent_process_pin_is_from(const struct agent_process *a, const struct config_module *module);

/* There is another PIN (takes) where the configuration says: whatever the last one did is forgotten. */
void agent_process_renew_pin(struct agent_process *a, struct tokens_pin *pin);

/* An administrator gives this PIN (takes): used instead of the configured one until that changes. */
void agent_process_login(struct agent_process *a, struct tokens_pin *pin);

/* An administrator takes the PIN back: it is wiped here and in the agent, which logs out and refuses to sign on tokens
 * that need a login, until agent_process_login() or agent_process_renew_pin(). Its successors begin like that. */
void agent_process_logout(struct agent_process *a);
bool agent_process_is_logged_out(const struct agent_process *a);

json_t *agent_process_status(const struct agent_process *a); /* the caller's reference */

#endif
