/* proxy/agents.h: one token agent process for each [module], kept running and given its PIN.
 *
 * The listening socket of an agent, <folder of control>/agent-NAME.sock (mode 0600), is made and kept here, so that an
 * agent that died is replaced without anybody's connection being refused. Agents live across reloads. A module whose
 * section changed gets a second agent beside the first, which takes its place when the new configuration does; a module
 * that is no longer named loses its agent.
 *
 * The PIN is read here, kept in locked memory, and given by the rules of tokens/agent.h (proxy/pin_policy.h).
 * As with listening sockets, a configuration is prepared, then committed or abandoned. Threads: the loop's. */
#ifndef YETT_PROXY_AGENTS_H
#define YETT_PROXY_AGENTS_H

#include "config/config.h"
#include "tokens/pin.h"
#include <jansson.h>
#include <uv.h>

struct agents;

struct agents_events {
    /* An agent whose preparation is still undecided cannot do its work: the module cannot be loaded, above all.
     * `report` is "FILE:LINE: module NAME: why". Abandoning, or stopping all, is what one does then. */
    void (*on_candidate_failed)(void *owner, const char *report);
    /* The last agent has ended after agents_stop(). */
    void (*on_empty)(void *owner);
};

/* `events` and `owner` are borrowed. */
struct agents *agents_create(uv_loop_t *loop, const struct agents_events *events, void *owner);
void agents_destroy(struct agents **a); /* after on_empty, or when none was ever started */

enum agents_prompt { AGENTS_PROMPT_NEVER, AGENTS_PROMPT_ON_TERMINAL };

/* Reads PINs, makes sockets, starts the agents that are new or whose section changed. False with findings; nothing has
 * changed then. A PIN that comes from a prompt is asked for only with AGENTS_PROMPT_ON_TERMINAL: at the start. */
MUST_CHECK bool agents_prepare(struct agents *a, const struct config *config, enum agents_prompt prompt,
                               struct config_findings *findings);
/* `owner`: the user to whom the agents' sockets belong from now on, and who may connect beside root and us. */
void agents_commit(struct agents *a, const struct config *config, uid_t owner);
void agents_abandon(struct agents *a);

/* An administrator gives the PIN (takes) for the module called `name`. False with a sentence in *error. */
MUST_CHECK bool agents_login(struct agents *a, const char *name, struct tokens_pin *pin, char **error);

/* An administrator takes the PIN of the module called `name` back: see agent_process_logout(). Likewise. */
MUST_CHECK bool agents_logout(struct agents *a, const char *name, char **error);

/* End all, in order; those that do not end in time are killed. */
void agents_stop(struct agents *a);

/* A list with an object for each module; the caller's reference. */
json_t *agents_status(const struct agents *a);

#endif
