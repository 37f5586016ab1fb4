/* proxy/supervisor/supervisor_internal.h: the parts of the supervisor, between themselves.
 *
 *   supervisor.c         start, signals, stop
 *   supervisor_reload.c  the steps of a reload, from a file to a running generation; reload.h has their order
 *   supervisor_news.c    what generations and agents tell
 *   supervisor_file_keys.c  which keys of files the agent has
 *   supervisor_grants.c  which worker may ask the token agents for what
 *   supervisor_status.c  what it shows: status and connections */
#ifndef YETT_PROXY_SUPERVISOR_SUPERVISOR_INTERNAL_H
#define YETT_PROXY_SUPERVISOR_SUPERVISOR_INTERNAL_H

#include "proxy/control/admin.h"
#include "proxy/supervisor/agents.h"
#include "proxy/control/control_roles.h"
#include "proxy/control/control_server.h"
#include "proxy/supervisor/generation.h"
#include "proxy/supervisor/notify.h"
#include "proxy/supervisor/reload.h"
#include "proxy/supervisor/roots_age.h"
#include "proxy/supervisor/session_cache.h"
#include "proxy/supervisor/supervisor.h"
#include "proxy/supervisor/totals.h"

enum {
    SUPERVISOR_GENERATIONS_MAX = 8, /* alive at once; a reload beyond waits for an old one to end */
    SUPERVISOR_RETIRED_MAX = 3,     /* of them, that may end when they like */
    SUPERVISOR_TOKEN_WAIT_MS = 1000,
    SUPERVISOR_TOKEN_WAIT_MS_MAX = 300000,
};

enum supervisor_state { SUPERVISOR_STARTING, SUPERVISOR_RUNNING, SUPERVISOR_DRAINED, SUPERVISOR_STOPPING };

struct gather_waiter {
    struct gather_waiter *next;
    control_gathered done;
    void *data;
};

struct supervisor {
    uv_loop_t loop;
    const char *config_path;
    enum supervisor_state state;
    int exit_status;
    uint64_t started_ms;

    uv_signal_t signals[3];
    uv_signal_t child_ended;
    uv_timer_t reap_timer;
    struct notify notify;
    struct session_cache *session_cache;
    struct listen_sockets *sockets;
    struct agents *agents;
    struct intermediates *intermediates;
    struct control_server *control;
    struct admin *admin;
    struct generation_shared shared;
    struct totals totals;

    struct generation *generations[SUPERVISOR_GENERATIONS_MAX]; /* alive, oldest first */
    size_t generation_count;
    struct generation *current; /* NULL before the first is ready, and when drained */
    uint32_t generation_number; /* of the last one started */
    uint64_t worker_deaths;
    struct roots_age roots_age; /* of `current`, or the last one */

    uint8_t file_keys_salt[FILE_KEYS_SALT_SIZE];
    struct reload reload;
    struct config *prepared;         /* of the reload under way, until its generation has it; NULL: none */
    int prepared_fd;                 /* its snapshot */
    struct file_keys *prepared_keys; /* its files', for the agent; NULL: none */
    char *prepared_warnings;         /* of its findings, a line each; NULL: none */
    struct generation *next;         /* that starts; NULL: none */
    struct admin *next_admin;
    struct control_roles *next_roles;
    uint64_t reloads, reloads_failed;

    /* Workers that wait for tokens: supervisor_look_for_tokens(). */
    uv_timer_t token_timer;
    bool token_came;      /* since the last generation began to look for its tokens */
    unsigned opened_anew; /* for tokens, in a row, and some were still away */
    bool reopening;       /* the next reload is of the configuration that is in force, */
    bool asked;           /* unless somebody has asked for one */
    bool reopened;        /* the one under way is */

    /* Connections being gathered. */
    uv_timer_t gather_timer;
    json_t *gathered; /* the list; NULL: not gathering */
    uint64_t gather_left_out;
    struct worker_process **gather_from;
    size_t gather_from_count;
    struct gather_waiter *gather_waiters;
};

/* supervisor.c */
void supervisor_agents_gone(void *owner);
void supervisor_go_on(struct supervisor *s); /* after a generation has ended: is a stop complete, can a reload begin? */

/* supervisor_news.c */
extern const struct generation_events supervisor_generation_events;
extern const struct agents_events supervisor_agents_events;

/* supervisor_news.c: when a token has come while workers wait for one, they start anew. After each reload, too. */
void supervisor_look_for_tokens(struct supervisor *s);
void supervisor_on_token_timer(uv_timer_t *timer);

/* supervisor_reload.c */
extern const struct reload_steps supervisor_reload_steps;
/* The configuration that is in force, or NULL. */
const struct config *supervisor_config(const struct supervisor *s);

/* supervisor_grants.c: tell the agents what the workers may ask for; `starting` is one that may not be on the list yet.
 */
void supervisor_grant(struct supervisor *s, const struct generation *starting);

/* supervisor_file_keys.c: tell the agent of file keys which there are: those of all generations that are alive, and
 * `starting`'s, which may be NULL. */
void supervisor_tell_file_keys(struct supervisor *s, struct file_keys *starting);

/* supervisor_status.c */
void supervisor_gather_item(struct supervisor *s, struct generation *g, struct worker_process *w, const char *json);
void supervisor_gather_end(struct supervisor *s, struct worker_process *w);

#endif
