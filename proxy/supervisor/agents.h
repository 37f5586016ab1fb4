/* proxy/supervisor/agents.h: one token agent process for each [module], kept running and given its PIN.
 *
 * The listening socket of an agent, <folder of control>/agent-NAME.sock (mode 0600), is made and kept here, so that an
 * agent that died is replaced without anybody's connection being refused. Agents live across reloads. A module whose
 * section changed gets a second agent beside the first, which takes its place when the new configuration does; a module
 * that is no longer named loses its agent.
 *
 * The PIN is read here, kept in locked memory, and given by the rules of tokens/agent/agent.h
 * (proxy/supervisor/pin_policy.h). As with listening sockets, a configuration is prepared, then committed or abandoned.
 * In between each agent that was started for it, a *candidate*, loads its module or fails; it is ready or has failed
 * within the time that agents_create() was given. Whether its token is there is not asked: cards come and go. One that
 * refuses its PIN when a worker needs it fails the candidate, except at the start. Agents that stay as they are are not
 * asked anything. Threads: the loop's. */
#ifndef YETT_PROXY_SUPERVISOR_AGENTS_H
#define YETT_PROXY_SUPERVISOR_AGENTS_H

#include "config/config.h"
#include "tokens/pin.h"
#include <jansson.h>
#include <uv.h>

struct agents;

struct agents_events {
    /* All candidates have loaded their modules. Comes later than agents_prepare() returns, only when there are some,
     * and again when one of them had to be replaced before the commit. */
    void (*on_candidates_ready)(void *owner);
    /* All candidates are ready or have failed, and some have: their modules cannot be loaded, above all. `report` has a
     * line "FILE:LINE: module NAME: why" for each of those. Abandoning, or stopping all, is what one does then. Comes
     * also, and again, when one fails that was ready, until the commit; or when a token refuses its PIN, where a
     * configuration is in force that can go on instead. */
    void (*on_candidates_failed)(void *owner, const char *report);
    /* A token does not take its PIN: a line "FILE:LINE: module NAME: why". May be NULL. */
    void (*on_pin_refused)(void *owner, const char *report);
    /* A token is there that was not, or has been logged in to: a service that waits for one may have it now. */
    void (*on_token)(void *owner);
    /* The last agent has ended after agents_stop(). */
    void (*on_empty)(void *owner);
};

/* `events` and `owner` are borrowed. `load_timeout_ms`: for a module to load in (LIMIT_MODULE_LOAD_MS). */
struct agents *agents_create(uv_loop_t *loop, uint32_t load_timeout_ms, const struct agents_events *events,
                             void *owner);
void agents_destroy(struct agents **a); /* after on_empty, or when none was ever started */

enum agents_prompt { AGENTS_PROMPT_NEVER, AGENTS_PROMPT_ON_TERMINAL };

/* Takes the PINs that are in environment variables out of the environment: see tokens_pin_take_environment(). Before
 * NSS starts, and before the first child. */
void agents_take_environment(const struct config *config);

/* Reads PINs, makes sockets, starts the agents that are new or whose section changed. False with findings; nothing has
 * changed then. A PIN that comes from a prompt is asked for only with AGENTS_PROMPT_ON_TERMINAL: at the start. */
MUST_CHECK bool agents_prepare(struct agents *a, const struct config *config, enum agents_prompt prompt,
                               struct config_findings *findings);
/* Whether all candidates of this preparation are ready; true when it has none. */
bool agents_candidates_are_ready(const struct agents *a);
/* What candidates have said already is heard before this returns: what a token answered to the last worker that asked
 * for a key, say, when that worker is known to be ready. Not from an event of theirs. */
void agents_hear_candidates(struct agents *a);
/* `owner`: the user to whom the agents' sockets belong from now on, and who may connect beside root and us. */
void agents_commit(struct agents *a, const struct config *config, uid_t owner);
void agents_abandon(struct agents *a);

/* An administrator gives the PIN (takes) for a token of the module called `name`: see agent_process_login(). */
void agents_login(struct agents *a, const char *name, const char *token, struct tokens_pin *pin,
                  void (*done)(void *data, bool good, const char *text), void *data);

/* An administrator takes the PIN of the module called `name` back: see agent_process_logout(). Likewise. */
MUST_CHECK bool agents_logout(struct agents *a, const char *name, char **error);

/* What each worker may ask the agents for, from now on and of agents that start later: the text of tokens/grants.h. */
void agents_grant(struct agents *a, struct span text);

/* The keys that the agent of file keys has from now on (tokens/file_keys.h), and each one that takes its place: a
 * sealed memory file, taken. */
void agents_give_file_keys(struct agents *a, int fd);

/* End all, in order; those that do not end in time are killed. */
void agents_stop(struct agents *a);

/* A list with an object for each module; the caller's reference. */
json_t *agents_status(const struct agents *a);

#endif
