/* tokens/agent/agent_watch.h: the thread that looks after tokens: which are there, which fail, what mends them.
 *
 * Slot events where the module tells them, a look at every slot where not; C_Finalize and C_Initialize for a module
 * that has lost all its tokens, and for tokens that fail what tokens/agent/agent_health.h says is due. */
#ifndef YETT_TOKENS_AGENT_AGENT_WATCH_H
#define YETT_TOKENS_AGENT_AGENT_WATCH_H

#include "tokens/agent/agent_token.h"

void *agent_watcher_main(void *agent);

#endif
