/* proxy/supervisor/token_figures.h: what a module's tokens have done, over the lives of all its agents.
 *
 * Each agent tells figures that begin with it (struct tokens_agent_figures); here they are added up by token, whose
 * name is "LABEL\nSERIAL". Figures of a moment (sessions, queue) are those of the agent that lives. Pure; threads: one
 * at a time. */
#ifndef YETT_PROXY_SUPERVISOR_TOKEN_FIGURES_H
#define YETT_PROXY_SUPERVISOR_TOKEN_FIGURES_H

#include "tokens/agent/agent.h"
#include <jansson.h>

struct token_figures {
    char name[TOKENS_AGENT_TOKEN_SIZE];
    struct tokens_agent_figures now, before;
};

struct token_figures_list {
    struct token_figures *items;
    size_t count; /* at most PIN_POLICY_TOKENS_MAX: what an agent says beyond is left out */
};

void token_figures_hear(struct token_figures_list *list, const char *name, const struct tokens_agent_figures *figures);
void token_figures_agent_died(struct token_figures_list *list);
/* Likewise for the agent whose place another one takes. */
void token_figures_take_over(struct token_figures_list *list, const struct token_figures_list *before);
void token_figures_clear(struct token_figures_list *list);

/* Adds them to a token's object; one that nothing is known of has zeros. */
void token_figures_show(const struct token_figures_list *list, const char *name, json_t *token);

#endif
