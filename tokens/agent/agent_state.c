/* see tokens/agent/agent_state.h */
#include "tokens/agent/agent_state.h"

#include <stdio.h>

enum outcome agent_fail(struct failure *failure, enum tokens_wire_failure kind, CK_RV ckr, const char *fmt, ...)
{
    va_list args;

    assert(failure->text == NULL);
    va_start(args, fmt);
    failure->text = base_vprintf(fmt, args);
    va_end(args);
    failure->kind = kind;
    failure->ckr = ckr;
    return OUTCOME_FAILED;
}

bool agent_tell(struct agent *agent, enum tokens_agent_event event, const char *fmt, ...)
{
    char text[TOKENS_AGENT_TEXT_MAX];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return agent->events->tell(agent, event, "", text);
}

bool agent_tell_of(const struct token *token, enum tokens_agent_event event, const char *fmt, ...)
{
    char text[TOKENS_AGENT_TEXT_MAX];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return token->agent->events->tell(token->agent, event, token->name, text);
}

struct timespec agent_when(uint64_t ms)
{
    return (struct timespec){.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
}
