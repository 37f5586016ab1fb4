/* tokens/agent/agent_watch.h: the thread that looks after tokens: which are there, which fail, what mends them.
 *
 * Slot events where the module tells them, a look at every slot where not; C_Finalize and C_Initialize for a module
 * that has lost all its tokens, and for tokens that fail what tokens/agent/agent_health.h says is due.
 *
 * A question about slots may never be answered: a reader is wedged, say. The thread that asked it is lost until then;
 * another one goes on with all but that question, and what was known about it stays so. */
#ifndef YETT_TOKENS_AGENT_AGENT_WATCH_H
#define YETT_TOKENS_AGENT_AGENT_WATCH_H

#include "tokens/agent/agent_token.h"

/* Once, before there are jobs. false: there is no thread for it. */
MUST_CHECK bool agent_watch_start(struct agent *agent);
/* Main thread, now and then: one that hangs is told, and another one goes on. agent->mutex held. */
void agent_watch_check(struct agent *agent, uint64_t now_ms);
/* Whether watches hang, and only another process can serve anybody. Likewise. */
bool agent_watch_is_hopeless(const struct agent *agent, uint64_t now_ms);
bool agent_watch_has_ended(const struct agent *agent); /* all of them; agent->mutex held */
void agent_watch_join(struct agent *agent);            /* after that */
void agent_watch_detach(struct agent *agent);          /* instead of it */

#endif
