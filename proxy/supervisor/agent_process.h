/* proxy/supervisor/agent_process.h: the agent of one [module]: its socket, its PIN, and its process, replaced when it
 * dies. See proxy/supervisor/agents.h for all of them. Threads: the loop's. */
#ifndef YETT_PROXY_SUPERVISOR_AGENT_PROCESS_H
#define YETT_PROXY_SUPERVISOR_AGENT_PROCESS_H

#include "config/config.h"
#include "proxy/supervisor/pin_policy.h"
#include "tokens/pin.h"
#include <jansson.h>
#include <uv.h>

enum { AGENT_PROCESS_STOP_MS = 4000 }; /* then it is killed */

struct agent_process;

struct agent_events {
    /* It has loaded its module: at the start, and again after each death. It may be stopped here. */
    void (*on_ready)(void *owner, struct agent_process *a);
    /* It says that it cannot go on, or it died or was too slow before it had loaded its module. It is started again
     * all the same. `report`: "FILE:LINE: module NAME: why". It may be stopped here. */
    void (*on_failed)(void *owner, struct agent_process *a, const char *report);
    void (*on_token)(void *owner, struct agent_process *a); /* a token came back, or was logged in to */
    /* A token does not take its PIN. `report` as above. It may be stopped here. */
    void (*on_pin_refused)(void *owner, struct agent_process *a, const char *report);
    /* After agent_process_stop(), when all is gone; the struct frees itself then. */
    void (*on_ended)(void *owner, struct agent_process *a);
};

struct agent_process_options {
    int listen_fd;           /* listening at socket_path; taken */
    const char *socket_path; /* copied */
    struct tokens_pin *pin;  /* taken; NULL: none */
    /* The agent whose place it takes, when that has the same PIN: what is known of the PIN, and one that an
     * administrator gave, are taken over. NULL: a PIN nobody knows about yet. */
    const struct agent_process *before;
    /* An agent that was given up since a token did not take this PIN: no token that is known from there is tried with
     * it, and that is told (on_pin_refused). NULL: none. Not with `before`. */
    const struct pin_policy *refused;
    bool asked_for; /* somebody has asked for this PIN to be used: a token that had a wrong one before is tried, too */
    bool sandbox_may_fail;    /* insecure_no_seccomp */
    int grants_fd;            /* see agent_process_grant(); -1: none yet */
    bool file_keys;           /* the agent of file keys */
    int keys_fd;              /* see agent_process_give_keys(); -1: none yet */
    uint32_t load_timeout_ms; /* to load the module in; a process that takes longer is killed */
};

/* Copies what it needs of `module`. Starts the process; when even that fails, agent_process_reason() says why, and it
 * is tried again. No event comes before this returns. */
struct agent_process *agent_process_create(uv_loop_t *loop, const struct config_module *module,
                                           const struct agent_process_options *options,
                                           const struct agent_events *events, void *owner);

/* End it and remove its socket. May be called twice. */
void agent_process_stop(struct agent_process *a);

const char *agent_process_name(const struct agent_process *a);
bool agent_process_is_ready(const struct agent_process *a); /* it has its module, now */
void agent_process_hear_now(
    struct agent_process *a); /* what it has said already, before this returns; not from an event */
const char *agent_process_reason(const struct agent_process *a); /* why it failed last; NULL: it is not known to */
const char *agent_process_socket_path(const struct agent_process *a);
/* Let `client` (besides root and ourselves) connect: the agent is told, and the socket's file becomes that user's.
 * False, with a sentence in *reason (static, or strerror()'s), when what is at its path is not that file. */
MUST_CHECK bool agent_process_give_socket(struct agent_process *a, uid_t client, const char **reason);
/* What workers may ask it for from now on (tokens/grants.h): a sealed memory file, borrowed until the next call or the
 * end. Told again to each process that takes over. */
void agent_process_grant(struct agent_process *a, int grants_fd);
/* The keys that it has from now on (tokens/file_keys.h), likewise. Does nothing for the agent of a token module. */
void agent_process_give_keys(struct agent_process *a, int keys_fd);
bool agent_process_has_file_keys(const struct agent_process *a);
const struct pin_policy *agent_process_policy(const struct agent_process *a); /* what is known of its PIN; lent */
/* The PIN as it was read from where the configuration says; NULL: none. Lent. */
const struct tokens_pin *agent_process_pin(const struct agent_process *a);
/* Whether `module` says the same as what it was made from. */
bool agent_process_is_for(const struct agent_process *a, const struct config_module *module);
/* Whether its PIN comes from the same place. */
bool agent_process_pin_is_from(const struct agent_process *a, const struct config_module *module);

/* What the tokens of the one whose place it takes have done counts on. */
void agent_process_continue_figures(struct agent_process *a, const struct agent_process *before);

/* There is another PIN (takes) where the configuration says: whatever the last ones did is forgotten. Each token that
 * is known gets it: who is logged in keeps it for the next login. */
void agent_process_renew_pin(struct agent_process *a, struct tokens_pin *pin);

/* What came of a login: `text` is a sentence. Called once, perhaps before the call returns. */
typedef void (*agent_process_logged_in)(void *data, bool good, const char *text);

/* An administrator gives this PIN (takes) for one token: used for it instead of the configured one until that changes.
 * token: "LABEL\nSERIAL", of which either may be empty; both empty: the one that waits for a PIN. */
void agent_process_login(struct agent_process *a, const char *token, struct tokens_pin *pin,
                         agent_process_logged_in done, void *data);

/* An administrator takes the PIN back: it is wiped here and in the agent, which logs out and refuses to sign on tokens
 * that need a login, until agent_process_login() or agent_process_renew_pin(). Its successors begin like that. */
void agent_process_logout(struct agent_process *a);
bool agent_process_is_logged_out(const struct agent_process *a);

json_t *agent_process_status(const struct agent_process *a); /* the caller's reference */

#endif
