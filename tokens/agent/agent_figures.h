/* tokens/agent/agent_figures.h: what a token has done and is doing, for who watches. See struct tokens_agent_figures.
 * All but the last: agent->mutex held. */
#ifndef YETT_TOKENS_AGENT_AGENT_FIGURES_H
#define YETT_TOKENS_AGENT_AGENT_FIGURES_H

#include "tokens/agent/agent_state.h"

/* A signature was made, in `took_us` of a thread's time: waiting for its turn is not in it. */
void agent_figures_signed(struct token *token, uint64_t took_us);
/* Somebody was told that the token failed at something, with this. */
void agent_figures_failed(struct token *token, CK_RV rv);
void agent_figures_timed_out(struct token *token);

/* What has changed since it was told last. Main thread. */
void agent_figures_tell(struct agent *agent);

/* Microseconds of a clock that only goes forward. Any thread. */
uint64_t agent_figures_now_us(void);

#endif
