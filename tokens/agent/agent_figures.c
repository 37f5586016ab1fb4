/* see tokens/agent/agent_figures.h */
#include "tokens/agent/agent_figures.h"

#include <stdio.h>
#include <string.h>

enum { US_PER_MS = 1000, US_PER_SECOND = 1000000, NS_PER_US = 1000 };

/* see tokens/agent/agent_figures.h */
uint64_t agent_figures_now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * US_PER_SECOND + (uint64_t)now.tv_nsec / NS_PER_US;
}

/* see tokens/agent/agent_figures.h */
void agent_figures_signed(struct token *token, uint64_t took_us)
{
    struct tokens_agent_figures *f = &token->figures;
    size_t bucket = 0;

    while (bucket < TOKENS_AGENT_BUCKETS && took_us > (uint64_t)tokens_agent_bucket_ms[bucket] * US_PER_MS)
        bucket++;
    f->took[bucket]++;
    f->took_us += took_us;
}

/* see tokens/agent/agent_figures.h */
void agent_figures_failed(struct token *token, CK_RV rv)
{
    struct tokens_agent_figures *f = &token->figures;

    for (size_t i = 0; i < TOKENS_AGENT_CODES; i++) {
        if (f->codes[i].count != 0 && f->codes[i].ckr != rv)
            continue;
        f->codes[i].ckr = rv;
        f->codes[i].count++;
        return;
    }
    f->other_codes++;
}

/* see tokens/agent/agent_figures.h */
void agent_figures_timed_out(struct token *token)
{
    token->figures.timeouts++;
}

/* see tokens/agent/agent_figures.h */
void agent_figures_tell(struct agent *agent)
{
    for (struct token *t = agent->tokens; t != NULL; t = t->next) {
        struct tokens_agent_message message = {.event = TOKENS_AGENT_FIGURES};

        t->figures.present = !t->gone;
        t->figures.sessions_open = t->sessions_open;
        t->figures.sessions_limit = t->sessions_limit;
        t->figures.busy = t->running;
        t->figures.queued = (uint32_t)t->queued;
        if (t->figures_told && memcmp(&t->told, &t->figures, sizeof(t->told)) == 0)
            continue;
        message.figures = t->figures;
        snprintf(message.token, sizeof(message.token), "%s", t->name);
        if (!tokens_agent_send(agent->options.control_fd, &message))
            return; /* the next time */
        memcpy(&t->told, &t->figures, sizeof(t->told));
        t->figures_told = true;
    }
}
