/* The thread that looks after tokens. See tokens/agent/agent_watch.h */
#include "tokens/agent/agent_watch.h"

#include <stdlib.h>

/* Whether C_Finalize and C_Initialize may help: the module is out of order, or has lost every token it had.
 * agent->mutex held. */
static bool module_needs_restart(struct agent *agent, uint64_t now_ms)
{
    bool all_gone = agent->tokens != NULL;

    for (const struct token *t = agent->tokens; t != NULL; t = t->next)
        all_gone = all_gone && t->gone;
    if (!all_gone && !agent->module.broken) {
        agent->module.retry_ms = 0;
        return false;
    }
    if (agent->module.retry_ms == 0) {
        agent->module.retry_ms = AGENT_POLL_MS;
        agent->module.tried_ms = now_ms;
    }
    return now_ms - agent->module.tried_ms >= agent->module.retry_ms;
}

/* Some modules find their device again only after C_Finalize. Nobody may be inside: a hung thread prevents it. Noted
 * for `failing` (NULL: nobody) and all that fail beside it before anybody can be inside again: none needs it soon. */
static bool module_restart(struct agent *agent, const struct token *failing)
{
    struct timespec until = agent_when(base_now_ms() + AGENT_REINIT_WAIT_MS);
    char code[TOKENS_CKR_TEXT_SIZE];
    CK_RV rv;

    if (pthread_rwlock_clockwrlock(&agent->module.lock, CLOCK_MONOTONIC, &until) != 0)
        return false;
    tokens_module_finalize(agent->module.loaded);
    rv = tokens_module_initialize(agent->module.loaded);
    pthread_mutex_lock(&agent->mutex);
    for (struct token *t = agent->tokens; t != NULL; t = t->next) {
        size_t unused;

        free(agent_sessions_forget(t, &unused)); /* not closed: their handles may mean other sessions by now */
        if (failing != NULL && (t == failing || agent_health_fails(&t->health, base_now_ms())))
            agent_health_tried(&t->health, AGENT_REPAIR_RESTART, base_now_ms());
    }
    agent->module.tried_ms = base_now_ms();
    agent->module.retry_ms = agent->module.retry_ms * 2;
    if (agent->module.retry_ms > AGENT_REINIT_MS_MAX)
        agent->module.retry_ms = AGENT_REINIT_MS_MAX;
    if (rv != CKR_OK) {
        agent->module.broken = true;
        (void)!agent_tell(agent, TOKENS_AGENT_LOG, "C_Initialize failed: %s", tokens_ckr_text(rv, code));
    }
    pthread_mutex_unlock(&agent->mutex);
    pthread_rwlock_unlock(&agent->module.lock);
    return true;
}

/* Slot events where the module tells them, else a look at every slot. */
static void watch_once(struct agent *agent, bool look)
{
    CK_RV event;
    CK_SLOT_ID slot;

    pthread_mutex_lock(&agent->mutex);
    look = look || agent->tokens == NULL;
    for (const struct token *t = agent->tokens; t != NULL; t = t->next)
        look = look || t->gone;
    look = look || agent->module.broken;
    pthread_mutex_unlock(&agent->mutex);
    agent_module_enter(agent);
    do {
        event = agent->module.loaded->p11->C_WaitForSlotEvent == NULL
                    ? CKR_FUNCTION_NOT_SUPPORTED
                    : agent->module.loaded->p11->C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, NULL);
        look = look || event != CKR_NO_EVENT;
    } while (event == CKR_OK);
    if (look)
        (void)agent_tokens_refresh(agent);
    agent_module_leave(agent);
}

/* Whether another token of the module is served: agent->mutex held. */
static bool others_are_well(const struct agent *agent, const struct token *token)
{
    for (const struct token *t = agent->tokens; t != NULL; t = t->next)
        if (t != token && !t->gone && t->health.ever_good && t->health.failures == 0)
            return true;
    return false;
}

/* Somebody may be inside for good, so nobody waits for all to be out. agent->mutex held. */
static bool somebody_hangs(const struct agent *agent)
{
    bool hangs = agent->finds.abandoned != 0;

    for (const struct token *t = agent->tokens; t != NULL; t = t->next)
        hangs = hangs || t->abandoned != 0;
    return hangs;
}

/* The greatest of what is due for any token, and whose it is. agent->mutex held. */
static enum agent_repair repair_due(struct agent *agent, struct token **whose)
{
    enum agent_repair due = AGENT_REPAIR_NONE;
    uint64_t now_ms = base_now_ms();

    for (struct token *t = agent->tokens; t != NULL; t = t->next) {
        enum agent_repair here =
            t->gone ? AGENT_REPAIR_NONE : agent_health_due(&t->health, others_are_well(agent, t), now_ms);

        if (here <= due)
            continue;
        due = here;
        *whose = t;
    }
    return due >= AGENT_REPAIR_RESTART && somebody_hangs(agent) ? AGENT_REPAIR_NONE : due;
}

/* Those that were logged in to are so again before somebody has to wait for it. */
static void restart_for(struct agent *agent, struct token *token)
{
    char code[TOKENS_CKR_TEXT_SIZE];

    (void)!agent_tell(agent, TOKENS_AGENT_LOG, "token \"%s\" fails (%s): C_Finalize and C_Initialize", token->label,
                      tokens_ckr_text(token->failed_with, code));
    if (!module_restart(agent, token))
        return;
    watch_once(agent, true);
    pthread_mutex_lock(&agent->mutex);
    for (struct token *t = agent->tokens; t != NULL; t = t->next)
        if (!t->gone && t->pin_state == PIN_GOOD)
            agent->events->login_wanted(agent, t);
    pthread_mutex_unlock(&agent->mutex);
}

/* What results have shown to be needed. */
static void repair(struct agent *agent)
{
    struct token *token = NULL;
    enum agent_repair due;

    pthread_mutex_lock(&agent->mutex);
    due = repair_due(agent, &token);
    if (due == AGENT_REPAIR_LOOK || due == AGENT_REPAIR_PROCESS)
        agent_health_tried(&token->health, due, base_now_ms());
    if (due == AGENT_REPAIR_PROCESS) {
        agent->worn_out = token;
        agent->events->worn_out(agent);
    }
    pthread_mutex_unlock(&agent->mutex);
    if (due == AGENT_REPAIR_LOOK)
        watch_once(agent, true);
    else if (due == AGENT_REPAIR_RESTART)
        restart_for(agent, token);
}

/* Pools that shrank, and logins that failed for no fault of the PIN's. agent->mutex held. */
static void tend(struct agent *agent)
{
    uint64_t now_ms = base_now_ms();

    for (struct token *t = agent->tokens; t != NULL; t = t->next) {
        if (t->gone)
            continue;
        agent_sessions_grow(t, now_ms);
        if (t->health.login_failed && (t->pin_state == PIN_AT_HAND || t->pin_state == PIN_GOOD) &&
            t->queue_first == NULL && t->running == 0 && agent_health_login_wait_ms(&t->health, now_ms) == 0)
            agent->events->login_wanted(agent, t);
    }
}

/* Until somebody has need of it, or the next look at the slots is due. agent->mutex held. */
static void rest(struct agent *agent)
{
    struct timespec until = agent_when(base_now_ms() + AGENT_POLL_MS);
    struct token *token;

    while (!agent->stopping && repair_due(agent, &token) == AGENT_REPAIR_NONE &&
           pthread_cond_timedwait(&agent->watcher.wake, &agent->mutex, &until) == 0)
        ;
}

/* see tokens/agent/agent_watch.h */
void *agent_watcher_main(void *data)
{
    struct agent *agent = data;

    pthread_mutex_lock(&agent->mutex);
    while (!agent->stopping) {
        bool restart;

        rest(agent);
        if (agent->stopping)
            continue;
        pthread_mutex_unlock(&agent->mutex);
        watch_once(agent, false);
        pthread_mutex_lock(&agent->mutex);
        restart = module_needs_restart(agent, base_now_ms());
        tend(agent);
        pthread_mutex_unlock(&agent->mutex);
        if (restart && module_restart(agent, NULL))
            watch_once(agent, false);
        repair(agent);
        pthread_mutex_lock(&agent->mutex);
    }
    agent->watcher.ended = true;
    pthread_cond_broadcast(&agent->threads.settled);
    pthread_mutex_unlock(&agent->mutex);
    return NULL;
}
