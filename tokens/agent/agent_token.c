/* Tokens of the agent: which are there, their sessions, and the module's recovery. See tokens/agent/agent_token.h */
#include "tokens/agent/agent_token.h"

#include <stdlib.h>

/* see tokens/agent/agent_token.h */
void agent_module_enter(struct agent *agent)
{
    if (agent->module.loaded->serialise)
        pthread_rwlock_wrlock(&agent->module.lock);
    else
        pthread_rwlock_rdlock(&agent->module.lock);
}

/* see tokens/agent/agent_token.h */
void agent_module_leave(struct agent *agent)
{
    pthread_rwlock_unlock(&agent->module.lock);
}

/* see tokens/agent/agent_token.h */
bool agent_session_is_gone(CK_RV rv)
{
    return tokens_ckr_about(rv) == TOKENS_CKR_SESSION;
}

/* see tokens/agent/agent_token.h */
void agent_token_well(struct token *token, enum agent_operation operation)
{
    struct agent *agent = token->agent;

    pthread_mutex_lock(&agent->mutex);
    if (agent_health_fails(&token->health, base_now_ms()) && operation == AGENT_SIGN)
        (void)!agent_tell(agent, TOKENS_AGENT_LOG, "token \"%s\" signs again", token->label);
    agent_health_good(&token->health, operation);
    pthread_mutex_unlock(&agent->mutex);
}

/* see tokens/agent/agent_token.h */
void agent_token_unwell(struct token *token, enum agent_operation operation, CK_RV rv)
{
    struct agent *agent = token->agent;
    uint64_t now_ms = base_now_ms();
    char code[TOKENS_CKR_TEXT_SIZE];
    bool failed_before;

    if (!tokens_ckr_may_pass(rv))
        return;
    pthread_mutex_lock(&agent->mutex);
    if (!token->gone) {
        failed_before = agent_health_fails(&token->health, now_ms);
        agent_health_bad(&token->health, operation, now_ms);
        token->failed_with = rv;
        if (!failed_before && agent_health_fails(&token->health, now_ms)) {
            (void)!agent_tell(agent, TOKENS_AGENT_LOG, "token \"%s\" fails again and again, last with %s", token->label,
                              tokens_ckr_text(rv, code));
            pthread_cond_broadcast(&agent->watcher.wake);
        }
    }
    pthread_mutex_unlock(&agent->mutex);
}

/* A token is known by what is written on it, never by its slot. */
static bool same_token(const CK_TOKEN_INFO *a, const CK_TOKEN_INFO *b)
{
    return memcmp(a->label, b->label, sizeof(a->label)) == 0 &&
           memcmp(a->serialNumber, b->serialNumber, sizeof(a->serialNumber)) == 0 &&
           memcmp(a->manufacturerID, b->manufacturerID, sizeof(a->manufacturerID)) == 0 &&
           memcmp(a->model, b->model, sizeof(a->model)) == 0;
}

/* see tokens/agent/agent_token.h */
struct token *agent_token_create(struct agent *agent, CK_SLOT_ID slot, const CK_TOKEN_INFO *info)
{
    struct token *token = base_alloc(sizeof(*token));
    char *serial;

    token->agent = agent;
    token->info = *info;
    token->label = tokens_token_label(info);
    serial = tokens_padded_text(info->serialNumber, sizeof(info->serialNumber));
    token->name = base_printf("%s\n%s", token->label, serial);
    free(serial);
    token->slot = slot;
    token->generation = 1;
    token->sessions_limit = agent->options.sessions_max;
    pthread_mutex_init(&token->login_lock, NULL);
    token->next = agent->tokens;
    agent->tokens = token;
    return token;
}

/* see tokens/agent/agent_token.h */
void agent_token_destroy(struct token *token)
{
    tokens_pin_destroy(&token->pin);
    tokens_pin_destroy(&token->pin_offered);
    pthread_mutex_destroy(&token->login_lock);
    free(token->idle);
    free(token->pin_text);
    free(token->label);
    free(token->name);
    free(token);
}

/* see tokens/agent/agent_token.h */
struct session *agent_sessions_forget(struct token *token, size_t *count)
{
    struct session *idle = token->idle;

    *count = token->idle_count;
    token->sessions_open -= (unsigned)token->idle_count;
    token->idle = NULL;
    token->idle_count = token->idle_capacity = 0;
    token->generation++;
    return idle;
}

static void sessions_close(struct agent *agent, struct session *sessions, size_t count)
{
    for (size_t i = 0; i < count; i++)
        agent->module.loaded->p11->C_CloseSession(sessions[i].handle);
    free(sessions);
}

/* agent->mutex held. */
static void sessions_allow_all(struct token *token)
{
    token->sessions_limit = token->agent->options.sessions_max;
    token->grow_ms = 0;
    token->grow_wait_ms = 0;
}

/* The token opens no more than there are, for now. agent->mutex held. */
static void sessions_shrink(struct token *token)
{
    token->sessions_limit = token->sessions_open;
    token->grow_wait_ms = token->grow_wait_ms == 0                       ? AGENT_GROW_MS
                          : token->grow_wait_ms >= AGENT_GROW_MS_MAX / 2 ? AGENT_GROW_MS_MAX
                                                                         : token->grow_wait_ms * 2;
    token->grow_ms = base_now_ms() + token->grow_wait_ms;
}

/* see tokens/agent/agent_token.h */
void agent_sessions_grow(struct token *token, uint64_t now_ms)
{
    if (token->grow_ms == 0 || now_ms < token->grow_ms)
        return;
    if (token->sessions_limit < token->agent->options.sessions_max)
        token->sessions_limit++;
    token->grow_ms = token->sessions_limit < token->agent->options.sessions_max ? now_ms + token->grow_wait_ms : 0;
}

/* One slot with a token in it was seen. agent->mutex held. */
static void token_seen(struct agent *agent, CK_SLOT_ID slot, const CK_TOKEN_INFO *info)
{
    struct token *token = agent->tokens;
    size_t known = 0, unused;

    for (; token != NULL && !same_token(&token->info, info); token = token->next)
        known++;
    if (token == NULL) {
        if (known == AGENT_TOKENS_MAX)
            return;
        token = agent_token_create(agent, slot, info);
        if (agent->watcher.looked) /* it came since */
            (void)!agent_tell_of(token, TOKENS_AGENT_TOKEN_BACK, "%s", token->label);
    }
    token->seen_round = agent->round;
    if (token->slot != slot && !token->gone)
        free(agent_sessions_forget(token, &unused)); /* handles of the old slot: the module closed them itself */
    token->slot = slot;
    if (!token->gone)
        return;
    token->gone = false;
    agent_health_reset(&token->health);
    sessions_allow_all(token);
    (void)!agent_tell_of(token, TOKENS_AGENT_TOKEN_BACK, "%s", token->label);
    /* Ready before the first handshake needs it: with the PIN that is at hand. */
    if (token->pin_state == PIN_GOOD || token->pin_state == PIN_AT_HAND)
        agent->events->login_wanted(agent, token);
}

/* see tokens/agent/agent_token.h */
void agent_watch_ask(struct watch *watch, enum agent_question question, CK_SLOT_ID slot)
{
    if (watch == NULL)
        return;
    pthread_mutex_lock(&watch->agent->mutex);
    watch->question = question;
    watch->slot = slot;
    watch->since_ms = base_now_ms();
    pthread_mutex_unlock(&watch->agent->mutex);
}

/* see tokens/agent/agent_token.h */
bool agent_watch_answered(struct watch *watch)
{
    struct agent *agent;
    bool in_time;

    if (watch == NULL)
        return true;
    agent = watch->agent;
    pthread_mutex_lock(&agent->mutex);
    in_time = !watch->hangs;
    watch->question = AGENT_ASKS_NOTHING;
    if (!in_time) {
        (void)!agent_tell(agent, TOKENS_AGENT_LOG, "the module answers again about its slots");
        agent->watcher.look_wanted = true;
        pthread_cond_broadcast(&agent->watcher.wake);
    }
    pthread_mutex_unlock(&agent->mutex);
    return in_time;
}

/* see tokens/agent/agent_token.h */
bool agent_question_hangs(const struct agent *agent, enum agent_question question, CK_SLOT_ID slot)
{
    for (size_t i = 0; i < AGENT_WATCHERS_MAX; i++) {
        const struct watch *w = &agent->watcher.watches[i];

        if (w->hangs && w->question == question && (question != AGENT_ASKS_TOKEN || w->slot == slot))
            return true;
    }
    return false;
}

/* A token that is there but does not answer just now (busy, say) is not gone. agent->mutex held. */
static void slot_unreadable(struct agent *agent, CK_SLOT_ID slot)
{
    for (struct token *t = agent->tokens; t != NULL; t = t->next)
        if (!t->gone && t->slot == slot)
            t->seen_round = agent->round;
}

/* The slots to look at; those where something was, when the module does not say which there are. false: too late. */
static bool slots_list(struct agent *agent, struct watch *watch, CK_SLOT_ID **slots, size_t *count, CK_RV *rv)
{
    bool hangs;

    *rv = CKR_OK;
    pthread_mutex_lock(&agent->mutex);
    hangs = agent_question_hangs(agent, AGENT_ASKS_LIST, 0);
    if (hangs) {
        *slots = base_alloc(AGENT_TOKENS_MAX * sizeof(**slots));
        *count = 0;
        for (const struct token *t = agent->tokens; t != NULL && *count < AGENT_TOKENS_MAX; t = t->next)
            if (!t->gone)
                (*slots)[(*count)++] = t->slot;
    }
    pthread_mutex_unlock(&agent->mutex);
    if (hangs)
        return true;
    agent_watch_ask(watch, AGENT_ASKS_LIST, 0);
    *rv = tokens_slots(agent->module.loaded, slots, count);
    return agent_watch_answered(watch);
}

/* false: too late for what comes after it; what is in the slot has been learnt all the same. */
static bool slot_look(struct agent *agent, struct watch *watch, CK_SLOT_ID slot)
{
    CK_TOKEN_INFO info;
    CK_RV rv;
    bool hangs;

    pthread_mutex_lock(&agent->mutex);
    hangs = agent_question_hangs(agent, AGENT_ASKS_TOKEN, slot);
    if (hangs)
        slot_unreadable(agent, slot);
    pthread_mutex_unlock(&agent->mutex);
    if (hangs)
        return true;
    agent_watch_ask(watch, AGENT_ASKS_TOKEN, slot);
    rv = agent->module.loaded->p11->C_GetTokenInfo(slot, &info);
    pthread_mutex_lock(&agent->mutex);
    if (rv == CKR_OK && (info.flags & CKF_TOKEN_INITIALIZED) != 0)
        token_seen(agent, slot, &info);
    else if (rv != CKR_OK && !agent_session_is_gone(rv))
        slot_unreadable(agent, slot);
    pthread_mutex_unlock(&agent->mutex);
    return agent_watch_answered(watch);
}

/* Those that were in no slot. */
static void tokens_miss(struct agent *agent, CK_RV rv)
{
    struct session *lost[AGENT_TOKENS_MAX];
    size_t lost_sizes[AGENT_TOKENS_MAX], lost_count = 0;

    pthread_mutex_lock(&agent->mutex);
    for (struct token *t = agent->tokens; t != NULL; t = t->next) {
        if (t->gone || t->seen_round == agent->round)
            continue;
        t->gone = true;
        lost[lost_count] = agent_sessions_forget(t, &lost_sizes[lost_count]);
        lost_count++;
        (void)!agent_tell_of(t, TOKENS_AGENT_TOKEN_GONE, "%s", t->label);
    }
    agent->module.broken = rv != CKR_OK;
    agent->watcher.looked = true;
    pthread_cond_broadcast(&agent->threads.settled);
    pthread_mutex_unlock(&agent->mutex);
    for (size_t i = 0; i < lost_count; i++)
        sessions_close(agent, lost[i], lost_sizes[i]);
}

/* see tokens/agent/agent_token.h */
bool agent_tokens_refresh(struct agent *agent, struct watch *watch, CK_RV *rv)
{
    CK_SLOT_ID *slots = NULL;
    size_t count = 0;
    bool in_time;

    *rv = CKR_OK;
    if (agent->options.file_keys)
        return true; /* nobody can pull it out */
    pthread_mutex_lock(&agent->mutex);
    agent->round++;
    pthread_mutex_unlock(&agent->mutex);
    in_time = slots_list(agent, watch, &slots, &count, rv);
    for (size_t i = 0; i < count && in_time; i++)
        in_time = slot_look(agent, watch, slots[i]);
    free(slots);
    if (in_time)
        tokens_miss(agent, *rv);
    return in_time;
}

/* A module that is called by one thread at a time is held by us already: nobody else could ask it. see
 * tokens/agent/agent_token.h */
void agent_tokens_look(struct agent *agent)
{
    struct timespec until = agent_when(base_now_ms() + AGENT_LOOK_MS);
    uint64_t wanted;
    CK_RV rv;

    if (agent->options.file_keys)
        return;
    if (!agent->watcher.started || agent->module.loaded->serialise) {
        (void)!agent_tokens_refresh(agent, NULL, &rv);
        return;
    }
    /* Who wants to have the module alone must not wait for us, who wait for them. */
    agent_module_leave(agent);
    pthread_mutex_lock(&agent->mutex);
    wanted = agent->watcher.looks_begun + 1;
    agent->watcher.look_wanted = true;
    pthread_cond_broadcast(&agent->watcher.wake);
    while (agent->watcher.looks_done < wanted && !agent->stopping &&
           pthread_cond_timedwait(&agent->threads.settled, &agent->mutex, &until) == 0)
        ;
    pthread_mutex_unlock(&agent->mutex);
    agent_module_enter(agent);
}

/* see tokens/agent/agent_token.h */
enum outcome agent_session_take(struct token *token, uint64_t deadline_ms, struct session *session, bool *fresh,
                                struct failure *failure)
{
    struct agent *agent = token->agent;
    struct timespec until = agent_when(deadline_ms);
    enum outcome outcome = OUTCOME_FAILED;
    char code[TOKENS_CKR_TEXT_SIZE];

    pthread_mutex_lock(&agent->mutex);
    for (;;) {
        CK_SLOT_ID slot = token->slot;
        CK_RV rv;

        if (token->gone) {
            outcome =
                agent_fail(failure, TOKENS_WIRE_GONE, CKR_TOKEN_NOT_PRESENT, "token \"%s\" is not there", token->label);
            break;
        }
        if (token->idle_count != 0) {
            *session = token->idle[--token->idle_count];
            *fresh = false;
            outcome = OUTCOME_OK;
            break;
        }
        if (token->sessions_open < token->sessions_limit) {
            session->generation = token->generation;
            token->sessions_open++;
            pthread_mutex_unlock(&agent->mutex);
            rv = agent->module.loaded->p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &session->handle);
            pthread_mutex_lock(&agent->mutex);
            if (rv == CKR_OK) {
                *fresh = true;
                outcome = OUTCOME_OK;
                break;
            }
            token->sessions_open--;
            if (agent_session_is_gone(rv) || token->sessions_open == 0) {
                outcome = agent_fail(failure, agent_session_is_gone(rv) ? TOKENS_WIRE_GONE : TOKENS_WIRE_REFUSED, rv,
                                     "token \"%s\" opens no session: %s", token->label, tokens_ckr_text(rv, code));
                break;
            }
            sessions_shrink(token);
            continue;
        }
        if (pthread_cond_timedwait(&agent->threads.settled, &agent->mutex, &until) != 0) {
            outcome = agent_fail(failure, TOKENS_WIRE_TIMEOUT, CKR_FUNCTION_FAILED, "token \"%s\" has no session free",
                                 token->label);
            break;
        }
    }
    pthread_mutex_unlock(&agent->mutex);
    return outcome;
}

/* see tokens/agent/agent_token.h */
void agent_session_give(struct token *token, const struct session *session)
{
    struct agent *agent = token->agent;
    bool stale;

    pthread_mutex_lock(&agent->mutex);
    stale = session->generation != token->generation;
    if (!stale) {
        if (token->idle_count == token->idle_capacity) {
            token->idle_capacity = token->idle_capacity * 2 + 4;
            token->idle = base_realloc_array(token->idle, token->idle_capacity, sizeof(*token->idle));
        }
        token->idle[token->idle_count++] = *session;
        pthread_cond_broadcast(&agent->threads.settled);
    }
    pthread_mutex_unlock(&agent->mutex);
    if (stale)
        agent_session_close(token, session);
}

/* see tokens/agent/agent_token.h */
void agent_session_close(struct token *token, const struct session *session)
{
    struct agent *agent = token->agent;

    agent->module.loaded->p11->C_CloseSession(session->handle);
    pthread_mutex_lock(&agent->mutex);
    token->sessions_open--;
    pthread_cond_broadcast(&agent->threads.settled);
    pthread_mutex_unlock(&agent->mutex);
}

/* see tokens/agent/agent_token.h */
void agent_session_lost(struct token *token, const struct session *session)
{
    struct agent *agent = token->agent;
    struct session *idle = NULL;
    size_t count = 0;

    pthread_mutex_lock(&agent->mutex);
    if (session->generation == token->generation)
        idle = agent_sessions_forget(token, &count);
    pthread_mutex_unlock(&agent->mutex);
    sessions_close(agent, idle, count);
    agent_session_close(token, session);
}
