/* The thread that looks after tokens. See tokens/agent/agent_watch.h */
#include "tokens/agent/agent_watch.h"

#include <stdio.h>
#include <stdlib.h>

/* Somebody may be inside for good, so nobody waits for all to be out. agent->mutex held. */
static bool somebody_hangs(const struct agent *agent)
{
    bool hangs = agent->finds.abandoned != 0;

    for (size_t i = 0; i < AGENT_WATCHERS_MAX; i++)
        hangs = hangs || agent->watcher.watches[i].hangs;

    for (const struct token *t = agent->tokens; t != NULL; t = t->next)
        hangs = hangs || t->abandoned != 0;
    return hangs;
}

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
    if (somebody_hangs(agent))
        return false;
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

/* Whether there may be something new in a slot. *in_time false: another watch has our place. */
static bool slot_events(struct agent *agent, struct watch *watch, bool *in_time)
{
    CK_SLOT_ID slot;
    CK_RV event;
    bool hangs, news = false;

    pthread_mutex_lock(&agent->mutex);
    hangs = agent_question_hangs(agent, AGENT_ASKS_EVENT, 0);
    pthread_mutex_unlock(&agent->mutex);
    if (hangs || agent->module.loaded->p11->C_WaitForSlotEvent == NULL)
        return true;
    do {
        agent_watch_ask(watch, AGENT_ASKS_EVENT, 0);
        event = agent->module.loaded->p11->C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, NULL);
        news = news || event != CKR_NO_EVENT;
        *in_time = agent_watch_answered(watch);
    } while (event == CKR_OK && *in_time);
    return news;
}

/* Slot events where the module tells them, else a look at every slot. false: another watch has our place. */
static bool watch_once(struct watch *watch, bool look)
{
    struct agent *agent = watch->agent;
    bool in_time = true;
    uint64_t number;
    CK_RV rv;

    pthread_mutex_lock(&agent->mutex);
    look = look || agent->tokens == NULL || agent->watcher.look_wanted;
    for (const struct token *t = agent->tokens; t != NULL; t = t->next)
        look = look || t->gone;
    look = look || agent->module.broken;
    agent->watcher.look_wanted = false;
    pthread_mutex_unlock(&agent->mutex);
    agent_module_enter(agent);
    look = slot_events(agent, watch, &in_time) || look;
    if (look && in_time) {
        pthread_mutex_lock(&agent->mutex);
        number = ++agent->watcher.looks_begun;
        pthread_mutex_unlock(&agent->mutex);
        in_time = agent_tokens_refresh(agent, watch, &rv);
        if (in_time) {
            pthread_mutex_lock(&agent->mutex);
            agent->watcher.looks_done = number;
            pthread_cond_broadcast(&agent->threads.settled);
            pthread_mutex_unlock(&agent->mutex);
        }
    }
    agent_module_leave(agent);
    return in_time;
}

/* Whether another token of the module is served: agent->mutex held. */
static bool others_are_well(const struct agent *agent, const struct token *token)
{
    for (const struct token *t = agent->tokens; t != NULL; t = t->next)
        if (t != token && !t->gone && t->health.ever_good && t->health.failures == 0)
            return true;
    return false;
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

/* Those that were logged in to are so again before somebody has to wait for it. false: another watch has our place. */
static bool restart_for(struct watch *watch, struct token *token)
{
    struct agent *agent = watch->agent;
    char code[TOKENS_CKR_TEXT_SIZE];

    (void)!agent_tell(agent, TOKENS_AGENT_LOG, "token \"%s\" fails (%s): C_Finalize and C_Initialize", token->label,
                      tokens_ckr_text(token->failed_with, code));
    if (!module_restart(agent, token))
        return true;
    if (!watch_once(watch, true))
        return false;
    pthread_mutex_lock(&agent->mutex);
    for (struct token *t = agent->tokens; t != NULL; t = t->next)
        if (!t->gone && t->pin_state == PIN_GOOD)
            agent->events->login_wanted(agent, t);
    pthread_mutex_unlock(&agent->mutex);
    return true;
}

/* What results have shown to be needed. Likewise. */
static bool repair(struct watch *watch)
{
    struct agent *agent = watch->agent;
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
        return watch_once(watch, true);
    return due != AGENT_REPAIR_RESTART || restart_for(watch, token);
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

    while (!agent->stopping && !agent->watcher.look_wanted && repair_due(agent, &token) == AGENT_REPAIR_NONE &&
           pthread_cond_timedwait(&agent->watcher.wake, &agent->mutex, &until) == 0)
        ;
}

/* One round; false: another watch has our place. */
static bool go_round(struct watch *watch)
{
    struct agent *agent = watch->agent;
    bool restart;

    if (!watch_once(watch, false))
        return false;
    pthread_mutex_lock(&agent->mutex);
    restart = module_needs_restart(agent, base_now_ms());
    tend(agent);
    pthread_mutex_unlock(&agent->mutex);
    if (restart && module_restart(agent, NULL) && !watch_once(watch, false))
        return false;
    return repair(watch);
}

static void *watch_main(void *data)
{
    struct watch *watch = data;
    struct agent *agent = watch->agent;
    bool in_time = true;

    pthread_mutex_lock(&agent->mutex);
    while (!agent->stopping && in_time) {
        rest(agent);
        if (agent->stopping)
            break;
        pthread_mutex_unlock(&agent->mutex);
        in_time = go_round(watch);
        pthread_mutex_lock(&agent->mutex);
    }
    watch->hangs = false;
    watch->ended = true;
    pthread_cond_broadcast(&agent->threads.settled);
    pthread_mutex_unlock(&agent->mutex);
    return NULL;
}

/* The next one has the place. agent->mutex held, or there are no threads yet. */
static bool begin(struct agent *agent)
{
    for (unsigned i = 0; i < AGENT_WATCHERS_MAX; i++) {
        struct watch *w = &agent->watcher.watches[i];

        if (w->started && !w->ended)
            continue;
        if (w->started)
            pthread_join(w->thread, NULL); /* it is at its very end */
        *w = (struct watch){.agent = agent};
        w->started = pthread_create(&w->thread, NULL, watch_main, w) == 0;
        agent->watcher.turn = i;
        return w->started;
    }
    return false;
}

/* see tokens/agent/agent_watch.h */
bool agent_watch_start(struct agent *agent)
{
    agent->watcher.look_wanted = true;
    agent->watcher.started = begin(agent);
    return agent->watcher.started;
}

static const char *question_text(const struct watch *w, char *text, size_t size)
{
    switch (w->question) {
    case AGENT_ASKS_EVENT:
        return "C_WaitForSlotEvent";
    case AGENT_ASKS_LIST:
        return "C_GetSlotList";
    case AGENT_ASKS_TOKEN:
        snprintf(text, size, "C_GetTokenInfo of slot %lu", (unsigned long)w->slot);
        return text;
    case AGENT_ASKS_NOTHING:
        break;
    }
    return "nothing";
}

/* see tokens/agent/agent_watch.h */
void agent_watch_check(struct agent *agent, uint64_t now_ms)
{
    struct watch *w = &agent->watcher.watches[agent->watcher.turn];
    char text[64];

    if (!agent->watcher.started || agent->stopping || !w->started || w->hangs || w->ended ||
        w->question == AGENT_ASKS_NOTHING || now_ms < w->since_ms + AGENT_SLOT_MS)
        return;
    w->hangs = true;
    (void)!agent_tell(agent, TOKENS_AGENT_LOG, "%s hangs inside the module: what else there is goes on without it",
                      question_text(w, text, sizeof(text)));
    agent->watcher.look_wanted = true;
    (void)!begin(agent); /* where there is none left, agent_watch_is_hopeless() */
}

/* see tokens/agent/agent_watch.h */
bool agent_watch_is_hopeless(const struct agent *agent, uint64_t now_ms)
{
    uint64_t since_ms = 0;

    for (size_t i = 0; i < AGENT_WATCHERS_MAX; i++) {
        const struct watch *w = &agent->watcher.watches[i];

        if (w->hangs && (since_ms == 0 || w->since_ms < since_ms))
            since_ms = w->since_ms;
    }
    if (since_ms == 0 || now_ms - since_ms < 2 * (uint64_t)agent->options.sign_timeout_ms)
        return false;
    for (const struct token *t = agent->tokens; t != NULL; t = t->next)
        if (!t->gone && (!agent_question_hangs(agent, AGENT_ASKS_TOKEN, t->slot) ||
                         (t->health.ever_good && t->health.failures == 0)))
            return false;
    return true;
}

/* see tokens/agent/agent_watch.h */
bool agent_watch_has_ended(const struct agent *agent)
{
    for (size_t i = 0; i < AGENT_WATCHERS_MAX; i++)
        if (agent->watcher.watches[i].started && !agent->watcher.watches[i].ended)
            return false;
    return true;
}

/* see tokens/agent/agent_watch.h */
void agent_watch_join(struct agent *agent)
{
    for (size_t i = 0; i < AGENT_WATCHERS_MAX; i++)
        if (agent->watcher.watches[i].started)
            pthread_join(agent->watcher.watches[i].thread, NULL);
}

/* see tokens/agent/agent_watch.h */
void agent_watch_detach(struct agent *agent)
{
    for (size_t i = 0; i < AGENT_WATCHERS_MAX; i++)
        if (agent->watcher.watches[i].started)
            pthread_detach(agent->watcher.watches[i].thread);
}
