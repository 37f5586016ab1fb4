/* proxy/supervisor/agent_process_internal.h: what the parts of an agent's process share: its life (agent_process.c),
 * and what is said (agent_process_messages.c). Private to proxy/supervisor/. Threads: the loop's. */
#ifndef YETT_PROXY_SUPERVISOR_AGENT_PROCESS_INTERNAL_H
#define YETT_PROXY_SUPERVISOR_AGENT_PROCESS_INTERNAL_H

#include "proxy/process/spawn.h"
#include "proxy/supervisor/agent_process.h"
#include "proxy/supervisor/token_figures.h"
#include "tokens/agent/agent.h"

enum agent_state { AGENT_STARTING, AGENT_READY, AGENT_FAILED, AGENT_STOPPING };

struct agent_counts {
    uint64_t signatures, failures, timeouts, refused, logins;
};

/* A PIN that an administrator gave for a token, by its name (struct tokens_agent_message). */
struct agent_login {
    char token[TOKENS_AGENT_TOKEN_SIZE];
    struct tokens_pin *pin;
};

/* One that is under way. */
struct agent_login_wait {
    struct tokens_pin *pin; /* until it is known whose; NULL: known, or none is under way */
    char token[TOKENS_AGENT_TOKEN_SIZE];
    unsigned before; /* PINs that the agent hears before it, and has not told whose they are */
    agent_process_logged_in done;
    void *data;
};

struct agent_process {
    uv_loop_t *loop;
    char *name;
    char *where; /* "FILE:LINE" of its section */
    char *path;
    char **environment;
    size_t environment_count;
    unsigned sessions_max, queue_max;
    uint32_t sign_timeout_ms;
    bool programs; /* the module may start some */
    bool serialise;
    char *parameters; /* for C_Initialize(); NULL: none */
    bool sandbox_may_fail;
    enum config_pin_type pin_type;
    char *pin_source;
    char *pin_where; /* "FILE:LINE" of where it is said */
    bool pin_asked_for, pin_known_bad;

    int listen_fd;
    char *socket_path;
    int grants_fd;              /* the agents'; -1: none yet */
    bool grants_wait;           /* the socket did not take them */
    bool file_keys;             /* it is the agent of file keys */
    int keys_fd;                /* as grants_fd */
    bool keys_wait;             /* the socket did not take them */
    uid_t client;               /* who may connect besides root and us */
    struct tokens_pin *pin;     /* from where the configuration says; NULL: none */
    struct agent_login *logins; /* from administrators since */
    size_t login_count;
    struct agent_login_wait waiting;
    unsigned untold; /* PINs given unasked of which the agent has not told whose they are */
    struct pin_policy policy;
    bool logged_out; /* by an administrator: there is no PIN, and none is asked for */

    enum agent_state state;
    struct child *child; /* NULL: none now */
    uv_timer_t timer;    /* to start it again; with a child, starting or stopping: to kill it */
    uint32_t load_timeout_ms;
    unsigned deaths; /* in a row, without having been ready */
    uint64_t restarts;
    char *reason;                    /* what it said last when it failed; NULL: nothing */
    struct agent_counts now, before; /* of this process, and of those before it */
    struct token_figures_list figures;

    const struct agent_events *events;
    void *owner;
};

/* It cannot go on: keep why, log it, and tell the owner, unless it is being stopped anyway. */
void agent_process_fail(struct agent_process *a, int pid, const char *why);

void agent_process_keep_login(struct agent_process *a, const char *token, struct tokens_pin *pin); /* takes */
void agent_process_forget_logins(struct agent_process *a);
/* An administrator waits no longer: what came of it. Does nothing when nobody waits. */
void agent_process_end_login(struct agent_process *a, bool good, const char *text);

/* Say it to the process, if there is one. It is killed if it does not take it: an agent that has missed one message
 * does not know any more what it may do. */
void agent_process_say(struct agent_process *a, enum tokens_agent_event event, const char *token, const char *text);
void agent_process_say_client(struct agent_process *a);
void agent_process_say_grants(struct agent_process *a);
void agent_process_say_keys(struct agent_process *a);

/* For struct child_events. */
void agent_process_hear(void *owner, struct child *child);
void agent_process_say_again(void *owner, struct child *child); /* what the socket did not take at first */

#endif
